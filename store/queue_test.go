package store_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

func TestAnItemComesBackAsItWasPut(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			put := commands.Item{Key: "card/acme/222222222222", Kind: "slack.card", Body: []byte(`{"account":"222222222222"}`), Due: c.Now()}
			ok(t, s.Put(t.Context(), put))
			got := must[commands.Lease](t)(s.Claim(t.Context(), "slack.card"))
			if diff := cmp.Diff(commands.Lease{Item: put, Fence: got.Fence, Attempts: 1}, got); diff != "" {
				t.Errorf("claimed (-put +got):\n%s", diff)
			}
			if got.Fence < 1 {
				t.Errorf("fence %d, want one that grows from 1", got.Fence)
			}
			ok(t, s.Finish(t.Context(), got))
			if _, err := s.Claim(t.Context(), "slack.card"); !errors.Is(err, commands.ErrNothingDue) {
				t.Errorf("after the finish: %v, want ErrNothingDue", err)
			}
		})
	}
}

func TestItemsAreClaimedInTheOrderInWhichTheyFallDue(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			for _, i := range []commands.Item{
				{Key: "third", Kind: "a", Due: c.Now()},
				{Key: "first", Kind: "b", Due: c.Now().Add(-time.Hour)},
				{Key: "later", Kind: "a", Due: c.Now().Add(time.Minute)},
				{Key: "second", Kind: "a", Due: c.Now().Add(-time.Minute)},
				{Key: "fourth", Kind: "a"},
				{Key: "other", Kind: "c", Due: c.Now().Add(-2 * time.Hour)},
			} {
				ok(t, s.Put(t.Context(), i))
			}
			var order []string
			for {
				l, err := s.Claim(t.Context(), "a", "b")
				if errors.Is(err, commands.ErrNothingDue) {
					break
				}
				ok(t, err)
				order = append(order, l.Key)
			}
			if diff := cmp.Diff([]string{"first", "second", "third", "fourth"}, order); diff != "" {
				t.Error(diff)
			}
			c.advance(time.Minute)
			if l := must[commands.Lease](t)(s.Claim(t.Context(), "a", "b")); l.Key != "later" {
				t.Errorf("after a minute %q was claimed", l.Key)
			}
			if _, err := s.Claim(t.Context()); !errors.Is(err, commands.ErrNothingDue) {
				t.Errorf("a claim of no kind: %v", err)
			}
		})
	}
}

func TestPuttingAKeyAgainKeepsOneItem(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			early, late := c.Now(), c.Now().Add(time.Hour)
			for _, i := range []commands.Item{
				{Key: "k", Kind: "a", Body: []byte("1"), Due: late},
				{Key: "k", Kind: "a", Body: []byte("2"), Due: early},
				{Key: "k", Kind: "a", Body: []byte("3"), Due: late},
			} {
				ok(t, s.Put(t.Context(), i))
			}
			l := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
			if string(l.Body) != "3" || !l.Due.Equal(early) || l.Attempts != 1 {
				t.Errorf("claimed body %s, due %v, attempt %d; want the newest body at the earliest time", l.Body, l.Due, l.Attempts)
			}
			ok(t, s.Finish(t.Context(), l))
			if _, err := s.Claim(t.Context(), "a"); !errors.Is(err, commands.ErrNothingDue) {
				t.Errorf("a second item was left: %v", err)
			}
		})
	}
}

func TestAWorkerThatHoldsTheOlderBodyDoesNotFinishTheNewer(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			finish := map[string]func(*store.Store, commands.Lease) error{
				"by Finish": func(s *store.Store, l commands.Lease) error { return s.Finish(t.Context(), l) },
				"by Commit": func(s *store.Store, l commands.Lease) error {
					_, err := s.Commit(t.Context(), commands.Change{Lease: &l, Done: true})
					return err
				},
				"by Retry in an hour": func(s *store.Store, l commands.Lease) error {
					return s.Retry(t.Context(), l, l.Due.Add(time.Hour))
				},
				"by Defer for an hour": func(s *store.Store, l commands.Lease) error {
					return s.Defer(t.Context(), l, l.Due.Add(time.Hour))
				},
				"by Park": func(s *store.Store, l commands.Lease) error { return s.Park(t.Context(), l, "too often") },
			}
			for how, end := range finish {
				t.Run(how, func(t *testing.T) {
					s := d.fresh(t)
					ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("old")}))
					held := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
					ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("new")}))
					if _, err := s.Claim(t.Context(), "a"); !errors.Is(err, commands.ErrNothingDue) {
						t.Fatalf("the item was claimed while it was held: %v", err)
					}
					ok(t, end(s, held))
					l := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
					if string(l.Body) != "new" || l.Attempts != 1 {
						t.Errorf("claimed body %s at attempt %d, want the new one at its first", l.Body, l.Attempts)
					}
				})
			}
		})
	}
}

