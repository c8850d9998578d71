package commands_test

import (
	"testing"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestADirectoryThatDoesNotAnswerResumesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.s.Pause(t.Context(), who(approver), "looking into it"); err != nil {
		t.Fatal(err)
	}
	asked := 0
	w.boundary = func(name string) {
		if name != "directory.person" {
			return
		}
		// The first question is who resumes. The second is whether whoever paused is the same person by another name.
		if asked++; asked == 2 {
			w.at(func() { w.broken["directory"] = true })
		}
	}
	w.wantRefusal(w.s.Resume(t.Context(), who(second), commands.AnyPause), commands.WhoUnknown)
	if sw, err := w.st.Switch(t.Context()); err != nil || !sw.Paused {
		t.Errorf("the switch is %+v, %v; want it paused still", sw, err)
	}
}

func TestTheButtonOfAnEarlierPauseEndsNoLaterOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pause := func(reason string) int {
		t.Helper()
		if err := w.s.Pause(t.Context(), who(approver), reason); err != nil {
			t.Fatal(err)
		}
		w.settle()
		said := w.notices(commands.NoticePaused)
		return said[len(said)-1].Version
	}
	first := pause("a migration")
	if err := w.s.Resume(t.Context(), who(second), first); err != nil {
		t.Fatal(err)
	}
	later := pause("we are being attacked")
	for _, version := range []int{first, -1} {
		w.wantRefusal(w.s.Resume(t.Context(), who(second), version), commands.RefusalCode(remediation.RefuseOutdated))
	}
	if sw, err := w.st.Switch(t.Context()); err != nil || !sw.Paused || sw.Version != later {
		t.Fatalf("the switch is %+v, %v; want the later pause untouched", sw, err)
	}
	if err := w.s.Resume(t.Context(), who(second), later); err != nil {
		t.Error(err)
	}
}
