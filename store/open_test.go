package store_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/store"
)

func TestADatabaseThatCannotBeOpenedIsRefusedInOneSentence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		ok(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	ok(t, err)
	nobody := closed.Addr().String()
	ok(t, closed.Close())

	for name, tt := range map[string]struct {
		url  string
		want []string
	}{
		"no name":                      {"", []string{"is empty", "rootcheck.db"}},
		"a directory":                  {dir, []string{"is a directory", "rootcheck.db"}},
		"a folder that is not there":   {filepath.Join(dir, "nowhere", "a.db"), []string{"does not exist", "create it"}},
		"a file where a folder should": {filepath.Join(write("plain", "x", 0o600), "a.db"), []string{"plain"}},
		"a file that is no database":   {write("text.db", strings.Repeat("not a database ", 100), 0o600), []string{"is not a SQLite database"}},
		"a device":                     {os.DevNull, []string{"not an ordinary file"}},
		"memory":                       {":memory:", []string{"not a file name"}},
		"another kind of database":     {"mysql://user:hunter2@host/name", []string{"mysql:// is not supported", "postgres://"}},
		"a broken Postgres address":    {"postgres://user:hunter2@host:notaport/name", []string{"cannot be read", "postgres://"}},
		"a Postgres that is not there": {"postgres://user:hunter2@" + nobody + "/rootcheck", []string{"cannot be reached", nobody, "start the server"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), config(t, tt.url))
			if err == nil {
				t.Fatal(errors.Join(errors.New("it was opened"), s.Close()))
			}
			sentence(t, err, tt.want...)
		})
	}
}

// sentence wants an error in one line that names the setting, says these things and keeps the password.
func sentence(t *testing.T, err error, want ...string) {
	t.Helper()
	text := err.Error()
	if !strings.HasPrefix(text, "database: ") || strings.Contains(text, "\n") || strings.Contains(text, "hunter2") {
		t.Errorf("not one sentence that begins with the setting: %q", text)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}

func TestAFileThatMayNotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere; see the test of the child process")
	}
	dir := t.TempDir()
	ok(t, os.Chmod(dir, 0o500))
	_, err := store.Open(t.Context(), config(t, filepath.Join(dir, "a.db")))
	sentence(t, err, "cannot be written")
}

func TestASecondWriterOfAFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rootcheck.db")
	first := openURL(t, path)
	_, err := store.Open(t.Context(), config(t, path))
	sentence(t, err, "another bot writes to", "postgres://")
	ok(t, first.Put(t.Context(), commands.Item{Key: "k", Kind: "a"})) // the first goes on undisturbed
	ok(t, first.Close())
	second := openURL(t, path)
	if due, err := second.Due(t.Context(), newClock().Now()); err != nil || due["a"] != 1 {
		t.Errorf("after the first has closed: %v, %v", due, err)
	}
}

func TestAReaderReadsBesideTheWriterAndWritesNothing(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			w := openURL(t, url)
			r, err := store.OpenReadOnly(t.Context(), config(t, url))
			ok(t, err)
			t.Cleanup(func() { ok(t, r.Close()) })
			for range 3 {
				ok(t, commit(t, w, commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}))
				if rw, rr := verify(t, w), verify(t, r); rw.Head != rr.Head {
					t.Errorf("the reader sees %v, the writer %v", rr.Head, rw.Head)
				}
			}
			ok(t, r.Ping(t.Context()))
			for what, err := range map[string]error{
				"put":    r.Put(t.Context(), commands.Item{Key: "k", Kind: "a"}),
				"commit": commit(t, r, commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}),
				"save":   r.Save(t.Context(), "run", nil),
			} {
				if !errors.Is(err, store.ErrReadOnly) {
					t.Errorf("%s on a reader: %v, want ErrReadOnly", what, err)
				}
			}
		})
	}
}

func TestAReaderReadsAfterTheWriterIsGone(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			w := openURL(t, url)
			ok(t, commit(t, w, commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}))
			ok(t, w.Close())
			r, err := store.OpenReadOnly(t.Context(), config(t, url))
			ok(t, err)
			if rep := verify(t, r); rep.Records != 1 {
				t.Errorf("%d records", rep.Records)
			}
			ok(t, r.Close())
		})
	}
}

func TestAReaderThatCannotOpenTheFileSaysWhy(t *testing.T) {
	t.Parallel()
	t.Run("a folder that SQLite's side files cannot be made in", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "rootcheck.db")
		ok(t, openURL(t, path).Close())
		ok(t, os.RemoveAll(path+"-wal"))
		ok(t, os.Mkdir(path+"-wal", 0o700)) // stands in the way of the file that root, too, would have to create
		r, err := store.OpenReadOnly(t.Context(), config(t, path))
		if err == nil {
			t.Fatal("it was opened", r.Close())
		}
		sentence(t, err, path, "cannot be written", "may write to")
	})
	for name, tt := range map[string]struct {
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		"a deadline that is over": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, time.Unix(0, 0))
		}, context.DeadlineExceeded},
		"a caller who has left": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "rootcheck.db")
			ok(t, openURL(t, path).Close())
			ctx, cancel := tt.ctx(t.Context())
			defer cancel()
			_, err := store.OpenReadOnly(ctx, config(t, path))
			sentence(t, err, path, "was cut short", "try again")
			if !errors.Is(err, tt.want) {
				t.Errorf("%v does not carry %v", err, tt.want)
			}
		})
	}
}

func TestAReaderCreatesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := store.OpenReadOnly(t.Context(), config(t, filepath.Join(dir, "none.db")))
	sentence(t, err, "does not exist", "start the bot once")
	if files, failed := os.ReadDir(dir); failed != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, failed)
	}
	other := filepath.Join(dir, "other.db")
	ok(t, sqlExec(t, "sqlite", other, "CREATE TABLE somebody_elses (x)"))
	_, err = store.OpenReadOnly(t.Context(), config(t, other))
	sentence(t, err, "is not a database of the bot")
}

