package commands_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// restart begins anew with or without the entry in the settings.
func (w *world) restart(with bool) {
	w.t.Helper()
	w.at(func() { w.broken["entry"] = !with })
	w.boot()
	if err := w.s.Sweep(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
}

func TestARequestEndsWithItsReasonWhenItsEntryHasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	waiting := w.asked()
	inactive := w.deactivated(lab, keyTwo) // by its root user's own credentials: nothing of ours is attached
	calls := w.changes()
	w.restart(false)
	for _, id := range []remediation.RequestID{waiting.ID, inactive} {
		if r := w.wantState(id, remediation.Cancelled); r.Note != remediation.NoteDeparted || r.NoteDetail != "acme" {
			t.Errorf("%s says %s %q", r.Key.ID, r.Note, r.NoteDetail)
		}
		l := w.recorded(id, audit.RemediationCancelled)
		if !strings.Contains(l.Reason, "acme") || l.Actor != audit.System("settings") {
			t.Errorf("on record is %+v", l)
		}
		if !slices.ContainsFunc(w.heard(commands.KindTell), func(k commands.Work) bool { return k.Request == id && k.Note == remediation.NoteDeparted }) {
			t.Errorf("the thread of %s did not hear of it", id)
		}
	}
	if after := w.changes(); !slices.Equal(calls, after) {
		t.Errorf("calls were %v, and are %v", calls, after)
	}
}

func TestABlockOfAnEntryThatHasLeftIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() { w.mirrors = []string{"mirror"} })
	w.scan()
	id := w.deactivated(member, keyOne)
	w.pass(2 * 24 * time.Hour)
	calls, watched := w.changes(), w.request(id).Watched
	w.restart(false)
	w.scan() // lets the accounts of the entry go
	w.pass(3 * 24 * time.Hour)
	w.restart(false)
	if r := w.wantState(id, remediation.Inactive); r.Note != remediation.NoteDepartedBlocked || !r.BlockHeld {
		t.Errorf("the request says %s, held %t", r.Note, r.BlockHeld)
	}
	alarms := w.heard(commands.KindAlarm)
	if len(alarms) != 1 || alarms[0].Note != remediation.NoteDepartedBlocked {
		t.Errorf("the alarms are %+v, want one that says what is still attached", alarms)
	}
	if b, err := w.st.Block(t.Context(), "acme", member); err != nil || !b.Attached || !b.Holds(id) {
		t.Errorf("the block is %+v, %v", b, err)
	}

	// It was a mistake.
	w.restart(true)
	r := w.wantState(id, remediation.Inactive)
	if r.Note != remediation.NoteInactive || r.Watched > watched+24*time.Hour {
		t.Errorf("the request says %s and has watched %s, %s before", r.Note, r.Watched, watched)
	}
	w.scan()
	w.pass(8 * 24 * time.Hour)
	if r := w.wantState(id, remediation.Inactive); r.Remaining() != 0 {
		t.Errorf("the watch does not go on: %s are left", r.Remaining())
	}
	if after := w.changes(); !slices.Equal(calls, after) {
		t.Errorf("calls were %v, and are %v: that an entry went and came back changes nothing in AWS", calls, after)
	}
}

func TestACallThatNobodySawIsSettledWhenItsEntryIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	w.at(func() {
		w.fate = func(string) commands.Outcome {
			w.broken["read"] = true
			return commands.Outcome{Kind: remediation.Unsure}
		}
	})
	r := w.asked()
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Deactivating)
	w.restart(false)
	if waits := w.wantState(r.ID, remediation.Deactivating); waits.Note != remediation.NoteDepartedUnsure {
		t.Errorf("it says %s", waits.Note)
	}
	w.at(func() { w.broken["read"], w.fate, w.accounts[member].attached = false, nil, true })
	w.restart(true)
	w.pass(time.Hour)
	w.wantState(r.ID, remediation.Inactive)
}

func TestAnOwnerIsWrittenToAnewWhenTheEntryIsBack(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.scan()
	if _, err := w.s.ReleaseOwners(t.Context(), who(approver)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.restart(false)
	if o, err := w.st.Owner(t.Context(), "acme", member); err != nil || o.Stage != commands.OwnerUntold || !o.RemindAt.IsZero() {
		t.Errorf("the owner is %+v, %v", o, err)
	}
	if !slices.ContainsFunc(w.audit(commands.AuditQuery{Account: string(member)}), func(l audit.Leaf) bool {
		return l.Action == audit.OwnerEnded && strings.Contains(l.Reason, "acme")
	}) {
		t.Error("why nobody writes to the owner any more is not on record")
	}
	w.pass(3 * 24 * time.Hour)
	if got := w.heard(commands.KindOwner); len(got) != 1 {
		t.Errorf("%d DMs, want the one from before", len(got))
	}
	w.restart(true)
	w.scan()
	if got := w.heard(commands.KindOwner); len(got) != 2 {
		t.Errorf("%d DMs, want another now", len(got))
	}
	w.pass(25 * time.Hour)
	if got := w.heard(commands.KindOwner); len(got) != 3 {
		t.Errorf("%d DMs, want a reminder", len(got))
	}
}

func TestAnOwnerIsWrittenToAnewWhenTheAccountIsBack(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.scan()
	if _, err := w.s.ReleaseOwners(t.Context(), who(approver)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	var left *account
	w.at(func() {
		left = w.accounts[member]
		delete(w.accounts, member)
	})
	w.scan()
	w.scan() // a list that was short twice is believed
	w.pass(3 * 24 * time.Hour)
	if got := w.heard(commands.KindOwner); len(got) != 1 {
		t.Errorf("%d DMs, want the one from before", len(got))
	}
	w.at(func() { w.accounts[member] = left })
	w.scan()
	w.pass(25 * time.Hour)
	if got := w.heard(commands.KindOwner); len(got) != 3 {
		t.Errorf("%d DMs, want another and its reminder", len(got))
	}
}
