package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file is the only way by which a request changes. The rules are:
//   - One commit holds the new state, its audit record and whatever follows from it. There is no second write to lose.
//   - Whoever finds that somebody else wrote first reads and decides again, from the start.
//   - What the machine refuses to a person is on record as fully as what it grants.

// rounds bounds how often a decision is made again after somebody else wrote first.
const rounds = 12

// request is one request as it is judged and shown now: under its own policy, and under the one in force where that is
// stricter. What is written is left with its own.
func (s *Service) request(ctx context.Context, id remediation.RequestID) (remediation.Request, error) {
	r, err := s.d.Ledger.Request(ctx, id)
	return r.Under(s.cfg.Policy), err
}

// requests are the requests of a query, each like [Service.request].
func (s *Service) requests(ctx context.Context, q RequestQuery) ([]remediation.Request, error) {
	all, err := s.d.Ledger.Requests(ctx, q)
	for i, r := range all {
		all[i] = r.Under(s.cfg.Policy)
	}
	return all, err
}

// turn is one event to be put to a request.
type turn struct {
	lease *Lease // checked with the commit; nil for people
	done  bool   // the lease's item is finished by the commit
	actor audit.Actor
	// event is asked for each round, with the request as it stands then. It may return a *Refusal.
	event func(remediation.Request) (remediation.Event, error)
	// with adds what must be in the same commit. It may be nil.
	with func(c *Change, before remediation.Request, d remediation.Decision) error
}

// turned is what became of a turn.
type turned struct {
	before   remediation.Request
	decision remediation.Decision
	receipt  audit.Receipt
}

// turn decides and commits. The machine's refusal is returned in the decision, and nothing is written then.
func (s *Service) turn(ctx context.Context, id remediation.RequestID, t turn) (turned, error) {
	for range rounds {
		r, err := s.d.Ledger.Request(ctx, id)
		if err != nil {
			return turned{}, fmt.Errorf("read request %s: %w", id, err)
		}
		e, err := t.event(r)
		if err != nil {
			return turned{before: r}, err
		}
		now := s.d.Now()
		e.Policy = s.cfg.Policy
		d := remediation.Decide(r, e, now)
		if d.Refusal != nil {
			return turned{before: r, decision: d}, nil //nolint:nilerr // A refusal is an answer, and the decision carries it.
		}
		c, err := s.change(ctx, t, r, e, d, now)
		if err != nil {
			return turned{before: r}, err
		}
		if c.Request == nil && c.Block == nil && len(c.Queue) == 0 && !t.done {
			return turned{before: r, decision: d}, nil
		}
		receipt, err := s.d.Ledger.Commit(ctx, c)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return turned{before: r}, fmt.Errorf("commit %s of request %s: %w", e.Kind, id, err)
		}
		return turned{before: r, decision: d, receipt: receipt}, nil
	}
	return turned{}, fmt.Errorf("decide on request %s: %w", id, ErrConflict)
}

func (s *Service) change(ctx context.Context, t turn, r remediation.Request, e remediation.Event, d remediation.Decision, now time.Time) (Change, error) {
	c := Change{Lease: t.lease, Done: t.done && t.lease != nil}
	if t.with != nil {
		if err := t.with(&c, r, d); err != nil {
			return c, err
		}
	}
	if d.Changed {
		next := d.Next
		c.Request = &next
		c.Audit = append(c.Audit, record(t.actor, now, r.State, next, e, d.Action))
	}
	items, err := s.queueing(ctx, d.Next.Under(s.cfg.Policy), d.Effects)
	c.Queue = append(c.Queue, items...)
	return c, err
}

