package awsroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file tries what the bot needs of AWS, before it runs. The rules are:
//   - It changes nothing: what cannot be tried without a change is skipped, and said to be.
//   - Credentials that could delete are asked for and dropped at once. Nothing is ever called with them.
//   - A missing permission comes with the least statement that grants it.

// maxSkew is how far our clock may be from AWS's. AWS itself refuses signatures that are five minutes off, and so does the
// bot with deletions.
const maxSkew = 5 * time.Minute

// samples is how many members a root session is tried in before the doctor gives up: a single one may be shut by its own
// policies.
const samples = 3

// Doctor tries each source and tells what it finds, one probe at a time. A source whose AWS configuration cannot be read
// keeps no other from being tried.
func Doctor(ctx context.Context, c Config, tell func(commands.Probe)) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	client := httpClient()
	for _, s := range c.Sources {
		r, err := newReach(ctx, c, s, client)
		if err != nil {
			tell(unreadable(s, err))
			continue
		}
		// A person waits for the answer: one retry is enough to tell.
		r.base.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 2) }
		p := &probing{r: r, cfg: c, tell: tell}
		if !p.identity(ctx) {
			continue
		}
		if r.src.Organization == nil {
			p.single(ctx)
		} else {
			p.organization(ctx)
		}
	}
}

// area is what the doctor's report calls a source.
func (s Source) area() string { return "AWS: " + s.Name }

// unreadable tells of a source whose AWS configuration cannot be read.
func unreadable(s Source, err error) commands.Probe {
	p := commands.Probe{Area: s.area(), Name: "configuration", Status: commands.ProbeFailed, Detail: err.Error(), Fix: "Give the profile and Region names that your AWS configuration has."}
	if _, missing := errors.AsType[*NoProfileError](err); missing {
		p.Fix = "Add it to ~/.aws/config, or take the entry out."
	}
	return p
}

// probing is the doctor at one source.
type probing struct {
	r         *reach
	cfg       Config
	tell      func(commands.Probe)
	arn       string
	account   posture.AccountID
	partition string
	org       string // the organization's id, once an account's ARN has told it
	members   []posture.AccountID
	manager   posture.AccountID
}

func (p *probing) ok(name, detail string, args ...any) {
	p.tell(commands.Probe{Area: p.r.src.area(), Name: name, Status: commands.ProbeOK, Detail: fmt.Sprintf(detail, args...)})
}

func (p *probing) skip(name, why string) {
	p.tell(commands.Probe{Area: p.r.src.area(), Name: name, Status: commands.ProbeSkipped, Detail: why})
}

func (p *probing) fail(name, detail, fix, policy string) {
	p.tell(commands.Probe{Area: p.r.src.area(), Name: name, Status: commands.ProbeFailed, Detail: detail, Fix: fix, Policy: policy})
}

// failed tells an error of AWS with its fix; where a permission is missing, with the statement that grants it.
func (p *probing) failed(name string, err error, statement string) {
	g := gapOf(err)
	fix := g.Fix
	if g.Reason == posture.ReasonNoAnswer || g.Reason == posture.ReasonGarbage || g.Reason == posture.ReasonThrottled {
		fix = "Look at what answers in place of AWS, and try again."
	}
	if g.Reason != posture.ReasonDenied {
		statement = ""
	}
	if statement != "" {
		fix = "Add this statement to the policy of " + p.principal(name) + ":"
	}
	p.fail(name, g.Reason.Phrase()+" ("+g.Detail+")", fix, statement)
}

func (p *probing) principal(name string) string {
	o := p.r.src.Organization
	switch {
	case o != nil && o.Delete != nil && o.Delete.RoleARN != "" && strings.HasPrefix(name, "delete"):
		return o.Delete.RoleARN
	case o != nil && o.Quarantine != nil && o.Quarantine.RoleARN != "" && strings.HasPrefix(name, "quarantine"):
		return o.Quarantine.RoleARN
	case p.arn != "":
		return p.arn
	default:
		return "the bot's identity"
	}
}

