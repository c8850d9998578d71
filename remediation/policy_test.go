package remediation_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestTheStricterOfTwoPoliciesLoosensNeither(t *testing.T) {
	t.Parallel()
	loose := remediation.Policy{
		DeleteApprovals: 1, Watch: 24 * time.Hour, Spread: time.Minute, Guard: time.Hour, PendingFor: 48 * time.Hour,
		ConfirmedFor: 48 * time.Hour, LiftFor: 2 * time.Hour, Attempts: 5,
	}
	strict := remediation.Policy{
		TwoPerson: true, DeleteApprovals: 2, Watch: 168 * time.Hour, Spread: time.Hour, Guard: 2 * time.Hour, PendingFor: time.Hour,
		ConfirmedFor: time.Hour, LiftFor: time.Minute, Attempts: 3,
	}
	for name, got := range map[string]remediation.Policy{
		"its own is stricter":            strict.Stricter(loose),
		"the one in force is stricter":   loose.Stricter(strict),
		"none in force changes nothing":  strict.Stricter(remediation.Policy{}),
		"a policy with itself is itself": strict.Stricter(strict),
	} {
		if diff := cmp.Diff(strict, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// loosely is a watched key whose request was made while one person alone could act, a day's watch ago.
func loosely(t *testing.T) *story {
	t.Helper()
	r := atState(remediation.Inactive, inactiveKey())
	r.Means, r.DeleteMeans = remediation.MeansRootCredentials, remediation.MeansRootCredentials
	r.Policy.TwoPerson, r.Policy.Watch, r.Watched = false, 24*time.Hour, 24*time.Hour
	return &story{t: t, r: r, now: start().Add(25 * time.Hour)}
}

func TestAnOpenRequestIsJudgedByTheStricterOfItsPolicyAndTheOneInForce(t *testing.T) {
	t.Parallel()
	now := remediation.DefaultPolicy()
	now.DeleteApprovals = 2
	decide := func(s *story, e remediation.Event) remediation.Decision {
		e.Version, e.Policy, e.Reason = s.r.Version, now, "why"
		return remediation.Decide(s.r, e, s.now)
	}
	wants := func(t *testing.T, d remediation.Decision, code remediation.RefusalCode) {
		t.Helper()
		if d.Refusal == nil || d.Refusal.Code != code {
			t.Fatalf("%s, %v, want the refusal %s", d.Next.State, d.Refusal, code)
		}
	}
	s := loosely(t)
	wants(t, decide(s, remediation.Event{Kind: remediation.AskDelete, By: ana()}), remediation.RefuseWatching)
	s.r.Watched = now.Watch
	s.r = decide(s, remediation.Event{Kind: remediation.AskDelete, By: ana()}).Next
	s.is(remediation.DeleteRequested)
	wants(t, decide(s, remediation.Event{Kind: remediation.Confirm, By: ana()}), remediation.RefuseOwn)
	s.r = decide(s, remediation.Event{Kind: remediation.Confirm, By: ben()}).Next
	s.is(remediation.DeleteRequested)
	s.r = decide(s, remediation.Event{Kind: remediation.Confirm, By: cho()}).Next
	s.is(remediation.DeleteApproved)
	if s.r.Policy.TwoPerson || s.r.Policy.DeleteApprovals != 1 {
		t.Error("the request forgot what it was made under")
	}
}

func TestConfirmationsThatHaveBecomeTooFewAreVoid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*remediation.Policy)
		gate   remediation.Gate
	}{
		"two are wanted now":         {func(p *remediation.Policy) { p.DeleteApprovals = 2 }, remediation.GateApprovals},
		"a longer watch":             {func(p *remediation.Policy) { p.Watch *= 2 }, remediation.GateWatch},
		"a confirmation lives less":  {func(p *remediation.Policy) { p.ConfirmedFor = time.Minute }, remediation.GateConfirmed},
		"a longer guard of use":      {func(p *remediation.Policy) { p.Guard = 365 * 24 * time.Hour }, remediation.GateInUse},
		"the request was made alone": {func(*remediation.Policy) {}, remediation.GateApprovals},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, f, s, now := deletable()
			if name == "the request was made alone" {
				r.Policy.TwoPerson, r.Approvals[0].By = false, ana()
			}
			s.Entitled["UANA"], s.Recorded["UANA"] = true, true
			if _, err := remediation.Start(r, f, s, now); err != nil {
				t.Fatal(err)
			}
			s.Policy = remediation.DefaultPolicy()
			c.change(&s.Policy)
			_, err := remediation.Start(r, f, s, now)
			var shut *remediation.GateError
			if !errors.As(err, &shut) || shut.Gate != c.gate {
				t.Errorf("got %v, want the gate %s", err, c.gate)
			}
		})
	}
}

func TestOnesOwnConfirmationDoesNotOutliveTheSetting(t *testing.T) {
	t.Parallel()
	s := loosely(t)
	s.r.Policy.DeleteApprovals = 2
	s.on(remediation.Event{Kind: remediation.AskDelete, By: ana(), Reason: "why"})
	s.on(remediation.Event{Kind: remediation.Confirm, By: ana()})
	now := remediation.DefaultPolicy()
	now.DeleteApprovals = 2
	s.on(remediation.Event{Kind: remediation.Confirm, By: ben(), Policy: now})
	s.is(remediation.DeleteRequested)
	s.on(remediation.Event{Kind: remediation.Confirm, By: cho(), Policy: now})
	s.is(remediation.DeleteApproved)
	if got := s.r.Approvers(); !slices.Equal(got, []string{"UBEN", "UCHO"}) {
		t.Errorf("it is confirmed by %v", got)
	}
}

func TestADeadlineThatPeopleWereToldStandsWhateverIsInForceLater(t *testing.T) {
	t.Parallel()
	s := loosely(t)
	s.r.Watched = 365 * 24 * time.Hour
	short := remediation.DefaultPolicy()
	short.PendingFor = time.Hour
	s.on(remediation.Event{Kind: remediation.AskDelete, By: ana(), Reason: "why", Policy: short})
	d := remediation.Decide(s.r, remediation.Event{Kind: remediation.Confirm, By: ben(), Version: s.r.Version}, s.now.Add(time.Hour))
	if d.Refusal == nil || d.Refusal.Code != remediation.RefuseExpired {
		t.Errorf("%s, %v", d.Next.State, d.Refusal)
	}
}

func TestAConfirmationComesTooLateByTheShorterOfBothLives(t *testing.T) {
	t.Parallel()
	r, now := opened(remediation.MeansRootCredentials, remediation.MeansRootCredentials), remediation.DefaultPolicy()
	now.PendingFor = time.Hour
	d := remediation.Decide(r, remediation.Event{Kind: remediation.Confirm, By: ben(), Version: r.Version, Policy: now}, start().Add(time.Hour))
	if d.Refusal == nil || d.Refusal.Code != remediation.RefuseExpired {
		t.Errorf("%s, %v", d.Next.State, d.Refusal)
	}
}
