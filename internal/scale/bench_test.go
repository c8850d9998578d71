package scale_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// What the scans are held to. The machine may be busy with other things, so time has some slack; memory has none.
const (
	mostTime   = 60 * time.Second
	mostMemory = 100.0 // MB
	slackOfCI  = 1.35
)

// checked is what is read of the report of `bot check --json`.
type checked struct {
	Coverage struct{ Accounts, Scanned int }
	Accounts []struct{ ID string }
}

// unseeable are the accounts of the hand-made organization that deny access, are suspended, or that no way leads into.
const unseeable = 4

func (c checked) hold(tb testing.TB, accounts int) {
	tb.Helper()
	if c.Coverage.Accounts != accounts || len(c.Accounts) != accounts || c.Coverage.Scanned < accounts-unseeable {
		tb.Errorf("%d of %d accounts were scanned, %d are in the report; the organization has %d", c.Coverage.Scanned, c.Coverage.Accounts, len(c.Accounts), accounts)
	}
}

// both scans the same organization with `bot check` and with the bot's own scan.
func both(tb testing.TB, bot string, accounts int, latency time.Duration) (terminal, own measured) {
	tb.Helper()
	_, url := serve(tb, awssim.Config{Accounts: accounts, Latency: latency})
	terminal = check(tb, bot, url)
	var report checked
	if err := json.Unmarshal(terminal.Out, &report); err != nil {
		tb.Fatalf("status %d: %v", terminal.Status, err)
	}
	report.hold(tb, accounts)

	own = measure(tb, scannerAt(tb.Context(), tb, filepath.Join(tb.TempDir(), "rootcheck.db"), url, 0))
	var run commands.Run
	if err := json.Unmarshal(own.Out, &run); err != nil {
		tb.Fatalf("status %d: %v", own.Status, err)
	}
	if run.Listed != accounts || run.Scanned+run.Failed != accounts || run.Scanned < accounts-unseeable {
		tb.Errorf("the bot's scan is %+v", run)
	}
	tb.Logf("%d accounts: check %v, %.1f MB; the bot's scan with its database %v, %.1f MB", accounts,
		terminal.Took.Round(time.Millisecond), terminal.Peak, own.Took.Round(time.Millisecond), own.Peak)
	return terminal, own
}

// TestAThousandAccountsTakeSecondsAndLittleMemory is the short form of the benchmarks below.
func TestAThousandAccountsTakeSecondsAndLittleMemory(t *testing.T) {
	terminal, own := both(t, binary(t), 1000, 5*time.Millisecond)
	for name, m := range map[string]measured{"check": terminal, "scan": own} {
		if m.Peak > mostMemory || m.Took > mostTime/3 { // a tenth of the accounts: it takes two to three seconds where nothing else runs
			t.Errorf("%s took %v and %.1f MB", name, m.Took, m.Peak)
		}
	}
}

// held reports what a scan took, and fails where that is more than it is held to.
func held(b *testing.B, name string, m measured) {
	b.Helper()
	b.ReportMetric(m.Took.Seconds(), name+"-s")
	b.ReportMetric(m.Peak, name+"-MB")
	b.Logf("%s of ten thousand: %.2f of the 60 s, %.2f of the 100 MB", name, m.Took.Seconds()/mostTime.Seconds(), m.Peak/mostMemory)
	if m.Peak > mostMemory || m.Took.Seconds() > slackOfCI*mostTime.Seconds() {
		b.Errorf("%s took %v and %.1f MB", name, m.Took, m.Peak)
	}
}

func BenchmarkTenThousandAccounts(b *testing.B) {
	bot := binary(b)
	for b.Loop() {
		terminal, own := both(b, bot, 10_000, 5*time.Millisecond)
		held(b, "check", terminal)
		held(b, "scan", own)
	}
}

// BenchmarkFiftyThousandAccountsBesideTenThousand compares the time of the processor, which rests on what a scan does and
// not on what else the machine has to do. What passes by the clock is printed beside it.
func BenchmarkFiftyThousandAccountsBesideTenThousand(b *testing.B) {
	bot := binary(b)
	for b.Loop() {
		small, smallOwn := both(b, bot, 10_000, 5*time.Millisecond)
		held(b, "check", small)
		held(b, "scan", smallOwn)
		large, largeOwn := both(b, bot, 50_000, time.Millisecond)
		for name, m := range map[string][2]measured{"check": {small, large}, "scan": {smallOwn, largeOwn}} {
			memory, pace := m[1].Peak/m[0].Peak, m[1].Busy.Seconds()/m[0].Busy.Seconds()/5
			b.ReportMetric(memory, name+"-x-memory")
			b.ReportMetric(pace, name+"-x-linear")
			b.Logf("%s of five times the accounts: %.2f times the memory (held to 1.5), %.2f times the linear time of the processor (held to %.2f), %v by the clock",
				name, memory, pace, slackOfCI, m[1].Took.Round(time.Second))
			if memory > 1.5 || pace > slackOfCI {
				b.Errorf("%s: %.2f times the memory, %.2f times the linear time", name, memory, pace)
			}
		}
	}
}
