package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Commit writes a change, or nothing. Without audit events the receipt is zero.
//
// Where the context ends before the change's turn, nothing is written. On SQLite that is certain. On Postgres an error that
// is neither of the port's may be of a commit whose answer was lost: to read and decide again is right in either case,
// because the versions tell.
func (s *Store) Commit(ctx context.Context, c commands.Change) (audit.Receipt, error) {
	items := make([]row, 0, len(c.Queue))
	for _, i := range c.Queue {
		r, err := s.item(i)
		if err != nil {
			return audit.Receipt{}, err
		}
		items = append(items, r)
	}
	if c.Done && c.Lease == nil {
		return audit.Receipt{}, errors.New("commit change: nothing to be done with: no lease")
	}

	x, err := write(ctx, s, func(ctx context.Context, q session) (audit.Extension, error) {
		return s.commit(ctx, q, c, items)
	})
	if err != nil {
		return audit.Receipt{}, fmt.Errorf("commit change: %w", err)
	}
	if len(c.Queue) > 0 || c.Lease != nil {
		s.signal()
	}
	if len(x.Leaves) == 0 {
		return audit.Receipt{}, nil
	}
	if s.cfg.Copy != nil {
		s.cfg.Copy(x.Leaves)
	}
	return audit.Sealed(x.Leaves[len(x.Leaves)-1], x.Head), nil
}

// commit is the transaction. The log's lock is taken first, though its records are written late: changes that all take it
// first cannot wait for each other in a circle.
func (s *Store) commit(ctx context.Context, q session, c commands.Change, items []row) (x audit.Extension, err error) {
	var tree treeState
	if len(c.Audit) > 0 {
		if tree, err = s.lockTree(ctx, q); err != nil {
			return x, err
		}
	}
	if c.Lease != nil {
		if err = s.holds(ctx, q, *c.Lease); err != nil {
			return x, err
		}
	}
	if c.Done {
		if err = s.finish(ctx, q, *c.Lease); err != nil {
			return x, err
		}
	}
	if err = s.swapAll(ctx, q, c); err != nil {
		return x, err
	}
	if len(c.Audit) > 0 {
		if x, err = s.extend(ctx, q, tree, c.Audit); err != nil {
			return x, err
		}
	}
	for _, i := range items {
		if err = upsert(ctx, q, i); err != nil {
			return x, err
		}
	}
	return x, nil
}

func (s *Store) swapAll(ctx context.Context, q session, c commands.Change) error {
	if c.Request != nil {
		if err := s.swapRequest(ctx, q, *c.Request); err != nil {
			return err
		}
	}
	if b := c.Block; b != nil {
		if err := swap(ctx, q, place{"block", []column{{"source", b.Source}, {"account", b.Account}}, nil}, b.Version, b); err != nil {
			return err
		}
	}
	if w := c.Switch; w != nil {
		if err := swap(ctx, q, place{"pause_switch", []column{{"id", 1}}, nil}, w.Version, w); err != nil {
			return err
		}
	}
	if o := c.Owner; o != nil {
		at := place{"owner", []column{{"source", o.Source}, {"account", o.Account}}, []column{{"waiting", flag(waits(*o))}}}
		if err := swap(ctx, q, at, o.Version, o); err != nil {
			return err
		}
	}
	if m := c.Mute; m != nil {
		at := place{
			"mute",
			[]column{{"source", m.Source}, {"account", m.Account}, {"control", m.Control}},
			[]column{{"until", micros(m.Until)}},
		}
		if err := swap(ctx, q, at, m.Version, m); err != nil {
			return err
		}
		return s.follow(ctx, q, m.Source, m.Account, quiet(*m, s.now()))
	}
	return nil
}

