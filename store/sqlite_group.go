package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// This file shares commits. With one writer and an fsync per commit, ten thousand clicks at once would wait in a row of
// fsyncs for longer than Slack waits for an acknowledgement. The rules are:
//   - One goroutine owns the one writing connection. It takes what waits, runs it in one transaction, commits, and only
//     then answers everybody.
//   - Each job has a savepoint: one that fails, as a lost compare-and-swap does, is undone alone.
//   - A job whose caller gave up before its turn never runs; once it has begun the caller waits for its outcome, so that
//     nobody is told "not written" of what was.

// batch bounds a transaction, so that the first in it does not wait for ever.
const batch = 512

// tidyAfter is how long after deleting something its traces may stay in the write-ahead log.
const tidyAfter = 2 * time.Second

type job struct {
	ctx   context.Context //nolint:containedctx // the caller's, to see whether it still wants the job when its turn comes
	run   func(context.Context, session) error
	plain bool // it fails only when everything does, and needs no savepoint
	taken atomic.Bool
	err   error
	done  chan struct{}
}

type group struct {
	conn *sql.Conn
	log  *slog.Logger
	jobs chan *job
	quit chan struct{}
	gone chan struct{}
	once sync.Once

	stmts map[string]*sql.Stmt
	dirty *atomic.Bool // something was deleted whose bytes are still in the write-ahead log
}

var errClosed = errors.New("the database is closed")

func startGroup(ctx context.Context, conn *sql.Conn, log *slog.Logger) *group {
	g := &group{
		conn: conn, log: log, jobs: make(chan *job, batch), quit: make(chan struct{}), gone: make(chan struct{}),
		stmts: map[string]*sql.Stmt{}, dirty: new(atomic.Bool),
	}
	go g.loop(ctx)
	return g
}

// do hands a job in and waits for its commit.
func (g *group) do(ctx context.Context, plain bool, run func(context.Context, session) error) error {
	j := &job{ctx: ctx, run: run, plain: plain, done: make(chan struct{})}
	select {
	case g.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-g.quit:
		return errClosed
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-j.done
	case <-g.gone:
		// The loop has ended: the job was answered just before, or never will be.
		select {
		case <-j.done:
		default:
			return errClosed
		}
	}
	return j.err
}

func (g *group) loop(ctx context.Context) {
	defer close(g.gone)
	var tidy *time.Timer
	var due <-chan time.Time
	for {
		select {
		case j := <-g.jobs:
			g.commit(ctx, g.gather(j))
			if g.dirty.Load() && due == nil {
				tidy = time.NewTimer(tidyAfter)
				due = tidy.C
			}
		case <-due:
			due = nil
			g.tidy(ctx)
		case <-g.quit:
			if tidy != nil {
				tidy.Stop()
			}
			for {
				select {
				case j := <-g.jobs:
					g.commit(ctx, g.gather(j))
				default:
					return
				}
			}
		}
	}
}

func (g *group) gather(first *job) []*job {
	jobs := []*job{first}
	for len(jobs) < batch {
		select {
		case j := <-g.jobs:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// commit runs the jobs in one transaction and answers them.
func (g *group) commit(ctx context.Context, jobs []*job) {
	err := g.attempt(ctx, jobs)
	for _, j := range jobs {
		if err != nil {
			j.err = err
		}
		close(j.done)
	}
}

func (g *group) attempt(ctx context.Context, jobs []*job) error {
	if _, err := g.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	wrote := false
	for _, j := range jobs {
		if !j.taken.CompareAndSwap(false, true) {
			continue
		}
		if err := j.ctx.Err(); err != nil {
			j.err = err
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
	return nil
}

// one runs a job under a savepoint. Its own failure is its own; the error is for a transaction that is lost as a whole.
func (g *group) one(ctx context.Context, j *job) error {
	if j.plain {
		return j.run(ctx, g)
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

// tidy moves the write-ahead log into the file and empties it: secure_delete overwrites what was deleted in the file, and
// the log would keep it. Where a reader is in the way, the next one does it.
func (g *group) tidy(ctx context.Context) {
	var busy, pages, moved int
	err := g.queryRow(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err != nil {
		g.log.WarnContext(ctx, "checkpoint failed", "error", err)
		return
	}
	g.dirty.Store(busy != 0)
}

func (g *group) close(ctx context.Context) error {
	var err error
	g.once.Do(func() {
		close(g.quit)
		<-g.gone
		g.tidy(ctx)
		for _, s := range g.stmts {
			err = errors.Join(err, s.Close())
		}
		err = errors.Join(err, g.conn.Close())
	})
	return err
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
	s, err := g.prepared(ctx, query)
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
	s, err := g.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (g *group) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := g.prepared(ctx, query)
	if err != nil {
		return g.conn.QueryRowContext(ctx, numbered(query), args...) // fails for the same reason, in the form of a row
	}
	return s.QueryRowContext(ctx, args...)
}

// numbered writes the parameters as SQLite numbers them.
func numbered(query string) string { return strings.ReplaceAll(query, "$", "?") }
