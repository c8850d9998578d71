package app_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// estate is an AWS of so many accounts. What it knows of an account is what the test says.
type estate struct {
	n       int
	source  string
	named   string // the first account's name; empty: account-0
	listing error
	look    func(a posture.Account, time int) posture.Evidence

	mu    sync.Mutex
	looks map[posture.AccountID]int
	most  int
	now   int
}

func (e *estate) Sources() []string { return []string{e.source} }

func (e *estate) Inventory(_ context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	for i := range e.n {
		name := fmt.Sprintf("account-%d", i)
		if i == 0 && e.named != "" {
			name = e.named
		}
		a := posture.Account{
			ID: posture.AccountID(fmt.Sprintf("%012d", i+1)), Source: source, Name: name, State: posture.StateActive,
			Role: posture.RoleStandalone,
		}
		if err := yield(a); err != nil {
			return commands.Organization{}, err
		}
	}
	return commands.Organization{Source: source}, e.listing
}

func (e *estate) Inspect(_ context.Context, a posture.Account) posture.Evidence {
	e.mu.Lock()
	if e.looks == nil {
		e.looks = map[posture.AccountID]int{}
	}
	e.looks[a.ID]++
	n := e.looks[a.ID]
	e.now++
	e.most = max(e.most, e.now)
	e.mu.Unlock()
	found := e.look(a, n)
	e.mu.Lock()
	e.now--
	e.mu.Unlock()
	return found
}

func at() time.Time { return time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC) }

// sound is a root user with a password, two passkeys and no key, as a report and a session would tell it.
func sound(a posture.Account) posture.Evidence {
	told := posture.SourceReport
	return posture.Evidence{
		Account: a, At: at(), Via: "own",
		AccessKeys: posture.Told(false, posture.SourceSummary, at()), MFA: posture.Told(true, posture.SourceSummary, at()),
		Certificates: posture.Told(false, posture.SourceSummary, at()), Password: posture.Told(true, posture.SourceSummary, at()),
		Keys: posture.Told([]posture.Key{}, posture.SourceSummary, at()),
		Devices: posture.Told([]posture.Device{
			{Serial: "arn:aws:iam::000000000001:u2f/root/a", Kind: posture.DevicePasskey},
			{Serial: "arn:aws:iam::000000000001:u2f/root/b", Kind: posture.DevicePasskey},
		}, "ListMFADevices", at()),
		CertificateList: posture.Told([]posture.Certificate{}, posture.SourceSummary, at()),
		SignIn:          posture.Told(posture.Use{}, told, at()), KeyUse: posture.Told(posture.Use{}, told, at()),
	}
}

func withKey(a posture.Account) posture.Evidence {
	e := sound(a)
	e.AccessKeys.Value = true
	e.Keys = posture.Told([]posture.Key{{ID: "AKIAIOSFODNN7EXAMPLE", Status: posture.KeyActive}}, "ListAccessKeys", at())
	return e
}

func unread(a posture.Account, r posture.Reason) posture.Evidence {
	g := posture.Gap{Reason: r, Fix: r.Fix()}
	e := posture.Evidence{Account: a, At: at()}
	e.AccessKeys, e.MFA = posture.Missing[bool](posture.SourceSummary, g), posture.Missing[bool](posture.SourceSummary, g)
	e.Certificates, e.Password = posture.Missing[bool](posture.SourceSummary, g), posture.Missing[bool](posture.SourceSummary, g)
	return e
}

func check(t *testing.T, e *estate, change func(*app.CheckOptions)) (*app.Checked, error) {
	t.Helper()
	e.source = "acme"
	c := app.DefaultConfig()
	o := app.CheckOptions{Now: at, Looker: e, Pauses: []time.Duration{0, 0, 0}}
	if change != nil {
		change(&o)
	}
	found, err := app.Check(t.Context(), c, o)
	if found != nil {
		t.Cleanup(func() {
			if cerr := found.Rows.Close(); cerr != nil {
				t.Error(cerr)
			}
		})
	}
	return found, err
}

