package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file tells whom to call for a confirmation. The rules are:
//   - Who could confirm now is called, person by person, and nobody else: not whoever asked, no guest, nobody who left.
//   - It grants nothing: whether somebody may confirm is asked live when they do. So an answer of the last minute is good
//     enough here, and fifty requests at once use up nothing of what the directory lets us ask for those who click.
//   - A user group with more members than are named is called as a whole, and not looked into.

const (
	mostRung     = 10          // people and groups that one request calls
	ringFor      = time.Minute // how long it is believed who the approvers are
	brokenFor    = 15 * time.Second
	sparePeople  = 2 // looked up beyond those who are named: whoever asked is one of them, and may be there twice
	mostLookedUp = mostRung + sparePeople
)

// Ring is whom a request calls to confirm the step that it waits with.
type Ring struct {
	Users   []string // in the order of the settings
	Groups  []string // that are too large to be named person by person
	More    int      // approvers beyond those, who are not called
	Open    bool     // the step can be confirmed now; false: nobody is called
	Held    bool     // it cannot, because the bot is paused
	Unasked error    // of the directory: somebody is missing who could not be looked up
}

// Nobody reports whether the ring calls nobody.
func (g Ring) Nobody() bool { return len(g.Users) == 0 && len(g.Groups) == 0 }

// Ring tells whom to call to confirm the step that a request waits with. An error is the store's.
func (s *Service) Ring(ctx context.Context, r remediation.Request) (Ring, error) {
	yes, no, err := s.couldConfirm(ctx, r, remediation.Person{})
	if err != nil || !yes {
		return Ring{Held: no != nil && no.Code == IsPaused}, err
	}
	all := s.callees(ctx)
	ring := Ring{Open: true, Groups: all.groups, Unasked: all.err}
	for _, p := range all.people {
		yes, _, err := s.couldConfirm(ctx, r, p)
		switch {
		case err != nil:
			return Ring{}, err
		case !yes, p.Is(r.Requester): // who may confirm alone what they asked for need not be called to it
		case len(ring.Users)+len(ring.Groups) >= mostRung:
			ring.More++
		default:
			ring.Users = append(ring.Users, p.User)
		}
	}
	for _, u := range all.rest {
		if u != r.Requester.User {
			ring.More++
		}
	}
	return ring, nil
}

// couldConfirm asks of somebody what a click on Confirm would be asked, after who they are.
func (s *Service) couldConfirm(ctx context.Context, r remediation.Request, p remediation.Person) (bool, *Refusal, error) {
	err := s.could(ctx, r, p, remediation.Confirm, r.Version)
	if no := refusal(err); no != nil {
		return false, no, nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("ask who could confirm request %s: %w", r.ID, err)
	}
	return true, nil, nil
}

// callees are the approvers as they were a moment ago.
type callees struct {
	people []remediation.Person
	groups []string
	rest   []string // who was not looked up, because there are so many
	err    error
	at     time.Time
}

// callees looks the approvers up, once for all who ask within a minute. In a channel that another company sees nobody can
// confirm, and nobody is called.
func (s *Service) callees(ctx context.Context) callees {
	s.ringing.Lock()
	defer s.ringing.Unlock()
	now, believed := s.d.Now(), ringFor
	if s.rung.err != nil {
		believed = brokenFor
	}
	if !s.rung.at.IsZero() && now.Sub(s.rung.at).Abs() < believed {
		return s.rung
	}
	found := callees{at: now}
	shared, err := s.d.Directory.Shared(ctx)
	if err != nil {
		found.err = fmt.Errorf("ask whether the channel is shared: %w", err)
	}
	if err == nil && !shared {
		found = s.lookUp(ctx, found)
	}
	if ctx.Err() == nil {
		s.rung = found
	}
	return found
}

func (s *Service) lookUp(ctx context.Context, c callees) callees {
	users := slices.Clone(s.cfg.Approvers.Users)
	for _, g := range s.cfg.Approvers.Groups {
		members, err := s.d.Directory.Group(ctx, g)
		switch {
		case err != nil: // it counts as empty, as it does for those who click
			c.err = errors.Join(c.err, fmt.Errorf("read user group %s: %w", g, err))
		case len(members) > mostRung && len(c.groups) < mostRung:
			c.groups = append(c.groups, g)
		default:
			users = append(users, members...)
		}
	}
	for i, u := range users {
		if slices.Contains(users[:i], u) {
			continue
		}
		if len(c.people) == mostLookedUp {
			c.rest = append(c.rest, u)
			continue
		}
		p, err := s.d.Directory.Person(ctx, u)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			c.err = errors.Join(c.err, fmt.Errorf("look up approver %s: %w", u, err))
		case s.full(p, u) == nil:
			c.people = append(c.people, remediation.Person{User: p.User, Team: p.Team, Email: p.Email})
		}
	}
	return c
}
