package system_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// TestASlackAndAnAWSThatHangDelayNoAcknowledgement lets every Web API method and every AWS call hang, so that all that the
// bot has for handling clicks is soon stuck, and goes on clicking.
func TestASlackAndAnAWSThatHangDelayNoAcknowledgement(t *testing.T) {
	const clicks = 600
	w := newWorld(t, newClock(0), awssim.Config{}, killSettings)
	w.play(func(*app.App) {
		w.anchored()
		w.until(10*time.Second, "both sockets are open", func() bool { return w.slack.Connections() == 2 })
		ok(t, w.aws.Inject(awssim.Fault{Kind: awssim.FaultSlow, Delay: 2 * time.Minute, For: time.Hour}))
		ok(t, w.slack.Inject(slacksim.Fault{Kind: "slow", Latency: 2 * time.Minute, For: time.Hour}))
		w.slack.ForgetAcks()
		slowest := 0.0
		acks := w.clicks(clicks, 5*time.Millisecond)
		for _, a := range acks {
			if slowest = max(slowest, a.Millis); a.Outcome != "acked" {
				t.Errorf("a click was %s after %.0f ms", a.Outcome, a.Millis)
			}
		}
		t.Logf("%d clicks were acknowledged within %.0f ms at most", len(acks), slowest)
		if len(acks) < clicks || slowest > 1000 {
			t.Errorf("of %d clicks %d were acknowledged, the last after %.0f ms; want each within a second", clicks, len(acks), slowest)
		}
		ok(t, w.slack.Inject(slacksim.Fault{Kind: "clear"}))
		w.aws.ClearFaults()
		w.aws.Close() // lets go of what hangs
	})
}
