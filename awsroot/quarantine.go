package awsroot

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// byQuarantine opens the identity that attaches and detaches the operator's policy. The keys are read by whatever way
// the scan looks, which can change nothing.
func (s *session) byQuarantine(ctx context.Context) error {
	s.facts = s.r.keys(ctx, s.facts)
	if s.facts.Gap != nil {
		return nil
	}
	if err := s.readBlock(ctx); err != nil {
		return err
	}
	s.found = s.facts.Block.Attached
	s.back = s.readBlock
	switch s.act {
	case remediation.ActDeactivate:
		s.call = func(ctx context.Context, _ posture.KeyID) (string, error) { return s.r.attach(ctx, s.req.Account) }
	case remediation.ActReactivate, remediation.ActLift:
		s.call = func(ctx context.Context, _ posture.KeyID) (string, error) { return s.r.detach(ctx, s.req.Account) }
	case remediation.ActDelete:
		return ErrNoMeans
	default:
		return ErrNoMeans
	}
	return nil
}

// attach blocks the root user of an account. That it was attached already is a success.
func (r *reach) attach(ctx context.Context, account posture.AccountID) (string, error) {
	out, err := organizations.NewFromConfig(once(r.quarantiner())).AttachPolicy(ctx, &organizations.AttachPolicyInput{
		PolicyId: &r.src.Organization.Quarantine.PolicyID, TargetId: aws.String(string(account)),
	})
	var there *orgtypes.DuplicatePolicyAttachmentException
	switch {
	case errors.As(err, &there):
		return "", nil
	case err != nil:
		return "", err
	default:
		return requestID(out.ResultMetadata), nil
	}
}

// detach unblocks it. That it was not attached is a success.
func (r *reach) detach(ctx context.Context, account posture.AccountID) (string, error) {
	out, err := organizations.NewFromConfig(once(r.quarantiner())).DetachPolicy(ctx, &organizations.DetachPolicyInput{
		PolicyId: &r.src.Organization.Quarantine.PolicyID, TargetId: aws.String(string(account)),
	})
	var gone *orgtypes.PolicyNotAttachedException
	switch {
	case errors.As(err, &gone):
		return "", nil
	case err != nil:
		return "", err
	default:
		return requestID(out.ResultMetadata), nil
	}
}

func statusFor(active bool) iamtypes.StatusType {
	if active {
		return iamtypes.StatusTypeActive
	}
	return iamtypes.StatusTypeInactive
}
