package commands_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// tap stands between the bot and a simulated organization, which changes while it is scanned. Both functions are called one
// at a time, before a call is answered and with each page of accounts before it is sent.
type tap struct {
	next http.Handler

	mu     sync.Mutex
	before func(action, account string)
	page   func(n int, page *listPage)
	pages  int // of the listing under way
	empty  int // pages that held nothing but a token
}

// listPage is an answer to ListAccounts.
type listPage struct {
	Accounts  []map[string]any
	NextToken string `json:",omitempty"`
}

func (h *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	account := ""
	if action == "" {
		form := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/", bytes.NewReader(body))
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		action, account = form.FormValue("Action"), form.FormValue("TargetPrincipal")
	}
	h.mu.Lock()
	if h.before != nil {
		h.before(action, account)
	}
	h.mu.Unlock()
	if action != "ListAccounts" {
		h.next.ServeHTTP(w, r)
		return
	}
	made := httptest.NewRecorder()
	h.next.ServeHTTP(made, r)
	var p listPage
	if err := json.Unmarshal(made.Body.Bytes(), &p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !bytes.Contains(body, []byte("NextToken")) {
		h.pages = 0
	}
	h.pages++
	if len(p.Accounts) == 0 && p.NextToken != "" {
		h.empty++
	}
	if h.page != nil {
		h.page(h.pages, &p)
	}
	maps.Copy(w.Header(), made.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(made.Code)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// changing is a world whose AWS is the simulator's, over the wire, and looked at by the real scanner.
type changing struct {
	*world
	org *awssim.Organization
	tap *tap
}

// newChanging has an organization of 64 accounts, on four pages with an empty one among them. It sets the process's
// environment, so its tests do not run in parallel.
func newChanging(t *testing.T) *changing {
	t.Helper()
	w := &changing{world: newWorld(t, func(c *commands.Config) { c.Concurrency = 4 })}
	w.org = awssim.New(awssim.Config{Now: w.now, Accounts: 64})
	w.tap = &tap{next: w.org.API()}
	server := httptest.NewServer(w.tap)
	t.Cleanup(func() { w.org.Close(); server.Close() })
	dir := t.TempDir()
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "made-up", "AWS_REGION": "us-east-1",
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_CONFIG_FILE": filepath.Join(dir, "config"),
		"AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
	auditor, _, err := awsroot.New(t.Context(), awsroot.Config{
		Sources: []awsroot.Source{{Name: "acme", Organization: &awsroot.Organization{}}}, Now: w.now, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	w.s, err = commands.New(w.cfg, commands.Deps{
		Ledger: w.st, Queue: w.st, Estate: w.st, Inspector: auditor, Executor: executor{w.world}, Directory: directory{w.world},
		Now: w.now, NewID: w.newID, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// order tells the simulator what happens to an account.
func (w *changing) order(body string) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://127.0.0.1/control/aws/account", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	made := httptest.NewRecorder()
	w.org.Control().ServeHTTP(made, r)
	if made.Code != http.StatusOK {
		w.t.Errorf("order %s: %s", body, made.Body)
	}
}

// once is what happens when the scan first asks for a root session of an account: after it was listed, before it is seen.
func (w *changing) once(id, body string) {
	done := false
	w.tap.before = func(action, account string) {
		if action == "AssumeRoot" && account == id && !done {
			done = true
			w.order(body)
		}
	}
}

// next scans an hour later.
func (w *changing) next() commands.Run {
	w.t.Helper()
	w.at(func() { w.clock = w.clock.Add(time.Hour) })
	return w.scan()
}

// look is the last look at an account, and whether it is known at all.
func (w *changing) look(id string) (commands.Look, bool) {
	w.t.Helper()
	known := map[string]commands.Look{}
	if err := w.st.Each(w.t.Context(), func(l commands.Look) error {
		known[string(l.Evidence.Account.ID)] = l
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	l, ok := known[id]
	return l, ok
}

func (w *changing) coverage() commands.Coverage {
	w.t.Helper()
	l, err := w.s.List(w.t.Context(), who(requester), "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return l.Coverage
}

// organizations counts the calls to Organizations, and empties the log.
func (w *changing) organizations() map[string]int {
	calls := map[string]int{}
	for _, c := range w.org.Calls() {
		if c.Service == "organizations" {
			calls[c.Action]++
		}
	}
	w.org.ClearCalls()
	return calls
}

// sessions counts the root sessions that were asked for, and empties the log.
func (w *changing) sessions() map[string]int {
	calls := map[string]int{}
	for _, c := range w.org.Calls() {
		if c.Action == "AssumeRoot" {
			calls[c.Account]++
		}
	}
	w.org.ClearCalls()
	return calls
}

const newcomer = "456456456456"

func TestAnAccountThatJoinsWhileTheScanRunsComesWithTheNextOne(t *testing.T) {
	w := newChanging(t)
	w.tap.page = func(_ int, p *listPage) {
		if p.NextToken == "" {
			w.tap.page = nil
			w.order(`{"account":"` + newcomer + `","do":"join"}`)
		}
	}
	if run := w.next(); run.Listed != 64 || len(run.Gaps) != 0 {
		t.Errorf("the scan in which it joined is %+v", run)
	}
	if _, known := w.look(newcomer); known || w.coverage().Listed != 64 {
		t.Errorf("the header claims %d accounts, the newcomer among them: %v", w.coverage().Listed, known)
	}
	if w.tap.empty == 0 {
		t.Error("no page was empty, so nothing is proved about those")
	}
	run := w.next()
	l, known := w.look(newcomer)
	if _, scanned := (posture.Posture{Findings: l.Findings}).Scanned(); run.Listed != 65 || !known || !scanned {
		t.Errorf("the next scan is %+v and knows the newcomer as %+v", run, l.Findings)
	}
}

func TestAnAccountThatJoinsBeforeTheLastPageIsReadIsSeenAtOnce(t *testing.T) {
	w := newChanging(t)
	w.tap.page = func(n int, _ *listPage) {
		if n == 1 {
			w.order(`{"account":"` + newcomer + `","do":"join"}`)
		}
	}
	if run := w.next(); run.Listed != 65 || run.Listed != run.Scanned+run.Failed || w.coverage().Listed != 65 {
		t.Errorf("the scan is %+v", run)
	}
}

func TestAnAccountThatIsNoActiveMemberAnyMoreWhenItIsLookedAtIsSaidToBeThat(t *testing.T) {
	for name, c := range map[string]struct {
		order  string
		reason posture.Reason
		detail string
		asked  int
		stays  bool
	}{
		"it left, and the list passes over another": {`"do":"leave"`, posture.ReasonLeft, "", 2, false},
		"it was suspended":                          {`"state":"SUSPENDED"`, posture.ReasonSuspended, "SUSPENDED", 1, true},
		"it is being closed":                        {`"state":"PENDING_CLOSURE"`, posture.ReasonSuspended, "PENDING_CLOSURE", 1, true},
		"it was closed":                             {`"state":"CLOSED"`, posture.ReasonSuspended, "CLOSED", 1, true},
		"it only denies access":                     {`"denies":true`, posture.ReasonDenied, "", 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newChanging(t)
			w.next()
			w.once(awssim.PaymentsAccount, `{"account":"`+awssim.PaymentsAccount+`",`+c.order+`}`)
			w.organizations()
			run := w.next()
			if got := w.organizations(); run.Listed != 64 || got["DescribeAccount"] != c.asked || got["ListAccounts"] != w.tap.pages {
				t.Errorf("the scan is %+v and made the calls %v", run, got)
			}
			l, _ := w.look(awssim.PaymentsAccount)
			gap := l.Unread(posture.RootAccessKey)
			if gap == nil || gap.Reason != c.reason || c.detail != "" && gap.Detail != c.detail || w.coverage().Why[c.reason] == 0 {
				t.Errorf("the account cannot be read for %+v, the header says %v", gap, w.coverage().Why)
			}
			if last := l.Before[posture.RootAccessKey]; last.Status != posture.Failed {
				t.Errorf("what was known of its key is %+v", last)
			}
			for _, f := range l.Findings {
				if f.Status == posture.Passed {
					t.Errorf("it passes %s", f.Control)
				}
			}
			w.next()
			if got := w.organizations()["DescribeAccount"]; c.stays && got != 0 {
				t.Errorf("that it stays so cost %d more calls", got)
			}
			if _, known := w.look(awssim.PaymentsAccount); known != c.stays {
				t.Errorf("after the next scan it is known: %v", known)
			}
		})
	}
}

func TestAnAccountThatMovesWhileTheScanRunsIsSeenOnceAndShownWhereItIsByTheNext(t *testing.T) {
	w := newChanging(t)
	w.next()
	w.sessions()
	w.once(awssim.PaymentsAccount, `{"account":"`+awssim.PaymentsAccount+`","do":"move","target":"ou-acme-security"}`)
	run := w.next()
	l, _ := w.look(awssim.PaymentsAccount)
	if n := w.sessions()[awssim.PaymentsAccount]; run.Listed != 64 || n != 1 || l.Evidence.Account.Unit != "/ou-acme-workload/ou-acme-producti" {
		t.Errorf("the scan is %+v, looked at it %d times, and shows it in %s", run, n, l.Evidence.Account.Unit)
	}
	w.next()
	l, _ = w.look(awssim.PaymentsAccount)
	if n := w.sessions()[awssim.PaymentsAccount]; n != 1 || l.Evidence.Account.Unit != "/ou-acme-security" {
		t.Errorf("the next scan looked at it %d times and shows it in %s", n, l.Evidence.Account.Unit)
	}
}

func TestAPageThatRepeatsAccountsCountsThemOnce(t *testing.T) {
	w := newChanging(t)
	var first []map[string]any
	w.tap.page = func(n int, p *listPage) {
		if n == 1 {
			first = slices.Clone(p.Accounts)
		} else {
			p.Accounts = append(p.Accounts, first...)
		}
	}
	run := w.next()
	if run.Listed != 64 || run.Scanned+run.Failed != 64 || w.coverage().Listed != 64 || len(run.Gaps) != 0 {
		t.Errorf("the scan is %+v", run)
	}
	for id, n := range w.sessions() {
		if n != 1 {
			t.Errorf("%s was looked at %d times", id, n)
		}
	}
}

// TestAMemberThatTheListPassedOverIsLookedAtAllTheSame has an account of the first page leave while the list is read: every
// account behind it moves up by one, and the first of a page that was not read yet stands on one that was.
func TestAMemberThatTheListPassedOverIsLookedAtAllTheSame(t *testing.T) {
	w := newChanging(t)
	w.next()
	all := map[string]bool{}
	w.tap.page = func(n int, p *listPage) {
		for _, a := range p.Accounts {
			all[fmt.Sprint(a["Id"])] = true
		}
		if n == 1 {
			w.order(`{"account":"` + awssim.MobileAccount + `","do":"leave"}`)
		}
	}
	w.organizations()
	run := w.next()
	if len(all) != 63 {
		t.Fatalf("the list named %d accounts, so nothing was passed over", len(all))
	}
	if len(run.Gaps) != 0 || run.Listed != 64 || run.Scanned+run.Failed != 64 {
		t.Errorf("the scan is %+v", run)
	}
	passed := 0
	for _, id := range w.org.Accounts() {
		if l, known := w.look(id); id != awssim.LabAccount && id != awssim.MobileAccount && (!known || l.Run != run.ID) {
			t.Errorf("%s was lost: known %v", id, known)
		} else if known && !all[id] {
			passed++
		}
	}
	if passed != 1 {
		t.Errorf("%d accounts were passed over and looked at", passed)
	}
	w.tap.page = nil
	if run = w.next(); run.Listed != 63 || len(run.Gaps) != 0 {
		t.Errorf("the next scan is %+v", run)
	}
	if _, known := w.look(awssim.MobileAccount); known {
		t.Error("the account that left is still there")
	}
}

func TestAListThatIsNotToBeBelievedSaysSoAndLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		page   func(n int, p *listPage)
		detail string
	}{
		"a token comes back": {func(_ int, p *listPage) {
			if p.NextToken != "" {
				p.NextToken = "next-20"
			}
		}, "the same page came twice"},
		"a tenth is missing": {func(n int, p *listPage) {
			if n == 1 {
				p.Accounts = p.Accounts[7:]
			}
		}, "57 accounts were listed, 64 are known"},
		"no account is listed": {func(_ int, p *listPage) { p.Accounts, p.NextToken = nil, "" }, "no account was listed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newChanging(t)
			w.next()
			before, err := w.s.DrawDigest(t.Context(), "first")
			if err != nil {
				t.Fatal(err)
			}
			if _, err = w.s.DigestPosted(t.Context(), "first", before); err != nil {
				t.Fatal(err)
			}
			w.tap.page = c.page
			run := w.next()
			if len(run.Gaps) != 1 || run.Gaps[0].Gap.Detail != c.detail || run.Gaps[0].Gap.Fix == "" {
				t.Fatalf("the gaps are %+v", run.Gaps)
			}
			if got := w.notices(commands.NoticeSourceGap); len(got) != 1 {
				t.Errorf("the channel was told %+v", got)
			}
			cover := w.coverage()
			if cover.Listed != 64 || cover.Scanned >= before.Coverage.Scanned || cover.Why[posture.ReasonStale] == 0 || len(cover.Gaps) != 1 {
				t.Errorf("the header says %+v", cover)
			}
			d, err := w.s.Digest(t.Context(), w.now())
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range d.Changes {
				if change.Change == posture.Resolved || change.Change == posture.Gone {
					t.Errorf("the digest tells of %+v", change)
				}
			}
			w.tap.page = nil
			if run = w.next(); run.Listed != 64 || len(run.Gaps) != 0 || w.coverage().Scanned != before.Coverage.Scanned {
				t.Errorf("once it is whole again the scan is %+v", run)
			}
		})
	}
}
