package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/commands"
)

func TestAnItemComesBackAsItWasPut(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d database) {
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

func TestItemsAreClaimedInTheOrderInWhichTheyFallDue(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d database) {
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
