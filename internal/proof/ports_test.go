package proof_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file numbers the boundaries of a process. The rules are:
//   - What has an effect is passed twice, before it and after it. What only reads is passed once: to die before a reading is
//     to die after whatever came before it.
//   - Nothing is embedded. A port that gets a new method does not compile here until the method is a boundary too.
//   - A process that has died does nothing more: each boundary refuses, and nothing behind it is asked.

var errDead = errors.New("the process has died")

// point is one boundary: the n-th of its name.
type point struct {
	name string
	n    int
}

func (p point) String() string { return fmt.Sprintf("%s (%d)", p.name, p.n) }

// mortal is a process that dies at a point, or when it has passed so many.
type mortal struct {
	at     point  // dies here; the zero point: nowhere
	after  int    // dies at its so-many-th boundary; 0: never
	killed func() // is called once when it dies

	mu     sync.Mutex
	counts map[string]int
	passed []point
	dead   bool
}

func newMortal(at point, after int, killed func()) *mortal {
	return &mortal{at: at, after: after, killed: killed, counts: map[string]int{}}
}

// pass returns errDead when the process is dead, or dies here.
func (m *mortal) pass(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errDead
	}
	m.counts[name]++
	here := point{name, m.counts[name]}
	m.passed = append(m.passed, here)
	if here == m.at || len(m.passed) == m.after {
		m.dead = true
		m.killed()
		return errDead
	}
	return nil
}

func (m *mortal) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *mortal) points() []point {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.passed
}

// effect passes before and after something that changes the world.
func effect[T any](m *mortal, name string, f func() (T, error)) (v T, err error) {
	if dead := m.pass(name + " about to begin"); dead != nil {
		return v, dead
	}
	result, err := f()
	if dead := m.pass(name + " done"); dead != nil {
		return v, dead
	}
	return result, err
}

