package awsroot

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file tries the means that change something, as far as they can be tried without a change.

// deletion tries the delete role as far as a session. Nothing is deleted, and nothing is asked with the session.
func (p *probing) deletion(ctx context.Context, central bool) {
	const name = "delete by root session"
	o := p.r.src.Organization
	switch {
	case o.Delete == nil:
		p.skip(name, "off: the settings name no delete")
		return
	case !central:
		p.skip(name, "centralized root access is not enabled")
		return
	case len(p.members) == 0:
		p.skip(name, "no active member account is known")
		return
	}
	from := p.r.base
	if o.Delete.RoleARN != "" {
		from = p.r.as(p.r.base, o.Delete.RoleARN, "rootcheck-delete")
		if !p.role(ctx, "delete role", from, o.Delete.RoleARN) {
			return
		}
	}
	if p.rootSession(ctx, name, from, deleteTask, false) {
		_, err := accountOf(ctx, from, "AKIAIOSFODNN7EXAMPLE")
		if err != nil && reasonOf(err) == posture.ReasonDenied {
			p.failed("delete: whose key it is", err, statement("*", nil, "sts:GetAccessKeyInfo"))
		}
	}
}

// role tries that a role can be assumed from the identity that looks.
func (p *probing) role(ctx context.Context, name string, cfg aws.Config, role string) bool {
	_, _, err := rootCaller(ctx, cfg)
	if err == nil {
		p.ok(name, "%s", role)
		return true
	}
	if reasonOf(err) == posture.ReasonDenied {
		p.fail(name, detailOf(err), "Let "+role+" trust "+p.arn+", and let that identity assume it:", statement(role, nil, "sts:AssumeRole"))
		return false
	}
	p.failed(name, err, "")
	return false
}

// quarantine tries everything about the quarantine policy but to attach it.
func (p *probing) quarantine(ctx context.Context) {
	o := p.r.src.Organization
	if o.Quarantine == nil {
		p.skip("quarantine", "off: the settings name no quarantine, so root users are not blocked but their owners are guided")
		return
	}
	cfg := p.r.blocks
	if o.Quarantine.RoleARN != "" && !p.role(ctx, "quarantine role", cfg, o.Quarantine.RoleARN) {
		return
	}
	same, err := p.r.compare(ctx, cfg)
	switch {
	case codeOf(err) == "PolicyNotFoundException":
		p.fail("quarantine policy", detailOf(err), "Create the policy with this content, and write its id into quarantine.policy_id:", QuarantinePolicy())
	case err != nil:
		p.failed("quarantine policy", err, statement("*", nil, "organizations:DescribePolicy"))
	case !same:
		p.fail("quarantine policy", o.Quarantine.PolicyID+" is not the shipped document", "Replace its content by this, or name another policy:", QuarantinePolicy())
	default:
		p.ok("quarantine policy", "%s is the shipped document", o.Quarantine.PolicyID)
	}
	p.policyType(ctx, cfg)
	if len(p.members) > 0 {
		_, _, err := p.r.block(ctx, cfg, p.members[0], p.cfg.Now(), false)
		p.tried("quarantine: attached policies", err, statement("*", nil, "organizations:ListPoliciesForTarget"))
	}
	org := p.org
	if org == "" {
		org = "*"
	}
	manager := string(p.manager)
	p.tell(commands.Probe{
		Area: p.r.src.area(), Name: "quarantine: attach and detach", Status: commands.ProbeSkipped,
		Detail: "cannot be tried without changing something; it takes organizations:AttachPolicy and DetachPolicy on arn:" + p.partition +
			":organizations::" + manager + ":policy/" + org + "/service_control_policy/" + o.Quarantine.PolicyID +
			" and arn:" + p.partition + ":organizations::" + manager + ":account/" + org + "/*",
	})
}

// policyType asks whether service control policies are enabled at the organization's root.
func (p *probing) policyType(ctx context.Context, cfg aws.Config) {
	const name = "quarantine: policy type"
	out, err := organizations.NewFromConfig(cfg).ListRoots(ctx, &organizations.ListRootsInput{})
	if err != nil {
		p.failed(name, err, statement("*", nil, "organizations:ListRoots"))
		return
	}
	root := ""
	for _, r := range out.Roots {
		root = aws.ToString(r.Id)
		for _, t := range r.PolicyTypes {
			if t.Type == orgtypes.PolicyTypeServiceControlPolicy && t.Status == orgtypes.PolicyTypeStatusEnabled {
				p.ok(name, "SERVICE_CONTROL_POLICY is enabled at %s", root)
				return
			}
		}
	}
	p.fail(name, "SERVICE_CONTROL_POLICY is not enabled", "In the management account run: aws organizations enable-policy-type --policy-type SERVICE_CONTROL_POLICY --root-id "+root, "")
}
