package commands_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// outcome is what a click came to, whatever it was about.
func outcome(_ remediation.Request, err error) error { return err }

func TestOfCompetingClicksOneDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	for range 10 {
		w.at(func() { w.accounts[lab].keys[0].Status = posture.KeyActive })
		r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
		if err != nil {
			t.Fatal(err)
		}
		clicks := []func() error{
			func() error { return outcome(w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, "")) },
			func() error { return outcome(w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, "")) },
			func() error { return outcome(w.s.Confirm(t.Context(), who(second), r.ID, r.Version, "")) },
			func() error { return outcome(w.s.Reject(t.Context(), who(second), r.ID, r.Version, "no")) },
			func() error { return outcome(w.s.Cancel(t.Context(), who(requester), r.ID, r.Version)) },
		}
		var wg sync.WaitGroup
		results := make([]error, len(clicks))
		for i, click := range clicks {
			wg.Go(func() { results[i] = click() })
		}
		wg.Wait()
		won, refused := 0, 0
		for _, err := range results {
			var no *commands.Refusal
			switch {
			case err == nil:
				won++
			case errors.As(err, &no):
				refused++
			default:
				t.Error(err)
			}
		}
		if won != 1 || refused != len(clicks)-1 {
			t.Fatalf("%d clicks decided and %d were refused", won, refused)
		}
		decisions, refusals := 0, 0
		for _, l := range w.audit(commands.AuditQuery{Request: string(r.ID)}) {
			if slices.Contains([]audit.Action{audit.RemediationConfirmed, audit.RemediationRejected, audit.RemediationCancelled}, l.Action) {
				decisions++
			}
			if l.Action == audit.RemediationRefused {
				refusals++
			}
		}
		if decisions != 1 || refusals != len(clicks)-1 {
			t.Fatalf("%d decisions and %d refusals are on record", decisions, refusals)
		}
		w.settle()
		if got := w.request(r.ID); got.State == remediation.Inactive {
			if r, err = w.s.RequestReactivate(t.Context(), who(requester), r.ID, got.Version, "again"); err != nil {
				t.Fatal(err)
			}
			if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
				t.Fatal(err)
			}
			w.settle()
		}
	}
}

func TestCompetingRequestsOnOneKeyOpenOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	var wg sync.WaitGroup
	results := make([]error, 6)
	for i := range results {
		wg.Go(func() { _, results[i] = w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne)) })
	}
	wg.Wait()
	opened := 0
	for _, err := range results {
		var no *commands.Refusal
		switch {
		case err == nil:
			opened++
		case !errors.As(err, &no) || no.Code != commands.AlreadyOpen:
			t.Error(err)
		}
	}
	if opened != 1 {
		t.Errorf("%d requests were opened", opened)
	}
}

func TestAnOutcomeThatNobodySawIsReadFromAWS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome commands.Outcome
		calls   []string
	}{
		"the call had its effect":     {commands.Outcome{Kind: remediation.Unsure, Code: "effect"}, []string{"deactivate MPLE"}},
		"the call had none":           {commands.Outcome{Kind: remediation.Unsure}, []string{"deactivate MPLE", "deactivate MPLE"}},
		"an answer that is not known": {commands.Outcome{Kind: "nonsense", Code: "effect"}, []string{"deactivate MPLE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, target := range []struct {
				account posture.AccountID
				key     posture.KeyID
			}{{member, keyOne}, {lab, keyTwo}} {
				w := newWorld(t)
				w.scan()
				w.at(func() {
					first := true
					w.fate = func(string) commands.Outcome {
						if !first {
							return commands.Outcome{}
						}
						first = false
						return c.outcome
					}
				})
				r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(target.account, target.key))
				if err != nil {
					t.Fatal(err)
				}
				if _, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
					t.Fatal(err)
				}
				w.settle()
				w.wantState(r.ID, remediation.Deactivating)
				w.pass(time.Minute)
				w.pass(time.Minute)
				w.wantState(r.ID, remediation.Inactive)
				if got := w.changes(); !slices.Equal(got, c.calls) {
					t.Errorf("calls are %v, want %v", got, c.calls)
				}
				if target.account != member {
					continue
				}
				b, err := w.st.Block(t.Context(), "acme", member)
				if err != nil || b.Origin != remediation.OriginOurs || !b.Holds(r.ID) || !b.Attached {
					t.Errorf("block is %+v, %v; want ours and held", b, err)
				}
			}
		})
	}
}

func TestABlockThatMayBeThereIsTakenOffWhenItsRequestFails(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{"AWS attached it and said no": "effect", "AWS said no": "AccessDenied"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failsToBlock(t, code)
		})
	}
}

