package awsroot_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

const (
	foreignManagement = "123456789012"
	foreignMember     = "210987654321"
	foreignPage       = `<!doctype html><html lang=en><title>500 Internal Server Error</title><h1>Internal Server Error</h1></html>`
)

// foreign is somebody else's imitation of AWS: it answers AssumeRoot and ListOrganizationsFeatures with a page of HTML,
// its summary has fixed zeros and no AccountPasswordPresent, and its credential report has no row for the root user.
type foreign struct {
	ones map[string]bool // flags of the summary that say 1
	page string          // of HTML
	part string          // partition of the caller; empty is aws

	mu    sync.Mutex
	calls map[string]int
}

func (f *foreign) count(action string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[action]
}

func (f *foreign) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	action := r.Header.Get("X-Amz-Target")
	action = action[strings.LastIndexByte(action, '.')+1:]
	for field := range strings.SplitSeq(string(body), "&") {
		if v, ok := strings.CutPrefix(field, "Action="); ok {
			action = v
		}
	}
	f.mu.Lock()
	f.calls[action]++
	f.mu.Unlock()
	xml := func(result string) {
		fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></%[1]sResponse>`, action, result)
	}
	switch action {
	case "GetCallerIdentity":
		xml(`<Arn>arn:` + f.part + `:sts::` + foreignManagement + `:user/moto</Arn><UserId>AKIAIOSFODNN7EXAMPLE</UserId><Account>` + foreignManagement + `</Account>`)
	case "GetAccountSummary":
		var entries strings.Builder
		for _, name := range []string{"AccountAccessKeysPresent", "AccountMFAEnabled", "AccountSigningCertificatesPresent", "Users"} {
			value := 0
			if f.ones[name] {
				value = 1
			}
			fmt.Fprintf(&entries, "<entry><key>%s</key><value>%d</value></entry>", name, value)
		}
		xml("<SummaryMap>" + entries.String() + "</SummaryMap>")
	case "GenerateCredentialReport":
		xml("<State>COMPLETE</State>")
	case "GetCredentialReport":
		xml("<Content>dXNlcixhcm4KYW5hLGFybjphd3M6aWFtOjoxMjM0NTY3ODkwMTI6dXNlci9hbmE=</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>2026-03-02T08:00:00Z</GeneratedTime>")
	case "ListVirtualMFADevices":
		xml("<VirtualMFADevices/><IsTruncated>false</IsTruncated>")
	case "ListAccountAliases":
		xml("<AccountAliases/><IsTruncated>false</IsTruncated>")
	case "ListAccounts":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		account := func(id string) string {
			return `{"Id":"` + id + `","Arn":"arn:aws:organizations::` + foreignManagement + `:account/o-abcd/` + id + `","Email":"` + id + `@example.com","Name":"a","Status":"ACTIVE"}`
		}
		fmt.Fprintf(w, `{"Accounts":[%s,%s]}`, account(foreignManagement), account(foreignMember))
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, f.page)
	}
}

// newForeign points the real edge at the imitation.
func newForeign(t *testing.T, f *foreign, sources ...awsroot.Source) *awsroot.Auditor {
	t.Helper()
	f.calls = map[string]int{}
	f.page, f.part = cmp.Or(f.page, foreignPage), cmp.Or(f.part, "aws")
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	setAWS(t, server.URL)
	auditor, _, err := awsroot.New(t.Context(), awsroot.Config{Sources: sources, Now: func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return auditor
}

func TestNothingPassesAtAServerThatOnlyImitatesAWS(t *testing.T) {
	for _, page := range []string{foreignPage, "<html><body>500</body></html>"} {
		f := &foreign{page: page}
		auditor := newForeign(t, f, awsroot.Source{Name: "acme", Organization: &awsroot.Organization{CloudTrail: true}})
		var accounts []posture.Account
		org, err := auditor.Inventory(t.Context(), "acme", func(a posture.Account) error { accounts = append(accounts, a); return nil })
		if err != nil || len(accounts) != 2 {
			t.Fatalf("listed %v, %v", accounts, err)
		}
		if g := org.Centralized.Gap; g == nil || g.Reason != posture.ReasonGarbage || g.Fix == "" || g.Detail == "" {
			t.Errorf("centralized root access is %+v", g)
		}
		if n := f.count("ListOrganizationsFeatures"); n < 2 || n > 5 {
			t.Errorf("a page of HTML was asked for %d times", n)
		}
		findings := []posture.Finding{posture.EvaluateOrganization("acme", org.Centralized, time.Now())}
		for _, a := range accounts {
			findings = append(findings, posture.Evaluate(auditor.Inspect(t.Context(), a), posture.Policy{}, time.Now())...)
		}
		for _, found := range findings {
			if found.Status != posture.NotAvailable && found.Status != posture.NotApplicable {
				t.Errorf("%s of %s is %s: %s", found.Control, found.Account, found.Status, found.Reason)
			}
			if found.Status == posture.NotAvailable && (found.Gap == nil || found.Gap.Reason == posture.ReasonUnknown) {
				t.Errorf("%s of %s is not available for no reason: %+v", found.Control, found.Account, found.Gap)
			}
		}
		if n := f.count("ListOrganizationsFeatures"); n > 5 {
			t.Errorf("looking asked for the features %d times in all", n)
		}
	}
}

func TestWhatAnImitationSaysIsThereIsBelieved(t *testing.T) {
	f := &foreign{ones: map[string]bool{"AccountAccessKeysPresent": true, "AccountSigningCertificatesPresent": true}}
	auditor := newForeign(t, f, awsroot.Source{Name: "one", Account: &awsroot.Account{}})
	var account posture.Account
	if _, err := auditor.Inventory(t.Context(), "one", func(a posture.Account) error { account = a; return nil }); err != nil {
		t.Fatal(err)
	}
	e := auditor.Inspect(t.Context(), account)
	if !e.AccessKeys.Known() || !e.AccessKeys.Value || !e.Certificates.Value || e.MFA.Known() || e.Password.Known() {
		t.Errorf("keys %+v, certificates %+v, MFA %+v, password %+v", e.AccessKeys, e.Certificates, e.MFA, e.Password)
	}
	statuses := map[posture.Control]posture.Status{}
	for _, found := range posture.Evaluate(e, posture.Policy{}, time.Now()) {
		statuses[found.Control] = found.Status
	}
	if statuses[posture.RootAccessKey] != posture.Failed || statuses[posture.RootCertificate] != posture.Failed || statuses[posture.RootMFA] != posture.NotAvailable {
		t.Errorf("judged %v", statuses)
	}
}

func TestAnImitationsZeroVerifiesNoDeletion(t *testing.T) {
	auditor := newForeign(t, &foreign{}, awsroot.Source{Name: "one", Account: &awsroot.Account{}})
	facts := auditor.Read(t.Context(), remediation.Request{Source: "one", Account: foreignManagement, Means: remediation.MeansGuided, Version: 3})
	if facts.Gap == nil || facts.NoKeys || facts.KeysKnown {
		t.Errorf("the reading says that there is no key: %+v", facts)
	}
}

func TestPartitionsWithoutPrivilegedSessionsAreOnlyReportedOn(t *testing.T) {
	for _, part := range []string{"aws-us-gov", "aws-cn"} {
		f := &foreign{part: part}
		auditor := newForeign(t, f, awsroot.Source{Name: "acme", Organization: &awsroot.Organization{
			Delete: &awsroot.Delete{}, Quarantine: &awsroot.Quarantine{PolicyID: policyID}, CloudTrail: true,
		}})
		var member posture.Account
		org, err := auditor.Inventory(t.Context(), "acme", func(a posture.Account) error { member = a; return nil })
		if err != nil || org.Partition != part || member.Partition != part || org.Centralized.Gap == nil || org.Centralized.Gap.Reason != posture.ReasonPartition {
			t.Fatalf("%s: %+v, %+v, %v", part, org, member, err)
		}
		if e := auditor.Inspect(t.Context(), member); e.AccessKeys.Known() || e.AccessKeys.Gap.Reason != posture.ReasonPartition || e.AccessKeys.Gap.Fix == "" {
			t.Errorf("%s: %+v", part, e.AccessKeys)
		}
		if w := auditor.Ways(t.Context(), member); w.Deactivate != remediation.MeansGuided || w.Delete != remediation.MeansGuided {
			t.Errorf("%s: %+v", part, w)
		}
		if facts := auditor.Read(t.Context(), remediation.Request{Source: "acme", Account: member.ID, Means: remediation.MeansGuided, Version: 2}); facts.Gap == nil {
			t.Errorf("%s: %+v", part, facts)
		}
		for _, action := range []string{"AssumeRoot", "ListOrganizationsFeatures", "LookupEvents"} {
			if n := f.count(action); n != 0 {
				t.Errorf("%s: %s was called %d times", part, action, n)
			}
		}
	}
}
