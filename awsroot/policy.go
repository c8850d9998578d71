package awsroot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
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
	if s := out.Policy.PolicySummary; s != nil && s.Type != "" && s.Type != orgtypes.PolicyTypeServiceControlPolicy {
		return false, nil
	}
	return equal(QuarantinePolicy(), *out.Policy.Content), nil
}

// block reads, with the credentials of cfg, whether the quarantine policy is attached to the account itself. It is unknown
// where none is configured.
func (r *reach) block(ctx context.Context, cfg aws.Config, account posture.AccountID, now time.Time, fresh bool) (remediation.BlockFacts, time.Time, error) {
	var told time.Time
	if r.src.Organization == nil || r.src.Organization.Quarantine == nil {
		return remediation.BlockFacts{}, told, nil
	}
	facts := remediation.BlockFacts{}
	pages := organizations.NewListPoliciesForTargetPaginator(organizations.NewFromConfig(cfg), &organizations.ListPoliciesForTargetInput{
		TargetId: aws.String(string(account)), Filter: orgtypes.PolicyTypeServiceControlPolicy,
	})
	if err := turned(ctx, pages, func(page *organizations.ListPoliciesForTargetOutput) error {
		told = serverTime(page.ResultMetadata, told)
		for _, p := range page.Policies {
			facts.Attached = facts.Attached || aws.ToString(p.Id) == r.src.Organization.Quarantine.PolicyID
		}
		return given(page.Policies, 0)
	}); err != nil {
		return facts, told, err
	}
	same, err := r.intact(ctx, cfg, now, fresh)
	if err != nil {
		return facts, told, err
	}
	facts.Known, facts.Intact = true, same
	return facts, told, nil
}

// quarantinerFor is the role that reads the policy in a session of its own, whose name CloudTrail shows: for what changes
// something.
func (r *reach) quarantinerFor(session string) aws.Config {
	return r.as(r.base, r.src.Organization.Quarantine.RoleARN, session)
}

// equal reports whether two policy documents are the same apart from white space and the order of their fields.
func equal(ours, theirs string) bool {
	a, err := decode(json.NewDecoder(strings.NewReader(ours)))
	if err != nil {
		return false
	}
	d := json.NewDecoder(strings.NewReader(theirs))
	b, err := decode(d)
	if err != nil {
		return false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return false
	}
	return reflect.DeepEqual(a, b)
}

var errDuplicate = errors.New("a field is there twice")

// decode reads one JSON value and refuses a field that is there twice: which of the two AWS goes by is not ours to guess.
func decode(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			if token, err = d.Token(); err != nil {
				return nil, err
			}
			name, _ := token.(string) // the decoder takes nothing else for a field's name
			if _, twice := object[name]; twice {
				return nil, errDuplicate
			}
			if object[name], err = decode(d); err != nil {
				return nil, err
			}
		}
		_, err = d.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			var item any
			if item, err = decode(d); err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err = d.Token()
		return list, err
	default:
		return token, nil
	}
}
