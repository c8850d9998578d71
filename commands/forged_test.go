package commands_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

// forge writes a request into the database as somebody would who can write to it, past the bot.
func (w *world) forge(r remediation.Request) {
	w.t.Helper()
	r.Version++
	body, err := json.Marshal(commands.Work{Request: r.ID, Version: r.Version})
	if err != nil {
		w.t.Fatal(err)
	}
	act := commands.Item{Key: "act/forged", Kind: commands.KindAct, Body: body, Due: w.now()}
	if _, err := w.st.Commit(w.t.Context(), commands.Change{Request: &r, Queue: []commands.Item{act}}); err != nil {
		w.t.Fatal(err)
	}
}

func TestAConfirmationThatIsOnlyInTheDatabaseDeletesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(member, keyOne)
	w.pass(8 * 24 * time.Hour)
	r := w.deleteAsked(id, keyOne)
	r.State, r.Deadline = remediation.DeleteApproved, w.now().Add(time.Hour)
	r.Approvals = []remediation.Approval{{By: remediation.Person{User: second, Team: team}, At: w.now()}}
	calls := len(w.changes())
	w.forge(r)
	w.settle()
	if q := w.wantState(id, remediation.Inactive); q.NoteDetail != string(remediation.GateRecorded) {
		t.Errorf("it is stopped by %s", q.NoteDetail)
	}
	if got := w.changes(); len(got) != calls {
		t.Errorf("changing calls are %v", got)
	}
	l := w.recorded(id, audit.RemediationRefused)
	if l.Reason != string(remediation.GateRecorded) {
		t.Errorf("it is on record as %+v", l)
	}
}

func TestAnEmergencyThatNobodyDeclaredDoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	r.State, r.BreakGlass, r.Requester, r.Deadline = remediation.Approved, true, remediation.Person{User: approver}, w.now().Add(time.Hour)
	w.forge(r)
	w.settle()
	if q := w.wantState(r.ID, remediation.Failed); q.NoteDetail != string(remediation.GateRecorded) || len(w.changes()) != 0 {
		t.Errorf("it is stopped by %s after %v", q.NoteDetail, w.changes())
	}
}

func TestTheAuditLogOfALifeRestsOnConfirmationsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(member, keyOne)
	w.pass(2 * time.Hour)
	q, err := w.s.RequestLift(t.Context(), who(requester), id, w.request(id).Version, "sign in")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.Confirm(t.Context(), who(approver), id, q.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.pass(2 * time.Hour)
	w.wantState(id, remediation.Inactive)
	if _, err = w.s.BreakGlass(t.Context(), who(approver), emergency(lab, keyTwo)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	verify := func() audit.Report {
		var r audit.Report
		err := w.st.ReadLog(t.Context(), func(l store.Log) (err error) {
			r, err = audit.Verify(t.Context(), audit.Check{Records: l.Records, Stored: l.Hashes})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := verify(); !r.OK() {
		t.Errorf("a life's log is found to be %v", r.Findings)
	}
	e := audit.Event{
		At: w.now(), Actor: audit.System("worker"), Action: audit.RemediationAttempted, Outcome: audit.OutcomeAttempt,
		Request: string(id), Version: 99, Account: string(member), Approvers: []string{second}, To: "deleting",
	}
	if _, err := w.st.Commit(t.Context(), commands.Change{Audit: []audit.Event{e}}); err != nil {
		t.Fatal(err)
	}
	if r := verify(); len(r.Findings) != 1 || r.Findings[0].Kind != audit.Baseless || !strings.Contains(r.Findings[0].Why, second) {
		t.Errorf("an attempt on a confirmation that nobody gave is found to be %v", r.Findings)
	}
}

func TestADeletionEndsWithTheRightsOfWhoeverAskedForIt(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*world){
		"deactivated":                 func(w *world) { p := w.people[requester]; p.Deleted = true; w.people[requester] = p },
		"no longer among those asked": func(w *world) { w.groups[groupID] = []string{second} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *commands.Config) { c.Requesters = commands.People{Groups: []string{groupID}} })
			w.groups[groupID] = []string{requester}
			w.scan()
			id := w.deactivated(member, keyOne)
			w.pass(8 * 24 * time.Hour)
			r := w.deleteAsked(id, keyOne)
			w.at(func() { leave(w) })
			if _, err := w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
				t.Fatal(err)
			}
			w.settle()
			if q := w.wantState(id, remediation.Inactive); q.NoteDetail != string(remediation.GateAsker) {
				t.Errorf("it is stopped by %s", q.NoteDetail)
			}
			if l := w.recorded(id, audit.RemediationRefused); l.Reason != string(remediation.GateAsker) {
				t.Errorf("it is on record as %+v", l)
			}
		})
	}
}
