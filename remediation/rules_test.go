package remediation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestEveryPairOfStateAndEventHasOneAnswer(t *testing.T) {
	t.Parallel()
	seen := map[[2]string]bool{}
	for _, r := range remediation.Rules() {
		pair := [2]string{string(r.From), string(r.On)}
		if seen[pair] {
			t.Errorf("%s on %s has two rows", r.From, r.On)
		}
		seen[pair] = true
		if r.From.Ended() {
			t.Errorf("%s has ended, and %s leads out of it", r.From, r.On)
		}
		if len(r.To) == 0 || r.Does == "" {
			t.Errorf("%s on %s says not where it leads or what it does", r.From, r.On)
		}
	}
	for _, s := range remediation.States() {
		for _, k := range remediation.Kinds() {
			d := remediation.Decide(remediation.Request{ID: "r", Version: 3, Shown: 3, State: s}, remediation.Event{Kind: k, Version: 3}, time.Unix(1e9, 0))
			if seen[[2]string{string(s), string(k)}] {
				continue
			}
			want := remediation.RefuseNotNow
			if s.Ended() {
				want = remediation.RefuseEnded
			}
			if d.Refusal == nil || d.Refusal.Code != want || d.Changed {
				t.Errorf("%s on %s answers %+v, want the refusal %s", s, k, d.Refusal, want)
			}
		}
	}
}

func TestEveryStateIsReachedAndLeft(t *testing.T) {
	t.Parallel()
	entered, left := map[remediation.State]bool{remediation.Requested: true}, map[remediation.State]bool{}
	for _, r := range remediation.Rules() {
		for _, to := range r.To {
			if !slices.Contains(remediation.States(), to) {
				t.Errorf("%s on %s leads to %q, which is no state", r.From, r.On, to)
			}
			entered[to] = true
			if to != r.From {
				left[r.From] = true
			}
		}
	}
	for _, s := range remediation.States() {
		if !entered[s] {
			t.Errorf("nothing leads to %s", s)
		}
		if !s.Ended() && !left[s] {
			t.Errorf("nothing leads out of %s", s)
		}
	}
}

func TestOnlyConfirmedStatesAreLedIntoByAConfirmation(t *testing.T) {
	t.Parallel()
	for _, r := range remediation.Rules() {
		for _, to := range r.To {
			if (to == remediation.DeleteApproved || to == remediation.Approved) && r.On != remediation.Confirm &&
				r.From != to && r.On != remediation.Observe && r.From != remediation.Lifted {
				t.Errorf("%s on %s leads to %s without a confirmation", r.From, r.On, to)
			}
			if to == remediation.Deleting && r.From != remediation.Deleting && (r.From != remediation.DeleteApproved || r.On != remediation.Begin) {
				t.Errorf("%s on %s leads to deleting", r.From, r.On)
			}
		}
	}
}

const (
	account = posture.AccountID("222222222222")
	keyID   = posture.KeyID("AKIAEXAMPLEKEY7XQ2AB")
)

func start() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

func ana() remediation.Person { return remediation.Person{User: "UANA", Email: "ana@example.com"} }
func ben() remediation.Person { return remediation.Person{User: "UBEN", Email: "ben@example.com"} }
func cho() remediation.Person { return remediation.Person{User: "UCHO", Email: "cho@example.com"} }

func activeKey() posture.Key {
	return posture.Key{ID: keyID, Status: posture.KeyActive, Created: start().AddDate(-2, 0, 0), LastUsed: start().AddDate(0, -3, 0)}
}

// aws is what a reading shows: one key, by the root user's own session, at a time.
func aws(at time.Time, keys ...posture.Key) remediation.Facts {
	return remediation.Facts{
		Source: "acme", Account: account, Begun: at, At: at, AWS: at, Keys: keys, KeysKnown: true, KeysAt: at, NoKeys: len(keys) == 0,
		Block: remediation.BlockFacts{Known: true, Intact: true}, RootSession: true, CallerOf: account, KeyAccount: account,
	}
}

func blocked(f remediation.Facts) remediation.Facts {
	f.Block.Attached = true
	return f
}

func opened(means, del remediation.Means) remediation.Request {
	return remediation.Open("r1", ana(), "left over", aws(start(), activeKey()), activeKey(), means, del, remediation.DefaultPolicy(), start())
}

// story plays events on a request and fails on the first refusal.
type story struct {
	t   *testing.T
	r   remediation.Request
	now time.Time
	did []remediation.EffectKind
}

func (s *story) on(e remediation.Event) remediation.Decision {
	s.t.Helper()
	if e.Version == 0 && e.By.User != "" {
		e.Version = s.r.Version
	}
	d := remediation.Decide(s.r, e, s.now)
	if d.Refusal != nil {
		s.t.Fatalf("%s on %s was refused: %v", s.r.State, e.Kind, d.Refusal)
	}
	s.r = d.Next
	s.did = nil
	for _, f := range d.Effects {
		s.did = append(s.did, f.Kind)
	}
	return d
}

