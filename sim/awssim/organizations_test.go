package awssim_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func TestListAccountsPagesWithEmptyPagesAmongThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *awssim.Config) { c.Accounts = 205 })
	seen, pages, empty := map[string]bool{}, 0, 0
	p := organizations.NewListAccountsPaginator(r.orgs(), &organizations.ListAccountsInput{MaxResults: aws.Int32(20)})
	for p.HasMorePages() {
		out := must[*organizations.ListAccountsOutput](t)(p.NextPage(t.Context()))
		pages++
		if len(out.Accounts) == 0 && out.NextToken != nil {
			empty++
		}
		for _, a := range out.Accounts {
			seen[*a.Id] = true
			if a.State == "" || a.Status != "" || a.Email == nil || a.JoinedTimestamp == nil || len(a.Paths) != 1 {
				t.Errorf("account %+v: want State, email, time and path, and no Status", a)
			}
		}
	}
	if len(seen) != 205 || empty == 0 || pages != 11+empty {
		t.Errorf("%d accounts on %d pages, %d of them empty", len(seen), pages, empty)
	}
	_, err := r.orgs().ListAccounts(t.Context(), &organizations.ListAccountsInput{MaxResults: aws.Int32(21)})
	want(t, err, "InvalidInputException")
}

func TestTheDemoOrganizationAlsoHasAnEmptyPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	first := must[*organizations.ListAccountsOutput](t)(r.orgs().ListAccounts(t.Context(), nil))
	second := must[*organizations.ListAccountsOutput](t)(r.orgs().ListAccounts(t.Context(), &organizations.ListAccountsInput{NextToken: first.NextToken}))
	third := must[*organizations.ListAccountsOutput](t)(r.orgs().ListAccounts(t.Context(), &organizations.ListAccountsInput{NextToken: second.NextToken}))
	if len(first.Accounts) != 20 || len(second.Accounts) != 0 || len(third.Accounts) == 0 || third.NextToken != nil {
		t.Errorf("pages of %d, %d, %d accounts", len(first.Accounts), len(second.Accounts), len(third.Accounts))
	}
}

func TestWhoMayLookAtTheOrganization(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, tt := range []struct {
		name, describe, list string
		as                   aws.Config
	}{
		{"the management account", "ok", "ok", r.admin()},
		{"the delegated administrator", "ok", "ok", r.role(t, awssim.DelegatedAccount)},
		{"an ordinary member", "ok", "AccessDeniedException", r.role(t, awssim.DataAccount)},
		{"an account outside", "AWSOrganizationsNotInUseException", "AWSOrganizationsNotInUseException", r.lab()},
	} {
		c := organizations.NewFromConfig(tt.as)
		_, err := c.DescribeOrganization(t.Context(), nil)
		if code(err) != tt.describe {
			t.Errorf("%s describes: %v, want %s", tt.name, err, tt.describe)
		}
		_, err = c.ListAccounts(t.Context(), nil)
		if code(err) != tt.list {
			t.Errorf("%s lists: %v, want %s", tt.name, err, tt.list)
		}
	}
	session, err := r.assumeRoot(t, awssim.DelegatedAccount, "IAMAuditRootUserCredentials")
	if err != nil {
		t.Fatal(err)
	}
	_, err = organizations.NewFromConfig(session).DescribeOrganization(t.Context(), nil)
	want(t, err, "AccessDeniedException")
}

