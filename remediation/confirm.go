package remediation

import (
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// This file asks for a step and has it confirmed by people.

// ask begins a step that wants a second confirmation of its own: confirmations given before count for nothing in it.
func (s *step) ask(next State, n Note, a audit.Action) {
	if s.e.Reason == "" {
		s.refuse(RefuseReason)
		return
	}
	s.r.Requester, s.r.Reason, s.r.Override = s.e.By, s.e.Reason, s.e.Override
	s.r.Approvals, s.r.Attempt = nil, 0
	acts := map[State]Act{DeleteRequested: ActDelete, ReactivateRequested: ActReactivate, LiftRequested: ActLift}
	s.r.Steps = append(s.r.Steps, Step{Act: acts[next], By: s.e.By, Reason: s.e.Reason, Override: s.e.Override, At: s.now})
	s.to(next, n, a)
	s.expireIn(s.r.Policy.PendingFor)
}

func (s *step) askDelete() {
	switch {
	case s.r.DeleteMeans == MeansNone:
		s.refuse(RefuseNoMeans)
	case s.r.Watched < s.r.Policy.Watch:
		s.refuse(RefuseWatching)
	case inUse(s.r, s.now) && s.e.Override == "":
		s.refuse(RefuseInUse)
	default:
		s.ask(DeleteRequested, NoteDeleteAsked, audit.RemediationRequested)
	}
}

func (s *step) askReactivate() {
	if s.r.Means == MeansOrganization && !s.r.blockOurs() {
		s.refuse(RefuseNoMeans)
		return
	}
	s.ask(ReactivateRequested, NoteReactivateAsk, audit.RemediationRequested)
}

func (s *step) askLift() {
	if !s.r.blockOurs() {
		s.refuse(RefuseNoMeans)
		return
	}
	s.ask(LiftRequested, NoteLiftAsked, audit.RemediationRequested)
}

// inUse reports whether the key signed a request within the guard period before the step.
func inUse(r Request, now time.Time) bool {
	return !r.Key.LastUsed.IsZero() && now.Sub(r.Key.LastUsed) < r.Policy.Guard
}

// confirm adds one confirmation, and with the last that is needed moves on and lets the worker act.
func (s *step) confirm(next State) func() {
	return func() {
		switch {
		case !s.r.Deadline.IsZero() && !s.now.Before(s.r.Deadline), s.now.Sub(s.r.Since) >= s.r.Policy.PendingFor:
			s.refuse(RefuseExpired)
			return
		case s.r.Policy.TwoPerson && s.e.By.Is(s.r.Requester):
			s.refuse(RefuseOwn)
			return
		case slices.ContainsFunc(s.r.Approvals, func(a Approval) bool { return a.By.Is(s.e.By) }):
			s.refuse(RefuseTwice)
			return
		}
		if s.r.Policy.TwoPerson {
			// Their own, from before the two-person rule was in force, does not count any more.
			s.r.Approvals = slices.DeleteFunc(s.r.Approvals, func(a Approval) bool { return a.By.Is(s.r.Requester) })
		}
		given := Approval{By: s.e.By, At: s.now}
		if !s.e.At.IsZero() && s.e.At.Before(s.now) {
			given.At = s.e.At // a confirmation is as old as the click, however late it is handled
		}
		s.r.Approvals = append(s.r.Approvals, given)
		if n := len(s.r.Steps); n > 0 {
			s.r.Steps[n-1].Approvals = append(s.r.Steps[n-1].Approvals, given)
		}
		if s.r.Needed() > 0 {
			s.to(s.r.State, NoteHalfConfirmed, audit.RemediationConfirmed)
			return
		}
		s.r.Attempt = 0
		s.to(next, NoteConfirmed, audit.RemediationConfirmed)
		s.expireIn(s.r.Policy.ConfirmedFor)
		s.effect(EffectAct, s.now)
	}
}
