package remediation

import (
	"fmt"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// Decision is the answer to an event. Either Refusal is set and nothing changed, or Next is the request after the
// transition, with its effects. A Decision without a Refusal and with Changed false needs no writing.
type Decision struct {
	Next    Request
	Changed bool
	Refusal *Refusal
	Effects []Effect
	Action  audit.Action
}

// Refusal is why an event changes nothing. It is audited like a transition.
type Refusal struct {
	Code    RefusalCode
	State   State  // where the request stands
	By      string // who already decided, where somebody did
	Missing string // what is wanted
}

// Error is for logs; people get the sentence of the code in their language.
func (r *Refusal) Error() string {
	return fmt.Sprintf("request is %s: %s", r.State, r.Code)
}

// RefusalCode names a refusal.
type RefusalCode string

// The refusals of the machine itself. Whether a person may act at all is decided before, by a live look-up.
const (
	RefuseEnded      RefusalCode = "ended"       // nothing leads out of the state
	RefuseNotNow     RefusalCode = "not_now"     // the state has no such step
	RefuseOutdated   RefusalCode = "outdated"    // the button is of an older version
	RefuseOwn        RefusalCode = "own"         // the two-person rule: the requester does not confirm
	RefuseTwice      RefusalCode = "twice"       // the same approver again
	RefuseExpired    RefusalCode = "expired"     // the confirmation came after the deadline
	RefuseWatching   RefusalCode = "watching"    // the watch window is not over
	RefuseInUse      RefusalCode = "in_use"      // used within the guard period and no override
	RefuseBlockAgain RefusalCode = "block_again" // a lifted block comes back, as was confirmed
	RefuseNoMeans    RefusalCode = "no_means"    // there is no means for this step
	RefuseReason     RefusalCode = "reason"      // a reason is required
	RefuseEarly      RefusalCode = "early"       // the deadline has not come
	RefuseNotReadYet RefusalCode = "not_read"    // AWS has not been read since
	RefuseNotYours   RefusalCode = "not_yours"   // only the requester or an approver
	RefuseHeld       RefusalCode = "held"        // another request on the key is open
	RefuseStaleFacts RefusalCode = "stale_facts" // the key is not what was asked about
)

// Decide answers an event. It never changes its arguments and asks nothing of anybody.
func Decide(r Request, e Event, now time.Time) Decision {
	rule, ok := lookup(r.State, e.Kind)
	switch {
	case !ok && r.State.Ended():
		return refuse(r, RefuseEnded)
	case !r.Current(e.Version) && (e.Version != 0 || e.Kind.seen()):
		return refuse(r, RefuseOutdated)
	case !ok:
		return refuse(r, RefuseNotNow)
	}
	return rule.decide(r, e, now)
}

func (rule Rule) decide(r Request, e Event, now time.Time) Decision {
	s := step{was: r, r: r.Under(e.Policy).clone(), e: e, now: now}
	if e.Kind == Observe && !r.Tells(e, now) {
		s.early()
	} else {
		rule.do(&s)
		s.settleFrom()
	}
	switch {
	case s.refusal != nil:
		return Decision{Next: r, Refusal: s.refusal}
	case !s.changed:
		return Decision{Next: r, Effects: s.effects}
	}
	if !slices.Contains(rule.To, s.r.State) {
		// The table is what reviewers read. A transition that it does not name is a defect, and fails closed.
		return refuse(r, RefuseNotNow)
	}
	s.r.Version, s.r.Policy = r.Version+1, r.Policy
	return Decision{Next: s.r, Changed: true, Effects: s.effects, Action: s.action}
}

func refuse(r Request, c RefusalCode) Decision {
	f := &Refusal{Code: c, State: r.State}
	if given := r.Present().Confirmers(); len(given) > 0 {
		f.By = given[len(given)-1]
	}
	if r.EndedBy != nil {
		f.By = r.EndedBy.User
	}
	return Decision{Next: r, Refusal: f}
}

// step is one transition in the making.
type step struct {
	was     Request
	r       Request
	e       Event
	now     time.Time
	changed bool
	refusal *Refusal
	effects []Effect
	action  audit.Action
}

func (s *step) refuse(c RefusalCode) { s.refusal = refuse(s.was, c).Refusal }

// to enters a state. Each transition redraws the card and tells its thread.
func (s *step) to(next State, n Note, a audit.Action) {
	if s.r.State != next {
		s.r.Since = s.now
		s.r.Deadline = time.Time{}
	}
	s.r.State, s.r.Note, s.r.NoteDetail = next, n, ""
	s.changed, s.action, s.r.Shown = true, a, s.was.Version+1
	s.effect(EffectDraw, s.now)
	s.effects = append(s.effects, Effect{Kind: EffectTell, Note: n, At: s.now})
	if next.Ended() && (s.r.BlockHeld || s.r.Means == MeansOrganization && s.r.ActedOn) {
		s.effect(EffectRelease, s.now)
	}
	if next.Ended() {
		s.effect(EffectRescan, s.now)
	}
}

func (s *step) effect(k EffectKind, at time.Time) {
	s.effects = append(s.effects, Effect{Kind: k, Note: s.r.Note, At: at})
}

func (s *step) alarm() {
	s.r.AlarmedAt = s.now
	s.effect(EffectAlarm, s.now)
}

func (s *step) expireIn(d time.Duration) {
	s.r.Deadline = s.now.Add(d)
	s.effect(EffectLapse, s.r.Deadline)
}

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

// end takes the request out of the story; what it held is released.
func (s *step) end(next State, n Note, a audit.Action) {
	if s.e.By.User != "" {
		by := s.e.By
		s.r.EndedBy = &by
	}
	s.to(next, n, a)
}

// takeBack ends a request because somebody says so. That a lifted block comes back was confirmed with the lift: to leave it
// off is an undo, which nobody does alone.
func (s *step) takeBack(next State, n Note, a audit.Action) {
	if s.r.Again && s.r.State == Approved {
		s.refuse(RefuseBlockAgain)
		return
	}
	s.giveUp(next, n, a)
}

// unwatch lets go of a key that others put out of use: without it a request that can go no further, as one that was made
// in a dry run, would hold its key for ever.
func (s *step) unwatch() {
	if s.r.ActedOn || s.r.BlockHeld {
		s.refuse(RefuseNotNow)
		return
	}
	s.end(Cancelled, NoteUnwatched, audit.RemediationCancelled)
}

// giveUp ends a request whose key is still in use. Where its block was lifted for a while, that stays off.
func (s *step) giveUp(next State, n Note, a audit.Action) {
	if s.r.Again {
		n = NoteBlockOff
	}
	s.end(next, n, a)
	if s.r.Again {
		s.alarm()
	}
}

// off takes a step off that came to nothing: back to the watch, or to the end.
func (s *step) off(next State, n Note, a audit.Action) {
	if next == Inactive {
		s.back(n, a)
		return
	}
	s.end(next, n, a)
}

// back returns to the watch: the step that was asked for is off, the key stays inactive.
func (s *step) back(n Note, a audit.Action) {
	s.r.Approvals, s.r.Attempt = nil, 0
	if ActOf(s.was.State).undo() {
		// Readings settled the undo and watched nothing meanwhile: the window begins with the next one.
		s.r.Watched, s.r.ReadAt, s.r.ReadAWS = 0, s.now, time.Time{}
	}
	s.to(Inactive, n, a)
	s.nextRead()
}

func (s *step) lapse(then func()) {
	if s.r.Deadline.IsZero() || s.now.Before(s.r.Deadline) {
		s.refuse(RefuseEarly)
		return
	}
	then()
}

// failed records AWS's answer. The code is AWS's own word; its message stays in the log.
func (s *step) failed(next State) {
	s.r.LastAWS = s.e.AWSID
	s.off(next, NoteRefusedByAWS, audit.RemediationFailed)
	s.r.NoteDetail = s.e.Code
	s.alarm()
}

// unsure keeps the state: nobody knows whether the call had an effect, so AWS is read after IAM's propagation time.
func (s *step) unsure() {
	s.to(s.r.State, NoteUnsure, audit.RemediationUncertain)
	s.effect(EffectRead, s.now.Add(SettleAfter))
}

// Tells reports whether a reading shows AWS as it is after whatever the bot last changed. One that began before the
// request's last call was answered may show AWS as it was before; and where no answer came, the call may be under way for as
// long as its time-out. That is told by our clock and by AWS's: either alone may have skipped. Another request may have
// changed the account's block meanwhile.
func (r Request) Tells(e Event, now time.Time) bool {
	ahead := r.SettleAWS.Sub(e.Facts.AWS)
	if !r.SettleAWS.IsZero() && !e.Facts.AWS.IsZero() && ahead > 0 && ahead <= stuckAfter+maxSkew {
		return false // further ahead than that AWS's clock never was: then one of the two answers was not AWS's
	}
	return !e.Facts.Begun.Before(r.settled(e, now))
}

// settled is when the earliest reading may begin that tells something.
func (r Request) settled(e Event, now time.Time) time.Time {
	if e.Since.Sub(now) > maxSkew {
		e.Since = time.Time{} // our clock was set back since: it tells nothing of what came first
	}
	return latest(r.SettleFrom, r.ChangedAt, e.Since)
}

// early puts off a reading that cannot tell yet.
func (s *step) early() {
	if latest(s.r.SettleFrom, s.r.ChangedAt).Sub(s.now) > stuckAfter+maxSkew {
		// Our clock was set back since. What it shows from now on is later than the call, whatever it showed then.
		s.r.SettleFrom, s.r.ChangedAt = s.now.Add(stuckAfter), s.now
		s.changed, s.action = true, audit.RemediationUncertain
	}
	s.effect(EffectRead, latest(s.now.Add(time.Second), s.r.settled(s.e, s.now)))
}

// settleFrom notes from when on a reading tells what became of the last changing call, and of whatever an older one showed.
func (s *step) settleFrom() {
	f := s.e.Facts
	switch {
	case !s.changed:
	case s.r.Attempt > s.was.Attempt: // begun: its answer settles it, or a reading after its time-out
		s.r.SettleFrom, s.r.SettleAWS = s.now.Add(stuckAfter), time.Time{}
		if !f.AWS.IsZero() {
			s.r.SettleAWS = f.AWS.Add(stuckAfter)
		}
	case s.e.Kind == Succeeded || s.e.Kind == Unsure:
		s.r.SettleFrom, s.r.SettleAWS = s.now.Add(SettleAfter), s.answeredAWS()
	case s.e.Kind == Refused || s.e.Kind == Unavailable || s.e.Kind == GateShut: // nothing was changed
		s.r.SettleFrom, s.r.SettleAWS = s.now, s.answeredAWS()
	case s.e.Kind == Observe && f.Gap == nil:
		s.r.SettleFrom, s.r.SettleAWS = latest(s.r.SettleFrom, f.Begun), latest(s.r.SettleAWS, f.AWS)
	}
}

// answeredAWS is when the call was answered by AWS's clock, as far as our own tells how long it took.
func (s *step) answeredAWS() time.Time {
	took := s.now.Sub(s.r.ChangedAt)
	if s.r.SettleAWS.IsZero() || took < 0 || took > stuckAfter {
		return s.r.SettleAWS
	}
	return s.r.SettleAWS.Add(took - stuckAfter)
}

// SettleAfter is how long after a change a reading of IAM is believed. Key changes were measured to take 3 to 4 s.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency
const SettleAfter = 15 * time.Second

// gone ends a request whose key is not listed any more. Where another key may be it under a new date, the change is one
// that nobody can explain: the request is stale, and nothing is said to be gone. A key that was watched and went, or that
// went as another one came, is an alarm.
func (s *step) gone() {
	n := NoteGone
	switch {
	case s.e.Facts.another(s.r):
		s.stale()
		return
	case s.newKey():
		n = NoteGoneNewKey
	}
	s.end(GoneOutside, n, audit.RemediationGoneOutside)
	if n == NoteGoneNewKey || !s.r.InactiveAt.IsZero() {
		s.alarm()
	}
}

// stale ends a request whose key is not what was asked about any more. What is listed in its place is a new key.
func (s *step) stale() {
	s.newKey()
	if k, present, _ := s.e.Facts.find(s.r); present {
		s.r.NewKeys = append(s.r.NewKeys, keyNames(k)...)
	}
	s.end(Stale, NoteStale, audit.RemediationStale)
	s.alarm()
}

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

// ownerPatience is how long a guided step waits for its owner before it lapses.
const ownerPatience = 14 * 24 * time.Hour

// guidedReadEvery is how often a guided step is looked at without anybody saying Done.
const guidedReadEvery = time.Hour

// stuckAfter is when a call that never reported back is settled by reading AWS: longer than its time-out.
const stuckAfter = 2 * time.Minute

func (s *step) ownerDone() {
	if s.r.State == Reactivating && s.r.Means != MeansGuided {
		s.refuse(RefuseNotNow)
		return
	}
	s.r.OwnerDone = s.now
	s.to(s.r.State, NoteOwnerSaysDone, audit.OwnerConfirmed)
	s.effect(EffectRead, s.now)
}

// missing notes that AWS could not be read. Nothing is concluded from it but that the watch does not advance, and that
// somebody must be told when it lasts.
func (s *step) missing() {
	again, bearable := 5*time.Minute, dayOfWatch
	if s.r.State == Deleted || s.r.State.InFlight() && s.r.Means != MeansGuided {
		again, bearable = SettleAfter, time.Hour
	}
	s.effect(EffectRead, s.now.Add(again))
	blind := s.r.State != AwaitingOwner && s.r.State != AwaitingOwnerDelete && // these have a deadline of their own
		s.now.Sub(latest(s.r.Since, s.r.ReadAt, s.r.ChangedAt, s.r.AlarmedAt)) >= bearable
	if !blind && (s.r.Note == NoteReadingMissing || s.e.Facts.Gap == nil) {
		return
	}
	s.r.Note, s.r.NoteDetail, s.changed, s.action = NoteReadingMissing, "", true, audit.RemediationUncertain
	s.effect(EffectDraw, s.now)
	if g := s.e.Facts.Gap; g != nil {
		s.r.NoteDetail = string(g.Reason)
	}
	if blind {
		s.action = audit.RemediationAlarmed
		s.alarm()
	}
}

func latest(t time.Time, more ...time.Time) time.Time {
	for _, u := range more {
		if u.After(t) {
			t = u
		}
	}
	return t
}

// snapshot keeps what a fresh reading tells of the key.
func (s *step) snapshot(k posture.Key) {
	s.r.Key.Status = k.Status
	if s.e.Facts.KeysAt.After(s.r.ListedAt) {
		s.r.ListedAt = s.e.Facts.KeysAt
	}
	if k.LastUsed.After(s.r.Key.LastUsed) {
		s.r.Key.LastUsed, s.r.Key.UsedService, s.r.Key.UsedRegion = k.LastUsed, k.UsedService, k.UsedRegion
	}
}

// agreed is what follows a call that AWS said yes to, once the reading that the means made after it shows the effect. Until
// one does, nobody knows: IAM and Organizations answer before their change is everywhere.
func agreed(then func(*step)) func(*step) {
	return func(s *step) {
		if !s.agrees() {
			s.unsure()
			return
		}
		then(s)
	}
}

// agrees reports whether the reading shows what the step was to do.
func (s *step) agrees() bool {
	k, present, _ := s.e.Facts.find(s.r)
	block, undo := s.e.Facts.Block, ActOf(s.r.State).undo()
	switch {
	case s.r.Means != MeansOrganization:
		return present && undo == (k.Status != posture.KeyInactive)
	case undo:
		return block.Known && !block.Attached
	default:
		return block.Known && block.Attached && block.Intact
	}
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
