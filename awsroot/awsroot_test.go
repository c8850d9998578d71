package awsroot_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// rig is the real edge with the real SDK, pointed at the simulator by the settings that point it anywhere.
type rig struct {
	*awssim.Organization
	auditor    *awsroot.Auditor
	remediator *awsroot.Remediator

	mu  sync.Mutex
	now time.Time
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

const policyID = awssim.QuarantinePolicyID

// setAWS points the SDK at an endpoint and away from everything else on this machine.
func setAWS(tb testing.TB, endpoint string) {
	tb.Helper()
	dir := tb.TempDir()
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "made-up",
		"AWS_REGION": "us-east-1", "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_CONFIG_FILE": filepath.Join(dir, "config"),
		"AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		tb.Setenv(k, v)
	}
}

// newRig sets the process's environment, so its tests do not run in parallel.
func newRig(t *testing.T, change func(*awsroot.Config)) *rig {
	t.Helper()
	return newRigAt(t, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), change)
}

// newRigAt begins at a time. The SDK's cache of credentials goes by this machine's clock, so what is about assumed roles
// begins now.
func newRigAt(t *testing.T, at time.Time, change func(*awsroot.Config)) *rig {
	t.Helper()
	r := &rig{now: at}
	r.Organization = awssim.New(awssim.Config{Now: r.clock})
	mux := http.NewServeMux()
	mux.Handle("/aws/", http.StripPrefix("/aws", r.API()))
	server := httptest.NewServer(mux)
	t.Cleanup(func() { r.Close(); server.Close() })

	dir := t.TempDir()
	profiles := fmt.Sprintf("[lab-root]\naws_access_key_id = %s\naws_secret_access_key = %s\n[lab-readonly]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		awssim.LabAccessKeyID, awssim.LabSecretAccessKey, awssim.LabReadOnlyKeyID, awssim.LabReadOnlySecretKey)
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	setAWS(t, server.URL+"/aws/")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	c := awsroot.Config{
		Sources: []awsroot.Source{
			{Name: "acme", Organization: &awsroot.Organization{Delete: &awsroot.Delete{}, Quarantine: &awsroot.Quarantine{PolicyID: policyID}}},
			{Name: "lab", Account: &awsroot.Account{Profile: "lab-readonly", RootProfile: "lab-root"}},
		},
		OwnerTag: "owner", Now: r.clock, Version: "test",
	}
	if change != nil {
		change(&c)
	}
	var err error
	if r.auditor, r.remediator, err = awsroot.New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) inventory(t *testing.T, source string) map[posture.AccountID]posture.Account {
	t.Helper()
	found := map[posture.AccountID]posture.Account{}
	if _, err := r.auditor.Inventory(t.Context(), source, func(a posture.Account) error {
		found[a.ID] = a
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func (r *rig) count(action, account string) int {
	n := 0
	for _, c := range r.Calls() {
		if c.Action == action && (account == "" || c.Account == account) {
			n++
		}
	}
	return n
}

func TestTheInventoryIsReadPageByPageWithoutAnotherCall(t *testing.T) {
	r := newRig(t, nil)
	accounts := r.inventory(t, "acme")
	if got := accounts[awssim.ManagementAccount].Role; got != posture.RoleManagement {
		t.Errorf("the management account is a %q", got)
	}
	if got := accounts[awssim.PaymentsAccount]; got.Role != posture.RoleMember || got.State != posture.StateActive || got.Email == "" || got.Name == "" {
		t.Errorf("a member is %+v", got)
	}
	for _, action := range []string{"DescribeOrganization", "ListTagsForResource", "DescribeAccount"} {
		if n := r.count(action, ""); n != 0 {
			t.Errorf("%s was called %d times", action, n)
		}
	}
}

func TestACleanMemberCostsTwoCallsAndOneWithAKeyAndADeviceSix(t *testing.T) {
	r := newRig(t, nil)
	accounts := r.inventory(t, "acme")
	r.ClearCalls()
	e := r.auditor.Inspect(t.Context(), accounts[awssim.DelegatedAccount])
	if calls := len(r.Calls()); calls != 2 || !e.Password.Known() || e.Password.Value || !e.AccessKeys.Known() || e.AccessKeys.Value {
		t.Errorf("%d calls tell %+v %+v", calls, e.Password, e.AccessKeys)
	}
	r.ClearCalls()
	e = r.auditor.Inspect(t.Context(), accounts[awssim.PaymentsAccount])
	if calls := len(r.Calls()); calls > 6 {
		t.Errorf("%d calls", calls)
	}
	if !e.Keys.Known() || len(e.Keys.Value) != 1 || !e.Keys.Value[0].ID.Whole() || e.Keys.Value[0].LastUsed.IsZero() {
		t.Errorf("keys %+v", e.Keys)
	}
}

func TestEveryAccountOfTheDemoIsSeenAsItIs(t *testing.T) {
	r := newRig(t, nil)
	accounts := r.inventory(t, "acme")
	look := func(id posture.AccountID) posture.Evidence { return r.auditor.Inspect(t.Context(), accounts[id]) }
	if e := look(awssim.VaultAccount); len(e.Devices.Value) != 3 {
		t.Errorf("the vault's devices are %+v", e.Devices)
	}
	if e := look(awssim.DataAccount); len(e.Keys.Value) != 2 {
		t.Errorf("the keys of data are %+v", e.Keys)
	}
	if e := look(awssim.TowerAccount); e.AccessKeys.Known() || e.AccessKeys.Gap.Reason != posture.ReasonSCP {
		t.Errorf("behind a policy without the exemption: %+v", e.AccessKeys)
	}
	if e := look(awssim.ManagementAccount); e.Via != "own" || !e.AccessKeys.Value || !e.Keys.Known() || e.Keys.Source != posture.SourceReport {
		t.Errorf("the management account: via %s, %+v %+v", e.Via, e.AccessKeys, e.Keys)
	}
	for id, a := range accounts {
		e := look(id)
		for _, f := range posture.Evaluate(e, posture.Policy{}, r.clock()) {
			if f.Status == posture.Passed && f.Gap != nil {
				t.Errorf("%s passes %s with a gap", a.Name, f.Control)
			}
			if f.Status == posture.NotAvailable && f.Gap == nil {
				t.Errorf("%s has no reason for %s", a.Name, f.Control)
			}
		}
	}
}

func TestTheSingleAccountIsSeenByItsReadOnlyProfile(t *testing.T) {
	r := newRig(t, nil)
	accounts := r.inventory(t, "lab")
	lab, ok := accounts[awssim.LabAccount]
	if !ok || lab.Role != posture.RoleStandalone {
		t.Fatalf("the lab is %+v", accounts)
	}
	e := r.auditor.Inspect(t.Context(), lab)
	if !e.AccessKeys.Value || len(e.Keys.Value) != 2 || e.Keys.Value[0].ID != "" {
		t.Errorf("a read-only role sees %+v", e.Keys)
	}
	w := r.auditor.Ways(t.Context(), lab)
	if d, del := w.For(awssim.LabOtherAccessKeyID); d != remediation.MeansRootCredentials || del != remediation.MeansRootCredentials {
		t.Errorf("the other key: %s and %s", d, del)
	}
	if d, _ := w.For(awssim.LabAccessKeyID); d != remediation.MeansGuided {
		t.Errorf("the key that signs is %s", d)
	}
}

// permit walks the gates as the worker does, on a request in the state that the call needs.
func permit(t *testing.T, r remediation.Request, f remediation.Facts, now time.Time) remediation.Permit {
	t.Helper()
	a, err := remediation.Start(r, f, remediation.Surroundings{On: true, Asker: true, Entitled: map[string]bool{"UBEN": true}, Recorded: map[string]bool{"UBEN": true}, DailyCap: 5}, now)
	if err != nil {
		t.Fatalf("start: %v with %+v", err, f)
	}
	e := audit.Event{
		At: now, Actor: audit.Actor{Kind: audit.KindSystem, ID: "worker"}, Action: audit.RemediationAttempted,
		Outcome: audit.OutcomeAttempt, Request: string(r.ID), Version: r.Version,
	}
	p, err := a.Permit(audit.Sealed(audit.Leaf{Seq: 0, Event: e}, audit.Head{Size: 1}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func request(source string, account posture.AccountID, key posture.Key, means, del remediation.Means, s remediation.State, now time.Time) remediation.Request {
	p := remediation.DefaultPolicy()
	return remediation.Request{
		ID: "r1", Version: 4, State: s, Source: source, Account: account, Key: key, Means: means, DeleteMeans: del, Policy: p,
		Requester: remediation.Person{User: "UANA"}, Approvals: []remediation.Approval{{By: remediation.Person{User: "UBEN"}, At: now}},
		Watched: p.Watch, WatchFrom: now, Override: "tested",
	}
}

func (r *rig) key(t *testing.T, source string, account posture.AccountID, s posture.KeyStatus) posture.Key {
	t.Helper()
	e := r.auditor.Inspect(t.Context(), r.inventory(t, source)[account])
	for _, k := range e.Keys.Value {
		if k.Status == s {
			return k
		}
	}
	t.Fatalf("%s has no %s key: %+v", account, s, e.Keys)
	return posture.Key{}
}

func TestAMembersRootUserIsBlockedThenItsKeyDeleted(t *testing.T) {
	r := newRig(t, nil)
	k := r.key(t, "acme", awssim.PaymentsAccount, posture.KeyActive)
	req := request("acme", awssim.PaymentsAccount, k, remediation.MeansOrganization, remediation.MeansOrganization, remediation.Deactivating, r.clock())
	s, err := r.remediator.Open(t.Context(), req, remediation.ActDeactivate)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := permit(t, req, s.Facts(), r.clock())
	if out := s.Do(t.Context(), p); out.Kind != remediation.Succeeded || !out.Facts.Block.Attached {
		t.Fatalf("block: %+v", out)
	}
	if out := s.Do(t.Context(), p); out.Kind != remediation.Refused {
		t.Errorf("a second call on one session: %+v", out)
	}
	if f := r.auditor.Read(t.Context(), req); f.Gap != nil || !f.Block.Attached || !f.Block.Intact || f.AWS.IsZero() || len(f.Keys) != 1 {
		t.Errorf("read back: %+v", f)
	}

	req.State = remediation.Deleting
	d, err := r.remediator.Open(t.Context(), req, remediation.ActDelete)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if out := d.Do(t.Context(), p); out.Kind != remediation.Refused {
		t.Errorf("a permit to block on a session to delete: %+v", out)
	}
	if out := d.Do(t.Context(), permit(t, req, d.Facts(), r.clock())); out.Kind != remediation.Succeeded || out.AWSID == "" {
		t.Fatalf("delete: %+v", out)
	}
	if n := r.count("DeleteAccessKey", awssim.PaymentsAccount); n != 1 {
		t.Errorf("%d calls to DeleteAccessKey", n)
	}
	r.advance(15 * time.Second)
	if f := r.auditor.Read(t.Context(), req); !f.NoKeys {
		t.Errorf("after the propagation time %+v", f)
	}
}

func TestTheLabsOtherKeyIsDeactivatedByItsRootProfile(t *testing.T) {
	r := newRig(t, nil)
	r.inventory(t, "lab")
	f := r.auditor.Read(t.Context(), remediation.Request{Source: "lab", Account: awssim.LabAccount, Means: remediation.MeansRootCredentials})
	if f.Gap != nil || len(f.Keys) != 2 {
		t.Fatalf("a reading for somebody who asks: %+v", f)
	}
	var k posture.Key
	for _, c := range f.Keys {
		if c.ID == awssim.LabOtherAccessKeyID {
			k = c
		}
	}
	req := request("lab", awssim.LabAccount, k, remediation.MeansRootCredentials, remediation.MeansRootCredentials, remediation.Deactivating, r.clock())
	s, err := r.remediator.Open(t.Context(), req, remediation.ActDeactivate)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if out := s.Do(t.Context(), permit(t, req, s.Facts(), r.clock())); out.Kind != remediation.Succeeded {
		t.Fatalf("deactivate: %+v", out)
	}
	signs := req
	signs.Key.ID = awssim.LabAccessKeyID
	stranded, err := r.remediator.Open(t.Context(), signs, remediation.ActDeactivate)
	if err == nil && stranded.Facts().Gap == nil {
		t.Error("the key that signs may be deactivated")
	}
}

func TestOwnersAreFoundInOrder(t *testing.T) {
	r := newRig(t, nil)
	accounts := r.inventory(t, "acme")
	contacts, err := r.auditor.Contacts(context.WithoutCancel(t.Context()), accounts[awssim.MarketingAccount])
	if err != nil {
		t.Fatal(err)
	}
	if len(contacts) == 0 {
		t.Error("nothing leads to the owner of marketing")
	}
}
