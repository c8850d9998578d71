// Package scheduler is the clock edge: it decides when a check, a digest or a sweep falls due, and queues it.
//
// The rules are:
//   - robfig/cron only wakes us. What is due is read from the calendar and from the occurrence table, so that a missed
//     wake-up, a restart or a second replica neither loses an occurrence nor runs one twice.
//   - An occurrence is claimed and its work queued in one transaction.
//   - What fell due while the process was down runs once: the newest occurrence, if it is younger than a day. It makes up
//     for the older ones, since two digests in a row would say the same.
//   - It knows no Slack and no AWS.
package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// Occurrences is the table of what has fallen due. Its unique rows are what keeps replicas from running one twice.
type Occurrences interface {
	// Last is the newest occurrence that was claimed, zero before the first.
	Last(ctx context.Context, schedule string) (time.Time, error)
	// Claim records the occurrence and queues its item in one transaction. It returns false, and queues nothing, when
	// somebody else was first.
	Claim(ctx context.Context, schedule string, at time.Time, item commands.Item) (bool, error)
}

// Schedule is one thing that recurs.
type Schedule struct {
	Name string                           // "check", "digest"…: the name in the occurrence table
	When Calendar                         // when it falls due
	Item func(at time.Time) commands.Item // the work of the occurrence at that time
}

// Config is what a Scheduler needs.
type Config struct {
	Schedules []Schedule
	Table     Occurrences
	Now       func() time.Time
	Wake      <-chan struct{} // wakes beside the minute; a clock that is moved by hand needs it
	Log       *slog.Logger    // nothing is logged when nil
}

// Scheduler claims occurrences as they fall due.
type Scheduler struct {
	cfg   Config
	since time.Time // nothing that fell due before the first start is made up for
}

// New makes a scheduler. Nothing happens before [Scheduler.Run].
func New(c Config) *Scheduler {
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
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

// Tick claims everything that is due now. A schedule that fails keeps no other from its turn; the error joins them all.
func (s *Scheduler) Tick(ctx context.Context) error {
	var failed error
	for _, sc := range s.cfg.Schedules {
		if err := s.claim(ctx, sc); err != nil {
			failed = errors.Join(failed, fmt.Errorf("claim %s: %w", sc.Name, err))
		}
	}
	return failed
}

// claim queues the newest occurrence that is due, unless another replica was first.
func (s *Scheduler) claim(ctx context.Context, sc Schedule) error {
	due, err := s.due(ctx, sc)
	if err != nil || due.IsZero() {
		return err
	}
	_, err = s.cfg.Table.Claim(ctx, sc.Name, due, sc.Item(due))
	return err
}

// catchUp is how old an occurrence may be that was missed and still runs.
const catchUp = 24 * time.Hour

// due is the newest occurrence that nobody has claimed, zero where there is none.
func (s *Scheduler) due(ctx context.Context, sc Schedule) (time.Time, error) {
	after, err := s.cfg.Table.Last(ctx, sc.Name)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the last occurrence: %w", err)
	}
	now := s.cfg.Now()
	if after.IsZero() {
		after = s.since
	}
	if oldest := now.Add(-catchUp); after.Before(oldest) {
		after = oldest
	}
	return sc.When.LastDue(after, now), nil
}

// Due reports whether something could be claimed now.
func (s *Scheduler) Due(ctx context.Context) (bool, error) {
	for _, sc := range s.cfg.Schedules {
		due, err := s.due(ctx, sc)
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
