package commands_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestWhoMayNotIsRefusedAndOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	add := func(user string, change func(*commands.Person)) {
		p := commands.Person{User: user, Team: team}
		change(&p)
		w.at(func() { w.people[user], w.channel[user] = p, true })
	}
	add("U0LEFT", func(p *commands.Person) { p.Deleted = true })
	add("U0BOT", func(p *commands.Person) { p.Bot = true })
	add("U0CONNECT", func(p *commands.Person) { p.Outside = true })
	add("U0OTHER", func(p *commands.Person) { p.Team = "T0OTHER" })

	acts := map[string]func(commands.Actor) error{
		"look":    func(a commands.Actor) error { _, err := w.s.List(t.Context(), a, "", 0); return err },
		"account": func(a commands.Actor) error { _, err := w.s.Account(t.Context(), a, "billing"); return err },
		"request": func(a commands.Actor) error {
			_, err := w.s.RequestDeactivate(t.Context(), a, ask(lab, keyTwo))
			return err
		},
		"confirm": func(a commands.Actor) error {
			_, err := w.s.Confirm(t.Context(), a, r.ID, r.Version, "")
			return err
		},
		"reject": func(a commands.Actor) error {
			_, err := w.s.Reject(t.Context(), a, r.ID, r.Version, "no")
			return err
		},
		"pause": func(a commands.Actor) error { return w.s.Pause(t.Context(), a, "stop") },
		"emergency": func(a commands.Actor) error {
			_, err := w.s.BreakGlass(t.Context(), a, ask(lab, keyTwo))
			return err
		},
		"claim": func(a commands.Actor) error {
			_, err := w.s.ClaimOwner(t.Context(), a, "acme", member)
			return err
		},
	}
	everybody := map[string]commands.RefusalCode{
		guest: commands.IsGuest, "U0LEFT": commands.IsDeactivated, "U0BOT": commands.IsBot, "U0CONNECT": commands.IsOutside,
		"U0OTHER": commands.IsOutside, "U0UNKNOWN": commands.WhoUnknown, "": commands.WhoUnknown,
	}
	for name, act := range acts {
		for user, code := range everybody {
			w.wantRefusal(act(who(user)), code)
		}
		w.wantRefusal(act(commands.Actor{User: approver, Team: "T0OTHER"}), commands.IsOutside)
		w.wantRefusal(act(commands.Actor{User: approver}), commands.IsOutside)
		w.at(func() { w.broken["directory"] = true })
		w.wantRefusal(act(who(approver)), commands.WhoUnknown)
		w.at(func() { w.broken["directory"] = false })
		if name != "look" && name != "account" && name != "claim" {
			continue
		}
		w.wantRefusal(act(who(stranger)), commands.NotInChannel)
	}
	w.wantRefusal(acts["request"](who(stranger)), commands.NotRequester)
	w.wantRefusal(acts["confirm"](who(requester)), commands.NotApprover)
	w.wantRefusal(acts["reject"](who(requester)), commands.NotApprover)
	w.wantRefusal(acts["pause"](who(requester)), commands.NotApprover)
	w.wantRefusal(acts["emergency"](who(requester)), commands.NotApprover)
	w.wantState(r.ID, remediation.Requested)
	if got := w.changes(); len(got) != 0 {
		t.Errorf("refused acts made calls: %v", got)
	}
}

func TestAGroupOfApproversIsReadLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) {
		c.Approvers = commands.People{Users: []string{second}, Groups: []string{groupID}}
	})
	w.at(func() { w.groups[groupID] = []string{approver} })
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	w.at(func() { w.broken["groups"] = true })
	_, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, "")
	if no := w.wantRefusal(err, commands.GroupUnreadable); no.Args["group"] != groupID {
		t.Errorf("the refusal names the group %q", no.Args["group"])
	}
	st, err := w.s.Status(t.Context(), who(approver))
	if err != nil || !slices.Equal(st.Unreadable, []string{groupID}) {
		t.Errorf("status names %v, %v", st.Unreadable, err)
	}
	w.at(func() { w.broken["groups"], w.groups[groupID] = false, nil })
	_, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, "")
	w.wantRefusal(err, commands.NotApprover)
	w.at(func() { w.groups[groupID] = []string{approver} })
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	// Taken out of the group after the click, before the call.
	w.at(func() { w.groups[groupID] = nil })
	w.settle()
	got := w.wantState(r.ID, remediation.Failed)
	if got.NoteDetail != string(remediation.GateEntitled) || len(w.changes()) != 0 {
		t.Errorf("gate %q, calls %v; want the entitlement's gate and no call", got.NoteDetail, w.changes())
	}
}

func TestWhatIsTypedIsComparedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	w.at(func() { w.broken["read"] = true }) // a wrong word never gets as far as AWS
	for name, c := range map[string]struct {
		change func(*commands.Ask)
		code   commands.RefusalCode
		field  string
	}{
		"another key's last four":  {func(q *commands.Ask) { q.TypedKey = "WXYZ" }, commands.WrongKey, "key"},
		"nothing":                  {func(q *commands.Ask) { q.TypedKey = "" }, commands.WrongKey, "key"},
		"a handle":                 {func(q *commands.Ask) { q.TypedKey = "AKIA…MPLE#" + q.Key }, commands.WrongKey, "key"},
		"another account's id":     {func(q *commands.Ask) { q.TypedAccount = string(lab) }, commands.WrongAccount, "account"},
		"a key that nobody listed": {func(q *commands.Ask) { q.Key = "0123456789abcdef" }, commands.UnknownKey, "key"},
		"an account nobody knows":  {func(q *commands.Ask) { q.Account = "999999999999" }, commands.UnknownAccount, "account"},
		"AWS does not answer":      {func(*commands.Ask) {}, commands.Unreadable, ""},
	} {
		q := ask(member, keyOne)
		c.change(&q)
		_, err := w.s.RequestDeactivate(t.Context(), who(requester), q)
		if no := w.wantRefusal(err, c.code); no.Field != c.field {
			t.Errorf("%s: the field is %q, want %q", name, no.Field, c.field)
		}
	}
	w.at(func() { w.broken["read"] = false })
	q := ask(member, keyOne)
	q.Reason = "  "
	_, err := w.s.RequestDeactivate(t.Context(), who(requester), q)
	w.wantRefusal(err, commands.ReasonWanted)
}

func TestClicksThatComeTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(approver), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.s.RequestDeactivate(t.Context(), who(second), ask(member, keyOne))
	if no := w.wantRefusal(err, commands.AlreadyOpen); no.Args["request"] != string(r.ID) || no.Args["by"] != approver {
		t.Errorf("the refusal says %v", no.Args)
	}
	_, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, "")
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseOwn))
	_, err = w.s.Confirm(t.Context(), who(second), r.ID, r.Version+7, "")
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseOutdated))
	_, err = w.s.Confirm(t.Context(), who(second), "r999", 1, "")
	w.wantRefusal(err, commands.UnknownRequest)
	if _, err = w.s.Confirm(t.Context(), who(second), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Confirm(t.Context(), who(second), r.ID, r.Version, "")
	if no := w.wantRefusal(err, commands.RefusalCode(remediation.RefuseOutdated)); no.Args["by"] != second || no.Args["when"] == "" {
		t.Errorf("the second click is told %v, want who did it and when", no.Args)
	}
	_, err = w.s.RequestDelete(t.Context(), who(requester), r.ID, r.Version+1, commands.Ask{TypedKey: string(keyOne), Reason: "r"})
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseNotNow))
	w.settle()
	got := w.wantState(r.ID, remediation.Inactive)
	_, err = w.s.RequestDelete(t.Context(), who(requester), r.ID, got.Version, commands.Ask{TypedKey: "MPLE", Reason: "r"})
	w.wantRefusal(err, commands.KeyNotWhole)
	_, err = w.s.RequestDelete(t.Context(), who(requester), r.ID, got.Version, commands.Ask{TypedKey: string(keyOne), Reason: "r"})
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseWatching))

	x, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Cancel(t.Context(), who(stranger), x.ID, x.Version)
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseNotYours))
	w.at(func() { w.clock = w.clock.Add(25 * time.Hour) })
	_, err = w.s.Confirm(t.Context(), who(second), x.ID, x.Version, "")
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseExpired))
	w.settle()
	w.wantState(x.ID, remediation.Expired)
	_, err = w.s.Confirm(t.Context(), who(second), x.ID, x.Version, "")
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseEnded))
}

func TestNobodyActsWhereNothingMayBeDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) {
		c.Sources = map[string]commands.SourceConfig{"acme": {NeverActOn: []posture.AccountID{lab}}}
	})
	w.at(func() {
		w.accounts[member].means = commands.Ways{Deactivate: remediation.MeansNone, Delete: remediation.MeansNone, Why: "centralized root access is off"}
	})
	w.scan()
	_, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
	w.wantRefusal(err, commands.NeverActOn)
	_, err = w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if no := w.wantRefusal(err, commands.NoMeans); !strings.Contains(no.Args["why"], "centralized") {
		t.Errorf("the refusal says %v", no.Args)
	}
}

func TestAPauseStopsEverythingButAnUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(lab, keyTwo)
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	w.wantRefusal(w.s.Pause(t.Context(), who(approver), " "), commands.ReasonWanted)
	if err = w.s.Pause(t.Context(), who(approver), "migration tonight"); err != nil {
		t.Fatal(err)
	}
	w.wantRefusal(w.s.Pause(t.Context(), who(second), "me too"), commands.AlreadySo)
	_, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, "")
	w.wantRefusal(err, commands.IsPaused)
	_, err = w.s.BreakGlass(t.Context(), who(approver), emergency(member, keyOne))
	w.wantRefusal(err, commands.IsPaused)
	u := w.request(id)
	if u, err = w.s.RequestReactivate(t.Context(), who(requester), id, u.Version, "needed"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Confirm(t.Context(), who(second), id, u.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(id, remediation.Restored)
	w.wantRefusal(w.s.Resume(t.Context(), who(approver), commands.AnyPause), commands.OwnPause)
	if err := w.s.Resume(t.Context(), who(second), commands.AnyPause); err != nil {
		t.Fatal(err)
	}
	w.wantRefusal(w.s.Resume(t.Context(), who(second), commands.AnyPause), commands.AlreadySo)
	if len(w.notices(commands.NoticePaused)) != 1 {
		t.Error("the channel was not told of the pause")
	}
	// A pause between the click and the call shuts the gate, and nothing is sent.
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.s.Pause(t.Context(), who(second), "stop"); err != nil {
		t.Fatal(err)
	}
	before := len(w.changes())
	w.settle()
	if got := w.wantState(r.ID, remediation.Failed); got.NoteDetail != string(remediation.GatePaused) || len(w.changes()) != before {
		t.Errorf("gate %q and calls %v", got.NoteDetail, w.changes())
	}
	for _, l := range w.audit(commands.AuditQuery{Request: string(r.ID)}) {
		if l.Action == audit.RemediationAttempted {
			t.Error("an attempt is on record behind a gate that was shut")
		}
	}
}

func TestARequestThatMovedWhileItsGatesWereAskedIsAskedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	opened := 0
	w.boundary = func(name string) {
		if name != "executor.open" {
			return
		}
		if opened++; opened > 1 {
			return
		}
		// Somebody writes the request between the gates and the attempt.
		moved := w.request(r.ID)
		moved.Version++
		e := audit.Event{At: w.now(), Actor: audit.System("test"), Action: audit.RemediationObserved, Outcome: audit.OutcomeDone}
		if _, err := w.st.Commit(t.Context(), commands.Change{Request: &moved, Audit: []audit.Event{e}}); err != nil {
			t.Error(err)
		}
	}
	w.settle()
	w.pass(time.Minute)
	w.wantState(r.ID, remediation.Inactive)
	if opened != 2 || len(w.changes()) != 1 {
		t.Errorf("%d sessions and the calls %v; want the gates asked again, and one call", opened, w.changes())
	}
}

func TestADeletionIsAskedOfWhatAWSShowsNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(lab, keyTwo)
	w.pass(8 * 24 * time.Hour)
	seen := w.request(id)
	w.use(lab, 0) // nobody has read it yet
	_, err := w.s.RequestDelete(t.Context(), who(requester), id, seen.Version, commands.Ask{TypedKey: string(keyTwo), Reason: "watched"})
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseOutdated))
	w.wantState(id, remediation.Inactive)
	w.at(func() { w.broken["read"] = true })
	w.pass(time.Hour)
	seen = w.request(id)
	_, err = w.s.RequestDelete(t.Context(), who(requester), id, seen.Version, commands.Ask{TypedKey: string(keyTwo), Reason: "watched"})
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseWatching))
}

func TestADryRunNeverActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.DryRun = true })
	w.at(func() {
		w.accounts[member].contacts = []commands.Contact{{How: commands.OwnerByEmail, Value: ownerUser + "@example.com"}}
	})
	w.scan()
	for _, account := range []posture.AccountID{member, management} {
		key := w.accounts[account].keys[0].ID
		r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(account, key))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
			t.Fatal(err)
		}
		w.settle()
		if got := w.wantState(r.ID, remediation.Failed); got.NoteDetail != string(remediation.GateDryRun) {
			t.Errorf("the gate is %q", got.NoteDetail)
		}
	}
	_, err := w.s.InstructMFA(t.Context(), who(requester), "billing")
	w.wantRefusal(err, commands.DryRunOn)
	_, err = w.s.ReleaseOwners(t.Context(), who(approver))
	w.wantRefusal(err, commands.DryRunOn)
	if len(w.changes()) != 0 || len(w.heard(commands.KindOwner)) != 0 {
		t.Errorf("calls %v and DMs %v in a dry run", w.changes(), w.heard(commands.KindOwner))
	}
}

