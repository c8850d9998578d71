package commands

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// Looker is what a scan asks of AWS. It can change nothing.
type Looker interface {
	// Sources names the `aws` entries in the order of the settings.
	Sources() []string
	// Inventory lists the accounts of a source, in any order. It returns what is true of the whole organization.
	Inventory(ctx context.Context, source string, yield func(posture.Account) error) (Organization, error)
	// Inspect looks into one account. It never fails: what could not be read is a gap in the evidence.
	Inspect(ctx context.Context, a posture.Account) posture.Evidence
}

// DefaultConcurrency is how many accounts a scan looks at in parallel at most, where nothing else is set. The calls into
// a member count against that member's own quota, so what bounds it is what the calling account may ask of STS, and for
// that a limiter stands in front of the SDK.
const DefaultConcurrency = 64

// slowStart is with how many accounts in parallel a scan begins.
const slowStart = 16

// Pauses are how long a scan waits before each later pass over the accounts that AWS throttled or left without an answer,
// where nothing else is set: four passes in all.
func Pauses() []time.Duration {
	return []time.Duration{2 * time.Second, 6 * time.Second, 18 * time.Second}
}

// Scanner looks at every account of some sources once. It is the one engine of the bot's scans and of the terminal's
// check. The rules are:
//   - Accounts stream from the inventories into a bounded number of looks, and what was seen into a [Sink]: neither the
//     list of accounts nor their evidence is ever held whole. Of an account there stays its number, so that one that two
//     pages of an inventory name is looked at once, and while it waits for another pass its row.
//   - The bound adapts: it begins low, grows while AWS answers, and falls by a quarter when AWS throttles.
//   - An account that was throttled, or that AWS did not answer about, is looked at again when all others are done, after a
//     pause that grows. Of its looks the one that told most counts. Every other answer counts at once.
//   - Each account that an inventory named comes into the sink exactly once, whatever became of it, unless the context
//     ended: what a cancelled look saw is no evidence. One that leaves after it was named comes with that reason; one that
//     joins after its page was read comes with the next scan, because a second reading would double the calls.
type Scanner struct {
	Looker      Looker
	Now         func() time.Time
	Log         *slog.Logger
	Concurrency int             // at most; 0: [DefaultConcurrency]
	Pauses      []time.Duration // before each later pass; nil: [Pauses]
}

// Take is what to do with an account that an inventory named.
type Take int

// The takes.
const (
	TakeLook  Take = iota // look at it
	TakeKnown             // it was looked at already, by a part of this run that was interrupted
	TakeNone              // nobody asked for it
)

// Seen is what became of one account: the evidence, in which everything that is not known is a gap with its reason.
type Seen struct {
	Evidence posture.Evidence
	Pass     int // from 1: how many times it was looked at
}

// SourceScan is what became of the inventory of one source.
type SourceScan struct {
	Source       string
	Organization Organization
	Listed       int   // accounts that were named, each once
	Err          error // the inventory broke off; what was named before was looked at
}

// Progress is how far a scan is.
type Progress struct {
	Done, Listed int           // accounts that are settled, of those that were named so far
	Expected     int           // how many an earlier inventory named; 0: not known
	Complete     bool          // all inventories have ended: Listed will not grow
	Again        int           // accounts that wait for another pass
	Left         time.Duration // until the end at the pace so far; 0: not known
}

// Total is how many accounts there will be, as far as can be told.
func (p Progress) Total() int {
	if p.Complete {
		return p.Listed
	}
	return max(p.Listed, p.Expected)
}

// Sink takes what a scan sees. Its methods are called one at a time, and while one works nothing more is begun than is
// under way, which bounds what is in memory. An error ends the scan.
type Sink interface {
	// Named is told of each account that an inventory names.
	Named(a posture.Account) (Take, error)
	// Looked takes what became of one account.
	Looked(ctx context.Context, s Seen) error
	// Ended takes what became of a source, after all looks at its accounts.
	Ended(ctx context.Context, s SourceScan) error
	// Progress is told after each account.
	Progress(p Progress)
}

// Scan looks at everything and returns the first error of the sink, or of the context.
func (c Scanner) Scan(ctx context.Context, sources []string, expected int, to Sink) error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Concurrency <= 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.Pauses == nil {
		c.Pauses = Pauses()
	}
	s := &scanning{c: c, to: to, throttle: newThrottle(c.Concurrency), began: c.Now(), named: make([]map[uint64]struct{}, len(sources))}
	s.at.Expected = expected
	ended, err := s.first(ctx, sources)
	if err != nil {
		return err
	}
	for i, pause := range c.Pauses {
		waiting := s.requeue()
		if len(waiting) == 0 {
			break
		}
		c.Log.InfoContext(ctx, "accounts are looked at again", "accounts", len(waiting), "pass", i+2)
		if err := rest(ctx, pause); err != nil {
			return err
		}
		if err := s.pass(ctx, slices.Values(waiting), i+2 > len(c.Pauses)); err != nil {
			return err
		}
	}
	for _, e := range ended {
		if err := to.Ended(ctx, e); err != nil {
			return fmt.Errorf("end the scan of %s: %w", e.Source, err)
		}
	}
	return nil
}

