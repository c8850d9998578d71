package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// StartRun begins a run, or returns the one that is under way with ErrConflict, whichever process began it.
func (s *Store) StartRun(ctx context.Context, r commands.Run) (commands.Run, error) {
	body, err := encode(r)
	if err != nil {
		return commands.Run{}, err
	}
	err = s.db.write(ctx, func(ctx context.Context, q session) error {
		n, failed := q.exec(ctx, `INSERT INTO run (id, started, finished, under_way, body) VALUES ($1, $2, 0, 1, $3)
			ON CONFLICT DO NOTHING`, r.ID, micros(r.Started), body)
		if failed == nil && n == 0 {
			return commands.ErrConflict
		}
		return failed
	})
	if errors.Is(err, commands.ErrConflict) {
		current, cerr := s.CurrentRun(ctx)
		if errors.Is(cerr, commands.ErrNotFound) {
			// It has ended meanwhile, or the id was used before.
			return commands.Run{}, fmt.Errorf("start run: %w", err)
		}
		return current, errors.Join(err, cerr)
	}
	if err != nil {
		return commands.Run{}, fmt.Errorf("start run: %w", err)
	}
	return r, nil
}

// SaveRun updates the progress of a run that was begun, and ends it when Finished is set. ErrNotFound means that it was
// never begun, ErrConflict that it has ended.
func (s *Store) SaveRun(ctx context.Context, r commands.Run) error {
	body, err := encode(r)
	if err != nil {
		return err
	}
	err = s.db.write(ctx, func(ctx context.Context, q session) error {
		n, failed := q.exec(ctx, `UPDATE run SET finished = $1, body = $2,
			under_way = CASE WHEN $1 = finished THEN under_way ELSE NULL END WHERE id = $3 AND finished = 0`, micros(r.Finished), body, r.ID)
		if failed != nil || n == 1 {
			return failed
		}
		var id string
		if failed = q.queryRow(ctx, `SELECT id FROM run WHERE id = $1`, r.ID).Scan(&id); failed != nil {
			return notFound(failed, "run")
		}
		return commands.ErrConflict
	})
	if err != nil {
		return fmt.Errorf("save run %s: %w", r.ID, err)
	}
	return nil
}

// LastRun returns the newest finished run, or ErrNotFound before the first.
func (s *Store) LastRun(ctx context.Context) (commands.Run, error) {
	return s.run(ctx, "finished run", `SELECT body FROM run WHERE finished <> 0 ORDER BY finished DESC, id DESC LIMIT 1`)
}

// CurrentRun returns the run that is under way, or ErrNotFound.
func (s *Store) CurrentRun(ctx context.Context) (commands.Run, error) {
	return s.run(ctx, "run under way", `SELECT body FROM run WHERE under_way = 1`)
}

func (s *Store) run(ctx context.Context, what, query string) (r commands.Run, err error) {
	found, err := s.body(ctx, &r, query)
	if err == nil && !found {
		err = commands.ErrNotFound
	}
	if err != nil {
		return commands.Run{}, fmt.Errorf("read %s: %w", what, err)
	}
	return r, nil
}

