package commands_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

const nowhere = posture.AccountID("999999999999")

// verbsOf calls every verb that takes a person, about an account and a request that there are.
func verbsOf(w *world, r remediation.Request) map[string]func(commands.Actor) error {
	t, s := w.t, w.s
	ctx := t.Context()
	until := w.now().Add(48 * time.Hour)
	drop := func(err error) error { return err }
	return map[string]func(commands.Actor) error{
		"List":       func(a commands.Actor) error { _, err := s.List(ctx, a, "", 0); return drop(err) },
		"Account":    func(a commands.Actor) error { _, err := s.Account(ctx, a, "billing"); return drop(err) },
		"Find":       func(a commands.Actor) error { _, err := s.Find(ctx, a, "billing"); return drop(err) },
		"Keys":       func(a commands.Actor) error { _, err := s.Keys(ctx, a, ""); return drop(err) },
		"Status":     func(a commands.Actor) error { _, err := s.Status(ctx, a); return drop(err) },
		"Requests":   func(a commands.Actor) error { _, err := s.Requests(ctx, a, true); return drop(err) },
		"AuditTrail": func(a commands.Actor) error { _, err := s.AuditTrail(ctx, a, "billing"); return drop(err) },
		"CheckNow":   func(a commands.Actor) error { _, err := s.CheckNow(ctx, a); return drop(err) },
		"DigestNow":  func(a commands.Actor) error { return s.DigestNow(ctx, a) },
		"Home":       func(a commands.Actor) error { _, _, err := s.Home(ctx, a); return drop(err) },
		"May":        func(a commands.Actor) error { return s.May(ctx, a, commands.ActConfirm) },
		"MayStep":    func(a commands.Actor) error { return s.MayStep(ctx, a, r.ID, r.Version, remediation.Confirm) },
		"Refuse":     func(a commands.Actor) error { return s.Refuse(ctx, a, "forged", commands.UnknownButton) },
		"Preview":    func(a commands.Actor) error { _, err := s.Preview(ctx, a, "acme", member, "", ""); return drop(err) },
		"RequestDeactivate": func(a commands.Actor) error {
			_, err := s.RequestDeactivate(ctx, a, ask(lab, keyTwo))
			return drop(err)
		},
		"BreakGlass": func(a commands.Actor) error { _, err := s.BreakGlass(ctx, a, emergency(lab, keyTwo)); return drop(err) },
		"RequestDelete": func(a commands.Actor) error {
			_, err := s.RequestDelete(ctx, a, r.ID, r.Version, commands.Ask{TypedKey: string(keyOne), Reason: "r"})
			return drop(err)
		},
		"RequestReactivate": func(a commands.Actor) error { return outcome(s.RequestReactivate(ctx, a, r.ID, r.Version, "r")) },
		"RequestLift":       func(a commands.Actor) error { return outcome(s.RequestLift(ctx, a, r.ID, r.Version, "r")) },
		"Confirm":           func(a commands.Actor) error { return outcome(s.Confirm(ctx, a, r.ID, r.Version, "")) },
		"Reject":            func(a commands.Actor) error { return outcome(s.Reject(ctx, a, r.ID, r.Version, "no")) },
		"Cancel":            func(a commands.Actor) error { return outcome(s.Cancel(ctx, a, r.ID, r.Version)) },
		"KeyStepDone":       func(a commands.Actor) error { return outcome(s.KeyStepDone(ctx, a, r.ID)) },
		"Pause":             func(a commands.Actor) error { return s.Pause(ctx, a, "stop") },
		"Resume":            func(a commands.Actor) error { return s.Resume(ctx, a, commands.AnyPause) },
		"Mute":              func(a commands.Actor) error { return s.Mute(ctx, a, "acme", member, posture.RootMFA, "r", until) },
		"Unmute":            func(a commands.Actor) error { return s.Unmute(ctx, a, "acme", member, posture.RootMFA) },
		"InstructMFA":       func(a commands.Actor) error { _, err := s.InstructMFA(ctx, a, "billing"); return drop(err) },
		"InstructMFAAt":     func(a commands.Actor) error { _, err := s.InstructMFAAt(ctx, a, "acme", member); return drop(err) },
		"AccountAt":         func(a commands.Actor) error { _, err := s.AccountAt(ctx, a, "acme", member); return drop(err) },
		"ReleaseOwners":     func(a commands.Actor) error { _, err := s.ReleaseOwners(ctx, a); return drop(err) },
		"ClaimOwner":        func(a commands.Actor) error { _, err := s.ClaimOwner(ctx, a, "acme", member); return drop(err) },
		"AssignOwner": func(a commands.Actor) error {
			_, err := s.AssignOwner(ctx, a, "acme", member, second)
			return drop(err)
		},
		"ConfirmOwner": func(a commands.Actor) error {
			_, err := s.ConfirmOwner(ctx, a, "acme", member, second)
			return drop(err)
		},
		"DeclineOwner": func(a commands.Actor) error { _, err := s.DeclineOwner(ctx, a, "acme", member); return drop(err) },
		"ChooseDevice": func(a commands.Actor) error {
			_, err := s.ChooseDevice(ctx, a, "acme", member, "passkey", "")
			return drop(err)
		},
		"RemindTomorrow": func(a commands.Actor) error { _, err := s.RemindTomorrow(ctx, a, "acme", member); return drop(err) },
		"MFADone":        func(a commands.Actor) error { _, _, err := s.MFADone(ctx, a, "acme", member); return drop(err) },
	}
}

