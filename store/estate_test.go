package store_test

import (
	"errors"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// look is a look at an account with one key, or with none.
func look(source string, id posture.AccountID, key posture.KeyID) commands.Look {
	at := newClock().Now()
	e := posture.Evidence{
		Account: posture.Account{
			ID: id, Source: source, Partition: "aws", Name: "payments & <!channel> 결제", Email: "root@example.com",
			State: posture.StateActive, Role: posture.RoleMember, Tags: map[string]string{"owner": "U061F7AUR"},
		},
		At: at, Via: "assume-root",
		AccessKeys: posture.Told(key != "", posture.SourceSummary, at), MFA: posture.Told(true, posture.SourceSummary, at),
		Devices:  posture.Missing[[]posture.Device]("ListMFADevices", posture.Gap{Reason: posture.ReasonDenied, Fix: "Grant it."}),
		Password: posture.Told(false, posture.SourceSummary, at),
	}
	if key != "" {
		e.Keys = posture.Told([]posture.Key{{ID: key, Status: posture.KeyActive, Created: at.Add(-time.Hour)}}, "ListAccessKeys", at)
	}
	return commands.Look{Evidence: e, Findings: posture.Evaluate(e, posture.Policy{ActivityWindow: 24 * time.Hour}, at)}
}

func TestALookComesBackAsItWasSaved(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			l := look("acme", account, wholeID)
			ok(t, s.Save(t.Context(), "run1", []commands.Look{l}))
			l.Run = "run1"
			l.Workflow = map[posture.Control]posture.Workflow{
				posture.RootAccessKey: posture.WorkflowNew, posture.RootMFA: posture.WorkflowResolved,
			}
			for _, source := range []string{"acme", ""} {
				got := must[commands.Look](t)(s.Look(t.Context(), source, account))
				if diff := cmp.Diff(l, got); diff != "" {
					t.Errorf("source %q (-saved +got):\n%s", source, diff)
				}
				if id := got.Evidence.Keys.Value[0].ID; id != wholeID {
					t.Errorf("the key came back as %s", id)
				}
			}
			if _, err := s.Look(t.Context(), "lab", account); !errors.Is(err, commands.ErrNotFound) {
				t.Errorf("another source: %v", err)
			}
		})
	}
}

func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			at := newClock().Now()
			first := commands.Run{ID: "run1", Trigger: "schedule", Started: at}
			same(t, "begun", first, must[commands.Run](t)(s.StartRun(t.Context(), first)))
			got, err := s.StartRun(t.Context(), commands.Run{ID: "run2", Started: at})
			if !errors.Is(err, commands.ErrConflict) || got.ID != "run1" {
				t.Errorf("a second run: %v, %v; want the first with ErrConflict", got, err)
			}
			first.Scanned, first.Gaps = 7, []commands.SourceGap{{Source: "lab", Gap: posture.Gap{Reason: posture.ReasonThrottled}}}
			ok(t, s.SaveRun(t.Context(), first))
			same(t, "progress", first, must[commands.Run](t)(s.CurrentRun(t.Context())))
			first.Finished, first.Took = at.Add(time.Minute), time.Minute
			ok(t, s.SaveRun(t.Context(), first))
			same(t, "finished", first, must[commands.Run](t)(s.LastRun(t.Context())))
			if _, err := s.CurrentRun(t.Context()); !errors.Is(err, commands.ErrNotFound) {
				t.Errorf("a finished run is under way: %v", err)
			}
			if err := s.SaveRun(t.Context(), first); !errors.Is(err, commands.ErrConflict) {
				t.Errorf("saving a run that has ended: %v", err)
			}
			if err := s.SaveRun(t.Context(), commands.Run{ID: "never"}); !errors.Is(err, commands.ErrNotFound) {
				t.Errorf("saving a run that was never begun: %v", err)
			}
			must[commands.Run](t)(s.StartRun(t.Context(), commands.Run{ID: "run2", Started: at}))
			same(t, "the last finished", "run1", must[commands.Run](t)(s.LastRun(t.Context())).ID)
		})
	}
}

func TestAccountsThatARunDidNotListAreRetired(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			old := []commands.Look{look("acme", "333333333333", ""), look("acme", "111111111111", wholeID), look("lab", "444444444444", "")}
			ok(t, s.Save(t.Context(), "run1", old))
			ok(t, s.Save(t.Context(), "run2", []commands.Look{look("acme", "222222222222", "")}))
			same(t, "not listed", []posture.Account{old[1].Evidence.Account, old[0].Evidence.Account}, must[[]posture.Account](t)(s.Unlisted(t.Context(), "run2", "acme", 9)))
			same(t, "the first not listed", []posture.Account{old[1].Evidence.Account}, must[[]posture.Account](t)(s.Unlisted(t.Context(), "run2", "acme", 1)))
			gone := must[[]posture.Account](t)(s.Retire(t.Context(), "run2", "acme"))
			same(t, "gone", []posture.Account{old[1].Evidence.Account, old[0].Evidence.Account}, gone)
			var left []posture.AccountID
			ok(t, s.Each(t.Context(), func(l commands.Look) error { left = append(left, l.Evidence.Account.ID); return nil }))
			same(t, "left", []posture.AccountID{"222222222222", "444444444444"}, left)
			if gone := must[[]posture.Account](t)(s.Retire(t.Context(), "run2", "acme")); len(gone) != 0 {
				t.Errorf("retired twice: %v", gone)
			}
		})
	}
}

