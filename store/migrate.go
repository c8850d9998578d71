package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// versionTable is where the schema's version is kept.
const versionTable = "schema_version"

//go:embed migrations
var migrations embed.FS

// provider holds the migrations of one dialect. They go forward only: a downgrade is a restored backup.
func provider(db *sql.DB, d goose.Dialect, from fs.FS) (*goose.Provider, error) {
	folder, options := "migrations/sqlite", []goose.ProviderOption{
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()),
	}
	if d == goose.DialectPostgres {
		folder = "migrations/postgres"
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	sub, err := fs.Sub(from, folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(d, db, sub, options...)
}

// migrate brings the schema up to date. Where there is something to change and something to lose, it calls before with the
// present version first.
func migrate(ctx context.Context, db *sql.DB, d goose.Dialect, from fs.FS, name string, before func(context.Context, int64) error) error {
	p, err := provider(db, d, from)
	if err != nil {
		return fmt.Errorf("database: the migrations cannot be read: %w; reinstall the bot", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("database: the schema of %s cannot be read: %w; name another database, or restore it from a backup", name, err)
	}
	if have > want {
		return newer(name, have, want)
	}
	if have > 0 && have < want && before != nil {
		if err := before(ctx, have); err != nil {
			return fmt.Errorf("database: the backup before the migration of %s failed: %w; make room beside it", name, err)
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("database: the schema of %s cannot be brought from version %d to %d: %w; report it, nothing was changed", name, have, want, err)
	}
	return nil
}

// checkSchema is for a reader: it changes nothing, not even by creating the table of versions.
func checkSchema(ctx context.Context, db *sql.DB, d goose.Dialect, name string) error {
	p, err := provider(db, d, migrations)
	if err != nil {
		return fmt.Errorf("database: the migrations cannot be read: %w; reinstall the bot", err)
	}
	var want int64
	for _, s := range p.ListSources() {
		want = max(want, s.Version)
	}
	var have sql.NullInt64
	err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM "+versionTable+" WHERE is_applied").Scan(&have)
	switch {
	case err != nil && strings.Contains(err.Error(), versionTable), err == nil && have.Int64 < 1:
		return fmt.Errorf("database: %s is not a database of the bot; name the one that it uses", name)
	case err != nil:
		return err
	case have.Int64 > want:
		return newer(name, have.Int64, want)
	case have.Int64 < want:
		return fmt.Errorf("database: the schema of %s has version %d, this version wants %d; start the bot once, it brings it up to date", name, have.Int64, want)
	}
	return nil
}

func newer(name string, have, want int64) error {
	return errors.New("database: a newer version of the bot wrote " + name +
		fmt.Sprintf(" (schema %d, this version knows %d); start that version, or restore the backup from before", have, want))
}
