package commands_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func ask(account posture.AccountID, key posture.KeyID) commands.Ask {
	return commands.Ask{Source: "acme", Account: account, Key: key.Fingerprint(), TypedKey: key.Last4(), Reason: "nobody needs it"}
}

// deactivated brings a key to the watch.
func (w *world) deactivated(account posture.AccountID, key posture.KeyID) remediation.RequestID {
	w.t.Helper()
	r, err := w.s.RequestDeactivate(w.t.Context(), who(requester), ask(account, key))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.s.Confirm(w.t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Inactive)
	return r.ID
}

// deleteAsked asks for the deletion of a watched key.
func (w *world) deleteAsked(id remediation.RequestID, key posture.KeyID) remediation.Request {
	w.t.Helper()
	r := w.request(id)
	r, err := w.s.RequestDelete(w.t.Context(), who(requester), id, r.Version, commands.Ask{TypedKey: string(key), Reason: "watched long enough"})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestAMemberKeyIsBlockedWatchedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(member, keyOne)
	if b, err := w.st.Block(t.Context(), "acme", member); err != nil || !b.Attached || b.Origin != remediation.OriginOurs {
		t.Fatalf("block is %+v, %v; want ours and attached", b, err)
	}
	w.pass(8 * 24 * time.Hour)
	r := w.deleteAsked(id, keyOne)
	if _, err := w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(id, remediation.Deleted)
	w.pass(time.Minute)
	w.pass(time.Minute)
	w.wantState(id, remediation.Verified)
	if b, err := w.st.Block(t.Context(), "acme", member); err != nil || b.Attached || len(b.Holders) != 0 || b.Origin != "" {
		t.Errorf("block is %+v, %v; want it off and held by nobody", b, err)
	}
	if diff := cmp.Diff([]string{"deactivate MPLE", "delete MPLE", "detach 222222222222"}, w.changes()); diff != "" {
		t.Errorf("changing calls (-want +got):\n%s", diff)
	}
	var told []remediation.Note
	for _, n := range w.heard(commands.KindTell) {
		told = append(told, n.Note)
	}
	want := []remediation.Note{
		remediation.NoteRequested, remediation.NoteConfirmed, remediation.NoteBegun, remediation.NoteInactive, remediation.NoteWatchOver,
		remediation.NoteDeleteAsked, remediation.NoteConfirmed, remediation.NoteBegun, remediation.NoteDeleted, remediation.NoteVerified,
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("the thread (-want +got):\n%s", diff)
	}
	w.everyCallIsOnRecord(id)
}

// everyCallIsOnRecord checks that each changing call of a request has its attempt before it and its outcome after it.
func (w *world) everyCallIsOnRecord(id remediation.RequestID) {
	w.t.Helper()
	ends := []audit.Action{
		audit.RemediationDeactivated, audit.RemediationDeleted, audit.RemediationRestored, audit.RemediationFailed,
		audit.RemediationReconciled, audit.RemediationUncertain,
	}
	attempts, outcomes := 0, 0
	for _, l := range w.audit(commands.AuditQuery{Request: string(id)}) {
		if l.Action == audit.RemediationAttempted {
			attempts++
		}
		if slices.Contains(ends, l.Action) {
			outcomes++
		}
	}
	calls := 0
	for _, c := range w.changes() {
		if c[:6] != "detach" {
			calls++
		}
	}
	if attempts < calls || outcomes < attempts {
		w.t.Errorf("%d calls, %d attempts and %d outcomes on record", calls, attempts, outcomes)
	}
}

func TestALabKeyIsDeactivatedAndReactivated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(lab, keyTwo)
	r := w.request(id)
	r, err := w.s.RequestReactivate(t.Context(), who(requester), id, r.Version, "the backup job still needs it")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Confirm(t.Context(), who(second), id, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(id, remediation.Restored)
	if got := w.changes(); !slices.Equal(got, []string{"deactivate MPLE", "reactivate MPLE"}) {
		t.Errorf("changing calls are %v", got)
	}
}

