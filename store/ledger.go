package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// requestQuery joins each request with the whole id of its key.
const requestQuery = `SELECT r.body, coalesce(k.key_id, '') FROM request r
	LEFT JOIN root_key k ON k.account = r.account AND k.fingerprint = r.key_name`

func scanRequest(scan scanner) (r remediation.Request, err error) {
	var body, id string
	if err = scan(&body, &id); err != nil {
		return r, err
	}
	if err = decode(body, &r); err != nil {
		return r, err
	}
	if id != "" {
		r.Key.ID = posture.KeyID(id)
	}
	return r, nil
}

// Request returns a request with its whole key id, or ErrNotFound.
func (s *Store) Request(ctx context.Context, id remediation.RequestID) (remediation.Request, error) {
	r, err := scanRequest(s.db.reads().queryRow(ctx, requestQuery+` WHERE r.id = $1`, string(id)).Scan)
	if err != nil {
		return remediation.Request{}, notFound(err, "request "+string(id))
	}
	return r, nil
}

// Requests lists requests, newest first.
func (s *Store) Requests(ctx context.Context, q commands.RequestQuery) ([]remediation.Request, error) {
	var f filter
	f.equal("r.source", q.Source)
	f.equal("r.account", string(q.Account))
	if q.Open {
		f.where = append(f.where, "r.ended = 0")
	}
	query := requestQuery + f.clause("r.opened_at DESC, r.id DESC", q.Limit)
	list, err := collect(ctx, s.db.reads(), scanRequest, query, f.args...)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	return list, nil
}

// body reads one record into v and reports whether there is one.
func (s *Store) body(ctx context.Context, v any, query string, args ...any) (bool, error) {
	var body string
	err := s.db.reads().queryRow(ctx, query, args...).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, decode(body, v)
}

// Block returns the block of an account, or the zero Block with its account set where there never was one.
func (s *Store) Block(ctx context.Context, source string, account posture.AccountID) (remediation.Block, error) {
	b := remediation.Block{Source: source, Account: account}
	if _, err := s.body(ctx, &b, `SELECT body FROM block WHERE source = $1 AND account = $2`, source, string(account)); err != nil {
		return remediation.Block{}, fmt.Errorf("read block of %s: %w", account, err)
	}
	return b, nil
}

// Switch returns the pause switch; its zero value is "not paused".
func (s *Store) Switch(ctx context.Context) (commands.Switch, error) {
	var w commands.Switch
	if _, err := s.body(ctx, &w, `SELECT body FROM pause_switch WHERE id = 1`); err != nil {
		return commands.Switch{}, fmt.Errorf("read pause switch: %w", err)
	}
	return w, nil
}

// Owner returns what is known of an account's owner, or ErrNotFound.
func (s *Store) Owner(ctx context.Context, source string, account posture.AccountID) (commands.Owner, error) {
	var o commands.Owner
	found, err := s.body(ctx, &o, `SELECT body FROM owner WHERE source = $1 AND account = $2`, source, string(account))
	if err == nil && !found {
		err = commands.ErrNotFound
	}
	if err != nil {
		return commands.Owner{}, fmt.Errorf("read owner of %s: %w", account, err)
	}
	return o, nil
}

// Owners lists those about whom somebody has yet to do something: held back, told and not done, or claimed and not
// confirmed. They are in the order of their accounts.
func (s *Store) Owners(ctx context.Context) ([]commands.Owner, error) {
	return bodies[commands.Owner](ctx, s, "owners", `SELECT body FROM owner WHERE waiting = 1 ORDER BY source, account`)
}

// Mutes lists the mutes in force by the given clock, in the order of their accounts.
func (s *Store) Mutes(ctx context.Context) ([]commands.Mute, error) {
	return bodies[commands.Mute](ctx, s, "mutes",
		`SELECT body FROM mute WHERE until > $1 ORDER BY source, account, control`, micros(s.now()))
}

// Mute returns the mute of a finding, in force or not, or ErrNotFound where there never was one. Its version is needed to
// mute again.
func (s *Store) Mute(ctx context.Context, source string, account posture.AccountID, control posture.Control) (commands.Mute, error) {
	var m commands.Mute
	found, err := s.body(ctx, &m, `SELECT body FROM mute WHERE source = $1 AND account = $2 AND control = $3`,
		source, string(account), string(control))
	if err == nil && !found {
		err = commands.ErrNotFound
	}
	if err != nil {
		return commands.Mute{}, fmt.Errorf("read mute of %s in %s: %w", control, account, err)
	}
	return m, nil
}

func bodies[T any](ctx context.Context, s *Store, what, query string, args ...any) ([]T, error) {
	list, err := collect(ctx, s.db.reads(), scanBody[T], query, args...)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", what, err)
	}
	return list, nil
}

func scanBody[T any](scan scanner) (v T, err error) {
	var body string
	if err = scan(&body); err != nil {
		return v, err
	}
	err = decode(body, &v)
	return v, err
}

// Deletions counts the requests whose deletion was attempted, or handed to an owner, at a time or later, by the audit log:
// it knows of those whose request has moved on since.
func (s *Store) Deletions(ctx context.Context, since time.Time) (int, error) {
	var n int
	err := s.db.reads().queryRow(ctx, `SELECT count(DISTINCT request) FROM audit_record
		WHERE at >= $1 AND (action = $2 AND to_state = $3 OR action = $4 AND to_state = $5)`, micros(since),
		string(audit.RemediationAttempted), string(remediation.Deleting),
		string(audit.RemediationInstructed), string(remediation.AwaitingOwnerDelete)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count deletions: %w", err)
	}
	return n, nil
}
