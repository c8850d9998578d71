package remediation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/remediation"
)

// deletingStory is a deletion that was confirmed and is under way.
func deletingStory(t *testing.T) *story {
	t.Helper()
	r := atState(remediation.DeleteApproved, inactiveKey())
	r.Means, r.DeleteMeans, r.Watched = remediation.MeansRootCredentials, remediation.MeansRootCredentials, r.Policy.Watch
	r.Approvals = []remediation.Approval{{By: ben(), At: start()}}
	s := &story{t: t, r: r, now: start()}
	s.on(remediation.Event{Kind: remediation.Begin, Facts: aws(start(), inactiveKey())})
	s.is(remediation.Deleting)
	return s
}

func TestAReadingThatOverlapsACallSettlesNothing(t *testing.T) {
	t.Parallel()
	before, during, after := -time.Minute, time.Minute, 2*time.Minute
	for name, c := range map[string]struct {
		began   time.Duration
		settles bool
	}{
		"it began before the call":        {before, false},
		"it began with the call":          {0, false},
		"it began while the call may run": {during, false},
		"it began after its time-out":     {after, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := deletingStory(t)
			s.now = start().Add(after)
			f := aws(s.now, inactiveKey())
			f.Begun = start().Add(c.began)
			d := s.observe(f)
			if got := s.r.State != remediation.Deleting; got != c.settles {
				t.Fatalf("the request is %s (%s)", s.r.State, s.r.Note)
			}
			if !c.settles && (d.Changed || !slices.Contains(s.did, remediation.EffectRead)) {
				t.Errorf("it changes the request: %v, and leads to %v", d.Changed, s.did)
			}
		})
	}
}

func TestAClockThatSkipsAheadDoesNotEndACall(t *testing.T) {
	t.Parallel()
	s := deletingStory(t)
	s.now = start().Add(10 * time.Hour)
	f := aws(s.now, inactiveKey())
	f.AWS = start().Add(10 * time.Second)
	s.observe(f)
	s.is(remediation.Deleting)
	f.AWS = start().Add(2 * time.Minute)
	s.observe(f)
	s.is(remediation.DeleteApproved)
}

func TestAClockThatWasSetBackDoesNotHoldACallForEver(t *testing.T) {
	t.Parallel()
	s := deletingStory(t)
	s.now = start().Add(-48 * time.Hour)
	look := func() {
		f := aws(s.now, inactiveKey())
		f.AWS = time.Time{}
		s.observe(f)
	}
	look()
	s.is(remediation.Deleting)
	s.now = s.now.Add(2*time.Minute - time.Second)
	look()
	s.is(remediation.Deleting)
	s.now = s.now.Add(time.Second)
	look()
	s.is(remediation.DeleteApproved)
}

func TestAnAnswerThatNobodyKnowsIsSettledAfterIAMsPropagation(t *testing.T) {
	t.Parallel()
	s := deletingStory(t)
	s.on(remediation.Event{Kind: remediation.Unsure})
	answered := s.now
	for _, c := range []struct {
		began time.Duration
		want  remediation.State
	}{{0, remediation.Deleting}, {remediation.SettleAfter - 1, remediation.Deleting}, {remediation.SettleAfter, remediation.DeleteApproved}} {
		s.now = answered.Add(time.Minute)
		f := aws(s.now, inactiveKey())
		f.Begun = answered.Add(c.began)
		s.observe(f)
		s.is(c.want)
	}
}

func TestAReadingFromBeforeTheBlockDoesNotUndoIt(t *testing.T) {
	t.Parallel()
	s := beginBlock(t)
	old := aws(s.now, activeKey())
	s.now = s.now.Add(3 * time.Second)
	s.on(remediation.Event{Kind: remediation.Succeeded, Facts: blocked(aws(s.now, activeKey()))})
	s.is(remediation.Inactive)
	for _, began := range []time.Duration{0, time.Second, 3 * time.Second} {
		old.Begun, old.At, old.KeysAt = start().Add(began), s.now, s.now
		s.observe(old)
		s.is(remediation.Inactive)
	}
}

func TestOfTwoReadingsTheOneThatBeganLaterCounts(t *testing.T) {
	t.Parallel()
	s := &story{t: t, r: atState(remediation.AwaitingOwner, activeKey()), now: start().Add(time.Minute)}
	old := aws(start(), activeKey())
	s.observe(aws(start().Add(10*time.Second), inactiveKey()))
	s.is(remediation.Inactive)
	s.observe(old)
	s.is(remediation.Inactive)
}

func TestAnAnswerCountsForItsOwnAttemptAlone(t *testing.T) {
	t.Parallel()
	s := deletingStory(t)
	first := s.r.Version
	s.now = s.now.Add(2 * time.Minute)
	s.observe(aws(s.now, inactiveKey()))
	s.on(remediation.Event{Kind: remediation.Begin, Facts: aws(s.now, inactiveKey())})
	for _, kind := range []remediation.Kind{remediation.Succeeded, remediation.Refused, remediation.Unsure, remediation.GateShut} {
		d := remediation.Decide(s.r, remediation.Event{Kind: kind, Version: first, AWSID: "late"}, s.now)
		if d.Refusal == nil || d.Refusal.Code != remediation.RefuseOutdated {
			t.Errorf("%s of the first attempt is taken for one of the second: %s", kind, d.Next.State)
		}
	}
	s.on(remediation.Event{Kind: remediation.Succeeded, Version: s.r.Version, Facts: aws(s.now)})
	s.is(remediation.Deleted)
}
