package awsroot_test

import (
	"sync"
	"testing"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// honest compares a look with the truth: what is known must be so, and what is not must have a reason and a fix.
func honest(t *testing.T, e posture.Evidence, truth awssim.AccountView) bool {
	t.Helper()
	for name, f := range map[string]struct {
		fact posture.Fact[bool]
		is   bool
	}{
		"access keys": {e.AccessKeys, len(truth.Root.Keys) > 0}, "MFA": {e.MFA, len(truth.Root.MFA) > 0},
		"certificates": {e.Certificates, len(truth.Root.Certificates) > 0}, "password": {e.Password, truth.Root.Password},
	} {
		switch {
		case f.fact.Known() && f.fact.Value != f.is:
			t.Errorf("%s of %s: told %v, which is not so", name, truth.ID, f.fact.Value)
		case !f.fact.Known() && (f.fact.Gap == nil || f.fact.Gap.Reason == posture.ReasonUnknown || f.fact.Gap.Detail == ""):
			t.Errorf("%s of %s is unknown for no reason: %+v", name, truth.ID, f.fact.Gap)
		}
	}
	if e.Keys.Known() && len(e.Keys.Value) != len(truth.Root.Keys) || e.Devices.Known() && len(e.Devices.Value) != len(truth.Root.MFA) {
		t.Errorf("lists of %s: %d keys and %d devices", truth.ID, len(e.Keys.Value), len(e.Devices.Value))
	}
	for _, f := range posture.Evaluate(e, posture.Policy{}, e.At) {
		if f.Control == posture.RootAccessKey && f.Status == posture.Passed && len(truth.Root.Keys) > 0 {
			t.Errorf("%s passes with a key", truth.ID)
		}
	}
	return e.AccessKeys.Known() && e.Keys.Known() && e.Devices.Known()
}

func TestAStormMakesNothingUntrueAndPasses(t *testing.T) {
	r := newRig(t, nil)
	accounts := r.inventory(t, "acme")
	for kind, rate := range map[string]float64{
		awssim.FaultThrottle: 0.3, awssim.FaultGarbage: 0.01, awssim.FaultHTTP500: 0.01, awssim.FaultLostAnswer: 0.01,
	} {
		if err := r.Inject(awssim.Fault{Kind: kind, Rate: rate}); err != nil {
			t.Fatal(err)
		}
	}
	waiting := []posture.Account{}
	for _, a := range accounts {
		healthy := a.State == posture.StateActive && a.ID != awssim.ClinicAccount && a.ID != awssim.TowerAccount
		if healthy && a.Role == posture.RoleMember {
			waiting = append(waiting, a)
		}
	}
	for pass := 0; len(waiting) > 0; pass++ {
		if pass == 4 {
			t.Fatalf("%d healthy accounts are not right after four passes", len(waiting))
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		var again []posture.Account
		for _, a := range waiting {
			wg.Go(func() {
				e := r.auditor.Inspect(t.Context(), a)
				truth, _ := r.Account(string(a.ID))
				mu.Lock()
				defer mu.Unlock()
				if !honest(t, e, truth) {
					again = append(again, a)
				}
			})
		}
		wg.Wait()
		waiting = again
	}
}
