package awsroot

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// identity is who the credentials belong to. It is asked once: credentials that change their account are a restart.
type identity struct {
	sts *sts.Client

	mu      sync.Mutex
	arn     string
	account posture.AccountID
}

// get asks AWS who we are, the first time. A failure is not kept.
func (i *identity) get(ctx context.Context) (arn string, account posture.AccountID, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.arn != "" {
		return i.arn, i.account, nil
	}
	out, err := i.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", "", err
	}
	i.arn, i.account = text(out.Arn), posture.AccountID(aws.ToString(out.Account))
	return i.arn, i.account, nil
}

// partition is the caller's, "aws" where nobody could tell.
func (i *identity) partition(ctx context.Context) string {
	arn, _, err := i.get(ctx)
	if err != nil {
		return "aws"
	}
	return partitionOf(arn)
}
