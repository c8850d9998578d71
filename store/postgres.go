package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// This file is the store on Postgres, for replicas. The rules are:
//   - Correctness rests on compare-and-swap, unique rows and fences, which hold in the isolation level READ COMMITTED. The
//     only advisory lock is the one that migrations are made under.
//   - A transaction that Postgres undid to settle a conflict is run again, a bounded number of times. One whose commit was
//     not answered is not: its outcome is not known, and the caller reads and decides again.

const (
	connections    = 12
	connectTimeout = 10 * time.Second
	// Conflicts come from replicas that touch the same few rows: after so many runs something else is wrong.
	tries = 10
)

type pgBackend struct {
	name     string // without the password
	db       *sql.DB
	puts     *batcher
	readOnly bool
}

func openPostgres(ctx context.Context, c Config, readOnly bool) (_ backend, err error) {
	settings, err := pgx.ParseConfig(c.URL)
	if err != nil {
		// The cause could quote the address, password included.
		return nil, errors.New("database: the postgres:// address cannot be read; write postgres://user:password@host:5432/name")
	}
	if !strings.Contains(c.URL, "connect_timeout") {
		settings.ConnectTimeout = connectTimeout
	}
	if settings.RuntimeParams["application_name"] == "" {
		settings.RuntimeParams["application_name"] = "rootcheck"
	}
	if readOnly {
		settings.RuntimeParams["default_transaction_read_only"] = "on"
	}

	b := &pgBackend{
		name: settings.Database + " on " + net.JoinHostPort(settings.Host, strconv.Itoa(int(settings.Port))),
		db:   stdlib.OpenDB(*settings), readOnly: readOnly,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	b.db.SetMaxOpenConns(connections)
	b.db.SetMaxIdleConns(connections)
	if err := b.db.PingContext(ctx); err != nil {
		return nil, b.failure(err)
	}
	if readOnly {
		return b, b.failure(checkSchema(ctx, b.db, goose.DialectPostgres, b.name))
	}
	if err := migrate(ctx, b.db, goose.DialectPostgres, migrations, b.name, nil); err != nil {
		return nil, err
	}
	b.puts = newBatcher(context.WithoutCancel(ctx), &batcher{commit: b.putAll})
	return b, nil
}

// failure says what Postgres's answer means for whoever starts the bot.
func (b *pgBackend) failure(err error) error {
	if err == nil || strings.HasPrefix(err.Error(), "database: ") {
		return err
	}
	switch code(err) {
	case "28P01", "28000":
		return fmt.Errorf("database: Postgres refuses the user for %s; correct the user or the password in the address", b.name)
	case "3D000":
		return fmt.Errorf("database: Postgres has no %s; create it, or name another in the address", b.name)
	case "53300":
		return fmt.Errorf("database: Postgres has no connection left for %s; allow more, or stop other clients", b.name)
	}
	// The driver repeats itself for each address that it tried, and names the user; the last cause is the one to mend.
	cause := oneLine(err.Error())
	if dial, ok := errors.AsType[*net.OpError](err); ok {
		cause = dial.Error()
	} else if name, ok := errors.AsType[*net.DNSError](err); ok {
		cause = name.Error()
	}
	return fmt.Errorf("database: Postgres cannot be reached for %s (%s); correct the address, or start the server", b.name, cause)
}

// code is the SQLSTATE of a server's answer, or empty. https://www.postgresql.org/docs/current/errcodes-appendix.html
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

func (b *pgBackend) sql() dialect {
	return dialect{
		clock: "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
		fence: "SELECT nextval('item_fence')",
		skip:  " FOR UPDATE SKIP LOCKED",
		lock:  " FOR UPDATE",
	}
}

// scrub has nothing to do: Postgres overwrites deleted rows when it vacuums, and its write-ahead log is its operator's.
func (b *pgBackend) scrub() {}

func (b *pgBackend) reads() session { return plain{b.db, asWritten} }

func asWritten(query string) string { return query }

func (b *pgBackend) snapshot(ctx context.Context, f func(session) error) error {
	return snapshot(ctx, b.db, asWritten, f)
}

// write runs f in a transaction, and again when Postgres asks for it: 40001 serialization failure, 40P01 deadlock. Both
// say that nothing of it was written.
func (b *pgBackend) write(ctx context.Context, f func(context.Context, session) error) error {
	if b.readOnly {
		return ErrReadOnly
	}
	for attempt := 1; ; attempt++ {
		err := b.once(ctx, f)
		if c := code(err); c != "40001" && c != "40P01" || attempt == tries {
			return err
		}
		// Those who collided must not collide again in step.
		pause := time.NewTimer(time.Duration(1+rand.IntN(5*attempt)) * time.Millisecond) //nolint:gosec // no secret depends on it
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (b *pgBackend) once(ctx context.Context, f func(context.Context, session) error) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(ctx, plain{tx, asWritten}); err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (b *pgBackend) ping(ctx context.Context) error {
	var one int
	if err := b.db.QueryRowContext(ctx, "SELECT 1 FROM audit_tree").Scan(&one); err != nil {
		return fmt.Errorf("ping %s: %w", b.name, err)
	}
	return nil
}

func (b *pgBackend) space() (free, total uint64, ok bool, err error) { return 0, 0, false, nil }

func (b *pgBackend) backup(context.Context, string) error {
	return ErrBackupElsewhere
}

func (b *pgBackend) integrity(context.Context) (string, error) { return "", nil }

func (b *pgBackend) close() error {
	if b.puts != nil {
		b.puts.close()
	}
	return b.db.Close()
}