func TestTheStatusSaysTheWorst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		look   func(posture.Account, int) posture.Evidence
		strict bool
		want   app.CheckStatus
	}{
		"all pass":                  {func(a posture.Account, _ int) posture.Evidence { return sound(a) }, false, app.AllPass},
		"a finding":                 {func(a posture.Account, _ int) posture.Evidence { return withKey(a) }, false, app.SomeFail},
		"an account is not scanned": {func(a posture.Account, _ int) posture.Evidence { return unread(a, posture.ReasonDenied) }, false, app.SomeUnread},
		"a finding and a gap: the gap wins": {func(a posture.Account, _ int) posture.Evidence {
			if a.Name == "account-0" {
				return unread(a, posture.ReasonDenied)
			}
			return withKey(a)
		}, false, app.SomeUnread},
		"a look-up on the side failed": {func(a posture.Account, _ int) posture.Evidence {
			e := sound(a)
			e.Devices = posture.Missing[[]posture.Device]("ListMFADevices", posture.Gap{Reason: posture.ReasonDenied})
			return e
		}, false, app.SomeUnread},
		"what no way of looking tells fails nothing": {untoldDevices, false, app.AllPass},
		"unless strictness is asked for":             {untoldDevices, true, app.SomeUnread},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := check(t, &estate{n: 3, look: c.look}, func(o *app.CheckOptions) { o.Strict = c.strict })
			if err != nil {
				t.Fatal(err)
			}
			if got := found.Status(); got != c.want {
				t.Errorf("the status is %d, want %d", got, c.want)
			}
		})
	}
}

func untoldDevices(a posture.Account, _ int) posture.Evidence {
	e := sound(a)
	e.Devices = posture.Missing[[]posture.Device](posture.SourceVirtualDevices, posture.Gap{Reason: posture.ReasonNotOffered})
	return e
}

func TestNoAccountIsAnErrorAndNoSuccess(t *testing.T) {
	t.Parallel()
	found, err := check(t, &estate{}, nil)
	if _, ok := errors.AsType[*app.NoAccountsError](err); !ok {
		t.Fatalf("the error is %v", err)
	}
	if found.Status() != app.SomeUnread {
		t.Errorf("the status is %d", found.Status())
	}
}

func TestAnAccountThatWasAskedForAndIsNowhereIsNoSuccess(t *testing.T) {
	t.Parallel()
	found, err := check(t, &estate{n: 3, look: func(a posture.Account, _ int) posture.Evidence { return sound(a) }}, func(o *app.CheckOptions) {
		o.Accounts = []string{"000000000002", "Account-0", "999999999999", "999999999999"}
	})
	if err != nil {
		t.Fatal(err)
	}
	if found.Status() != app.SomeUnread || found.Run.Scanned != 2 || !slices.Equal(found.Unmatched, []string{"999999999999"}) {
		t.Errorf("the status is %d, %s, unmatched %q", found.Status(), found.Run.Coverage(), found.Unmatched)
	}
}

func TestAnInventoryThatBreaksOffIsAGap(t *testing.T) {
	t.Parallel()
	found, err := check(t, &estate{n: 2, listing: errors.New("broke off"), look: func(a posture.Account, _ int) posture.Evidence { return sound(a) }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Gaps) != 1 || found.Status() != app.SomeUnread || found.Run.Scanned != 2 {
		t.Errorf("gaps %v, status %d, scanned %d", found.Gaps, found.Status(), found.Run.Scanned)
	}
}

// pair is two sources, one of which lists no account.
type pair struct{ estate }

func (p *pair) Sources() []string { return []string{"empty", p.source} }

func (p *pair) Inventory(ctx context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	if source == "empty" {
		return commands.Organization{Source: source}, nil
	}
	return p.estate.Inventory(ctx, source, yield)
}

func TestASourceWithoutAccountsIsAGapBesideOneThatHasSome(t *testing.T) {
	t.Parallel()
	p := &pair{estate{n: 2, source: "acme", look: func(a posture.Account, _ int) posture.Evidence { return sound(a) }}}
	found, err := app.Check(t.Context(), app.DefaultConfig(), app.CheckOptions{Now: at, Looker: p})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Gaps) != 1 || found.Gaps[0].Source != "empty" || found.Status() != app.SomeUnread || found.Run.Scanned != 2 {
		t.Errorf("gaps %v, status %d, %s", found.Gaps, found.Status(), found.Run.Coverage())
	}
	if err := found.Rows.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsThrottledIsLookedAtAgainAndNothingElse(t *testing.T) {
	t.Parallel()
	e := &estate{n: 5, look: func(a posture.Account, n int) posture.Evidence {
		switch {
		case a.Name == "account-1" && n < 3:
			return unread(a, posture.ReasonThrottled)
		case a.Name == "account-2":
			return unread(a, posture.ReasonNoAnswer)
		case a.Name == "account-3":
			return unread(a, posture.ReasonDenied)
		default:
			return sound(a)
		}
	}}
	found, err := check(t, e, nil)
	if err != nil {
		t.Fatal(err)
	}
	if found.Run.Total() != 5 || found.Run.Scanned != 3 || found.Rows.Len() != 5 {
		t.Errorf("%s, %d rows", found.Run.Coverage(), found.Rows.Len())
	}
	for id, want := range map[posture.AccountID]int{"000000000001": 1, "000000000002": 3, "000000000003": 4, "000000000004": 1} {
		if e.looks[id] != want {
			t.Errorf("%s was looked at %d times, want %d", id, e.looks[id], want)
		}
	}
}

func TestNoMoreAccountsThanAllowedAreLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	e := &estate{n: 400, look: func(a posture.Account, _ int) posture.Evidence { return sound(a) }}
	if _, err := check(t, e, nil); err != nil {
		t.Fatal(err)
	}
	if limit := app.DefaultConfig().Scan.Concurrency; e.most > limit {
		t.Errorf("%d accounts at once, and %d are allowed", e.most, limit)
	}
}