func (s *story) is(want remediation.State) {
	s.t.Helper()
	if s.r.State != want {
		s.t.Fatalf("the request is %s (%s), want %s", s.r.State, s.r.Note, want)
	}
}

func (s *story) watched(f func(remediation.Facts) remediation.Facts, k posture.Key) {
	s.t.Helper()
	for range 8 {
		s.now = s.now.Add(24 * time.Hour)
		s.on(remediation.Event{Kind: remediation.Observe, Facts: f(aws(s.now, k))})
	}
	if s.r.Remaining() != 0 {
		s.t.Fatalf("after eight days %s remain", s.r.Remaining())
	}
}

func TestAMemberAccountsKeyIsBlockedWatchedAndDeleted(t *testing.T) {
	t.Parallel()
	s := &story{t: t, r: opened(remediation.MeansOrganization, remediation.MeansOrganization), now: start()}
	s.on(remediation.Event{Kind: remediation.Confirm, By: ben(), Version: 1})
	s.is(remediation.Approved)
	s.on(remediation.Event{Kind: remediation.Begin})
	s.is(remediation.Deactivating)
	s.on(remediation.Event{Kind: remediation.Succeeded, Facts: blocked(aws(s.now, activeKey()))})
	s.is(remediation.Inactive)
	if !s.r.BlockHeld || s.r.Key.Status != posture.KeyActive {
		t.Errorf("a blocked key is said to be %s", s.r.Key.Status)
	}
	s.watched(blocked, activeKey())
	s.on(remediation.Event{Kind: remediation.AskDelete, By: ana(), Reason: "unused for a week", Version: s.r.Version})
	s.on(remediation.Event{Kind: remediation.Confirm, By: ben(), Version: s.r.Version})
	s.is(remediation.DeleteApproved)
	s.on(remediation.Event{Kind: remediation.Begin})
	s.is(remediation.Deleting)
	s.on(remediation.Event{Kind: remediation.Succeeded, AWSID: "aws-1", Facts: aws(s.now)})
	s.is(remediation.Deleted)
	s.now = s.now.Add(15 * time.Second)
	s.on(remediation.Event{Kind: remediation.Observe, Facts: blocked(aws(s.now))})
	s.is(remediation.Deleted)
	s.now = s.now.Add(15 * time.Second)
	s.on(remediation.Event{Kind: remediation.Observe, Facts: blocked(aws(s.now))})
	s.is(remediation.Verified)
	if !slices.Contains(s.did, remediation.EffectRelease) {
		t.Errorf("a verified request keeps its block: %v", s.did)
	}
}

func TestTheWatchOnlyGetsLonger(t *testing.T) {
	t.Parallel()
	inactive := activeKey()
	inactive.Status = posture.KeyInactive
	fresh := func() *story {
		s := &story{t: t, r: opened(remediation.MeansRootCredentials, remediation.MeansRootCredentials), now: start()}
		s.on(remediation.Event{Kind: remediation.Confirm, By: ben()})
		s.on(remediation.Event{Kind: remediation.Begin})
		s.on(remediation.Event{Kind: remediation.Succeeded, Facts: aws(s.now, inactive)})
		return s
	}
	t.Run("a month without a reading counts as a day", func(t *testing.T) {
		t.Parallel()
		s := fresh()
		s.now = s.now.AddDate(0, 1, 0)
		s.on(remediation.Event{Kind: remediation.Observe, Facts: aws(s.now, inactive)})
		if s.r.Watched != 24*time.Hour {
			t.Errorf("watched %s", s.r.Watched)
		}
	})
	t.Run("our clock running ahead of AWS's does not count", func(t *testing.T) {
		t.Parallel()
		s := fresh()
		s.now = s.now.Add(20 * time.Hour)
		f := aws(s.now, inactive)
		f.AWS = start().Add(time.Hour)
		s.on(remediation.Event{Kind: remediation.Observe, Facts: f})
		if s.r.Watched != time.Hour {
			t.Errorf("watched %s, want the hour that passed for AWS", s.r.Watched)
		}
	})
	t.Run("a clock that goes back takes nothing away and gives nothing twice", func(t *testing.T) {
		t.Parallel()
		s := fresh()
		for _, h := range []int{10, 2, 10, 2, 10} {
			s.now = start().Add(time.Duration(h) * time.Hour)
			s.on(remediation.Event{Kind: remediation.Observe, Facts: aws(s.now, inactive)})
		}
		if s.r.Watched != 10*time.Hour {
			t.Errorf("watched %s, want 10h", s.r.Watched)
		}
	})
	t.Run("a failed reading does not advance it", func(t *testing.T) {
		t.Parallel()
		s := fresh()
		s.now = s.now.Add(10 * time.Hour)
		s.on(remediation.Event{Kind: remediation.Observe, Facts: remediation.Facts{Begun: s.now, Gap: &posture.Gap{Reason: posture.ReasonDenied}}})
		if s.r.Watched != 0 || s.r.Note != remediation.NoteReadingMissing {
			t.Errorf("watched %s with note %s", s.r.Watched, s.r.Note)
		}
	})
	t.Run("a use starts it again and alarms", func(t *testing.T) {
		t.Parallel()
		s := fresh()
		s.now = s.now.Add(20 * time.Hour)
		used := inactive
		used.LastUsed = s.now.Add(-time.Hour)
		s.on(remediation.Event{Kind: remediation.Observe, Facts: aws(s.now, used)})
		s.is(remediation.Inactive)
		if s.r.Watched != 0 || !slices.Contains(s.did, remediation.EffectAlarm) {
			t.Errorf("watched %s, effects %v", s.r.Watched, s.did)
		}
	})
	t.Run("a reactivation ends it and alarms", func(t *testing.T) {
		t.Parallel()
		s := fresh()
		s.now = s.now.Add(time.Hour)
		s.on(remediation.Event{Kind: remediation.Observe, Facts: aws(s.now, activeKey())})
		s.is(remediation.Reactivated)
		if !slices.Contains(s.did, remediation.EffectAlarm) {
			t.Errorf("effects %v", s.did)
		}
	})
}

