package awsroot_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// order does what happens outside of AWS's API.
func (r *rig) order(t *testing.T, what, body string) {
	t.Helper()
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/control/aws/"+what, strings.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	r.Control().ServeHTTP(w, q)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: %s", what, body, w.Body)
	}
}

func withTrail(c *awsroot.Config) {
	c.Sources[0].Organization.CloudTrail, c.Sources[0].Organization.MemberRole = true, "reader"
	c.Sources[1].Account.CloudTrail = true
}

func TestCloudTrailIsNotReadUnlessAllowed(t *testing.T) {
	r := newRig(t, nil)
	r.auditor.Inspect(t.Context(), r.inventory(t, "lab")[awssim.LabAccount])
	if n := r.count("LookupEvents", ""); n != 0 {
		t.Errorf("LookupEvents was called %d times", n)
	}
}

func TestASignInIsSeenInTheRegionThatTookIt(t *testing.T) {
	for _, region := range []string{"us-east-1", "us-east-2", "us-west-2"} {
		r := newRig(t, withTrail)
		lab := r.inventory(t, "lab")[awssim.LabAccount]
		// Somebody asks for a report, which is what the bot sees for four hours.
		r.auditor.Read(t.Context(), remediation.Request{Source: "lab", Account: awssim.LabAccount, Version: 2})
		r.advance(time.Hour)
		r.order(t, "sign-in", `{"account":"`+awssim.LabAccount+`","region":"`+region+`"}`)
		r.advance(time.Minute)
		// The credential report is an hour old and will be for three more: only the event history can tell.
		e := r.auditor.Inspect(t.Context(), lab)
		if e.SignIn.Source != "LookupEvents" || !e.SignIn.Value.At.Equal(r.clock().Add(-time.Minute)) || e.SignIn.Value.Region != region {
			t.Errorf("in %s: %+v", region, e.SignIn)
		}
	}
}

func TestAKeysUseIsAddedWithoutMakingTheReportYounger(t *testing.T) {
	r := newRig(t, withTrail)
	lab := r.inventory(t, "lab")[awssim.LabAccount]
	before := r.auditor.Inspect(t.Context(), lab)
	r.advance(time.Hour)
	if _, err := r.UseKey(awssim.LabOtherAccessKeyID, true); err != nil {
		t.Fatal(err)
	}
	e := r.auditor.Inspect(t.Context(), lab)
	if !e.KeyUse.Value.At.Equal(r.clock()) || e.KeyUse.Source != "LookupEvents" {
		t.Errorf("the use is %+v", e.KeyUse)
	}
	if !e.KeyUse.At.Equal(before.KeyUse.At) {
		t.Errorf("what other Regions hold is only known as of the report: %v, not %v", before.KeyUse.At, e.KeyUse.At)
	}
}

func TestWithoutAReportTheHistoryTellsOfSignInsAndNotOfKeys(t *testing.T) {
	r := newRig(t, withTrail)
	lab := r.inventory(t, "lab")[awssim.LabAccount]
	if err := r.Inject(awssim.Fault{Kind: awssim.FaultDeny, Action: "GetCredentialReport"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.UseKey(awssim.LabOtherAccessKeyID, true); err != nil {
		t.Fatal(err)
	}
	e := r.auditor.Inspect(t.Context(), lab)
	if !e.SignIn.Known() || !e.SignIn.Value.At.IsZero() || e.SignIn.Source != "LookupEvents" {
		t.Errorf("sign-in %+v", e.SignIn)
	}
	if e.KeyUse.Known() || !strings.Contains(e.KeyUse.Gap.Detail, "us-east-1") {
		t.Errorf("a use in three Regions is taken for the last one anywhere: %+v", e.KeyUse)
	}
}

func TestAHistoryThatCannotBeReadTakesNothingAway(t *testing.T) {
	r := newRig(t, withTrail)
	lab := r.inventory(t, "lab")[awssim.LabAccount]
	if err := r.Inject(awssim.Fault{Kind: awssim.FaultDeny, Action: "LookupEvents"}); err != nil {
		t.Fatal(err)
	}
	if e := r.auditor.Inspect(t.Context(), lab); e.SignIn.Source != posture.SourceReport || !e.SignIn.Known() {
		t.Errorf("with a report: %+v", e.SignIn)
	}
	if err := r.Inject(awssim.Fault{Kind: awssim.FaultDeny, Action: "GetCredentialReport"}); err != nil {
		t.Fatal(err)
	}
	if e := r.auditor.Inspect(t.Context(), lab); e.SignIn.Known() || e.SignIn.Gap.Reason != posture.ReasonDenied {
		t.Errorf("without: %+v", e.SignIn)
	}
}

func TestOnlyOurOwnRootSessionsAreLeftOut(t *testing.T) {
	r := newRig(t, withTrail)
	payments := r.inventory(t, "acme")[awssim.PaymentsAccount]
	if e := r.auditor.Inspect(t.Context(), payments); e.Via != "assume-root" {
		t.Fatalf("looked %s", e.Via)
	}
	// Root access is not centralized any more, so the next look goes by the role and sees what the last one left behind.
	r.order(t, "feature", `{"feature":"RootCredentialsManagement","enabled":false}`)
	r.advance(time.Minute)
	payments = r.inventory(t, "acme")[awssim.PaymentsAccount]
	e := r.auditor.Inspect(t.Context(), payments)
	if e.Via != "role" || !e.SignIn.Known() || e.SignIn.Value.At.After(r.clock().Add(-time.Hour)) {
		t.Errorf("our own session counts: via %s, %+v", e.Via, e.SignIn)
	}

	r.order(t, "feature", `{"feature":"RootCredentialsManagement","enabled":true}`)
	others, _, err := awsroot.New(t.Context(), awsroot.Config{
		Sources: []awsroot.Source{{Name: "acme", Organization: &awsroot.Organization{}}}, Now: r.clock, Version: "another",
	})
	if err != nil {
		t.Fatal(err)
	}
	payments.Role = posture.RoleMember
	others.Inspect(t.Context(), payments)
	used := r.clock()
	r.order(t, "feature", `{"feature":"RootCredentialsManagement","enabled":false}`)
	r.advance(time.Minute)
	payments = r.inventory(t, "acme")[awssim.PaymentsAccount]
	e = r.auditor.Inspect(t.Context(), payments)
	if !e.SignIn.Value.At.Equal(used) || e.SignIn.Source != "LookupEvents" {
		t.Errorf("somebody else's root session is hidden: %+v", e.SignIn)
	}
}
