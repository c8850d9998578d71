package system_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// TestASignalEndsTheBotWithinTenSecondsAndLosesNothing ends the real binary in the middle of a stream of clicks. What it
// acknowledged is on record, at the latest after the next start, and once.
func TestASignalEndsTheBotWithinTenSecondsAndLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the real binary")
	}
	w := newWorld(t, newClock(0), awssim.Config{}, killSettings)
	first := w.start("run")
	w.until(time.Minute, "a socket is open", func() bool { return w.slack.Connections() > 0 || !first.alive() })
	w.anchored()

	var acked atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var clicking sync.WaitGroup
	for worker := range 8 {
		clicking.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				raw, _ := json.Marshal(fmt.Sprintf("no-such-request-%d-%d|1", worker, i))
				o, err := w.slack.Click(slacksim.ClickRequest{
					User: ben, Channel: slacksim.ChannelRoot, TS: w.anchor, ActionID: "remediation.cancel", BlockID: "b", Value: raw, Force: true,
				})
				if err != nil {
					t.Error(err)
				}
				if o.Acked {
					acked.Add(1)
				}
				if w.slack.Connections() == 0 {
					return
				}
			}
		})
	}
	w.until(time.Minute, "clicks are being acknowledged", func() bool { return acked.Load() > 100 })
	took := first.term(t)
	stop()
	clicking.Wait()
	t.Logf("ended %s after SIGTERM with %d clicks acknowledged, %d of them on record by then", took.Round(time.Millisecond), acked.Load(), w.refused(ben))
	if took > 10*time.Second || first.status != 0 {
		t.Errorf("it took %s and ended with status %d:\n%s", took, first.status, first.out.String())
	}
	if n := w.slack.Connections(); n != 0 {
		t.Errorf("%d sockets are still open", n)
	}
	first.clean(t)

	second := w.start("run")
	w.until(time.Minute, "the bot is back", func() bool { return w.slack.Connections() > 0 || !second.alive() })
	soon(time.Minute, func() bool { return w.refused(ben) >= int(acked.Load()) })
	if took := second.term(t); took > 10*time.Second || second.status != 0 {
		t.Errorf("the second took %s and ended with status %d:\n%s", took, second.status, second.out.String())
	}
	// A click that was committed and could no longer be acknowledged has a record too, which is no harm.
	if got := w.refused(ben); got < int(acked.Load()) || got > int(acked.Load())+8 {
		t.Errorf("%d clicks were acknowledged and %d are on record", acked.Load(), got)
	}
}

// refused counts the records of refusals to a person.
func (w *world) refused(user string) int {
	n := 0
	_ = w.look(func(ctx context.Context, db *store.Store) error { // none where it cannot be read now
		leaves, err := db.Audit(ctx, commands.AuditQuery{Limit: 1 << 20})
		for _, l := range leaves {
			if l.Actor.ID == user && l.Outcome == audit.OutcomeRefused {
				n++
			}
		}
		return err
	})
	return n
}
