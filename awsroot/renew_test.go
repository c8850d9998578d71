package awsroot_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

const lookRole = "arn:aws:iam::" + awssim.ManagementAccount + ":role/look"

func withRoles(c *awsroot.Config) {
	o := c.Sources[0].Organization
	o.RoleARN, o.SourceIdentity = lookRole, "rootcheck"
	o.Delete.RoleARN = "arn:aws:iam::" + awssim.ManagementAccount + ":role/delete"
	o.Quarantine.RoleARN = "arn:aws:iam::" + awssim.ManagementAccount + ":role/quarantine"
}

func TestARoleThatAWSCallsExpiredIsAssumedOnceMore(t *testing.T) {
	r := newRigAt(t, time.Now().UTC().Truncate(time.Second), withRoles)
	accounts := r.inventory(t, "acme")
	if n := r.count("AssumeRole", ""); n != 1 {
		t.Fatalf("the role was assumed %d times", n)
	}
	// This machine's clock knows nothing of the day that has passed for AWS.
	r.advance(24 * time.Hour)
	e := r.auditor.Inspect(t.Context(), accounts[awssim.DelegatedAccount])
	if !e.AccessKeys.Known() {
		t.Errorf("after a day: %+v", e.AccessKeys)
	}
	if n := r.count("AssumeRole", ""); n != 2 {
		t.Errorf("the role was assumed %d times", n)
	}
}

func TestCredentialsThatStayExpiredAreAReasonAndNoLoop(t *testing.T) {
	r := newRigAt(t, time.Now().UTC().Truncate(time.Second), withRoles)
	accounts := r.inventory(t, "acme")
	r.advance(24 * time.Hour)
	r.ClearCalls()
	if err := r.Inject(awssim.Fault{Kind: awssim.FaultDeny, Action: "AssumeRole"}); err != nil {
		t.Fatal(err)
	}
	e := r.auditor.Inspect(t.Context(), accounts[awssim.DelegatedAccount])
	if e.AccessKeys.Known() || e.AccessKeys.Gap.Reason != posture.ReasonUnreachableRole {
		t.Errorf("a role that cannot be assumed again: %+v", e.AccessKeys.Gap)
	}
	if n := r.count("AssumeRole", ""); n > 3 {
		t.Errorf("the role was asked for %d times", n)
	}
}

func TestACallThatChangesSomethingIsNotRepeatedWithNewCredentials(t *testing.T) {
	r := newRigAt(t, time.Now().UTC().Truncate(time.Second), withRoles)
	k := r.key(t, "acme", awssim.PaymentsAccount, posture.KeyActive)
	req := request("acme", awssim.PaymentsAccount, k, remediation.MeansOrganization, remediation.MeansOrganization, remediation.Deactivating, r.clock())
	s, err := r.remediator.Open(t.Context(), req, remediation.ActDeactivate)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := permit(t, req, s.Facts(), r.clock())
	r.advance(24 * time.Hour)
	r.ClearCalls()
	out := s.Do(t.Context(), p)
	if out.Kind != remediation.Unsure || !strings.HasPrefix(out.Code, "ExpiredToken") {
		t.Errorf("expired between the reading and the call: %+v", out)
	}
	if n := r.count("AttachPolicy", ""); n != 1 && n != 0 {
		t.Errorf("AttachPolicy was called %d times", n)
	}
	if r.quarantined(t, awssim.PaymentsAccount) {
		t.Error("the account is blocked")
	}
}

func (r *rig) quarantined(t *testing.T, id string) bool {
	t.Helper()
	v, ok := r.Account(id)
	if !ok {
		t.Fatalf("no account %s", id)
	}
	return v.Quarantined
}

func TestCloudTrailShowsWhichRequestASessionIsFor(t *testing.T) {
	r := newRigAt(t, time.Now().UTC().Truncate(time.Second), withRoles)
	k := r.key(t, "acme", awssim.PaymentsAccount, posture.KeyActive)
	req := request("acme", awssim.PaymentsAccount, k, remediation.MeansOrganization, remediation.MeansOrganization, remediation.Deactivating, r.clock())
	req.ID = "req 7/α"
	s, err := r.remediator.Open(t.Context(), req, remediation.ActDeactivate)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if out := s.Do(t.Context(), permit(t, req, s.Facts(), r.clock())); out.Kind != remediation.Succeeded {
		t.Fatalf("block: %+v", out)
	}
	var who string
	for _, c := range r.Effects() {
		if c.Action == "AttachPolicy" {
			who = c.Principal
		}
	}
	if want := "arn:aws:sts::" + awssim.ManagementAccount + ":assumed-role/quarantine/rootcheck-quarantine-req-7---"; who != want {
		t.Errorf("the call is %q's, want %q", who, want)
	}
	receipt := audit.Sealed(audit.Leaf{Event: audit.Event{
		At: r.clock(), Actor: audit.System("worker"), Action: audit.BlockDetached, Outcome: audit.OutcomeAttempt, Source: "acme", Account: awssim.PaymentsAccount,
	}}, audit.Head{Size: 1})
	if out := r.remediator.Detach(context.WithoutCancel(t.Context()), "acme", awssim.PaymentsAccount, receipt); out.Kind != remediation.Succeeded {
		t.Errorf("release: %+v", out)
	}
	if r.quarantined(t, awssim.PaymentsAccount) {
		t.Error("the account is still blocked")
	}
	if out := r.remediator.Detach(context.WithoutCancel(t.Context()), "acme", awssim.PaymentsAccount, receipt); out.Kind != remediation.Refused {
		t.Errorf("one record paid for two calls: %+v", out)
	}
}
