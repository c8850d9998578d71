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