// rest waits, unless the context ends first.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// waiter is an account that is to be looked at, with the best look so far where that told something.
type waiter struct {
	account posture.Account
	best    *posture.Evidence
	looks   int
}

// scanning is one scan in progress.
type scanning struct {
	c        Scanner
	to       Sink
	throttle *throttle
	began    time.Time

	mu     sync.Mutex // also keeps the sink's calls one at a time
	at     Progress
	looked int
	again  []waiter
	named  []map[uint64]struct{} // by source: the numbers of the accounts
}

// first lists all sources and looks at what they name. The sources are listed side by side, because each has a pace of its
// own.
func (s *scanning) first(ctx context.Context, sources []string) ([]SourceScan, error) {
	const sideBySide = 8
	ended := make([]SourceScan, len(sources))
	accounts := make(chan waiter)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(accounts)
		lists, lctx := errgroup.WithContext(gctx)
		lists.SetLimit(sideBySide)
		for i, source := range sources {
			lists.Go(func() (err error) {
				ended[i], err = s.list(lctx, i, source, accounts)
				return err
			})
		}
		err := lists.Wait()
		s.tell(func() { s.at.Complete = true })
		return err
	})
	group.Go(func() error {
		return s.pass(gctx, func(yield func(waiter) bool) {
			for w := range accounts {
				if !yield(w) {
					return
				}
			}
		}, len(s.c.Pauses) == 0)
	})
	err := group.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return ended, err
}

// list reads one inventory. That it breaks off is told to the sink in the end; an error here is the sink's.
func (s *scanning) list(ctx context.Context, i int, source string, to chan<- waiter) (SourceScan, error) {
	end := SourceScan{Source: source}
	s.named[i] = map[uint64]struct{}{}
	var refused error
	end.Organization, end.Err = s.c.Looker.Inventory(ctx, source, func(a posture.Account) error {
		a.Source = source
		var take Take
		if n, err := strconv.ParseUint(string(a.ID), 10, 64); err == nil {
			if _, twice := s.named[i][n]; twice {
				return ctx.Err()
			}
			s.named[i][n] = struct{}{}
		}
		end.Listed++
		s.tell(func() {
			if take, refused = s.to.Named(a); refused != nil || take == TakeNone {
				return
			}
			s.at.Listed++
			if take == TakeKnown {
				s.at.Done++
			}
		})
		if refused != nil || take != TakeLook {
			return refused
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case to <- waiter{account: a}:
			return nil
		}
	})
	if end.Organization.Source == "" {
		end.Organization.Source = source
	}
	if refused != nil {
		return end, refused
	}
	return end, ctx.Err()
}

// pass looks at each account once. With last whatever was seen counts.
func (s *scanning) pass(ctx context.Context, accounts iter.Seq[waiter], last bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for w := range accounts {
		ticket, err := s.throttle.enter(ctx)
		if err != nil {
			break
		}
		wg.Go(func() {
			e := s.c.Looker.Inspect(ctx, w.account)
			s.throttle.leave(ticket, isThrottled(e))
			if ctx.Err() != nil {
				return
			}
			if err := s.took(ctx, w, e, last); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// took hands a look to the sink, or puts its account back for another pass.
func (s *scanning) took(ctx context.Context, w waiter, e posture.Evidence, last bool) error {
	if e.Account.ID == "" {
		e.Account = w.account
	}
	seen, transient := better(w.best, e)
	w.looks++
	var err error
	s.tell(func() {
		if transient > 0 && !last {
			if w.best = nil; told(*seen) {
				w.best = seen
			}
			s.again = append(s.again, w)
			return
		}
		s.at.Done++
		s.looked++
		err = s.to.Looked(ctx, Seen{Evidence: *seen, Pass: w.looks})
	})
	return err
}

// tell changes the progress and says so.
func (s *scanning) tell(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.at.Again, s.at.Left = len(s.again), 0
	if todo := s.at.Total() - s.at.Done; s.looked > 0 && todo > 0 && s.at.Total() > 0 {
		s.at.Left = time.Duration(float64(s.c.Now().Sub(s.began)) / float64(s.looked) * float64(todo))
	}
	s.to.Progress(s.at)
}

func (s *scanning) requeue() []waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.again
	s.again = nil
	return again
}
