package proof_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// This file is the table of who may do what. Each cell is entered as an envelope into the whole bot, and held by the audit
// record that the person left: the record of the act where it is allowed, the record of the refusal where it is not.

// The people. The first two are named in the settings and prepare what the cells need; all others have their rights from
// groups, which are read live.
const (
	asks      = "U0ASKS"
	agrees    = "U0AGREES"
	aRequest  = "U0REQUESTER"
	anApprove = "U0APPROVER"
	both      = "U0BOTH"
	neither   = "U0NEITHER"
	aGuest    = "U0GUEST"
	connect   = "U0CONNECT"
	left      = "U0LEFT"
	aBot      = "U0ABOT"
	elsewhere = "U0ELSEWHERE"

	askers  = "S0ASKERS"
	agreers = "S0AGREERS"
	shop    = posture.AccountID(awssim.ArchiveAccount) // one active key, never used
	cellar  = posture.AccountID(awssim.LegacyAccount)  // one inactive key: its watch begins without a changing call
)

var (
	preparer  = claim{asks, slacksim.TeamID}
	confirmer = claim{agrees, slacksim.TeamID}
)

// rights is the office with what a cell needs.
type rights struct{ *office }

func newRights(t *testing.T) *rights {
	t.Helper()
	users := []slacksim.User{
		{ID: asks, Name: "asks"},
		{ID: agrees, Name: "agrees"},
		{ID: aRequest, Name: "requester"},
		{ID: anApprove, Name: "approver"},
		{ID: both, Name: "both"},
		{ID: neither, Name: "neither"},
		{ID: aGuest, Name: "guest", Guest: true},
		{ID: connect, Name: "connect", Stranger: true, TeamID: "T0PARTNER"},
		{ID: left, Name: "left", Deleted: true},
		{ID: aBot, Name: "abot", Bot: true},
		{ID: elsewhere, Name: "elsewhere"},
	}
	for i := range users {
		users[i].Email = users[i].Name + "@example.com"
	}
	everybody := []string{both, aGuest, connect, left, aBot, elsewhere}
	groups := []slacksim.Group{
		{ID: askers, Handle: "askers", Name: "askers", Users: append(slices.Clone(everybody), aRequest)},
		{ID: agreers, Handle: "agreers", Name: "agreers", Users: append(slices.Clone(everybody), anApprove)},
	}
	return &rights{newOffice(t, users, groups, func(c *app.Config) {
		c.Requesters = app.People{Users: []string{asks}, Groups: []string{askers}}
		c.Approvers = app.People{Users: []string{agrees}, Groups: []string{agreers}}
	})}
}

// member puts a person into exactly these groups.
func (r *rights) member(user string, groups ...string) {
	r.t.Helper()
	groups = slices.Clone(groups)
	if groups == nil {
		groups = []string{}
	}
	_, err := r.slack.SetPerson(slacksim.Person{User: user, Groups: &groups})
	ok(r.t, err)
}

// groupsFail makes the look-up of groups fail, or work again.
func (r *rights) groupsFail(fail bool) {
	r.t.Helper()
	kind := "clear"
	if fail {
		kind = "error"
	}
	ok(r.t, r.slack.Inject(slacksim.Fault{Kind: kind, Method: "usergroups.users.list", Code: "permission_denied", For: 1000 * time.Hour}))
}

func (r *rights) ref(account posture.AccountID) object {
	status := "Active"
	if account == cellar {
		status = "Inactive"
	}
	return object{"source": "acme", "account": account, "what": fingerprint(r.keyOf(string(account), status)), "live": true}
}

func step(q remediation.Request) object {
	return object{"request": q.ID, "version": q.Version, "source": q.Source, "account": q.Account, "live": true}
}

func (r *rights) ask(by claim, account posture.AccountID) {
	r.t.Helper()
	status := "Active"
	if account == cellar {
		status = "Inactive"
	}
	key := r.keyOf(string(account), status)
	r.submit(by, "form.deactivate", r.ref(account), map[string]string{"reason": "nobody needs it", "key": key[len(key)-4:]})
}

