package commands

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// sight is what the last run could not see. What was looked at before it of a source whose accounts could not be listed, or
// not all of them, was so then: it is shown as last read, and counts neither as scanned nor as passed or failed.
type sight struct {
	since time.Time
	lost  map[string]posture.Gap // by source
}

// sight reads what the last run could not see.
func (s *Service) sight(ctx context.Context) (sight, error) {
	run, err := s.d.Estate.LastRun(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return sight{}, err
	}
	g := sight{since: run.Started, lost: map[string]posture.Gap{}}
	for _, lost := range run.Gaps {
		g.lost[lost.Source] = lost.Gap
	}
	return g, nil
}

// now is the look with what can be said now: as it was saved, or nothing but what was last read.
func (g sight) now(l Look) Look {
	gap, lost := g.lost[l.Evidence.Account.Source]
	if !lost || !l.Evidence.At.Before(g.since) {
		return l
	}
	why := gap
	l.Lost = &why
	gap.Reason = posture.ReasonStale // the cause stands beside the source
	was, known := l.Findings, l.Before
	l.Evidence.Centralized = posture.Missing[bool]("ListOrganizationsFeatures", gap)
	l.Evidence.Blocked = posture.Missing[bool]("ListPoliciesForTarget", gap)
	l.Findings = posture.Evaluate(posture.Unread(l.Evidence, gap), posture.Policy{}, l.Evidence.At)
	l.Before = map[posture.Control]posture.Finding{}
	maps.Copy(l.Before, known)
	for _, f := range was {
		if f.Control == posture.CentralizedRootAccess {
			unread := posture.EvaluateOrganization(f.Source, posture.Missing[bool]("ListOrganizationsFeatures", gap), l.Evidence.At)
			unread.Account = f.Account
			l.Findings = append(l.Findings, unread)
		}
		if f.Status != posture.NotAvailable {
			l.Before[f.Control] = f
		}
	}
	return l
}
