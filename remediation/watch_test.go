package remediation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func inactiveKey() posture.Key {
	k := activeKey()
	k.Status = posture.KeyInactive
	return k
}

// blockedStory is a member account's key, blocked a moment ago.
func blockedStory(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, r: opened(remediation.MeansOrganization, remediation.MeansOrganization), now: start()}
	s.on(remediation.Event{Kind: remediation.Confirm, By: ben()})
	s.on(remediation.Event{Kind: remediation.Begin})
	s.on(remediation.Event{Kind: remediation.Succeeded, Facts: blocked(aws(s.now, activeKey()))})
	s.is(remediation.Inactive)
	s.r.ChangedAt, s.r.SettleFrom, s.r.SettleAWS = time.Time{}, time.Time{}, time.Time{} // that was long ago
	return s
}

func (s *story) observe(f remediation.Facts) remediation.Decision {
	s.t.Helper()
	return s.on(remediation.Event{Kind: remediation.Observe, Facts: f})
}

func TestAReadingWithoutAWSsTimeDoesNotAdvanceTheWatch(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"the first reading": true, "a later reading": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeless := aws(start(), inactiveKey())
			if first {
				timeless.AWS = time.Time{}
			}
			r := remediation.Open("r1", ana(), "left over", timeless, inactiveKey(), remediation.MeansGuided, remediation.MeansGuided, remediation.DefaultPolicy(), start())
			s := &story{t: t, r: r, now: start().Add(20 * time.Hour)}
			f := aws(s.now, inactiveKey())
			if !first {
				f.AWS = time.Time{}
			}
			s.observe(f)
			if s.r.Watched != 0 {
				t.Errorf("watched %s", s.r.Watched)
			}
			s.now = s.now.Add(time.Hour)
			s.observe(aws(s.now, inactiveKey()))
			if s.r.Watched == 0 {
				t.Error("the next reading does not advance it either")
			}
		})
	}
}

func TestAWatchThatStartsAgainDoesNotWaitForTheBlockAgain(t *testing.T) {
	t.Parallel()
	s := blockedStory(t)
	for _, after := range []time.Duration{2 * time.Hour, 2*time.Hour + 10*time.Minute} {
		used := activeKey()
		used.LastUsed = start().Add(after - time.Minute)
		s.now = start().Add(after)
		s.observe(blocked(aws(s.now, used)))
		if s.r.Note != remediation.NoteUsed || s.r.Watched != 0 || !slices.Contains(s.did, remediation.EffectAlarm) {
			t.Errorf("a use at %s is noted as %s with %v", after, s.r.Note, s.did)
		}
	}
}

func TestAUseDoesNotVoidAnUndoThatIsPending(t *testing.T) {
	t.Parallel()
	for _, ask := range []remediation.Kind{remediation.AskReactivate, remediation.AskLift} {
		s := blockedStory(t)
		s.on(remediation.Event{Kind: ask, By: ana(), Reason: "production needs it"})
		pending, version := s.r.State, s.r.Version
		used := activeKey()
		s.now = s.now.Add(time.Hour)
		used.LastUsed = s.now.Add(-time.Minute)
		s.observe(blocked(aws(s.now, used)))
		s.is(pending)
		if s.r.Note != remediation.NoteUsed || !slices.Contains(s.did, remediation.EffectAlarm) {
			t.Errorf("the use is noted as %s with %v", s.r.Note, s.did)
		}
		s.on(remediation.Event{Kind: remediation.Confirm, By: ben(), Version: version})
		if !s.r.State.InFlight() {
			t.Errorf("%s was confirmed by the button that people see, and is %s", ask, s.r.State)
		}
	}
}