func TestPeopleCannotConfirmTheirOwn(t *testing.T) {
	t.Parallel()
	r := opened(remediation.MeansOrganization, remediation.MeansOrganization)
	sameEmail := remediation.Person{User: "UANA2", Email: "Ana@Example.com"}
	for name, c := range map[string]struct {
		by      remediation.Person
		version int
		at      time.Duration
		want    remediation.RefusalCode
	}{
		"the requester":                       {ana(), 1, 0, remediation.RefuseOwn},
		"the requester by another Slack user": {sameEmail, 1, 0, remediation.RefuseOwn},
		"after the deadline":                  {ben(), 1, 25 * time.Hour, remediation.RefuseExpired},
		"on an outdated card":                 {ben(), 7, 0, remediation.RefuseOutdated},
		"on no card at all":                   {ben(), 0, 0, remediation.RefuseOutdated},
	} {
		d := remediation.Decide(r, remediation.Event{Kind: remediation.Confirm, By: c.by, Version: c.version}, start().Add(c.at))
		if d.Refusal == nil || d.Refusal.Code != c.want {
			t.Errorf("%s: %+v, want %s", name, d.Refusal, c.want)
		}
	}
}

func TestADeletionWithTwoApproversWantsTwoOfThem(t *testing.T) {
	t.Parallel()
	r := opened(remediation.MeansOrganization, remediation.MeansOrganization)
	r.Policy.DeleteApprovals = 2
	r.State, r.Watched = remediation.Inactive, r.Policy.Watch
	s := &story{t: t, r: r, now: start()}
	s.on(remediation.Event{Kind: remediation.AskDelete, By: ana(), Reason: "unused"})
	s.on(remediation.Event{Kind: remediation.Confirm, By: ben()})
	s.is(remediation.DeleteRequested)
	d := remediation.Decide(s.r, remediation.Event{Kind: remediation.Confirm, By: ben(), Version: s.r.Version}, s.now)
	if d.Refusal == nil || d.Refusal.Code != remediation.RefuseTwice {
		t.Errorf("the same approver again: %+v", d.Refusal)
	}
	s.on(remediation.Event{Kind: remediation.Confirm, By: cho()})
	s.is(remediation.DeleteApproved)
}

func TestADeletionIsNotAskedForTooSoon(t *testing.T) {
	t.Parallel()
	for want, change := range map[remediation.RefusalCode]func(*remediation.Request, *remediation.Event){
		remediation.RefuseReason:   func(_ *remediation.Request, e *remediation.Event) { e.Reason = "" },
		remediation.RefuseNoMeans:  func(r *remediation.Request, _ *remediation.Event) { r.DeleteMeans = remediation.MeansNone },
		remediation.RefuseWatching: func(r *remediation.Request, _ *remediation.Event) { r.Watched-- },
		remediation.RefuseInUse:    func(r *remediation.Request, _ *remediation.Event) { r.Key.LastUsed = start().Add(-13 * 24 * time.Hour) },
	} {
		r := opened(remediation.MeansOrganization, remediation.MeansOrganization)
		r.State, r.Watched = remediation.Inactive, r.Policy.Watch
		e := remediation.Event{Kind: remediation.AskDelete, By: ana(), Reason: "unused", Version: r.Version}
		change(&r, &e)
		if d := remediation.Decide(r, e, start()); d.Refusal == nil || d.Refusal.Code != want {
			t.Errorf("got %+v, want %s", d.Refusal, want)
		}
	}
}

func TestNothingLapsesBeforeItsTime(t *testing.T) {
	t.Parallel()
	r := opened(remediation.MeansOrganization, remediation.MeansOrganization)
	d := remediation.Decide(r, remediation.Event{Kind: remediation.Lapse}, r.Deadline.Add(-time.Nanosecond))
	if d.Refusal == nil || d.Refusal.Code != remediation.RefuseEarly {
		t.Errorf("a moment before: %s, %+v", d.Next.State, d.Refusal)
	}
	if d = remediation.Decide(r, remediation.Event{Kind: remediation.Lapse}, r.Deadline); d.Next.State != remediation.Expired {
		t.Errorf("when it is time: %s, %+v", d.Next.State, d.Refusal)
	}
}
