package commands

import (
	"context"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file says since when a use of the root user counts. The rules are:
//   - A use counts from the evidence that the last digest rested on, and not from when it was posted: one between the two
//     would never be told of.
//   - An account that could not be looked at for days holds back itself alone.

// lately is how old evidence may be when a digest is drawn and still hold back what counts of every account.
const lately = 24 * time.Hour

// toldUntil is up to when a digest told of activity. Its zero value is that of no digest.
type toldUntil struct {
	digest time.Time           // when the findings stood as it told them
	at     time.Time           // the oldest evidence of those that were looked at lately
	late   map[Place]time.Time // the evidence of the others
}

// note adds one finding that the digest told.
func (t *toldUntil) note(f posture.Finding) {
	at, told := f.ToldUntil()
	switch {
	case !told:
	case at.Before(t.digest.Add(-lately)):
		if t.late == nil {
			t.late = map[Place]time.Time{}
		}
		t.late[place(f)] = at
	case t.at.IsZero() || at.Before(t.at):
		t.at = at
	}
}

// of is up to when one account's activity was told.
func (t *toldUntil) of(a posture.Account) time.Time {
	if at, late := t.late[Place{Source: a.Source, Account: a.ID}]; late {
		return at
	}
	return t.at
}

// judging is the policy of judgement of each account. Activity counts since the evidence that the last digest told of. Where
// that cannot be read, it counts within the window alone.
func (s *Service) judging(ctx context.Context) func(posture.Account) posture.Policy {
	told, err := s.lastTold(ctx)
	if err != nil {
		s.d.Log.WarnContext(ctx, "last digest could not be read", "error", err)
	}
	return func(a posture.Account) posture.Policy {
		return posture.Policy{ActivityWindow: s.cfg.ActivityWindow, Since: told.of(a)}
	}
}

// lastTold reads up to when the last digest told of activity, once for each digest.
func (s *Service) lastTold(ctx context.Context) (toldUntil, error) {
	at, findings, err := s.d.Estate.Marked(ctx, markDigest)
	if err != nil {
		return toldUntil{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Equal(s.told.digest) {
		return s.told, nil
	}
	told := toldUntil{digest: at}
	for f, err := range findings {
		if err != nil {
			return toldUntil{}, err
		}
		told.note(f)
	}
	s.told = told
	return told, nil
}
