package commands

import (
	"context"
	"fmt"
	"slices"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file lets go of what belongs to an `aws` entry that has left the settings. The rules are:
//   - A request ends with its reason, unless something of ours is left in AWS: package remediation says which.
//   - Nobody is reminded of an account that the bot does not look at any more. If the entry comes back, its owner is written to
//     anew.
//   - An entry may have been taken out by mistake. Put back, it goes on from what was kept.

// configured reports whether the settings have an `aws` entry.
func (s *Service) configured(source string) bool {
	return slices.Contains(s.d.Inspector.Sources(), source)
}

// depart tells open requests and owners that their entry is gone, and requests that waited for it that it is back.
func (s *Service) depart(ctx context.Context) error {
	open, err := s.requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return err
	}
	for _, r := range open {
		switch {
		case !s.configured(r.Source):
			_, err = s.turn(ctx, r.ID, turn{
				actor: audit.System("settings"),
				event: func(remediation.Request) (remediation.Event, error) {
					return remediation.Event{Kind: remediation.Depart, Reason: departed(r.Source)}, nil
				},
			})
		case r.Departed():
			err = s.d.Queue.Put(ctx, item("read/"+string(r.ID), KindRead, Work{Request: r.ID}, s.d.Now()))
		}
		if err != nil {
			return fmt.Errorf("look after request %s of the entry %s: %w", r.ID, r.Source, err)
		}
	}
	owners, err := s.d.Ledger.Owners(ctx)
	if err != nil {
		return err
	}
	for _, o := range owners {
		if s.configured(o.Source) || o.Stage != OwnerHeld && o.Stage != OwnerTold && o.Stage != OwnerAnswered {
			continue
		}
		o = unfinishedMFA(o)
		e := ownerEvent(o, audit.OwnerEnded, audit.System("settings"), "entry_left")
		e.Reason = departed(o.Source)
		if _, err = s.saveOwner(ctx, o, e); err != nil {
			return err
		}
	}
	return nil
}

// departed is the reason for the record.
func departed(source string) string {
	return "the aws entry " + source + " is not in the settings any more"
}
