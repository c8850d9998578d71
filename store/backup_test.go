package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/store"
)

func TestABackupIsAWholeDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openURL(t, filepath.Join(dir, "rootcheck.db"))
	r := request("r1")
	ok(t, commit(t, s, commands.Change{Request: &r, Audit: []audit.Event{event(audit.RemediationRequested)}}))
	copied := filepath.Join(dir, "copy.db")
	ok(t, s.Backup(t.Context(), copied))
	c := openURL(t, copied)
	got, err := c.Request(t.Context(), "r1")
	ok(t, err)
	same(t, "request", r, got)
	if a, b := verify(t, s), verify(t, c); a.Head != b.Head {
		t.Errorf("the copy has %v, the original %v", b.Head, a.Head)
	}
}

// The settings name the database from the working folder unless somebody names it whole, and its backups lie beside it.
func TestABackupMayBeNamedFromTheWorkingFolder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := openURL(t, "rootcheck.db")
	ok(t, os.Mkdir("backups", 0o700))
	for _, name := range []string{"copy.db", "./copy2.db", filepath.Join("backups", "copy.db")} {
		ok(t, s.Backup(t.Context(), name))
		openURL(t, filepath.Join(dir, name))
	}
}

func TestABackupIsMadeWhileTheDatabaseIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openURL(t, filepath.Join(dir, "rootcheck.db"))
	ok(t, commit(t, s, commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}))
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := s.Commit(t.Context(), commands.Change{Audit: []audit.Event{event(audit.AccessRefused)}}); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	for i := range 5 {
		copied := filepath.Join(dir, "copy"+strconv.Itoa(i)+".db")
		ok(t, s.Backup(t.Context(), copied))
		r, err := store.OpenReadOnly(t.Context(), config(t, copied))
		ok(t, err)
		verify(t, r)
		ok(t, r.Close())
	}
	stop()
	ok(t, <-written)
	left, err := filepath.Glob(filepath.Join(dir, "*"+store.BackupPart+"*"))
	ok(t, err)
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestABackupHoldsNothingOfTheInbox(t *testing.T) {
	t.Parallel()
	const other = posture.KeyID("AKIA3333333333333333") // is typed in a modal, and nowhere made known otherwise
	from, to := t.TempDir(), t.TempDir()
	s := openURL(t, filepath.Join(from, "rootcheck.db"))
	secretStory(t, s)
	ok(t, s.Put(t.Context(), commands.Item{Key: "envelope", Kind: commands.InboxKind, Body: bytes.ReplaceAll(envelope(), []byte(wholeID), []byte(other))}))
	ok(t, s.Put(t.Context(), commands.Item{Key: "small", Kind: commands.InboxKind, Body: []byte(other)}))
	ok(t, s.Backup(t.Context(), filepath.Join(to, "copy.db")))
	if found(t, from, string(other)) == "" {
		t.Fatal("the waiting envelope is in no file: the search proves nothing")
	}
	if name := found(t, to, string(other)); name != "" {
		t.Errorf("%s holds what waits in the inbox", name)
	}
	files, err := os.ReadDir(to)
	ok(t, err)
	if len(files) != 1 {
		t.Errorf("beside the copy lie other files: %v", files)
	}
	due := must[map[string]int](t)(openURL(t, filepath.Join(to, "copy.db")).Due(t.Context(), newClock().Now()))
	if due[commands.InboxKind] != 0 || due["aws.act"] != 1 {
		t.Errorf("the copy waits with %v, want the work and no click", due)
	}
	if due = must[map[string]int](t)(s.Due(t.Context(), newClock().Now())); due[commands.InboxKind] != 2 {
		t.Errorf("the database itself waits with %v", due)
	}
}

func TestABackupTakesNoOtherFilesPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openURL(t, filepath.Join(dir, "rootcheck.db"))
	taken, gone := filepath.Join(dir, "taken.db"), filepath.Join(dir, "link.db")
	ok(t, os.WriteFile(taken, []byte("mine"), 0o600))
	ok(t, os.Symlink(filepath.Join(dir, "elsewhere"), gone))
	for _, path := range []string{taken, gone, dir} {
		if err := s.Backup(t.Context(), path); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("a backup to %s: %v", path, err)
		}
	}
	if b, err := os.ReadFile(taken); err != nil || string(b) != "mine" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "nowhere", "copy.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a backup to a folder that is not there: %v", err)
	}
}

func TestABackupThatIsCutShortLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openURL(t, filepath.Join(dir, "rootcheck.db"))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Backup(ctx, filepath.Join(dir, "copy.db")); err == nil {
		t.Error("it was made")
	}
	left, err := filepath.Glob(filepath.Join(dir, "copy*"))
	ok(t, err)
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestABackupDoesNotFillTheDisk(t *testing.T) {
	dir := smallDisk(t, "8m")
	s := openURL(t, filepath.Join(dir, "rootcheck.db"))
	left, _, _, err := s.Space()
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(dir, "something else"), make([]byte, left-128<<10), 0o600))
	err = s.Backup(t.Context(), filepath.Join(dir, "copy.db"))
	if err == nil || !strings.Contains(err.Error(), "no room for a copy") {
		t.Fatalf("a copy on a disk without room for it: %v", err)
	}
	ok(t, commit(t, s, commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}))
}

func TestPostgresIsNotBackedUpByTheBot(t *testing.T) {
	t.Parallel()
	s := openURL(t, postgres.Database(t))
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "copy")); !errors.Is(err, store.ErrBackupElsewhere) || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("the answer is %v", err)
	}
}

func TestDamageIsFoundByTheIntegrityCheck(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		s := d.fresh(t)
		if damage, err := s.Integrity(t.Context()); err != nil || damage != "" {
			t.Errorf("%s: a database that is whole: %q, %v", d.name, damage, err)
		}
	}
	path := filepath.Join(t.TempDir(), "rootcheck.db")
	s := openURL(t, path)
	for range 200 {
		ok(t, commit(t, s, commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}))
	}
	ok(t, s.Close())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	ok(t, err)
	info, err := f.Stat()
	ok(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("\xff", 64)), info.Size()-4096)
	ok(t, err)
	ok(t, f.Close())
	r, err := store.OpenReadOnly(t.Context(), config(t, path))
	ok(t, err)
	damage, err := r.Integrity(t.Context())
	ok(t, errors.Join(err, r.Close()))
	if damage == "" || strings.Contains(damage, "\n") {
		t.Errorf("a damaged page is told as %q", damage)
	}
}