// sqlExec changes a database behind the store's back.
func sqlExec(t *testing.T, driver, url string, statements ...string) error {
	t.Helper()
	if driver == "postgres" {
		driver = "pgx"
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	return db.Close()
}

func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			ok(t, openURL(t, url).Close())
			ok(t, sqlExec(t, d.name, url, "INSERT INTO schema_version (version_id, is_applied) VALUES (9001, true)"))
			_, err := store.Open(t.Context(), config(t, url))
			sentence(t, err, "a newer version of the bot", "9001")
			_, err = store.OpenReadOnly(t.Context(), config(t, url))
			sentence(t, err, "a newer version of the bot", "9001")
		})
	}
}

func TestReplicasThatStartTogetherMakeOneSchema(t *testing.T) {
	t.Parallel()
	url := postgres.Database(t)
	results := make(chan error)
	for range 4 {
		go func() {
			s, err := store.Open(t.Context(), config(t, url))
			if err == nil {
				err = s.Close()
			}
			results <- err
		}()
	}
	for range 4 {
		ok(t, <-results)
	}
}

func TestADamagedFileIsRefused(t *testing.T) {
	t.Parallel()
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
	for at := int64(4096 * 2); at+100 < info.Size(); at += 4096 {
		_, err = f.WriteAt([]byte(strings.Repeat("\xff", 64)), at)
		ok(t, err)
	}
	ok(t, f.Close())
	_, err = store.Open(t.Context(), config(t, path))
	if err == nil {
		t.Fatal("a damaged file was opened")
	}
	sentence(t, err, "is damaged", "backup")
}

func TestTheFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rootcheck.db")
	ok(t, os.WriteFile(path, nil, 0o644))
	s := openURL(t, path)
	ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a"}))
	ok(t, s.Backup(t.Context(), filepath.Join(dir, "copy.db")))
	files, err := os.ReadDir(dir)
	ok(t, err)
	if len(files) < 4 {
		t.Errorf("expected the file, its log, its lock and its copy, got %v", files)
	}
	for _, f := range files {
		info, err := f.Info()
		ok(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}

func TestFreeSpaceIsTold(t *testing.T) {
	t.Parallel()
	s := openURL(t, filepath.Join(t.TempDir(), "rootcheck.db"))
	free, total, known, err := s.Space()
	if err != nil || known && (free > total || total == 0) {
		t.Errorf("%d of %d bytes, %v, %v", free, total, known, err)
	}
	if _, err := s.LowSpace(); err != nil {
		t.Error(err)
	}
	ok(t, s.Ping(t.Context()))
}

func TestAClosedStoreRefusesAndDoesNotHang(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			ok(t, s.Close())
			ok(t, s.Close())
			done := make(chan error, 1)
			go func() { done <- s.Put(t.Context(), commands.Item{Key: "k", Kind: "a"}) }()
			select {
			case err := <-done:
				if err == nil {
					t.Error("a closed store took an item")
				}
			case <-time.After(time.Minute):
				t.Fatal("a put into a closed store hangs")
			}
		})
	}
}

// A reader that takes its time, such as an audit of the whole log, must not make a click miss its three seconds: what was
// handled is cleared from the write-ahead log later instead.
func TestALongReadDoesNotHoldUpWrites(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			ok(t, s.ReadLog(t.Context(), func(store.Log) error {
				var slowest time.Duration
				for i, start := 0, time.Now(); time.Since(start) < 3*time.Second; i++ {
					begun := time.Now()
					key := strconv.Itoa(i)
					if err := s.Put(t.Context(), commands.Item{Key: key, Kind: "a"}); err != nil {
						return err
					}
					l, err := s.Claim(t.Context(), "a")
					if err != nil {
						return err
					}
					if err := s.Finish(t.Context(), l); err != nil {
						return err
					}
					slowest = max(slowest, time.Since(begun))
				}
				if slowest > 2*time.Second {
					t.Errorf("a put, a claim and a finish took %v", slowest)
				}
				return nil
			}))
		})
	}
}

func TestWhatACrashLeftLeasedIsTakenUpAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rootcheck.db")
	config := store.Config{URL: file, Now: time.Now}
	first := must[*store.Store](t)(store.Open(t.Context(), config))
	ok(t, first.Put(t.Context(), commands.Item{Key: "click", Kind: "slack.envelope", Body: []byte("{}")}))
	held := must[commands.Lease](t)(first.Claim(t.Context(), "slack.envelope"))
	ok(t, first.Close()) // with the item still in its hands

	for attempt := 2; attempt <= 3; attempt++ {
		next := must[*store.Store](t)(store.Open(t.Context(), config))
		again := must[commands.Lease](t)(next.Claim(t.Context(), "slack.envelope"))
		if again.Attempts != attempt || again.Fence <= held.Fence {
			t.Errorf("claimed at attempt %d with fence %d, want attempt %d and a fence above %d", again.Attempts, again.Fence, attempt, held.Fence)
		}
		if err := next.Finish(t.Context(), held); !errors.Is(err, commands.ErrLeaseLost) {
			t.Errorf("the old lease finishes it: %v, want ErrLeaseLost", err)
		}
		ok(t, next.Close())
	}

	last := must[*store.Store](t)(store.Open(t.Context(), config))
	if _, err := last.Claim(t.Context(), "slack.envelope"); !errors.Is(err, commands.ErrNothingDue) {
		t.Errorf("begun three times and never ended, it is claimed at once again: %v", err)
	}
	ok(t, last.Close())
}
