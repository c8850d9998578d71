package scheduler_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/scheduler"
)

// table is the occurrence table of one test. A schedule that is broken cannot be read.
type table struct {
	claimed map[string][]time.Time
	queued  []string
	broken  map[string]bool
}

var errBroken = errors.New("it does not answer")

func newTable() *table { return &table{claimed: map[string][]time.Time{}, broken: map[string]bool{}} }

func (t *table) Last(_ context.Context, schedule string) (last time.Time, err error) {
	if t.broken[schedule] {
		return last, errBroken
	}
	for _, at := range t.claimed[schedule] {
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}

func (t *table) Claim(_ context.Context, schedule string, at time.Time, item commands.Item) (bool, error) {
	for _, other := range t.claimed[schedule] {
		if other.Equal(at) {
			return false, nil
		}
	}
	t.claimed[schedule] = append(t.claimed[schedule], at)
	t.queued = append(t.queued, item.Key)
	return true, nil
}

// daily is a schedule at nine whose items are named by their day.
func daily(t *testing.T, name string) scheduler.Schedule {
	t.Helper()
	when, err := scheduler.Parse("0 9 * * *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return scheduler.Schedule{Name: name, When: when, Item: func(at time.Time) commands.Item {
		return commands.Item{Key: name + " " + at.Format(time.DateOnly)}
	}}
}

func TestATickClaimsWhatIsDue(t *testing.T) {
	t.Parallel()
	day := func(d, hour int) time.Time { return time.Date(2026, 3, d, hour, 0, 0, 0, time.UTC) }
	for name, test := range map[string]struct {
		claimed time.Time // the last occurrence on record; zero before the first
		begun   time.Time // when the process started
		ticks   []time.Time
		want    []string
	}{
		"nothing that fell due before the first start runs":  {time.Time{}, day(1, 10), []time.Time{day(1, 11), day(2, 8)}, nil},
		"the first runs at its time":                         {time.Time{}, day(1, 10), []time.Time{day(2, 9)}, []string{"digest 2026-03-02"}},
		"an occurrence runs once, however often one wakes":   {day(1, 9), day(1, 10), []time.Time{day(2, 9), day(2, 9), day(2, 23)}, []string{"digest 2026-03-02"}},
		"what was missed during a restart runs":              {day(1, 9), day(2, 11), []time.Time{day(2, 11)}, []string{"digest 2026-03-02"}},
		"the newest makes up for all that were missed":       {day(1, 9), day(5, 8), []time.Time{day(5, 8), day(5, 8)}, []string{"digest 2026-03-04"}},
		"a second one follows at its own time":               {day(1, 9), day(5, 8), []time.Time{day(5, 8), day(5, 9)}, []string{"digest 2026-03-04", "digest 2026-03-05"}},
		"a clock that is set back claims nothing twice":      {day(3, 9), day(3, 10), []time.Time{day(2, 10), day(3, 10)}, nil},
		"the wake-up may come late, by less than a day":      {day(1, 9), day(1, 10), []time.Time{day(3, 8)}, []string{"digest 2026-03-02"}},
		"on the minute of a start the past is already known": {time.Time{}, day(1, 9), []time.Time{day(1, 9)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, seen := test.begun, newTable()
			if !test.claimed.IsZero() {
				seen.claimed["digest"] = []time.Time{test.claimed}
			}
			s := scheduler.New(scheduler.Config{
				Schedules: []scheduler.Schedule{daily(t, "digest")}, Table: seen, Now: func() time.Time { return now },
			})
			for _, now = range test.ticks {
				before := len(seen.queued)
				due, err := s.Due(t.Context())
				if failed := s.Tick(t.Context()); err != nil || failed != nil {
					t.Fatal(err, failed)
				}
				if claimed := len(seen.queued) > before; claimed != due {
					t.Errorf("at %s due is %t, and claimed %t", now, due, claimed)
				}
			}
			if d := cmp.Diff(test.want, seen.queued); d != "" {
				t.Errorf("queued (-want +got):\n%s", d)
			}
		})
	}
}

func TestOfTwoReplicasOneClaimsAnOccurrence(t *testing.T) {
	t.Parallel()
	now, seen := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), newTable()
	var replicas []*scheduler.Scheduler
	for range 2 {
		replicas = append(replicas, scheduler.New(scheduler.Config{
			Schedules: []scheduler.Schedule{daily(t, "digest")}, Table: seen, Now: func() time.Time { return now },
		}))
	}
	now = now.Add(time.Hour)
	for _, s := range replicas {
		if err := s.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"digest 2026-03-01"}, seen.queued); d != "" {
		t.Errorf("queued (-want +got):\n%s", d)
	}
}

func TestAScheduleThatFailsKeepsNoOtherFromItsTurn(t *testing.T) {
	t.Parallel()
	now, seen := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), newTable()
	seen.broken["check"], seen.broken["remind"] = true, true
	s := scheduler.New(scheduler.Config{
		Schedules: []scheduler.Schedule{daily(t, "check"), daily(t, "digest"), daily(t, "remind")},
		Table:     seen, Now: func() time.Time { return now },
	})
	now = now.Add(time.Hour)
	err := s.Tick(t.Context())
	if d := cmp.Diff([]string{"digest 2026-03-01"}, seen.queued); d != "" {
		t.Errorf("queued (-want +got):\n%s", d)
	}
	for _, name := range []string{"claim check", "claim remind"} {
		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), name) {
			t.Errorf("the error %v does not tell of %s", err, name)
		}
	}
	seen.broken = nil
	if err := s.Tick(t.Context()); err != nil || len(seen.queued) != 3 {
		t.Errorf("after it answers again %d are queued, %v; want 3", len(seen.queued), err)
	}
}

func TestRunClaimsAtOnceAndWhenItIsWoken(t *testing.T) {
	t.Parallel()
	seen, wake, ctx := newTable(), make(chan struct{}), t.Context()
	clock := make(chan time.Time, 1)
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	clock <- start
	s := scheduler.New(scheduler.Config{
		Schedules: []scheduler.Schedule{daily(t, "digest")}, Table: seen, Wake: wake,
		Now: func() time.Time { at := <-clock; clock <- at; return at },
	})
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	wake <- struct{}{} // it has looked once by now
	<-clock
	clock <- start.Add(time.Hour)
	wake <- struct{}{}
	wake <- struct{}{} // the look that the one before began is over
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"digest 2026-03-01"}, seen.queued); d != "" {
		t.Errorf("queued (-want +got):\n%s", d)
	}
}
