package proof_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

// This file lets eight clicks compete for each of many requests: the same button twice, confirm against reject against
// cancel, and the deadline against all of them on a replica whose clock is ahead. One must win, the others must be told who
// did, and what follows must be done once. That the answers fit together is for a checker of linearizability to say.

// deed is one click.
type deed struct {
	request int
	kind    remediation.Kind
	user    string
}

// told is what the person was answered: that they decided, or the state that somebody else had put the request in.
type told struct {
	decided bool
	state   remediation.State
}

var outcomes = map[remediation.Kind]remediation.State{
	remediation.Confirm: remediation.Approved, remediation.Reject: remediation.Rejected, remediation.Cancel: remediation.Cancelled,
	remediation.Lapse: remediation.Expired,
}

// deeds are the eight clicks on a request.
func deeds(request int) []deed {
	return []deed{
		{request, remediation.Confirm, approver},
		{request, remediation.Confirm, approver},
		{request, remediation.Confirm, second},
		{request, remediation.Reject, second},
		{request, remediation.Reject, second},
		{request, remediation.Reject, approver},
		{request, remediation.Cancel, requester},
		{request, remediation.Lapse, ""},
	}
}

// model is a request as a register: the first decision sticks, and everybody after it is told so.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return remediation.Requested },
		Step: func(state, input, output any) (bool, any) {
			was, isState := state.(remediation.State)
			in, isDeed := input.(deed)
			out, isTold := output.(told)
			if !isState || !isDeed || !isTold {
				return false, state
			}
			if out.decided {
				return was == remediation.Requested, outcomes[in.kind]
			}
			return was != remediation.Requested && out.state == was, was
		},
	}
}

// race is the field of the competition.
type race struct {
	t        *testing.T
	n        int
	replicas []*replica
	calls    *calls

	mu      sync.Mutex
	history map[int][]porcupine.Operation
}

// replica is one process, and late the same process with a clock that is ahead.
type replica struct {
	st      *store.Store
	s, late *commands.Service
}

func id(request int) remediation.RequestID {
	return remediation.RequestID(fmt.Sprintf("r%05d", request))
}

func account(request int) posture.AccountID {
	return posture.AccountID(fmt.Sprintf("%012d", 100_000_000_000+request))
}

func newRace(t *testing.T, url string, replicas, n int) *race {
	t.Helper()
	r := &race{t: t, n: n, calls: &calls{made: map[remediation.RequestID]int{}}, history: map[int][]porcupine.Operation{}}
	c := newClock()
	policy := remediation.DefaultPolicy()
	opened := c.Now()
	c.advance(policy.PendingFor - time.Second)
	r.calls.now = c.Now
	ahead := func() time.Time { return c.Now().Add(2 * time.Second) }
	people := newDirectory()
	for i := range replicas {
		st := must[*store.Store](t)(store.Open(t.Context(), store.Config{URL: url, Now: ahead, Replica: strconv.Itoa(i), Build: "proof"}))
		t.Cleanup(func() { ok(t, st.Close()) })
		service := func(now func() time.Time) *commands.Service {
			return must[*commands.Service](t)(commands.New(commands.Config{
				Team: team, Approvers: commands.People{Users: []string{approver, second}}, Requesters: commands.People{Users: []string{requester}},
				Policy: policy, DailyCap: 5, Version: "proof",
			}, commands.Deps{
				Ledger: st, Queue: st, Estate: st, Inspector: r.calls, Executor: r.calls, Directory: people, Now: now,
				NewID: func() string { return "unused" },
			}))
		}
		r.replicas = append(r.replicas, &replica{st: st, s: service(c.Now), late: service(ahead)})
	}
	r.open(opened, policy)
	return r
}

// open makes the requests, each with the item that looks at its deadline.
func (r *race) open(at time.Time, p remediation.Policy) {
	r.t.Helper()
	person := remediation.Person{User: requester, Team: team, Email: "u0request@example.com"}
	r.parallel(32, r.n, func(i int) {
		key := r.calls.key(account(i))
		req := remediation.Open(id(i), person, "nobody needs it", remediation.Facts{Source: "lab", Account: account(i)}, key,
			remediation.MeansRootCredentials, remediation.MeansRootCredentials, p, at)
		item := commands.Item{Key: "lapse/" + string(req.ID) + "/1", Kind: commands.KindLapse, Body: []byte(`{"request":"` + string(req.ID) + `"}`), Due: at.Add(time.Duration(i))}
		_, err := r.replicas[i%len(r.replicas)].st.Commit(r.t.Context(), commands.Change{
			Request: &req, Queue: []commands.Item{item}, Audit: []audit.Event{{
				At: at, Actor: audit.User(requester, team), Action: audit.RemediationRequested, Outcome: audit.OutcomeDone, Request: string(req.ID),
			}},
		})
		if err != nil {
			r.t.Errorf("open %s: %v", req.ID, err)
		}
	})
}

