package remediation

import "github.com/rootcheck-bot/rootcheck/audit"

// Rule is one row of the machine's table: in a state, on an event, to one of these states. Whatever has no row is
// refused, with [RefuseEnded] where the request has ended and [RefuseNotNow] elsewhere.
type Rule struct {
	From State
	On   Kind
	To   []State
	Does string // one clause for the reader of the table
	do   func(*step)
}

// Rules is the whole table, in the order of the story.
func Rules() []Rule {
	rules := deactivateRules()
	rules = append(rules, watchRules()...)
	rules = append(rules, undoRules()...)
	rules = append(rules, deleteRules()...)
	return append(rules, departRules()...)
}

func lookup(s State, k Kind) (Rule, bool) {
	for _, r := range Rules() {
		if r.From == s && r.On == k {
			return r, true
		}
	}
	return Rule{}, false
}

func deactivateRules() []Rule {
	reject := func(s *step) { s.takeBack(Rejected, NoteRejected, audit.RemediationRejected) }
	cancel := func(s *step) { s.takeBack(Cancelled, NoteCancelled, audit.RemediationCancelled) }
	expire := func(s *step) { s.lapse(func() { s.giveUp(Expired, NoteExpired, audit.RemediationExpired) }) }
	waiting := (*step).observeWaiting
	return []Rule{
		{Requested, Confirm, []State{Requested, Approved}, "counts a second confirmation", func(s *step) { s.confirm(Approved)() }},
		{Requested, Reject, []State{Rejected}, "ends it", reject},
		{Requested, Cancel, []State{Cancelled}, "ends it", cancel},
		{Requested, Lapse, []State{Expired}, "ends it when nobody confirmed in time", expire},
		{Requested, Observe, []State{Inactive, Stale, GoneOutside}, "notices what others did to the key", waiting},

		{Approved, Begin, []State{Deactivating, AwaitingOwner}, "commits the attempt before the call, or asks the owner", func(s *step) { s.begin(Deactivating, AwaitingOwner) }},
		{Approved, GateShut, []State{Failed}, "ends it: nothing was sent", func(s *step) { s.gateShut(Failed) }},
		{Approved, Reject, []State{Rejected}, "ends it before the call, unless a lifted block is to come back", reject},
		{Approved, Cancel, []State{Cancelled}, "ends it before the call, unless a lifted block is to come back", cancel},
		{Approved, Lapse, []State{Expired}, "ends it when the confirmation grew old", expire},
		{Approved, Observe, []State{Approved, Inactive, Stale, GoneOutside}, "notices what others did to the key", waiting},

		{Deactivating, GateShut, []State{Failed}, "ends it: a gate closed after the attempt was committed, and nothing was sent", func(s *step) { s.gateShut(Failed) }},
		{Deactivating, Succeeded, []State{Deactivating, Inactive}, "starts the watch, once a reading agrees", agreed((*step).succeeded)},
		{Deactivating, Refused, []State{Failed}, "ends it with AWS's answer", func(s *step) { s.failed(Failed) }},
		{Deactivating, Unavailable, []State{AwaitingOwner}, "asks the owner instead: the bot has no such means", (*step).unavailable},
		{Deactivating, Unsure, []State{Deactivating}, "reads AWS after a while", (*step).unsure},
		{Deactivating, Observe, []State{Deactivating, Inactive, Approved, Failed, Stale, GoneOutside}, "settles the call by what AWS shows", (*step).observeDeactivating},

		{AwaitingOwner, OwnerDone, []State{AwaitingOwner}, "reads AWS at once", (*step).ownerDone},
		{AwaitingOwner, Observe, []State{AwaitingOwner, Inactive, Stale, GoneOutside}, "verifies the owner's step", (*step).observeDeactivating},
		{AwaitingOwner, Reject, []State{Rejected}, "ends it", reject},
		{AwaitingOwner, Cancel, []State{Cancelled}, "ends it", cancel},
		{AwaitingOwner, Lapse, []State{Expired}, "ends it when the owner did nothing", expire},
	}
}

