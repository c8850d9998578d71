package remediation

import (
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// dayOfWatch is the most that one reading adds to the watch: each day of a window needs a reading of its own, so that
// downtime lengthens the window instead of shortening it.
const dayOfWatch = 24 * time.Hour

// watchEvery is how often a watched key is read.
const watchEvery = time.Hour

// startWatch begins the window anew at a reading.
func (r Request) startWatch(f Facts, now time.Time) Request {
	if r.InactiveAt.IsZero() {
		r.InactiveAt = now
	}
	r.WatchFrom = now
	if spread := r.InactiveAt.Add(r.Policy.Spread); r.Means == MeansOrganization && r.BlockHeld && spread.After(now) {
		r.WatchFrom = spread
	}
	r.Watched, r.ReadAt, r.ReadAWS = 0, now, f.AWS
	return r
}

// advance adds what lies between two readings, by the slower of the two clocks, and never more than a day. A reading
// without AWS's time adds nothing: nobody knows what it would add.
func (r Request) advance(f Facts, now time.Time) Request {
	if f.AWS.IsZero() {
		return r
	}
	from := latest(r.ReadAt, r.WatchFrom)
	if !r.ReadAWS.IsZero() {
		elapsed := min(now.Sub(from), f.AWS.Sub(r.ReadAWS))
		r.Watched += min(max(0, elapsed), dayOfWatch)
	}
	if now.After(r.ReadAt) {
		r.ReadAt = now
	}
	if f.AWS.After(r.ReadAWS) {
		r.ReadAWS = f.AWS
	}
	return r
}

// blockOurs reports whether the request holds a block that may be taken away: one that was found there is not ours.
func (r Request) blockOurs() bool { return r.BlockHeld && !r.BlockFound }

// shut reports whether the reading shows the key to be out of use by the request's means.
func (r Request) shut(k posture.Key, f Facts) (bool, bool) {
	if k.Status == posture.KeyInactive {
		return true, true
	}
	if r.Means != MeansOrganization {
		return false, true
	}
	return f.Block.Attached && f.Block.Intact, f.Block.Known
}

// becameInactive enters the watch.
func (s *step) becameInactive(n Note, a audit.Action) {
	s.r.Approvals, s.r.Attempt, s.r.Again, s.r.InactiveAt = nil, 0, false, time.Time{}
	s.to(Inactive, n, a)
	s.r = s.r.startWatch(s.e.Facts, s.now)
	s.nextRead()
}

// nextRead comes every hour, and earlier where the watch ends earlier. A watch that is over goes on by the hour.
func (s *step) nextRead() {
	next := watchEvery
	if left := s.r.Remaining(); left > 0 {
		next = min(watchEvery, max(time.Minute, left))
	}
	s.effect(EffectRead, s.now.Add(next))
}

// observeWaiting looks at a key that nothing has been done to yet.
func (s *step) observeWaiting() {
	k, present, known := s.e.Facts.find(s.r)
	switch {
	case !known:
		s.effect(EffectRead, s.now.Add(watchEvery))
	case !present:
		s.gone()
	case !k.Created.Equal(s.r.Key.Created):
		s.stale()
	case k.Status == posture.KeyInactive:
		s.snapshot(k)
		s.foundShut(NoteFoundInactive)
	default:
		s.effect(EffectRead, s.now.Add(watchEvery))
	}
}

// foundShut enters the watch of a key that a reading shows to be out of use. A block that is there after an attempt of
// ours was made, or found, by it: without this it would outlive its request. A key that was made inactive before any
// attempt of ours was made so in the console, where its undo is as well: a block of the account is none of its business.
func (s *step) foundShut(n Note) {
	f := s.e.Facts
	s.r.BlockHeld = s.r.Means == MeansOrganization && s.r.ActedOn && f.Block.Known && f.Block.Attached
	s.r.BlockFound = s.r.BlockHeld && s.e.Found
	if s.r.Means == MeansOrganization && !s.r.ActedOn {
		s.r.Means = MeansGuided
	}
	s.becameInactive(n, audit.RemediationDeactivated)
}

// observeDeactivating settles a call whose outcome nobody saw, and the owner's guided step.
func (s *step) observeDeactivating() {
	k, present, known := s.e.Facts.find(s.r)
	if !known {
		s.missing()
		return
	}
	if !present {
		s.gone()
		return
	}
	s.snapshot(k)
	shut, known := s.r.shut(k, s.e.Facts)
	switch {
	case !known:
		s.missing()
	case shut:
		s.foundShut(NoteInactive)
	case s.r.State == AwaitingOwner:
		s.stillWaiting()
	default:
		s.retry(Approved, Failed)
	}
}

// stillWaiting looks again later at a step that is the owner's.
func (s *step) stillWaiting() {
	s.effect(EffectRead, s.now.Add(guidedReadEvery))
	if s.r.OwnerDone.IsZero() || s.e.Facts.KeysAt.Before(s.r.OwnerDone) || s.r.Note == NoteStillThere {
		return
	}
	s.to(s.r.State, NoteStillThere, audit.RemediationReconciled)
}

// observeWatched looks at a key that is inactive or blocked. Whatever AWS shows that the confirmations did not know of
// voids them and raises an alarm.
func (s *step) observeWatched() {
	f := s.e.Facts
	k, present, known := f.find(s.r)
	if !known {
		s.missing()
		return
	}
	if !present {
		s.gone()
		return
	}
	if s.e.Off.With != "" && f.Block.Attached {
		s.r.BlockFound = true // ours was taken off with another request, and somebody put theirs in its place
	}
	if !k.Created.Equal(s.r.Key.Created) {
		s.stale()
		return
	}
	shut, known := s.r.shut(k, f)
	switch {
	case !known || s.r.BlockHeld && !f.Block.Known:
		s.missing()
	case s.r.BlockHeld && (!shut || !f.Block.Attached):
		s.unblocked()
	case !shut:
		s.end(Reactivated, NoteReactivated, audit.RemediationReactivated)
		s.alarm()
	case s.usedSince(k):
		s.restartWatch(NoteUsed)
	case s.newKey():
		s.restartWatch(NoteNewKey)
	default:
		s.watchOn(k)
	}
}

// unblocked is what a block that is off means for a request that needs it. The block is the account's, so it may have gone
// with another request, as people asked and confirmed; only where it did not was it done behind our back.
func (s *step) unblocked() {
	off := s.e.Off
	switch {
	case s.e.OffSoon && !s.e.Facts.Block.Attached:
		// Whatever becomes of it, the key was in use for a moment: the window begins with the next reading.
		s.r.Watched, s.r.ReadAt, s.r.ReadAWS = 0, s.now, time.Time{}
		s.changed, s.action = true, audit.RemediationObserved
		s.effect(EffectRead, s.now.Add(SettleAfter))
	case off.With == "" || s.e.Facts.Block.Attached:
		s.end(Reactivated, NoteDetached, audit.RemediationReactivated)
		s.alarm()
	case !off.Lift:
		s.r.Off = off
		s.end(Restored, NoteRestoredWith, audit.RemediationRestored)
	case s.e.OffOver:
		s.r.Off = off
		s.end(Reactivated, NoteNotPutBack, audit.RemediationReactivated)
		s.alarm()
	default:
		s.liftedWith(off)
	}
}

// liftedEvery is how often a request is read whose block is lifted for a while with another one.
const liftedEvery = 5 * time.Minute

// liftedWith waits for a block that another request lifted for a while. Nothing is watched meanwhile, and whatever was asked
// for or confirmed is off.
func (s *step) liftedWith(off Off) {
	s.r.Approvals, s.r.Attempt = nil, 0
	s.r.Watched, s.r.BlockHeld, s.r.Off = 0, false, off
	s.to(Lifted, NoteLiftedWith, audit.BlockLifted)
	s.effect(EffectRead, s.now.Add(liftedEvery))
}

// observeLiftedWith looks whether the block is back that another request lifted. The watch begins anew then.
func (s *step) observeLiftedWith(k posture.Key, known bool) {
	block := s.e.Facts.Block
	switch {
	case !known || !block.Known:
		s.missing()
	case s.e.Off.Lift && !s.e.OffOver:
		s.effect(EffectRead, s.now.Add(liftedEvery))
	case s.e.Off.With == "" && block.Attached && block.Intact:
		s.snapshot(k)
		s.r.BlockHeld, s.r.BlockFound, s.r.Off = true, s.e.Found, Off{}
		s.becameInactive(NoteInactive, audit.RemediationDeactivated)
	default:
		s.unblocked()
	}
}

// usedSince reports a use after the watch began, and remembers it. Under a block it may be a request that was denied. Once
// a step was asked for, a use that AWS tells late counts as well: nobody who confirms was shown it.
func (s *step) usedSince(k posture.Key) bool {
	used := k.LastUsed.After(s.r.Key.LastUsed) && (k.LastUsed.After(s.r.WatchFrom) || s.r.State != Inactive)
	s.snapshot(k)
	if used {
		s.r.LastSeen = k.LastUsed
	}
	return used
}

// newKey reports a key of the account that was not there before, and remembers it.
func (s *step) newKey() bool {
	strangers := s.e.Facts.strangers(s.r)
	for _, k := range strangers {
		s.r.OtherKeys, s.r.NewKeys = append(s.r.OtherKeys, keyNames(k)...), append(s.r.NewKeys, keyNames(k)...)
	}
	return len(strangers) > 0
}

// restartWatch voids whatever was confirmed, but an undo that is pending: what it undoes may be why the key is in use.
func (s *step) restartWatch(n Note) {
	if s.r.State == ReactivateRequested || s.r.State == LiftRequested {
		s.to(s.r.State, n, audit.RemediationAlarmed)
		s.r.Shown = s.was.Shown
	} else {
		s.back(n, audit.RemediationAlarmed)
	}
	s.r = s.r.startWatch(s.e.Facts, s.now)
	s.alarm()
	s.nextRead()
}

func (s *step) watchOn(k posture.Key) {
	was := s.r.Remaining()
	s.snapshot(k)
	s.r = s.r.advance(s.e.Facts, s.now)
	s.changed, s.action = true, audit.RemediationObserved
	s.nextRead()
	if s.r.Note == NoteReadingMissing || s.was.Departed() {
		s.r.Note, s.r.NoteDetail = NoteInactive, ""
	}
	if was > 0 && s.r.Remaining() == 0 && s.r.State == Inactive {
		s.to(Inactive, NoteWatchOver, audit.RemediationObserved)
		return
	}
	s.effect(EffectDraw, s.now)
}

// observeReactivating settles the undo, and waits for the owner where the undo is theirs.
func (s *step) observeReactivating() {
	_, present, known := s.e.Facts.find(s.r)
	switch {
	case !known || s.r.Means == MeansOrganization && !s.e.Facts.Block.Known:
		s.missing()
	case !present:
		s.gone()
	case s.agrees():
		s.restored()
	case s.r.Means == MeansGuided:
		s.effect(EffectRead, s.now.Add(guidedReadEvery))
	default:
		s.retryUndo()
	}
}

// retryUndo tries an undo again. It is never given up silently: an undo harms nobody.
func (s *step) retryUndo() {
	if s.r.Attempt < s.r.Policy.Attempts {
		s.to(s.r.State, NoteRetry, audit.RemediationReconciled)
		s.expireIn(s.r.Policy.ConfirmedFor)
		s.effect(EffectAct, s.now)
		return
	}
	s.back(NoteStillThere, audit.RemediationFailed)
	s.alarm()
}

// observeLifted looks at a block that is lifted for a while.
func (s *step) observeLifted() {
	k, present, known := s.e.Facts.find(s.r)
	switch {
	case known && !present:
		s.gone()
	case s.r.State == Lifted && s.r.Off.Lift:
		s.observeLiftedWith(k, known)
	case s.r.State == Lifted && s.e.Off.With != "" && !s.e.Off.Lift:
		s.r.Off = s.e.Off // somebody undid the block for good meanwhile: it does not come back
		s.end(Restored, NoteRestoredWith, audit.RemediationRestored)
	case s.r.State == Lifted:
	case !known || !s.e.Facts.Block.Known:
		s.missing()
	case s.agrees():
		s.lifted()
	default:
		s.retryUndo()
	}
}

func (s *step) restored() {
	s.end(Restored, NoteRestored, audit.RemediationRestored)
}

func (s *step) lifted() {
	s.r.Watched, s.r.BlockHeld = 0, false
	s.to(Lifted, NoteLifted, audit.BlockLifted)
	s.expireIn(s.r.Policy.LiftFor)
}

// observeDeleting settles a deletion whose outcome nobody saw, and the owner's guided one.
func (s *step) observeDeleting() {
	f := s.e.Facts
	k, present, known := f.find(s.r)
	if !known {
		s.missing()
		return
	}
	switch {
	case !present && f.another(s.r):
		s.stale()
		return
	case !present:
		s.deleted(audit.RemediationReconciled)
		return
	}
	shut, known := s.r.shut(k, f)
	switch {
	case !known:
		s.missing()
	case !shut && s.r.BlockHeld:
		s.unblocked()
	case !shut:
		s.end(Reactivated, NoteReactivated, audit.RemediationReactivated)
		s.alarm()
	case s.usedSince(k):
		s.restartWatch(NoteUsed)
	case s.newKey():
		s.restartWatch(NoteNewKey)
	case s.r.State == AwaitingOwnerDelete:
		s.stillWaiting()
	default:
		s.retry(DeleteApproved, Inactive)
	}
}

func (s *step) deleted(a audit.Action) {
	s.r.DeletedAt, s.r.CleanReads, s.r.CleanAt, s.r.AlarmedAt = s.now, 0, time.Time{}, time.Time{}
	if s.e.AWSID != "" {
		s.r.LastAWS = s.e.AWSID
	}
	s.to(Deleted, NoteDeleted, a)
	s.effect(EffectRead, s.now.Add(SettleAfter))
}

// observeDeleted verifies: two clean readings at least [SettleAfter] apart. A key that is still listed after ten
// minutes, or another one that nobody knew, is an alarm, and the end of the story says so.
func (s *step) observeDeleted() {
	_, present, known := s.e.Facts.find(s.r)
	if !known {
		s.missing()
		return
	}
	if present {
		s.r.CleanReads, s.changed, s.action = 0, true, audit.RemediationObserved
		s.effect(EffectRead, s.now.Add(SettleAfter))
		if s.now.Sub(s.r.DeletedAt) > stillListedAfter && s.r.Note != NoteStillThere {
			s.to(Deleted, NoteStillThere, audit.RemediationAlarmed)
			s.alarm()
		}
		return
	}
	if s.newKey() {
		s.to(Deleted, NoteNewKey, audit.RemediationAlarmed)
		s.alarm()
	}
	if s.r.CleanReads == 0 {
		s.r.CleanReads, s.r.CleanAt, s.changed = 1, s.now, true
		if s.action == "" {
			s.action = audit.RemediationObserved
		}
	}
	if s.now.Sub(s.r.CleanAt) < SettleAfter {
		s.effect(EffectRead, s.r.CleanAt.Add(SettleAfter))
		return
	}
	s.r.CleanReads, s.r.VerifiedAt = 2, s.now
	if !s.r.AlarmedAt.IsZero() || s.r.Keeps(s.e.Facts) {
		s.end(VerifiedWithAlarm, NoteVerifiedAlarm, audit.RemediationVerified)
		return
	}
	s.end(Verified, NoteVerified, audit.RemediationVerified)
}

const stillListedAfter = 10 * time.Minute
