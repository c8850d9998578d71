package awsroot

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// ownPermit is the permit to delete a key of a member account, as only the gates and a committed record give it.
func ownPermit(t *testing.T, req remediation.Request) remediation.Permit {
	t.Helper()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f := remediation.Facts{
		Source: req.Source, Account: req.Account, At: now, AWS: now, Keys: []posture.Key{req.Key}, KeysKnown: true, KeysAt: now,
		RootSession: true, CallerOf: req.Account, KeyAccount: req.Account,
	}
	s := remediation.Surroundings{On: true, Asker: true, Entitled: map[string]bool{"UBEN": true}, Recorded: map[string]bool{"UBEN": true}, DailyCap: 5}
	a, err := remediation.Start(req, f, s, now)
	if err != nil {
		t.Fatal(err)
	}
	e := audit.Event{
		At: now, Actor: audit.System("worker"), Action: audit.RemediationAttempted, Outcome: audit.OutcomeAttempt,
		Request: string(req.ID), Version: req.Version,
	}
	p, err := a.Permit(audit.Sealed(audit.Leaf{Event: e}, audit.Head{Size: 1}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestASessionAllowsTheOnePermitThatItWasOpenedFor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	policy := remediation.DefaultPolicy()
	req := remediation.Request{
		ID: "r1", Version: 7, State: remediation.Deleting, Source: "acme", Account: "222222222222",
		Key:         posture.Key{ID: "AKIAEXAMPLEKEY7XQ2AB", Status: posture.KeyInactive, Created: now.AddDate(-1, 0, 0)},
		DeleteMeans: remediation.MeansOrganization, Policy: policy, Watched: policy.Watch, WatchFrom: now.AddDate(0, 0, -8),
		Requester: remediation.Person{User: "UANA"}, Approvals: []remediation.Approval{{By: remediation.Person{User: "UBEN"}, At: now}},
	}
	p := ownPermit(t, req)
	opened := func() *session {
		return &session{
			req: req, act: remediation.ActDelete, means: remediation.MeansOrganization,
			call: func(context.Context, posture.KeyID) (string, error) { return "", nil },
		}
	}
	if err := opened().allows(p); err != nil {
		t.Fatalf("its own permit: %v", err)
	}
	for name, c := range map[string]struct {
		change func(*session)
		want   error
	}{
		"it has made its call":      {func(s *session) { s.spent = true }, ErrSpent},
		"it has no call to make":    {func(s *session) { s.call = nil }, ErrSpent},
		"it is for another act":     {func(s *session) { s.act = remediation.ActDeactivate }, ErrWrongPermit},
		"it goes by another means":  {func(s *session) { s.means = remediation.MeansRootCredentials }, ErrWrongPermit},
		"it is in another account":  {func(s *session) { s.req.Account = "333333333333" }, ErrWrongPermit},
		"it is of another source":   {func(s *session) { s.req.Source = "lab" }, ErrWrongPermit},
		"it is for another request": {func(s *session) { s.req.ID = "r2" }, ErrWrongPermit},
		"it is for another key":     {func(s *session) { s.req.Key.ID = "AKIAEXAMPLEKEY7XQ9ZZ" }, ErrWrongPermit},
	} {
		s := opened()
		c.change(s)
		if err := s.allows(p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestABlockIsTakenOffOnlyByTheReceiptOfThat(t *testing.T) {
	t.Parallel()
	organization := func(name string, q *Quarantine, never ...posture.AccountID) *reach {
		return &reach{src: Source{Name: name, Organization: &Organization{Quarantine: q}, NeverActOn: never}}
	}
	m := &Remediator{reaches: []*reach{
		organization("acme", &Quarantine{PolicyID: "p-examplepolicy"}, "222222222222"), organization("plain", nil), {src: Source{Name: "lab"}},
	}}
	event := audit.Event{
		At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Actor: audit.System("worker"), Action: audit.BlockDetached,
		Outcome: audit.OutcomeAttempt, Source: "acme", Account: "222222222222",
	}
	receipt := func(change func(*audit.Event)) audit.Receipt {
		e := event
		change(&e)
		return audit.Sealed(audit.Leaf{Event: e}, audit.Head{Size: 1})
	}
	keep := func(*audit.Event) {}
	for name, c := range map[string]struct {
		source  string
		account posture.AccountID
		receipt audit.Receipt
		want    error
	}{
		"no receipt at all":           {"acme", "222222222222", audit.Receipt{}, ErrWrongPermit},
		"no receipt for nothing":      {"", "", audit.Receipt{}, ErrWrongPermit},
		"of another act":              {"acme", "222222222222", receipt(func(e *audit.Event) { e.Action = audit.BlockAttached }), ErrWrongPermit},
		"of a thing that was done":    {"acme", "222222222222", receipt(func(e *audit.Event) { e.Outcome = audit.OutcomeDone }), ErrWrongPermit},
		"of another account":          {"acme", "333333333333", receipt(keep), ErrWrongPermit},
		"of another source":           {"plain", "222222222222", receipt(keep), ErrWrongPermit},
		"of a source that is not set": {"gone", "222222222222", receipt(func(e *audit.Event) { e.Source = "gone" }), ErrNoMeans},
		"of no organization":          {"lab", "222222222222", receipt(func(e *audit.Event) { e.Source = "lab" }), ErrNoMeans},
		"of no quarantine":            {"plain", "222222222222", receipt(func(e *audit.Event) { e.Source = "plain" }), ErrNoMeans},
		"of an exempt account":        {"acme", "222222222222", receipt(keep), ErrNoMeans},
	} {
		out := m.Detach(t.Context(), c.source, c.account, c.receipt)
		if out.Kind != remediation.Refused || out.Code != c.want.Error() {
			t.Errorf("a receipt %s: %s %s, want %v", name, out.Kind, out.Code, c.want)
		}
	}
}
