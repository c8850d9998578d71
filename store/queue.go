package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// row is an item that is ready to be stored.
type row struct {
	key, kind string
	body      []byte
	due       int64
}

// item checks i: what one database would refuse must not fail the puts that share its commit.
func (s *Store) item(i commands.Item) (row, error) {
	if i.Key == "" || i.Kind == "" {
		return row{}, fmt.Errorf("put item %q of kind %q: neither may be empty", i.Key, i.Kind)
	}
	for _, text := range []string{i.Key, i.Kind} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return row{}, errors.New("put item: its key or kind is not text")
		}
	}
	due := i.Due
	if due.IsZero() {
		due = s.now()
	}
	body := i.Body
	if body == nil {
		body = []byte{}
	}
	return row{key: i.Key, kind: i.Kind, body: body, due: micros(due)}, nil
}

// The two ends of a put, around the values. An item that was parked comes back as new.
const (
	putNew   = `INSERT INTO item (key, kind, body, due) `
	putAgain = ` ON CONFLICT (key) DO UPDATE SET
		kind = excluded.kind, body = excluded.body, revision = item.revision + 1,
		due = CASE WHEN item.parked_at = 0 AND item.due < excluded.due THEN item.due ELSE excluded.due END,
		attempts = CASE WHEN item.parked_at = 0 THEN item.attempts ELSE 0 END,
		parked_at = 0, parked_why = ''`
)

// upsert puts one item.
func upsert(ctx context.Context, q session, r row) error {
	_, err := q.exec(ctx, putNew+`VALUES ($1, $2, $3, $4)`+putAgain, r.key, r.kind, r.body, r.due)
	if err != nil {
		return fmt.Errorf("put item %s: %w", r.key, err)
	}
	return nil
}

// Put keeps an item and returns after its commit. When the context ends before the item's turn it is not written. On
// Postgres a put that has begun may still be committed after the context has ended or the connection broke; putting it
// again is harmless.
func (s *Store) Put(ctx context.Context, i commands.Item) error {
	r, err := s.item(i)
	if err != nil {
		return err
	}
	if err := s.db.put(ctx, r); err != nil {
		return err
	}
	s.signal()
	return nil
}

// Wake receives after items were put by this process.
func (s *Store) Wake() <-chan struct{} { return s.wake }

// Claim takes the item of these kinds that has been due longest and that nobody holds. Of items due at the same time the
// one that was put first comes first.
func (s *Store) Claim(ctx context.Context, kinds ...string) (commands.Lease, error) {
	if len(kinds) == 0 {
		return commands.Lease{}, commands.ErrNothingDue
	}
	// Asking first costs no write where there is nothing to do, which is most of the time.
	args := []any{micros(s.now())}
	for _, k := range kinds {
		args = append(args, k)
	}
	find := `SELECT id FROM item WHERE parked_at = 0 AND due <= $1 AND leased_until <= ` + s.db.sql().clock +
		` AND kind IN (` + places(2, len(kinds)) + `) ORDER BY due, id LIMIT 1`
	var id int64
	switch err := s.db.reads().queryRow(ctx, find, args...).Scan(&id); {
	case errors.Is(err, sql.ErrNoRows):
		return commands.Lease{}, commands.ErrNothingDue
	case err != nil:
		return commands.Lease{}, fmt.Errorf("claim item: %w", err)
	}

	l, err := write(ctx, s, func(ctx context.Context, q session) (commands.Lease, error) {
		return s.claim(ctx, q, find+s.db.sql().skip, args)
	})
	if err != nil {
		return commands.Lease{}, fmt.Errorf("claim item: %w", err)
	}
	return l, nil
}