// opened is a request on the shop's key that waits for its second confirmation, asked for by a person.
func (r *rights) opened(by claim) remediation.Request {
	r.t.Helper()
	r.quiet()
	r.ask(by, shop)
	q := r.latest(shop)
	if q.State != remediation.Requested || q.Requester.User != by.user {
		r.t.Fatalf("the request to begin with is %s by %s; last on record: %+v", q.State, q.Requester.User, r.records(by.user)[0])
	}
	return q
}

// quiet takes back whatever is open on the shop's key.
func (r *rights) quiet() {
	r.t.Helper()
	for range 12 {
		r.act()
		q := r.latest(shop)
		switch {
		case q.ID == "" || q.State.Ended():
			return
		case q.State == remediation.Inactive:
			r.submit(preparer, "form.reactivate", step(q), map[string]string{"reason": "the cell is done"})
		case q.State == remediation.ReactivateRequested:
			r.submit(confirmer, "form.confirm", step(q), nil)
		case q.State == remediation.Requested || q.State == remediation.Approved:
			r.press(confirmer, "remediation.cancel", fmt.Sprintf("%s|%d", q.ID, q.Version))
		default:
			r.pass(3 * time.Minute)
		}
	}
	r.t.Fatalf("the shop does not come to rest: %s", r.latest(shop).State)
}

// watched is the request on the cellar's key, whose watch is over and on which nothing is asked.
func (r *rights) watched(claim) remediation.Request {
	r.t.Helper()
	if r.latest(cellar).ID == "" {
		r.ask(preparer, cellar)
	}
	for range 12 {
		r.act()
		q := r.latest(cellar)
		switch {
		case q.State == remediation.DeleteRequested:
			r.press(confirmer, "remediation.cancel", fmt.Sprintf("%s|%d", q.ID, q.Version))
		case q.State == remediation.Inactive && q.Remaining() == 0:
			return q
		case q.State == remediation.Inactive:
			r.pass(24*time.Hour + time.Minute)
		default:
			r.pass(3 * time.Minute)
		}
	}
	r.t.Fatalf("the cellar's watch is not over: %+v", r.latest(cellar))
	return remediation.Request{}
}

func (r *rights) askDelete(by claim, q remediation.Request) {
	r.t.Helper()
	r.submit(by, "form.delete", step(q), map[string]string{"reason": "watched", "key": r.keyOf(string(cellar), "Inactive"), "override": "it is not used"})
}

// deletion is the cellar's request with a deletion that waits for its confirmation.
func (r *rights) deletion(by claim) remediation.Request {
	r.t.Helper()
	r.askDelete(by, r.watched(by))
	q := r.latest(cellar)
	if q.State != remediation.DeleteRequested {
		r.t.Fatalf("the deletion to begin with is %s", q.State)
	}
	return q
}

// paused makes the switch stand as wanted, by the preparers.
func (r *rights) paused(by claim, want bool) {
	r.t.Helper()
	sw, err := r.seen.Switch(r.t.Context())
	ok(r.t, err)
	if sw.Paused && (!want || sw.By != by.user) {
		other := confirmer
		if sw.By == agrees {
			r.member(neither, agreers)
			other = claim{neither, slacksim.TeamID}
		}
		r.command(other, "resume")
		r.member(neither)
		sw.Paused = false
	}
	if want && !sw.Paused {
		r.command(by, "pause for the cell")
	}
	if sw, err = r.seen.Switch(r.t.Context()); err != nil || sw.Paused != want {
		r.t.Fatalf("the switch stands at %+v, %v", sw, err)
	}
}

// column is one act, which ready prepares as somebody who owns what is acted on; do is what the person then does.
type column struct {
	name  string
	does  audit.Action // the record of it, where it is allowed
	ready func(r *rights, owner claim) remediation.Request
	do    func(r *rights, by claim, q remediation.Request)
}

