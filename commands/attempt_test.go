package commands_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// confirmed opens a request to block the member and confirms it; the worker has not run yet.
func (w *world) confirmed() remediation.Request {
	w.t.Helper()
	r, err := w.s.RequestDeactivate(w.t.Context(), who(requester), ask(member, w.accounts[member].keys[0].ID))
	if err != nil {
		w.t.Fatal(err)
	}
	if r, err = w.s.Confirm(w.t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// betweenAttemptAndCall runs f once, while the gates are asked the second time: the attempt is on record, and nothing has
// been sent.
func (w *world) betweenAttemptAndCall(id remediation.RequestID, f func(remediation.Request)) {
	done := false
	w.boundary = func(name string) {
		if name != "directory.person" || done {
			return
		}
		if r := w.request(id); r.State == remediation.Deactivating {
			done = true
			f(r)
		}
	}
}

func TestAnAttemptThatIsNotTheLastWordAnyMoreSendsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r := w.confirmed()
	w.betweenAttemptAndCall(r.ID, func(moved remediation.Request) {
		// This process stood still; another one found the lease free, read AWS and ended the request.
		moved.State, moved.Version = remediation.Failed, moved.Version+1
		e := audit.Event{At: w.now(), Actor: audit.System("test"), Action: audit.RemediationFailed, Outcome: audit.OutcomeFailed}
		if _, err := w.st.Commit(t.Context(), commands.Change{Request: &moved, Audit: []audit.Event{e}}); err != nil {
			t.Error(err)
		}
	})
	w.settle()
	w.wantState(r.ID, remediation.Failed)
	if got := w.changes(); len(got) != 0 {
		t.Errorf("the calls %v were made for a request that had ended", got)
	}
}

func TestABlockThatSomebodyElseAttachesMeanwhileIsNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r := w.confirmed()
	done := false
	w.boundary = func(name string) {
		if name != "directory.person" || done || w.request(r.ID).State != remediation.Approved {
			return
		}
		done = true
		w.at(func() { // the first reading grows old, and the second one finds what was not there
			w.clock, w.accounts[member].attached = w.clock.Add(10*time.Second), true
		})
	}
	w.settle()
	w.wantState(r.ID, remediation.Inactive)
	b, err := w.st.Block(t.Context(), "acme", member)
	if err != nil {
		t.Fatal(err)
	}
	if b.Origin != remediation.OriginFound {
		t.Errorf("a block that others attached between our two readings is said to be %q", b.Origin)
	}
}

func TestAnUndoTakesAwayNothingThatTheRecordDoesNotCallOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(member, keyOne)
	r, err := w.reactivate(t, w.request(id))
	if err != nil {
		t.Fatal(err)
	}
	// Our block went with another request, and what is attached now is somebody else's.
	b, err := w.st.Block(t.Context(), "acme", member)
	if err != nil {
		t.Fatal(err)
	}
	b = b.Detached(w.now())
	e := audit.Event{At: w.now(), Actor: audit.System("test"), Action: audit.BlockDetached, Outcome: audit.OutcomeDone}
	if _, err = w.st.Commit(t.Context(), commands.Change{Block: &b, Audit: []audit.Event{e}}); err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if got := w.wantState(id, remediation.Inactive); got.NoteDetail != string(remediation.GateBlock) || !w.accounts[member].attached {
		t.Errorf("gate %q, attached %v, calls %v", got.NoteDetail, w.accounts[member].attached, w.changes())
	}
	_, err = w.reactivate(t, w.request(id))
	w.wantRefusal(err, commands.NoMeans)
}
