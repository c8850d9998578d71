package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// session runs statements, in a transaction or outside one. Parameters are written $1, $2, ….
type session interface {
	exec(ctx context.Context, query string, args ...any) (rows int64, err error)
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	queryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// dialect is where the SQL of the two databases differs.
type dialect struct {
	clock string // the database's time now, in microseconds
	fence string // a statement that draws the next fence
	skip  string // at the end of a select: hold the rows, and pass over those that others hold
	lock  string // at the end of a select: hold the rows until the transaction ends
}

// runner is a database or a transaction of package database/sql.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// plain runs statements on a runner, with the parameters written as its driver wants them.
type plain struct {
	on      runner
	numbers func(query string) string
}

func (s plain) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := s.on.ExecContext(ctx, s.numbers(query), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (s plain) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.on.QueryContext(ctx, s.numbers(query), args...)
}

func (s plain) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return s.on.QueryRowContext(ctx, s.numbers(query), args...)
}

// scanner reads the columns of one row.
type scanner func(columns ...any) error

// collect returns what one makes of each row of a query.
func collect[T any](ctx context.Context, q session, one func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, failed := one(rows.Scan)
		if failed != nil {
			return nil, failed
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// snapshot runs f in a transaction that sees one moment and is rolled back.
func snapshot(ctx context.Context, db *sql.DB, numbers func(string) string, f func(session) error) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	return errors.Join(f(plain{tx, numbers}), rollback(tx))
}

// rollback ignores a transaction that is over, as after a lost connection: the database has rolled it back.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// notFound turns the absence of a row into the port's error.
func notFound(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, commands.ErrNotFound)
	}
	return fmt.Errorf("read %s: %w", what, err)
}

// filter collects conditions on columns; a zero value is no condition.
type filter struct {
	where []string
	args  []any
}

func (f *filter) equal(column, value string) {
	if value == "" {
		return
	}
	f.args = append(f.args, value)
	f.where = append(f.where, column+" = "+places(len(f.args), 1))
}

// clause is the where clause, the order and the limit; a limit of zero is none.
func (f *filter) clause(order string, limit int) string {
	var b strings.Builder
	for i, w := range f.where {
		b.WriteString([]string{" WHERE ", " AND "}[min(i, 1)] + w)
	}
	b.WriteString(" ORDER BY " + order)
	if limit > 0 {
		f.args = append(f.args, limit)
		b.WriteString(" LIMIT " + places(len(f.args), 1))
	}
	return b.String()
}

// places is "$from, $from+1, …" for n parameters.
func places(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(from+i))
	}
	return b.String()
}

// encode is v as a body. What the bot keeps always marshals; the error is for a value that cannot be.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return string(b), nil
}

func decode(body string, v any) error {
	if err := json.Unmarshal([]byte(body), v); err != nil {
		return fmt.Errorf("decode stored %T: %w", v, err)
	}
	return nil
}
