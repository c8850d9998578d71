package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file makes the one changing call of a step. The rules are:
//   - The gates are asked on the confirmed request. Then the attempt is committed; if that fails, nothing is sent.
//   - The gates are asked again on what was committed. Only that, with the receipt of its record, gives a permit.
//   - The permit is used once. Whoever comes back to an item whose attempt is on record sends nothing: a reading of AWS,
//     queued with the attempt, settles it.
//   - A gate that is shut uses the confirmation up. One that is shut because somebody did not answer is asked again for a
//     while first.

// callFor bounds one changing call with its read-back. It is far shorter than the two minutes after which an attempt is
// settled by reading AWS, so that a settled attempt has no call under way.
const callFor = 30 * time.Second

// recordFor bounds the commit of an outcome while the process ends.
const recordFor = 10 * time.Second

// freshFor is how old a reading may be that the second gates are asked with.
const freshFor = 5 * time.Second

// patience is how often a directory or an AWS that does not answer is asked before the gate counts as shut.
const patience = 4

// errMoved means that the request changed while its gates were asked.
var errMoved = errors.New("the request changed meanwhile")

// act handles "aws.act".
func (s *Service) act(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	r, err := s.request(ctx, w.Request)
	if errors.Is(err, ErrNotFound) {
		return Change{}, nil
	}
	if err != nil {
		return Change{}, fmt.Errorf("read request %s: %w", w.Request, err)
	}
	if !r.Current(w.Version) || remediation.ActOf(r.State) == "" {
		return Change{}, nil // decided otherwise, or begun already: then a reading settles it
	}
	st := stepper{Service: s, lease: l, r: r, act: remediation.ActOf(r.State)}
	if meansFor(r, st.act) == remediation.MeansGuided {
		return Change{}, st.guided(ctx)
	}
	if err := st.call(ctx); !errors.Is(err, errStop) {
		return Change{}, err
	}
	return Change{}, nil
}

func meansFor(r remediation.Request, act remediation.Act) remediation.Means {
	if act == remediation.ActDelete {
		return r.DeleteMeans
	}
	return r.Means
}

// stepper is one step of one request.
type stepper struct {
	*Service
	lease Lease
	r     remediation.Request
	act   remediation.Act
}

// guided hands the step to the owner. All gates that ask whether we want it and were allowed to stand before it as well:
// a dry run or a pause sends no instructions either, nor does an AWS that cannot be read.
func (st *stepper) guided(ctx context.Context) error {
	facts := st.d.Inspector.Read(ctx, st.r)
	sur, answered, err := st.surroundings(ctx, st.r, st.act)
	if err != nil {
		return err
	}
	_, err = remediation.Start(st.r, facts, sur, st.d.Now())
	var shut *remediation.GateError
	if errors.As(err, &shut) && shut.Gate != remediation.GateMeans {
		return st.shut(ctx, shut.Gate, answered && facts.Gap == nil)
	}
	still, err := st.still(ctx, facts)
	if err != nil || !still {
		return err
	}
	_, err = st.commitBegin(ctx, remediation.Facts{}, true)
	return err
}

// still puts what was just read to the request, and reports whether its step is still due: nobody is asked to delete a key
// that AWS shows in use, or to deactivate one that is inactive.
func (st *stepper) still(ctx context.Context, facts remediation.Facts) (bool, error) {
	if !st.r.Tells(remediation.Event{Facts: facts}, st.d.Now()) {
		return false, fmt.Errorf("act on request %s: the reading cannot tell yet", st.r.ID)
	}
	t, err := st.observe(ctx, st.r.ID, facts, nil)
	if err != nil {
		return false, err
	}
	st.r = t.before
	if t.decision.Changed {
		st.r = t.decision.Next
	}
	w, err := st.lease.Work()
	return st.r.Current(w.Version) && remediation.ActOf(st.r.State) == st.act, err
}

