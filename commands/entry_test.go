package commands_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
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

func TestTheAccountsOfAnEntryThatLeftTheSettingsAreLetGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() { w.mirrors = []string{"mirror"} })
	w.scan()
	covered := func() commands.Coverage {
		t.Helper()
		l, err := w.s.List(t.Context(), who(requester), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		return l.Coverage
	}
	if c := covered(); c.Listed != 6 || c.Scanned != 6 {
		t.Fatalf("with both entries it covers %+v", c)
	}
	w.at(func() { w.mirrors = nil })
	w.pass(time.Hour)
	w.scan()
	if c := covered(); c.Listed != 3 || c.Scanned != 3 {
		t.Errorf("%d of %d accounts count as scanned, want the 3 of the entry that is left", c.Scanned, c.Listed)
	}
}