func watchRules() []Rule {
	return []Rule{
		{Inactive, Observe, []State{Inactive, Lifted, Restored, Reactivated, Stale, GoneOutside}, "advances the watch, or alarms", (*step).observeWatched},
		{Inactive, AskDelete, []State{DeleteRequested}, "asks for the deletion's own confirmation, once the watch is over", (*step).askDelete},
		{Inactive, AskReactivate, []State{ReactivateRequested}, "asks for the undo's confirmation", (*step).askReactivate},
		{Inactive, Cancel, []State{Cancelled}, "ends the watch of a key that the bot itself did nothing to", (*step).unwatch},
		{Inactive, AskLift, []State{LiftRequested}, "asks to lift the block for a while", (*step).askLift},
	}
}

func undoRules() []Rule {
	off := func(n Note, a audit.Action) func(*step) { return func(s *step) { s.back(n, a) } }
	expire := func(s *step) { s.lapse(func() { s.back(NoteStepExpired, audit.RemediationExpired) }) }
	rules := []Rule{
		{ReactivateRequested, Confirm, []State{ReactivateRequested, Reactivating}, "undoes it", func(s *step) { s.confirm(Reactivating)() }},
		{LiftRequested, Confirm, []State{LiftRequested, Lifting}, "lifts the block", func(s *step) { s.confirm(Lifting)() }},
	}
	for _, from := range []State{ReactivateRequested, LiftRequested} {
		rules = append(rules,
			Rule{from, Reject, []State{Inactive}, "back to the watch", off(NoteStepRejected, audit.RemediationRejected)},
			Rule{from, Cancel, []State{Inactive}, "back to the watch", off(NoteStepCancelled, audit.RemediationCancelled)},
			Rule{from, Lapse, []State{Inactive}, "back to the watch", expire},
			Rule{from, Observe, []State{from, Inactive, Lifted, Restored, Reactivated, Stale, GoneOutside}, "goes on watching", (*step).observeWatched},
		)
	}
	return append(rules,
		Rule{Reactivating, Begin, []State{Reactivating}, "commits the attempt before the call, or asks the owner", (*step).beginUndo},
		Rule{Reactivating, GateShut, []State{Inactive}, "back to the watch: nothing was sent", func(s *step) { s.gateShut(Inactive) }},
		Rule{Reactivating, Succeeded, []State{Reactivating, Restored}, "ends it, once a reading agrees: the key or the root user works again", agreed((*step).restored)},
		Rule{Reactivating, Refused, []State{Inactive}, "back to the watch with AWS's answer", func(s *step) { s.failed(Inactive) }},
		Rule{Reactivating, Unsure, []State{Reactivating}, "reads AWS after a while", (*step).unsure},
		Rule{Reactivating, OwnerDone, []State{Reactivating}, "reads AWS at once", (*step).ownerDone},
		Rule{Reactivating, Observe, []State{Reactivating, Restored, Inactive, Stale, GoneOutside}, "settles the undo by what AWS shows", (*step).observeReactivating},
		Rule{Reactivating, Lapse, []State{Inactive}, "back to the watch when the undo never happened", expire},

		Rule{Lifting, Begin, []State{Lifting}, "commits the attempt before the call", (*step).beginUndo},
		Rule{Lifting, GateShut, []State{Inactive}, "back to the watch: nothing was sent", func(s *step) { s.gateShut(Inactive) }},
		Rule{Lifting, Succeeded, []State{Lifting, Lifted}, "voids the watch and waits, once a reading agrees", agreed((*step).lifted)},
		Rule{Lifting, Refused, []State{Inactive}, "back to the watch with AWS's answer", func(s *step) { s.failed(Inactive) }},
		Rule{Lifting, Unsure, []State{Lifting}, "reads AWS after a while", (*step).unsure},
		Rule{Lifting, Observe, []State{Lifting, Lifted, Inactive, Stale, GoneOutside}, "settles the call by what AWS shows", (*step).observeLifted},
		Rule{Lifting, Lapse, []State{Inactive}, "back to the watch when the block was never lifted", expire},
		Rule{Lifted, Observe, []State{Lifted, Inactive, Restored, Reactivated, Stale, GoneOutside}, "notices a key that is gone, and what became of a block that another request took off", (*step).observeLifted},
		Rule{Lifted, Lapse, []State{Approved}, "blocks again: that was part of the confirmation", (*step).blockAgain},
	)
}

