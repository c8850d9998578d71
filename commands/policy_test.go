package commands_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestALoosePolicyDoesNotOutliveItsSetting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) {
		c.Policy.TwoPerson, c.Policy.Watch = false, 24*time.Hour
		c.Approvers = commands.People{Users: []string{approver}}
	})
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(approver), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, string(keyOne)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.cfg.Policy = remediation.DefaultPolicy()
	w.cfg.Policy.DeleteApprovals = 2
	w.cfg.Approvers = commands.People{Users: []string{approver, second, requester}}
	w.boot()
	w.pass(26 * time.Hour)
	if q := w.request(r.ID); q.Remaining() == 0 || !q.Policy.TwoPerson {
		t.Errorf("it is shown with %s to watch, two persons %v", q.Remaining(), q.Policy.TwoPerson)
	}
	q := w.request(r.ID)
	_, err = w.s.RequestDelete(t.Context(), who(second), r.ID, q.Version, commands.Ask{TypedKey: string(keyOne), Reason: "alone"})
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseWatching))
	w.pass(7 * 24 * time.Hour)
	q = w.request(r.ID)
	if q, err = w.s.RequestDelete(t.Context(), who(second), r.ID, q.Version, commands.Ask{TypedKey: string(keyOne), Reason: "alone"}); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Confirm(t.Context(), who(second), r.ID, q.Version, string(keyOne))
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseOwn))
	if q, err = w.s.Confirm(t.Context(), who(approver), r.ID, q.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.DeleteRequested)
	if _, err = w.s.Confirm(t.Context(), who(requester), r.ID, q.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Deleted)
}

// blockingAgain is a request whose lifted block is to come back, while AWS does not answer.
func (w *world) blockingAgain() remediation.Request {
	w.t.Helper()
	w.scan()
	id := w.deactivated(member, keyOne)
	w.pass(2 * time.Hour)
	q, err := w.s.RequestLift(w.t.Context(), who(requester), id, w.request(id).Version, "sign in")
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err = w.s.Confirm(w.t.Context(), who(approver), id, q.Version, ""); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	w.at(func() { w.broken["open"], w.clock = true, w.clock.Add(61*time.Minute) })
	w.settle()
	return w.wantState(id, remediation.Approved)
}

func TestTheRequesterAloneLeavesNoLiftedBlockOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := w.blockingAgain()
	_, err := w.s.Cancel(t.Context(), who(requester), q.ID, q.Version)
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseBlockAgain))
	w.at(func() { w.broken["open"] = false })
	w.pass(time.Minute)
	w.wantState(q.ID, remediation.Inactive)
}

func TestARequestOfADryRunCanBeEndedOnceItIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.DryRun, c.Policy.DryRun = true, true })
	w.accounts[lab].keys[0].Status = posture.KeyInactive
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.DryRun, w.cfg.Policy.DryRun = false, false
	w.boot()
	w.pass(9 * 24 * time.Hour)
	if _, err = w.s.Cancel(t.Context(), who(requester), r.ID, w.request(r.ID).Version); err != nil {
		t.Fatal(err)
	}
	w.wantState(r.ID, remediation.Cancelled)
	if _, err = w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo)); err != nil {
		t.Error(err)
	}
}

func TestAKeyOfTwoNamesHasOneOpenRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := w.accounts[lab].keys[0]
	w.accounts[lab].keys[0].ID = "" // a read-only role looks in: only the date is known
	w.scan()
	q := ask(lab, "")
	q.Key, q.TypedAccount, q.TypedKey = commands.KeyName(w.accounts[lab].keys[0]), string(lab), ""
	if _, err := w.s.RequestDeactivate(t.Context(), who(requester), q); err != nil {
		t.Fatal(err)
	}
	w.at(func() { w.accounts[lab].keys[0] = whole }) // and now somebody sees the id
	w.scan()
	_, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
	w.wantRefusal(err, commands.AlreadyOpen)
}

func TestAnAccountThatIsNeverToBeActedOnIsSoByEveryEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) {
		c.Sources = map[string]commands.SourceConfig{"other": {NeverActOn: []posture.AccountID{member}}}
	})
	w.scan()
	_, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	w.wantRefusal(err, commands.NeverActOn)
}