func TestEachWalksInOrderAndStopsWhenTold(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			var looks []commands.Look
			for i := range 250 {
				source := []string{"Zeta", "acme", "lab"}[i%3] // capitals come first, as bytes do
				looks = append(looks, look(source, posture.AccountID(fmt.Sprintf("%012d", (i*7919)%1000)), ""))
			}
			ok(t, s.Save(t.Context(), "run1", looks))
			var names []string
			ok(t, s.Each(t.Context(), func(l commands.Look) error {
				names = append(names, l.Evidence.Account.Source+"/"+string(l.Evidence.Account.ID))
				_, err := s.Block(t.Context(), "acme", account) // the store may be used on the way
				return err
			}))
			if len(names) != 250 {
				t.Errorf("walked over %d of 250 accounts", len(names))
			}
			for i := 1; i < len(names); i++ {
				if names[i-1] >= names[i] {
					t.Fatalf("%s came before %s", names[i-1], names[i])
				}
			}
			stop, walked := errors.New("enough"), 0
			err := s.Each(t.Context(), func(commands.Look) error { walked++; return stop })
			if !errors.Is(err, stop) || walked != 1 {
				t.Errorf("stopped after %d with %v", walked, err)
			}
		})
	}
}

func TestFindingsAreFollowedFromRunToRun(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			save := func(status posture.Status, want posture.Workflow) {
				t.Helper()
				c.advance(time.Hour)
				l := look("acme", account, "")
				l.Findings = []posture.Finding{{
					Control: posture.RootMFA, Account: account, Source: "acme", Status: status, Severity: posture.Critical, At: c.Now(),
				}}
				ok(t, s.Save(t.Context(), "run", []commands.Look{l}))
				if got := must[commands.Look](t)(s.Look(t.Context(), "acme", account)).Workflow[posture.RootMFA]; got != want {
					t.Errorf("seen as %s, it is %q, want %q", status, got, want)
				}
			}
			before := func() posture.Finding {
				return must[commands.Look](t)(s.Look(t.Context(), "acme", account)).Before[posture.RootMFA]
			}
			save(posture.Failed, posture.WorkflowNew)
			ok(t, s.Notify(t.Context(), []posture.FindingKey{{Source: "acme", Account: account, Control: posture.RootMFA}}))
			save(posture.Failed, posture.WorkflowNotified)
			read := c.Now()
			save(posture.NotAvailable, posture.WorkflowNotified)
			save(posture.NotAvailable, posture.WorkflowNotified)
			if got := before(); got.Status != posture.Failed || !got.At.Equal(read) {
				t.Errorf("while it cannot be told, it was last known as %+v", got)
			}
			save(posture.Failed, posture.WorkflowNotified)
			if got := before(); got.Control != "" {
				t.Errorf("while it can be told, %+v is remembered", got)
			}
			save(posture.NotAvailable, posture.WorkflowNotified)
			save(posture.Passed, posture.WorkflowResolved)
			save(posture.NotAvailable, posture.WorkflowResolved)
			save(posture.Failed, posture.WorkflowNew)
		})
	}
}

func TestAnOlderLookTakesNothingFromALaterOne(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			at := func(l commands.Look, later time.Duration) commands.Look {
				l.Evidence.At = l.Evidence.At.Add(later)
				return l
			}
			kept := func(run string, key bool) {
				t.Helper()
				l := must[commands.Look](t)(s.Look(t.Context(), "acme", account))
				if l.Run != run || l.Evidence.AccessKeys.Value != key || (l.Findings[0].Status == posture.Failed) != key {
					t.Errorf("of run %s, with a key: %v, %s; want run %s and %v", l.Run, l.Evidence.AccessKeys.Value, l.Findings[0].Status, run, key)
				}
			}
			ok(t, s.Save(t.Context(), "run1", []commands.Look{at(look("acme", account, ""), -time.Minute)}))
			ok(t, s.Save(t.Context(), "run2", []commands.Look{at(look("acme", account, wholeID), -2*time.Minute)}))
			kept("run2", false)
			ok(t, s.Save(t.Context(), "run2", []commands.Look{at(look("acme", account, wholeID), -time.Minute)}))
			kept("run2", true)
			ok(t, s.Save(t.Context(), "run3", []commands.Look{at(look("acme", account, ""), 48*time.Hour)}))
			kept("run3", false)
			ok(t, s.Save(t.Context(), "run4", []commands.Look{look("acme", account, wholeID)}))
			kept("run4", true)
		})
	}
}

