package commands_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file kills the process at every boundary between the verbs and what stands behind them, one run for each. The
// boundaries are counted in a run without a crash, so that a new step cannot escape.

var errDead = errors.New("the process has died")

// mortal is a process that dies at its n-th boundary: from then on no port of it does anything.
type mortal struct {
	at    int64 // 0: never
	count atomic.Int64

	mu     sync.Mutex
	leases []commands.Lease
}

func (m *mortal) dead() bool { return m.at > 0 && m.count.Load() >= m.at }

// boundary is passed before and after each effect. Whoever passes it dead does nothing more.
func (m *mortal) boundary(string) {
	if n := m.count.Add(1); m.at > 0 && n >= m.at {
		panic(errDead)
	}
}

type mortalLedger struct {
	commands.Ledger
	m *mortal
}

func (l mortalLedger) Commit(ctx context.Context, c commands.Change) (audit.Receipt, error) {
	l.m.boundary("commit")
	r, err := l.Ledger.Commit(ctx, c)
	l.m.boundary("committed")
	return r, err
}

type mortalQueue struct {
	commands.Queue
	m *mortal
}

func (q mortalQueue) Finish(ctx context.Context, l commands.Lease) error {
	if q.m.dead() {
		return errDead
	}
	return q.Queue.Finish(ctx, l)
}

func (q mortalQueue) Retry(ctx context.Context, l commands.Lease, at time.Time) error {
	if q.m.dead() {
		return errDead
	}
	return q.Queue.Retry(ctx, l, at)
}

func (q mortalQueue) Defer(ctx context.Context, l commands.Lease, at time.Time) error {
	if q.m.dead() {
		return errDead
	}
	return q.Queue.Defer(ctx, l, at)
}

func (q mortalQueue) Park(ctx context.Context, l commands.Lease, why string) error {
	if q.m.dead() {
		return errDead
	}
	return q.Queue.Park(ctx, l, why)
}

func (q mortalQueue) Put(ctx context.Context, i commands.Item) error {
	if q.m.dead() {
		return errDead
	}
	return q.Queue.Put(ctx, i)
}

func (q mortalQueue) Claim(ctx context.Context, kinds ...string) (commands.Lease, error) {
	if q.m.dead() {
		return commands.Lease{}, errDead
	}
	l, err := q.Queue.Claim(ctx, kinds...)
	if err == nil {
		q.m.mu.Lock()
		q.m.leases = append(q.m.leases, l)
		q.m.mu.Unlock()
	}
	return l, err
}

// expire lets the leases of a process that died run out at once, as they would by themselves in two minutes.
func (l *life) expire(m *mortal) {
	l.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, held := range m.leases {
		if err := l.st.Retry(l.t.Context(), held, held.Due); err != nil && !errors.Is(err, commands.ErrLeaseLost) {
			l.t.Fatal(err)
		}
	}
}

// life is one key's way from found to gone, by people who press again when nothing happened.
type life struct {
	*world
	m       *mortal
	account posture.AccountID
	key     posture.KeyID
}

