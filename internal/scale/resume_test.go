package scale_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// asked are the accounts that a root session was asked for.
func asked(org *awssim.Organization) map[string]int {
	accounts := map[string]int{}
	for _, c := range org.Calls() {
		if c.Action == "AssumeRoot" {
			accounts[c.Account]++
		}
	}
	return accounts
}

// kept are the accounts that a run has saved, read beside nobody: the child is dead.
func kept(t *testing.T, database string) (run commands.Run, accounts map[string]bool) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: database, Now: time.Now, Replica: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if failed := st.Close(); failed != nil {
			t.Error(failed)
		}
	}()
	if run, err = st.CurrentRun(t.Context()); err != nil {
		t.Fatal(err)
	}
	accounts = map[string]bool{}
	err = st.Each(t.Context(), func(l commands.Look) error {
		if l.Run == run.ID {
			accounts[string(l.Evidence.Account.ID)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return run, accounts
}

// TestAKilledScanIsGoneOnWith kills the process when half of the organization was asked, and starts it again: at once, and
// more than an hour later.
func TestAKilledScanIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead time.Duration
		again bool
	}{"at once": {0, false}, "more than an hour later": {61 * time.Minute, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const accounts = 1200
			org, url := serve(t, awssim.Config{Accounts: accounts, Latency: 10 * time.Millisecond})
			database := filepath.Join(t.TempDir(), "rootcheck.db")
			first := scannerAt(t.Context(), t, database, url, 0)
			if err := first.Start(); err != nil {
				t.Fatal(err)
			}
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for len(asked(org)) < accounts/2 {
				select {
				case <-t.Context().Done():
					t.Fatal("half of the organization was never asked")
				case <-tick.C:
				}
			}
			if err := first.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := first.Wait(); err == nil {
				t.Fatal("the scan was over before it was killed")
			}
			run, before := kept(t, database)
			if len(before) < accounts/4 || len(before) > accounts*3/4 {
				t.Fatalf("%d of %d accounts were saved before the process was killed", len(before), accounts)
			}

			org.ClearCalls()
			second := measure(t, scannerAt(t.Context(), t, database, url, c.ahead))
			var ended commands.Run
			if err := json.Unmarshal(second.Out, &ended); err != nil {
				t.Fatalf("status %d: %v", second.Status, err)
			}
			if ended.ID != run.ID || ended.Listed != accounts || ended.Scanned+ended.Failed != accounts || ended.Scanned < accounts-unseeable {
				t.Errorf("the run that was gone on with is %+v, it was %s", ended, run.ID)
			}
			twice := 0
			for id := range asked(org) {
				if before[id] {
					twice++
				}
			}
			if !c.again && twice > 0 || c.again && twice < len(before)-unseeable {
				t.Errorf("%d of %d accounts that were saved were asked again", twice, len(before))
			}
			t.Logf("%d of %d accounts were saved, %d of them asked again", len(before), accounts, twice)
		})
	}
}
