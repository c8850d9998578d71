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

// The rates are AWS's own where it publishes them, per account. Two scopes are open until AWS throttles: AssumeRoot, of
// which no rate is published, and ListAccounts, whose pages come one after the other and take AWS about as long each as
// its eight per second allow. LookupEvents is limited per account and Region, so it is paced where it is called.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html#throttling-limits
// https://docs.aws.amazon.com/accounts/latest/reference/quotas.html
func newPace(assumeRoot float64) *pace {
	p := &pace{limiters: map[string]*limiter{
		"Organizations.ListAccounts":                     newOpen(8),
		"Organizations.DescribeAccount":                  newLimiter(20, 30),
		"Organizations.ListTagsForResource":              newLimiter(10, 15),
		"Organizations.ListPoliciesForTarget":            newLimiter(5, 8),
		"Organizations.DescribePolicy":                   newLimiter(2, 2),
		"Organizations.AttachPolicy":                     newLimiter(2, 3),
		"Organizations.DetachPolicy":                     newLimiter(2, 3),
		"Organizations.ListRoots":                        newLimiter(1, 2),
		"Organizations.DescribeOrganization":             newLimiter(1, 2),
		"Organizations.ListOrganizationalUnitsForParent": newLimiter(5, 8),
		"Account.GetAlternateContact":                    newLimiter(10, 15),
		"STS.AssumeRoot":                                 newOpen(50),
	}}
	if assumeRoot > 0 {
		p.limiters["STS.AssumeRoot"] = newLimiter(rate.Limit(assumeRoot*slack), steadyBurst)
	}
	return p
}

const (
	// The slack keeps the rate below the one that was set, so that calls which left evenly and arrived unevenly still do not
	// exceed it: with the burst no second has more than the rate, a hundredth of it and two.
	slack       = 0.975
	steadyBurst = 2

	// A limiter that AWS made to slow down opens again above this rate.
	openAbove rate.Limit = 2000
)

// limiter slows down when AWS throttles and recovers slowly, never beyond the rate that was set. Without a rate it is
// open until AWS throttles, and then finds a rate that AWS takes.
type limiter struct {
	l     *rate.Limiter
	full  rate.Limit
	first rate.Limit    // where it begins when it was open and AWS throttles
	turn  chan struct{} // held by the one call that waits for the rate: a changed rate counts for the next one at once

	mu     sync.Mutex
	sent   uint64 // calls so far
	slowed uint64 // calls that were sent before it last slowed down
}

func newLimiter(r rate.Limit, burst int) *limiter {
	return &limiter{l: rate.NewLimiter(r, burst), full: r, first: r, turn: make(chan struct{}, 1)}
}

// newOpen is a limiter without a rate. When AWS throttles it begins at first.
func newOpen(first rate.Limit) *limiter {
	l := newLimiter(rate.Inf, 1)
	l.first = first
	return l
}

// unpacedError is a call that was not sent, because its context ended before its turn came.
type unpacedError struct{ cause error }

func (e *unpacedError) Error() string { return "wait for the rate limit: " + e.cause.Error() }
func (e *unpacedError) Unwrap() error { return e.cause }

// wait blocks until the call may be sent, and numbers it.
func (l *limiter) wait(ctx context.Context) (uint64, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, &unpacedError{cause: ctx.Err()}
	}
	err := l.l.Wait(ctx)
	<-l.turn
	if err != nil {
		return 0, &unpacedError{cause: err}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	return l.sent, nil
}

// heard adapts the rate to the answer of a call. A throttled one takes a quarter away, unless it was sent before the rate
// was last changed: one moment of throttling is one reason to slow down, however many calls were in it.
func (l *limiter) heard(call uint64, throttled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.l.Limit()
	switch {
	case throttled && call <= l.slowed:
	case throttled && now == rate.Inf:
		l.slowed = l.sent
		l.l.SetLimit(l.first)
	case throttled:
		l.slowed = l.sent
		l.l.SetLimit(max(now*3/4, l.first/20))
	case now == l.full:
	case l.full != rate.Inf:
		l.l.SetLimit(min(now+l.full/400, l.full))
	case now > openAbove:
		l.l.SetLimit(rate.Inf)
	default:
		l.l.SetLimit(now + max(now/200, l.first/200))
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
		call, err := l.wait(ctx)
		if err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		out, metadata, err := next.HandleFinalize(ctx, in)
		l.heard(call, throttled(err))
		return out, metadata, err
	}), "Retry", middleware.After)
}