func TestABlockIsTakenOffOnReactivateAndItsOtherHoldersSeeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() {
		a := w.accounts[member]
		k := a.keys[0]
		k.ID, k.Created = keyTwo, k.Created.Add(time.Hour)
		a.keys = append(a.keys, k)
	})
	w.scan()
	one, two := w.deactivated(member, keyOne), w.deactivated(member, keyTwo)
	if got := w.changes(); len(got) != 1 {
		t.Fatalf("blocking an account that is blocked made calls: %v", got)
	}
	b, err := w.st.Block(t.Context(), "acme", member)
	if err != nil || !slices.Equal(b.Holders, []remediation.RequestID{one, two}) {
		t.Fatalf("holders are %v, %v", b.Holders, err)
	}
	w.pass(time.Minute)
	r := w.request(one)
	if r, err = w.s.RequestReactivate(t.Context(), who(requester), one, r.Version, "needed"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Confirm(t.Context(), who(approver), one, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(one, remediation.Restored)
	other := w.wantState(two, remediation.Restored)
	if other.Note != remediation.NoteRestoredWith || other.Off.With != one || other.Off.Step.By.User != requester ||
		len(other.Off.Step.Approvals) != 1 || other.Off.Step.Approvals[0].By.User != approver {
		t.Errorf("the other holder is told %s, %+v; want with which request the block went, and by whom", other.Note, other.Off)
	}
	if got := w.heard(commands.KindAlarm); len(got) != 0 {
		t.Errorf("what people confirmed raised the alarm %+v", got)
	}
}

// sharing puts a second key into the member account and blocks it for both.
func (w *world) sharing() (one, two remediation.RequestID) {
	w.t.Helper()
	w.at(func() {
		a := w.accounts[member]
		k := a.keys[0]
		k.ID, k.Created = keyTwo, k.Created.Add(time.Hour)
		a.keys = append(a.keys, k)
	})
	w.scan()
	return w.deactivated(member, keyOne), w.deactivated(member, keyTwo)
}

// confirmed asks for a step on a watched key and confirms it.
func (w *world) undo(ask func(*testing.T, remediation.Request) (remediation.Request, error), id remediation.RequestID) {
	w.t.Helper()
	r, err := ask(w.t, w.request(id))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.s.Confirm(w.t.Context(), who(approver), id, r.Version, ""); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
}

func (w *world) lift(t *testing.T, r remediation.Request) (remediation.Request, error) {
	t.Helper()
	return w.s.RequestLift(t.Context(), who(requester), r.ID, r.Version, "the owner registers MFA")
}

func (w *world) reactivate(t *testing.T, r remediation.Request) (remediation.Request, error) {
	t.Helper()
	return w.s.RequestReactivate(t.Context(), who(requester), r.ID, r.Version, "needed")
}

func TestALiftedBlockIsLiftedForEveryRequestThatNeedsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.sharing()
	w.pass(48 * time.Hour)
	w.undo(w.lift, one)
	w.wantState(one, remediation.Lifted)
	if r := w.wantState(two, remediation.Lifted); r.Note != remediation.NoteLiftedWith || r.Off.With != one {
		t.Errorf("the other holder is told %s, %+v", r.Note, r.Off)
	}
	w.pass(61 * time.Minute)
	w.pass(10 * time.Minute)
	w.wantState(one, remediation.Inactive)
	if r := w.wantState(two, remediation.Inactive); r.Watched != 0 || !r.BlockHeld {
		t.Errorf("watched %s with the block held %v; want a window that begins anew", r.Watched, r.BlockHeld)
	}
	if got := w.heard(commands.KindAlarm); len(got) != 0 {
		t.Errorf("what people confirmed raised the alarm %+v", got)
	}
}

func TestABlockThatIsNotPutBackIsSaidToBeOffByNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.sharing()
	w.undo(w.lift, one)
	if err := w.s.Pause(t.Context(), who(approver), "stop"); err != nil {
		t.Fatal(err)
	}
	w.pass(61 * time.Minute)
	w.pass(10 * time.Minute)
	w.wantState(one, remediation.Failed)
	if r := w.wantState(two, remediation.Reactivated); r.Note != remediation.NoteNotPutBack {
		t.Errorf("the other holder is told %s", r.Note)
	}
	if got := w.heard(commands.KindAlarm); len(got) != 2 {
		t.Errorf("%d alarms, want one for each request whose block is not back", len(got))
	}
}

func TestAnUndoForGoodEndsALiftToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.sharing()
	w.undo(w.lift, one)
	r, err := w.reactivate(t, w.request(two))
	if err == nil {
		t.Fatalf("a block that is lifted is undone from %s", r.State)
	}
	w.pass(61 * time.Minute)
	w.pass(10 * time.Minute)
	w.undo(w.reactivate, two)
	w.wantState(one, remediation.Restored)
	w.pass(2 * time.Hour)
	if w.accounts[member].attached {
		t.Error("the block came back after it was undone for good")
	}
}

func TestABlockStaysWhileANewKeyIsThere(t *testing.T) {
	t.Parallel()
	const newKey = posture.KeyID("AKIANEWKEY0000000009")
	appear := func(w *world) {
		w.at(func() {
			w.accounts[member].keys = []posture.Key{{ID: newKey, Status: posture.KeyActive, Created: w.clock}}
		})
	}
	t.Run("the watched one went", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.scan()
		id := w.deactivated(member, keyOne)
		appear(w)
		w.pass(6 * time.Hour)
		if r := w.wantState(id, remediation.GoneOutside); r.Note != remediation.NoteGoneNewKey || len(w.heard(commands.KindAlarm)) != 1 {
			t.Errorf("it is noted as %s with %d alarms", r.Note, len(w.heard(commands.KindAlarm)))
		}
		if !w.accounts[member].attached || !slices.Equal(w.changes(), []string{"deactivate MPLE"}) {
			t.Fatalf("the block is gone: %v", w.changes())
		}
		v, err := w.s.View(t.Context(), "acme", member)
		if err != nil || !v.Block.Kept {
			t.Errorf("the card does not know that the block is kept: %+v, %v", v.Block, err)
		}
		kept := slices.ContainsFunc(w.audit(commands.AuditQuery{Request: string(id)}), func(l audit.Leaf) bool { return l.Action == audit.BlockKept })
		if !kept {
			t.Error("that the block stays is not on record")
		}
		// People decide: the new key is taken into a watch, and then given back.
		w.scan()
		next := w.deactivated(member, newKey)
		w.undo(w.reactivate, next)
		w.wantState(next, remediation.Restored)
		if w.accounts[member].attached {
			t.Error("the block is still there after it was undone")
		}
		w.pass(2 * time.Hour)
		if b, err := w.st.Block(t.Context(), "acme", member); err != nil || len(b.Holders) != 0 || b.Attached {
			t.Errorf("block is %+v, %v", b, err)
		}
	})
	t.Run("the watched one was deleted by the bot, and the new one is removed later", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.scan()
		id := w.deactivated(member, keyOne)
		w.pass(8 * 24 * time.Hour)
		d := w.deleteAsked(id, keyOne)
		if _, err := w.s.Confirm(t.Context(), who(approver), id, d.Version, ""); err != nil {
			t.Fatal(err)
		}
		w.settle()
		appear(w)
		w.pass(time.Minute)
		w.pass(time.Minute)
		w.wantState(id, remediation.VerifiedWithAlarm)
		w.pass(10 * time.Hour)
		if !w.accounts[member].attached {
			t.Fatal("the block is gone, and with it the new key came into use")
		}
		w.at(func() { w.accounts[member].keys = nil })
		w.pass(2 * time.Hour)
		if w.accounts[member].attached {
			t.Error("nothing needs the block any more, and it is still there")
		}
	})
}

func TestAFoundBlockIsNeverTakenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() { w.accounts[member].attached = true })
	w.scan()
	id := w.deactivated(member, keyOne)
	r := w.request(id)
	if !r.BlockFound {
		t.Error("the request does not know that the block was there before")
	}
	_, err := w.s.RequestReactivate(t.Context(), who(requester), id, r.Version, "needed")
	w.wantRefusal(err, commands.NoMeans)
	w.pass(8 * 24 * time.Hour)
	d := w.deleteAsked(id, keyOne)
	if _, err := w.s.Confirm(t.Context(), who(approver), id, d.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.pass(time.Minute)
	w.pass(time.Minute)
	w.wantState(id, remediation.Verified)
	if got := w.changes(); !slices.Equal(got, []string{"delete MPLE"}) {
		t.Errorf("changing calls are %v, want the deletion alone", got)
	}
}

