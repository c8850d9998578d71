package remediation

import (
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// This file decides when a reading tells what became of a call whose outcome nobody saw.

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

func latest(t time.Time, more ...time.Time) time.Time {
	for _, u := range more {
		if u.After(t) {
			t = u
		}
	}
	return t
}

// unsure keeps the state: nobody knows whether the call had an effect, so AWS is read after IAM's propagation time.
func (s *step) unsure() {
	s.to(s.r.State, NoteUnsure, audit.RemediationUncertain)
	s.effect(EffectRead, s.now.Add(SettleAfter))
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
