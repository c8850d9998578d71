package remediation

import "github.com/rootcheck-bot/rootcheck/audit"

// This file says what becomes of a request whose `aws` entry is not in the settings any more. The rules are:
//   - The bot can neither read the account nor change it, so a request ends that has left nothing behind there.
//   - A block of ours is not forgotten, and neither is a call whose outcome nobody saw. Such a request stays, says so and asks
//     nothing more. Where the entry comes back, the next reading goes on with it.

// Departed reports whether the request waits for its `aws` entry to come back into the settings.
func (r Request) Departed() bool {
	return !r.State.Ended() && (r.Note == NoteDepartedBlocked || r.Note == NoteDepartedUnsure)
}

func departRules() []Rule {
	rule := func(from State, does string, to ...State) Rule { return Rule{from, Depart, to, does, (*step).depart} }
	const (
		ends   = "ends it: the bot can neither read the account nor change it"
		watch  = "ends it, unless a block of ours is attached: then it says so and waits"
		unsure = "says that nobody knows what became of the call, and waits"
	)
	rules := []Rule{
		rule(Requested, ends, Cancelled), rule(Approved, ends, Cancelled), rule(AwaitingOwner, ends, Cancelled), rule(Lifted, ends, Cancelled),
		rule(Deactivating, unsure, Deactivating), rule(Deleted, unsure, Deleted),
	}
	for _, from := range []State{Inactive, ReactivateRequested, LiftRequested, DeleteRequested, DeleteApproved, AwaitingOwnerDelete} {
		rules = append(rules, rule(from, watch, Inactive, Cancelled))
	}
	for _, from := range []State{Reactivating, Lifting, Deleting} {
		rules = append(rules, rule(from, "as a watched one before its call; after it, "+unsure, from, Inactive, Cancelled))
	}
	return rules
}

func (s *step) depart() {
	guided := s.r.Means == MeansGuided && s.r.State != Deleting
	switch {
	case s.r.Departed():
		return
	case s.r.State == Deleted, s.r.State.InFlight() && s.r.Attempt > 0 && !guided:
		s.to(s.r.State, NoteDepartedUnsure, audit.RemediationUncertain)
		s.alarm()
	case s.r.blockOurs():
		s.back(NoteDepartedBlocked, audit.RemediationAlarmed)
		s.alarm()
	case s.r.State == Lifted || s.r.Again:
		s.end(Cancelled, NoteBlockOff, audit.RemediationCancelled)
		s.alarm()
	default:
		s.end(Cancelled, NoteDeparted, audit.RemediationCancelled)
	}
	s.r.NoteDetail = s.r.Source
}
