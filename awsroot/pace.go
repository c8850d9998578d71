package awsroot

import (
	"context"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// pace holds one limiter for each scope that AWS throttles together. It waits before each attempt of each call, retries
// included, so that the rate on the wire is the rate that was set.
type pace struct {
	limiters map[string]*limiter
}

// The rates are AWS's own where it publishes them, per account, and below them where it does not.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html#throttling-limits
// https://docs.aws.amazon.com/accounts/latest/reference/quotas.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
func newPace(assumeRoot float64) *pace {
	p := &pace{limiters: map[string]*limiter{
		"Organizations.ListAccounts":                     newLimiter(8, 12),
		"Organizations.ListTagsForResource":              newLimiter(10, 15),
		"Organizations.ListPoliciesForTarget":            newLimiter(5, 8),
		"Organizations.DescribePolicy":                   newLimiter(2, 2),
		"Organizations.AttachPolicy":                     newLimiter(2, 3),
		"Organizations.DetachPolicy":                     newLimiter(2, 3),
		"Organizations.ListRoots":                        newLimiter(1, 2),
		"Organizations.DescribeOrganization":             newLimiter(1, 2),
		"Organizations.ListOrganizationalUnitsForParent": newLimiter(5, 8),
		"Account.GetAlternateContact":                    newLimiter(10, 15),
		"CloudTrail.LookupEvents":                        newLimiter(2, 2),
	}}
	if assumeRoot > 0 {
		p.limiters["STS.AssumeRoot"] = newLimiter(rate.Limit(assumeRoot), max(1, int(assumeRoot/50)))
	}
	return p
}

// limiter slows down when AWS throttles and recovers slowly, never beyond the rate that was set.
type limiter struct {
	mu   sync.Mutex
	l    *rate.Limiter
	full rate.Limit
}

func newLimiter(r rate.Limit, burst int) *limiter {
	return &limiter{l: rate.NewLimiter(r, burst), full: r}
}

func (l *limiter) wait(ctx context.Context) error { return l.l.Wait(ctx) }

// heard adapts the rate to an answer: a throttled one takes a quarter away, any other gives a hundredth back.
func (l *limiter) heard(throttled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.l.Limit()
	switch {
	case throttled:
		l.l.SetLimit(max(now*3/4, l.full/20))
	case now < l.full:
		l.l.SetLimit(min(now+l.full/100, l.full))
	}
}

func (p *pace) middleware(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("RootcheckPace", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		l, ok := p.limiters[awsmiddleware.GetServiceID(ctx)+"."+awsmiddleware.GetOperationName(ctx)]
		if !ok {
			return next.HandleFinalize(ctx, in)
		}
		if err := l.wait(ctx); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		out, metadata, err := next.HandleFinalize(ctx, in)
		l.heard(throttled(err))
		return out, metadata, err
	}), "Retry", middleware.After)
}