func emergency(account posture.AccountID, key posture.KeyID) commands.Ask {
	q := ask(account, key)
	q.TypedAccount, q.TypedKey = string(account), string(key)
	return q
}

func TestAnEmergencyActsAtOnceAndThriceADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	q := emergency(member, keyOne)
	q.TypedKey = "MPLE"
	_, err := w.s.BreakGlass(t.Context(), who(approver), q)
	w.wantRefusal(err, commands.KeyNotWhole)
	q = emergency(member, keyOne)
	q.TypedAccount = ""
	_, err = w.s.BreakGlass(t.Context(), who(approver), q)
	w.wantRefusal(err, commands.WrongAccount)

	r, err := w.s.BreakGlass(t.Context(), who(approver), emergency(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Inactive)
	if got := w.notices(commands.NoticeBreakGlass); len(got) != 1 || got[0].By != approver || got[0].Request != r.ID {
		t.Errorf("the channel heard %+v", got)
	}
	d, err := w.s.Digest(t.Context(), w.now())
	if err != nil || len(d.Emergency) != 1 {
		t.Errorf("the digest knows of %d emergencies, %v", len(d.Emergency), err)
	}
	for range 2 {
		w.at(func() { w.accounts[lab].keys[0].Status = posture.KeyActive })
		var x, u remediation.Request
		if x, err = w.s.BreakGlass(t.Context(), who(second), emergency(lab, keyTwo)); err != nil {
			t.Fatal(err)
		}
		w.settle()
		u, err = w.s.RequestReactivate(t.Context(), who(requester), x.ID, w.request(x.ID).Version, "over")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.s.Confirm(t.Context(), who(approver), x.ID, u.Version, ""); err != nil {
			t.Fatal(err)
		}
		w.settle()
	}
	_, err = w.s.BreakGlass(t.Context(), who(second), emergency(lab, keyTwo))
	w.wantRefusal(err, commands.EmergencyLimit)
	w.at(func() { w.clock = w.clock.Add(25 * time.Hour) })
	if _, err := w.s.BreakGlass(t.Context(), who(second), emergency(lab, keyTwo)); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

func TestTheDaysDeletionsAreCapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.DailyCap = 1 })
	w.scan()
	one, two := w.deactivated(member, keyOne), w.deactivated(lab, keyTwo)
	w.pass(8 * 24 * time.Hour)
	for id, key := range map[remediation.RequestID]posture.KeyID{one: keyOne, two: keyTwo} {
		r := w.deleteAsked(id, key)
		if _, err := w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
			t.Fatal(err)
		}
		w.settle()
	}
	states := []remediation.State{w.request(one).State, w.request(two).State}
	if !slices.Contains(states, remediation.Inactive) || !slices.Contains(states, remediation.Deleted) {
		t.Errorf("states are %v, want one deleted and one back at the watch", states)
	}
}

func TestACapOfZeroMeansNoDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.DailyCap = 0 })
	w.scan()
	id := w.deactivated(lab, keyTwo)
	w.pass(8 * 24 * time.Hour)
	before := len(w.changes())
	r := w.deleteAsked(id, keyTwo)
	if _, err := w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if r := w.wantState(id, remediation.Inactive); r.NoteDetail != string(remediation.GateCap) {
		t.Errorf("it was stopped by %q, want the cap", r.NoteDetail)
	}
	if calls := w.changes(); len(calls) != before {
		t.Errorf("calls were made: %v", calls[before:])
	}
}

func TestAnAloneApproverTypesTheWholeKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) {
		c.Approvers, c.Requesters = commands.People{Users: []string{approver}}, commands.People{}
		c.Policy.TwoPerson = false
	})
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(approver), ask(lab, keyTwo))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, "MPLE")
	w.wantRefusal(err, commands.KeyNotWhole)
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, string(keyTwo)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Inactive)
}

