package commands_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestAnEmergencyIsDeclaredByWhatIsTypedAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	for name, c := range map[string]struct {
		account, key string
		want         commands.RefusalCode
	}{
		"nothing":                         {"", "", commands.WrongAccount},
		"digits of another script":        {"２２２２２２２２２２２２", string(keyOne), commands.WrongAccount},
		"Arabic digits":                   {strings.Repeat("٢", 12), string(keyOne), commands.WrongAccount},
		"a short account id":              {"22222222222", string(keyOne), commands.WrongAccount},
		"another account":                 {string(lab), string(keyOne), commands.WrongAccount},
		"the last four of the key":        {string(member), keyOne.Last4(), commands.KeyNotWhole},
		"another key":                     {string(member), string(keyTwo), commands.WrongKey},
		"a key with a space inside":       {string(member), string(keyOne[:8]) + " " + string(keyOne[8:]), commands.WrongKey},
		"letters that only look the same": {string(member), strings.ReplaceAll(strings.ToLower(string(keyOne)), "i", "ı"), commands.WrongKey},
		"the key's mask and fingerprint":  {string(member), keyOne.Mask() + "#" + keyOne.Fingerprint(), commands.WrongKey},
	} {
		q := emergency(member, keyOne)
		q.TypedAccount, q.TypedKey = c.account, c.key
		_, err := w.s.BreakGlass(t.Context(), who(approver), q)
		if no, _ := errors.AsType[*commands.Refusal](err); no == nil || no.Code != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
			continue
		}
		w.wantRefusal(err, c.want)
	}
	if len(w.audit(commands.AuditQuery{Account: string(member)})) < 10 {
		t.Error("not every attempt is on record under its account")
	}
	q := emergency(member, keyOne)
	q.TypedAccount, q.TypedKey = " 2222-2222-2222 ", " "+strings.ToLower(string(keyOne))+" "
	r, err := w.s.BreakGlass(t.Context(), who(approver), q)
	if err != nil {
		t.Fatalf("the right words, written otherwise: %v", err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Inactive)
}

func TestAnEmergencyIsRefusedWhereItWouldDoMoreOrLessThanItSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) {
		c.Sources = map[string]commands.SourceConfig{"acme": {NeverActOn: []posture.AccountID{lab}}}
	})
	w.scan()
	declare := func(user string, account posture.AccountID, key posture.KeyID) error {
		_, err := w.s.BreakGlass(t.Context(), who(user), emergency(account, key))
		return err
	}
	w.wantRefusal(declare(requester, member, keyOne), commands.NotApprover)
	w.wantRefusal(declare(approver, lab, keyTwo), commands.NeverActOn)
	no := w.wantRefusal(declare(approver, management, "AKIAMANAGEMENT000001"), commands.NoMeans)
	if no.Args["why"] != "emergency_guided" {
		t.Errorf("where only the owner can act, the refusal says %v", no.Args)
	}
	w.at(func() { w.accounts[member].keys[0].Status = posture.KeyInactive })
	w.wantRefusal(declare(approver, member, keyOne), commands.AlreadySo)
	w.at(func() { w.accounts[member].keys[0].Status = posture.KeyActive })

	own, err := w.s.RequestDeactivate(t.Context(), who(approver), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	no = w.wantRefusal(declare(approver, member, keyOne), commands.EmergencyOpen)
	if no.Args["by"] != approver || no.Args["state"] != string(remediation.Requested) {
		t.Errorf("the refusal says %v, want whose request is in the way", no.Args)
	}
	if _, err = w.s.Cancel(t.Context(), who(approver), own.ID, own.Version); err != nil {
		t.Fatal(err)
	}
	if err := w.s.Pause(t.Context(), who(second), "look first"); err != nil {
		t.Fatal(err)
	}
	w.wantRefusal(declare(approver, member, keyOne), commands.IsPaused)
	if len(w.notices(commands.NoticeBreakGlass)) != 0 || len(w.changes()) != 0 {
		t.Errorf("refused declarations are told of, or made calls: %v", w.changes())
	}
}

func TestTwoEmergenciesAtOnceOnOneKeyAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	var wg sync.WaitGroup
	results := make([]error, 6)
	for i := range results {
		wg.Go(func() { _, results[i] = w.s.BreakGlass(t.Context(), who(approver), emergency(member, keyOne)) })
	}
	wg.Wait()
	declared := 0
	for _, err := range results {
		no, _ := errors.AsType[*commands.Refusal](err)
		switch {
		case err == nil:
			declared++
		case no == nil || no.Code != commands.EmergencyOpen:
			t.Error(err)
		}
	}
	w.settle()
	if got := w.changes(); declared != 1 || len(got) != 1 || len(w.notices(commands.NoticeBreakGlass)) != 1 {
		t.Errorf("%d were declared, with the calls %v", declared, got)
	}
}

func TestADryEmergencyDoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.DryRun = true })
	w.scan()
	r, err := w.s.BreakGlass(t.Context(), who(approver), emergency(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	w.settle()
	if got := w.wantState(r.ID, remediation.Failed); got.NoteDetail != string(remediation.GateDryRun) || len(w.changes()) != 0 {
		t.Errorf("gate %s, calls %v", got.NoteDetail, w.changes())
	}
}

func TestAPauseSaysWhatItCannotCallBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	w.settle()
	r := w.confirmed()
	paused := false
	w.betweenAttemptAndCall(r.ID, func(remediation.Request) {
		paused = true
		if err := w.s.Pause(t.Context(), who(second), "stop"); err != nil {
			t.Error(err)
		}
	})
	w.settle()
	if n := w.notices(commands.NoticePaused); !paused || len(n) != 1 || n[0].Count != 1 {
		t.Fatalf("the channel heard %+v, want that one attempt was on its way", n)
	}
	// The gates were asked before the pause was committed, or after: either way the record says which.
	last := w.request(r.ID)
	attempted := false
	for _, l := range w.audit(commands.AuditQuery{Request: string(r.ID)}) {
		attempted = attempted || l.Action == audit.RemediationAttempted
	}
	if !attempted || last.State != remediation.Inactive && last.State != remediation.Failed {
		t.Errorf("attempted %v, the request is %s (%s)", attempted, last.State, last.NoteDetail)
	}
	if blocked := last.State == remediation.Inactive; blocked != w.accounts[member].attached {
		t.Errorf("the request is %s, and the account is blocked: %v", last.State, w.accounts[member].attached)
	}
}

func TestAPauseIsShownOnTheCardsThatStandInTheChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	for _, flip := range []func() error{
		func() error { return w.s.Pause(t.Context(), who(approver), "stop") },
		func() error { return w.s.Resume(t.Context(), who(second), commands.AnyPause) },
	} {
		w.at(func() { w.said, w.kinds = nil, nil })
		if err := flip(); err != nil {
			t.Fatal(err)
		}
		for range 3 { // one after the other
			w.pass(2 * time.Second)
		}
		drawn := map[posture.AccountID]bool{}
		for _, c := range w.heard(commands.KindCard) {
			drawn[c.Account] = true
		}
		for _, account := range []posture.AccountID{member, lab, management} {
			if !drawn[account] {
				t.Errorf("the card of %s, which no request is open for, is not drawn again", account)
			}
		}
	}
}
