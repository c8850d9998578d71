package commands_test

import (
	"testing"

	"github.com/rootcheck-bot/rootcheck/commands"
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
	w.wantRefusal(w.s.Resume(t.Context(), who(second)), commands.WhoUnknown)
	if sw, err := w.st.Switch(t.Context()); err != nil || !sw.Paused {
		t.Errorf("the switch is %+v, %v; want it paused still", sw, err)
	}
}
