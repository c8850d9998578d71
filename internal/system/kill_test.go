package system_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

const killSettings = `channel: ` + slacksim.ChannelRoot + `
approvers: {users: [` + slacksim.UserBen + `], groups: [` + slacksim.GroupApprovers + `]}
requesters: {users: [` + slacksim.UserAna + `, ` + slacksim.UserBen + `, ` + slacksim.UserCho + `]}
watch: 168h
daily_deletions: 1000
aws:
  - name: acme
    organization: {delete: {}, quarantine: {policy_id: ` + awssim.QuarantinePolicyID + `}}
scan: {concurrency: 16, assume_root_rate: 0}
`

// seized is a key that was made, asked about and watched.
type seized struct{ account, id string }

// TestTheBotIsKilledAgainAndAgainWhilePeopleClick plays the first eight days of many requests in this process, eight days
// back, so that their keys may be deleted now. Then the real binary runs on the same database in real time and is killed,
// while people ask for deletions, confirm, reject and withdraw them.
func TestTheBotIsKilledAgainAndAgainWhilePeopleClick(t *testing.T) {
	if !full() {
		t.Skip("SKIPPED: kills the real binary three hundred times; set ROOTCHECK_PROOF=full")
	}
	const kills, keys, blocked = 300, 80, 10
	k := &killing{
		world: newWorld(t, newClock(-8*24*time.Hour-2*time.Hour), awssim.Config{Accounts: 40 + 2*keys, CallLog: 1 << 20, Seed: 7}, killSettings),
		books: &books{}, keys: map[string]seized{},
	}
	k.grow(keys, blocked)
	binary(t) // takes longer to build than all of its lives
	begun := time.Now()
	k.play(func(*app.App) { k.firstWeek() })
	t.Logf("%d requests were watched for a week in %s", keys, time.Since(begun).Round(time.Millisecond))

	begun = time.Now()
	k.people(func() {
		for i := range kills {
			k.mayDelete.Store(k.deleted() <= i*keys/kills) // so that there is something to delete until the last kill
			k.round(i)
		}
	})
	t.Logf("%d kills in %s", kills, time.Since(begun).Round(time.Millisecond))
	k.settle()
	k.judge()
}

// killing is one run.
type killing struct {
	*world
	*books
	keys      map[string]seized // by account
	mayDelete atomic.Bool       // deletions are confirmed in this round
	serial    atomic.Int64
}

// grow makes a key in accounts that have none. Their owners switch off all but some, whose root users are then blocked: each
// reading of a block is a call to Organizations, which takes five a second, and each day of a watch is a reading.
func (k *killing) grow(n, active int) {
	for _, id := range k.aws.Accounts() {
		a, known := k.aws.Account(id)
		if len(k.keys) == n {
			break
		}
		if !known || !strings.HasPrefix(id, "3") || a.State != "ACTIVE" || len(a.Root.Keys) > 0 || !strings.HasPrefix(a.Name, "fleet-") {
			continue
		}
		var made struct {
			ID string `json:"id"`
		}
		k.order("key", map[string]string{"account": id, "do": "create"}, &made)
		if len(k.keys) >= active {
			k.order("key", map[string]string{"account": id, "key_id": made.ID, "do": "deactivate"}, nil)
		}
		k.keys[id] = seized{id, made.ID}
	}
	if len(k.keys) < n {
		k.t.Fatalf("only %d accounts have room for a key", len(k.keys))
	}
}

// requests are all requests as they stand in the store.
func (k *killing) requests() ([]remediation.Request, error) {
	var list []remediation.Request
	err := k.look(func(ctx context.Context, db *store.Store) (err error) {
		list, err = db.Requests(ctx, commands.RequestQuery{})
		return err
	})
	return list, err
}

// all waits until so many requests are as they should be.
func (k *killing) all(what string, patience time.Duration, n int, is func(remediation.Request) bool) {
	k.t.Helper()
	seen := map[remediation.State]int{}
	defer func() {
		if k.t.Failed() {
			k.t.Logf("states: %v", seen)
		}
	}()
	k.until(patience, what, func() bool {
		list, err := k.requests()
		if err != nil {
			return false
		}
		clear(seen)
		good := 0
		for _, r := range list {
			seen[r.State]++
			if is(r) {
				good++
			}
		}
		return good >= n
	})
}

