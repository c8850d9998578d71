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
	cfg := s.r.quarantinerFor(sessionName("quarantine", string(s.req.ID)))
	read := func(ctx context.Context) error { return s.readBlock(ctx, cfg) }
	if err := read(ctx); err != nil {
		return err
	}
	s.found = s.facts.Block.Attached
	switch s.act {
	case remediation.ActDeactivate:
		// An attempt before this one may be what attached it; before the first attempt nobody of ours has.
		first := s.req.Attempt == 0
		s.call = func(ctx context.Context, _ posture.KeyID) (string, error) {
			id, there, err := s.r.attach(ctx, cfg, s.req.Account)
			s.found = s.found || there && first
			return id, err
		}
		s.back = s.reads(read, true)
	case remediation.ActReactivate, remediation.ActLift:
		s.call = func(ctx context.Context, _ posture.KeyID) (string, error) { return s.r.detach(ctx, cfg, s.req.Account) }
		s.back = s.reads(read, false)
	case remediation.ActDelete:
		return ErrNoMeans
	default:
		return ErrNoMeans
	}
	return nil
}

// errNotReadBack is a change that AWS took and a reading right after it does not show.
var errNotReadBack = errors.New("the reading after the call does not show it")

// reads makes the reading after a call, which must show the policy as the call left it.
func (s *session) reads(read func(context.Context) error, attached bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := read(ctx); err != nil {
			return err
		}
		if !s.facts.Block.Known || s.facts.Block.Attached != attached {
			return errNotReadBack
		}
		return nil
	}
}

// attach blocks the root user of an account. It returns already when the policy was attached before the call: somebody else
// came between the reading and it.
func (r *reach) attach(ctx context.Context, cfg aws.Config, account posture.AccountID) (id string, already bool, err error) {
	out, err := organizations.NewFromConfig(once(cfg)).AttachPolicy(ctx, &organizations.AttachPolicyInput{
		PolicyId: &r.src.Organization.Quarantine.PolicyID, TargetId: aws.String(string(account)),
	})
	var duplicate *orgtypes.DuplicatePolicyAttachmentException
	switch {
	case errors.As(err, &duplicate):
		return "", true, nil
	case err != nil:
		return "", false, err
	default:
		id, err = vouched(out.ResultMetadata)
		return id, false, err
	}
}

// detach unblocks it. That it was not attached is a success.
func (r *reach) detach(ctx context.Context, cfg aws.Config, account posture.AccountID) (string, error) {
	out, err := organizations.NewFromConfig(once(cfg)).DetachPolicy(ctx, &organizations.DetachPolicyInput{
		PolicyId: &r.src.Organization.Quarantine.PolicyID, TargetId: aws.String(string(account)),
	})
	var gone *orgtypes.PolicyNotAttachedException
	switch {
	case errors.As(err, &gone):
		return "", nil
	case err != nil:
		return "", err
	default:
		return vouched(out.ResultMetadata)
	}
}

func statusFor(active bool) iamtypes.StatusType {
	if active {
		return iamtypes.StatusTypeActive
	}
	return iamtypes.StatusTypeInactive
}