// parallel does f for each number, several at once, in about their order.
func (r *race) parallel(workers, n int, f func(int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// run lets everybody click, in an order that is different for each request.
func (r *race) run() {
	r.t.Helper()
	var all []deed
	for i := range r.n {
		clicks := deeds(i)
		rand.Shuffle(len(clicks), func(a, b int) { clicks[a], clicks[b] = clicks[b], clicks[a] })
		all = append(all, clicks...)
	}
	began := time.Now()
	r.parallel(32, len(all), func(i int) {
		d, on := all[i], r.replicas[rand.IntN(len(r.replicas))]
		called := time.Since(began)
		out, known := r.click(on, &d)
		if !known {
			return
		}
		op := porcupine.Operation{ClientId: i % 32, Input: d, Call: int64(called), Output: out, Return: int64(time.Since(began))}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.history[d.request] = append(r.history[d.request], op)
	})
}

// click is one person's click, or the deadline's. It tells what the answer was.
func (r *race) click(on *replica, d *deed) (out told, known bool) {
	ctx := r.t.Context()
	by, request := who(d.user), id(d.request)
	answer, clicked := map[remediation.Kind]func() (remediation.Request, error){
		remediation.Confirm: func() (remediation.Request, error) { return on.s.Confirm(ctx, by, request, 1, "") },
		remediation.Reject:  func() (remediation.Request, error) { return on.s.Reject(ctx, by, request, 1, "no") },
		remediation.Cancel:  func() (remediation.Request, error) { return on.s.Cancel(ctx, by, request, 1) },
	}[d.kind]
	if !clicked {
		return told{}, r.lapse(on)
	}
	_, err := answer()
	if err == nil {
		return told{decided: true}, true
	}
	if no, refused := errors.AsType[*commands.Refusal](err); refused {
		return told{state: remediation.State(no.Args["state"])}, true
	}
	r.t.Errorf("%s of %s failed: %v", d.kind, id(d.request), err)
	return told{}, false
}

// lapse lets the worker look at the deadline that has been due longest. Nobody is answered, so its history is what it
// wrote, which decisions checks.
func (r *race) lapse(on *replica) bool {
	ctx := r.t.Context()
	l, err := on.st.Claim(ctx, commands.KindLapse)
	if err == nil {
		_, err = on.late.Handlers()[commands.KindLapse](ctx, l)
		if err == nil {
			err = on.st.Finish(ctx, l)
		}
	}
	if err != nil && !errors.Is(err, commands.ErrLeaseLost) {
		r.t.Errorf("look at a deadline: %v", err)
	}
	return false
}

// decisions counts what was decided, by the audit log and by the state of each request.
func (r *race) decisions() map[remediation.State]int {
	r.t.Helper()
	ctx := r.t.Context()
	st := r.replicas[0].st
	decided := []audit.Action{audit.RemediationConfirmed, audit.RemediationRejected, audit.RemediationCancelled, audit.RemediationExpired}
	recorded := map[string]int{}
	for _, l := range must[[]audit.Leaf](r.t)(st.Audit(ctx, commands.AuditQuery{})) {
		if slices.Contains(decided, l.Action) {
			recorded[l.Request]++
		}
	}
	states := map[remediation.State]int{}
	for i := range r.n {
		req := must[remediation.Request](r.t)(st.Request(ctx, id(i)))
		states[req.State]++
		if req.Version != 2 || recorded[string(id(i))] != 1 {
			r.t.Errorf("request %s is %s at version %d with %d decisions on record, want one", id(i), req.State, req.Version, recorded[string(id(i))])
		}
		if req.State == remediation.Expired {
			r.history[i] = append(r.history[i], porcupine.Operation{
				ClientId: 99, Input: deed{i, remediation.Lapse, ""}, Call: 0, Output: told{decided: true}, Return: int64(time.Hour),
			})
		}
	}
	return states
}

// linearizable checks the answers of each request.
func (r *race) linearizable() (clicks int) {
	r.t.Helper()
	for i, h := range r.history {
		clicks += len(h)
		if !porcupine.CheckOperations(model(), h) {
			r.t.Errorf("the answers about %s do not fit together: %+v", id(i), h)
		}
	}
	return clicks
}

// act lets all replicas do what was confirmed, at once.
func (r *race) act() {
	r.t.Helper()
	ctx, stop := context.WithTimeout(r.t.Context(), 5*time.Minute)
	defer stop()
	var wg sync.WaitGroup
	for _, on := range r.replicas {
		w := commands.NewWorker(on.st, on.st, map[string]commands.Handler{commands.KindAct: on.s.Handlers()[commands.KindAct]}, r.calls.now, nil)
		working, idle := context.WithCancel(ctx)
		wg.Go(func() { ok(r.t, w.Run(working)) })
		wg.Go(func() {
			defer idle()
			if !w.Settled(ctx) {
				r.t.Error("what was confirmed is not done")
			}
		})
	}
	wg.Wait()
}

func TestEightCompetingClicksAreOneDecision(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			replicas := 1
			if d.name == "postgres" {
				replicas = 4
			}
			n := pick(t, 60, 5000, 5000)
			r := newRace(t, d.empty(t), replicas, n)
			r.run()
			states := r.decisions()
			clicks := r.linearizable()
			total := 0
			for _, n := range states {
				total += n
			}
			if total != n || states[remediation.Requested] != 0 || len(states) < 3 {
				t.Errorf("decisions are %v, want %d of at least three kinds", states, n)
			}
			r.act()
			if states[remediation.Approved] != len(r.calls.made) {
				t.Errorf("%d requests were confirmed and %d acted on", states[remediation.Approved], len(r.calls.made))
			}
			for id, n := range r.calls.made {
				if n != 1 {
					t.Errorf("%s was acted on %d times", id, n)
				}
			}
			w := world{t: t}
			w.signer = must[audit.Signer](t)(audit.NewSigner("proof", randomness{}))
			if report := w.verify(r.replicas[0].st); !report.OK() {
				t.Errorf("the audit log does not verify: %v", report.Findings)
			}
			t.Logf("%s, %d replicas: %d clicks with an answer on %d requests, decided as %v, %d changing calls", d.name, replicas, clicks, n, states, len(r.calls.made))
		})
	}
}