// call is the way of a step that the bot itself takes.
func (st *stepper) call(ctx context.Context) error {
	block, err := st.block(ctx)
	switch {
	case err != nil:
		return err
	case st.overBlock() && block.leaving():
		return fmt.Errorf("act on request %s: the block of %s is on its way off", st.r.ID, st.r.Account)
	case st.overBlock() && st.act != remediation.ActDeactivate && !block.Undoable(st.r.ID):
		return st.shut(ctx, remediation.GateBlock, true)
	}
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	session, err := st.d.Executor.Open(ctx, st.r, st.act)
	if err != nil {
		st.d.Log.WarnContext(ctx, "session could not be opened", "request", string(st.r.ID), "act", string(st.act), "error", err)
		return st.shut(ctx, remediation.GateReading, false)
	}
	defer session.Close()
	facts := session.Facts()
	if _, err = st.ask(ctx, st.r, facts); err != nil {
		return err
	}
	begun, err := st.commitBegin(ctx, facts, false)
	if err != nil {
		return err
	}
	return st.second(ctx, session, begun)
}

// ask asks all gates. Its error ends the step: where a gate is shut, that is committed already.
func (st *stepper) ask(ctx context.Context, r remediation.Request, facts remediation.Facts) (remediation.Attempt, error) {
	sur, answered, err := st.surroundings(ctx, r, st.act)
	if err != nil {
		return remediation.Attempt{}, err
	}
	attempt, err := remediation.Start(r, facts, sur, st.d.Now())
	var shut *remediation.GateError
	if !errors.As(err, &shut) {
		return attempt, err
	}
	if err := st.shut(ctx, shut.Gate, answered && facts.Gap == nil); err != nil {
		return remediation.Attempt{}, err
	}
	return remediation.Attempt{}, errStop
}

// errStop ends a step whose end is committed.
var errStop = errors.New("the step has ended")

// commitBegin puts the attempt on record, for exactly the request that the gates were asked about. A block that the step
// is about to need is noted with it.
func (st *stepper) commitBegin(ctx context.Context, facts remediation.Facts, done bool) (turned, error) {
	t, err := st.turn(ctx, st.r.ID, turn{
		lease: &st.lease, done: done, actor: audit.System("worker"),
		event: func(r remediation.Request) (remediation.Event, error) {
			if r.Version != st.r.Version {
				return remediation.Event{}, fmt.Errorf("begin the step of request %s: %w", r.ID, errMoved)
			}
			return remediation.Event{Kind: remediation.Begin, Facts: facts}, nil
		},
		with: func(c *Change, _ remediation.Request, d remediation.Decision) error {
			if done || !st.overBlock() || st.act != remediation.ActDeactivate || !d.Changed {
				return nil
			}
			return st.intend(ctx, c, facts)
		},
	})
	if err == nil && t.decision.Refusal != nil {
		err = fmt.Errorf("begin the step of request %s: %w", st.r.ID, t.decision.Refusal)
	}
	return t, err
}

// second asks the gates again on what was committed, and makes the call.
func (st *stepper) second(ctx context.Context, session Session, begun turned) error {
	st.r = begun.decision.Next
	facts := session.Facts()
	first := facts.Block
	if now := st.d.Now(); now.Sub(facts.At) > freshFor || facts.At.After(now) {
		again, err := st.d.Executor.Open(ctx, st.r, st.act)
		if err != nil {
			return st.stop(ctx, remediation.GateReading)
		}
		defer again.Close()
		session, facts = again, again.Facts()
	}
	sur, _, err := st.surroundings(ctx, st.r, st.act)
	if err != nil {
		return st.stop(ctx, remediation.GateEntitled)
	}
	attempt, err := remediation.Start(st.r, facts, sur, st.d.Now())
	var permit remediation.Permit
	if err == nil {
		permit, err = attempt.Permit(begun.receipt)
	}
	if err != nil {
		gate := remediation.GateState
		if shut := (*remediation.GateError)(nil); errors.As(err, &shut) {
			gate = shut.Gate
		}
		return st.stop(ctx, gate)
	}
	if err := st.unmoved(ctx); err != nil {
		return err
	}
	blocking := st.act == remediation.ActDeactivate && st.overBlock()
	switch attached := facts.Block.Known && facts.Block.Attached; {
	case blocking && first.Attached && !attached:
		// The attempt is on record as one that found a block. Ours would never be taken off again.
		return st.stop(ctx, remediation.GateBlock)
	case blocking && attached:
		// The account is blocked already: for another key, or by somebody else. One more holder is all that is needed.
		return st.settle(ctx, Outcome{Kind: remediation.Succeeded, Facts: facts, Found: !first.Attached})
	}
	return st.settle(ctx, session.Do(ctx, permit))
}