func TestALeaseThatRanOutWritesNothing(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t, lease(30*time.Millisecond))
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("1")}))
			stale := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
			var current commands.Lease
			within(t, "the item can be claimed again", func() bool {
				var err error
				current, err = s.Claim(t.Context(), "a")
				return err == nil
			})
			if current.Fence <= stale.Fence || current.Attempts != 2 {
				t.Errorf("fence %d after %d, attempt %d", current.Fence, stale.Fence, current.Attempts)
			}
			block := remediation.Block{Source: "acme", Account: "222222222222", Version: 1}
			for how, err := range map[string]error{
				"Finish": s.Finish(t.Context(), stale),
				"Retry":  s.Retry(t.Context(), stale, time.Time{}),
				"Defer":  s.Defer(t.Context(), stale, time.Time{}),
				"Park":   s.Park(t.Context(), stale, "why"),
				"Extend": s.Extend(t.Context(), stale),
				"Commit": commit(t, s, commands.Change{
					Lease: &stale, Block: &block, Audit: []audit.Event{event(audit.BlockAttached)},
					Queue: []commands.Item{{Key: "other", Kind: "b"}},
				}),
			} {
				if !errors.Is(err, commands.ErrLeaseLost) {
					t.Errorf("%s with a stale lease: %v, want ErrLeaseLost", how, err)
				}
			}
			if b := must[remediation.Block](t)(s.Block(t.Context(), "acme", "222222222222")); b.Version != 0 {
				t.Error("the stale commit wrote a block")
			}
			if h := must[audit.Head](t)(s.Head(t.Context())); h.Size != 0 {
				t.Error("the stale commit wrote an audit record")
			}
			if _, err := s.Claim(t.Context(), "b"); !errors.Is(err, commands.ErrNothingDue) {
				t.Errorf("the stale commit queued an item: %v", err)
			}
		})
	}
}

func TestALeaseThatRanOutIsLostEvenWhileNobodyElseHoldsTheItem(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t, lease(time.Millisecond))
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a"}))
			l := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
			within(t, "the lease runs out", func() bool { return errors.Is(s.Extend(t.Context(), l), commands.ErrLeaseLost) })
			if err := s.Finish(t.Context(), l); !errors.Is(err, commands.ErrLeaseLost) {
				t.Errorf("finish: %v, want ErrLeaseLost", err)
			}
		})
	}
}

func TestAnExtendedLeaseHolds(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t, lease(250*time.Millisecond))
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a"}))
			l := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
			for start := time.Now(); time.Since(start) < 600*time.Millisecond; {
				ok(t, s.Extend(t.Context(), l))
				if _, err := s.Claim(t.Context(), "a"); !errors.Is(err, commands.ErrNothingDue) {
					t.Fatalf("an extended lease was taken away: %v", err)
				}
			}
			ok(t, s.Finish(t.Context(), l))
		})
	}
}

func TestFencesGrowEvenWhenAKeyComesAgain(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			var old commands.Lease
			for range 3 {
				ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a"}))
				l := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
				if l.Fence <= old.Fence {
					t.Errorf("fence %d after %d", l.Fence, old.Fence)
				}
				if old.Fence != 0 {
					if err := s.Finish(t.Context(), old); !errors.Is(err, commands.ErrLeaseLost) {
						t.Errorf("the lease of an earlier item of the same key: %v", err)
					}
				}
				ok(t, s.Finish(t.Context(), l))
				old = l
			}
		})
	}
}

func TestARetriedItemComesBackAtItsTime(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("b")}))
			l := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
			ok(t, s.Retry(t.Context(), l, c.Now().Add(time.Minute)))
			if _, err := s.Claim(t.Context(), "a"); !errors.Is(err, commands.ErrNothingDue) {
				t.Errorf("before its time: %v", err)
			}
			c.advance(time.Minute)
			l = must[commands.Lease](t)(s.Claim(t.Context(), "a"))
			if l.Attempts != 2 || string(l.Body) != "b" || !l.Due.Equal(c.Now()) {
				t.Errorf("attempt %d, body %s, due %v", l.Attempts, l.Body, l.Due)
			}
		})
	}
}