func failsToBlock(t *testing.T, code string) {
	t.Helper()
	w := newWorld(t)
	w.scan()
	w.at(func() {
		w.fate = func(string) commands.Outcome {
			return commands.Outcome{Kind: remediation.Refused, Code: code}
		}
	})
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Failed)
	b, err := w.st.Block(t.Context(), "acme", member)
	if err != nil || len(b.Holders) != 0 || b.Origin != "" {
		t.Errorf("block is %+v, %v", b, err)
	}
	w.at(func() {
		if w.accounts[member].attached {
			t.Error("the account is still blocked")
		}
		if detached := slices.Contains(w.calls, "detach "+string(member)); detached != (code == "effect") {
			t.Errorf("calls are %v", w.calls)
		}
	})
}

func TestAMeansThatIsNotThereBecomesTheOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	w.at(func() {
		w.fate = func(string) commands.Outcome {
			return commands.Outcome{Kind: remediation.Unavailable, Code: "PolicyTypeNotEnabledException"}
		}
	})
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	got := w.wantState(r.ID, remediation.AwaitingOwner)
	if got.Means != remediation.MeansGuided || len(w.heard(commands.KindOwner)) != 1 {
		t.Errorf("means %s, DMs %v", got.Means, w.heard(commands.KindOwner))
	}
	if b, err := w.st.Block(t.Context(), "acme", member); err != nil || len(b.Holders) != 0 || b.Origin != "" {
		t.Errorf("block is %+v, %v; want none", b, err)
	}
}

func TestAKeyThatChangedSinceIsNotDeleted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*account)
		gate   remediation.Gate
	}{
		"created anew":      {func(a *account) { a.keys[0].Created = a.keys[0].Created.Add(time.Second) }, remediation.GateCreated},
		"active again":      {func(a *account) { a.keys[0].Status = posture.KeyActive }, remediation.GateInactive},
		"used meanwhile":    {func(a *account) { a.keys[0].LastUsed = time.Date(2026, 11, 10, 8, 0, 0, 0, time.UTC) }, remediation.GateUnused},
		"gone":              {func(a *account) { a.keys = nil }, remediation.GateKey},
		"not to be touched": {func(a *account) { a.means.Exempt = true }, remediation.GateExempt},
		"switched off":      {func(a *account) { a.means.Delete = remediation.MeansGuided }, remediation.GateOff},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.scan()
			id := w.deactivated(lab, keyTwo)
			w.pass(8 * 24 * time.Hour)
			r := w.deleteAsked(id, keyTwo)
			if _, err := w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
				t.Fatal(err)
			}
			w.at(func() { c.change(w.accounts[lab]) })
			w.settle()
			if got := w.request(id); got.State == remediation.Deleted || got.State == remediation.Verified {
				t.Errorf("the request is %s", got.State)
			}
			refused := false
			for _, l := range w.audit(commands.AuditQuery{Request: string(id)}) {
				refused = refused || l.Outcome == audit.OutcomeRefused && l.Reason == string(c.gate)
			}
			if !refused {
				t.Errorf("gate %s is not on record", c.gate)
			}
			if got := w.changes(); !slices.Equal(got, []string{"deactivate MPLE"}) {
				t.Errorf("calls are %v", got)
			}
		})
	}
}

func TestSomebodyWhoDoesNotAnswerIsAskedAgainBeforeAGateIsShut(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]string{"the directory": "directory", "AWS": "read", "the credentials": "open"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.scan()
			r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(lab, keyTwo))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
				t.Fatal(err)
			}
			w.at(func() { w.broken[broken] = true })
			w.settle()
			w.wantState(r.ID, remediation.Approved)
			w.at(func() { w.broken[broken] = false })
			w.pass(time.Minute)
			w.wantState(r.ID, remediation.Inactive)

			w.at(func() { w.broken[broken], w.accounts[member].means.Deactivate = true, remediation.MeansRootCredentials })
			if broken != "open" {
				return // asking needs both
			}
			if r, err = w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
				t.Fatal(err)
			}
			for range 6 {
				w.pass(time.Minute)
			}
			if got := w.wantState(r.ID, remediation.Failed); got.NoteDetail != string(remediation.GateReading) {
				t.Errorf("the gate is %q", got.NoteDetail)
			}
		})
	}
}

func TestWhoeverNeedsABlockWaitsForTheOneThatIsOnItsWayOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	row := remediation.Block{Source: "acme", Account: member, Version: 1, Origin: remediation.OriginOurs, Attached: true, Since: w.now()}
	write := func(b remediation.Block) {
		e := audit.Event{At: w.now(), Actor: audit.System("test"), Action: audit.RemediationReconciled, Outcome: audit.OutcomeDone}
		if _, err := w.st.Commit(t.Context(), commands.Change{Block: &b, Audit: []audit.Event{e}}); err != nil {
			t.Fatal(err)
		}
	}
	write(row)
	w.at(func() { w.accounts[member].attached = true })
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wantState(r.ID, remediation.Approved)
	write(row.Detached(w.now()))
	w.at(func() { w.accounts[member].attached = false })
	w.pass(time.Minute)
	w.wantState(r.ID, remediation.Inactive)
	w.at(func() {
		if !w.accounts[member].attached {
			t.Error("the account is not blocked")
		}
	})
}