// statement is the least policy statement that allows actions.
func statement(resource string, condition map[string]any, actions ...string) string {
	s := struct {
		Effect    string         `json:"Effect"`
		Action    []string       `json:"Action"`
		Resource  string         `json:"Resource"`
		Condition map[string]any `json:"Condition,omitempty"`
	}{"Allow", actions, resource, condition}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return ""
	}
	return string(b)
}

func (p *probing) taskStatement(task string) string {
	policy := "arn:" + p.partition + ":iam::aws:policy/root-task/" + task
	return statement("arn:"+p.partition+":iam::*:root", map[string]any{
		"StringEquals": map[string]string{"sts:TaskPolicyArn": policy},
	}, "sts:AssumeRoot")
}

// identity asks who we are, and by the way how far our clock is from AWS's.
func (p *probing) identity(ctx context.Context) bool {
	out, err := sts.NewFromConfig(p.r.base).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		role := ""
		if o := p.r.src.Organization; o != nil {
			role = o.RoleARN
		} else if a := p.r.src.Account; a != nil {
			role = a.RoleARN
		}
		if role != "" && reasonOf(err) == posture.ReasonDenied {
			p.fail("identity", detailOf(err), "Let "+role+" trust the bot's own identity, and let that identity assume it:",
				statement(role, nil, "sts:AssumeRole"))
		} else {
			p.failed("identity", err, "")
		}
		p.skip("everything else", "without an identity nothing can be tried")
		return false
	}
	p.arn, p.account = aws.ToString(out.Arn), posture.AccountID(aws.ToString(out.Account))
	p.partition = partitionOf(p.arn)
	if strings.HasSuffix(p.arn, ":root") {
		p.fail("identity", p.arn+" is the root user itself", "Give the bot a role or a user that may only look; the root user is what it guards.", "")
	} else {
		p.ok("identity", "%s", p.arn)
	}
	p.clock(serverTime(out.ResultMetadata, time.Time{}))
	return true
}

func (p *probing) clock(theirs time.Time) {
	if theirs.IsZero() {
		p.skip("clock", "the answer has no Date")
		return
	}
	skew := p.cfg.Now().Sub(theirs).Round(time.Second)
	if skew.Abs() > maxSkew {
		p.fail("clock", fmt.Sprintf("this machine's clock is %s off AWS's", skew), "Set the clock by NTP: deletions are refused until it is right.", "")
		return
	}
	p.ok("clock", "%s off AWS's", skew.Abs())
}

// single tries what looking into a single account takes.
func (p *probing) single(ctx context.Context) {
	c := iam.NewFromConfig(p.r.base)
	p.look(ctx, c, p.account, "")
	_, err := c.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
	p.tried("account alias", err, statement("*", nil, "iam:ListAccountAliases"))
	_, err = p.r.alternate(ctx, posture.Account{ID: p.account, Source: p.r.src.Name}, "SECURITY")
	p.tried("alternate contacts", err, statement("*", nil, "account:GetAlternateContact"))
	p.trail(ctx, p.r.base, "")
	p.rootProfile(ctx)
}

// trail tries the event history, where it is switched on.
func (p *probing) trail(ctx context.Context, cfg aws.Config, where string) {
	if !p.r.cloudTrail() {
		return
	}
	_, err := cloudtrail.NewFromConfig(cfg).LookupEvents(ctx, &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(1)})
	p.tried("event history"+where, err, statement("*", nil, "cloudtrail:LookupEvents"))
}

// look tries the calls of a read-only role.
func (p *probing) look(ctx context.Context, c *iam.Client, account posture.AccountID, where string) {
	_, err := c.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	p.tried("account summary"+where, err, statement("*", nil, "iam:GetAccountSummary"))
	row, err := credentialReport(ctx, c, account, p.r.cfg.Now)
	switch reason := reasonOf(err); {
	case errors.Is(err, errNoRootRow):
		p.fail("credential report"+where, err.Error(), "Look at what answers in place of AWS: its report has no row <root_account>.", "")
	case err != nil && reason == posture.ReasonReportNotReady:
		p.ok("credential report"+where, "AWS is making it")
	case err != nil:
		p.tried("credential report"+where, err, statement("*", nil, "iam:GenerateCredentialReport", "iam:GetCredentialReport"))
	default:
		p.ok("credential report"+where, "made %s", row.At.Format("2006-01-02 15:04 UTC"))
	}
	_, err = c.ListVirtualMFADevices(ctx, &iam.ListVirtualMFADevicesInput{MaxItems: aws.Int32(1)})
	p.tried("virtual MFA devices"+where, err, statement("*", nil, "iam:ListVirtualMFADevices"))
}

