package awsroot_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// lateHistory is an event history in which each sign-in is seen some time after it happened.
type lateHistory struct {
	mu      sync.Mutex
	now     time.Time
	signIns []lateSignIn
}

type lateSignIn struct{ at, seen time.Time }

func (h *lateHistory) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := []map[string]any{}
	for _, s := range h.signIns {
		if s.seen.After(h.now) {
			continue
		}
		events = append(events, map[string]any{
			"EventTime":       s.at.Unix(),
			"CloudTrailEvent": `{"eventType":"AwsConsoleSignIn","eventName":"ConsoleLogin","eventSource":"signin.amazonaws.com","userIdentity":{"type":"Root"},"responseElements":{"ConsoleLogin":"Success"}}`,
		})
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{"Events": events})
}

// A use is told when its finding is new or got worse in a look that a digest tells of. Whenever it happens, whenever it comes
// into the history and however far the window reaches back, that is once.
func TestAUseThatComesLateIntoTheHistoryIsToldOnce(t *testing.T) {
	h := &lateHistory{}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", server.URL)
	r := newRig(t, withTrail)
	lab := r.inventory(t, "lab")[awssim.LabAccount]
	deny := func(action string) {
		if err := r.Inject(awssim.Fault{Kind: awssim.FaultDeny, Account: awssim.LabAccount, Action: action}); err != nil {
			t.Fatal(err)
		}
	}
	// Without a credential report the history alone tells.
	const looks = 7
	random := rand.New(rand.NewPCG(20, 26)) // the same cases each time
	for i := range 60 {
		window := time.Duration(1+random.IntN(48)) * time.Hour
		every := time.Duration(2+random.IntN(30)) * time.Hour
		r.advance(100 * time.Hour)
		began := r.clock()
		used := began.Add(time.Duration(random.Int64N(int64(3 * every)))).Truncate(time.Second)
		if i%2 == 0 { // shortly before a look
			used = began.Add(time.Duration(1+random.IntN(3))*every - time.Duration(random.Int64N(int64(time.Hour)))).Truncate(time.Second)
		}
		seen := used.Add(time.Duration(random.Int64N(int64(time.Hour))))
		blind := random.IntN(looks) // one look is denied everything
		h.mu.Lock()
		h.signIns = []lateSignIn{{at: used, seen: seen}}
		h.mu.Unlock()

		story := fmt.Sprintf("case %d: window %v, a look every %v, used after %v, in the history %v later, look %d is blind",
			i, window, every, used.Sub(began), seen.Sub(used), blind)
		policy, told, track := posture.Policy{ActivityWindow: window}, 0, posture.Track{}
		for n := range looks {
			r.ClearFaults()
			deny("GenerateCredentialReport")
			if n == blind {
				deny("GetAccountSummary")
			}
			h.mu.Lock()
			h.now = r.clock()
			h.mu.Unlock()
			f, _ := posture.Judge(r.auditor.Inspect(t.Context(), lab), policy, r.clock()).Finding(posture.RootActivity)
			var change posture.Change
			var err error
			if track, change, err = track.See(f, r.clock()); err != nil {
				t.Fatal(err)
			}
			if change == posture.New || change == posture.Worse {
				told++
			}
			policy.Since = r.clock() // what the accounts beside it were told of
			if at, tells := f.ToldUntil(); tells {
				policy.Since = at
			}
			r.advance(every)
		}
		if told != 1 {
			t.Errorf("%s: it was told %d times", story, told)
		}
	}
}
