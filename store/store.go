// Package store keeps everything that the bot must not lose in one SQL database, and lets nothing be half written.
//
// The rules are:
//   - A change is one transaction: the lease's fence, the compare-and-swaps, the audit records with their tree and the
//     queued items are written together or not at all. No transaction is held across a network call to anybody else.
//   - What was acknowledged is on the disk: SQLite runs with synchronous=FULL, and a put returns after its commit.
//   - A whole access key id is in exactly one column, root_key.key_id. Everywhere else it is a handle. An inbox item is
//     kept as it came while it waits, and is overwritten when it is done.
//   - Leases run by the database's clock, so that replicas agree; due times and everything people read by the given one.
//   - SQLite, the default, has one writer per file; for replicas there is Postgres. One suite of tests holds for both.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
)

// Config is what a store needs to open.
type Config struct {
	// URL is a file name such as "rootcheck.db", or an address of the form postgres://….
	URL string
	// Now is the clock of due times and of everything that people read.
	Now func() time.Time
	// Replica and Build stand in each audit record that this process writes.
	Replica string
	Build   string
	// Lease is how long a claimed item is held, by the database's clock; two minutes when zero.
	Lease time.Duration
	// Copy is given the audit records of each change after its commit, for a second place to keep them. The log in the
	// database is the one that counts; copies of changes that were committed at the same time may come in any order.
	Copy func([]audit.Leaf)
	Log  *slog.Logger
}

// ErrReadOnly means that the store was opened to be read.
var ErrReadOnly = errors.New("the database was opened to be read only")

// defaultLease is longer than the slowest step of a worker: an AWS call and the reads around it, with their time-outs.
const defaultLease = 2 * time.Minute

var (
	_ commands.Queue  = (*Store)(nil)
	_ commands.Ledger = (*Store)(nil)
	_ commands.Estate = (*Store)(nil)
	_ commands.Board  = (*Store)(nil)
)

// Store is the database. All its methods may be called at once from many goroutines, until Close.
type Store struct {
	cfg    Config
	db     backend
	wake   chan struct{}
	closed func() error
}

// backend is one of the two databases. Reads see what is committed.
type backend interface {
	// reads runs a query outside a transaction.
	reads() session
	// snapshot runs f with reads that all see one moment.
	snapshot(ctx context.Context, f func(session) error) error
	// write runs f in a transaction and returns after the commit. It runs f again when the database asks for it, so f has
	// no effect but on the session.
	write(ctx context.Context, f func(context.Context, session) error) error
	// put is write for items that are ready to be stored, and shares a commit with other puts.
	put(ctx context.Context, i row) error
	// scrub is told that what is being deleted must not stay behind in a log of the database, where that can be helped.
	scrub()
	sql() dialect
	space() (free, total uint64, ok bool, err error)
	backup(ctx context.Context, path string) error
	// integrity says what is damaged, and is empty where nothing is.
	integrity(ctx context.Context) (string, error)
	ping(ctx context.Context) error
	close() error
}

// Open opens the database for writing, creates what is not there yet and brings its schema up to date. Every error is one
// sentence that begins with the setting's name, "database", and ends with what to do. The context bounds the opening only.
func Open(ctx context.Context, c Config) (*Store, error) { return open(ctx, c, false) }

// OpenReadOnly opens a database that exists, beside the process that writes to it. Everything that writes returns
// [ErrReadOnly]. An older schema is refused too, because only the writer may change it.
func OpenReadOnly(ctx context.Context, c Config) (*Store, error) { return open(ctx, c, true) }

