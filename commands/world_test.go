package commands_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

// The people of the test workspace.
const (
	team      = "T0000TEAM"
	requester = "U0REQUEST"
	approver  = "U0APPROVE"
	second    = "U0SECOND"
	ownerUser = "U0OWNER"
	stranger  = "U0NOBODY"
	guest     = "U0GUEST"
	groupID   = "S0GROUP"
)

// The accounts of the test organization.
const (
	management = posture.AccountID("111111111111")
	member     = posture.AccountID("222222222222")
	lab        = posture.AccountID("333333333333")
	keyOne     = posture.KeyID("AKIAIOSFODNN7EXAMPLE")
	keyTwo     = posture.KeyID("AKIAI44QH8DHBEXAMPLE")
)

func who(user string) commands.Actor {
	return commands.Actor{User: user, Team: team, Channel: "C0ROOT"}
}

// world is a tiny AWS, a tiny directory and a clock, with the real store and the real verbs between them.
type world struct {
	t   *testing.T
	s   *commands.Service
	st  *store.Store
	cfg commands.Config

	mu       sync.Mutex
	clock    time.Time
	ids      int
	accounts map[posture.AccountID]*account
	people   map[string]commands.Person
	groups   map[string][]string
	broken   map[string]bool // what does not answer: "directory", "groups", "read", "inventory", "inventory of acme", "open"; "entry": acme has left the settings; "channel": it is shared; "feature": root access is not centralized
	channel  map[string]bool
	calls    []string // changing calls, in order, those without effect too
	said     []commands.Work
	kinds    []string
	fate     func(act string) commands.Outcome // what the next calls answer instead of doing it well; nil Kind: do it
	scanned  int
	mirrors  []string          // other `aws` entries
	boundary func(name string) // called before each port call, for crashes
}

type account struct {
	posture.Account
	means    commands.Ways
	keys     []posture.Key
	mfa      bool
	password bool
	signIn   time.Time // the last one; zero: nothing tells
	attached bool
	intact   bool
	gap      *posture.Gap
	contacts []commands.Contact
}

func newWorld(t *testing.T, change ...func(*commands.Config)) *world {
	t.Helper()
	w := &world{
		t: t, clock: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), accounts: map[posture.AccountID]*account{},
		people: map[string]commands.Person{}, groups: map[string][]string{}, broken: map[string]bool{}, channel: map[string]bool{},
	}
	for _, u := range []string{requester, approver, second, ownerUser, stranger, guest} {
		w.people[u] = commands.Person{User: u, Team: team, Email: u + "@example.com", Name: u, Guest: u == guest}
		w.channel[u] = u != stranger
	}
	created := w.clock.Add(-400 * 24 * time.Hour)
	used := w.clock.Add(-100 * 24 * time.Hour)
	key := func(id posture.KeyID) posture.Key {
		return posture.Key{ID: id, Status: posture.KeyActive, Created: created.Add(time.Duration(len(id)+int(id[5])) * time.Second), LastUsed: used}
	}
	add := func(id posture.AccountID, name string, role posture.Role, ways commands.Ways, keys ...posture.Key) {
		w.accounts[id] = &account{
			Account: posture.Account{ID: id, Source: "acme", Partition: "aws", Name: name, State: posture.StateActive, Role: role, Email: "root+" + name + "@example.com"},
			means:   ways, keys: keys, password: true, intact: true,
		}
	}
	add(management, "management", posture.RoleManagement, commands.Ways{Deactivate: remediation.MeansGuided, Delete: remediation.MeansGuided}, key("AKIAMANAGEMENT000001"))
	add(member, "billing", posture.RoleMember, commands.Ways{Deactivate: remediation.MeansOrganization, Delete: remediation.MeansOrganization}, key(keyOne))
	add(lab, "lab", posture.RoleStandalone, commands.Ways{Deactivate: remediation.MeansRootCredentials, Delete: remediation.MeansRootCredentials}, key(keyTwo))

	w.cfg = commands.Config{
		Team: team, Approvers: commands.People{Users: []string{approver, second}},
		Requesters: commands.People{Users: []string{requester, approver, second}}, Policy: remediation.DefaultPolicy(), Version: "v0", DailyCap: 5, OwnerTag: "owner",
		Pauses: []time.Duration{0, 0, 0},
	}
	for _, c := range change {
		c(&w.cfg)
	}
	var err error
	w.st, err = store.Open(t.Context(), store.Config{
		URL: filepath.Join(t.TempDir(), "rootcheck.db"), Now: w.now, Replica: "test", Build: "v0", Lease: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.st.Close(); err != nil {
			t.Error(err)
		}
	})
	w.boot()
	return w
}