func TestADeferredItemComesBackAtItsTimeAndHasNotFailed(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("b")}))
			ok(t, s.Retry(t.Context(), must[commands.Lease](t)(s.Claim(t.Context(), "a")), c.Now()))
			for range 10 {
				l := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
				if l.Attempts != 2 {
					t.Fatalf("attempt %d, want the second still", l.Attempts)
				}
				ok(t, s.Defer(t.Context(), l, c.Now().Add(time.Minute)))
				if _, err := s.Claim(t.Context(), "a"); !errors.Is(err, commands.ErrNothingDue) {
					t.Fatalf("before its time: %v", err)
				}
				c.advance(time.Minute)
			}
		})
	}
}

func TestParkedItemsComeBackAsNewAtAStart(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("1")}))
			ok(t, s.Put(t.Context(), commands.Item{Key: "other", Kind: "b"}))
			ok(t, s.Park(t.Context(), must[commands.Lease](t)(s.Claim(t.Context(), "a")), "it failed too often"))
			c.advance(time.Hour)
			if n := must[int](t)(s.Unpark(t.Context())); n != 1 {
				t.Errorf("%d items came back, want the parked one", n)
			}
			if l := must[commands.Lease](t)(s.Claim(t.Context(), "a")); l.Attempts != 1 || string(l.Body) != "1" || !l.Due.Equal(c.Now()) {
				t.Errorf("it came back as %+v, want it due now, at its first attempt", l)
			}
		})
	}
}

func TestWhatFailedTooOftenIsCounted(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			ok(t, s.Put(t.Context(), commands.Item{Key: "bad", Kind: "a"}))
			ok(t, s.Put(t.Context(), commands.Item{Key: "good", Kind: "b"}))
			for i := range commands.MaxAttempts {
				if got := must[map[string]int](t)(s.Failing(t.Context())); len(got) != 0 {
					t.Fatalf("after %d attempts %v counts as failing", i, got)
				}
				ok(t, s.Retry(t.Context(), must[commands.Lease](t)(s.Claim(t.Context(), "a")), c.Now()))
			}
			if got := must[map[string]int](t)(s.Failing(t.Context())); len(got) != 1 || got["a"] != 1 {
				t.Errorf("failing are %v, want one of kind a", got)
			}
		})
	}
}

func TestAParkedItemWaitsForTheOperator(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("1")}))
			ok(t, s.Park(t.Context(), must[commands.Lease](t)(s.Claim(t.Context(), "a")), "it panicked five times"))
			if _, err := s.Claim(t.Context(), "a"); !errors.Is(err, commands.ErrNothingDue) {
				t.Errorf("a parked item was claimed: %v", err)
			}
			if due := must[map[string]int](t)(s.Due(t.Context(), c.Now())); len(due) != 0 {
				t.Errorf("parked items count as due: %v", due)
			}
			want := []store.Parked{{Key: "k", Kind: "a", Attempts: 1, At: c.Now(), Why: "it panicked five times"}}
			if diff := cmp.Diff(want, must[[]store.Parked](t)(s.Parked(t.Context()))); diff != "" {
				t.Error(diff)
			}
			c.advance(time.Second)
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("2")}))
			if l := must[commands.Lease](t)(s.Claim(t.Context(), "a")); string(l.Body) != "2" || l.Attempts != 1 || !l.Due.Equal(c.Now()) {
				t.Errorf("put again: body %s, attempt %d, due %v", l.Body, l.Attempts, l.Due)
			}
			if list := must[[]store.Parked](t)(s.Parked(t.Context())); len(list) != 0 {
				t.Errorf("put again and still parked: %v", list)
			}
		})
	}
}