// Save keeps looks, with what was concluded from them, in one transaction. What is remembered of each finding between runs
// goes on from what was there. A look that is older than the one that is kept changes nothing but the run.
func (s *Store) Save(ctx context.Context, run string, looks []commands.Look) error {
	now := s.now()
	err := s.db.write(ctx, func(ctx context.Context, q session) error {
		for _, l := range looks {
			if err := s.saveLook(ctx, q, run, l, now); err != nil {
				return fmt.Errorf("account %s: %w", l.Evidence.Account.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save looks: %w", err)
	}
	return nil
}

const lookQuery = `SELECT source, account, run, evidence, findings, tracks FROM look`

// Look returns the last look at an account, or ErrNotFound. An empty source matches any; the first by name is returned.
func (s *Store) Look(ctx context.Context, source string, account posture.AccountID) (commands.Look, error) {
	keys, err := s.keyring(ctx, account)
	if err != nil {
		return commands.Look{}, err
	}
	row := s.db.reads().queryRow(ctx, lookQuery+` WHERE account = $1 AND (source = $2 OR $2 = '') ORDER BY source LIMIT 1`,
		string(account), source)
	l, err := scanLook(row.Scan)
	if err != nil {
		return commands.Look{}, notFound(err, "look at "+string(account))
	}
	return l.whole(keys), nil
}

// kept is a look with the names that it is kept under.
type kept struct {
	source, account string
	look            commands.Look
}

func scanLook(scan scanner) (k kept, err error) {
	var evidence, findings, tracks string
	if err = scan(&k.source, &k.account, &k.look.Run, &evidence, &findings, &tracks); err != nil {
		return k, err
	}
	var list []track
	err = errors.Join(decode(evidence, &k.look.Evidence), decode(findings, &k.look.Findings), decode(tracks, &list))
	k.look.Workflow = make(map[posture.Control]posture.Workflow, len(list))
	for _, t := range list {
		if t.Workflow != "" {
			k.look.Workflow[t.Control] = t.Workflow
		}
		if t.Known != nil {
			if k.look.Before == nil {
				k.look.Before = map[posture.Control]posture.Finding{}
			}
			k.look.Before[t.Control] = *t.Known
		}
	}
	return k, err
}

// whole is the look with whole key ids in the place of handles.
func (k kept) whole(keys keyring) commands.Look {
	for i := range k.look.Evidence.Keys.Value {
		keys.whole(&k.look.Evidence.Keys.Value[i])
	}
	return k.look
}

// page is how many looks are in memory at once.
const page = 100

// Each calls f with every look in the order of source and account, until f returns an error, which it returns. It reads a
// page at a time and holds nothing while f runs, so f may use the store; a look that changes meanwhile may be seen either
// way, and each account is seen once at most.
func (s *Store) Each(ctx context.Context, f func(commands.Look) error) error {
	keys, err := s.keyring(ctx, "")
	if err != nil {
		return err
	}
	for after := (kept{}); ; {
		looks, err := collect(ctx, s.db.reads(), scanLook,
			lookQuery+` WHERE (source, account) > ($1, $2) ORDER BY source, account LIMIT $3`, after.source, after.account, page)
		if err != nil {
			return fmt.Errorf("read looks: %w", err)
		}
		for _, l := range looks {
			if err := f(l.whole(keys)); err != nil {
				return err
			}
		}
		if len(looks) < page {
			return nil
		}
		after = looks[len(looks)-1]
	}
}

// Unlisted returns accounts of a source that the run did not list, in the order of their ids and at most so many.
func (s *Store) Unlisted(ctx context.Context, run, source string, most int) ([]posture.Account, error) {
	found, err := collect(ctx, s.db.reads(), scanBody[posture.Evidence],
		`SELECT evidence FROM look WHERE source = $1 AND run <> $2 ORDER BY account LIMIT $3`, source, run, most)
	if err != nil {
		return nil, fmt.Errorf("read the accounts of %s that were not listed: %w", source, err)
	}
	accounts := make([]posture.Account, 0, len(found))
	for _, e := range found {
		accounts = append(accounts, e.Account)
	}
	return accounts, nil
}

// Retire forgets the accounts of a source that the run did not list, and returns them in the order of their ids.
func (s *Store) Retire(ctx context.Context, run, source string) ([]posture.Account, error) {
	gone, err := write(ctx, s, func(ctx context.Context, q session) ([]posture.Account, error) {
		gone, err := collect(ctx, q, scanBody[posture.Evidence],
			`DELETE FROM look WHERE source = $1 AND run <> $2 RETURNING evidence`, source, run)
		accounts := make([]posture.Account, 0, len(gone))
		for _, e := range gone {
			accounts = append(accounts, e.Account)
		}
		slices.SortFunc(accounts, func(a, b posture.Account) int { return cmp.Compare(a.ID, b.ID) })
		return accounts, err
	})
	if err != nil {
		return nil, fmt.Errorf("retire accounts of %s: %w", source, err)
	}
	return gone, nil
}

func noRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
