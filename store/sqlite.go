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
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// This file opens a SQLite file. The rules are:
//   - WAL with synchronous=FULL loses nothing that was committed, if the disk keeps what it is told to keep
//     (https://www.sqlite.org/pragma.html#pragma_synchronous).
//   - No version before 3.51.3: several connections could corrupt a WAL database (https://www.sqlite.org/wal.html#walresetbug).
//   - Not on a network file system: the WAL index is shared memory (https://www.sqlite.org/wal.html), and locks may be lies.
//   - One writing process per file, by a lock of the operating system that a crash releases.
//   - The write-ahead log is moved into the file at 32 MB. SQLite's own 4 MB are full twenty times in a storm of clicks, and
//     each time all who wait for a commit wait for two more fsyncs.
//   - secure_delete overwrites what is deleted: an inbox item may hold a whole access key id until it is handled.

// minSQLite is the first version without the bug, as SQLite numbers versions.
const minSQLite = 3_051_003

// readers is how many connections read at once. Reads take microseconds; more would only cost memory.
const readers = 4

func pragmas(readOnly bool) url.Values {
	v := url.Values{}
	list := []string{"busy_timeout(5000)", "foreign_keys(1)", "mmap_size(0)", "secure_delete(1)", "synchronous(FULL)"}
	if readOnly {
		v.Set("mode", "ro")
		list = append(list, "query_only(1)")
	} else {
		list = append(list, "wal_autocheckpoint(8000)")
	}
	v["_pragma"] = list
	return v
}

func sqliteDB(path string, options url.Values, most int) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: options.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

func openSQLite(ctx context.Context, c Config, readOnly bool) (_ backend, err error) {
	path, err := checkFile(c.URL, readOnly)
	if err != nil {
		return nil, err
	}
	b := &sqliteBackend{name: c.URL, path: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()

	if !readOnly {
		if b.lock, err = lockFile(path + ".lock"); err != nil {
			if errors.Is(err, errLocked) {
				return nil, fmt.Errorf("database: another bot writes to %s; stop it, name another file, or use postgres:// for several bots", c.URL)
			}
			return nil, fmt.Errorf("database: the lock file beside %s cannot be written: %w; give the bot a folder that it may write to", c.URL, err)
		}
		if err = makePrivate(path); err != nil {
			return nil, fmt.Errorf("database: %s cannot be written: %w; give the bot a file that it may write to", c.URL, err)
		}
	}
	if b.read, err = sqliteDB(path, pragmas(true), readers); err != nil {
		return nil, sqliteFailure(c.URL, err)
	}
	if readOnly {
		return b, b.checkVersions(ctx, b.read)
	}

	writer, err := sqliteDB(path, pragmas(false), 1)
	if err != nil {
		return nil, sqliteFailure(c.URL, err)
	}
	b.writer = writer
	if err = b.prepare(ctx, c); err != nil {
		return nil, err
	}
	conn, err := writer.Conn(ctx)
	if err != nil {
		return nil, sqliteFailure(c.URL, err)
	}
	b.group = startGroup(context.WithoutCancel(ctx), conn, c.Log)
	return b, nil
}

// prepare makes the file sound and current before anything else touches it.
func (b *sqliteBackend) prepare(ctx context.Context, c Config) error {
	var mode string
	if err := b.writer.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return sqliteFailure(b.name, err)
	}
	if mode != "wal" {
		return fmt.Errorf("database: %s cannot use write-ahead logging (it stays in mode %q); put it on a local disk", b.name, mode)
	}
	var sound string
	if err := b.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&sound); err != nil {
		return sqliteFailure(b.name, err)
	}
	if sound != "ok" {
		return fmt.Errorf("database: %s is damaged (%s); restore it from a backup", b.name, oneLine(sound))
	}
	if err := checkLibrary(ctx, b.writer); err != nil {
		return sqliteFailure(b.name, err)
	}
	before := func(ctx context.Context, from int64) error {
		copied := fmt.Sprintf("%s.before-%d.%s", b.path, from, c.Now().UTC().Format("20060102T150405"))
		return b.backup(ctx, copied)
	}
	if err := migrate(ctx, b.writer, goose.DialectSQLite3, migrations, b.name, before); err != nil {
		return err
	}
	// Whoever held a lease is gone, as the lock says. Its work is taken up at once: a person whose click was acknowledged
	// just before a crash does not wait for a lease of two minutes to run out. What has been begun several times may be what
	// brings the process down, and keeps its lease.
	if _, err := b.writer.ExecContext(ctx, "UPDATE item SET leased_until = 0 WHERE leased_until > 0 AND attempts < 3"); err != nil {
		return sqliteFailure(b.name, err)
	}
	return nil
}