func (s *Store) claim(ctx context.Context, q session, find string, args []any) (commands.Lease, error) {
	var l commands.Lease
	var id int64
	switch err := q.queryRow(ctx, find, args...).Scan(&id); {
	case errors.Is(err, sql.ErrNoRows):
		return l, commands.ErrNothingDue
	case err != nil:
		return l, err
	}
	fence, err := s.nextFence(ctx, q)
	if err != nil {
		return l, err
	}
	var due int64
	err = q.queryRow(ctx, `UPDATE item SET fence = $1, attempts = attempts + 1, claimed = revision,
			leased_until = `+s.db.sql().clock+` + $2
		WHERE id = $3 RETURNING key, kind, body, due, fence, attempts`, fence, s.cfg.Lease.Microseconds(), id).
		Scan(&l.Key, &l.Kind, &l.Body, &due, &l.Fence, &l.Attempts)
	l.Due = fromMicros(due)
	return l, err
}

func (s *Store) nextFence(ctx context.Context, q session) (fence int64, err error) {
	if err := q.queryRow(ctx, s.db.sql().fence).Scan(&fence); err != nil {
		return 0, fmt.Errorf("draw fence: %w", err)
	}
	return fence, nil
}

// held holds for a lease that is still ours: the same fence, not run out, not parked.
func (s *Store) held() string {
	return `key = $1 AND fence = $2 AND parked_at = 0 AND leased_until > ` + s.db.sql().clock
}

// holds checks the lease and keeps others off the item until the transaction ends.
func (s *Store) holds(ctx context.Context, q session, l commands.Lease) error {
	var id int64
	err := q.queryRow(ctx, `SELECT id FROM item WHERE `+s.held()+s.db.sql().lock, l.Key, l.Fence).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return commands.ErrLeaseLost
	}
	return err
}

// finish removes the item, or hands it on where it was put again meanwhile.
func (s *Store) finish(ctx context.Context, q session, l commands.Lease) error {
	s.db.scrub()
	n, err := q.exec(ctx, `DELETE FROM item WHERE revision = claimed AND `+s.held(), l.Key, l.Fence)
	if err != nil || n == 1 {
		return err
	}
	n, err = q.exec(ctx, `UPDATE item SET leased_until = 0, attempts = 0 WHERE `+s.held(), l.Key, l.Fence)
	if err == nil && n == 0 {
		err = commands.ErrLeaseLost
	}
	return err
}

// Finish removes the item of a lease. An item that was put again while it was held stays, with its newer body.
func (s *Store) Finish(ctx context.Context, l commands.Lease) error {
	return s.onLease(ctx, "finish", l, func(ctx context.Context, q session) error { return s.finish(ctx, q, l) })
}

// Retry hands an item back, to be claimed again at a time. One that was put again meanwhile keeps the time of that put.
func (s *Store) Retry(ctx context.Context, l commands.Lease, at time.Time) error {
	if at.IsZero() {
		at = s.now()
	}
	return s.onLease(ctx, "retry", l, func(ctx context.Context, q session) error {
		return s.one(ctx, q, `UPDATE item SET leased_until = 0,
			attempts = CASE WHEN revision = claimed THEN attempts ELSE 0 END,
			due = CASE WHEN revision = claimed THEN $3 ELSE due END WHERE `+s.held(), l.Key, l.Fence, micros(at))
	})
}

// Defer hands an item back like Retry, and this claim does not count as an attempt.
func (s *Store) Defer(ctx context.Context, l commands.Lease, at time.Time) error {
	if at.IsZero() {
		at = s.now()
	}
	return s.onLease(ctx, "defer", l, func(ctx context.Context, q session) error {
		return s.one(ctx, q, `UPDATE item SET leased_until = 0,
			attempts = CASE WHEN revision = claimed THEN attempts - 1 ELSE 0 END,
			due = CASE WHEN revision = claimed THEN $3 ELSE due END WHERE `+s.held(), l.Key, l.Fence, micros(at))
	})
}

// Extend gives a lease its whole time again, for work that takes longer.
func (s *Store) Extend(ctx context.Context, l commands.Lease) error {
	return s.onLease(ctx, "extend", l, func(ctx context.Context, q session) error {
		return s.one(ctx, q, `UPDATE item SET leased_until = `+s.db.sql().clock+` + $3 WHERE `+s.held(),
			l.Key, l.Fence, s.cfg.Lease.Microseconds())
	})
}