func TestEveryVerbRefusesWhoMayDoNothingAndPutsItOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	verbs := verbsOf(w, r)
	actor := reflect.TypeFor[commands.Actor]()
	of := reflect.TypeOf(w.s)
	for m := range of.Methods() {
		takes := slices.Contains(slices.Collect(m.Type.Ins()), actor)
		call, ok := verbs[m.Name]
		if takes != ok {
			t.Errorf("%s takes a person: %v, and is tried: %v", m.Name, takes, ok)
		}
		if !ok {
			continue
		}
		before := len(w.audit(commands.AuditQuery{}))
		w.wantRefusal(call(who(guest)), commands.IsGuest)
		leaves := w.audit(commands.AuditQuery{})
		if last := leaves[len(leaves)-1]; len(leaves) != before+1 || last.Actor.ID != guest || last.Detail["act"] == "" {
			t.Errorf("%s: the refusal left %d records, the last one %+v", m.Name, len(leaves)-before, last)
		}
	}
	if got := w.changes(); len(got) != 0 {
		t.Errorf("refused verbs made calls: %v", got)
	}
	w.wantState(r.ID, remediation.Requested)
}

// codes are the refusals that the sources name.
func codes(t *testing.T) []commands.RefusalCode {
	t.Helper()
	var found []commands.RefusalCode
	defer func() {
		if len(found) < 40 {
			t.Errorf("only %d refusals were found in the sources", len(found))
		}
	}()
	for _, name := range []string{"refusal.go", "../remediation/machine.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "RefusalCode" {
				return true
			}
			for _, x := range v.Values {
				lit, ok := x.(*ast.BasicLit)
				if !ok {
					continue
				}
				if s, err := strconv.Unquote(lit.Value); err == nil {
					found = append(found, commands.RefusalCode(s))
				}
			}
			return true
		})
	}
	return found
}

