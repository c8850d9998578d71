package awssim

import (
	"slices"
	"strings"
)

// The ids of the policies that exist from the start.
const (
	FullAccessPolicyID = "p-FullAWSAccess"
	QuarantinePolicyID = "p-quarantine"    // blocks long-term root credentials, exempts AssumeRoot sessions
	DenyRootPolicyID   = "p-denyrootusers" // blocks root users without that exemption
)

// QuarantineDocument is the content of the quarantine policy: AWS's own example of a policy on aws:AssumedRoot
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
const QuarantineDocument = `{"Version":"2012-10-17","Statement":[{"Sid":"DenyRootLongTermCredentials","Effect":"Deny","Action":"*","Resource":"*",` +
	`"Condition":{"ArnLike":{"aws:PrincipalArn":["arn:*:iam::*:root"]},"Null":{"aws:AssumedRoot":"true"}}}]}`

const (
	fullAccessDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	denyRootDocument   = `{"Version":"2012-10-17","Statement":[{"Sid":"GRRESTRICTROOTUSER","Effect":"Deny","Action":"*","Resource":"*",` +
		`"Condition":{"StringLike":{"aws:PrincipalArn":["arn:aws:iam::*:root"]}}}]}`
)

// The root task policies that AssumeRoot takes. All five exist; the simulator's services only speak to the first three.
const (
	taskAudit    = "IAMAuditRootUserCredentials"
	taskDelete   = "IAMDeleteRootUserCredentials"
	taskPassword = "IAMCreateRootUserPassword"
	taskBucket   = "S3UnlockBucketPolicy"
	taskQueue    = "SQSUnlockQueuePolicy"

	taskPolicyPrefix = "arn:aws:iam::aws:policy/root-task/"
)

// taskDocument returns the document of a root task policy, and false when AWS has none by that name
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/security-iam-awsmanpol.html). Each denies all but a few actions,
// and those few on anything but the root user: that is why a root session may name no user.
func taskDocument(name string) (document, bool) {
	actions := taskActions(name)
	if actions == nil {
		return document{}, false
	}
	return document{statements: []statement{
		{actions: actions, notActions: true, resources: []string{"*"}},
		{
			actions:      slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return a == "iam:GetAccountSummary" }),
			resources:    []string{"arn:aws:iam::*:root"},
			notResources: true,
		},
	}}, true
}

func taskActions(name string) []string {
	switch name {
	case taskAudit:
		return []string{
			"iam:ListAccessKeys", "iam:ListSigningCertificates", "iam:GetLoginProfile", "iam:ListMFADevices",
			"iam:GetAccountSummary", "iam:GetUser", "iam:GetAccessKeyLastUsed",
		}
	case taskDelete:
		return []string{
			"iam:DeleteAccessKey", "iam:DeleteSigningCertificate", "iam:DeleteLoginProfile", "iam:DeactivateMFADevice",
			"iam:ListAccessKeys", "iam:ListSigningCertificates", "iam:GetLoginProfile", "iam:ListMFADevices",
			"iam:GetUser", "iam:GetAccessKeyLastUsed",
		}
	case taskPassword:
		return []string{"iam:CreateLoginProfile", "iam:GetLoginProfile"}
	case taskBucket:
		return []string{"s3:DeleteBucketPolicy", "s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:ListAllMyBuckets"}
	case taskQueue:
		return []string{"sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "sqs:ListQueues", "sqs:GetQueueUrl"}
	default:
		return nil
	}
}

// policy is a service control policy.
type policy struct {
	id, name, description, content string
	managed                        bool
	document                       document
	targets                        []string // ids of accounts, units and the root, in the order of attachment
}

func (p *policy) arn() string {
	if p.managed {
		return "arn:aws:organizations::aws:policy/service_control_policy/" + p.id
	}
	return "arn:aws:organizations::" + ManagementAccount + ":policy/" + organizationID + "/service_control_policy/" + p.id
}

// What is said after an AccessDenied message about the policy that caused it.
const (
	becauseTask  = "with an explicit deny in an identity-based policy"
	becauseSCP   = "with an explicit deny in a service control policy"
	becauseNoSCP = "because no service control policy allows the action"
)

// authorize asks the policies that bind the caller. Roles and users may do all that these let through, except the lab's
// read-only user; what only some accounts may do is for each operation to say.
func (o *Organization) authorize(p *principal, action, resource string) error {
	if p.kind == userKey && p.name == labReadOnlyUser && !reads(action) {
		return deniedBecause(p, action, resource, "because no identity-based policy allows the action")
	}
	q := question{action: action, resource: resource, keys: p.conditionKeys()}
	if p.kind == rootSession {
		if d, ok := taskDocument(p.task); !ok || d.denies(q) {
			return deniedBecause(p, action, resource, becauseTask)
		}
	}
	if because := o.controlled(p.account, q); because != "" {
		return deniedBecause(p, action, resource, because)
	}
	return nil
}

// reads reports whether an action only looks.
func reads(action string) bool {
	_, name, _ := strings.Cut(action, ":")
	return slices.ContainsFunc([]string{"Get", "List", "Describe", "Lookup", "GenerateCredentialReport"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// controlled says why the service control policies of an account deny what is asked, or nothing when they do not.
// They never bind the management account (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html).
func (o *Organization) controlled(a *account, q question) string {
	if !a.member || a.management || !o.scps {
		return ""
	}
	levels := [][]string{a.policies}
	for u := a.parent; u != nil; u = u.parent {
		levels = append(levels, u.policies)
	}
	allowed := true
	for _, level := range levels {
		here := false
		for _, id := range level {
			d := o.policies[id].document
			if d.denies(q) {
				return becauseSCP
			}
			here = here || d.allows(q)
		}
		allowed = allowed && here
	}
	if !allowed {
		return becauseNoSCP
	}
	return ""
}

// blocked reports whether the root user's own credentials are denied by a service control policy.
func (o *Organization) blocked(a *account) bool {
	p := &principal{kind: rootUserKey, account: a}
	return o.controlled(a, question{action: "iam:GetUser", resource: a.rootARN(), keys: p.conditionKeys()}) != ""
}

// quarantined reports whether the quarantine policy is attached to the account itself.
func (a *account) quarantined() bool { return slices.Contains(a.policies, QuarantinePolicyID) }
