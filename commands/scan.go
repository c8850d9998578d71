package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file looks at everything that is configured. The rules are:
//   - One run at a time. Whoever comes later attaches to it; whoever finds one that its process left behind goes on with it
//     and asks nothing again that it has asked within the hour.
//   - No account, or a tenth fewer than last time, is a gap of the source and never an empty success.
//   - Results are saved as they come, so that memory does not grow with accounts.

const (
	batch   = 50          // looks in one transaction
	passes  = 4           // over accounts that AWS throttled or left without an answer
	young   = time.Hour   // a look that a resumed run does not repeat
	saveFor = time.Minute // the commits of a run's end, also while the process ends
)

// Triggers of a run.
const (
	TriggerSchedule = "schedule"
	TriggerCommand  = "command"
	TriggerStart    = "start"
	TriggerTerminal = "terminal"
)

// ScanItem is the work of one scan. Its key is unique, so that scans that nobody began yet are one.
func ScanItem(trigger string, due time.Time) Item {
	return item("scan", KindScan, Work{Trigger: trigger}, due)
}

// Check looks at everything and returns the finished run. While another one is under way it returns that one with
// ErrConflict. It is how a terminal scans, without a queue.
func (s *Service) Check(ctx context.Context, trigger string) (Run, error) {
	run, err := s.d.Estate.StartRun(ctx, Run{ID: s.d.NewID(), Trigger: trigger, Started: s.d.Now()})
	if err != nil {
		return run, fmt.Errorf("begin a run: %w", err)
	}
	return s.finishRun(ctx, run)
}

// scan handles "scan". Only the holder of its item scans for the channel, so a run that is under way while we hold it was
// left behind by a process that has died, or is a terminal's.
func (s *Service) scan(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	run, err := s.d.Estate.StartRun(ctx, Run{ID: s.d.NewID(), Trigger: w.Trigger, Started: s.d.Now()})
	if err != nil && (!errors.Is(err, ErrConflict) || run.ID == "") {
		return Change{}, fmt.Errorf("begin a run: %w", err)
	}
	done, err := s.finishRun(ctx, run)
	if err != nil {
		return Change{}, err
	}
	return Change{}, s.afterRun(ctx, l, done)
}

