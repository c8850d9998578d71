package remediation

import (
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// This file begins a changing call and takes its outcome.

// retry goes back to the confirmed state while confirmations are young and attempts are left, else to fallback.
func (s *step) retry(confirmed, fallback State) {
	if s.now.Sub(confirmedAt(s.r)) < s.r.Policy.ConfirmedFor && s.r.Attempt < s.r.Policy.Attempts {
		s.to(confirmed, NoteRetry, audit.RemediationReconciled)
		s.expireIn(s.r.Policy.ConfirmedFor)
		s.effect(EffectAct, s.now)
		return
	}
	s.off(fallback, NoteStillThere, audit.RemediationFailed)
	s.alarm()
}

// begin commits that the changing call is about to be made, or hands the step to the owner.
func (s *step) begin(doing, asked State) {
	means := s.r.Means
	if doing == Deleting {
		means = s.r.DeleteMeans
	}
	switch means {
	case MeansGuided:
		s.to(asked, NoteOwnerAsked, audit.RemediationInstructed)
		s.r.OwnerDone = time.Time{}
		s.expireIn(ownerPatience)
		s.effect(EffectOwner, s.now)
		s.effect(EffectRead, s.now.Add(guidedReadEvery))
	case MeansOrganization, MeansRootCredentials:
		s.r.Attempt++
		s.r.ActedOn, s.r.ChangedAt = true, s.now
		s.to(doing, NoteBegun, audit.RemediationAttempted)
		s.effect(EffectRead, s.now.Add(stuckAfter))
	case MeansNone:
		s.refuse(RefuseNoMeans)
	default:
		s.refuse(RefuseNoMeans)
	}
}

// failed records AWS's answer. The code is AWS's own word; its message stays in the log.
func (s *step) failed(next State) {
	s.r.LastAWS = s.e.AWSID
	s.off(next, NoteRefusedByAWS, audit.RemediationFailed)
	s.r.NoteDetail = s.e.Code
	s.alarm()
}

// succeeded enters the watch on the reading that the means made after its call.
func (s *step) succeeded() {
	if k, present, known := s.e.Facts.find(s.r); known && present {
		s.snapshot(k)
	}
	s.r.BlockHeld, s.r.BlockFound = s.r.Means == MeansOrganization, s.e.Found
	s.r.LastAWS = s.e.AWSID
	s.becameInactive(NoteInactive, audit.RemediationDeactivated)
}

// unavailable turns a step that the bot cannot do after all into the owner's. It never turns into a deletion.
func (s *step) unavailable() {
	s.r.Means = MeansGuided
	s.r.Attempt = 0
	s.to(AwaitingOwner, NoteUnavailable, audit.RemediationFailed)
	s.r.NoteDetail = s.e.Code
	s.expireIn(ownerPatience)
	s.effect(EffectOwner, s.now)
	s.effect(EffectRead, s.now.Add(guidedReadEvery))
}

// gateShut records which gate refused. The confirmation is used up: whoever still wants it asks anew.
func (s *step) gateShut(next State) {
	s.off(next, NoteGate, audit.RemediationRefused)
	s.r.NoteDetail = string(s.e.Gate)
	if slices.Contains([]Gate{GateKey, GateCreated, GateInactive, GateUnused}, s.e.Gate) {
		s.effect(EffectRead, s.now) // the key is not as it was: a reading says how, and alarms
	}
	if next == Failed && s.r.ActedOn {
		s.alarm() // a block that was lifted for a while is not put back
	}
}

func (s *step) beginUndo() {
	if s.r.Means == MeansGuided {
		s.to(s.r.State, NoteOwnerAsked, audit.RemediationInstructed)
		s.r.OwnerDone = time.Time{}
		s.expireIn(ownerPatience)
		s.effect(EffectOwner, s.now)
		s.effect(EffectRead, s.now.Add(guidedReadEvery))
		return
	}
	s.r.Attempt++
	s.r.ActedOn, s.r.ChangedAt = true, s.now
	s.r.Deadline = time.Time{} // a call that was begun is settled by reading AWS, not by the clock
	s.to(s.r.State, NoteBegun, audit.RemediationAttempted)
	s.effect(EffectRead, s.now.Add(stuckAfter))
}

func (s *step) blockAgain() {
	s.lapse(func() {
		s.r.Attempt, s.r.Again = 0, true
		s.to(Approved, NoteBlockAgain, audit.RemediationConfirmed)
		s.expireIn(s.r.Policy.ConfirmedFor)
		s.effect(EffectAct, s.now)
	})
}