func (p *probing) tried(name string, err error, policy string) {
	if err != nil {
		p.failed(name, err, policy)
		return
	}
	p.ok(name, "")
}

// rootProfile tries that the profile is the root user of this very account. Nothing else is called with it.
func (p *probing) rootProfile(ctx context.Context) {
	const name = "root profile"
	if p.r.src.Account.RootProfile == "" {
		p.skip(name, "not set: keys are changed by their owner in the console")
		return
	}
	cfg, err := p.r.rootProfile(ctx, p.cfg)
	if err != nil {
		p.fail(name, "the profile cannot be read", "Add the profile "+p.r.src.Account.RootProfile+" to your AWS configuration, or remove root_profile.", "")
		return
	}
	arn, account, err := rootCaller(ctx, cfg)
	switch {
	case err != nil:
		p.failed(name, err, "")
	case !strings.HasSuffix(arn, ":root"):
		p.fail(name, "it is "+arn+" and not a root user", "Name a profile that holds a root access key of "+string(p.account)+", or remove root_profile.", "")
	case account != p.account:
		p.fail(name, "it is the root user of "+string(account)+", not of "+string(p.account), "Name the root profile of this account.", "")
	default:
		p.ok(name, "the root user of %s", account)
	}
}

// organization tries what looking into an organization takes, and each of the switched-on means.
func (p *probing) organization(ctx context.Context) {
	listed := p.list(ctx)
	central := p.features(ctx)
	switch {
	case !listed || len(p.members) == 0:
		p.skip("root session", "no active member account is known")
	case !central:
		p.skip("root session", "centralized root access is not enabled")
	default:
		p.rootSession(ctx, "root session", p.r.base, auditTask, true)
	}
	p.memberRole(ctx)
	p.owners(ctx)
	p.deletion(ctx, central)
	p.quarantine(ctx)
}

// list asks for the accounts until there are a few members to try.
func (p *probing) list(ctx context.Context) bool {
	const name = "list accounts"
	pages := organizations.NewListAccountsPaginator(organizations.NewFromConfig(p.r.base), &organizations.ListAccountsInput{MaxResults: aws.Int32(20)})
	n := 0
	for turned := 0; pages.HasMorePages() && len(p.members) < samples && turned < mostPages; turned++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			p.failed(name, err, statement("*", nil, "organizations:ListAccounts"))
			return false
		}
		n += len(page.Accounts)
		for _, acc := range page.Accounts {
			org := commands.Organization{Partition: p.partition}
			p.r.account(acc, &org)
			p.org, p.manager = org.ID, org.Management
			id := posture.AccountID(aws.ToString(acc.Id))
			active := acc.State == orgtypes.AccountStateActive || string(acc.State) == "" && string(acc.Status) == posture.StateActive
			if active && id != p.manager && id != p.account && len(p.members) < samples {
				p.members = append(p.members, id)
			}
		}
	}
	if n == 0 {
		p.fail(name, "AWS listed no account", "Use an identity of the management account or of a delegated administrator account.", "")
		return false
	}
	p.ok(name, "organization %s, management account %s", p.org, p.manager)
	return true
}