func TestRowsComeWorstFirstAndHoldNoWholeKeyID(t *testing.T) {
	t.Parallel()
	found, err := check(t, &estate{n: 30, look: func(a posture.Account, _ int) posture.Evidence {
		if a.Name == "account-17" {
			return withKey(a)
		}
		return sound(a)
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // rows can be read again
		var names []string
		for r, err := range found.Rows.All() {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, r.Name)
			for _, k := range r.Keys {
				if !strings.Contains(k.ID, "…") {
					t.Errorf("a key is shown as %s", k.ID)
				}
			}
		}
		if len(names) != 30 || names[0] != "account-17" || !slices.IsSorted(names[1:]) {
			t.Errorf("the order is %v", names)
		}
	}
}

func TestAnInterruptedCheckHasNoResult(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	e := &estate{n: 100, source: "acme", look: func(a posture.Account, _ int) posture.Evidence {
		cancel()
		return sound(a)
	}}
	found, err := app.Check(ctx, app.DefaultConfig(), app.CheckOptions{Now: at, Looker: e})
	if err == nil || found != nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("found %v, error %v", found, err)
	}
}

// TestMemoryDoesNotGrowWithEvidence holds what a report of many accounts keeps alive. Each account's evidence and findings
// take two kilobytes and more; what is kept of it here is an entry of an index.
func TestMemoryDoesNotGrowWithEvidence(t *testing.T) {
	const accounts, most = 20_000, 300
	before := heap()
	found, err := check(t, &estate{n: accounts, look: func(a posture.Account, _ int) posture.Evidence { return withKey(a) }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if each := (heap() - before) / accounts; each > most {
		t.Errorf("%d bytes are kept for each account, at most %d are for its entry", each, most)
	}
	runtime.KeepAlive(found)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAnEntryThatIsAskedForTwiceIsLookedAtOnce(t *testing.T) {
	t.Parallel()
	e := &estate{n: 2, look: func(a posture.Account, _ int) posture.Evidence { return sound(a) }}
	found, err := check(t, e, func(o *app.CheckOptions) { o.Sources = []string{"acme", "acme"} })
	if err != nil {
		t.Fatal(err)
	}
	if found.Run.Total() != 2 || found.Rows.Len() != 2 {
		t.Errorf("%s, %d rows", found.Run.Coverage(), found.Rows.Len())
	}
}

func TestTheWordsOfACheckAreThoseOfTheBot(t *testing.T) {
	t.Parallel()
	e := &estate{n: 3, named: "999999999999", look: func(a posture.Account, _ int) posture.Evidence { return sound(a) }}
	found, err := check(t, e, func(o *app.CheckOptions) {
		o.Accounts = []string{"0000-0000-0002", "ACCOUNT-2", "999999999999", "", "999999999999"}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"999999999999", ""}; !slices.Equal(found.Unmatched, want) || found.Rows.Len() != 2 || found.Status() != app.SomeUnread {
		t.Errorf("not found is %q, want %q; %d rows, status %d", found.Unmatched, want, found.Rows.Len(), found.Status())
	}
}

// uncentralized is an organization in which root access is not centralized.
type uncentralized struct{ *estate }

func (u uncentralized) Inventory(ctx context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	o, err := u.estate.Inventory(ctx, source, yield)
	o.Centralized = posture.Told(false, "ListOrganizationsFeatures", at())
	return o, err
}

func TestACheckOfSingleAccountsSaysNothingOfTheOrganization(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asked  []string
		judged int
		status app.CheckStatus
	}{
		"a check of all accounts judges it": {nil, 1, app.SomeFail},
		"a check of one account does not":   {[]string{"account-1"}, 0, app.AllPass},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := uncentralized{&estate{n: 2, source: "acme", look: func(a posture.Account, _ int) posture.Evidence { return sound(a) }}}
			found, err := app.Check(t.Context(), app.DefaultConfig(), app.CheckOptions{Now: at, Looker: e, Accounts: c.asked})
			if err != nil {
				t.Fatal(err)
			}
			if err = found.Rows.Close(); err != nil {
				t.Fatal(err)
			}
			if len(found.Organization) != c.judged || found.Run.Failing() != c.judged || found.Status() != c.status {
				t.Errorf("%d findings of the organization, %d fail, status %d", len(found.Organization), found.Run.Failing(), found.Status())
			}
		})
	}
}
