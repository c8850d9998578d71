package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// sqliteBackend is an open SQLite file.
type sqliteBackend struct {
	name   string // as the settings have it
	path   string
	lock   *os.File
	read   *sql.DB
	writer *sql.DB // nil where the file was opened to be read
	group  *group
}

func (b *sqliteBackend) sql() dialect {
	return dialect{
		clock: "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
		fence: "UPDATE item_fence SET value = value + 1 WHERE id = 1 RETURNING value",
	}
}

func (b *sqliteBackend) write(ctx context.Context, f func(context.Context, session) error) error {
	if b.group == nil {
		return ErrReadOnly
	}
	return b.group.do(&job{ctx: ctx, run: f})
}

func (b *sqliteBackend) put(ctx context.Context, i row) error {
	if b.group == nil {
		return ErrReadOnly
	}
	return b.group.do(&job{ctx: ctx, item: i})
}

func (b *sqliteBackend) scrub() {
	if b.group != nil {
		b.group.dirty.Store(true)
	}
}

func (b *sqliteBackend) reads() session { return plain{b.read, numbered} }

func (b *sqliteBackend) snapshot(ctx context.Context, f func(session) error) error {
	return snapshot(ctx, b.read, numbered, f)
}

func (b *sqliteBackend) ping(ctx context.Context) error {
	var one int
	if err := b.read.QueryRowContext(ctx, "SELECT 1 FROM audit_tree").Scan(&one); err != nil {
		return fmt.Errorf("ping %s: %w", b.name, err)
	}
	return nil
}

func (b *sqliteBackend) space() (free, total uint64, ok bool, err error) {
	free, total, ok, err = diskSpace(filepath.Dir(b.path))
	if err != nil {
		return 0, 0, false, fmt.Errorf("measure free space of %s: %w", b.name, err)
	}
	return free, total, ok, nil
}

func (b *sqliteBackend) close() error {
	var err error
	if b.group != nil {
		err = b.group.close()
	}
	for _, db := range []*sql.DB{b.read, b.writer} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if b.lock != nil {
		err = errors.Join(err, b.lock.Close())
	}
	return err
}