// record is the audit event of a transition.
func record(actor audit.Actor, now time.Time, from remediation.State, r remediation.Request, e remediation.Event, action audit.Action) audit.Event {
	ev := audit.Event{
		At: now, Actor: actor, Action: action, Outcome: outcomeOf(action), Request: string(r.ID), Version: r.Version,
		Source: r.Source, Account: string(r.Account), Key: handle(r.Key.ID), From: string(from), To: string(r.State),
		Reason: e.Reason, Approvers: r.Approvers(), Snapshot: r.SnapshotHash(), AWSRequest: e.AWSID,
		Detail: map[string]string{"note": string(r.Note), "event": string(e.Kind)},
	}
	for name, value := range map[string]string{
		"gate": string(e.Gate), "code": e.Code, "override": e.Override, "means": string(meansOf(r)),
		"created": clock(r.Key.Created),
	} {
		if value != "" {
			ev.Detail[name] = value
		}
	}
	if e.Gate != "" {
		ev.Reason = string(e.Gate)
	}
	if r.BreakGlass {
		ev.Detail["break_glass"] = "true"
	}
	return ev
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// when is a time as people read it.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// meansOf is the means of the step that the request stands at.
func meansOf(r remediation.Request) remediation.Means {
	deleting := []remediation.State{
		remediation.DeleteRequested, remediation.DeleteApproved, remediation.Deleting, remediation.AwaitingOwnerDelete,
		remediation.Deleted, remediation.Verified, remediation.VerifiedWithAlarm,
	}
	if slices.Contains(deleting, r.State) {
		return r.DeleteMeans
	}
	return r.Means
}

func outcomeOf(a audit.Action) audit.Outcome {
	special := map[audit.Action]audit.Outcome{
		audit.RemediationAttempted: audit.OutcomeAttempt,
		audit.RemediationFailed:    audit.OutcomeFailed,
		audit.RemediationUncertain: audit.OutcomeUnknown, audit.RemediationAnsweredLate: audit.OutcomeUnknown,
		audit.RemediationRefused: audit.OutcomeRefused,
	}
	if o, ok := special[a]; ok {
		return o
	}
	return audit.OutcomeDone
}

// queueing turns effects into work.
func (s *Service) queueing(ctx context.Context, r remediation.Request, effects []remediation.Effect) ([]Item, error) {
	items := make([]Item, 0, len(effects))
	for _, e := range effects {
		i, err := s.item(ctx, r, e)
		if err != nil {
			return nil, err
		}
		if i.Key != "" {
			items = append(items, i)
		}
	}
	return items, nil
}

func (s *Service) item(ctx context.Context, r remediation.Request, e remediation.Effect) (Item, error) {
	step := fmt.Sprintf("%s/%d", r.ID, r.Version)
	w := Work{Request: r.ID, Version: r.Version, Note: e.Note, Source: r.Source, Account: r.Account}
	switch e.Kind {
	case remediation.EffectDraw:
		return cardItem(r.Source, r.Account, e.At), nil
	case remediation.EffectTell:
		return tellItem(r, r.Version, e.Note, e.At), nil
	case remediation.EffectAlarm:
		w.Then = &r
		return item("alarm/"+step, KindAlarm, w, e.At), nil
	case remediation.EffectAct:
		return item("act/"+step, KindAct, w, e.At), nil
	case remediation.EffectRead:
		return item("read/"+string(r.ID), KindRead, w, e.At), nil
	case remediation.EffectLapse:
		return item("lapse/"+step, KindLapse, w, e.At), nil
	case remediation.EffectRelease:
		return item("release/"+string(r.ID), KindRelease, w, e.At), nil
	case remediation.EffectRescan:
		return rescanItem(r.Source, r.Account, e.At), nil
	case remediation.EffectOwner:
		return s.ownerStep(ctx, r, w, e.At)
	default:
		return Item{}, fmt.Errorf("queue the work of request %s: no such effect %q", r.ID, e.Kind)
	}
}

// tellItem is the line in the card's thread on the transition that made a version of a request.
func tellItem(r remediation.Request, version int, n remediation.Note, at time.Time) Item {
	w := Work{Request: r.ID, Version: version, Note: n, Then: &r, Source: r.Source, Account: r.Account}
	return item(fmt.Sprintf("tell/%s/%d/%s", r.ID, version, n), KindTell, w, at)
}

// ownerStep is the DM that hands a guided step to the account's owner. Nobody may be known: then the card says so, and a
// requester can say that the step is done.
func (s *Service) ownerStep(ctx context.Context, r remediation.Request, w Work, at time.Time) (Item, error) {
	o, err := s.d.Ledger.Owner(ctx, r.Source, r.Account)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Item{}, fmt.Errorf("read the owner of %s: %w", r.Account, err)
	}
	w.Purpose, w.User = PurposeKey, o.User
	key := fmt.Sprintf("dm/%s/%s/%s/%d", r.Source, r.Account, r.ID, r.Version)
	return item(key, KindOwner, w, at), nil
}