func deleteRules() []Rule {
	off := func(n Note, a audit.Action) func(*step) { return func(s *step) { s.back(n, a) } }
	expire := func(s *step) { s.lapse(func() { s.back(NoteStepExpired, audit.RemediationExpired) }) }
	rejected, cancelled := off(NoteStepRejected, audit.RemediationRejected), off(NoteStepCancelled, audit.RemediationCancelled)
	return []Rule{
		{DeleteRequested, Confirm, []State{DeleteRequested, DeleteApproved}, "counts a second confirmation", func(s *step) { s.confirm(DeleteApproved)() }},
		{DeleteRequested, Reject, []State{Inactive}, "back to the watch", rejected},
		{DeleteRequested, Cancel, []State{Inactive}, "back to the watch", cancelled},
		{DeleteRequested, Lapse, []State{Inactive}, "back to the watch when nobody confirmed in time", expire},
		{DeleteRequested, Observe, []State{DeleteRequested, Inactive, Lifted, Restored, Reactivated, Stale, GoneOutside}, "goes on watching; an alarm voids the confirmations", (*step).observeWatched},

		{DeleteApproved, Begin, []State{Deleting, AwaitingOwnerDelete}, "commits the attempt before the one call, or asks the owner", func(s *step) { s.begin(Deleting, AwaitingOwnerDelete) }},
		{DeleteApproved, GateShut, []State{Inactive}, "back to the watch: nothing was sent", func(s *step) { s.gateShut(Inactive) }},
		{DeleteApproved, Reject, []State{Inactive}, "back to the watch before the call", rejected},
		{DeleteApproved, Cancel, []State{Inactive}, "back to the watch before the call", cancelled},
		{DeleteApproved, Lapse, []State{Inactive}, "back to the watch when the confirmation grew old", expire},
		{DeleteApproved, Observe, []State{DeleteApproved, Inactive, Lifted, Restored, Reactivated, Stale, GoneOutside}, "goes on watching; an alarm voids the confirmations", (*step).observeWatched},

		{Deleting, GateShut, []State{Inactive}, "back to the watch: a gate closed after the attempt was committed, and nothing was sent", func(s *step) { s.gateShut(Inactive) }},
		{Deleting, Succeeded, []State{Deleted}, "reads AWS until it is verified", func(s *step) { s.deleted(audit.RemediationDeleted) }},
		{Deleting, Refused, []State{Inactive}, "back to the watch with AWS's answer", func(s *step) { s.failed(Inactive) }},
		{Deleting, Unsure, []State{Deleting}, "reads AWS after a while", (*step).unsure},
		{Deleting, Observe, []State{Deleting, Deleted, DeleteApproved, Inactive, Lifted, Restored, Reactivated, Stale}, "settles the call by what AWS shows", (*step).observeDeleting},

		{AwaitingOwnerDelete, OwnerDone, []State{AwaitingOwnerDelete}, "reads AWS at once", (*step).ownerDone},
		{AwaitingOwnerDelete, Observe, []State{AwaitingOwnerDelete, Inactive, Deleted, Lifted, Restored, Reactivated, Stale}, "verifies the owner's step; an alarm voids the confirmations", (*step).observeDeleting},
		{AwaitingOwnerDelete, Reject, []State{Inactive}, "back to the watch", rejected},
		{AwaitingOwnerDelete, Cancel, []State{Inactive}, "back to the watch", cancelled},
		{AwaitingOwnerDelete, Lapse, []State{Inactive}, "back to the watch when the owner did nothing", expire},

		{Deleted, Observe, []State{Deleted, Verified, VerifiedWithAlarm}, "verifies by two clean reads", (*step).observeDeleted},
	}
}
