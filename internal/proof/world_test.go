package proof_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// The people of the workspace.
const (
	team      = "T0000TEAM"
	channel   = "C0ROOT"
	requester = "U0REQUEST"
	approver  = "U0APPROVE"
	second    = "U0SECOND" // approves as a member of the group
	groupID   = "S0GROUP"
)

func who(user string) commands.Actor { return commands.Actor{User: user, Team: team, Channel: channel} }

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// directory is the workspace's people. What is broken does not answer.
type directory struct {
	mu     sync.Mutex
	people map[string]commands.Person
	groups map[string][]string
	away   map[string]bool // not in the channel
	broken map[string]bool // "people", "groups"
}

var errDown = errors.New("it does not answer")

func newDirectory() *directory {
	d := &directory{
		people: map[string]commands.Person{}, groups: map[string][]string{groupID: {second}},
		away: map[string]bool{}, broken: map[string]bool{},
	}
	for _, u := range []string{requester, approver, second} {
		d.people[u] = commands.Person{User: u, Team: team, Email: strings.ToLower(u) + "@example.com", Name: u}
	}
	return d
}

func (d *directory) Person(_ context.Context, user string) (commands.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken["people"] {
		return commands.Person{}, errDown
	}
	p, ok := d.people[user]
	if !ok {
		return commands.Person{}, commands.ErrNotFound
	}
	return p, nil
}

func (d *directory) Group(_ context.Context, group string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken["groups"] {
		return nil, errDown
	}
	return slices.Clone(d.groups[group]), nil
}

func (d *directory) InChannel(_ context.Context, user string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken["people"] {
		return false, errDown
	}
	_, known := d.people[user]
	return known && !d.away[user], nil
}

func (d *directory) Shared(context.Context) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken["people"] {
		return false, errDown
	}
	return false, nil
}

func (d *directory) ByEmail(_ context.Context, email string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, p := range d.people {
		if p.Email == email {
			return id, nil
		}
	}
	return "", commands.ErrNotFound
}

// slackSink is a workspace that only listens: what is posted, and what is drawn again in place.
type slackSink struct {
	mu   sync.Mutex
	said []saying
}

type saying struct {
	kind string
	work commands.Work
	body string // as it would go over the wire
}

// handle does what the edge does with any item: it looks where the message stands, posts or draws it, and remembers it.
func (s *slackSink) handle(ctx context.Context, m *mortal, b commands.Board, l commands.Lease) error {
	w, err := l.Work()
	if err != nil {
		return err
	}
	ref, err := b.Message(ctx, l.Key)
	if err != nil && !errors.Is(err, commands.ErrNotFound) {
		return err
	}
	ref, err = effect(m, "Slack "+l.Kind, func() (commands.MessageRef, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, unreadable := json.Marshal(w)
		s.said = append(s.said, saying{l.Kind, w, string(body)})
		if ref.TS == "" {
			ref = commands.MessageRef{Channel: channel, TS: fmt.Sprintf("%d.%06d", len(s.said), len(s.said))}
		}
		return ref, unreadable
	})
	if err != nil {
		return err
	}
	return b.SaveMessage(ctx, l.Key, ref)
}

// heard are the sayings of the kinds, oldest first.
func (s *slackSink) heard(kinds ...string) []saying {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []saying
	for _, x := range s.said {
		if slices.Contains(kinds, x.kind) {
			found = append(found, x)
		}
	}
	return found
}

// world is everything outside the process: AWS, Slack, the database and the clock. It outlives every process.
type world struct {
	t      testing.TB
	clock  *clock
	org    *awssim.Organization
	place  int
	people *directory
	slack  *slackSink
	url    string
	cfg    commands.Config
	log    *slog.Logger
	lease  time.Duration
	signer audit.Signer

	mu    sync.Mutex
	m     *mortal // of the process that runs
	ids   int
	heads []string     // published
	kept  []audit.Head // at each end of a process
}