func TestTwoPersonOffNeedsExactlyOneApprover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.cfg
	c.Policy.TwoPerson = false
	_, err := commands.New(c, commands.Deps{
		Ledger: w.st, Queue: w.st, Estate: w.st, Inspector: inspector{w}, Executor: executor{w}, Directory: directory{w},
		Now: w.now, NewID: w.newID,
	})
	if err == nil || !strings.Contains(err.Error(), "two_person") {
		t.Errorf("got %v, want an error that names the setting", err)
	}
}

func TestNoWholeKeyIsOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	q := ask(member, keyOne)
	q.Reason = "found " + string(keyOne) + " in a repository"
	if _, err := w.s.RequestDeactivate(context.WithoutCancel(t.Context()), who(requester), q); err != nil {
		t.Fatal(err)
	}
	for _, l := range w.audit(commands.AuditQuery{}) {
		raw, err := audit.Encode(l)
		if err != nil || strings.Contains(string(raw), string(keyOne)) {
			t.Errorf("record %d tells the key: %s %v", l.Seq, raw, err)
		}
	}
}

func TestNobodyResumesTheirOwnPauseFromASecondAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.Approvers.Users = append(c.Approvers.Users, "U0TWIN") })
	w.at(func() {
		w.people["U0TWIN"] = commands.Person{User: "U0TWIN", Team: team, Email: "U0APPROVE@EXAMPLE.COM"}
	})
	if err := w.s.Pause(t.Context(), who(approver), "look first"); err != nil {
		t.Fatal(err)
	}
	w.wantRefusal(w.s.Resume(t.Context(), who("U0TWIN"), commands.AnyPause), commands.OwnPause)
	if err := w.s.Resume(t.Context(), who(second), commands.AnyPause); err != nil {
		t.Errorf("somebody else's resume: %v", err)
	}
}

func TestWhatNamesNothingIsRefusedAndOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wantRefusal(w.s.Refuse(t.Context(), who(requester), "forged", commands.UnknownRequest), commands.UnknownRequest)
	w.wantRefusal(w.s.Refuse(t.Context(), who(guest), strings.Repeat("가", 200), commands.UnknownRequest), commands.IsGuest)
}

func TestAnEqualEmailGivesNoRightToCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() {
		w.people["U0TWIN"] = commands.Person{User: "U0TWIN", Team: team, Email: "U0REQUEST@example.com"}
	})
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Cancel(t.Context(), who("U0TWIN"), r.ID, r.Version)
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseNotYours))
	if _, err = w.s.Cancel(t.Context(), who(requester), r.ID, r.Version); err != nil {
		t.Errorf("the requester's own cancel: %v", err)
	}
}

func TestNoSecretThatSomebodyTypesIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, typed := range []string{
		"akiaiosfodnn7example", "AKIAIOSF\u200bODNN7EXAMPLE", "key AKIA-IOSF-ODNN-7EXA-MPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	} {
		if err := w.s.Pause(t.Context(), who(approver), typed); err != nil {
			t.Fatal(err)
		}
		sw, err := w.st.Switch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		newest := w.audit(commands.AuditQuery{Limit: 1})[0]
		for where, kept := range map[string]string{"the store": sw.Reason, "the audit log": newest.Reason} {
			bare := strings.ToUpper(strings.NewReplacer("-", "", "\u200b", "").Replace(kept))
			if strings.Contains(bare, "IOSFODNN7EXA") || strings.Contains(bare, "K7MDENG") {
				t.Errorf("%s keeps %q of %q", where, kept, typed)
			}
		}
		if err := w.s.Resume(t.Context(), who(second), commands.AnyPause); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingIsDecidedWhileAnotherCompanyLooksOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	w.at(func() { w.broken["channel"] = true })
	_, err = w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
	w.wantRefusal(err, commands.ChannelShared)
	_, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, "")
	w.wantRefusal(err, commands.ChannelShared)
	_, err = w.s.BreakGlass(t.Context(), who(second), emergency(lab, keyTwo))
	w.wantRefusal(err, commands.ChannelShared)
	if err := w.s.Pause(t.Context(), who(approver), "the channel is shared"); err != nil {
		t.Errorf("nobody can pause: %v", err)
	}
	w.wantRefusal(w.s.Resume(t.Context(), who(second), commands.AnyPause), commands.ChannelShared)
	if _, err := w.s.Reject(t.Context(), who(second), r.ID, r.Version, "not in front of strangers"); err != nil {
		t.Errorf("nobody can reject: %v", err)
	}
	w.at(func() { w.broken["channel"] = false })
	if err := w.s.Resume(t.Context(), who(second), commands.AnyPause); err != nil {
		t.Errorf("after it is ours alone again: %v", err)
	}
}
