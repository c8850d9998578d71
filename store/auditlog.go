package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
)

// treeState is where the log ends.
type treeState struct {
	size int64
	last time.Time
}

func scanTree(scan scanner) (t treeState, err error) {
	var last string
	if err = scan(&t.size, &last); err != nil {
		return t, fmt.Errorf("read the end of the audit log: %w", err)
	}
	if last == "" {
		return t, nil
	}
	if t.last, err = time.Parse(time.RFC3339Nano, last); err != nil {
		return t, fmt.Errorf("read the time of the newest audit record: %w", err)
	}
	return t, nil
}

const treeQuery = `SELECT size, last_at FROM audit_tree WHERE id = 1`

// lockTree keeps all others from appending until the transaction ends: two extensions of one tree are two histories.
func (s *Store) lockTree(ctx context.Context, q session) (treeState, error) {
	return scanTree(q.queryRow(ctx, treeQuery+s.db.sql().lock).Scan)
}

// extend appends events. Their time is never earlier than that of the record before, also when the clock was set back.
func (s *Store) extend(ctx context.Context, q session, tree treeState, events []audit.Event) (audit.Extension, error) {
	events = slices.Clone(events)
	for i := range events {
		if events[i].At.Before(tree.last) {
			events[i].At = tree.last
		}
		tree.last = events[i].At
	}
	x, err := audit.Extend(tree.size, hashReader(ctx, q), s.origin(), events...)
	if err != nil {
		return x, err
	}
	for i, l := range x.Leaves {
		_, err = q.exec(ctx, `INSERT INTO audit_record (seq, at, action, request, account, to_state, raw)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			l.Seq, micros(l.At), string(l.Action), l.Request, l.Account, l.To, x.Records[i])
		if err != nil {
			return x, fmt.Errorf("append audit record %d: %w", l.Seq, err)
		}
	}
	for i, h := range x.Hashes {
		if _, err = q.exec(ctx, `INSERT INTO audit_hash (position, hash) VALUES ($1, $2)`, x.First+int64(i), h[:]); err != nil {
			return x, fmt.Errorf("append to the audit tree: %w", err)
		}
	}
	_, err = q.exec(ctx, `UPDATE audit_tree SET size = $1, last_at = $2 WHERE id = 1`,
		x.Head.Size, tree.last.UTC().Format(time.RFC3339Nano))
	if err != nil {
		return x, fmt.Errorf("append to the audit tree: %w", err)
	}
	return x, nil
}

// asked bounds the parameters of one query.
const asked = 200

// node is a stored hash of the tree.
type node struct {
	position int64
	raw      []byte
}

func scanNode(scan scanner) (n node, err error) {
	err = scan(&n.position, &n.raw)
	return n, err
}

func hashReader(ctx context.Context, q session) audit.HashReader {
	return audit.HashReaderFunc(func(positions []int64) ([]audit.Hash, error) {
		found := make(map[int64]audit.Hash, len(positions))
		for part := range slices.Chunk(positions, asked) {
			args := make([]any, len(part))
			for i, p := range part {
				args[i] = p
			}
			list, err := collect(ctx, q, scanNode, `SELECT position, hash FROM audit_hash WHERE position IN (`+places(1, len(args))+`)`, args...)
			if err != nil {
				return nil, err
			}
			for _, n := range list {
				if h := (audit.Hash{}); len(n.raw) == len(h) {
					copy(h[:], n.raw)
					found[n.position] = h
				}
			}
		}
		hashes := make([]audit.Hash, len(positions))
		for i, p := range positions {
			h, ok := found[p]
			if !ok {
				return nil, fmt.Errorf("hash %d: %w", p, audit.ErrNoHash)
			}
			hashes[i] = h
		}
		return hashes, nil
	})
}

// Head is the audit log's head now, computed from the stored hashes.
func (s *Store) Head(ctx context.Context) (audit.Head, error) {
	t, err := scanTree(s.db.reads().queryRow(ctx, treeQuery).Scan)
	if err != nil {
		return audit.Head{}, err
	}
	return audit.HeadOf(t.size, hashReader(ctx, s.db.reads()))
}

// HeadAt is the head that the audit log had when it held so many records, of which it has as many now, computed from the
// stored hashes.
func (s *Store) HeadAt(ctx context.Context, size int64) (audit.Head, error) {
	return audit.HeadOf(size, hashReader(ctx, s.db.reads()))
}

// LastAudit is the time of the newest audit record, zero in an empty log.
func (s *Store) LastAudit(ctx context.Context) (time.Time, error) {
	t, err := scanTree(s.db.reads().queryRow(ctx, treeQuery).Scan)
	return t.last, err
}

// Audit lists records, newest first. A record that cannot be read is an error, and `bot audit verify` says more.
func (s *Store) Audit(ctx context.Context, q commands.AuditQuery) ([]audit.Leaf, error) {
	var f filter
	f.equal("account", q.Account)
	f.equal("request", q.Request)
	query := `SELECT raw FROM audit_record` + f.clause("seq DESC", q.Limit)
	leaves, err := collect(ctx, s.db.reads(), scanLeaf, query, f.args...)
	if err != nil {
		return nil, fmt.Errorf("list audit records: %w", err)
	}
	return leaves, nil
}

func scanLeaf(scan scanner) (audit.Leaf, error) {
	var raw []byte
	if err := scan(&raw); err != nil {
		return audit.Leaf{}, err
	}
	return audit.Decode(raw)
}

// Log is the audit log as it stood at one moment, for [audit.Verify] and for exports.
type Log struct {
	Records iter.Seq2[audit.Record, error] // as they lie in the table, by their numbers; an error ends it
	Hashes  audit.HashReader               // the stored hashes of the tree
	Head    audit.Head                     // computed from the stored hashes; zero where too few are left to compute it
	Heads   []string                       // the signed heads that were published, oldest first
	Keys    []string                       // the public keys that signed them by the log's own word, oldest first
}

// ReadLog calls f with the log as it stands now. What is appended meanwhile is not seen, so that a log that grows is not
// taken for one that was tampered with. The log is only valid until f returns; its error is returned.
func (s *Store) ReadLog(ctx context.Context, f func(Log) error) error {
	return s.db.snapshot(ctx, func(q session) error {
		l := Log{Records: records(ctx, q), Hashes: hashReader(ctx, q)}
		t, err := scanTree(q.queryRow(ctx, treeQuery).Scan)
		if err != nil {
			return err
		}
		if l.Head, err = audit.HeadOf(t.size, l.Hashes); errors.Is(err, audit.ErrNoHash) {
			l.Head, err = audit.Head{}, nil
		}
		if err != nil {
			return err
		}
		if l.Heads, err = heads(ctx, q); err != nil {
			return err
		}
		if l.Keys, err = signingKeys(ctx, q); err != nil {
			return err
		}
		return f(l)
	})
}

func scanRecord(scan scanner) (r audit.Record, err error) {
	err = scan(&r.Seq, &r.Raw)
	return r, err
}

func records(ctx context.Context, q session) iter.Seq2[audit.Record, error] {
	const page = 500
	return func(yield func(audit.Record, error) bool) {
		for after := int64(-1 << 62); ; {
			records, err := collect(ctx, q, scanRecord, `SELECT seq, raw FROM audit_record WHERE seq > $1 ORDER BY seq LIMIT $2`, after, page)
			if err != nil {
				yield(audit.Record{}, fmt.Errorf("read audit records: %w", err))
				return
			}
			for _, r := range records {
				after = r.Seq
				if !yield(r, nil) {
					return
				}
			}
			if len(records) < page {
				return
			}
		}
	}
}

// SaveHead remembers a signed head that is being published. Saving the same head again does nothing.
func (s *Store) SaveHead(ctx context.Context, h audit.SignedHead) error {
	text := h.String()
	if h.At.IsZero() {
		return errors.New("save head: it was not signed")
	}
	err := s.db.write(ctx, func(ctx context.Context, q session) error {
		_, err := q.exec(ctx, `INSERT INTO audit_head (size, at, text) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, h.Size, micros(h.At), text)
		return err
	})
	if err != nil {
		return fmt.Errorf("save head: %w", err)
	}
	return nil
}

// Heads lists the signed heads that were published, oldest first, each in one line as [audit.OpenHead] reads it.
func (s *Store) Heads(ctx context.Context) ([]string, error) { return heads(ctx, s.db.reads()) }

func heads(ctx context.Context, q session) ([]string, error) {
	heads, err := collect(ctx, q, scanText, `SELECT text FROM audit_head ORDER BY size, at, text`)
	if err != nil {
		return nil, fmt.Errorf("list heads: %w", err)
	}
	return heads, nil
}

func scanText(scan scanner) (text string, err error) {
	err = scan(&text)
	return text, err
}
