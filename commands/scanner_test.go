package commands_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// fleet is an AWS of so many accounts. Its answers take a second of the bubble's time.
type fleet struct {
	sources []string
	n       int
	breaks  error
	twice   bool // the inventory names each account twice
	answer  func(a posture.Account, look int) posture.Evidence

	mu    sync.Mutex
	looks map[string]int
	now   int
	most  int
}

func (f *fleet) Sources() []string { return f.sources }

func (f *fleet) Inventory(_ context.Context, _ string, yield func(posture.Account) error) (commands.Organization, error) {
	for i := range f.n {
		a := posture.Account{ID: posture.AccountID(fmt.Sprintf("%012d", i+1)), Name: fmt.Sprint("team-", i)}
		for range map[bool]int{false: 1, true: 2}[f.twice] {
			if err := yield(a); err != nil {
				return commands.Organization{}, err
			}
		}
	}
	return commands.Organization{}, f.breaks
}

func (f *fleet) Inspect(ctx context.Context, a posture.Account) posture.Evidence {
	f.mu.Lock()
	f.looks[a.Source+string(a.ID)]++
	n := f.looks[a.Source+string(a.ID)]
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	f.mu.Lock()
	f.now--
	f.mu.Unlock()
	return f.answer(a, n)
}

// note is a sink that remembers. It refuses what it is told to refuse.
type note struct {
	seen   []commands.Seen
	ended  []commands.SourceScan
	last   commands.Progress
	refuse error
	inside bool
}

func (n *note) Named(a posture.Account) (commands.Take, error) {
	if a.Name == "team-7" {
		return commands.TakeKnown, nil
	}
	return commands.TakeLook, nil
}

func (n *note) Looked(_ context.Context, s commands.Seen) error {
	if n.inside {
		return errors.New("two calls of the sink at once")
	}
	n.inside = true
	n.seen = append(n.seen, s)
	n.inside = false
	return n.refuse
}

func (n *note) Ended(_ context.Context, s commands.SourceScan) error {
	n.ended = append(n.ended, s)
	return nil
}

func (n *note) Progress(p commands.Progress) { n.last = p }

func fine(a posture.Account, _ int) posture.Evidence {
	told := posture.Told(false, posture.SourceSummary, time.Now())
	return posture.Evidence{Account: a, AccessKeys: told, MFA: told}
}

func lacking(a posture.Account, r posture.Reason) posture.Evidence {
	gone := posture.Missing[bool](posture.SourceSummary, posture.Gap{Reason: r})
	return posture.Evidence{Account: a, AccessKeys: gone, MFA: gone}
}

func scanFleet(t *testing.T, f *fleet, n *note, concurrency int) error {
	t.Helper()
	f.looks = map[string]int{}
	if f.sources == nil {
		f.sources = []string{"acme"}
	}
	s := commands.Scanner{Looker: f, Now: time.Now, Concurrency: concurrency}
	return s.Scan(t.Context(), f.sources, 0, n)
}

func TestEachAccountComesOutOnceHoweverOftenItWasNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &note{}
		f := &fleet{sources: []string{"acme", "lab"}, n: 40, twice: true, answer: fine}
		if err := scanFleet(t, f, n, 8); err != nil {
			t.Fatal(err)
		}
		if len(n.seen) != 78 || n.last.Done != 80 || n.last.Listed != 80 || !n.last.Complete || f.most > 8 {
			t.Errorf("%d came out, progress %+v, %d at once", len(n.seen), n.last, f.most)
		}
		if len(n.ended) != 2 || n.ended[0].Source != "acme" || n.ended[1].Listed != 40 {
			t.Errorf("the sources ended as %+v", n.ended)
		}
	})
}

func TestLaterPassesTakeTheBestLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &note{}
		f := &fleet{n: 5, answer: func(a posture.Account, look int) posture.Evidence {
			switch {
			case a.Name == "team-1" && look == 1: // knows more than any later look
				e := fine(a, look)
				e.Devices = posture.Missing[[]posture.Device]("ListMFADevices", posture.Gap{Reason: posture.ReasonNoAnswer})
				return e
			case a.Name == "team-1", a.Name == "team-2":
				return lacking(a, posture.ReasonThrottled)
			case a.Name == "team-3" && look < 4:
				return lacking(a, posture.ReasonNoAnswer)
			case a.Name == "team-4":
				return lacking(a, posture.ReasonDenied)
			default:
				return fine(a, look)
			}
		}}
		began := time.Now()
		if err := scanFleet(t, f, n, 0); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 26*time.Second || took > 40*time.Second {
			t.Errorf("the passes took %v, the pauses alone are 26s", took)
		}
		for _, s := range n.seen {
			e := s.Evidence
			known := e.AccessKeys.Known()
			want := map[string]struct {
				known bool
				looks int
			}{"team-0": {true, 1}, "team-1": {true, 4}, "team-2": {false, 4}, "team-3": {true, 4}, "team-4": {false, 1}}[e.Account.Name]
			if known != want.known || s.Pass != want.looks {
				t.Errorf("%s: known %v after %d looks, want %+v", e.Account.Name, known, s.Pass, want)
			}
		}
		if len(n.seen) != 5 || n.last.Again != 0 {
			t.Errorf("%d came out, progress %+v", len(n.seen), n.last)
		}
	})
}

func TestTheBoundGrowsWhileAWSAnswersAndFallsWhenItThrottles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer      func(posture.Account, int) posture.Evidence
		least, most time.Duration
	}{
		// 16 and then 32 in the first two seconds, 64 from then on.
		"answers":   {fine, 10 * time.Second, 14 * time.Second},
		"throttles": {func(a posture.Account, _ int) posture.Evidence { return lacking(a, posture.ReasonThrottled) }, 4 * 300 * time.Second, 4*600*time.Second + time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				f := &fleet{n: 601, answer: c.answer}
				if err := scanFleet(t, f, &note{}, 64); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < c.least || took > c.most || f.most > 64 {
					t.Errorf("600 looks of a second took %v with up to %d at once", took, f.most)
				}
			})
		})
	}
}

func TestAnInventoryThatBreaksOffIsToldAndItsAccountsAreLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &note{}
		if err := scanFleet(t, &fleet{n: 3, breaks: errors.New("broke off"), answer: fine}, n, 2); err != nil {
			t.Fatal(err)
		}
		if g := n.ended[0].Gap(); len(n.seen) != 3 || g == nil || g.Gap.Detail != "broke off" {
			t.Errorf("%d came out, the gap is %+v", len(n.seen), g)
		}
		empty := commands.SourceScan{Source: "acme"}
		if g := empty.Gap(); g == nil || g.Source != "acme" || g.Gap.Fix == "" {
			t.Errorf("no account is no gap: %+v", g)
		}
	})
}

func TestASinkThatFailsEndsTheScan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("the disk is full")
		if err := scanFleet(t, &fleet{n: 500, answer: fine}, &note{refuse: full}, 4); !errors.Is(err, full) {
			t.Errorf("the scan ended with %v", err)
		}
	})
}
