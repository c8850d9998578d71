package commands_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestWhatBecameOfTheOrganizationsFindingOutlastsALookAtItsManagementAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() { w.broken["feature"] = true })
	w.scan()
	is := func(want posture.Workflow) {
		t.Helper()
		l, err := w.st.Look(t.Context(), "acme", management)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := (posture.Posture{Findings: l.Findings}).Finding(posture.CentralizedRootAccess)
		if f.Status != posture.Failed || l.Workflow[posture.CentralizedRootAccess] != want {
			t.Errorf("it is %s and %q, want Failed and %q", f.Status, l.Workflow[posture.CentralizedRootAccess], want)
		}
	}
	is(posture.WorkflowNew)
	if err := w.s.Mute(t.Context(), who(requester), "acme", management, posture.CentralizedRootAccess, "next quarter", w.now().Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	is(posture.WorkflowSuppressed)
	w.pass(time.Hour)
	w.scan()
	is(posture.WorkflowSuppressed)
}