// finishRun scans what the run has not seen yet, and ends it.
func (s *Service) finishRun(ctx context.Context, run Run) (Run, error) {
	had, seen, err := s.known(ctx, run.ID)
	if err != nil {
		return run, err
	}
	last, err := s.d.Estate.LastRun(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return run, fmt.Errorf("read the last run: %w", err)
	}
	p := &progress{s: s, run: run, policy: s.judging(ctx), seen: seen}
	p.run.Listed, p.run.Scanned, p.run.Failed, p.run.Gaps = 0, 0, 0, nil
	for _, source := range s.d.Inspector.Sources() {
		if err := p.source(ctx, source, had[source], last); err != nil {
			return p.run, err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveFor)
	defer cancel()
	p.run.Finished = s.d.Now()
	p.run.Took = p.run.Finished.Sub(p.run.Started)
	if err := s.d.Estate.SaveRun(ctx, p.run); err != nil {
		return p.run, fmt.Errorf("end the run: %w", err)
	}
	return p.run, nil
}

// known counts the accounts by source that were seen before, and finds those that this run has seen already.
func (s *Service) known(ctx context.Context, run string) (had map[string]int, seen map[Place]bool, err error) {
	had, seen = map[string]int{}, map[Place]bool{}
	now := s.d.Now()
	err = s.d.Estate.Each(ctx, func(l Look) error {
		a := l.Evidence.Account
		had[a.Source]++
		if l.Run == run && now.Sub(l.Evidence.At) < young {
			if _, scanned := postureOf(l).Scanned(); scanned {
				seen[Place{Source: a.Source, Account: a.ID}] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the accounts that are known: %w", err)
	}
	return had, seen, nil
}

func postureOf(l Look) posture.Posture {
	return posture.Posture{Account: l.Evidence.Account, At: l.Evidence.At, Via: l.Evidence.Via, Findings: l.Findings}
}

// judging is the policy of judgement. Activity counts since the evidence that the last digest told of.
func (s *Service) judging(ctx context.Context) posture.Policy {
	p := posture.Policy{ActivityWindow: s.cfg.ActivityWindow}
	_, told, err := s.d.Estate.Marked(ctx, markDigest)
	if err != nil {
		s.d.Log.WarnContext(ctx, "last digest could not be read", "error", err)
		return p
	}
	for _, f := range told {
		judged := f.Control == posture.RootActivity && (f.Status == posture.Passed || f.Status == posture.Failed)
		if judged && (p.Since.IsZero() || f.At.Before(p.Since)) {
			p.Since = f.At
		}
	}
	return p
}

// progress is one run while it is on.
type progress struct {
	s      *Service
	policy posture.Policy
	seen   map[Place]bool

	mu      sync.Mutex
	run     Run
	pending []Look
	again   []posture.Account
	failed  error
}

// source looks at the accounts of one `aws` entry.
func (p *progress) source(ctx context.Context, source string, had int, last Run) error {
	listed := 0
	var wg sync.WaitGroup
	slots := make(chan struct{}, p.s.cfg.Concurrency)
	begin := func(a posture.Account, pass int) error {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			p.look(ctx, a, pass)
		}()
		return p.err()
	}
	org, err := p.s.d.Inspector.Inventory(ctx, source, func(a posture.Account) error {
		listed++
		a.Source = source
		p.count(func(r *Run) { r.Listed++ })
		if p.seen[Place{Source: source, Account: a.ID}] {
			p.count(func(r *Run) { r.Scanned++ })
			return ctx.Err()
		}
		return begin(a, 1)
	})
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("scan %s: %w", source, ctx.Err())
	}
	for pass := 2; pass <= passes && p.err() == nil; pass++ {
		accounts := p.requeue()
		for _, a := range accounts {
			if begin(a, pass) != nil {
				break
			}
		}
		wg.Wait()
	}
	if failed := errors.Join(p.err(), p.flush(ctx)); failed != nil {
		return fmt.Errorf("scan %s: %w", source, failed)
	}
	return p.end(ctx, source, listed, had, last, org, err)
}

// end judges the inventory, lets go of accounts that are not there any more, and judges the organization.
func (p *progress) end(ctx context.Context, source string, listed, had int, last Run, org Organization, inventory error) error {
	if g := sourceGap(source, listed, had, last, inventory); g != nil {
		p.count(func(r *Run) { r.Gaps = append(r.Gaps, *g) })
		if inventory != nil {
			p.s.d.Log.WarnContext(ctx, "inventory could not be read", "aws_entry", source, "error", inventory)
		}
	} else if _, err := p.s.d.Estate.Retire(ctx, p.run.ID, source); err != nil {
		return fmt.Errorf("let go of accounts of %s: %w", source, err)
	}
	if org.Management == "" {
		return nil
	}
	look, err := p.s.d.Estate.Look(ctx, source, org.Management)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the management account of %s: %w", source, err)
	}
	// The finding is the organization's. It is kept with the management account, where it can be repaired.
	f := posture.EvaluateOrganization(source, org.Centralized, p.s.d.Now())
	f.Account = org.Management
	look.Findings = with(look.Findings, f)
	if err := p.s.d.Estate.Save(ctx, p.run.ID, []Look{look}); err != nil {
		return fmt.Errorf("save the finding of the organization of %s: %w", source, err)
	}
	return nil
}

// with puts a finding in the place of the one on the same control.
func with(findings []posture.Finding, f posture.Finding) []posture.Finding {
	out := make([]posture.Finding, 0, len(findings)+1)
	for _, g := range findings {
		if g.Control != f.Control {
			out = append(out, g)
		}
	}
	return append(out, f)
}

// sourceGap says why an inventory is not to be believed, or nil. A list that was too short once is believed when the next
// run finds it just as short: accounts do leave.
func sourceGap(source string, listed, had int, last Run, err error) *SourceGap {
	var known *gapError
	switch {
	case errors.As(err, &known):
		return &SourceGap{Source: source, Gap: known.gap}
	case err != nil:
		return &SourceGap{Source: source, Gap: posture.Gap{
			Reason: posture.ReasonUnknown, Detail: err.Error(), Fix: "Run `bot doctor`; the accounts keep what was last seen of them.",
		}}
	case listed == 0:
		return &SourceGap{Source: source, Gap: posture.Gap{
			Reason: posture.ReasonGarbage, Detail: "no account was listed",
			Fix: "Check that the credentials of `aws` entry " + source + " belong to the management or a delegated administrator account.",
		}}
	}
	g := SourceGap{Source: source, Gap: posture.Gap{
		Reason: posture.ReasonGarbage, Detail: strconv.Itoa(listed) + " accounts were listed, " + strconv.Itoa(had) + " are known",
		Fix: "If accounts did leave, the next check lets go of them; if not, check what the role of " + source + " may list.",
	}}
	if listed*10 > had*9 {
		return nil
	}
	for _, was := range last.Gaps {
		if was == g {
			return nil
		}
	}
	return &g
}

// GapError is an error of an inventory that knows its reason.
func GapError(g posture.Gap) error { return &gapError{gap: g} }

type gapError struct{ gap posture.Gap }

func (e *gapError) Error() string { return "inventory: " + e.gap.Reason.Phrase() }

// look looks at one account and keeps what it saw.
func (p *progress) look(ctx context.Context, a posture.Account, pass int) {
	e := p.s.d.Inspector.Inspect(ctx, a)
	if ctx.Err() != nil {
		return // what a cancelled look saw is no evidence
	}
	if e.Account.ID == "" {
		e.Account = a
	}
	l := Look{Evidence: e, Findings: posture.Evaluate(e, p.policy, p.s.d.Now()), Run: p.run.ID}
	reason, scanned := postureOf(l).Scanned()
	transient := reason == posture.ReasonThrottled || reason == posture.ReasonNoAnswer

	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case scanned:
		p.run.Scanned++
	case transient && pass < passes:
		p.again = append(p.again, a)
	default:
		p.run.Failed++
	}
	p.pending = append(p.pending, l)
	if len(p.pending) >= batch {
		p.failed = errors.Join(p.failed, p.save(ctx))
	}
}