func open(ctx context.Context, c Config, readOnly bool) (*Store, error) {
	if c.Now == nil {
		return nil, errors.New("open store: no clock was given")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Lease <= 0 {
		c.Lease = defaultLease
	}

	s := &Store{cfg: c, wake: make(chan struct{}, 1)}
	var err error
	scheme, _, isURL := strings.Cut(c.URL, "://")
	switch {
	case c.URL == "":
		return nil, errors.New("database: the setting is empty; name a file such as rootcheck.db, or a postgres:// address")
	case isURL && (scheme == "postgres" || scheme == "postgresql"):
		s.db, err = openPostgres(ctx, c, readOnly)
	case isURL:
		return nil, fmt.Errorf("database: %s:// is not supported; name a file such as rootcheck.db, or a postgres:// address", scheme)
	default:
		s.db, err = openSQLite(ctx, c, readOnly)
	}
	if err != nil {
		return nil, err
	}
	s.closed = sync.OnceValue(s.db.close)
	return s, nil
}

// Close waits for the writes that have begun and closes the database. Calling it again returns the same.
func (s *Store) Close() error { return s.closed() }

// Ping asks the database a question.
func (s *Store) Ping(ctx context.Context) error { return s.db.ping(ctx) }

// TryWrite commits a write that changes nothing of value, so that a disk which fails is noticed while nobody clicks.
func (s *Store) TryWrite(ctx context.Context) error {
	err := s.db.write(ctx, func(ctx context.Context, q session) error {
		_, failed := s.nextFence(ctx, q)
		return failed
	})
	if err != nil {
		return fmt.Errorf("write to the database: %w", err)
	}
	return nil
}

// Space tells how many bytes are free where the database lies, and of how many. Where that cannot be told, as for Postgres,
// ok is false.
func (s *Store) Space() (free, total uint64, ok bool, err error) { return s.db.space() }

const (
	lowSpace = 10      // percent of a file system that must be free
	enough   = 5 << 30 // bytes that are enough, however large the file system is
)

// LowSpace says how much is free, such as "312 MB (4 %)", when that is less than a tenth of the file system and less than
// 5 GB, else nothing. When nothing is free the store refuses to write and still reads.
func (s *Store) LowSpace() (string, error) {
	free, total, ok, err := s.Space()
	if err != nil || !ok || total == 0 || free*100/total >= lowSpace || free >= enough {
		return "", err
	}
	return fmt.Sprintf("%d MB (%d %%)", free>>20, free*100/total), nil
}

// ErrBackupElsewhere means that the database is not backed up by the bot.
var ErrBackupElsewhere = errors.New("the bot does not back up Postgres: use pg_dump, or the backups of whoever runs it")

// Backup writes a whole copy of the database to a file that is not there yet, while it is in use, and checks it. The copy
// holds everything that the database does, whole access key ids included, and is readable by its owner only. For Postgres
// it returns [ErrBackupElsewhere].
func (s *Store) Backup(ctx context.Context, path string) error { return s.db.backup(ctx, path) }

// Integrity reads the whole database, which takes seconds to minutes, and says what is damaged; it says nothing where all is
// whole. Postgres checks its own pages when its operator has it do so, and is not read.
func (s *Store) Integrity(ctx context.Context) (damage string, err error) { return s.db.integrity(ctx) }

// write runs f in a transaction, with a value to return from it. The value is only given out when the commit succeeded.
func write[T any](ctx context.Context, s *Store, f func(context.Context, session) (T, error)) (T, error) {
	// The result goes through a channel: where the caller gives up before f has begun, f never runs, and where it gave up
	// later the value must not be written while the caller reads it.
	result := make(chan T, 1)
	err := s.db.write(ctx, func(ctx context.Context, q session) error {
		select {
		case <-result: // of an earlier run that was rolled back
		default:
		}
		v, err := f(ctx, q)
		result <- v
		return err
	})
	var zero T
	if err != nil {
		return zero, err
	}
	return <-result, nil
}

func (s *Store) now() time.Time { return s.cfg.Now().Round(0).UTC() }

func (s *Store) origin() audit.Origin {
	return audit.Origin{Replica: s.cfg.Replica, Build: s.cfg.Build}
}

// signal wakes the worker of this process.
func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// micros is a time as the database keeps it. The zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros.
func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