// firstWeek asks about every key, has it confirmed by somebody else, and lets eight days pass.
func (k *killing) firstWeek() {
	n := len(k.keys)
	k.clock.set(-8*24*time.Hour - time.Hour) // the keys are seen by now
	k.until(time.Minute, "the first check has ended", func() bool {
		return k.look(func(ctx context.Context, db *store.Store) error { _, err := db.LastRun(ctx); return err }) == nil
	})
	k.anchored()
	todo := make(chan seized, n)
	for _, s := range k.keys {
		todo <- s
	}
	close(todo)
	var asking sync.WaitGroup
	for _, user := range []string{ana, ben, cho} {
		asking.Go(func() {
			for s := range todo {
				k.ask(user, s)
			}
		})
	}
	asking.Wait()
	k.all("every key was asked about", 30*time.Second, n, func(remediation.Request) bool { return true })
	list, err := k.requests()
	ok(k.t, err)
	open := make(chan remediation.Request, n)
	var spare []remediation.Request
	for _, r := range list {
		if r.State.Pending() { // a key that is out of use already is watched at once
			open <- r
		}
	}
	close(open)
	var mu sync.Mutex
	for _, user := range []string{ben, cho} {
		asking.Go(func() {
			for r := range open {
				if r.Requester.User == user {
					mu.Lock()
					spare = append(spare, r)
					mu.Unlock()
					continue
				}
				k.confirm(user, r)
			}
		})
	}
	asking.Wait()
	for _, r := range spare {
		other := map[string]string{ben: cho, cho: ben}
		k.confirm(other[r.Requester.User], r)
	}
	k.all("every key is out of use", time.Minute, n, func(r remediation.Request) bool { return r.State == remediation.Inactive })
	// Each day of a watch needs a reading.
	for off := -8 * 24 * time.Hour; off < 0; off += 23 * time.Hour {
		k.clock.set(off)
		k.all(fmt.Sprintf("every key was read %s ago", -off), 90*time.Second, n, func(r remediation.Request) bool {
			return k.clock.Now().Sub(r.ReadAt) < 12*time.Hour
		})
	}
	k.clock.set(0)
	k.all("every watch is over", 90*time.Second, n, func(r remediation.Request) bool {
		return r.State == remediation.Inactive && r.Watched >= r.Policy.Watch && k.clock.Now().Sub(r.ReadAt) < time.Hour
	})
	k.until(30*time.Second, "the last check is of this hour", func() bool {
		return k.look(func(ctx context.Context, db *store.Store) error {
			last, err := db.LastRun(ctx)
			if err == nil && k.clock.Now().Sub(last.Finished) > time.Hour {
				err = context.DeadlineExceeded
			}
			return err
		}) == nil
	})
}

func (k *killing) reason(what string) string { return fmt.Sprintf("%s %d", what, k.serial.Add(1)) }

func (k *killing) ask(user string, s seized) {
	var name string
	ok(k.t, k.look(func(ctx context.Context, db *store.Store) error {
		l, err := db.Look(ctx, "acme", posture.AccountID(s.account))
		for _, key := range l.Evidence.Keys.Value {
			name = commands.KeyName(key)
		}
		return err
	}))
	d := deed{user: user, action: audit.RemediationRequested, account: s.account, reason: k.reason("deactivate")}
	k.decide(k.books, d, "remediation.deactivate", "acme/"+s.account+"/"+name, map[string]string{"key": last4(s.id), "account": s.account})
}

func (k *killing) confirm(user string, r remediation.Request) {
	d := deed{user: user, action: audit.RemediationConfirmed, request: r.ID, version: r.Version, account: string(r.Account)}
	k.decide(k.books, d, "remediation.confirm", step(r), map[string]string{"key": k.keys[string(r.Account)].id, "account": string(r.Account)})
}

// people click until f returns: each does one thing after the other.
func (k *killing) people(f func()) {
	ctx, stop := context.WithCancel(context.Background())
	var clicking sync.WaitGroup
	for i, user := range []string{ana, ben, cho} {
		random := rand.New(rand.NewPCG(uint64(i), 11)) // any choice will do
		clicking.Go(func() {
			for ctx.Err() == nil {
				if !soon(time.Second, func() bool { return k.slack.Connections() > 0 || ctx.Err() != nil }) {
					continue
				}
				k.something(user, random)
			}
		})
	}
	f()
	stop()
	clicking.Wait()
}

