package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file copies a SQLite database that is in use. The rules are:
//   - It copies through SQLite: a copy of the file alone would miss the write-ahead log.
//   - A file appears under its name only when it is whole: checked, and on the disk. SQLite itself does not wait for the disk
//     (https://www.sqlite.org/lang_vacuum.html, "VACUUM INTO").
//   - It is never readable by others, and never takes the place of another file.
//   - It holds nothing of the inbox: what people typed and the addresses to answer them would be kept as long as the copy is.
//   - It does not fill the disk that the database lives on.

// BackupPart is in the name of a copy that is being written. One that stays behind is a copy that a crash cut short.
const BackupPart = ".part-"

func (b *sqliteBackend) backup(ctx context.Context, path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("back up %s: %w", b.name, err)
		}
	}()
	if path, err = filepath.Abs(path); err != nil { // SQLite is given the copy as a URI, which has no place for a relative name
		return err
	}
	if err = untaken(path); err != nil {
		return err
	}
	if err = b.roomFor(filepath.Dir(path)); err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+BackupPart+"*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	if err = errors.Join(b.copyTo(ctx, part.Name()), part.Sync(), part.Close()); err != nil {
		return err
	}
	if err = untaken(path); err != nil {
		return err
	}
	if err = os.Rename(part.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// untaken refuses a name that is taken.
func untaken(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already; name a file that is not", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// roomFor refuses a folder that has no room for a copy and a quarter of it beside: a disk that the copy fills would refuse
// the clicks of people.
func (b *sqliteBackend) roomFor(dir string) error {
	space, _, known, err := diskSpace(dir)
	if err != nil || !known {
		return err
	}
	var size uint64
	for _, f := range []string{b.path, b.path + "-wal"} {
		if info, err := os.Stat(f); err == nil {
			size += uint64(max(info.Size(), 0))
		}
	}
	if space < size+size/4 {
		return fmt.Errorf("the disk has no room for a copy: %d MB are free, %d MB are wanted", space>>20, (size+size/4)>>20)
	}
	return nil
}

// copyTo writes the copy into an empty file and checks it.
func (b *sqliteBackend) copyTo(ctx context.Context, path string) error {
	source, err := sqliteDB(b.path, copying(), 1)
	if err != nil {
		return err
	}
	_, err = source.ExecContext(ctx, "VACUUM INTO ?1", path)
	if err = errors.Join(err, source.Close()); err != nil {
		return err
	}
	made, err := sqliteDB(path, copied(), 1)
	if err != nil {
		return err
	}
	return errors.Join(emptyAndCheck(ctx, made), made.Close())
}

// emptyAndCheck overwrites the inbox of a copy, and reads the copy for damage.
func emptyAndCheck(ctx context.Context, made *sql.DB) error {
	if _, err := made.ExecContext(ctx, "DELETE FROM item WHERE kind = ?1", commands.InboxKind); err != nil {
		return fmt.Errorf("empty the inbox of the copy: %w", err)
	}
	var found string
	if err := made.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	if found != "ok" {
		return fmt.Errorf("the copy is damaged (%s)", oneLine(found))
	}
	return nil
}

// integrity reads every page and every index.
func (b *sqliteBackend) integrity(ctx context.Context) (string, error) {
	found, err := collect(ctx, b.reads(), scanText, "PRAGMA integrity_check(3)")
	if err != nil {
		if failure := sqliteFailure(b.name, err); strings.Contains(failure.Error(), "is damaged") {
			return oneLine(err.Error()), nil
		}
		return "", fmt.Errorf("check %s: %w", b.name, err)
	}
	if len(found) == 1 && found[0] == "ok" {
		return "", nil
	}
	return oneLine(strings.Join(found, "; ")), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// copying is how a backup reads: VACUUM INTO writes another file, which query_only would forbid.
func copying() (v url.Values) {
	v = pragmas(true)
	v["_pragma"] = []string{"busy_timeout(5000)"}
	return v
}

// copied is how a copy is emptied: with its journal in memory, because one beside it would hold what is overwritten, and
// without waiting for the disk, which the caller does once at the end.
func copied() url.Values {
	return url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(MEMORY)", "secure_delete(1)", "synchronous(OFF)"}}
}