func TestAUseThatAWSTellsLateVoidsADeletionThatNobodyWasShownItFor(t *testing.T) {
	t.Parallel()
	late := inactiveKey()
	late.LastUsed = start().Add(-time.Hour)
	for _, state := range []remediation.State{
		remediation.DeleteRequested, remediation.DeleteApproved, remediation.Deleting, remediation.AwaitingOwnerDelete,
	} {
		r := atState(state, inactiveKey())
		r.Approvals = []remediation.Approval{{By: ben(), At: start()}}
		d := remediation.Decide(r, remediation.Event{Kind: remediation.Observe, Facts: aws(start(), late)}, start())
		if d.Next.State != remediation.Inactive || d.Next.Note != remediation.NoteUsed || len(d.Next.Approvals) != 0 {
			t.Errorf("%s becomes %s, noted %s, with %d approvals", state, d.Next.State, d.Next.Note, len(d.Next.Approvals))
		}
	}
	r := atState(remediation.Inactive, inactiveKey())
	if d := remediation.Decide(r, remediation.Event{Kind: remediation.Observe, Facts: aws(start(), late)}, start()); d.Next.Note == remediation.NoteUsed {
		t.Error("a use from before the watch starts the watch again though nothing was asked")
	}
}

func TestABlockThatIsTakenAwayIsNoticedAlsoWhereTheKeyIsInactive(t *testing.T) {
	t.Parallel()
	s := blockedStory(t)
	s.now = s.now.Add(time.Hour)
	unknown := aws(s.now, inactiveKey())
	unknown.Block = remediation.BlockFacts{}
	s.observe(unknown)
	s.is(remediation.Inactive)
	if s.r.Watched != 0 {
		t.Errorf("a block that could not be read advances the watch by %s", s.r.Watched)
	}
	s.observe(aws(s.now, inactiveKey()))
	s.is(remediation.Reactivated)
	if s.r.Note != remediation.NoteDetached || !slices.Contains(s.did, remediation.EffectAlarm) {
		t.Errorf("it is noted as %s with %v", s.r.Note, s.did)
	}
}

func TestAKeyThatOthersMadeInactiveDoesNotHoldTheAccountsBlock(t *testing.T) {
	t.Parallel()
	s := &story{t: t, r: opened(remediation.MeansOrganization, remediation.MeansOrganization), now: start()}
	s.observe(blocked(aws(s.now, inactiveKey())))
	s.is(remediation.Inactive)
	if s.r.BlockHeld || s.r.Means != remediation.MeansGuided {
		t.Errorf("held %v by means of %s: an undo would take away a block that is not its own", s.r.BlockHeld, s.r.Means)
	}
}

func TestAKeyThatNothingWasDoneToIsLookedAtUntilItsRequestEnds(t *testing.T) {
	t.Parallel()
	unread := aws(start())
	unread.Gap = &posture.Gap{Reason: posture.ReasonNoAnswer}
	for name, f := range map[string]remediation.Facts{"nothing new": aws(start(), activeKey()), "no answer": unread} {
		for _, state := range []remediation.State{remediation.Requested, remediation.Approved} {
			s := &story{t: t, r: atState(state, activeKey()), now: start()}
			s.observe(f)
			if !slices.Contains(s.did, remediation.EffectRead) {
				t.Errorf("%s, %s: %v", state, name, s.did)
			}
		}
	}
}

func TestSomebodyIsToldWhenAWSStaysUnread(t *testing.T) {
	t.Parallel()
	for state, bearable := range map[remediation.State]time.Duration{
		remediation.Deactivating: time.Hour, remediation.Deleting: time.Hour, remediation.Deleted: time.Hour, remediation.Inactive: 24 * time.Hour,
		remediation.DeleteRequested: 24 * time.Hour,
	} {
		r := atState(state, activeKey())
		r.Means = remediation.MeansRootCredentials
		s := &story{t: t, r: r, now: start()}
		for _, after := range []time.Duration{bearable - time.Second, bearable, bearable + time.Minute, 2 * bearable} {
			s.now = start().Add(after)
			f := aws(s.now)
			f.Gap = &posture.Gap{Reason: posture.ReasonNoAnswer}
			s.observe(f)
			s.is(state)
			want := after == bearable || after == 2*bearable
			if got := slices.Contains(s.did, remediation.EffectAlarm); got != want {
				t.Errorf("%s unread for %s: alarm %v, want %v", state, after, got, want)
			}
			if !slices.Contains(s.did, remediation.EffectRead) {
				t.Errorf("%s unread for %s is read no more", state, after)
			}
		}
	}
}
