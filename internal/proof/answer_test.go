package proof_test

import (
	"testing"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// TestAChangingCallThatFailsOnceIsSettled lets each changing call fail once in each way: refused for now, answered with
// rubbish, or done with its answer lost. Each life must come to its end, with no effect more than was confirmed.
func TestAChangingCallThatFailsOnceIsSettled(t *testing.T) {
	t.Parallel()
	d := databases()[0]
	scanned := template(t, d)
	calls := map[string][]string{"acme": {"AttachPolicy", "DetachPolicy", "DeleteAccessKey"}, "lab": {"UpdateAccessKey", "DeleteAccessKey"}}
	for _, p := range plans() {
		for _, action := range calls[p.source] {
			for _, kind := range []string{awssim.FaultThrottle, awssim.FaultHTTP500, awssim.FaultGarbage, awssim.FaultLostAnswer} {
				t.Run(p.name+", "+action+" "+kind, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, d.copy(t, scanned))
					ok(t, w.org.Inject(awssim.Fault{Kind: kind, Action: action, Times: 1}))
					newLife(w, p).live()
				})
			}
		}
	}
}