func TestDueCountsWhatWaitsAndWhatIsHeld(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			for _, i := range []commands.Item{
				{Key: "1", Kind: "a"},
				{Key: "2", Kind: "a"},
				{Key: "3", Kind: "a", Due: c.Now().Add(time.Hour)},
				{Key: "4", Kind: "b", Due: c.Now().Add(time.Hour)},
				{Key: "5", Kind: "c"},
			} {
				ok(t, s.Put(t.Context(), i))
			}
			must[commands.Lease](t)(s.Claim(t.Context(), "c"))
			for _, tt := range []struct {
				at   time.Time
				want map[string]int
			}{
				{c.Now(), map[string]int{"a": 2, "c": 1}},
				{c.Now().Add(-time.Hour), map[string]int{"c": 1}}, // held
				{c.Now().Add(time.Hour), map[string]int{"a": 3, "b": 1, "c": 1}},
			} {
				if diff := cmp.Diff(tt.want, must[map[string]int](t)(s.Due(t.Context(), tt.at))); diff != "" {
					t.Errorf("at %v:\n%s", tt.at, diff)
				}
			}
		})
	}
}

func TestAnItemThatNoDatabaseCouldKeepIsRefusedAlone(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			for name, i := range map[string]commands.Item{
				"no key":              {Kind: "a"},
				"no kind":             {Key: "k"},
				"a key with a zero":   {Key: "k\x00", Kind: "a"},
				"a kind not in UTF-8": {Key: "k", Kind: "\xff"},
			} {
				if err := s.Put(t.Context(), i); err == nil {
					t.Errorf("%s was put", name)
				}
			}
			body := []byte("any bytes: \x00\xff")
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: body}))
			if l := must[commands.Lease](t)(s.Claim(t.Context(), "a")); !bytes.Equal(l.Body, body) {
				t.Errorf("body %q, want %q", l.Body, body)
			}
		})
	}
}

func TestEachItemGoesToOneWorker(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			replicas := []*store.Store{openURL(t, url)}
			if d.name == "postgres" {
				replicas = append(replicas, openURL(t, url, replica("two")))
			}
			const items = 200
			var puts, claims errgroup.Group
			for i := range items {
				puts.Go(func() error {
					return replicas[i%len(replicas)].Put(t.Context(), commands.Item{Key: strconv.Itoa(i), Kind: "a"})
				})
			}
			ok(t, puts.Wait())
			var mu sync.Mutex
			seen := map[string]int{}
			for w := range 16 {
				claims.Go(func() error {
					s := replicas[w%len(replicas)]
					for {
						l, err := s.Claim(t.Context(), "a")
						if errors.Is(err, commands.ErrNothingDue) {
							if due, failed := s.Due(t.Context(), newClock().Now()); failed != nil || due["a"] == 0 {
								return failed
							}
							continue // others hold or are about to finish the rest
						}
						if err != nil {
							return err
						}
						mu.Lock()
						seen[l.Key]++
						mu.Unlock()
						if err := s.Finish(t.Context(), l); err != nil {
							return err
						}
					}
				})
			}
			ok(t, claims.Wait())
			if len(seen) != items {
				t.Errorf("%d of %d items were claimed", len(seen), items)
			}
			for key, n := range seen {
				if n != 1 {
					t.Errorf("item %s was claimed %d times", key, n)
				}
			}
		})
	}
}

func TestAPutWakesTheWorker(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			ok(t, s.Put(t.Context(), commands.Item{Key: "1", Kind: "a"}))
			ok(t, s.Put(t.Context(), commands.Item{Key: "2", Kind: "a"})) // must not block on a worker that sleeps
			<-s.Wake()
			ok(t, commit(t, s, commands.Change{Queue: []commands.Item{{Key: "3", Kind: "a"}}}))
			<-s.Wake()
		})
	}
}

func TestWhatIsGivenUpBeforeItsTurnIsNotWritten(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Put(ctx, commands.Item{Key: "k", Kind: "a"}); !errors.Is(err, context.Canceled) {
				t.Errorf("put: %v", err)
			}
			if _, err := s.Commit(ctx, commands.Change{Audit: []audit.Event{event(audit.SwitchPaused)}}); !errors.Is(err, context.Canceled) {
				t.Errorf("commit: %v", err)
			}
			ok(t, s.Put(t.Context(), commands.Item{Key: "other", Kind: "b"})) // the queue has moved on
			if _, err := s.Claim(t.Context(), "a"); !errors.Is(err, commands.ErrNothingDue) {
				t.Errorf("the item was written: %v", err)
			}
			if h := must[audit.Head](t)(s.Head(t.Context())); h.Size != 0 {
				t.Error("the record was written")
			}
		})
	}
}
