package awsroot

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// QuarantinePolicy is the service control policy that blocks a root user: its long-term credentials and the console. A
// privileged session, which alone has aws:AssumedRoot, still works. The operator creates it once; the bot only attaches
// and detaches it, and only while its document is this one.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-assumedroot
func QuarantinePolicy() string {
	return `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "DenyRootLongTermCredentials",
      "Effect": "Deny",
      "Action": "*",
      "Resource": "*",
      "Condition": {
        "ArnLike": {"aws:PrincipalArn": ["arn:*:iam::*:root"]},
        "Null": {"aws:AssumedRoot": "true"}
      }
    }
  ]
}
`
}

var errNoPolicy = errors.New("the answer holds no policy")

// intactFor is how long a comparison of the policy's document stands. A step that changes something compares anew.
const intactFor = 10 * time.Minute

// intact reports whether the operator's policy is the shipped one, word for word apart from white space and order.
func (r *reach) intact(ctx context.Context, cfg aws.Config, now time.Time, fresh bool) (bool, error) {
	r.cache.mu.Lock()
	if !fresh && r.cache.intactErr == nil && !r.cache.intactAt.IsZero() && now.Sub(r.cache.intactAt) < intactFor {
		defer r.cache.mu.Unlock()
		return r.cache.intact, nil
	}
	r.cache.mu.Unlock()
	same, err := r.compare(ctx, cfg)
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	r.cache.intact, r.cache.intactErr, r.cache.intactAt = same, err, now
	return same, err
}

func (r *reach) compare(ctx context.Context, cfg aws.Config) (bool, error) {
	out, err := organizations.NewFromConfig(cfg).DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &r.src.Organization.Quarantine.PolicyID})
	if err != nil {
		return false, err
	}
	if out.Policy == nil || out.Policy.Content == nil {
		return false, errNoPolicy
	}
	var ours, theirs any
	if err := json.Unmarshal([]byte(QuarantinePolicy()), &ours); err != nil {
		return false, err
	}
	if err := json.Unmarshal([]byte(*out.Policy.Content), &theirs); err != nil {
		return false, nil //nolint:nilerr // A document that is no JSON is not the shipped one.
	}
	return reflect.DeepEqual(ours, theirs), nil
}

// block reads whether the quarantine policy is attached to the account. It is unknown where none is configured.
func (r *reach) block(ctx context.Context, account posture.AccountID, now time.Time, fresh bool) (remediation.BlockFacts, time.Time, error) {
	var told time.Time
	if r.src.Organization == nil || r.src.Organization.Quarantine == nil {
		return remediation.BlockFacts{}, told, nil
	}
	cfg := r.quarantiner()
	facts := remediation.BlockFacts{}
	pages := organizations.NewListPoliciesForTargetPaginator(organizations.NewFromConfig(cfg), &organizations.ListPoliciesForTargetInput{
		TargetId: aws.String(string(account)), Filter: orgtypes.PolicyTypeServiceControlPolicy,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return facts, told, err
		}
		told = serverTime(page.ResultMetadata, told)
		for _, p := range page.Policies {
			facts.Attached = facts.Attached || aws.ToString(p.Id) == r.src.Organization.Quarantine.PolicyID
		}
	}
	same, err := r.intact(ctx, cfg, now, fresh)
	if err != nil {
		return facts, told, err
	}
	facts.Known, facts.Intact = true, same
	return facts, told, nil
}

// quarantiner is the identity that reads, attaches and detaches the policy.
func (r *reach) quarantiner() aws.Config {
	return assume(r.base, r.src.Organization.Quarantine.RoleARN, r.src.Organization.ExternalID, "rootcheck-quarantine")
}