func newWorld(tb testing.TB, url string) *world {
	tb.Helper()
	w := &world{t: tb, clock: newClock(), people: newDirectory(), slack: &slackSink{}, url: url, log: slog.New(slog.DiscardHandler)}
	w.signer = must[audit.Signer](tb)(audit.NewSigner("proof", randomness{}))
	w.m = newMortal(point{}, 0, func() {})
	w.org = awssim.New(awssim.Config{Now: w.clock.Now})
	tb.Cleanup(w.org.Close)
	w.place = theCloud.occupy(tb, wire{w.org.API(), w.mortal})
	policy := remediation.DefaultPolicy()
	policy.Watch = 48 * time.Hour // two days want two readings, as seven want seven
	w.cfg = commands.Config{
		Team: team, Approvers: commands.People{Users: []string{approver}, Groups: []string{groupID}},
		Requesters: commands.People{Users: []string{requester}}, Policy: policy, DailyCap: 5, Version: "proof",
	}
	return w
}

// randomness makes the key of the log's signer. Nothing rests on its being secret here.
type randomness struct{}

func (randomness) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i*7 + 1)
	}
	return len(b), nil
}

func (w *world) mortal() *mortal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.m
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("r%04d", w.ids)
}

// process is one run of the bot between two crashes.
type process struct {
	w        *world
	m        *mortal
	ctx      context.Context
	stop     context.CancelFunc
	st       *store.Store
	s        *commands.Service
	edge     edge
	renewed  time.Time // when the edge was made
	queue    commands.Queue
	ledger   commands.Ledger
	handlers map[string]commands.Handler
}

// start begins a process that is to die at a point, or after so many. It opens the database anew.
func (w *world) start(at point, after int) *process {
	w.t.Helper()
	p := &process{w: w}
	p.ctx, p.stop = context.WithCancel(w.t.Context())
	p.m = newMortal(at, after, p.stop)
	w.mu.Lock()
	w.m = p.m
	w.mu.Unlock()
	p.st = must[*store.Store](w.t)(store.Open(w.t.Context(), store.Config{
		URL: w.url, Now: w.clock.Now, Replica: "proof", Build: "proof", Lease: w.lease, Log: w.log,
	}))
	p.renew()
	p.queue, p.ledger = mortalQueue{p.st, p.m}, mortalLedger{p.st, p.m}
	p.s = must[*commands.Service](w.t)(commands.New(w.cfg, commands.Deps{
		Ledger: p.ledger, Queue: p.queue, Estate: mortalEstate{p.st, p.m}, Inspector: mortalInspector{&p.edge, p.m},
		Executor: mortalExecutor{&p.edge, p.m}, Directory: mortalDirectory{w.people, p.m}, Now: w.clock.Now, NewID: w.newID, Log: w.log,
	}))
	p.handlers = p.s.Handlers()
	maps.Copy(p.handlers, w.slack.mortalHandlers(p.m, mortalBoard{p.st, p.m}))
	return p
}

// renew makes the AWS edge anew, as a restart does.
func (p *process) renew() {
	w := p.w
	w.t.Helper()
	auditor, remediator, err := awsroot.New(w.t.Context(), awsroot.Config{
		Sources: []awsroot.Source{
			{Name: "acme", Organization: &awsroot.Organization{
				Profile: profile(w.place, "operator"), Delete: &awsroot.Delete{}, Quarantine: &awsroot.Quarantine{PolicyID: awssim.QuarantinePolicyID},
			}},
			{Name: "lab", Account: &awsroot.Account{Profile: profile(w.place, "lab-reader"), RootProfile: profile(w.place, "lab-root")}},
		},
		OwnerTag: "owner", Now: w.clock.Now, Version: "proof", Log: w.log,
	})
	ok(w.t, err)
	p.edge.renew(auditor, remediator)
	p.renewed = w.clock.Now()
}