// unmoved asks once more, right before the call, whether the attempt is still the last word on its request. A process that
// stood still for minutes may find that another one settled it by reading AWS, or that it is about to: the time-out of the
// call does not run while the machine sleeps, and the clock on the wall does.
func (st *stepper) unmoved(ctx context.Context) error {
	r, err := st.request(ctx, st.r.ID)
	if err != nil {
		return fmt.Errorf("read request %s: %w", st.r.ID, err)
	}
	if r.Version != st.r.Version {
		return fmt.Errorf("act on request %s: %w", st.r.ID, errMoved)
	}
	if began := st.d.Now().Sub(r.ChangedAt); began > callFor {
		return fmt.Errorf("act on request %s: its attempt began %s ago", st.r.ID, began)
	}
	return nil
}

// shut commits that a gate is shut and finishes the item. A gate that is shut because somebody did not answer is asked
// again first.
func (st *stepper) shut(ctx context.Context, g remediation.Gate, answered bool) error {
	if !answered && st.lease.Attempts < patience {
		return fmt.Errorf("act on request %s: gate %s did not open, and not everybody answered", st.r.ID, g)
	}
	return st.stop(ctx, g)
}

func (st *stepper) stop(ctx context.Context, g remediation.Gate) error {
	return st.outcome(ctx, remediation.Event{Kind: remediation.GateShut, Gate: g}, audit.System("worker"))
}

// settle commits how the call went. What the machine does not understand is not known.
func (st *stepper) settle(ctx context.Context, o Outcome) error {
	e := remediation.Event{Kind: o.Kind, Code: o.Code, AWSID: o.AWSID, Facts: o.Facts, Found: o.Found}
	switch {
	case o.Kind == remediation.Unavailable && st.act != remediation.ActDeactivate:
		e.Kind = remediation.Refused // only a first step can become the owner's
	case o.Kind == remediation.Succeeded, o.Kind == remediation.Refused, o.Kind == remediation.Unsure, o.Kind == remediation.Unavailable:
	default:
		e.Kind = remediation.Unsure
	}
	return st.outcome(ctx, e, audit.System("worker"))
}

// outcome is committed also while the process ends: what was learned of a call must not be lost to a shutdown.
func (st *stepper) outcome(ctx context.Context, e remediation.Event, actor audit.Actor) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	e.Version = st.r.Version
	t, err := st.turn(ctx, st.r.ID, turn{
		lease: &st.lease, done: true, actor: actor,
		event: func(r remediation.Request) (remediation.Event, error) {
			if st.act == remediation.ActDeactivate && e.Kind == remediation.Succeeded {
				b, err := st.d.Ledger.Block(ctx, r.Source, r.Account)
				if err != nil {
					return e, fmt.Errorf("read the block of %s: %w", r.Account, err)
				}
				others := len(b.Holders) > 1 || len(b.Holders) == 1 && !b.Holds(r.ID)
				e.Found = b.Attached && b.Origin == remediation.OriginFound || e.Found && r.Attempt <= 1 && !b.Attached && !others
			}
			return e, nil
		},
		with: func(c *Change, before remediation.Request, d remediation.Decision) error {
			return st.keepBlock(ctx, c, before, d, e)
		},
	})
	if errors.Is(err, ErrLeaseLost) || err == nil && t.decision.Refusal != nil {
		return st.late(ctx, cmp.Or(t.before.State, st.r.State), e, actor)
	}
	return err
}

// late puts an answer on record that came after its step was in other hands, or was settled by reading AWS. What AWS
// showed then counts more than what one answer said; but that it was said, and under which of AWS's request ids, must not
// be lost. It needs no lease: it changes nothing.
func (st *stepper) late(ctx context.Context, found remediation.State, e remediation.Event, actor audit.Actor) error {
	ev := record(actor, st.d.Now(), found, st.r, e, audit.RemediationAnsweredLate)
	ev.To = string(found)
	if _, err := st.d.Ledger.Commit(ctx, Change{Audit: []audit.Event{ev}}); err != nil {
		return fmt.Errorf("record the late answer to request %s: %w", st.r.ID, err)
	}
	return nil
}