// checkVersions is what a reader checks, who can repair nothing.
func (b *sqliteBackend) checkVersions(ctx context.Context, db *sql.DB) error {
	if err := checkLibrary(ctx, db); err != nil {
		return sqliteFailure(b.name, err)
	}
	if err := checkSchema(ctx, db, goose.DialectSQLite3, b.name); err != nil {
		return sqliteFailure(b.name, err)
	}
	return nil
}

// checkLibrary asks the library for its version. It is the first that a reader asks, so it also fails on a file that
// cannot be opened.
func checkLibrary(ctx context.Context, db *sql.DB) error {
	var version string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if number(version) < minSQLite {
		return fmt.Errorf("database: SQLite %s can corrupt a file, 3.51.3 is the first that does not; build the bot with a newer modernc.org/sqlite", version)
	}
	return nil
}

// number is "3.51.3" as 3051003, and 0 for what is no version.
func number(version string) int {
	n := 0
	for _, part := range strings.SplitN(version, ".", 3) {
		v, err := strconv.Atoi(part)
		if err != nil {
			return 0
		}
		n = n*1000 + v
	}
	return n
}

// checkFile resolves the name and refuses what could not become a database.
func checkFile(name string, readOnly bool) (string, error) {
	if strings.HasPrefix(name, ":memory:") || strings.HasPrefix(name, "file:") {
		return "", fmt.Errorf("database: %s is not a file name; name a file such as rootcheck.db, or a postgres:// address", name)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("database: %s cannot be found: %w; write the whole path", name, err)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return "", fmt.Errorf("database: %s is a directory; name a file in it, such as %s", name, filepath.Join(name, "rootcheck.db"))
	case err == nil && !info.Mode().IsRegular():
		return "", fmt.Errorf("database: %s is not an ordinary file; name one such as rootcheck.db", name)
	case errors.Is(err, fs.ErrNotExist) && readOnly:
		return "", fmt.Errorf("database: %s does not exist; start the bot once, or name the file that it uses", name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("database: %s cannot be opened: %w; give the bot a file that it may write to", name, err)
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("database: the folder %s does not exist; create it, or name a file in another", dir)
	}
	if kind := networkFileSystem(dir); kind != "" {
		return "", fmt.Errorf("database: %s lies on a network file system (%s), where SQLite loses data; put it on a local disk, or use postgres://", name, kind)
	}
	return path, nil
}

// makePrivate creates the file, or takes it away from everybody but its owner. SQLite gives its side files the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	return errors.Join(err, f.Close())
}

// sqliteFailure says what SQLite's code means for whoever starts the bot.
func sqliteFailure(name string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), "database: ") {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("database: opening %s was cut short: %w; try again", name, err)
	}
	code := 0
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		code = e.Code() & 0xff
	}
	switch code {
	case 9: // SQLITE_INTERRUPT, which is how a deadline ends a statement
		return fmt.Errorf("database: opening %s was cut short: %w; try again", name, err)
	case 26: // SQLITE_NOTADB
		return fmt.Errorf("database: %s is not a SQLite database; name another file", name)
	case 11: // SQLITE_CORRUPT
		return fmt.Errorf("database: %s is damaged; restore it from a backup", name)
	case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED
		return fmt.Errorf("database: another program holds %s; close it, or name another file", name)
	case 8, 14: // SQLITE_READONLY, SQLITE_CANTOPEN
		return fmt.Errorf("database: %s or its folder cannot be written; give the bot a folder that it may write to", name)
	case 13: // SQLITE_FULL
		return fmt.Errorf("database: the disk of %s is full; make room", name)
	}
	return fmt.Errorf("database: %s cannot be opened: %w; name another file, or restore it from a backup", name, err)
}