// Park takes an item out of the way and keeps it with the reason. One that was put again meanwhile is not parked: its
// newer body deserves its own attempts.
func (s *Store) Park(ctx context.Context, l commands.Lease, why string) error {
	why = strings.ReplaceAll(strings.ToValidUTF8(why, "\uFFFD"), "\x00", "")
	return s.onLease(ctx, "park", l, func(ctx context.Context, q session) error {
		return s.one(ctx, q, `UPDATE item SET leased_until = 0,
			attempts = CASE WHEN revision = claimed THEN attempts ELSE 0 END,
			parked_at = CASE WHEN revision = claimed THEN $3 ELSE parked_at END,
			parked_why = CASE WHEN revision = claimed THEN $4 ELSE parked_why END WHERE `+s.held(), l.Key, l.Fence, micros(s.now()), why)
	})
}

func (s *Store) onLease(ctx context.Context, what string, l commands.Lease, f func(context.Context, session) error) error {
	if err := s.db.write(ctx, f); err != nil {
		return fmt.Errorf("%s item %s: %w", what, l.Key, err)
	}
	s.signal()
	return nil
}

// one changes the one row of a lease.
func (s *Store) one(ctx context.Context, q session, query string, args ...any) error {
	n, err := q.exec(ctx, query, args...)
	if err == nil && n == 0 {
		err = commands.ErrLeaseLost
	}
	return err
}

// Due counts the unfinished items that are due at a time or held by somebody, by kind. Parked ones do not count.
func (s *Store) Due(ctx context.Context, at time.Time) (map[string]int, error) {
	list, err := collect(ctx, s.db.reads(), scanCount, `SELECT kind, count(*) FROM item
		WHERE parked_at = 0 AND (due <= $1 OR leased_until > `+s.db.sql().clock+`) GROUP BY kind`, micros(at))
	if err != nil {
		return nil, fmt.Errorf("count items: %w", err)
	}
	return byKind(list), nil
}

// Failing counts the items that have failed commands.MaxAttempts times and are tried again all the same, by kind.
func (s *Store) Failing(ctx context.Context) (map[string]int, error) {
	list, err := collect(ctx, s.db.reads(), scanCount, `SELECT kind, count(*) FROM item
		WHERE parked_at = 0 AND attempts >= $1 GROUP BY kind`, commands.MaxAttempts)
	if err != nil {
		return nil, fmt.Errorf("count failing items: %w", err)
	}
	return byKind(list), nil
}

// count is how many items of a kind there are.
type count struct {
	kind string
	n    int
}

func byKind(list []count) map[string]int {
	counts := make(map[string]int, len(list))
	for _, c := range list {
		counts[c.kind] = c.n
	}
	return counts
}

func scanCount(scan scanner) (c count, err error) {
	err = scan(&c.kind, &c.n)
	return c, err
}

// Parked is an item that was taken out of the way. Its body stays in the database.
type Parked struct {
	Key, Kind string
	Attempts  int
	At        time.Time
	Why       string
}

// Parked lists the parked items, oldest first. Putting an item's key again brings it back.
func (s *Store) Parked(ctx context.Context) ([]Parked, error) {
	list, err := collect(ctx, s.db.reads(), scanParked, `SELECT key, kind, attempts, parked_at, parked_why FROM item
		WHERE parked_at <> 0 ORDER BY parked_at, id`)
	if err != nil {
		return nil, fmt.Errorf("list parked items: %w", err)
	}
	return list, nil
}

// Unpark brings every parked item back, due now and with all its attempts before it, and returns how many there were.
func (s *Store) Unpark(ctx context.Context) (int, error) {
	n, err := write(ctx, s, func(ctx context.Context, q session) (int64, error) {
		return q.exec(ctx, `UPDATE item SET parked_at = 0, parked_why = '', attempts = 0, due = $1 WHERE parked_at <> 0`, micros(s.now()))
	})
	if err != nil {
		return 0, fmt.Errorf("bring parked items back: %w", err)
	}
	s.signal()
	return int(n), nil
}

func scanParked(scan scanner) (p Parked, err error) {
	var at int64
	err = scan(&p.Key, &p.Kind, &p.Attempts, &at, &p.Why)
	p.At = fromMicros(at)
	return p, err
}