func (p *progress) requeue() []posture.Account {
	p.mu.Lock()
	defer p.mu.Unlock()
	again := p.again
	p.again = nil
	return again
}

func (p *progress) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *progress) count(f func(*Run)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.run)
}

func (p *progress) flush(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.save(ctx)
}

// save keeps what is pending and how far the run is. The lock is held: whoever has the next result waits, which bounds
// what is in memory.
func (p *progress) save(ctx context.Context) error {
	if len(p.pending) > 0 {
		if err := p.s.d.Estate.Save(ctx, p.run.ID, p.pending); err != nil {
			return fmt.Errorf("save looks: %w", err)
		}
	}
	p.pending = nil
	if err := p.s.d.Estate.SaveRun(ctx, p.run); err != nil {
		return fmt.Errorf("save the run's progress: %w", err)
	}
	return nil
}

// CheckNow begins a scan, or returns the one that is under way.
func (s *Service) CheckNow(ctx context.Context, a Actor) (Run, error) {
	if err := s.look(ctx, a, true); err != nil {
		return Run{}, err
	}
	now := s.d.Now()
	run, err := s.d.Estate.CurrentRun(ctx)
	switch {
	case errors.Is(err, ErrNotFound):
		run, err = s.d.Estate.StartRun(ctx, Run{ID: s.d.NewID(), Trigger: TriggerCommand, Started: now})
		if err != nil && !errors.Is(err, ErrConflict) {
			return Run{}, fmt.Errorf("begin a run: %w", err)
		}
	case err != nil:
		return Run{}, fmt.Errorf("read the run under way: %w", err)
	}
	due, err := s.d.Queue.Due(ctx, now)
	if err != nil {
		return run, fmt.Errorf("read the queue: %w", err)
	}
	if due[KindScan] > 0 {
		return run, nil
	}
	c := Change{
		Audit: []audit.Event{{
			At: now, Actor: audit.User(a.User, a.Team), Action: audit.ScanStarted, Outcome: audit.OutcomeDone,
			Detail: map[string]string{"run": run.ID},
		}},
		Queue: []Item{ScanItem(TriggerCommand, now)},
	}
	if _, err := s.d.Ledger.Commit(ctx, c); err != nil {
		return run, fmt.Errorf("queue a scan: %w", err)
	}
	return run, nil
}
