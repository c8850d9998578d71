package store_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/store"
)

// database is one of the two that every test of the suite runs on. What it opens is empty at first.
type database struct {
	name string
	url  func(t *testing.T) string
}

func databases() []database {
	return []database{
		{"sqlite", func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "rootcheck.db") }},
		{"postgres", func(t *testing.T) string { t.Helper(); return postgres.Database(t) }},
	}
}

// clock is a clock that is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 9, 0, 0, 123456000, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// option changes the configuration of a store under test.
type option func(*store.Config)

func lease(d time.Duration) option   { return func(c *store.Config) { c.Lease = d } }
func by(now func() time.Time) option { return func(c *store.Config) { c.Now = now } }
func replica(name string) option     { return func(c *store.Config) { c.Replica = name } }
func (d database) fresh(t *testing.T, o ...option) *store.Store {
	t.Helper()
	return openURL(t, d.url(t), o...)
}

func config(tb testing.TB, url string, o ...option) store.Config {
	tb.Helper()
	c := store.Config{
		URL: url, Now: newClock().Now, Replica: "one", Build: "v0.0.0-test",
		Log: slog.New(slog.NewTextHandler(tb.Output(), nil)),
	}
	for _, set := range o {
		set(&c)
	}
	return c
}

func openURL(tb testing.TB, url string, o ...option) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), config(tb, url, o...))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

// within polls until ok holds, and fails the test when it does not within ten seconds.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !ok() {
		pause := time.NewTimer(2 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Fatalf("not within ten seconds: %s", what)
		case <-pause.C:
		}
	}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