// features asks whether root access is centralized. Each error means one thing to do.
func (p *probing) features(ctx context.Context) bool {
	const name = "centralized root access"
	if reportOnly(p.partition) {
		p.skip(name, "the partition "+p.partition+" has no such thing")
		return false
	}
	out, err := iam.NewFromConfig(p.r.base).ListOrganizationsFeatures(ctx, &iam.ListOrganizationsFeaturesInput{})
	if err != nil {
		p.featureError(name, err)
		return false
	}
	if slices.Contains(out.EnabledFeatures, iamtypes.FeatureTypeRootCredentialsManagement) {
		p.ok(name, "RootCredentialsManagement is enabled")
		return true
	}
	p.fail(name, "RootCredentialsManagement is not enabled",
		"In the management account run: aws iam enable-organizations-root-credentials-management", "")
	return false
}

// featureError maps AWS's typed errors to one instruction each.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListOrganizationsFeatures.html
func (p *probing) featureError(name string, err error) {
	var fix string
	switch codeOf(err) {
	case "ServiceAccessNotEnabledException":
		fix = "In the management account run: aws organizations enable-aws-service-access --service-principal iam.amazonaws.com"
	case "AccountNotManagementOrDelegatedAdministratorException":
		fix = "Use an identity of the management account, or make account " + string(p.account) +
			" a delegated administrator there: aws organizations register-delegated-administrator --service-principal iam.amazonaws.com --account-id " + string(p.account)
	case "OrganizationNotFoundException":
		fix = "The account belongs to no organization: write account in place of organization in the settings."
	case "OrganizationNotInAllFeaturesModeException":
		fix = "Enable all features of the organization in the management account: aws organizations enable-all-features"
	default:
		p.failed(name, err, statement("*", nil, "iam:ListOrganizationsFeatures"))
		return
	}
	p.fail(name, detailOf(err), fix, "")
}

// rootSession opens a session in up to a few members, and with use makes the one call that a scan begins with. A session
// that could delete is never used: its credentials end with this function.
func (p *probing) rootSession(ctx context.Context, name string, from aws.Config, task string, use bool) bool {
	var first error
	for _, id := range p.members {
		cfg, err := assumeRoot(ctx, from, id, p.partition, task)
		if err == nil && use {
			_, err = iam.NewFromConfig(cfg).GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
		}
		if err == nil {
			p.ok(name, "%s in %s", task, id)
			return true
		}
		if first == nil {
			first = err
		}
	}
	p.failed(name, first, p.taskStatement(task))
	return false
}

func (p *probing) memberRole(ctx context.Context) {
	o := p.r.src.Organization
	if o.MemberRole == "" {
		if p.account != p.manager {
			p.skip("member role", "not set: without it the management account, which no root session can look into, is not scanned")
		}
		return
	}
	if len(p.members) == 0 {
		p.skip("member role", "no active member account is known")
		return
	}
	cfg := p.r.as(p.r.base, p.r.memberRole(p.partition, p.members[0]), "rootcheck-look")
	if _, _, err := rootCaller(ctx, cfg); err != nil {
		p.failed("member role", err, statement(fmt.Sprintf("arn:%s:iam::*:role/%s", p.partition, strings.TrimPrefix(o.MemberRole, "/")), nil, "sts:AssumeRole"))
		return
	}
	p.look(ctx, iam.NewFromConfig(cfg), p.members[0], " by member role")
	if o.Aliases {
		_, err := iam.NewFromConfig(cfg).ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
		p.tried("account alias by member role", err, statement("*", nil, "iam:ListAccountAliases"))
	}
	p.trail(ctx, cfg, " by member role")
}

// owners tries what finding an account's owner takes.
func (p *probing) owners(ctx context.Context) {
	if len(p.members) == 0 {
		p.skip("owners", "no active member account is known")
		return
	}
	id := p.members[0]
	if p.cfg.OwnerTag != "" {
		_, err := p.r.tag(ctx, id, p.cfg.OwnerTag)
		p.tried("account tags", err, statement("*", nil, "organizations:ListTagsForResource"))
	}
	_, err := p.r.alternate(ctx, posture.Account{ID: id, Source: p.r.src.Name}, "SECURITY")
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "trusted access") {
		p.fail("alternate contacts", detailOf(err), "In the management account run: aws organizations enable-aws-service-access --service-principal account.amazonaws.com", "")
		return
	}
	p.tried("alternate contacts", err, statement("*", nil, "account:GetAlternateContact"))
}