func effectOnly(m *mortal, name string, f func() error) error {
	_, err := effect(m, name, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// reading passes once.
func reading[T any](m *mortal, name string, f func() (T, error)) (v T, err error) {
	if err := m.pass(name); err != nil {
		return v, err
	}
	return f()
}

type mortalQueue struct {
	q commands.Queue
	m *mortal
}

func (q mortalQueue) Put(ctx context.Context, i commands.Item) error {
	return effectOnly(q.m, "Queue.Put "+i.Kind, func() error { return q.q.Put(ctx, i) })
}

// Claim is a boundary only when it takes something. The worker asks as often as it likes.
func (q mortalQueue) Claim(ctx context.Context, kinds ...string) (commands.Lease, error) {
	if q.m.isDead() {
		return commands.Lease{}, errDead
	}
	l, err := q.q.Claim(ctx, kinds...)
	if err != nil {
		return l, err
	}
	if err := q.m.pass("Queue.Claim " + l.Kind); err != nil {
		return commands.Lease{}, err
	}
	return l, nil
}

func (q mortalQueue) Finish(ctx context.Context, l commands.Lease) error {
	return effectOnly(q.m, "Queue.Finish "+l.Kind, func() error { return q.q.Finish(ctx, l) })
}

func (q mortalQueue) Retry(ctx context.Context, l commands.Lease, at time.Time) error {
	return effectOnly(q.m, "Queue.Retry "+l.Kind, func() error { return q.q.Retry(ctx, l, at) })
}

func (q mortalQueue) Defer(ctx context.Context, l commands.Lease, at time.Time) error {
	return effectOnly(q.m, "Queue.Defer "+l.Kind, func() error { return q.q.Defer(ctx, l, at) })
}

func (q mortalQueue) Extend(ctx context.Context, l commands.Lease) error {
	return effectOnly(q.m, "Queue.Extend "+l.Kind, func() error { return q.q.Extend(ctx, l) })
}

func (q mortalQueue) Park(ctx context.Context, l commands.Lease, why string) error {
	return effectOnly(q.m, "Queue.Park "+l.Kind, func() error { return q.q.Park(ctx, l, why) })
}

// Due is what the test itself asks to know whether anything is left, hence no boundary.
func (q mortalQueue) Due(ctx context.Context, at time.Time) (map[string]int, error) {
	if q.m.isDead() {
		return nil, errDead
	}
	return q.q.Due(ctx, at)
}

func (q mortalQueue) Wake() <-chan struct{} { return q.q.Wake() }

type mortalLedger struct {
	l commands.Ledger
	m *mortal
}

// Commit is named by what it puts on record, so that each kind of step is a point of its own.
func (l mortalLedger) Commit(ctx context.Context, c commands.Change) (audit.Receipt, error) {
	words := []string{"Ledger.Commit"}
	if c.Lease != nil {
		words = append(words, "of", c.Lease.Kind)
	}
	for _, e := range c.Audit {
		words = append(words, string(e.Action))
	}
	return effect(l.m, strings.Join(words, " "), func() (audit.Receipt, error) { return l.l.Commit(ctx, c) })
}

func (l mortalLedger) Request(ctx context.Context, id remediation.RequestID) (remediation.Request, error) {
	return reading(l.m, "Ledger.Request", func() (remediation.Request, error) { return l.l.Request(ctx, id) })
}

func (l mortalLedger) Requests(ctx context.Context, q commands.RequestQuery) ([]remediation.Request, error) {
	return reading(l.m, "Ledger.Requests", func() ([]remediation.Request, error) { return l.l.Requests(ctx, q) })
}

func (l mortalLedger) Block(ctx context.Context, source string, account posture.AccountID) (remediation.Block, error) {
	return reading(l.m, "Ledger.Block", func() (remediation.Block, error) { return l.l.Block(ctx, source, account) })
}

func (l mortalLedger) Switch(ctx context.Context) (commands.Switch, error) {
	return reading(l.m, "Ledger.Switch", func() (commands.Switch, error) { return l.l.Switch(ctx) })
}

func (l mortalLedger) Owner(ctx context.Context, source string, account posture.AccountID) (commands.Owner, error) {
	return reading(l.m, "Ledger.Owner", func() (commands.Owner, error) { return l.l.Owner(ctx, source, account) })
}

func (l mortalLedger) Owners(ctx context.Context) ([]commands.Owner, error) {
	return reading(l.m, "Ledger.Owners", func() ([]commands.Owner, error) { return l.l.Owners(ctx) })
}

func (l mortalLedger) Mutes(ctx context.Context) ([]commands.Mute, error) {
	return reading(l.m, "Ledger.Mutes", func() ([]commands.Mute, error) { return l.l.Mutes(ctx) })
}

func (l mortalLedger) Mute(ctx context.Context, source string, account posture.AccountID, control posture.Control) (commands.Mute, error) {
	return reading(l.m, "Ledger.Mute", func() (commands.Mute, error) { return l.l.Mute(ctx, source, account, control) })
}

func (l mortalLedger) Deletions(ctx context.Context, since time.Time) (int, error) {
	return reading(l.m, "Ledger.Deletions", func() (int, error) { return l.l.Deletions(ctx, since) })
}

func (l mortalLedger) LastAudit(ctx context.Context) (time.Time, error) {
	return reading(l.m, "Ledger.LastAudit", func() (time.Time, error) { return l.l.LastAudit(ctx) })
}

func (l mortalLedger) Audit(ctx context.Context, q commands.AuditQuery) ([]audit.Leaf, error) {
	return reading(l.m, "Ledger.Audit", func() ([]audit.Leaf, error) { return l.l.Audit(ctx, q) })
}

func (l mortalLedger) Head(ctx context.Context) (audit.Head, error) {
	return reading(l.m, "Ledger.Head", func() (audit.Head, error) { return l.l.Head(ctx) })
}

type mortalEstate struct {
	e commands.Estate
	m *mortal
}

func (e mortalEstate) StartRun(ctx context.Context, r commands.Run) (commands.Run, error) {
	return effect(e.m, "Estate.StartRun", func() (commands.Run, error) { return e.e.StartRun(ctx, r) })
}

func (e mortalEstate) SaveRun(ctx context.Context, r commands.Run) error {
	return effectOnly(e.m, "Estate.SaveRun", func() error { return e.e.SaveRun(ctx, r) })
}

func (e mortalEstate) LastRun(ctx context.Context) (commands.Run, error) {
	return reading(e.m, "Estate.LastRun", func() (commands.Run, error) { return e.e.LastRun(ctx) })
}

func (e mortalEstate) CurrentRun(ctx context.Context) (commands.Run, error) {
	return reading(e.m, "Estate.CurrentRun", func() (commands.Run, error) { return e.e.CurrentRun(ctx) })
}

func (e mortalEstate) Save(ctx context.Context, run string, looks []commands.Look) error {
	return effectOnly(e.m, "Estate.Save", func() error { return e.e.Save(ctx, run, looks) })
}

func (e mortalEstate) Unlisted(ctx context.Context, run, source string, most int) ([]posture.Account, error) {
	return reading(e.m, "Estate.Unlisted", func() ([]posture.Account, error) { return e.e.Unlisted(ctx, run, source, most) })
}

func (e mortalEstate) Retire(ctx context.Context, run, source string) ([]posture.Account, error) {
	return effect(e.m, "Estate.Retire", func() ([]posture.Account, error) { return e.e.Retire(ctx, run, source) })
}

func (e mortalEstate) Look(ctx context.Context, source string, account posture.AccountID) (commands.Look, error) {
	return reading(e.m, "Estate.Look", func() (commands.Look, error) { return e.e.Look(ctx, source, account) })
}

func (e mortalEstate) Each(ctx context.Context, f func(commands.Look) error) error {
	if err := e.m.pass("Estate.Each"); err != nil {
		return err
	}
	return e.e.Each(ctx, f)
}

func (e mortalEstate) Marked(ctx context.Context, mark string) (at time.Time, findings iter.Seq2[posture.Finding, error], err error) {
	if err := e.m.pass("Estate.Marked"); err != nil {
		return at, nil, err
	}
	return e.e.Marked(ctx, mark)
}

func (e mortalEstate) Mark(ctx context.Context, mark string, at time.Time) error {
	return effectOnly(e.m, "Estate.Mark", func() error { return e.e.Mark(ctx, mark, at) })
}

func (e mortalEstate) Rename(ctx context.Context, from, to string) error {
	return effectOnly(e.m, "Estate.Rename", func() error { return e.e.Rename(ctx, from, to) })
}

func (e mortalEstate) Forget(ctx context.Context, begins string, before time.Time) error {
	return effectOnly(e.m, "Estate.Forget", func() error { return e.e.Forget(ctx, begins, before) })
}

func (e mortalEstate) Notify(ctx context.Context, told []posture.FindingKey) error {
	return effectOnly(e.m, "Estate.Notify", func() error { return e.e.Notify(ctx, told) })
}

func (e mortalEstate) Allow(ctx context.Context, allowance string, keys []string, most int, within time.Duration) ([]string, error) {
	return effect(e.m, "Estate.Allow", func() ([]string, error) { return e.e.Allow(ctx, allowance, keys, most, within) })
}

type mortalBoard struct {
	b commands.Board
	m *mortal
}

func (b mortalBoard) Message(ctx context.Context, key string) (commands.MessageRef, error) {
	return reading(b.m, "Board.Message", func() (commands.MessageRef, error) { return b.b.Message(ctx, key) })
}

func (b mortalBoard) SaveMessage(ctx context.Context, key string, ref commands.MessageRef) error {
	return effectOnly(b.m, "Board.SaveMessage", func() error { return b.b.SaveMessage(ctx, key, ref) })
}

func (b mortalBoard) KeyOf(ctx context.Context, channel, ts string) (string, error) {
	return reading(b.m, "Board.KeyOf", func() (string, error) { return b.b.KeyOf(ctx, channel, ts) })
}

// mortalInspector answers a dead process with nothing: what it then concludes reaches nobody.
type mortalInspector struct {
	edge *edge
	m    *mortal
}

// edge is the AWS edge, which can be made anew. Its limiters count real seconds, of which a life of days has one or two.
type edge struct {
	mu    sync.Mutex
	looks commands.Inspector
	acts  commands.Executor
}

func (e *edge) inspector() commands.Inspector {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.looks
}

func (e *edge) executor() commands.Executor {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.acts
}

func (e *edge) renew(i commands.Inspector, x commands.Executor) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.looks, e.acts = i, x
}

// Sources and Ways ask nothing of anybody, hence are no boundaries.
func (i mortalInspector) Sources() []string { return i.edge.inspector().Sources() }

func (i mortalInspector) Ways(ctx context.Context, a posture.Account) commands.Ways {
	if i.m.isDead() {
		return commands.Ways{}
	}
	return i.edge.inspector().Ways(ctx, a)
}

func (i mortalInspector) Inventory(ctx context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	return reading(i.m, "Inspector.Inventory", func() (commands.Organization, error) { return i.edge.inspector().Inventory(ctx, source, yield) })
}

func (i mortalInspector) Inspect(ctx context.Context, a posture.Account) posture.Evidence {
	e, err := reading(i.m, "Inspector.Inspect", func() (posture.Evidence, error) { return i.edge.inspector().Inspect(ctx, a), nil })
	if err != nil {
		return posture.Evidence{Account: a}
	}
	return e
}

func (i mortalInspector) Read(ctx context.Context, r remediation.Request) remediation.Facts {
	f, err := reading(i.m, "Inspector.Read", func() (remediation.Facts, error) { return i.edge.inspector().Read(ctx, r), nil })
	if err != nil {
		return remediation.Facts{Gap: &posture.Gap{Reason: posture.ReasonNoAnswer}}
	}
	return f
}

func (i mortalInspector) Member(ctx context.Context, a posture.Account) (posture.Account, *posture.Gap) {
	var gap *posture.Gap
	now, err := reading(i.m, "Inspector.Member", func() (posture.Account, error) {
		var now posture.Account
		now, gap = i.edge.inspector().Member(ctx, a)
		return now, nil
	})
	if err != nil {
		return a, &posture.Gap{Reason: posture.ReasonNoAnswer}
	}
	return now, gap
}

func (i mortalInspector) Contacts(ctx context.Context, a posture.Account) ([]commands.Contact, error) {
	return reading(i.m, "Inspector.Contacts", func() ([]commands.Contact, error) { return i.edge.inspector().Contacts(ctx, a) })
}

type mortalExecutor struct {
	edge *edge
	m    *mortal
}

func (e mortalExecutor) Open(ctx context.Context, r remediation.Request, act remediation.Act) (commands.Session, error) {
	s, err := reading(e.m, "Executor.Open to "+string(act), func() (commands.Session, error) { return e.edge.executor().Open(ctx, r, act) })
	if err != nil {
		return nil, err
	}
	return mortalSession{s, e.m}, nil
}

func (e mortalExecutor) Detach(ctx context.Context, source string, account posture.AccountID, r audit.Receipt) commands.Outcome {
	o, err := effect(e.m, "Executor.Detach", func() (commands.Outcome, error) { return e.edge.executor().Detach(ctx, source, account, r), nil })
	if err != nil {
		return commands.Outcome{Kind: remediation.Unsure, Code: "dead"}
	}
	return o
}

type mortalSession struct {
	s commands.Session
	m *mortal
}

func (s mortalSession) Facts() remediation.Facts { return s.s.Facts() } // read when the session was opened
func (s mortalSession) Close()                   { s.s.Close() }

func (s mortalSession) Do(ctx context.Context, p remediation.Permit) commands.Outcome {
	o, err := effect(s.m, "Session.Do "+string(p.Act()), func() (commands.Outcome, error) { return s.s.Do(ctx, p), nil })
	if err != nil {
		return commands.Outcome{Kind: remediation.Unsure, Code: "dead"}
	}
	return o
}

type mortalDirectory struct {
	d commands.Directory
	m *mortal
}

func (d mortalDirectory) Person(ctx context.Context, user string) (commands.Person, error) {
	return reading(d.m, "Directory.Person", func() (commands.Person, error) { return d.d.Person(ctx, user) })
}

func (d mortalDirectory) Group(ctx context.Context, group string) ([]string, error) {
	return reading(d.m, "Directory.Group", func() ([]string, error) { return d.d.Group(ctx, group) })
}

func (d mortalDirectory) InChannel(ctx context.Context, user string) (bool, error) {
	return reading(d.m, "Directory.InChannel", func() (bool, error) { return d.d.InChannel(ctx, user) })
}

func (d mortalDirectory) Shared(ctx context.Context) (bool, error) {
	return reading(d.m, "Directory.Shared", func() (bool, error) { return d.d.Shared(ctx) })
}

func (d mortalDirectory) ByEmail(ctx context.Context, email string) (string, error) {
	return reading(d.m, "Directory.ByEmail", func() (string, error) { return d.d.ByEmail(ctx, email) })
}

// slackKinds are the items that the edge to Slack handles.
var slackKinds = []string{
	commands.KindCard, commands.KindTell, commands.KindAlarm, commands.KindOwner, commands.KindDigest, commands.KindNew, commands.KindNotice,
}

// mortalHandlers are the handlers of the Slack kinds, each call to Slack a boundary.
func (s *slackSink) mortalHandlers(m *mortal, b commands.Board) map[string]commands.Handler {
	handlers := map[string]commands.Handler{}
	for _, kind := range slackKinds {
		handlers[kind] = func(ctx context.Context, l commands.Lease) (commands.Change, error) {
			return commands.Change{}, s.handle(ctx, m, b, l)
		}
	}
	return handlers
}