// boot makes the verbs anew, as a restarted process would.
func (w *world) boot() {
	w.t.Helper()
	var err error
	w.s, err = commands.New(w.cfg, commands.Deps{
		Ledger: w.st, Queue: w.st, Estate: w.st, Inspector: inspector{w}, Executor: executor{w}, Directory: directory{w},
		Now: w.now, NewID: w.newID, Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("r%03d", w.ids)
}

// at runs f with the world to itself.
func (w *world) at(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) port(name string) {
	w.mu.Lock()
	f := w.boundary
	w.mu.Unlock()
	if f != nil {
		f(name)
	}
}

func (w *world) isBroken(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken[what]
}

// handlers are the verbs' own, and one that listens to everything that the Slack edge would be told.
func (w *world) handlers() map[string]commands.Handler {
	h := w.s.Handlers()
	listen := func(_ context.Context, l commands.Lease) (commands.Change, error) {
		body, err := l.Work()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.said = append(w.said, body)
		w.kinds = append(w.kinds, l.Kind)
		return commands.Change{}, err
	}
	for _, k := range []string{
		commands.KindCard, commands.KindTell, commands.KindAlarm, commands.KindOwner, commands.KindDigest, commands.KindNew, commands.KindNotice,
	} {
		h[k] = listen
	}
	return h
}

// settle does everything that is due, with the real worker.
func (w *world) settle() {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	worker := commands.NewWorker(w.st, w.st, w.handlers(), w.now, slog.New(slog.NewTextHandler(w.t.Output(), nil)))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	bounded, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	settled := worker.Settled(bounded)
	stop()
	if err := <-ended; err != nil {
		w.t.Fatal(err)
	}
	if !settled {
		w.t.Fatal("the work that fell due did not settle")
	}
}

// pass lets time go by in steps, and the work of each step be done.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for d > 0 {
		step := min(d, 6*time.Hour)
		w.at(func() { w.clock = w.clock.Add(step) })
		d -= step
		w.settle()
	}
}

func (w *world) scan() commands.Run {
	w.t.Helper()
	if err := w.st.Put(w.t.Context(), commands.ScanItem(commands.TriggerSchedule, w.now())); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	r, err := w.st.LastRun(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) request(id remediation.RequestID) remediation.Request {
	w.t.Helper()
	r, err := w.s.Request(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// wantState fails unless the request is in the state.
func (w *world) wantState(id remediation.RequestID, want remediation.State) remediation.Request {
	w.t.Helper()
	r := w.request(id)
	if r.State != want {
		w.t.Fatalf("request is %s (%s %s), want %s", r.State, r.Note, r.NoteDetail, want)
	}
	return r
}

// actions are the audit records of a request, oldest first.
func (w *world) audit(q commands.AuditQuery) []audit.Leaf {
	w.t.Helper()
	leaves, err := w.st.Audit(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(leaves)
	return leaves
}

// wantRefusal fails unless the error is the refusal and its record is the newest of the log.
func (w *world) wantRefusal(err error, code commands.RefusalCode) *commands.Refusal {
	w.t.Helper()
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != code {
		w.t.Fatalf("got %v, want the refusal %q", err, code)
	}
	newest := w.audit(commands.AuditQuery{Limit: 1})
	if len(newest) == 0 || newest[0].Outcome != audit.OutcomeRefused || newest[0].Reason != string(code) {
		w.t.Fatalf("the newest audit record is %+v, want the refusal %q", newest, code)
	}
	return r
}

func (w *world) changes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

func (w *world) heard(kind string) []commands.Work {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []commands.Work
	for i, k := range w.kinds {
		if k == kind {
			found = append(found, w.said[i])
		}
	}
	return found
}

func (w *world) notices(kind commands.NoticeKind) []commands.Work {
	return slices.DeleteFunc(w.heard(commands.KindNotice), func(n commands.Work) bool { return n.Notice != kind })
}