// waits tells whether somebody has yet to do something about the owner: to be told, to answer, to confirm a claim.
func waits(o commands.Owner) bool {
	switch o.Stage {
	case commands.OwnerHeld, commands.OwnerTold, commands.OwnerAnswered:
		return true
	case commands.OwnerUntold, commands.OwnerFinished, commands.OwnerGaveUp:
	}
	return o.Claim != ""
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// column is a column with a value for it.
type column struct {
	name  string
	value any
}

// place is where one versioned record is kept.
type place struct {
	table string
	key   []column
	also  []column
}

// swap writes a record whose version is one above the stored one, or inserts version 1. ErrConflict means that it is not.
func swap(ctx context.Context, q session, at place, version int, record any) error {
	body, err := encode(record)
	if err != nil {
		return err
	}
	set := append([]column{{"version", version}, {"body", body}}, at.also...)
	query, args := at.insert(set)
	if version != 1 {
		query, args = at.update(set, version-1)
	}
	n, err := q.exec(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("write %s: %w", at.table, err)
	}
	if n == 0 {
		return fmt.Errorf("write version %d of %s: %w", version, at.table, commands.ErrConflict)
	}
	return nil
}

// insert does nothing where any unique index has the row already.
func (p place) insert(set []column) (string, []any) {
	var names string
	args := make([]any, 0, len(p.key)+len(set))
	for _, c := range append(append([]column{}, p.key...), set...) {
		if names != "" {
			names += ", "
		}
		names += c.name
		args = append(args, c.value)
	}
	return "INSERT INTO " + p.table + " (" + names + ") VALUES (" + places(1, len(args)) + ") ON CONFLICT DO NOTHING", args
}

func (p place) update(set []column, before int) (string, []any) {
	var assign, where string
	args := make([]any, 0, len(p.key)+len(set)+1)
	for _, c := range set {
		args = append(args, c.value)
		if assign != "" {
			assign += ", "
		}
		assign += c.name + " = " + places(len(args), 1)
	}
	for _, c := range append(append([]column{}, p.key...), column{"version", before}) {
		args = append(args, c.value)
		if where != "" {
			where += " AND "
		}
		where += c.name + " = " + places(len(args), 1)
	}
	return "UPDATE " + p.table + " SET " + assign + " WHERE " + where, args
}

// swapRequest writes a request; its whole key id goes into the column made for it, and its handle everywhere else.
func (s *Store) swapRequest(ctx context.Context, q session, r remediation.Request) error {
	if err := s.saveKeys(ctx, q, r.Account, r.Key); err != nil {
		return err
	}
	if r.Version == 1 && !r.State.Ended() {
		if err := s.alone(ctx, q, r); err != nil {
			return err
		}
	}
	return swap(ctx, q, place{
		"request",
		[]column{{"id", string(r.ID)}},
		[]column{
			{"state", string(r.State)},
			{"ended", flag(r.State.Ended())},
			{"source", r.Source},
			{"account", string(r.Account)},
			{"key_name", keyName(r.Key)},
			{"opened_at", micros(r.OpenedAt)},
		},
	}, r.Version, r)
}

// alone refuses a second open request on a key. The unique index does so too for one name of it; but one reading names a key
// by its date and another by its id, and two entries may list one account. Whoever opens a request appends to the log, which
// one transaction does at a time.
func (s *Store) alone(ctx context.Context, q session, r remediation.Request) error {
	open, err := collect(ctx, q, scanBody[remediation.Request], `SELECT body FROM request WHERE account = $1 AND ended = 0 AND id <> $2`,
		string(r.Account), string(r.ID))
	if err != nil {
		return fmt.Errorf("read the open requests of %s: %w", r.Account, err)
	}
	for _, o := range open {
		if o.Key.MayBe(r.Key) {
			return fmt.Errorf("open a second request on a key: %w", commands.ErrConflict)
		}
	}
	return nil
}

// keyName names a key without its id: by the fingerprint, or by the time of creation where no id is known.
func keyName(k posture.Key) string {
	if k.ID != "" {
		return k.ID.Fingerprint()
	}
	return "created/" + k.Created.UTC().Format(time.RFC3339)
}
