package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// tidyAfter is how long after deleting something its traces may stay in the write-ahead log.
const tidyAfter = 2 * time.Second

// group is the one writing connection of a SQLite file. Only the goroutine of its batcher uses it. Each job has a
// savepoint: one that fails, as a lost compare-and-swap does, is undone alone.
type group struct {
	*batcher
	conn  *sql.Conn
	log   *slog.Logger
	stmts map[string]*sql.Stmt
	dirty atomic.Bool // something was deleted whose bytes are still in the write-ahead log
	armed bool        // the timer runs
}

func startGroup(ctx context.Context, conn *sql.Conn, log *slog.Logger) *group {
	g := &group{conn: conn, log: log, stmts: map[string]*sql.Stmt{}}
	g.batcher = newBatcher(ctx, &batcher{commit: g.commit, tidy: g.tidy, patient: true})
	return g
}

// commit runs the jobs in one transaction.
func (g *group) commit(ctx context.Context, jobs []*job) error {
	if _, err := g.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	wrote := false
	for _, j := range jobs {
		if !j.take() {
			continue
		}
		if err := g.one(ctx, j); err != nil {
			return errors.Join(err, g.rollback(ctx))
		}
		wrote = wrote || j.err == nil
	}
	if !wrote {
		return g.rollback(ctx)
	}
	if _, err := g.exec(ctx, "COMMIT"); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), g.rollback(ctx))
	}
	g.arm()
	return nil
}

// one runs a job. Its own failure is its own; the error is for a transaction that is lost as a whole. A put fails only
// when everything does, and has no savepoint.
func (g *group) one(ctx context.Context, j *job) error {
	if j.run == nil {
		return upsert(ctx, g, j.item)
	}
	if _, err := g.exec(ctx, "SAVEPOINT job"); err != nil {
		return err
	}
	j.err = j.run(ctx, g)
	if j.err != nil {
		// A full disk rolls the whole transaction back by itself, and then there is no savepoint any more.
		if _, err := g.exec(ctx, "ROLLBACK TO job"); err != nil {
			return errors.Join(j.err, err)
		}
	}
	_, err := g.exec(ctx, "RELEASE job")
	return err
}

// rollback ends the transaction if SQLite has not done so by itself.
func (g *group) rollback(ctx context.Context) error {
	_, err := g.exec(ctx, "ROLLBACK")
	if err != nil && strings.Contains(err.Error(), "no transaction is active") {
		return nil
	}
	return err
}

// arm starts the timer of tidy where there is something to do.
func (g *group) arm() {
	if g.dirty.Load() && !g.armed {
		g.armed = true
		g.timer.Reset(tidyAfter)
	}
}

// tidy moves the write-ahead log into the file and empties it: secure_delete overwrites what was deleted in the file, and
// the log would keep it. It does not wait for a reader that is in the way, because all writes would wait with it; it tries
// again later.
func (g *group) tidy(ctx context.Context) {
	g.armed = false
	if !g.dirty.Load() {
		return
	}
	var busy, pages, moved int
	_, err := g.exec(ctx, "PRAGMA busy_timeout = 0")
	if err == nil {
		err = g.queryRow(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	}
	if _, back := g.exec(ctx, "PRAGMA busy_timeout = 5000"); err == nil {
		err = back
	}
	if err != nil {
		g.log.WarnContext(ctx, "checkpoint failed", "error", err)
	}
	g.dirty.Store(err != nil || busy != 0)
	g.arm()
}

func (g *group) close() error {
	g.batcher.close()
	var err error
	for _, s := range g.stmts {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, g.conn.Close())
}

// prepared keeps each statement for the life of the connection. There are as many as the source has queries.
func (g *group) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := g.stmts[query]; s != nil {
		return s, nil
	}
	s, err := g.conn.PrepareContext(ctx, numbered(query))
	if err != nil {
		return nil, err
	}
	g.stmts[query] = s
	return s, nil
}

func (g *group) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := g.prepared(ctx, query) //nolint:sqlclosecheck // it lives as long as the connection
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (g *group) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := g.prepared(ctx, query) //nolint:sqlclosecheck // it lives as long as the connection
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (g *group) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := g.prepared(ctx, query) //nolint:sqlclosecheck // it lives as long as the connection
	if err != nil {
		return g.conn.QueryRowContext(ctx, numbered(query), args...) // fails for the same reason, in the form of a row
	}
	return s.QueryRowContext(ctx, args...)
}

// numbered writes the parameters as SQLite numbers them.
func numbered(query string) string { return strings.ReplaceAll(query, "$", "?") }