func TestAManagementKeyIsItsOwnersToRemove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	key := w.accounts[management].keys[0]
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(management, key.ID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.AwaitingOwner)
	if got := w.heard(commands.KindOwner); len(got) != 1 || got[0].Purpose != commands.PurposeKey {
		t.Errorf("the owner heard %+v, want the steps once", got)
	}
	_, err = w.s.KeyStepDone(t.Context(), who(ownerUser), r.ID)
	w.wantRefusal(err, commands.NotOwner)
	w.at(func() { w.accounts[management].keys[0].Status = posture.KeyInactive })
	if _, err := w.s.KeyStepDone(t.Context(), who(requester), r.ID); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Inactive)
	w.pass(8 * 24 * time.Hour)
	d := w.deleteAsked(r.ID, key.ID)
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, d.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.AwaitingOwnerDelete)
	w.at(func() { w.accounts[management].keys = nil })
	if _, err := w.s.KeyStepDone(t.Context(), who(requester), r.ID); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.pass(time.Minute)
	w.pass(time.Minute)
	w.wantState(r.ID, remediation.Verified)
	if got := w.changes(); len(got) != 0 {
		t.Errorf("the bot made calls of its own: %v", got)
	}
}

func TestABlockIsLiftedForAnHourAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(member, keyOne)
	r := w.request(id)
	r, err := w.s.RequestLift(t.Context(), who(requester), id, r.Version, "the owner registers MFA")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(id, remediation.Lifted)
	if w.accounts[member].attached {
		t.Fatal("the block is still attached")
	}
	w.pass(61 * time.Minute)
	w.wantState(id, remediation.Inactive)
	if b, err := w.st.Block(t.Context(), "acme", member); err != nil || !b.Attached || b.Origin != remediation.OriginOurs || !w.accounts[member].attached {
		t.Errorf("block is %+v, %v; want it back and ours", b, err)
	}
}

func TestAUseDuringTheWatchRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(lab, keyTwo)
	w.pass(3 * 24 * time.Hour)
	w.use(lab, 0)
	w.pass(2 * time.Hour)
	r := w.wantState(id, remediation.Inactive)
	if r.Watched > 3*time.Hour || len(w.heard(commands.KindAlarm)) != 1 {
		t.Errorf("watched %s with %d alarms, want a new window and one alarm", r.Watched, len(w.heard(commands.KindAlarm)))
	}
}

func TestNobodyIsAskedToDeleteAKeyThatAWSShowsInUse(t *testing.T) {
	t.Parallel()
	changes := map[string]struct {
		do    func(*account, time.Time)
		state remediation.State
	}{
		"was used again":      {func(a *account, now time.Time) { a.keys[0].LastUsed = now }, remediation.Inactive},
		"was activated again": {func(a *account, _ time.Time) { a.keys[0].Status = posture.KeyActive }, remediation.Reactivated},
		"has a second one next": {func(a *account, now time.Time) {
			a.keys = append(a.keys, posture.Key{ID: keyTwo, Status: posture.KeyActive, Created: now})
		}, remediation.Inactive},
	}
	for name, c := range changes {
		t.Run("the key "+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.at(func() { w.accounts[management].keys[0].Status = posture.KeyInactive })
			w.scan()
			key := w.accounts[management].keys[0]
			r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(management, key.ID))
			if err != nil {
				t.Fatal(err)
			}
			w.pass(8 * 24 * time.Hour)
			d := w.deleteAsked(r.ID, key.ID)
			if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, d.Version, ""); err != nil {
				t.Fatal(err)
			}
			w.at(func() { c.do(w.accounts[management], w.clock) })
			w.settle()
			w.wantState(r.ID, c.state)
			if got := w.heard(commands.KindOwner); len(got) != 0 {
				t.Errorf("the owner was asked to delete it: %+v", got)
			}
		})
	}
}