func TestTheTreeOfUnits(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	o := r.orgs()
	root := must[*organizations.ListRootsOutput](t)(o.ListRoots(t.Context(), nil)).Roots[0]
	if len(root.PolicyTypes) != 1 || root.PolicyTypes[0].Status != orgtypes.PolicyTypeStatusEnabled {
		t.Errorf("policy types are %+v", root.PolicyTypes)
	}
	parent := must[*organizations.ListParentsOutput](t)(o.ListParents(t.Context(), &organizations.ListParentsInput{ChildId: aws.String(awssim.PaymentsAccount)})).Parents[0]
	unit := must[*organizations.DescribeOrganizationalUnitOutput](t)(o.DescribeOrganizationalUnit(t.Context(), &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: parent.Id}))
	if *unit.OrganizationalUnit.Name != "Production" {
		t.Errorf("payments is in %s", *unit.OrganizationalUnit.Name)
	}
	under := must[*organizations.ListAccountsForParentOutput](t)(o.ListAccountsForParent(t.Context(), &organizations.ListAccountsForParentInput{ParentId: parent.Id}))
	units := must[*organizations.ListOrganizationalUnitsForParentOutput](t)(o.ListOrganizationalUnitsForParent(t.Context(), &organizations.ListOrganizationalUnitsForParentInput{ParentId: root.Id}))
	if len(under.Accounts) < 3 || len(units.OrganizationalUnits) != 3 {
		t.Errorf("%d accounts in production, %d units in the root", len(under.Accounts), len(units.OrganizationalUnits))
	}
	_, err := o.ListParents(t.Context(), &organizations.ListParentsInput{ChildId: aws.String("000000000001")})
	want(t, err, "ChildNotFoundException")
	_, err = o.DescribeAccount(t.Context(), &organizations.DescribeAccountInput{AccountId: aws.String(awssim.LabAccount)})
	want(t, err, "AccountNotFoundException")
	tags := must[*organizations.ListTagsForResourceOutput](t)(o.ListTagsForResource(t.Context(), &organizations.ListTagsForResourceInput{ResourceId: aws.String(awssim.PaymentsAccount)}))
	if len(tags.Tags) != 2 || *tags.Tags[0].Key != "owner" || *tags.Tags[0].Value != "olivia.owner@example.com" {
		t.Errorf("tags are %+v", tags.Tags)
	}
	admins := must[*organizations.ListDelegatedAdministratorsOutput](t)(o.ListDelegatedAdministrators(t.Context(), &organizations.ListDelegatedAdministratorsInput{ServicePrincipal: aws.String("iam.amazonaws.com")}))
	if len(admins.DelegatedAdministrators) != 1 || *admins.DelegatedAdministrators[0].Id != awssim.DelegatedAccount {
		t.Errorf("delegated administrators are %+v", admins.DelegatedAdministrators)
	}
}

func quarantine(account string) (*organizations.AttachPolicyInput, *organizations.DetachPolicyInput) {
	id := aws.String(awssim.QuarantinePolicyID)
	return &organizations.AttachPolicyInput{PolicyId: id, TargetId: &account}, &organizations.DetachPolicyInput{PolicyId: id, TargetId: &account}
}