// process begins a process that is to die at a boundary.
func (l *life) process(at int64) {
	l.t.Helper()
	l.m = &mortal{at: at}
	l.at(func() { l.boundary = l.m.boundary })
	var err error
	l.s, err = commands.New(l.cfg, commands.Deps{
		Ledger: mortalLedger{l.st, l.m}, Queue: mortalQueue{l.st, l.m}, Estate: l.st, Inspector: inspector{l.world},
		Executor: executor{l.world}, Directory: directory{l.world}, Now: l.now, NewID: l.newID, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// run does what is due until nothing is, or the process dies.
func (l *life) run() {
	ctx, stop := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer stop()
	w := commands.NewWorker(mortalQueue{l.st, l.m}, mortalLedger{l.st, l.m}, l.handlers(), l.now, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	settled := make(chan bool, 1)
	go func() { settled <- w.Settled(ctx) }()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for done := false; !done; {
		select {
		case ok := <-settled:
			if !ok {
				l.t.Error("the work did not settle")
			}
			done = true
		case <-poll.C:
			done = l.m.dead()
		}
	}
	stop()
	<-ended
}

// press is what a person does next. The process may die under it.
func (l *life) press(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(error); !ok || !errors.Is(e, errDead) {
				panic(p)
			}
			err = errDead
		}
	}()
	all, err := l.st.Requests(ctx, commands.RequestQuery{})
	if err != nil {
		return err
	}
	if len(all) == 0 || all[0].State.Ended() && all[0].State != remediation.Verified {
		_, err = l.s.RequestDeactivate(ctx, who(requester), ask(l.account, l.key))
		return err
	}
	r := all[0]
	switch {
	case r.State.Pending():
		_, err = l.s.Confirm(ctx, who(approver), r.ID, r.Version, "")
	case r.State == remediation.Inactive && r.Remaining() == 0:
		_, err = l.s.RequestDelete(ctx, who(requester), r.ID, r.Version, commands.Ask{TypedKey: string(l.key), Reason: "watched"})
	default:
		l.at(func() { l.clock = l.clock.Add(20 * time.Minute) })
	}
	return err
}

// live plays the life to its end. It returns how many boundaries the process passed that was to die.
func (l *life) live(dieAt int64) int64 {
	l.t.Helper()
	ctx := l.t.Context()
	l.process(dieAt)
	first := l.m
	for range 200 {
		if err := l.press(ctx); err != nil && !l.m.dead() {
			if _, refused := errors.AsType[*commands.Refusal](err); !refused {
				l.t.Fatalf("press: %v", err)
			}
		}
		if !l.m.dead() {
			l.run()
		}
		if l.m.dead() {
			l.expire(l.m)
			l.process(0)
			l.run()
		}
		all, err := l.st.Requests(ctx, commands.RequestQuery{})
		if err != nil {
			l.t.Fatal(err)
		}
		b, err := l.st.Block(ctx, "acme", l.account)
		if err != nil {
			l.t.Fatal(err)
		}
		if len(all) > 0 && all[0].State == remediation.Verified && len(b.Holders) == 0 && b.Origin == "" {
			return first.count.Load()
		}
	}
	l.t.Errorf("the request is stuck: %+v", l.audit(commands.AuditQuery{Limit: 1}))
	return first.count.Load()
}

func newLife(t *testing.T, account posture.AccountID, key posture.KeyID) *life {
	t.Helper()
	w := newWorld(t, func(c *commands.Config) {
		c.Policy.Watch, c.Policy.Spread = 30*time.Minute, 5*time.Minute
	})
	w.at(func() { w.accounts[account].mfa = true })
	w.scan()
	return &life{world: w, account: account, key: key}
}

func TestACrashAnywhereDeletesOnceAndLosesNothing(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]struct {
		account posture.AccountID
		key     posture.KeyID
	}{"by the organization": {member, keyOne}, "by root credentials": {lab, keyTwo}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			points := newLife(t, target.account, target.key).live(0)
			if points < 30 {
				t.Fatalf("only %d boundaries were counted", points)
			}
			t.Logf("%d boundaries", points)
			stride := int64(1)
			if testing.Short() {
				stride = 5
			}
			for i := int64(1); i <= points; i += stride {
				t.Run(fmt.Sprintf("boundary %d", i), func(t *testing.T) {
					t.Parallel()
					l := newLife(t, target.account, target.key)
					l.live(i)
					l.check()
				})
			}
		})
	}
}

// check holds what must be true after every life.
func (l *life) check() {
	l.t.Helper()
	l.at(func() { l.boundary = nil })
	calls := l.changes()
	deletes := 0
	for _, c := range calls {
		if strings.HasPrefix(c, "delete") {
			deletes++
		}
	}
	if deletes != 1 {
		l.t.Errorf("%d deletions were sent: %v", deletes, calls)
	}
	l.at(func() {
		a := l.accounts[l.account]
		if slices.ContainsFunc(a.keys, func(k posture.Key) bool { return k.ID.Same(l.key) }) || a.attached {
			l.t.Errorf("at the end AWS has keys %v, blocked %t", a.keys, a.attached)
		}
	})
	for _, n := range append(l.notices(commands.NoticeParked), l.notices(commands.NoticeFailing)...) {
		l.t.Errorf("work failed too often: %+v", n)
	}
	approved := 0
	for _, e := range l.audit(commands.AuditQuery{}) {
		if e.Action == audit.RemediationAttempted && e.To == string(remediation.Deleting) {
			approved++
			if !slices.Equal(e.Approvers, []string{approver}) {
				l.t.Errorf("a deletion was attempted with the approvers %v", e.Approvers)
			}
		}
	}
	if approved < deletes {
		l.t.Errorf("%d deletions, %d attempts on record", deletes, approved)
	}
}