// settle does what is due until nothing is, or the process dies.
func (p *process) settle() {
	p.w.t.Helper()
	if p.m.isDead() {
		return
	}
	if p.w.clock.Now().Sub(p.renewed) > time.Minute {
		p.renew() // the limiters have filled up again, had this minute been a real one
	}
	ctx, stop := context.WithTimeout(p.ctx, time.Minute)
	defer stop()
	worker := commands.NewWorker(p.queue, p.ledger, p.handlers, p.w.clock.Now, p.w.log)
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	if !worker.Settled(ctx) && !p.m.isDead() {
		p.w.t.Error("the work that fell due did not settle")
	}
	stop()
	if err := <-ended; err != nil {
		p.w.t.Error(err)
	}
}

// end closes what is left of a process, dead or not. A dead one is down for longer than a lease: the database's clock is
// made to say so, since it cannot be moved.
func (p *process) end() {
	w := p.w
	w.t.Helper()
	p.stop()
	ctx := context.WithoutCancel(w.t.Context())
	w.kept = append(w.kept, must[audit.Head](w.t)(p.st.Head(ctx)))
	ok(w.t, p.st.Close())
	if p.m.isDead() {
		ok(w.t, w.sql(`UPDATE item SET leased_until = 0`))
	}
}

// sql changes the database behind the bot's back.
func (w *world) sql(statements ...string) error {
	driver := "sqlite"
	if strings.HasPrefix(w.url, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, w.url)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := db.ExecContext(w.t.Context(), s); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s, err), db.Close())
		}
	}
	return db.Close()
}

// scan looks at everything once.
func (w *world) scan() {
	w.t.Helper()
	p := w.start(point{}, 0)
	ok(w.t, p.st.Put(w.t.Context(), commands.ScanItem(commands.TriggerSchedule, w.clock.Now())))
	p.settle()
	must[commands.Run](w.t)(p.st.LastRun(w.t.Context()))
	p.end()
}

// publish signs the log's head and keeps it, as a digest does.
func (w *world) publish(st *store.Store) {
	w.t.Helper()
	h := must[audit.Head](w.t)(st.Head(w.t.Context()))
	signed := must[audit.SignedHead](w.t)(w.signer.SignHead(h, w.clock.Now()))
	ok(w.t, st.SaveHead(w.t.Context(), signed))
	w.heads = append(w.heads, signed.String())
}

// verify checks the audit log against the stored hashes, the published heads and the heads at each end of a process.
func (w *world) verify(st *store.Store) audit.Report {
	w.t.Helper()
	var report audit.Report
	ok(w.t, st.ReadLog(w.t.Context(), func(l store.Log) (err error) {
		report, err = audit.Verify(w.t.Context(), audit.Check{
			Records: l.Records, Stored: l.Hashes, Heads: slices.Concat(l.Heads, w.heads), Verifiers: []string{w.signer.Verifier()}, Own: w.kept,
		})
		return err
	}))
	return report
}

// database is one of the two that a proof holds on.
type database struct {
	name  string
	empty func(tb testing.TB) string
	copy  func(tb testing.TB, url string) string // of one that nobody has open
}

func databases() []database {
	return []database{
		{
			"sqlite",
			func(tb testing.TB) string { tb.Helper(); return filepath.Join(memoryDir(tb), "rootcheck.db") },
			func(tb testing.TB, url string) string {
				tb.Helper()
				path := filepath.Join(memoryDir(tb), "rootcheck.db")
				ok(tb, os.WriteFile(path, must[[]byte](tb)(os.ReadFile(url)), 0o600))
				return path
			},
		},
		{
			"postgres",
			func(tb testing.TB) string { tb.Helper(); return postgres.Database(tb) },
			func(tb testing.TB, url string) string { tb.Helper(); return postgres.Copy(tb, url) },
		},
	}
}

// memoryDir is a folder in memory where there is one: a crash of the process alone leaves the file as it is, on any disk.
func memoryDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "rootcheck-proof") //nolint:usetesting // TempDir lies on the disk
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { ok(tb, os.RemoveAll(dir)) })
	return dir
}

// fingerprint names a key as the verbs want it.
func fingerprint(id string) string { return posture.KeyID(id).Fingerprint() }
