// Package scheduler is the clock edge: it decides when a check, a digest or a sweep falls due, and queues it.
//
// The rules are:
//   - robfig/cron only wakes us. What is due is read from the calendar and from the occurrence table, so that a missed
//     wake-up, a restart or a second replica neither loses an occurrence nor runs one twice.
//   - An occurrence is claimed and its work queued in one transaction.
//   - What was missed while the process was down runs once, if it fell due within the catch-up window; the rest is
//     recorded as skipped.
//   - It knows no Slack and no AWS.
package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// Occurrences is the table of what has fallen due. Its unique rows are what keeps replicas from running one twice.
type Occurrences interface {
	// Last is the newest occurrence that was claimed or skipped, zero before the first.
	Last(ctx context.Context, schedule string) (time.Time, error)
	// Claim records the occurrence and queues its item in one transaction. It returns false, and queues nothing, when
	// somebody else was first.
	Claim(ctx context.Context, schedule string, at time.Time, item commands.Item) (bool, error)
}

// Schedule is one thing that recurs.
type Schedule struct {
	Name string   // "check", "digest"…: the name in the occurrence table
	When Calendar // when it falls due
	// Item is the work of an occurrence. missed counts earlier ones that it makes up for.
	Item func(at time.Time, missed int) (commands.Item, error)
}

// Config is what a Scheduler needs.
type Config struct {
	Schedules []Schedule
	Table     Occurrences
	Now       func() time.Time
	Wake      <-chan struct{} // wakes beside the minute; a clock that is moved by hand needs it
	CatchUp   time.Duration   // how old a missed occurrence may be to be made up for; 24 h when zero
	Log       *slog.Logger
}

// Scheduler claims occurrences as they fall due.
type Scheduler struct {
	cfg   Config
	since time.Time // nothing that fell due before the first start is made up for
}

// New makes a scheduler. Nothing happens before [Scheduler.Run].
func New(c Config) *Scheduler {
	if c.CatchUp == 0 {
		c.CatchUp = 24 * time.Hour
	}
	return &Scheduler{cfg: c, since: c.Now()}
}

// Run claims what falls due until the context ends. Whatever fails is logged and tried again at the next wake-up.
func (s *Scheduler) Run(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	log := cronLog{s.cfg.Log}
	minute := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(log),
		// In this order: the other way round, one panic would leave the job marked as running for ever.
		cron.WithChain(cron.SkipIfStillRunning(log), cron.Recover(log)))
	if _, err := minute.AddFunc("* * * * *", func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}); err != nil {
		return fmt.Errorf("start the minute: %w", err)
	}
	minute.Start()
	defer func() { <-minute.Stop().Done() }()
	for {
		if err := s.Tick(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "schedule", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-s.cfg.Wake:
		}
	}
}

// Tick claims everything that is due now.
func (s *Scheduler) Tick(ctx context.Context) error {
	var failed error
	for _, sc := range s.cfg.Schedules {
		if err := s.claim(ctx, sc); err != nil {
			failed = fmt.Errorf("claim %s: %w", sc.Name, err)
		}
	}
	return failed
}

// claim runs the newest occurrence that is due and not claimed. Older ones that were missed are made up for by it: two
// digests in a row would say the same.
func (s *Scheduler) claim(ctx context.Context, sc Schedule) error {
	due, missed, err := s.due(ctx, sc)
	if err != nil || due.IsZero() {
		return err
	}
	item, err := sc.Item(due, missed)
	if err != nil {
		return fmt.Errorf("describe the occurrence: %w", err)
	}
	_, err = s.cfg.Table.Claim(ctx, sc.Name, due, item)
	return err
}

// due is the newest occurrence that nobody has claimed, zero where there is none.
func (s *Scheduler) due(ctx context.Context, sc Schedule) (due time.Time, missed int, err error) {
	after, err := s.cfg.Table.Last(ctx, sc.Name)
	if err != nil {
		return due, 0, fmt.Errorf("read the last occurrence: %w", err)
	}
	now := s.cfg.Now()
	if after.IsZero() {
		after = s.since
	}
	if oldest := now.Add(-s.cfg.CatchUp); after.Before(oldest) {
		after = oldest
	}
	due, missed = sc.When.LastDue(after, now)
	return due, missed, nil
}

// Due reports whether something could be claimed now.
func (s *Scheduler) Due(ctx context.Context) (bool, error) {
	for _, sc := range s.cfg.Schedules {
		due, _, err := s.due(ctx, sc)
		if err != nil || !due.IsZero() {
			return err == nil, err
		}
	}
	return false, nil
}

// Next tells when each schedule falls due next.
func (s *Scheduler) Next() map[string]time.Time {
	next := make(map[string]time.Time, len(s.cfg.Schedules))
	for _, sc := range s.cfg.Schedules {
		next[sc.Name] = sc.When.Next(s.cfg.Now())
	}
	return next
}

// cronLog lets robfig/cron write to our log.
type cronLog struct{ l *slog.Logger }

func (c cronLog) Info(string, ...any) {}

func (c cronLog) Error(err error, msg string, _ ...any) {
	c.l.Error("cron", "what", msg, "error", err)
}
