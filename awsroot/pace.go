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
	slack       = 0.95
	steadyBurst = 2

	// A limiter that AWS made to slow down opens again above this rate.
	openAbove rate.Limit = 2000

	tolerated = 0.05 // the share of refused calls at which the rate still grows
	patience  = 8    // for how many windows a rate is kept that was lowered in vain
)

// limiter finds the rate that AWS takes, never beyond the one that was set. Without a rate it is open until AWS throttles.
//
// It counts the answers of a window. While AWS refuses hardly any the rate grows by a fifth; else it is lowered a little
// below what AWS took, to see whether that helps. Where AWS counts calls it does, and the next window refuses hardly any or
// takes as much as before. Where AWS throttles for reasons of its own, the share of refused calls stays: lowering the rate
// again and again would take the scan to a standstill and please nobody, so it returns to where it was, and retries do the
// rest.
type limiter struct {
	l     *rate.Limiter
	full  rate.Limit
	first rate.Limit    // where it begins when it was open and AWS throttles
	turn  chan struct{} // held by the one call that waits for the rate: a changed rate counts for the next one at once

	mu             sync.Mutex
	sent           uint64 // calls so far
	changed        uint64 // calls that were sent before the rate last changed: their answers tell nothing of it
	asked, refused int    // answers in this window
	above, top     level  // before the rate was lowered, for the last time and for the first; none where it was not
	keep           int    // windows left in which it is not lowered
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

// heard adapts the rate to the answer of a call.
func (l *limiter) heard(call uint64, throttled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.l.Limit()
	if now == rate.Inf && throttled {
		l.set(l.first)
	}
	if now == rate.Inf || call <= l.changed {
		return
	}
	l.asked++
	if throttled {
		l.refused++
	}
	if l.asked < window(now) {
		return
	}
	share := float64(l.refused) / float64(l.asked)
	l.asked, l.refused = 0, 0
	here := level{now, share}
	switch {
	case here.noBetterThan(l.top, clearly):
		l.keep = patience
		l.set(l.top.rate * 11 / 10)
	case here.noBetterThan(l.above, rather):
		l.keep = patience
		l.set(l.above.rate * 11 / 10)
	case share <= tolerated:
		l.set(now * 6 / 5)
	case l.keep > 0:
		l.keep--
	default:
		top := l.top
		if top.rate == 0 {
			top = here
		}
		l.set(max(now/2, now*rate.Limit(1-share)*9/10, l.first/20))
		l.above, l.top = here, top
	}
}

// window is how many answers tell of a rate: those of a second, but enough to tell a third from a tenth.
func window(r rate.Limit) int { return min(max(20, int(r)), 50) }

// level is a rate, and the share that AWS refused at it.
type level struct {
	rate  rate.Limit
	share float64
}

// How sure it must be that lowering the rate did not help. A window is a small sample: against the first of several levels
// it must be surer than against the last one, because AWS may well count calls beyond some rate and refuse a share below it.
const (
	rather  = 1.0 / 2
	clearly = 1.0 / 3
)

// noBetterThan reports whether lowering the rate from a level to this one did not help: of what AWS would take here if it
// counted calls, and if it refused the same share of any, what it took is nearer to the latter.
func (l level) noBetterThan(from level, sure float64) bool {
	if from.rate == 0 {
		return false
	}
	counted, whatever := min(float64(l.rate), from.took()), float64(l.rate)*(1-from.share)
	return l.took() < whatever+(counted-whatever)*sure
}

func (l level) took() float64 { return float64(l.rate) * (1 - l.share) }

// set changes the rate. One that was open opens again where AWS takes much.
func (l *limiter) set(to rate.Limit) {
	if to = min(to, l.full); l.full == rate.Inf && to > openAbove {
		to = rate.Inf
	}
	if to != l.l.Limit() {
		l.l.SetLimit(to)
		l.changed, l.asked, l.refused = l.sent, 0, 0
	}
	l.above, l.top = level{}, level{}
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