func TestAMarkKeepsHowThingsStood(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			at := newClock().Now().Add(789 * time.Nanosecond)
			before := look("acme", account, wholeID)
			ok(t, s.Save(t.Context(), "run1", []commands.Look{before}))
			ok(t, s.Mark(t.Context(), "digest", at))
			after := look("acme", account, "")
			ok(t, s.Save(t.Context(), "run2", []commands.Look{after}))

			marked, stood, err := s.Marked(t.Context(), "digest")
			ok(t, err)
			findings := unpacked(t, stood)
			if again := unpacked(t, stood); len(findings) == 0 || len(again) != len(findings) {
				t.Errorf("the mark holds %d findings, and %d when it is read again", len(findings), len(again))
			}
			if !marked.Equal(at) {
				t.Errorf("marked at %v, want %v", marked, at)
			}
			if changed, _ := posture.Diff(findings, before.Findings); len(changed) != 0 {
				t.Errorf("the mark differs from what was marked: %v", changed)
			}
			changed, _ := posture.Diff(findings, after.Findings)
			resolved := 0
			for _, c := range changed {
				if c.Change == posture.Resolved {
					resolved++
				}
			}
			if resolved == 0 {
				t.Errorf("the key that went is no resolved finding: %v", changed)
			}
			ok(t, s.Mark(t.Context(), "digest", at.Add(time.Hour)))
			if marked, _, err := s.Marked(t.Context(), "digest"); err != nil || !marked.Equal(at.Add(time.Hour)) {
				t.Errorf("marked again at %v, %v", marked, err)
			}
			ok(t, s.Mark(t.Context(), "drawn", at.Add(2*time.Hour)))
			ok(t, s.Rename(t.Context(), "drawn", "digest"))
			if marked, _, err := s.Marked(t.Context(), "digest"); err != nil || !marked.Equal(at.Add(2*time.Hour)) {
				t.Errorf("renamed, it is of %v, %v", marked, err)
			}
			if err := s.Rename(t.Context(), "drawn", "digest"); !errors.Is(err, commands.ErrNotFound) {
				t.Errorf("renaming what is not there: %v", err)
			}
			if marked, _, err := s.Marked(t.Context(), "digest"); err != nil || marked.IsZero() {
				t.Errorf("what was there is gone: %v, %v", marked, err)
			}
			ok(t, s.Mark(t.Context(), "drawn/old", at))
			ok(t, s.Mark(t.Context(), "drawn/new", at.Add(time.Second)))
			ok(t, s.Forget(t.Context(), "drawn/", at.Add(time.Second)))
			for mark, want := range map[string]bool{"drawn/old": false, "drawn/new": true, "digest": true} {
				if marked, _, err := s.Marked(t.Context(), mark); err != nil || marked.IsZero() == want {
					t.Errorf("%s is of %v, %v; want it kept: %t", mark, marked, err, want)
				}
			}
		})
	}
}

// unpacked reads all findings of a mark.
func unpacked(t *testing.T, findings iter.Seq2[posture.Finding, error]) []posture.Finding {
	t.Helper()
	var all []posture.Finding
	for f, err := range findings {
		ok(t, err)
		all = append(all, f)
	}
	return all
}

func TestTenThousandAccountsAreSavedInSecondsAndReadInLittleMemory(t *testing.T) {
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			accounts, share := 10_000, 250
			if raceEnabled {
				accounts = 1_000
			}
			s := d.fresh(t)
			start := time.Now()
			for i := 0; i < accounts; i += share {
				looks := make([]commands.Look, share)
				for j := range looks {
					looks[j] = look("acme", posture.AccountID(fmt.Sprintf("%012d", i+j)), posture.KeyID(fmt.Sprintf("AKIA%016d", i+j)))
				}
				ok(t, s.Save(t.Context(), "run1", looks))
			}
			saved := time.Since(start)

			var before, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var peak uint64
			n := 0
			start = time.Now()
			ok(t, s.Each(t.Context(), func(commands.Look) error {
				if n++; n%1000 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapAlloc-min(before.HeapAlloc, now.HeapAlloc))
				}
				return nil
			}))
			t.Logf("%d accounts saved in %v, read in %v with %d KB more on the heap", accounts, saved.Round(time.Millisecond),
				time.Since(start).Round(time.Millisecond), peak>>10)
			if n != accounts {
				t.Errorf("%d of %d accounts came back", n, accounts)
			}
			if saved > 30*time.Second {
				t.Errorf("saving took %v", saved)
			}
			if peak > 16<<20 {
				t.Errorf("reading held %d MB", peak>>20)
			}
		})
	}
}
