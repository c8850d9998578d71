package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// The marks by which one look knows what the one before told.
const (
	markDigest = "digest" // how the findings stood in the last digest that was posted
	markOwners = "owners" // owners may be written to
)

// cards is the allowance of cards for new findings.
const cards = "cards"

// afterRun queues what follows from a run: cards for what is new, readings for requests that wait, and the owners.
func (s *Service) afterRun(ctx context.Context, l Lease, run Run) error {
	now := s.d.Now()
	found, err := s.news(ctx)
	if err != nil {
		return err
	}
	c := Change{Lease: &l, Audit: []audit.Event{finished(run, now)}}
	if err = s.announce(ctx, &c, found, run, now); err != nil {
		return err
	}
	last, err := s.d.Estate.LastRun(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("read the last run: %w", err)
	}
	for _, g := range run.Gaps {
		// What is as it was an hour ago is no news. Each digest says it again.
		if slices.ContainsFunc(last.Gaps, func(was SourceGap) bool { return was.Source == g.Source && was.Gap.Reason == g.Gap.Reason }) {
			continue
		}
		c.Queue = append(c.Queue, item("notice/source_gap/"+g.Source, KindNotice, Work{
			Notice: NoticeSourceGap, What: g.Source, Source: g.Source, Reason: string(g.Gap.Reason),
		}, now))
	}
	if err := s.waiting(ctx, &c, now); err != nil {
		return err
	}
	c.Queue = append(c.Queue, item("owners", KindOwners, Work{}, now), item("units", KindUnits, Work{}, now))
	if _, err := s.d.Ledger.Commit(ctx, c); err != nil {
		return fmt.Errorf("queue what follows from the run: %w", err)
	}
	// Only now that the cards are queued are the findings Notified: a crash in between repeats news and loses none.
	return s.d.Estate.Notify(ctx, found.told)
}

func finished(run Run, now time.Time) audit.Event {
	return audit.Event{
		At: now, Actor: audit.System("scanner"), Action: audit.ScanFinished, Outcome: audit.OutcomeDone,
		Detail: map[string]string{
			"run": run.ID, "trigger": run.Trigger, "listed": strconv.Itoa(run.Listed), "scanned": strconv.Itoa(run.Scanned),
			"gaps": strconv.Itoa(len(run.Gaps)),
		},
	}
}

// fresh are the accounts with something New that people should see at once, worst first, and the findings that it is.
type fresh struct {
	accounts []posture.Standing
	told     []posture.FindingKey
}

// news finds what nobody was told of yet. What is less than high waits for the digest. What is muted is not New before the
// mute's end, or before it is about another key.
func (s *Service) news(ctx context.Context) (fresh, error) {
	var found fresh
	err := s.d.Estate.Each(ctx, func(l Look) error {
		before := len(found.told)
		for _, f := range l.Findings {
			if l.isNew(f) && urgent(f) {
				found.told = append(found.told, f.Key())
			}
		}
		if len(found.told) > before {
			found.accounts = append(found.accounts, postureOf(l).Standing())
		}
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("read what is new: %w", err)
	}
	slices.SortFunc(found.accounts, posture.Standing.Compare)
	return found, nil
}

func (l Look) isNew(f posture.Finding) bool {
	return f.Status == posture.Failed && l.Workflow[f.Control] == posture.WorkflowNew
}

func urgent(f posture.Finding) bool { return f.Severity.Rank() <= posture.High.Rank() }

// announce queues as many cards as an hour may bring, and gathers the rest in one message.
func (s *Service) announce(ctx context.Context, c *Change, found fresh, run Run, now time.Time) error {
	if len(found.accounts) == 0 {
		return nil
	}
	names := make([]string, 0, len(found.accounts))
	for _, a := range found.accounts {
		names = append(names, a.Source+"/"+string(a.Account))
	}
	allowed, err := s.d.Estate.Allow(ctx, cards, names, s.cfg.CardsPerHour, time.Hour)
	if err != nil {
		return fmt.Errorf("take from the hour's cards: %w", err)
	}
	rest := Work{Notice: NoticeGathered}
	for i, a := range found.accounts {
		if len(allowed) > 0 && allowed[0] == names[i] {
			allowed = allowed[1:]
			// What falls due at one time goes in no order, and Slack takes a card a second: the worst must not come last.
			rank := now.Add(time.Duration(i-len(found.accounts)) * time.Microsecond)
			c.Queue = append(c.Queue, item("new/"+names[i], KindNew, Work{Source: a.Source, Account: a.Account}, rank))
			continue
		}
		if rest.Count++; rest.Count <= namedAccounts {
			rest.Accounts = append(rest.Accounts, Place{Source: a.Source, Account: a.Account})
		}
	}
	if rest.Count > 0 {
		c.Queue = append(c.Queue, item("notice/gathered/"+run.ID, KindNotice, rest, now))
	}
	return nil
}

// namedAccounts is how many accounts one message names.
const namedAccounts = 10

// waiting reads AWS for the requests that wait for people: a key that somebody else took away needs no confirmation.
func (s *Service) waiting(ctx context.Context, c *Change, now time.Time) error {
	open, err := s.requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return fmt.Errorf("read the open requests: %w", err)
	}
	for _, r := range open {
		if r.State == remediation.Requested || r.State == remediation.Approved {
			c.Queue = append(c.Queue, item("read/"+string(r.ID), KindRead, Work{Request: r.ID}, now))
		}
	}
	return nil
}

// rescan handles "rescan": one account is looked at anew.
func (s *Service) rescan(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	_, err = s.reinspect(ctx, w.Source, w.Account)
	if errors.Is(err, ErrNotFound) {
		return Change{}, nil
	}
	if err != nil {
		return Change{}, err
	}
	return Change{Queue: []Item{cardItem(w.Source, w.Account, s.d.Now())}}, nil
}

// reinspect looks at one account that is known and keeps what it saw. ErrNotFound: no run has listed it.
func (s *Service) reinspect(ctx context.Context, source string, account posture.AccountID) (Look, error) {
	was, err := s.d.Estate.Look(ctx, source, account)
	if err != nil {
		return Look{}, fmt.Errorf("read account %s: %w", account, err)
	}
	e := s.d.Inspector.Inspect(ctx, was.Evidence.Account)
	if err := ctx.Err(); err != nil {
		return Look{}, err
	}
	if e.Account.ID == "" {
		e.Account = was.Evidence.Account
	}
	l := Look{Evidence: e, Findings: onward(was.Findings, posture.Evaluate(e, s.judging(ctx)(e.Account), s.d.Now())), Run: was.Run}
	// A run that is under way must not let go of an account that was looked at beside it.
	switch run, err := s.d.Estate.CurrentRun(ctx); {
	case err == nil:
		l.Run = run.ID
	case !errors.Is(err, ErrNotFound):
		return Look{}, err
	}
	if err := s.d.Estate.Save(ctx, l.Run, []Look{l}); err != nil {
		return Look{}, err
	}
	return l, nil
}
