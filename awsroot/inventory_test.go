package awsroot_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// calls counts the calls to Organizations.
func (r *rig) organizationsCalls() map[string]int {
	calls := map[string]int{}
	for _, c := range r.Calls() {
		if c.Service == "organizations" {
			calls[c.Action]++
		}
	}
	return calls
}

func TestAScanAsksOrganizationsForItsPagesAndNothingElse(t *testing.T) {
	r := newRig(t, nil)
	accounts := r.inventory(t, "acme")
	for _, a := range accounts {
		r.auditor.Inspect(t.Context(), a)
	}
	for action, n := range r.organizationsCalls() {
		// Twenty accounts on a page, and before every fourth page an empty one.
		if want := (len(accounts)+19)/20 + 1; action != "ListAccounts" || n != want {
			t.Errorf("%s was called %d times", action, n)
		}
	}
}

func TestAnAccountThatLeftOrWasSuspendedAfterItWasListedIsSaidToHave(t *testing.T) {
	r := newRig(t, nil)
	accounts := r.inventory(t, "acme")
	r.order(t, "account", `{"account":"`+awssim.PaymentsAccount+`","do":"leave"}`)
	r.order(t, "account", `{"account":"`+awssim.MobileAccount+`","state":"SUSPENDED"}`)
	r.advance(2 * time.Minute)
	for id, want := range map[posture.AccountID]posture.Reason{
		awssim.PaymentsAccount: posture.ReasonLeft, awssim.MobileAccount: posture.ReasonSuspended, awssim.ClinicAccount: posture.ReasonDenied,
	} {
		e := r.auditor.Inspect(t.Context(), accounts[id])
		if e.AccessKeys.Known() || e.AccessKeys.Gap.Reason != want {
			t.Errorf("%s is %+v, want %s", id, e.AccessKeys.Gap, want)
		}
		for _, f := range posture.Evaluate(e, posture.Policy{}, r.clock()) {
			if f.Status == posture.Passed && f.Control != posture.CentralizedRootAccess {
				t.Errorf("%s passes %s", id, f.Control)
			}
		}
	}
	if n := r.count("DescribeAccount", ""); n != 3 {
		t.Errorf("three accounts denied access, and DescribeAccount was called %d times", n)
	}
}

func TestUnitsAreNamedOnceTheyWereLearnedOutsideOfAScan(t *testing.T) {
	r := newRig(t, nil)
	if err := r.auditor.LearnUnits(t.Context(), "acme"); err != nil || len(r.Calls()) != 0 {
		t.Errorf("before an inventory there is nothing to ask: %v", err)
	}
	if got := r.inventory(t, "acme")[awssim.PaymentsAccount].Unit; got != "/ou-acme-workload/ou-acme-producti" {
		t.Errorf("by id it is %q", got)
	}
	for range 3 {
		if err := r.auditor.LearnUnits(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
	}
	asked := r.count("ListOrganizationalUnitsForParent", "")
	if got := r.inventory(t, "acme")[awssim.PaymentsAccount].Unit; got != "/Workloads/Production" {
		t.Errorf("by name it is %q", got)
	}
	if again := r.count("ListOrganizationalUnitsForParent", ""); asked != 5 || again != asked {
		t.Errorf("a root and four units took %d calls, and %d after the inventory", asked, again)
	}
	var gap *awsroot.GapError
	if err := r.auditor.LearnUnits(t.Context(), "nobody"); !errors.As(err, &gap) {
		t.Errorf("a source that does not exist: %v", err)
	}
}

func TestTwoOrganizationsAndAnAccountStandSideBySide(t *testing.T) {
	orgs := map[string]*awssim.Organization{}
	now := func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }
	dir := t.TempDir()
	var profiles strings.Builder
	for _, name := range []string{"one", "two"} {
		orgs[name] = awssim.New(awssim.Config{Now: now})
		server := httptest.NewServer(orgs[name].API())
		t.Cleanup(func() { orgs[name].Close(); server.Close() })
		fmt.Fprintf(&profiles, "[profile %s]\nendpoint_url = %s\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = made-up\n", name, server.URL)
	}
	setAWS(t, "")
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(profiles.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	auditor, _, err := awsroot.New(t.Context(), awsroot.Config{Now: now, Version: "test", Sources: []awsroot.Source{
		{Name: "one", Organization: &awsroot.Organization{Profile: "one"}},
		{Name: "two", Organization: &awsroot.Organization{Profile: "two"}},
		{Name: "own", Account: &awsroot.Account{Profile: "two"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	two := &rig{Organization: orgs["two"], auditor: auditor}
	two.order(t, "feature", `{"feature":"RootCredentialsManagement","enabled":false}`)
	listed := map[string]int{}
	for _, name := range auditor.Sources() {
		org, err := auditor.Inventory(t.Context(), name, func(a posture.Account) error {
			listed[name]++
			if a.Source != name {
				t.Errorf("%s is of %q", a.ID, a.Source)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if name != "own" && org.Centralized.Value != (name == "one") {
			t.Errorf("%s: %+v", name, org.Centralized)
		}
	}
	if listed["one"] == 0 || listed["one"] != listed["two"] || listed["own"] != 1 {
		t.Errorf("listed %v", listed)
	}
	for name, want := range map[string]bool{"one": true, "two": false} {
		e := auditor.Inspect(t.Context(), posture.Account{ID: awssim.PaymentsAccount, Source: name, Role: posture.RoleMember, State: posture.StateActive})
		if e.AccessKeys.Known() != want {
			t.Errorf("what is true of one organization is taken for the other: %s %+v", name, e.AccessKeys)
		}
	}
}

func TestTheOlderStatusIsReadWhereThereIsNoState(t *testing.T) {
	auditor := newForeign(t, &foreign{}, awsroot.Source{Name: "acme", Organization: &awsroot.Organization{}})
	_, err := auditor.Inventory(t.Context(), "acme", func(a posture.Account) error {
		if a.State != posture.StateActive || (a.ID == foreignManagement) != (a.Role == posture.RoleManagement) {
			t.Errorf("listed as %+v", a)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnInventoryThatIsCalledOffForgetsNothingOfTheOrganization(t *testing.T) {
	r := newRig(t, nil)
	payments := r.inventory(t, "acme")[awssim.PaymentsAccount]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.auditor.Inventory(ctx, "acme", func(posture.Account) error { return nil }); err == nil {
		t.Fatal("it did not break off")
	}
	if w := r.auditor.Ways(t.Context(), payments); w.Delete != remediation.MeansOrganization {
		t.Errorf("the way of a deletion is shut: %s", w.WhyDelete)
	}
}

func TestAListThatNeverEndsEndsWithAReason(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch {
		case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "ListAccounts"):
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			fmt.Fprint(w, `{"Accounts":[],"NextToken":"again"}`)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
		}
	}))
	t.Cleanup(server.Close)
	setAWS(t, server.URL)
	auditor, _, err := awsroot.New(t.Context(), awsroot.Config{
		Sources: []awsroot.Source{{Name: "acme", Organization: &awsroot.Organization{}}}, Now: func() time.Time { return time.Unix(1e9, 0) }, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = auditor.Inventory(t.Context(), "acme", func(posture.Account) error { return nil })
	var gap *awsroot.GapError
	if !errors.As(err, &gap) || gap.Why().Reason != posture.ReasonGarbage {
		t.Errorf("an endless list ends with %v", err)
	}
}