func cardItem(source string, account posture.AccountID, at time.Time) Item {
	return item(fmt.Sprintf("card/%s/%s", source, account), KindCard, Work{Source: source, Account: account}, at)
}

func rescanItem(source string, account posture.AccountID, at time.Time) Item {
	return item(fmt.Sprintf("rescan/%s/%s", source, account), KindRescan, Work{Source: source, Account: account}, at)
}

// TroubleItem is the notice of a trouble.
func TroubleItem(t Trouble, due time.Time) Item {
	return item("notice/"+string(t.Notice), KindNotice, Work{Notice: t.Notice, What: t.What}, due)
}

func item(key, kind string, w Work, due time.Time) Item {
	body, err := json.Marshal(w)
	if err != nil {
		body = []byte("{}") // unreachable: Work holds nothing that does not marshal
	}
	return Item{Key: key, Kind: kind, Body: body, Due: due}
}

// Work reads the body of an item that the verbs put.
func (i Item) Work() (Work, error) {
	var w Work
	if err := json.Unmarshal(i.Body, &w); err != nil {
		return Work{}, fmt.Errorf("read the body of %s: %w", i.Key, err)
	}
	return w, nil
}

// says turns the machine's refusal into one for people.
func (s *Service) says(r remediation.Request, m *remediation.Refusal, by remediation.Person) *Refusal {
	args := map[string]string{"state": string(r.State), "note": string(r.Note), "request": string(r.ID)}
	if m.By != "" {
		args["by"] = m.By
	}
	if !r.Since.IsZero() {
		args["when"] = when(r.Since)
	}
	switch m.Code {
	case remediation.RefuseExpired:
		args["when"] = when(r.Deadline)
	case remediation.RefuseWatching:
		args["remaining"] = r.Remaining().Round(time.Minute).String()
		args["until"] = when(r.ReadAt.Add(r.Remaining())) // at the earliest: each day wants a reading of its own
	case remediation.RefuseInUse:
		args["used"] = clock(r.Key.LastUsed)
		return &Refusal{Code: RefusalCode(m.Code), Field: "override", Args: args}
	case remediation.RefuseReason:
		return &Refusal{Code: ReasonWanted, Field: "reason", Args: args}
	case remediation.RefuseNoMeans:
		return &Refusal{Code: NoMeans, Args: args}
	case remediation.RefuseOwn, remediation.RefuseTwice:
		args["who"] = s.others(by.User, approvers(r.Approvals)...)
	case remediation.RefuseEnded, remediation.RefuseNotNow, remediation.RefuseBlockAgain, remediation.RefuseOutdated, remediation.RefuseEarly, remediation.RefuseNotReadYet, remediation.RefuseNotYours,
		remediation.RefuseHeld, remediation.RefuseStaleFacts:
	}
	if m.Missing != "" {
		args["missing"] = m.Missing
	}
	return &Refusal{Code: RefusalCode(m.Code), Args: args}
}

func approvers(given []remediation.Approval) []string {
	var ids []string
	for _, a := range given {
		ids = append(ids, a.By.User)
	}
	return ids
}

// others are the ids of the approvers, users and groups, without those who do not count: whom to ask instead.
func (s *Service) others(user string, more ...string) string {
	not := append(more, user)
	users := slices.DeleteFunc(slices.Clone(s.cfg.Approvers.Users), func(u string) bool { return slices.Contains(not, u) })
	return strings.Join(append(users, s.cfg.Approvers.Groups...), " ")
}
