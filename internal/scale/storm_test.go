package scale_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// sighting is the sink of a scan that keeps everything.
type sighting struct {
	mu   sync.Mutex
	seen map[posture.AccountID]commands.Seen
}

func (s *sighting) Named(posture.Account) (commands.Take, error) { return commands.TakeLook, nil }

func (s *sighting) Looked(_ context.Context, seen commands.Seen) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[seen.Evidence.Account.ID] = seen
	return nil
}

func (s *sighting) Ended(context.Context, commands.SourceScan) error { return nil }
func (s *sighting) Progress(commands.Progress)                       {}

// TestAStormLosesNoAccountAndPassesNone scans while AssumeRoot is throttled by a rate, and three in ten of its calls
// whatever their rate, while two in a hundred accounts deny access, one call in a hundred hangs and one in two hundred is
// answered with rubbish. The whole proof has a thousand accounts, and scans them also where the bot knows no rate.
func TestAStormLosesNoAccountAndPassesNone(t *testing.T) {
	const rate = 50.0
	accounts, sets := 250, map[string]float64{"with the rate set": rate}
	if os.Getenv("ROOTCHECK_PROOF") == "full" {
		accounts, sets["with no rate set"] = 1000, 0
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			org, denied := storm(t, accounts, rate)
			auditor, _, err := awsroot.New(t.Context(), awsroot.Config{
				Sources:        []awsroot.Source{{Name: "acme", Organization: &awsroot.Organization{}}},
				AssumeRootRate: set, Now: time.Now, Version: "scale",
			})
			if err != nil {
				t.Fatal(err)
			}
			s, began := &sighting{seen: map[posture.AccountID]commands.Seen{}}, time.Now()
			if err := (commands.Scanner{Looker: auditor, Now: time.Now}).Scan(t.Context(), auditor.Sources(), 0, s); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			if len(s.seen) != accounts || len(denied) != accounts/50 {
				t.Fatalf("%d of %d accounts came out, %d deny access", len(s.seen), accounts, len(denied))
			}
			passes := map[int]int{}
			for id, seen := range s.seen {
				truth, ok := org.Account(string(id))
				if !ok {
					t.Fatalf("account %s does not exist", id)
				}
				passes[seen.Pass]++
				healthy := truth.State == posture.StateActive && !truth.Denies && !denied[id] && id != awssim.TowerAccount && !truth.Management
				judge(t, seen, truth, healthy)
			}
			calls, most := asked(org), busiest(org)
			t.Logf("%v for %d accounts; looks that they took: %v; calls to AssumeRoot: %d, in the busiest second %d", took.Round(time.Second), accounts, passes, sum(calls), most)
			// They left evenly enough, which awsroot proves by a clock of its own. Here a busy machine may bring them together.
			if float64(most) > (rate*1.01+2)*1.05 && set > 0 {
				t.Errorf("%d calls to AssumeRoot in one second", most)
			}
		})
	}
}

// storm is an organization in a storm, and the accounts that deny access.
func storm(t *testing.T, accounts int, rate float64) (*awssim.Organization, map[posture.AccountID]bool) {
	t.Helper()
	org, url := serve(t, awssim.Config{Accounts: accounts, Latency: 2 * time.Millisecond, Throttle: rate})
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "AKIASCALEEXAMPLE0001", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	denied := map[posture.AccountID]bool{}
	for i, id := range org.Accounts() {
		if i%50 == 40 {
			denied[posture.AccountID(id)] = true
			inject(t, org, awssim.Fault{Kind: awssim.FaultDeny, Account: id, Action: "AssumeRoot"})
		}
	}
	for _, f := range []awssim.Fault{
		{Kind: awssim.FaultThrottle, Action: "AssumeRoot", Rate: 0.3},
		{Kind: awssim.FaultThrottle, Action: "GetAccountSummary", Rate: 0.1},
		{Kind: awssim.FaultSlow, Action: "GetAccountSummary", Rate: 0.01},
		{Kind: awssim.FaultGarbage, Action: "GetAccountSummary", Rate: 0.005},
	} {
		inject(t, org, f)
	}
	return org, denied
}

// busiest is the largest number of calls to AssumeRoot within any second, as the organization saw them come.
func busiest(org *awssim.Organization) int {
	var times []time.Time
	for _, c := range org.Calls() {
		if c.Action == "AssumeRoot" {
			times = append(times, c.At)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	most, from := 0, 0
	for i, at := range times {
		for at.Sub(times[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func sum(calls map[string]int) (n int) {
	for _, c := range calls {
		n += c
	}
	return n
}

func inject(t *testing.T, org *awssim.Organization, f awssim.Fault) {
	t.Helper()
	if err := org.Inject(f); err != nil {
		t.Fatal(err)
	}
}

// judge compares what is shown of an account with the truth: a healthy one is right, any other has a reason, and nothing
// that is unknown or bad passes.
func judge(t *testing.T, seen commands.Seen, truth awssim.AccountView, healthy bool) {
	t.Helper()
	p := posture.Judge(seen.Evidence, posture.Policy{}, time.Now())
	reason, scanned := p.Scanned()
	bad := map[posture.Control]bool{
		posture.RootAccessKey: len(truth.Root.Keys) > 0, posture.RootCertificate: len(truth.Root.Certificates) > 0,
		posture.RootMFA: truth.Root.Password && len(truth.Root.MFA) == 0, posture.RootPassword: truth.Root.Password && !truth.Management,
	}
	for _, f := range p.Findings {
		if f.Status == posture.NotAvailable && (f.Gap == nil || f.Gap.Reason == posture.ReasonUnknown || f.Gap.Fix == "" && f.Gap.Reason.Fix() != "") {
			t.Errorf("%s of %s could not be told for no reason, or without a fix: %+v", f.Control, truth.ID, f.Gap)
		}
		if is, known := bad[f.Control]; known && is && (f.Status == posture.Passed || f.Status == posture.NotApplicable) {
			t.Errorf("%s of %s is %s, and the truth is bad", f.Control, truth.ID, f.Status)
		}
		if f.Status == posture.Passed && !scanned {
			t.Errorf("%s of %s passes, and the account was not scanned", f.Control, truth.ID)
		}
		if is := bad[f.Control]; healthy && is && f.Status != posture.Failed {
			t.Errorf("%s of %s is %s after %d looks, want Failed", f.Control, truth.ID, f.Status, seen.Pass)
		}
	}
	switch {
	case healthy && !scanned:
		t.Errorf("healthy account %s is not scanned after %d looks: %s", truth.ID, seen.Pass, reason)
	case healthy && commands.Transient(seen.Evidence) > 0:
		t.Errorf("healthy account %s lacks %d facts after %d looks", truth.ID, commands.Transient(seen.Evidence), seen.Pass)
	case !scanned && reason == posture.ReasonUnknown:
		t.Errorf("account %s is not scanned for no reason", truth.ID)
	}
}