// something does what a request waits for, or something else that it does not.
func (k *killing) something(user string, random *rand.Rand) {
	list, err := k.requests()
	if err != nil || len(list) == 0 {
		return
	}
	r := list[random.IntN(len(list))]
	key := k.keys[string(r.Account)]
	d := deed{user: user, request: r.ID, version: r.Version, account: string(r.Account)}
	switch {
	case r.State == remediation.Inactive:
		d.action, d.reason = audit.RemediationRequested, k.reason("delete")
		k.decide(k.books, d, "remediation.delete", step(r), map[string]string{"key": key.id, "account": key.account, "override": "No job uses it."})
	case r.State == remediation.DeleteRequested && random.IntN(6) == 0:
		d.action, d.sent = audit.RemediationCancelled, k.clock.Now()
		d.acked = k.click(user, "remediation.cancel", step(r)).Acked
		k.add(d)
	case r.State == remediation.DeleteRequested && random.IntN(4) == 0:
		d.action, d.reason = audit.RemediationRejected, k.reason("reject")
		k.decide(k.books, d, "remediation.reject", step(r), map[string]string{})
	case r.State == remediation.DeleteRequested && r.Requester.User != user && k.mayDelete.Load():
		k.confirm(user, r)
	}
}

// deleted is how many keys AWS has deleted.
func (k *killing) deleted() (n int) {
	for _, c := range k.aws.Effects() {
		if c.Action == "DeleteAccessKey" {
			n++
		}
	}
	return n
}

// round is one life of the binary.
func (k *killing) round(i int) {
	random := rand.New(rand.NewPCG(uint64(i), 5)) // any moment will do
	p := k.start("run")
	if i%10 != 9 { // each tenth dies before it is open
		soon(10*time.Second, func() bool { return k.slack.Connections() > 0 || !p.alive() })
	}
	if i%4 == 1 {
		ok(k.t, k.slack.Inject(slacksim.Fault{Kind: []string{"broadcast", "duplicate"}[i/4%2], For: time.Second}))
	}
	life := time.NewTimer(time.Duration(random.IntN(800)) * time.Millisecond)
	<-life.C
	if !p.alive() {
		k.t.Fatalf("the bot ended by itself, with status %d:\n%s", p.status, p.out.String())
	}
	p.kill()
	p.clean(k.t)
	for line := range strings.SplitSeq(p.out.String(), "\n") {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			k.t.Logf("life %d: %s", i, line)
		}
	}
	k.verify()
}

// verify reads the whole audit log, and the heads that were signed, beside whoever writes.
func (k *killing) verify() {
	k.t.Helper()
	c, err := app.Load(k.settings, os.Getenv)
	ok(k.t, err)
	v, err := app.VerifyAudit(context.Background(), c, app.VerifyOptions{Now: k.clock.Now})
	ok(k.t, err)
	if !v.OK() || v.Unchecked != "" {
		k.t.Fatalf("the audit log of %d records: %v %s", v.Records, v.Findings, v.Unchecked)
	}
}

// settle lets the bot end in peace, in this process and with the clock ahead, what was under way when it was killed.
func (k *killing) settle() {
	idle := func(r remediation.Request) bool {
		return !r.State.InFlight() && r.State != remediation.Approved && r.State != remediation.DeleteApproved && r.State != remediation.Deleted
	}
	k.play(func(a *app.App) {
		for i := 1; i <= 6; i++ {
			k.clock.set(time.Duration(i) * 3 * time.Minute)
			ctx, stop := context.WithTimeout(context.Background(), 3*time.Second)
			_, _ = a.Settled(ctx) // messages may take longer, a second each
			stop()
		}
		// What was begun in three lives and ended in none keeps the lease of the last, two minutes long.
		k.all("nothing is under way any more", 3*time.Minute, len(k.keys), idle)
		k.until(3*time.Minute, "every click that was taken in is handled", func() bool {
			left := -1
			err := k.look(func(ctx context.Context, db *store.Store) error {
				due, err := db.Due(ctx, k.clock.Now())
				left = due["slack.envelope"]
				return err
			})
			return err == nil && left == 0
		})
	})
	k.verify()
}
