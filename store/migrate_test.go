package store

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"
)

// later is the migrations of a version to come, of which the last has this SQL.
func later(t *testing.T, statement string) fs.FS {
	t.Helper()
	files := fstest.MapFS{"migrations/sqlite/0003_later.sql": {Data: []byte("-- +goose Up\n" + statement)}}
	err := fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(migrations, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func migrated(t *testing.T) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "rootcheck.db")
	db, err := sqliteDB(path, pragmas(false), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := migrate(t.Context(), db, goose.DialectSQLite3, migrations, path, nil); err != nil {
		t.Fatal(err)
	}
	return path, db
}

func TestABackupIsMadeBeforeAMigrationAndOnlyThen(t *testing.T) {
	t.Parallel()
	path, db := migrated(t)
	var backups []int64
	before := func(ctx context.Context, version int64) error {
		backups = append(backups, version)
		return (&sqliteBackend{name: path, path: path}).backup(ctx, path+".before")
	}
	for range 2 {
		if err := migrate(t.Context(), db, goose.DialectSQLite3, migrations, path, before); err != nil {
			t.Fatal(err)
		}
	}
	if len(backups) != 0 {
		t.Errorf("backups of versions %v though there was nothing to migrate", backups)
	}
	for range 2 {
		if err := migrate(t.Context(), db, goose.DialectSQLite3, later(t, "CREATE TABLE extra (x INTEGER);"), path, before); err != nil {
			t.Fatal(err)
		}
	}
	if len(backups) != 1 || backups[0] != 2 {
		t.Errorf("backups of versions %v, want one of version 2", backups)
	}
	if _, err := os.Stat(path + ".before"); err != nil {
		t.Error(err)
	}
}

func TestAMigrationThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	path, db := migrated(t)
	broken := later(t, "CREATE TABLE extra (x INTEGER);\nCREATE TABLE extra (x INTEGER);")
	err := migrate(t.Context(), db, goose.DialectSQLite3, broken, path, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "database: ") {
		t.Errorf("a broken migration: %v", err)
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master WHERE name = 'extra'").Scan(&n); err != nil || n != 0 {
		t.Errorf("half of the migration stayed: %d, %v", n, err)
	}
	if err := migrate(t.Context(), db, goose.DialectSQLite3, migrations, path, nil); err != nil {
		t.Errorf("the version before cannot be opened any more: %v", err)
	}
}

func TestBothDialectsHaveTheSameMigrations(t *testing.T) {
	t.Parallel()
	names := func(folder string) (names []string) {
		files, err := fs.ReadDir(migrations, folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			names = append(names, f.Name())
		}
		return names
	}
	lite, pg := names("migrations/sqlite"), names("migrations/postgres")
	if strings.Join(lite, " ") != strings.Join(pg, " ") {
		t.Errorf("SQLite has %v, Postgres %v", lite, pg)
	}
}

func TestVersionsOfSQLiteAreCompared(t *testing.T) {
	t.Parallel()
	for version, good := range map[string]bool{"3.51.2": false, "3.51.3": true, "3.53.4": true, "3.9.9": false, "4.0.0": true, "": false, "x.y.z": false} {
		if (number(version) >= minSQLite) != good {
			t.Errorf("SQLite %q: %d", version, number(version))
		}
	}
}

func fixed() time.Time { return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC) }
