package commands_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestAnEntryThatCannotBeReadForDaysHoldsBackWhatCountsOfNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() {
		w.mirrors = []string{"mirror"}
		w.accounts[member].signIn = w.clock.Add(-30 * 24 * time.Hour)
	})
	day := func() {
		t.Helper()
		w.scan()
		occurrence := w.now().Format(time.RFC3339)
		d, err := w.s.DrawDigest(t.Context(), occurrence)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.s.DigestPosted(t.Context(), occurrence, d); err != nil {
			t.Fatal(err)
		}
		w.pass(24 * time.Hour)
	}
	activity := func(source string, want posture.Status) {
		t.Helper()
		l, err := w.st.Look(t.Context(), source, member)
		if err != nil {
			t.Fatal(err)
		}
		if f, _ := (posture.Posture{Findings: l.Findings}).Finding(posture.RootActivity); f.Status != want {
			t.Errorf("in %s it is %s: %s Want %s.", source, f.Status, f.Reason, want)
		}
	}
	day()
	activity("acme", posture.Passed)
	w.at(func() { w.broken["inventory of mirror"], w.accounts[member].signIn = true, w.clock.Add(-time.Hour) })
	day()
	activity("acme", posture.Failed)
	day()
	day()
	activity("acme", posture.Passed) // two digests and two days later
	w.at(func() { w.broken["inventory of mirror"] = false })
	day()
	activity("acme", posture.Passed)
	activity("mirror", posture.Failed) // nobody was told of it there
	day()
	day()
	activity("mirror", posture.Passed)
}

// The window is shorter than the time between two digests, so what the account was last told of is all that can tell.
func TestAUseWhileAnAccountCannotBeReadIsToldWhenItCan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.ActivityWindow = time.Hour })
	w.at(func() {
		for _, a := range w.accounts {
			a.signIn = w.clock.Add(-30 * 24 * time.Hour)
		}
	})
	day := func() {
		t.Helper()
		w.scan()
		occurrence := w.now().Format(time.RFC3339)
		d, err := w.s.DrawDigest(t.Context(), occurrence)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.s.DigestPosted(t.Context(), occurrence, d); err != nil {
			t.Fatal(err)
		}
		w.pass(24 * time.Hour)
	}
	activity := func(account posture.AccountID, want posture.Status) {
		t.Helper()
		l, err := w.st.Look(t.Context(), "acme", account)
		if err != nil {
			t.Fatal(err)
		}
		if f, _ := (posture.Posture{Findings: l.Findings}).Finding(posture.RootActivity); f.Status != want {
			t.Errorf("of %s it is %s: %s Want %s.", account, f.Status, f.Reason, want)
		}
	}
	day()
	activity(member, posture.Passed)
	w.at(func() {
		w.accounts[member].gap = &posture.Gap{Reason: posture.ReasonDenied}
		w.accounts[member].signIn = w.clock.Add(-12 * time.Hour)
	})
	day()
	day()
	activity(member, posture.NotAvailable)
	activity(lab, posture.Passed)
	w.at(func() { w.accounts[member].gap = nil })
	day()
	activity(member, posture.Failed)
	activity(lab, posture.Passed)
	day()
	day()
	activity(member, posture.Passed)
}
