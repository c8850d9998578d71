package commands_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// slowReader is an inspector whose next reading is held back after it was made.
type slowReader struct {
	inspector
	made, land chan struct{}
}

func (i *slowReader) Read(ctx context.Context, r remediation.Request) remediation.Facts {
	f := i.inspector.Read(ctx, r)
	if made := i.made; made != nil {
		i.made = nil
		close(made)
		<-i.land
	}
	return f
}

// reading begins the reading that is due, which has seen AWS when this returns. Its verdict lands with the function that
// is returned.
func (w *world) reading() (land func()) {
	w.t.Helper()
	slow := &slowReader{inspector: inspector{w}, made: make(chan struct{}), land: make(chan struct{})}
	s, err := commands.New(w.cfg, commands.Deps{
		Ledger: w.st, Queue: w.st, Estate: w.st, Inspector: slow, Executor: executor{w}, Directory: directory{w},
		Now: w.now, NewID: w.newID, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	made, ended := slow.made, make(chan error, 1)
	l := w.claim(commands.KindRead)
	go func() {
		_, err := s.Handlers()[commands.KindRead](w.t.Context(), l)
		ended <- err
	}()
	<-made
	return func() {
		close(slow.land)
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	}
}

func (w *world) claim(kind string) commands.Lease {
	w.t.Helper()
	l, err := w.st.Claim(w.t.Context(), kind)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// handle does the item of a kind that is due, without a worker that would do others meanwhile.
func (w *world) handle(kind string) {
	w.t.Helper()
	l := w.claim(kind)
	if _, err := w.s.Handlers()[kind](w.t.Context(), l); err != nil {
		w.t.Fatal(err)
	}
}

// during runs f while the next changing call is under way.
func (w *world) during(f func()) {
	w.at(func() {
		w.boundary = func(name string) {
			if name == "session.do" {
				w.at(func() { w.boundary = nil })
				f()
			}
		}
	})
}

// confirmedDeletion is a deletion that was confirmed, while the hourly reading is due.
func (w *world) confirmedDeletion() remediation.RequestID {
	w.t.Helper()
	w.scan()
	id := w.deactivated(member, keyOne)
	w.pass(8 * 24 * time.Hour)
	r := w.deleteAsked(id, keyOne)
	if _, err := w.s.Confirm(w.t.Context(), who(approver), id, r.Version, ""); err != nil {
		w.t.Fatal(err)
	}
	w.at(func() { w.clock = w.clock.Add(time.Hour) })
	return id
}

// recorded is the one record of an action about a request.
func (w *world) recorded(id remediation.RequestID, a audit.Action) audit.Leaf {
	w.t.Helper()
	leaves := slices.DeleteFunc(w.audit(commands.AuditQuery{Request: string(id)}), func(l audit.Leaf) bool { return l.Action != a })
	if len(leaves) != 1 {
		w.t.Fatalf("%d records say %s", len(leaves), a)
	}
	return leaves[0]
}

func TestAnOldReadingDoesNotSettleADeletionThatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.confirmedDeletion()
	land := w.reading()
	w.at(func() { w.clock = w.clock.Add(3 * time.Second) })
	w.during(func() {
		land()
		w.wantState(id, remediation.Deleting)
	})
	w.handle(commands.KindAct)
	w.pass(time.Minute)
	w.pass(time.Minute)
	w.wantState(id, remediation.Verified)
	if l := w.recorded(id, audit.RemediationDeleted); l.AWSRequest != "aws-delete" {
		t.Errorf("the deletion is on record as %+v", l)
	}
}

func TestAnotherReplicaDoesNotSettleADeletionThatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.confirmedDeletion()
	w.during(func() {
		w.reading()()
		q := w.wantState(id, remediation.Deleting)
		_, err := w.s.Reject(t.Context(), who(second), id, q.Version, "stop")
		w.wantRefusal(err, commands.RefusalCode(remediation.RefuseNotNow))
	})
	w.handle(commands.KindAct)
	w.pass(time.Minute)
	w.pass(time.Minute)
	w.wantState(id, remediation.Verified)
	w.recorded(id, audit.RemediationDeleted)
}

func TestAnOldReadingDoesNotTakeOurOwnBlockOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.at(func() { w.clock = w.clock.Add(time.Hour) })
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	land := w.reading()
	w.at(func() { w.clock = w.clock.Add(3 * time.Second) })
	w.handle(commands.KindAct)
	land()
	w.settle()
	w.pass(6 * time.Hour)
	w.wantState(r.ID, remediation.Inactive)
	if got := w.changes(); len(got) != 1 {
		t.Errorf("changing calls are %v", got)
	}
}

func TestAnAnswerThatComesTooLateIsOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.confirmedDeletion()
	w.during(func() {
		w.at(func() { w.clock = w.clock.Add(3 * time.Minute) })
		w.reading()()
		w.wantState(id, remediation.DeleteApproved)
	})
	w.handle(commands.KindAct)
	if l := w.recorded(id, audit.RemediationAnsweredLate); l.AWSRequest != "aws-delete" || l.Outcome != audit.OutcomeUnknown || l.Detail["event"] != "succeeded" {
		t.Errorf("the late answer is on record as %+v", l)
	}
}

func TestACallIsNotMadeLongAfterItsAttemptWasCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.confirmedDeletion()
	calls, looks := len(w.changes()), 0
	w.at(func() {
		w.boundary = func(name string) {
			if name != "directory.person" {
				return
			}
			if looks++; looks == 4 { // the machine sleeps while the gates are asked the second time
				w.wantState(id, remediation.Deleting)
				w.at(func() { w.clock, w.boundary = w.clock.Add(90*time.Second), nil })
			}
		}
	})
	act := w.claim(commands.KindAct)
	if _, err := w.s.Handlers()[commands.KindAct](t.Context(), act); err == nil {
		t.Error("the step went on")
	}
	if err := w.st.Retry(t.Context(), act, w.now()); err != nil {
		t.Fatal(err)
	}
	if got := w.changes(); len(got) != calls {
		t.Errorf("changing calls are %v", got)
	}
	w.wantState(id, remediation.Deleting)
	w.pass(time.Minute)
	w.wantState(id, remediation.Deleted) // settled by a reading, and tried again under the same confirmation
}

func TestAnOwnerIsAskedForNothingWhileAWSCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(management, "AKIAMANAGEMENT000001"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.at(func() { w.broken["read"] = true })
	w.settle()
	w.wantState(r.ID, remediation.Approved)
	for range 5 {
		w.pass(time.Minute)
	}
	if q := w.wantState(r.ID, remediation.Failed); q.NoteDetail != string(remediation.GateReading) || len(w.heard(commands.KindOwner)) != 0 {
		t.Errorf("it is stopped by %s, and %d owners were written to", q.NoteDetail, len(w.heard(commands.KindOwner)))
	}
}

func TestDeletionsByOwnersCountToTheDaysCap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.DailyCap = 1 })
	for _, a := range w.accounts {
		a.means = commands.Ways{Deactivate: remediation.MeansGuided, Delete: remediation.MeansGuided}
		a.keys[0].Status = posture.KeyInactive
	}
	w.scan()
	keys := map[remediation.RequestID]posture.KeyID{}
	for id, a := range w.accounts {
		r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(id, a.keys[0].ID))
		if err != nil {
			t.Fatal(err)
		}
		keys[r.ID] = a.keys[0].ID
	}
	w.pass(8 * 24 * time.Hour)
	states := map[remediation.State]int{}
	for id, key := range keys {
		r := w.deleteAsked(id, key)
		if _, err := w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
			t.Fatal(err)
		}
		w.settle()
		states[w.request(id).State]++
	}
	if states[remediation.AwaitingOwnerDelete] != 1 || states[remediation.Inactive] != 2 {
		t.Errorf("of three deletions on a day of one: %v", states)
	}
}