// TestEveryRefusalThatThereIsHasItsRecord provokes each refusal by a verb; wantRefusal looks for its record.
func TestEveryRefusalThatThereIsHasItsRecord(t *testing.T) {
	t.Parallel()
	seen := map[commands.RefusalCode]bool{
		commands.InternalTrouble: true,                                                                      // a failure and no refusal; the log has it
		"not_read":               true, "held": true, "stale_facts": true, "reason": true, "no_means": true, // said in other words by the verbs
		commands.IsBot: true, commands.IsDeactivated: true, commands.IsOutside: true, // each with every act above
	}
	w := newWorld(t, func(c *commands.Config) {
		c.Approvers.Groups = []string{groupID}
		c.Policy.DeleteApprovals = 2
		c.Sources = map[string]commands.SourceConfig{"acme": {NeverActOn: []posture.AccountID{management}}}
	})
	want := func(err error, code commands.RefusalCode) {
		t.Helper()
		w.wantRefusal(err, code)
		seen[code] = true
	}
	ctx, drop := t.Context(), outcome
	w.scan()
	r, err := w.s.RequestDeactivate(ctx, who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	about := func(account posture.AccountID, key posture.KeyID, change func(*commands.Ask)) error {
		q := ask(account, key)
		change(&q)
		return outcome(w.s.RequestDeactivate(ctx, who(requester), q))
	}
	same := func(*commands.Ask) {}

	// Who may not.
	want(w.s.May(ctx, who(stranger), commands.ActLook), commands.NotInChannel)
	want(about(lab, keyTwo, func(*commands.Ask) {
		w.at(func() { w.people[requester] = commands.Person{User: requester, Team: team, Guest: true} })
	}), commands.IsGuest)
	w.at(func() { w.people[requester] = commands.Person{User: requester, Team: team} })
	want(w.s.Pause(ctx, who(requester), "stop"), commands.NotApprover)
	_, err = w.s.RequestDeactivate(ctx, who(stranger), ask(lab, keyTwo))
	want(err, commands.NotRequester)
	want(drop(w.s.KeyStepDone(ctx, who(stranger), r.ID)), commands.NotOwner)
	want(drop(w.s.Cancel(ctx, who(stranger), r.ID, r.Version)), commands.RefusalCode(remediation.RefuseNotYours))
	want(w.s.May(ctx, who("U0UNKNOWN"), commands.ActLook), commands.WhoUnknown)
	w.at(func() { w.broken["groups"] = true })
	want(w.s.May(ctx, who(requester), commands.ActConfirm), commands.GroupUnreadable)
	w.at(func() { w.broken["groups"] = false })

	// What names nothing, or something else.
	want(drop(w.s.Confirm(ctx, who(approver), "r999", 1, "")), commands.UnknownRequest)
	want(w.s.MayStep(ctx, who(approver), "r999", 1, remediation.Confirm), commands.UnknownRequest)
	want(about(nowhere, keyTwo, same), commands.UnknownAccount)
	_, err = w.s.AuditTrail(ctx, who(requester), "no such account")
	want(err, commands.UnknownAccount)
	_, err = w.s.Find(ctx, who(requester), "no-such-account")
	want(err, commands.UnknownAccount)
	_, err = w.s.Account(ctx, who(requester), "no such account")
	want(err, commands.UnknownAccount)
	_, err = w.s.Keys(ctx, who(requester), "no such account")
	want(err, commands.UnknownAccount)
	_, err = w.s.InstructMFA(ctx, who(requester), "no such account")
	want(err, commands.UnknownAccount)
	want(about(lab, "AKIANOSUCHKEY0000001", same), commands.UnknownKey)
	want(w.s.Refuse(ctx, who(requester), "forged", commands.UnknownButton), commands.UnknownButton)
	want(about(lab, keyTwo, func(q *commands.Ask) { q.TypedAccount = string(member) }), commands.WrongAccount)
	want(about(lab, keyTwo, func(q *commands.Ask) { q.TypedKey = "WXYZ" }), commands.WrongKey)
	short := emergency(lab, keyTwo)
	short.TypedKey = short.TypedKey[len(short.TypedKey)-4:]
	_, err = w.s.BreakGlass(ctx, who(approver), short)
	want(err, commands.KeyNotWhole)
	want(about(lab, keyTwo, func(q *commands.Ask) { q.Reason = " " }), commands.ReasonWanted)
	want(about(management, "AKIAMANAGEMENT000001", same), commands.NeverActOn)
	want(about(member, keyOne, same), commands.AlreadyOpen)
	w.at(func() { w.broken["read"] = true })
	want(about(lab, keyTwo, same), commands.Unreadable)
	w.at(func() { w.broken["read"] = false })
	w.at(func() { w.accounts[lab].means.Deactivate = remediation.MeansNone })
	want(about(lab, keyTwo, same), commands.NoMeans)
	w.at(func() { w.accounts[lab].means.Deactivate = remediation.MeansRootCredentials })

	// What is not to be decided so.
	own, err := w.s.RequestDeactivate(ctx, who(approver), ask(lab, keyTwo))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.s.BreakGlass(ctx, who(second), emergency(lab, keyTwo))
	want(err, commands.EmergencyOpen)
	want(w.s.MayStep(ctx, who(approver), own.ID, own.Version, remediation.Confirm), commands.RefusalCode(remediation.RefuseOwn))
	want(drop(w.s.Confirm(ctx, who(approver), own.ID, own.Version, "")), commands.RefusalCode(remediation.RefuseOwn))
	want(drop(w.s.Confirm(ctx, who(second), own.ID, own.Version+3, "")), commands.RefusalCode(remediation.RefuseOutdated))
	want(w.s.MayStep(ctx, who(requester), own.ID, own.Version, remediation.AskDelete), commands.RefusalCode(remediation.RefuseNotNow))
	if err = w.s.Pause(ctx, who(approver), "stop"); err != nil {
		t.Fatal(err)
	}
	want(w.s.Pause(ctx, who(second), "stop"), commands.AlreadySo)
	want(w.s.Resume(ctx, who(approver), commands.AnyPause), commands.OwnPause)
	want(w.s.MayStep(ctx, who(second), own.ID, own.Version, remediation.Confirm), commands.IsPaused)
	if err = w.s.Resume(ctx, who(second), commands.AnyPause); err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.Confirm(ctx, who(second), own.ID, own.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	watched := w.wantState(own.ID, remediation.Inactive)
	want(w.s.MayStep(ctx, who(requester), own.ID, watched.Version, remediation.AskDelete), commands.RefusalCode(remediation.RefuseWatching))
	w.use(lab, 0)
	w.pass(9 * 24 * time.Hour)
	watched = w.wantState(own.ID, remediation.Inactive)
	del := commands.Ask{TypedKey: string(keyTwo), Reason: "unused"}
	_, err = w.s.RequestDelete(ctx, who(requester), own.ID, watched.Version, del)
	want(err, commands.DeleteInUse)
	del.Override = "it was the probe"
	if watched, err = w.s.RequestDelete(ctx, who(requester), own.ID, w.request(own.ID).Version, del); err != nil {
		t.Fatal(err)
	}
	if watched, err = w.s.Confirm(ctx, who(approver), own.ID, watched.Version, ""); err != nil {
		t.Fatal(err)
	}
	want(drop(w.s.Confirm(ctx, who(approver), own.ID, watched.Version, "")), commands.RefusalCode(remediation.RefuseTwice))
	w.at(func() { w.clock = w.clock.Add(25 * time.Hour) })
	want(drop(w.s.Confirm(ctx, who(second), own.ID, watched.Version, "")), commands.RefusalCode(remediation.RefuseExpired))
	w.settle()
	want(w.s.MayStep(ctx, who(second), r.ID, r.Version, remediation.Confirm), commands.RefusalCode(remediation.RefuseEnded))

	want(w.s.Mute(ctx, who(requester), "acme", member, posture.RootCertificate, "r", w.now().Add(time.Hour)), commands.NotFailing)

	// Owners.
	if _, err = w.s.ClaimOwner(ctx, who(approver), "acme", member); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.ConfirmOwner(ctx, who(approver), "acme", member, approver)
	want(err, commands.OwnClaim)
	_, err = w.s.AssignOwner(ctx, who(requester), "acme", member, ownerUser)
	want(err, commands.ClaimWaits)
	if _, err = w.s.ConfirmOwner(ctx, who(second), "acme", member, approver); err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.InstructMFA(ctx, who(requester), "billing"); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.InstructMFA(ctx, who(requester), "billing")
	want(err, commands.ToldAlready)
	w.at(func() { w.broken["channel"] = true })
	_, err = w.s.RequestDeactivate(ctx, who(requester), ask(lab, keyTwo))
	want(err, commands.ChannelShared)
	w.at(func() { w.broken["channel"] = false })
	_, err = w.s.InstructMFA(ctx, who(requester), "lab")
	want(err, commands.NobodyToTell)
	w.at(func() { w.accounts[member].attached = true })
	w.scan()
	_, err = w.s.InstructMFA(ctx, who(requester), "billing")
	want(err, commands.MFABlocked)

	// Limits.
	for range 3 {
		w.at(func() { w.accounts[lab].keys[0].Status = posture.KeyActive; w.clock = w.clock.Add(time.Minute) })
		w.settle()
		x := w.latest(lab)
		if !x.State.Ended() {
			w.pass(2 * time.Hour)
		}
		if _, err = w.s.BreakGlass(ctx, who(approver), emergency(lab, keyTwo)); err != nil {
			t.Fatal(err)
		}
		w.settle()
	}
	w.at(func() { w.accounts[lab].keys[0].Status = posture.KeyActive })
	w.pass(2 * time.Hour)
	_, err = w.s.BreakGlass(ctx, who(approver), emergency(lab, keyTwo))
	want(err, commands.EmergencyLimit)
	for range 100 {
		if _, err = w.s.Status(ctx, who(second)); err != nil {
			break
		}
	}
	want(err, commands.TooSoon)

	dry := newWorld(t, func(c *commands.Config) { c.DryRun = true })
	dry.scan()
	_, err = dry.s.InstructMFA(ctx, who(requester), "billing")
	dry.wantRefusal(err, commands.DryRunOn)
	seen[commands.DryRunOn] = true
	twin := newTwins(t)
	_, err = twin.s.Account(ctx, who(requester), string(member))
	twin.wantRefusal(err, commands.Ambiguous)
	seen[commands.Ambiguous] = true

	want(drop(w.s.BreakGlass(ctx, w.ago(approver, time.Hour), emergency(lab, keyTwo))), commands.TooLate)
	lifted := newWorld(t)
	again := lifted.blockingAgain()
	_, err = lifted.s.Cancel(ctx, who(requester), again.ID, again.Version)
	lifted.wantRefusal(err, commands.RefusalCode(remediation.RefuseBlockAgain))
	seen[commands.RefusalCode(remediation.RefuseBlockAgain)] = true

	for _, code := range codes(t) {
		if !seen[code] && code != commands.RefusalCode(remediation.RefuseEarly) {
			t.Errorf("the refusal %s is provoked by nothing here, so nobody knows whether it is on record", code)
		}
	}
	if n := len(slices.Collect(maps.Keys(seen))); n < 40 {
		t.Errorf("only %d refusals were found", n)
	}
}

// latest is the newest request of an account.
func (w *world) latest(account posture.AccountID) remediation.Request {
	w.t.Helper()
	all, err := w.st.Requests(w.t.Context(), commands.RequestQuery{Account: account, Limit: 1})
	if err != nil || len(all) == 0 {
		w.t.Fatalf("no request of %s: %v", account, err)
	}
	return all[0]
}

// newTwins is a world in which two `aws` entries list the member account.
func newTwins(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.scan()
	w.mirrors = []string{"mirror/eu"}
	look, err := w.st.Look(t.Context(), "acme", member)
	if err != nil {
		t.Fatal(err)
	}
	look.Evidence.Account.Source = "mirror/eu"
	for i := range look.Findings {
		look.Findings[i].Source = "mirror/eu"
	}
	if err := w.st.Save(t.Context(), look.Run, []commands.Look{look}); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAnAccountThatTwoEntriesListIsNamedByBoth(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	ctx := t.Context()
	for _, word := range []string{string(member), "2222-2222-2222", "billing"} {
		f, err := w.s.Find(ctx, who(requester), word)
		if err != nil || f.Account != nil || f.List.Total != 2 {
			t.Errorf("%s finds %+v, %v; want both to choose from", word, f.List.Rows, err)
		}
		for _, row := range f.List.Rows {
			if !row.Twice {
				t.Errorf("%s: a row does not say which entry it is of: %+v", word, row.Account)
			}
		}
		for name, err := range map[string]error{
			"account": func() error { _, err := w.s.Account(ctx, who(requester), word); return err }(),
			"keys":    func() error { _, err := w.s.Keys(ctx, who(requester), word); return err }(),
			"mfa":     func() error { _, err := w.s.InstructMFA(ctx, who(requester), word); return err }(),
		} {
			no, _ := errors.AsType[*commands.Refusal](err)
			if no == nil || no.Code != commands.Ambiguous || !strings.Contains(no.Args["choices"], "mirror/eu/"+string(member)) {
				t.Errorf("%s %s: %v", name, word, err)
			}
		}
	}
	for word, source := range map[string]string{"acme/" + string(member): "acme", "Mirror/EU/2222-2222-2222": "mirror/eu", "mirror/eu/billing": "mirror/eu"} {
		v, err := w.s.Account(ctx, who(requester), word)
		if err != nil || v.Look.Evidence.Account.Source != source {
			t.Errorf("%s is %s, %v", word, v.Look.Evidence.Account.Source, err)
		}
	}
	r, err := w.s.RequestDeactivate(ctx, who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]bool{"acme/" + string(member): true, "mirror/eu/" + string(member): false, string(member): true} {
		leaves, err := w.s.AuditTrail(ctx, who(second), word)
		found := false
		for _, l := range leaves {
			found = found || l.Request == string(r.ID)
		}
		if err != nil || found != want {
			t.Errorf("the trail of %s tells of the request: %v, %v", word, found, err)
		}
	}
}