// calls is an AWS of one key per account, which counts what is done to it.
type calls struct {
	now func() time.Time

	mu   sync.Mutex
	made map[remediation.RequestID]int
}

func (c *calls) key(a posture.AccountID) posture.Key {
	return posture.Key{
		ID: posture.KeyID("AKIA2222" + string(a)), Status: posture.KeyActive, Created: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (c *calls) Sources() []string { return []string{"lab"} }

func (c *calls) Inventory(context.Context, string, func(posture.Account) error) (commands.Organization, error) {
	return commands.Organization{}, errDown
}

func (c *calls) Inspect(_ context.Context, a posture.Account) posture.Evidence {
	return posture.Evidence{Account: a}
}

func (c *calls) Read(_ context.Context, r remediation.Request) remediation.Facts {
	return remediation.Facts{
		Source: r.Source, Account: r.Account, Begun: c.now(), At: c.now(), AWS: c.now(), Keys: []posture.Key{c.key(r.Account)}, KeysKnown: true, KeysAt: c.now(),
		RootSession: true, CallerOf: r.Account, KeyAccount: r.Account,
	}
}

func (c *calls) Ways(context.Context, posture.Account) commands.Ways {
	return commands.Ways{Deactivate: remediation.MeansRootCredentials, Delete: remediation.MeansRootCredentials}
}

func (c *calls) Member(_ context.Context, a posture.Account) (posture.Account, *posture.Gap) {
	return a, nil
}

func (c *calls) Contacts(context.Context, posture.Account) ([]commands.Contact, error) {
	return nil, nil
}

func (c *calls) Open(ctx context.Context, r remediation.Request, _ remediation.Act) (commands.Session, error) {
	return &counted{c: c, facts: c.Read(ctx, r)}, nil
}

func (c *calls) Detach(context.Context, string, posture.AccountID, audit.Receipt) commands.Outcome {
	return commands.Outcome{Kind: remediation.Refused}
}

type counted struct {
	c     *calls
	facts remediation.Facts
}

func (s *counted) Facts() remediation.Facts { return s.facts }
func (s *counted) Close()                   {}

func (s *counted) Do(_ context.Context, p remediation.Permit) commands.Outcome {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.made[p.Request()]++
	f := s.facts
	f.Keys = []posture.Key{f.Keys[0]}
	f.Keys[0].Status = posture.KeyInactive
	return commands.Outcome{Kind: remediation.Succeeded, Facts: f}
}
