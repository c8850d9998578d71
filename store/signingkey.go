package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// OtherKeyError means that the audit log's heads are signed with another key than the one that was given.
type OtherKeyError struct {
	// Want is the public key that signs by now. It is empty where the log names none, and the last published head is not
	// signed with the key that was given.
	Want string
}

// Error is a clause without the remedy, which depends on who asks.
func (e *OtherKeyError) Error() string {
	if e.Want == "" {
		return "the published heads of the audit log are signed with another key"
	}
	return "the audit log is signed with another key, " + e.Want
}

// SigningKey is the public key that signs the audit log's heads by now, empty where none ever did.
func (s *Store) SigningKey(ctx context.Context) (string, error) {
	keys, err := signingKeys(ctx, s.db.reads())
	return last(keys), err
}

// UseSigningKey begins to sign with a key: the first that is given is recorded in the audit log, and from then on every
// other is refused with an [OtherKeyError]. Of replicas that start together with different keys, one wins.
func (s *Store) UseSigningKey(ctx context.Context, verifier string) error {
	return s.signWith(ctx, verifier, audit.System("start"), false)
}

// RotateSigningKey records that another key signs from here on, by the operator's word. Heads that were published before
// keep their key. Where the key signs already, nothing is written.
func (s *Store) RotateSigningKey(ctx context.Context, verifier string) error {
	return s.signWith(ctx, verifier, audit.Operator("terminal"), true)
}

func (s *Store) signWith(ctx context.Context, verifier string, by audit.Actor, rotate bool) error {
	x, err := write(ctx, s, func(ctx context.Context, q session) (x audit.Extension, err error) {
		tree, err := s.lockTree(ctx, q)
		if err != nil {
			return x, err
		}
		before, err := signingKeys(ctx, q)
		if err != nil {
			return x, err
		}
		now := last(before)
		if now == verifier {
			return x, nil
		}
		if !rotate {
			if err = s.mayBegin(ctx, q, verifier, now); err != nil {
				return x, err
			}
		}
		event, err := audit.NewKey(by, s.now(), verifier, now)
		if err != nil {
			return x, err
		}
		return s.extend(ctx, q, tree, []audit.Event{event})
	})
	if err == nil && len(x.Leaves) > 0 && s.cfg.Copy != nil {
		s.cfg.Copy(x.Leaves)
	}
	return err
}

// mayBegin refuses a key beside the one that signs. Where the log names none, heads of before keys were recorded tell.
func (s *Store) mayBegin(ctx context.Context, q session, verifier, now string) error {
	if now != "" {
		return &OtherKeyError{Want: now}
	}
	published, err := heads(ctx, q)
	if err != nil || len(published) == 0 {
		return err
	}
	if _, err := audit.OpenHead(last(published), verifier); err != nil {
		return &OtherKeyError{}
	}
	return nil
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// signingKeys are the public keys that the audit log names, oldest first. Records that cannot be read are passed over:
// finding them is `bot audit verify`'s.
func signingKeys(ctx context.Context, q session) ([]string, error) {
	raw, err := collect(ctx, q, scanRecord, `SELECT seq, raw FROM audit_record WHERE action = $1 ORDER BY seq`, string(audit.KeyCreated))
	if err != nil {
		return nil, fmt.Errorf("read the audit log's signing keys: %w", err)
	}
	var keys []string
	for _, r := range raw {
		leaf, err := audit.Decode(r.Raw)
		if err != nil {
			continue
		}
		if k := audit.KeyOf(leaf); k != "" {
			keys = append(slices.DeleteFunc(keys, func(have string) bool { return have == k }), k)
		}
	}
	return keys, nil
}
