package awssim_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func TestTheCredentialReportIsMadeWaitedForAndKeptForFourHours(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := iam.NewFromConfig(r.as(awssim.LabReadOnlyKeyID, awssim.LabReadOnlySecretKey, ""))
	generate := func() string {
		return string(must[*iam.GenerateCredentialReportOutput](t)(c.GenerateCredentialReport(t.Context(), nil)).State)
	}
	_, err := c.GetCredentialReport(t.Context(), nil)
	want(t, err, "ReportNotPresent")
	if got := generate(); got != "STARTED" {
		t.Errorf("the first report is %s", got)
	}
	_, err = c.GetCredentialReport(t.Context(), nil)
	want(t, err, "ReportInProgress")
	if got := generate(); got != "COMPLETE" {
		t.Errorf("after some waiting it is %s", got)
	}
	first := must[*iam.GetCredentialReportOutput](t)(c.GetCredentialReport(t.Context(), nil))
	r.clock.Advance(3 * time.Hour)
	if got := generate(); got != "COMPLETE" {
		t.Errorf("three hours later a report is %s, want the same again", got)
	}
	again := must[*iam.GetCredentialReportOutput](t)(c.GetCredentialReport(t.Context(), nil))
	if !again.GeneratedTime.Equal(*first.GeneratedTime) {
		t.Error("three hours later there is another report")
	}
	r.clock.Advance(time.Hour)
	_, err = c.GetCredentialReport(t.Context(), nil)
	want(t, err, "ReportExpired")
	if got := generate(); got != "STARTED" {
		t.Errorf("four hours later a report is %s, want a new one", got)
	}
}

func TestTheRootRowOfTheCredentialReport(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	content := r.report(t, iam.NewFromConfig(r.role(t, awssim.DataAccount)))
	if strings.HasSuffix(content, "\n") || strings.Contains(content, "\r") {
		t.Error("the report ends in a newline or has carriage returns")
	}
	rows := must[[][]string](t)(csv.NewReader(strings.NewReader(content)).ReadAll())
	if len(rows[0]) != 22 || len(rows[1]) != 22 {
		t.Fatalf("%d and %d columns, want 22", len(rows[0]), len(rows[1]))
	}
	row := map[string]string{}
	for i, name := range rows[0] {
		row[name] = rows[1][i]
	}
	active := 0
	for _, slot := range []string{"1", "2"} {
		if row["access_key_"+slot+"_active"] == "true" {
			active++
		}
		if row["access_key_"+slot+"_last_rotated"] == "N/A" {
			t.Error("a slot with a key has no date")
		}
	}
	if active != 1 || row["user"] != "<root_account>" || row["password_last_used"] != "no_information" ||
		row["password_next_rotation"] != "not_supported" || row["mfa_active"] != "true" || row["cert_1_last_rotated"] != "N/A" {
		t.Errorf("root row is %v", row)
	}
}

func (r *rig) report(t *testing.T, c *iam.Client) string {
	t.Helper()
	for range 5 {
		must[*iam.GenerateCredentialReportOutput](t)(c.GenerateCredentialReport(t.Context(), nil))
		if out, err := c.GetCredentialReport(t.Context(), nil); err == nil {
			return string(out.Content)
		}
	}
	t.Fatal("no report after five tries")
	return ""
}

func events(t *testing.T, c aws.Config) []trailtypes.Event {
	t.Helper()
	out := must[*cloudtrail.LookupEventsOutput](t)(trailOf(c).LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{
		LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: trailtypes.LookupAttributeKeyUsername, AttributeValue: aws.String("root")}},
	}))
	return out.Events
}

func TestTheTrailTellsSignInsKeyUseAndOurOwnSessionsApart(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	must[*iam.GetUserOutput](t)(r.root(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials").GetUser(t.Context(), nil))
	if err := r.SignIn(awssim.PaymentsAccount); err != nil {
		t.Fatal(err)
	}
	v, _ := r.Account(awssim.PaymentsAccount)
	r.mustUse(t, v.Root.Keys[0].ID, false)
	found := events(t, r.role(t, awssim.PaymentsAccount))
	var got []string
	for _, e := range found {
		var record struct {
			UserIdentity struct {
				Type           string
				SessionContext struct{ AssumedRoot string }
			}
			AdditionalEventData struct{ MFAUsed string }
		}
		if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &record); err != nil {
			t.Fatal(err)
		}
		got = append(got, *e.EventName+" "+record.UserIdentity.Type+" "+record.UserIdentity.SessionContext.AssumedRoot+" "+record.AdditionalEventData.MFAUsed)
	}
	if strings.Join(got, "; ") != "ListBuckets Root  ; ConsoleLogin Root  Yes; GetUser Root true " {
		t.Errorf("events are %q", got)
	}
	west := r.role(t, awssim.PaymentsAccount)
	west.Region = "us-west-2"
	if n := len(events(t, west)); n != 0 {
		t.Errorf("%d events in us-west-2, want none", n)
	}
}

func TestLookupEventsAllowsTwoCallsASecondAndRegion(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	got, start := map[string]int{}, time.Now()
	c := trailOf(r.lab())
	for got["ThrottlingException"] == 0 && time.Since(start) < time.Minute {
		_, err := c.LookupEvents(t.Context(), nil)
		got[code(err)]++
	}
	if most := 2 + int(2*time.Since(start).Seconds()) + 1; got["ok"] > most || got["ThrottlingException"] == 0 {
		t.Errorf("calls one after the other: %v, want at most %d let through", got, most)
	}
}

func TestSigningInShowsInTheUserAndTheReport(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if err := r.SignIn(awssim.DataAccount); err != nil {
		t.Fatal(err)
	}
	user := must[*iam.GetUserOutput](t)(r.root(t, awssim.DataAccount, "IAMAuditRootUserCredentials").GetUser(t.Context(), nil)).User
	if user.PasswordLastUsed == nil || r.clock.Now().Sub(*user.PasswordLastUsed) > time.Minute {
		t.Errorf("password last used %v", user.PasswordLastUsed)
	}
	if err := r.SignIn(awssim.DelegatedAccount); err == nil {
		t.Error("a root user without a password signed in")
	}
}