func columns() []column {
	calm := func(r *rights, _ claim) remediation.Request { r.quiet(); return remediation.Request{} }
	return []column{
		{"request", audit.RemediationRequested, calm, func(r *rights, by claim, _ remediation.Request) { r.ask(by, shop) }},
		{"approve", audit.RemediationConfirmed, (*rights).opened, func(r *rights, by claim, q remediation.Request) {
			r.submit(by, "form.confirm", step(q), nil)
		}},
		{"reject", audit.RemediationRejected, (*rights).opened, func(r *rights, by claim, q remediation.Request) {
			r.submit(by, "form.reject", step(q), map[string]string{"reason": "not this one"})
		}},
		{"cancel", audit.RemediationCancelled, (*rights).opened, func(r *rights, by claim, q remediation.Request) {
			r.press(by, "remediation.cancel", fmt.Sprintf("%s|%d", q.ID, q.Version))
		}},
		{"ask to delete", audit.RemediationRequested, (*rights).watched, (*rights).askDelete},
		{approveDeletion, audit.RemediationConfirmed, (*rights).deletion, func(r *rights, by claim, q remediation.Request) {
			r.submit(by, "form.confirm", step(q), nil)
		}},
		{"pause", audit.SwitchPaused, func(r *rights, _ claim) remediation.Request {
			r.paused(confirmer, false)
			return remediation.Request{}
		}, func(r *rights, by claim, _ remediation.Request) { r.command(by, "pause I say so") }},
		{"resume", audit.SwitchResumed, func(r *rights, owner claim) remediation.Request {
			if owner == preparer {
				owner = confirmer // whoever asks need not be one who may pause
			}
			r.paused(owner, true)
			return remediation.Request{}
		}, func(r *rights, by claim, _ remediation.Request) { r.command(by, "resume") }},
		{"break glass", audit.BreakglassDeclared, func(r *rights, owner claim) remediation.Request {
			r.paused(confirmer, false)
			return calm(r, owner)
		}, func(r *rights, by claim, _ remediation.Request) {
			r.submit(by, "form.break_glass", r.ref(shop), map[string]string{
				"reason": "it is on the internet", "account": string(shop), "key": r.keyOf(string(shop), "Active"),
			})
		}},
	}
}

const approveDeletion = "approve the deletion"

// row is one kind of person, with what each column answers: "" where the act is allowed.
type row struct {
	name    string
	by      claim
	mine    bool              // what they act on is their own, where they may ask
	prepare func(r *rights)   // right before the act
	repair  func(r *rights)   // after it
	answers map[string]string // by column
	all     string            // what every column answers
}

func rows() []row {
	in := func(user string) claim { return claim{user, slacksim.TeamID} }
	no := func(approver, requester, cancel string) map[string]string {
		return map[string]string{
			"request": requester, "ask to delete": requester, "approve": approver, "reject": approver, approveDeletion: approver,
			"pause": approver, "resume": approver, "break glass": approver, "cancel": cancel,
		}
	}
	return []row{
		{name: "a requester", by: in(aRequest), answers: no("not_approver", "", "not_yours")},
		{name: "an approver", by: in(anApprove), answers: no("", "not_requester", "")},
		{name: "both, on what is their own", by: in(both), mine: true, answers: map[string]string{
			"approve": "own", approveDeletion: "own", "resume": "own_pause",
		}},
		{name: "neither", by: in(neither), answers: no("not_approver", "not_requester", "not_yours")},
		{name: "a guest", by: in(aGuest), all: "guest"},
		{name: "somebody by Slack Connect", by: in(connect), all: "outside"},
		{name: "somebody who left", by: in(left), all: "deactivated"},
		{name: "a bot", by: in(aBot), all: "bot"},
		{name: "somebody of another team", by: claim{elsewhere, "T0OTHER"}, all: "outside"},
		{
			name: "revoked after the request, on what is their own", by: in(both), mine: true,
			prepare: func(r *rights) { r.member(both) }, repair: func(r *rights) { r.member(both, askers, agreers) },
			answers: no("not_approver", "not_requester", ""),
		},
		{
			name: "revoked after the approval", by: in(anApprove),
			prepare: func(r *rights) { r.member(anApprove) }, repair: func(r *rights) { r.member(anApprove, agreers) },
			answers: no("not_approver", "not_requester", "not_yours"),
		},
		{
			name: "an approver whose group cannot be read", by: in(anApprove),
			prepare: func(r *rights) { r.groupsFail(true) }, repair: func(r *rights) { r.groupsFail(false) }, all: "group_unreadable",
		},
	}
}

func TestTheTableOfWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	r := newRights(t)
	cells, refusals := 0, 0
	var deletes column
	for _, person := range rows() {
		for _, act := range columns() {
			if person.name == "an approver" && act.name == approveDeletion {
				deletes = act // and it does, so that it comes last
				continue
			}
			want := person.all
			if want == "" {
				want = person.answers[act.name]
			}
			r.cell(person, act, want)
			cells++
			if want != "" {
				refusals++
			}
		}
	}
	r.revokedBeforeTheCall(shop, r.opened(preparer), remediation.Failed)
	r.revokedBeforeTheCall(cellar, r.deletion(preparer), remediation.Inactive)
	for _, c := range r.org.Effects() {
		if c.Action == "DeleteAccessKey" {
			t.Errorf("a key was deleted before anybody who may had confirmed it: %+v", c)
		}
	}
	r.cell(row{name: "an approver", by: claim{anApprove, slacksim.TeamID}}, deletes, "")
	r.act()
	if got := r.latest(cellar).State; got != remediation.Deleted && got != remediation.Verified {
		t.Errorf("after an approver's confirmation the deletion is %s", got)
	}
	t.Logf("%d cells, %d of them refusals, each with its record", cells+3, refusals+2)
}

// cell enters one act and holds it to its record.
func (r *rights) cell(person row, act column, want string) {
	r.t.Helper()
	owner := preparer
	if person.mine {
		owner = person.by
	}
	q := act.ready(r, owner)
	if person.prepare != nil {
		person.prepare(r)
	}
	before := len(r.records(person.by.user))
	act.do(r, person.by, q)
	made := r.records(person.by.user)
	if person.repair != nil {
		person.repair(r)
	}
	if len(made) == before {
		r.t.Errorf("%s: %s left no record", person.name, act.name)
		return
	}
	last := made[0]
	refused := last.Outcome == audit.OutcomeRefused
	switch {
	case want == "" && (refused || last.Action != act.does):
		r.t.Errorf("%s: %s is on record as %s %s %q, want %s", person.name, act.name, last.Action, last.Outcome, last.Reason, act.does)
	case want != "" && (!refused || last.Reason != want):
		r.t.Errorf("%s: %s is on record as %s %s %q, want the refusal %q", person.name, act.name, last.Action, last.Outcome, last.Reason, want)
	}
}

// revokedBeforeTheCall lets somebody approve who may, takes the right away before the call can be made, and wants the
// gate to be on record and nothing to be sent.
func (r *rights) revokedBeforeTheCall(account posture.AccountID, q remediation.Request, want remediation.State) {
	r.t.Helper()
	ok(r.t, r.org.Inject(awssim.Fault{Kind: awssim.FaultThrottle, Account: string(account)})) // so that the call has to wait
	r.submit(claim{anApprove, slacksim.TeamID}, "form.confirm", step(q), nil)
	r.act()
	if got := r.latest(account); got.State != remediation.Approved && got.State != remediation.DeleteApproved {
		r.t.Fatalf("after the approval the request is %s with note %s %s", got.State, got.Note, got.NoteDetail)
	}
	r.member(anApprove)
	r.org.ClearFaults()
	sent := len(r.org.Effects())
	r.pass(3 * time.Minute)
	got := r.latest(account)
	if got.State != want || got.NoteDetail != string(remediation.GateEntitled) || len(r.org.Effects()) != sent {
		r.t.Errorf("approved by somebody who may not any more, the request is %s with note %s %s, and %d calls had an effect",
			got.State, got.Note, got.NoteDetail, len(r.org.Effects())-sent)
	}
	found := false
	for _, l := range must[[]audit.Leaf](r.t)(r.seen.Audit(r.t.Context(), commands.AuditQuery{Request: string(q.ID)})) {
		found = found || l.Action == audit.RemediationRefused && l.Reason == string(remediation.GateEntitled)
	}
	if !found {
		r.t.Error("the gate that was shut is not on record")
	}
	r.member(anApprove, agreers)
}