func TestTheQuarantineBlocksTheRootUserAndNotAssumeRoot(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	attach, detach := quarantine(awssim.PaymentsAccount)
	key := must[*iam.ListAccessKeysOutput](t)(r.root(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials").ListAccessKeys(t.Context(), nil)).AccessKeyMetadata[0]
	signer := iam.NewFromConfig(r.as(*key.AccessKeyId, "x", ""))
	_, err := signer.ListAccessKeys(t.Context(), nil)
	want(t, err, "ok")

	_, err = r.orgs().AttachPolicy(t.Context(), attach)
	want(t, err, "ok")
	_, err = r.orgs().AttachPolicy(t.Context(), attach)
	want(t, err, "DuplicatePolicyAttachmentException")
	_, err = signer.ListAccessKeys(t.Context(), nil)
	want(t, err, "AccessDenied")
	if !strings.Contains(message(err), "with an explicit deny in a service control policy") {
		t.Errorf("message is %q", message(err))
	}
	if got := statuses(t, r.root(t, awssim.PaymentsAccount, "IAMDeleteRootUserCredentials")); got[*key.AccessKeyId] != "Active" {
		t.Errorf("under quarantine the key reads %v, want it still active", got)
	}
	before := r.mustUse(t, *key.AccessKeyId, false)
	counted := r.mustUse(t, *key.AccessKeyId, true)
	if !before.Denied || before.Counted || !counted.Denied || !counted.Counted {
		t.Errorf("denied uses: %+v, %+v", before, counted)
	}

	_, err = r.orgs().DetachPolicy(t.Context(), detach)
	want(t, err, "ok")
	_, err = r.orgs().DetachPolicy(t.Context(), detach)
	want(t, err, "PolicyNotAttachedException")
	if u := r.mustUse(t, *key.AccessKeyId, false); u.Denied || !u.Counted {
		t.Errorf("use after the quarantine: %+v", u)
	}
	if e := r.Effects(); len(e) != 2 || e[0].Target != awssim.QuarantinePolicyID || e[0].Account != awssim.PaymentsAccount {
		t.Errorf("effects are %+v, want one attachment and one detachment", e)
	}
}

func (r *rig) mustUse(t *testing.T, keyID string, countDenied bool) awssim.Use {
	t.Helper()
	u, err := r.UseKey(keyID, countDenied)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAPolicyWithoutTheExemptionBlocksRootSessionsToo(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.root(t, awssim.TowerAccount, "IAMAuditRootUserCredentials")
	_, err := c.GetAccountSummary(t.Context(), nil)
	want(t, err, "AccessDenied")
	if !strings.Contains(message(err), "service control policy") {
		t.Errorf("message is %q", message(err))
	}
	_, err = iam.NewFromConfig(r.role(t, awssim.TowerAccount)).GetAccountSummary(t.Context(), nil)
	want(t, err, "ok")
}

func TestPoliciesAreInheritedFromUnitsAndSpareTheManagementAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	root := must[*organizations.ListRootsOutput](t)(r.orgs().ListRoots(t.Context(), nil)).Roots[0]
	_, err := r.orgs().AttachPolicy(t.Context(), &organizations.AttachPolicyInput{PolicyId: aws.String(awssim.DenyRootPolicyID), TargetId: root.Id})
	want(t, err, "ok")
	_, err = r.root(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials").GetAccountSummary(t.Context(), nil)
	want(t, err, "AccessDenied")
	for id, blocked := range map[string]bool{awssim.PaymentsAccount: true, awssim.ManagementAccount: false, awssim.LabAccount: false} {
		if v, _ := r.Account(id); v.Blocked != blocked || v.Quarantined {
			t.Errorf("account %s: blocked %t, quarantined %t", id, v.Blocked, v.Quarantined)
		}
	}
}

func TestPoliciesAsOrganizationsKeepsThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	o := r.orgs()
	const scp = orgtypes.PolicyTypeServiceControlPolicy
	doc := must[*organizations.DescribePolicyOutput](t)(o.DescribePolicy(t.Context(), &organizations.DescribePolicyInput{PolicyId: aws.String(awssim.QuarantinePolicyID)}))
	if *doc.Policy.Content != awssim.QuarantineDocument {
		t.Errorf("the quarantine policy reads %s", *doc.Policy.Content)
	}
	made := must[*organizations.CreatePolicyOutput](t)(o.CreatePolicy(t.Context(), &organizations.CreatePolicyInput{
		Name: aws.String("mine"), Description: aws.String("d"), Type: scp, Content: aws.String(awssim.QuarantineDocument),
	})).Policy.PolicySummary
	_, err := o.CreatePolicy(t.Context(), &organizations.CreatePolicyInput{Name: aws.String("mine"), Description: aws.String("d"), Type: scp, Content: aws.String(awssim.QuarantineDocument)})
	want(t, err, "DuplicatePolicyException")
	_, err = o.CreatePolicy(t.Context(), &organizations.CreatePolicyInput{Name: aws.String("bad"), Description: aws.String("d"), Type: scp, Content: aws.String("{")})
	want(t, err, "MalformedPolicyDocumentException")
	_, err = o.CreatePolicy(t.Context(), &organizations.CreatePolicyInput{Name: aws.String("long"), Description: aws.String("d"), Type: scp, Content: aws.String(strings.Repeat(" ", 10_241))})
	want(t, err, "ConstraintViolationException")
	_, err = o.AttachPolicy(t.Context(), &organizations.AttachPolicyInput{PolicyId: made.Id, TargetId: aws.String(awssim.DataAccount)})
	want(t, err, "ok")
	_, err = o.AttachPolicy(t.Context(), &organizations.AttachPolicyInput{PolicyId: aws.String("p-nosuchpolicy"), TargetId: aws.String(awssim.DataAccount)})
	want(t, err, "PolicyNotFoundException")
	_, err = o.AttachPolicy(t.Context(), &organizations.AttachPolicyInput{PolicyId: made.Id, TargetId: aws.String(awssim.LabAccount)})
	want(t, err, "TargetNotFoundException")

	on := must[*organizations.ListPoliciesForTargetOutput](t)(o.ListPoliciesForTarget(t.Context(), &organizations.ListPoliciesForTargetInput{Filter: scp, TargetId: aws.String(awssim.DataAccount)}))
	if len(on.Policies) != 2 || !on.Policies[0].AwsManaged || *on.Policies[1].Id != *made.Id {
		t.Errorf("policies of the account are %+v", on.Policies)
	}
	targets := must[*organizations.ListTargetsForPolicyOutput](t)(o.ListTargetsForPolicy(t.Context(), &organizations.ListTargetsForPolicyInput{PolicyId: made.Id}))
	if len(targets.Targets) != 1 || targets.Targets[0].Type != orgtypes.TargetTypeAccount {
		t.Errorf("targets of the policy are %+v", targets.Targets)
	}
	all := must[*organizations.ListPoliciesOutput](t)(o.ListPolicies(t.Context(), &organizations.ListPoliciesInput{Filter: scp}))
	if len(all.Policies) != 4 {
		t.Errorf("%d policies, want 4", len(all.Policies))
	}
}

func TestAttachmentLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	o := r.orgs()
	for i := range 10 {
		p := must[*organizations.CreatePolicyOutput](t)(o.CreatePolicy(t.Context(), &organizations.CreatePolicyInput{
			Name: aws.String("p" + strconv.Itoa(i)), Description: aws.String("d"), Type: orgtypes.PolicyTypeServiceControlPolicy, Content: aws.String(awssim.QuarantineDocument),
		}))
		_, err := o.AttachPolicy(t.Context(), &organizations.AttachPolicyInput{PolicyId: p.Policy.PolicySummary.Id, TargetId: aws.String(awssim.DataAccount)})
		if i < 9 {
			want(t, err, "ok")
			continue
		}
		var full *orgtypes.ConstraintViolationException
		if !errors.As(err, &full) || full.Reason != orgtypes.ConstraintViolationExceptionReasonMaxPolicyTypeAttachmentLimitExceeded {
			t.Errorf("the eleventh attachment: %v", err)
		}
	}
	_, err := o.DetachPolicy(t.Context(), &organizations.DetachPolicyInput{PolicyId: aws.String(awssim.FullAccessPolicyID), TargetId: aws.String(awssim.MobileAccount)})
	var last *orgtypes.ConstraintViolationException
	if !errors.As(err, &last) || last.Reason != orgtypes.ConstraintViolationExceptionReasonMinPolicyTypeAttachmentLimitExceeded {
		t.Errorf("detaching the last policy: %v", err)
	}
	if err = r.Feature("SERVICE_CONTROL_POLICY", false); err != nil {
		t.Fatal(err)
	}
	attach, _ := quarantine(awssim.MobileAccount)
	_, err = o.AttachPolicy(t.Context(), attach)
	want(t, err, "PolicyTypeNotEnabledException")
}

func TestFeaturesOfCentralizedRootAccess(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := iam.NewFromConfig(r.admin())
	out := must[*iam.ListOrganizationsFeaturesOutput](t)(c.ListOrganizationsFeatures(t.Context(), nil))
	if len(out.EnabledFeatures) != 2 || out.EnabledFeatures[0] != "RootSessions" || out.EnabledFeatures[1] != "RootCredentialsManagement" {
		t.Errorf("features are %v, in AWS's order RootSessions comes first", out.EnabledFeatures)
	}
	_, err := iam.NewFromConfig(r.role(t, awssim.DataAccount)).ListOrganizationsFeatures(t.Context(), nil)
	want(t, err, "AccountNotManagementOrDelegatedAdministratorException")
	_, err = iam.NewFromConfig(r.lab()).ListOrganizationsFeatures(t.Context(), nil)
	want(t, err, "OrganizationNotFoundException")
	if err = errors.Join(r.Feature("RootCredentialsManagement", false), r.Feature("RootSessions", false)); err != nil {
		t.Fatal(err)
	}
	_, err = c.EnableOrganizationsRootCredentialsManagement(t.Context(), nil)
	want(t, err, "ok")
	on := must[*iam.EnableOrganizationsRootSessionsOutput](t)(c.EnableOrganizationsRootSessions(t.Context(), nil))
	if len(on.EnabledFeatures) != 2 {
		t.Errorf("features after enabling both are %v", on.EnabledFeatures)
	}
	if err = r.Feature("iam.amazonaws.com", false); err != nil {
		t.Fatal(err)
	}
	_, err = c.ListOrganizationsFeatures(t.Context(), nil)
	want(t, err, "ServiceAccessNotEnabledException")
}

func TestContacts(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.contacts()
	security := func(id *string) *account.GetAlternateContactInput {
		return &account.GetAlternateContactInput{AccountId: id, AlternateContactType: accounttypes.AlternateContactTypeSecurity}
	}
	got := must[*account.GetAlternateContactOutput](t)(c.GetAlternateContact(t.Context(), security(aws.String(awssim.LegacyAccount))))
	if *got.AlternateContact.EmailAddress != "ben.okafor@example.com" {
		t.Errorf("security contact is %s", *got.AlternateContact.EmailAddress)
	}
	own := must[*account.GetAlternateContactOutput](t)(account.NewFromConfig(r.lab()).GetAlternateContact(t.Context(), security(nil)))
	if *own.AlternateContact.Name != "Ben Okafor" {
		t.Errorf("the lab's own security contact is %s", *own.AlternateContact.Name)
	}
	_, err := c.GetAlternateContact(t.Context(), security(aws.String(awssim.DataAccount)))
	want(t, err, "ResourceNotFoundException")
	_, err = c.GetAlternateContact(t.Context(), &account.GetAlternateContactInput{AlternateContactType: "LEGAL"})
	want(t, err, "AccessDeniedException")
	_, err = account.NewFromConfig(r.lab()).GetAlternateContact(t.Context(), security(aws.String(awssim.LegacyAccount)))
	want(t, err, "AccessDeniedException")

	email := must[*account.GetPrimaryEmailOutput](t)(c.GetPrimaryEmail(t.Context(), &account.GetPrimaryEmailInput{AccountId: aws.String(awssim.MarketingAccount)}))
	if *email.PrimaryEmail != "minjun.kim@example.com" {
		t.Errorf("primary email is %s", *email.PrimaryEmail)
	}
	_, err = c.GetPrimaryEmail(t.Context(), &account.GetPrimaryEmailInput{AccountId: aws.String(awssim.ManagementAccount)})
	want(t, err, "AccessDeniedException")
	about := must[*account.GetAccountInformationOutput](t)(c.GetAccountInformation(t.Context(), nil))
	if *about.AccountName != "acme-management" || about.AccountCreatedDate == nil {
		t.Errorf("account information is %+v", about)
	}
	if err = r.Feature("account.amazonaws.com", false); err != nil {
		t.Fatal(err)
	}
	_, err = c.GetPrimaryEmail(t.Context(), &account.GetPrimaryEmailInput{AccountId: aws.String(awssim.MarketingAccount)})
	want(t, err, "AccessDeniedException")
}

func TestAnOrganizationIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	at := func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) }
	a, b := awssim.New(awssim.Config{Now: at, Accounts: 300, Seed: 4}), awssim.New(awssim.Config{Now: at, Accounts: 300, Seed: 4})
	ids := a.Accounts()
	if len(ids) != 301 {
		t.Fatalf("%d accounts, want 300 and the lab", len(ids))
	}
	clean := 0
	for _, id := range ids {
		va, _ := a.Account(id)
		vb, _ := b.Account(id)
		if len(va.Root.Keys) != len(vb.Root.Keys) || len(va.Root.Keys) > 0 && va.Root.Keys[0].ID != vb.Root.Keys[0].ID || va.Root.Password != vb.Root.Password {
			t.Errorf("account %s differs: %+v and %+v", id, va.Root, vb.Root)
		}
		if !va.Root.Password && len(va.Root.Keys) == 0 {
			clean++
		}
	}
	if clean < 200 || clean > 270 {
		t.Errorf("%d of 301 accounts are without root credentials", clean)
	}
}
