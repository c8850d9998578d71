package commands_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// ago is somebody who clicked a while before the click is handled.
func (w *world) ago(user string, d time.Duration) commands.Actor {
	a := who(user)
	a.At = w.now().Add(-d)
	return a
}

func TestAClickThatIsHandledTooLateDecidesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	const late = 10*time.Minute + time.Second
	if err = w.s.Pause(t.Context(), w.ago(approver, late), "stop"); err != nil {
		t.Errorf("a pause came too late: %v", err)
	}
	for name, click := range map[string]func(commands.Actor) error{
		"confirm":     func(a commands.Actor) error { return outcome(w.s.Confirm(t.Context(), a, r.ID, r.Version, "")) },
		"break_glass": func(a commands.Actor) error { return outcome(w.s.BreakGlass(t.Context(), a, emergency(lab, keyTwo))) },
		"resume":      func(a commands.Actor) error { return w.s.Resume(t.Context(), a, 0) },
		"request":     func(a commands.Actor) error { return outcome(w.s.RequestDeactivate(t.Context(), a, ask(lab, keyTwo))) },
	} {
		no := w.wantRefusal(click(w.ago(second, late)), commands.TooLate)
		if no.Args["when"] == "" {
			t.Errorf("%s: it is not said when that was", name)
		}
	}
	w.wantState(r.ID, remediation.Requested)
	if _, err = w.s.Reject(t.Context(), w.ago(second, late), r.ID, r.Version, "no"); err != nil {
		t.Errorf("a no came too late: %v", err)
	}
	w.settle()
	if got := w.changes(); len(got) != 0 {
		t.Errorf("changing calls are %v", got)
	}
}

func TestAConfirmationIsAsOldAsItsClick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	click := w.ago(approver, 9*time.Minute)
	if r, err = w.s.Confirm(t.Context(), click, r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	if got := r.Approvals[0].At; !got.Equal(click.At) {
		t.Errorf("it was given at %s, want %s", got, click.At)
	}
	early := w.ago(approver, -time.Hour) // a clock that was set back since
	q, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
	if err != nil {
		t.Fatal(err)
	}
	if q, err = w.s.Confirm(t.Context(), early, q.ID, q.Version, ""); err != nil {
		t.Fatal(err)
	}
	if got := q.Approvals[0].At; !got.Equal(w.now()) {
		t.Errorf("it was given at %s, want %s", got, w.now())
	}
}
