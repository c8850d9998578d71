package remediation_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestWhoAskedAndWhoConfirmedIsNeverForgotten(t *testing.T) {
	t.Parallel()
	s := blockedStory(t)
	if got := s.r.Shut(); len(s.r.Approvals) != 0 || got.By != ana() || !slices.Equal(got.Confirmers(), []string{"UBEN"}) {
		t.Errorf("watching, the request knows %+v, with the approvals %v", got, s.r.Approvals)
	}
	s.watched(blocked, activeKey())
	s.on(remediation.Event{Kind: remediation.AskReactivate, By: cho(), Reason: "the backup needs it"})
	s.on(remediation.Event{Kind: remediation.Reject, By: ben()})
	if got := s.r.Present(); got.By != ana() || got.Reason != "left over" {
		t.Errorf("after an undo was rejected, the watch is said to be asked for by %s because of %q", got.By.User, got.Reason)
	}
	s.on(remediation.Event{Kind: remediation.AskDelete, By: cho(), Reason: "unused"})
	if got := s.r.Present(); got.Act != remediation.ActDelete || got.By != cho() || len(got.Approvals) != 0 {
		t.Errorf("the deletion that is asked for is %+v", got)
	}
	s.on(remediation.Event{Kind: remediation.Confirm, By: ana()})
	if got := s.r.Present(); !slices.Equal(got.Confirmers(), []string{"UANA"}) || !slices.Equal(s.r.Shut().Confirmers(), []string{"UBEN"}) {
		t.Errorf("confirmed by %v, and the block by %v", got.Confirmers(), s.r.Shut().Confirmers())
	}
	acts := []remediation.Act{}
	for _, step := range s.r.Steps {
		acts = append(acts, step.Act)
	}
	if want := []remediation.Act{remediation.ActDeactivate, remediation.ActReactivate, remediation.ActDelete}; !slices.Equal(acts, want) {
		t.Errorf("the steps are %v, want %v", acts, want)
	}
}

func TestADecisionLeavesTheHistoryOfTheRequestBeforeAlone(t *testing.T) {
	t.Parallel()
	r := opened(remediation.MeansOrganization, remediation.MeansOrganization)
	d := remediation.Decide(r, remediation.Event{Kind: remediation.Confirm, By: ben(), Version: 1}, start())
	if d.Refusal != nil || len(d.Next.Shut().Approvals) != 1 || len(r.Shut().Approvals) != 0 {
		t.Errorf("%v: before %+v, after %+v", d.Refusal, r.Shut(), d.Next.Shut())
	}
}

func TestNoGateCountsAConfirmationOfAnEarlierStep(t *testing.T) {
	t.Parallel()
	r, f, s, now := deletable()
	r.Steps = []remediation.Step{
		{Act: remediation.ActDeactivate, By: ana(), Approvals: r.Approvals}, {Act: remediation.ActDelete, By: ana(), Approvals: r.Approvals},
	}
	r.Approvals = nil
	_, err := remediation.Start(r, f, s, now)
	var shut *remediation.GateError
	if !errors.As(err, &shut) || shut.Gate != remediation.GateApprovals {
		t.Errorf("got %v, want the gate %s", err, remediation.GateApprovals)
	}
}

func TestAGateThatSeesAnotherKeyThanConfirmedHasItReadAtOnce(t *testing.T) {
	t.Parallel()
	for gate, want := range map[remediation.Gate]bool{
		remediation.GateInactive: true, remediation.GateUnused: true, remediation.GateCreated: true, remediation.GateKey: true,
		remediation.GatePaused: false, remediation.GateCap: false,
	} {
		r, _, _, now := deletable()
		d := remediation.Decide(r, remediation.Event{Kind: remediation.GateShut, Gate: gate}, now)
		at := slices.ContainsFunc(d.Effects, func(e remediation.Effect) bool {
			return e.Kind == remediation.EffectRead && !e.At.After(now)
		})
		if d.Next.State != remediation.Inactive || at != want {
			t.Errorf("%s: %s, read at once %v, want %v", gate, d.Next.State, at, want)
		}
	}
}

func TestAKeyThatGoesAsAnotherOneComesIsAnAlarm(t *testing.T) {
	t.Parallel()
	stranger := posture.Key{ID: "AKIAEXAMPLEKEY7XQ9ZZ", Status: posture.KeyActive, Created: start().Add(time.Hour)}
	for name, c := range map[string]struct {
		story func(*testing.T) *story
		keeps bool
	}{
		"watched":       {blockedStory, true},
		"being blocked": {beginBlock, true},
		"not begun with": {func(t *testing.T) *story {
			t.Helper()
			return &story{t: t, r: opened(remediation.MeansOrganization, remediation.MeansOrganization), now: start()}
		}, true},
	} {
		s := c.story(t)
		s.now = s.now.Add(2 * time.Minute)
		s.observe(blocked(aws(s.now, stranger)))
		s.is(remediation.GoneOutside)
		if s.r.Note != remediation.NoteGoneNewKey || !slices.Contains(s.did, remediation.EffectAlarm) {
			t.Errorf("%s: noted as %s, with %v", name, s.r.Note, s.did)
		}
		if s.r.Keeps(aws(s.now, stranger)) != c.keeps || s.r.Keeps(aws(s.now)) {
			t.Errorf("%s: the block is not kept for as long as the new key is there", name)
		}
	}
}