// surroundings are what the gates look at besides the request and AWS, looked up just now. The second result is false
// where the directory did not answer: then nobody counts as entitled.
func (s *Service) surroundings(ctx context.Context, r remediation.Request, act remediation.Act) (remediation.Surroundings, bool, error) {
	sur := remediation.Surroundings{DryRun: s.cfg.DryRun, Policy: s.cfg.Policy, DailyCap: s.cfg.DailyCap}
	sw, err := s.d.Ledger.Switch(ctx)
	if err != nil {
		return sur, true, fmt.Errorf("read the pause switch: %w", err)
	}
	sur.Paused = sw.Paused
	if sur.LastAudit, err = s.d.Ledger.LastAudit(ctx); err != nil {
		return sur, true, fmt.Errorf("read the time of the last audit record: %w", err)
	}
	if sur.DeletedToday, err = s.deletedByOthers(ctx, r); err != nil {
		return sur, true, err
	}
	account := posture.Account{ID: r.Account, Source: r.Source}
	switch look, missing := s.d.Estate.Look(ctx, r.Source, r.Account); {
	case missing == nil:
		account = look.Evidence.Account
	case !errors.Is(missing, ErrNotFound):
		return sur, true, fmt.Errorf("read account %s: %w", r.Account, missing)
	}
	ways := s.d.Inspector.Ways(ctx, account)
	sur.Exempt = ways.Exempt || s.exempt(r.Account)
	deactivate, del := ways.For(r.Key.ID)
	now := deactivate
	if act == remediation.ActDelete {
		now = del
	}
	sur.On = now == meansFor(r, act) || meansFor(r, act) == remediation.MeansGuided
	if sur.Recorded, err = s.recorded(ctx, r); err != nil {
		return sur, true, err
	}
	asker, told := s.mayAsk(ctx, r)
	may, answered := s.entitled(ctx, r)
	sur.Asker, sur.Entitled = asker, may
	return sur, answered && told, nil
}

// recorded is who confirmed the present step, or declared it, by the audit log.
func (s *Service) recorded(ctx context.Context, r remediation.Request) (map[string]bool, error) {
	leaves, err := s.d.Ledger.Audit(ctx, AuditQuery{Request: string(r.ID)})
	if err != nil {
		return nil, fmt.Errorf("read the audit records of request %s: %w", r.ID, err)
	}
	var word audit.Confirmed
	for _, l := range slices.Backward(leaves) {
		word.Heed(l.Event)
	}
	return word.People(), nil
}

// mayAsk looks up whether whoever asked for the step may still ask. The second result is false where nobody could tell.
func (s *Service) mayAsk(ctx context.Context, r remediation.Request) (may, answered bool) {
	if _, no := s.live(ctx, r.Requester.User); no != nil {
		return false, no.Code != WhoUnknown
	}
	yes, unread := s.among(ctx, s.requesters(r.Source), r.Requester.User)
	return yes, yes || len(unread) == 0
}

// deletedByOthers counts the deletions of the last day, without the one that is asked about.
func (s *Service) deletedByOthers(ctx context.Context, r remediation.Request) (int, error) {
	n, err := s.d.Ledger.Deletions(ctx, s.d.Now().Add(-24*time.Hour))
	if err != nil {
		return 0, fmt.Errorf("count the deletions of the day: %w", err)
	}
	if r.State == remediation.Deleting && n > 0 {
		n--
	}
	return n, nil
}

// entitled looks up who of those that confirmed may still confirm.
func (s *Service) entitled(ctx context.Context, r remediation.Request) (may map[string]bool, answered bool) {
	users := r.Approvers()
	if r.BreakGlass {
		users = append(users, r.Requester.User)
	}
	may, answered = map[string]bool{}, true
	for _, u := range users {
		if _, no := s.live(ctx, u); no != nil {
			answered = answered && no.Code != WhoUnknown
			continue
		}
		yes, unread := s.among(ctx, s.cfg.Approvers, u)
		may[u] = yes
		answered = answered && (yes || len(unread) == 0)
	}
	return may, answered
}
