package commands_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// gone is a blocked account whose key was deleted outside, with the release of its block due.
func gone(t *testing.T) (*world, remediation.RequestID) {
	t.Helper()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(member, keyOne)
	w.pass(2 * time.Hour)
	w.at(func() { w.accounts[member].keys, w.clock = nil, w.clock.Add(time.Hour) })
	l, err := w.st.Claim(t.Context(), commands.KindRead)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Handlers()[commands.KindRead](t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if r := w.request(id); !r.State.Ended() {
		t.Fatalf("the request is %s, want it ended", r.State)
	}
	return w, id
}

// wantFree fails unless nothing keeps the root user out any more.
func (w *world) wantFree() {
	w.t.Helper()
	b, err := w.st.Block(w.t.Context(), "acme", member)
	if err != nil || len(b.Holders) != 0 || b.Attached || w.accounts[member].attached {
		w.t.Errorf("the block is %+v (%v), in AWS attached: %t; want it off", b, err, w.accounts[member].attached)
	}
}

func TestABlockComesOffHoweverLongAWSIsAway(t *testing.T) {
	t.Parallel()
	w, _ := gone(t)
	w.at(func() { w.broken["read"] = true })
	w.pass(6 * time.Hour)
	for range 30 {
		w.at(func() { w.clock = w.clock.Add(10 * time.Minute) })
		w.settle()
	}
	if got := w.notices(commands.NoticeFailing); len(got) != 1 || got[0].What != commands.KindRelease || got[0].Account != member {
		t.Errorf("the channel heard %+v, want once that the release keeps failing", got)
	}
	w.at(func() { w.broken["read"] = false })
	w.pass(time.Hour)
	w.wantFree()
}

func TestAStartReleasesWhatAnEndedRequestStillHolds(t *testing.T) {
	t.Parallel()
	w, id := gone(t)
	l, err := w.st.Claim(t.Context(), commands.KindRelease)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.st.Finish(t.Context(), l); err != nil { // as if it had never been queued
		t.Fatal(err)
	}
	w.settle()
	if b, err := w.st.Block(t.Context(), "acme", member); err != nil || !b.Holds(id) {
		t.Fatalf("the block is %+v, %v; want it held by the ended request", b, err)
	}
	w.boot()
	if err := w.s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantFree()
}

func TestAStartLetsBlocksThatAreNeededBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(member, keyOne)
	if err := w.s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if b, err := w.st.Block(t.Context(), "acme", member); err != nil || !b.Holds(id) || !w.accounts[member].attached {
		t.Errorf("the block is %+v, %v; want it held", b, err)
	}
}
