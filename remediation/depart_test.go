package remediation_test

import (
	"testing"

	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Whatever state a request is in, its entry's leaving ends it or is said once; with a block of ours it never ends.
func TestEveryOpenRequestHearsThatItsEntryHasLeft(t *testing.T) {
	t.Parallel()
	for _, state := range remediation.States() {
		if state.Ended() {
			continue
		}
		for _, held := range []bool{false, true} {
			before := state == remediation.Requested || state == remediation.Approved || state == remediation.AwaitingOwner || state == remediation.Lifted
			if before && held {
				continue // these hold none
			}
			r := atState(state, activeKey())
			r.Means, r.BlockHeld, r.ActedOn = remediation.MeansOrganization, held, true
			if state.InFlight() {
				r.Attempt = 1
			}
			d := remediation.Decide(r, remediation.Event{Kind: remediation.Depart}, start())
			if d.Refusal != nil || !d.Changed {
				t.Errorf("%s, block held %t: %v", state, held, d.Refusal)
				continue
			}
			waits := state.InFlight() || state == remediation.Deleted
			if wants := held || waits; d.Next.State.Ended() == wants || d.Next.Departed() != wants || d.Next.BlockHeld != held {
				t.Errorf("%s, block held %t: now %s (%s)", state, held, d.Next.State, d.Next.Note)
			}
			if again := remediation.Decide(d.Next, remediation.Event{Kind: remediation.Depart}, start()); again.Changed {
				t.Errorf("%s, block held %t: it is said twice", state, held)
			}
		}
	}
}
