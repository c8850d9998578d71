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
	markRun    = "run"    // how the findings stood when the last run ended
	markDigest = "digest" // how they stood in the last digest that was posted
	markOwners = "owners" // owners may be written to
)

// afterRun queues what follows from a run: cards for what is new, readings for requests that wait, and the owners.
func (s *Service) afterRun(ctx context.Context, l Lease, run Run) error {
	_, before, err := s.d.Estate.Marked(ctx, markRun)
	if err != nil {
		return fmt.Errorf("read what the last run saw: %w", err)
	}
	after, err := s.findings(ctx)
	if err != nil {
		return err
	}
	mutes, err := s.d.Ledger.Mutes(ctx)
	if err != nil {
		return fmt.Errorf("read the mutes: %w", err)
	}
	now := s.d.Now()
	c := Change{Lease: &l, Audit: []audit.Event{finished(run, now)}}
	changed, _ := posture.Diff(before, after)
	s.cards(&c, news(changed, mutes, now), run, now)
	for _, g := range run.Gaps {
		c.Queue = append(c.Queue, item("notice/source_gap/"+g.Source, KindNotice, Work{
			Notice: NoticeSourceGap, What: g.Source, Source: g.Source, Reason: string(g.Gap.Reason),
		}, now))
	}
	if err := s.waiting(ctx, &c, now); err != nil {
		return err
	}
	c.Queue = append(c.Queue, item("owners", KindOwners, Work{}, now))
	if _, err := s.d.Ledger.Commit(ctx, c); err != nil {
		return fmt.Errorf("queue what follows from the run: %w", err)
	}
	// The mark comes after: news that a crash kept from being marked are told twice, and never not at all.
	if err := s.d.Estate.Mark(ctx, markRun, now); err != nil {
		return fmt.Errorf("mark what the run saw: %w", err)
	}
	return nil
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

func (s *Service) findings(ctx context.Context) ([]posture.Finding, error) {
	var all []posture.Finding
	err := s.d.Estate.Each(ctx, func(l Look) error {
		all = append(all, l.Findings...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the findings: %w", err)
	}
	return all, nil
}

// news are the accounts with something new that people should see at once, worst first. What is less than high waits for
// the digest.
func news(changed []posture.Difference, mutes []Mute, now time.Time) []Place {
	var places []Place
	for _, d := range changed {
		f := d.After
		worse := d.Change == posture.New || d.Change == posture.Worse && !d.LostSight()
		if !worse || f.Status != posture.Failed || f.Severity.Rank() > posture.High.Rank() || muted(mutes, f, now) {
			continue
		}
		p := Place{Source: f.Source, Account: f.Account}
		if !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	return places
}

func muted(mutes []Mute, f posture.Finding, now time.Time) bool {
	return slices.ContainsFunc(mutes, func(m Mute) bool {
		return m.Source == f.Source && m.Account == f.Account && m.Control == f.Control && now.Before(m.Until)
	})
}

// cards queues as many cards as an hour may bring, and gathers the rest in one message.
func (s *Service) cards(c *Change, places []Place, run Run, now time.Time) {
	room := s.room(len(places), now)
	for _, p := range places[:room] {
		c.Queue = append(c.Queue, item(fmt.Sprintf("new/%s/%s", p.Source, p.Account), KindNew, Work{Source: p.Source, Account: p.Account}, now))
	}
	if rest := places[room:]; len(rest) > 0 {
		c.Queue = append(c.Queue, item("notice/gathered/"+run.ID, KindNotice, Work{
			Notice: NoticeGathered, Count: len(rest), Accounts: rest[:min(len(rest), namedAccounts)],
		}, now))
	}
}

// namedAccounts is how many accounts one message names.
const namedAccounts = 10

// room is how many of the wanted cards this hour has room for, and takes it.
func (s *Service) room(wanted int, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carded = slices.DeleteFunc(s.carded, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	n := min(wanted, max(0, s.cfg.CardsPerHour-len(s.carded)))
	for range n {
		s.carded = append(s.carded, now)
	}
	return n
}

// waiting reads AWS for the requests that wait for people: a key that somebody else took away needs no confirmation.
func (s *Service) waiting(ctx context.Context, c *Change, now time.Time) error {
	open, err := s.d.Ledger.Requests(ctx, RequestQuery{Open: true})
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
	l := Look{Evidence: e, Findings: posture.Evaluate(e, s.judging(ctx), s.d.Now()), Run: was.Run}
	for _, f := range was.Findings {
		if f.Control == posture.CentralizedRootAccess {
			l.Findings = append(l.Findings, f)
		}
	}
	// A run that is under way must not let go of an account that was looked at beside it.
	switch run, err := s.d.Estate.CurrentRun(ctx); {
	case err == nil:
		l.Run = run.ID
	case !errors.Is(err, ErrNotFound):
		return Look{}, fmt.Errorf("read the run under way: %w", err)
	}
	if err := s.d.Estate.Save(ctx, l.Run, []Look{l}); err != nil {
		return Look{}, fmt.Errorf("save the look at %s: %w", account, err)
	}
	return l, nil
}
