package proof_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// plan is what people want to happen to one key, and what must have come of it.
type plan struct {
	name    string
	source  string
	account posture.AccountID
	undo    bool                     // they want it back instead of deleting it
	meddle  func(w *world, k string) // what somebody outside does when the deletion was asked for; nil: nothing
	key     func(w *world) string    // the key's whole id
	ends    []remediation.State      // where the request may end
	status  string                   // of the key in the end; "" when it is gone
}

func plans() []plan {
	activeKey := func(account string) func(*world) string {
		return func(w *world) string {
			view, _ := w.org.Account(account)
			for _, k := range view.Root.Keys {
				if k.Status == "Active" {
					return k.ID
				}
			}
			w.t.Fatalf("account %s has no active key", account)
			return ""
		}
	}
	lab := func(*world) string { return awssim.LabOtherAccessKeyID }
	return []plan{
		{
			name: "delete by the organization", source: "acme", account: awssim.ArchiveAccount, key: activeKey(awssim.ArchiveAccount),
			ends: []remediation.State{remediation.Verified},
		},
		{name: "delete by root credentials", source: "lab", account: awssim.LabAccount, key: lab, ends: []remediation.State{remediation.Verified}},
		{
			name: "reactivate by the organization", source: "acme", account: awssim.ArchiveAccount, key: activeKey(awssim.ArchiveAccount),
			undo: true, ends: []remediation.State{remediation.Restored}, status: "Active",
		},
		{
			name: "reactivate by root credentials", source: "lab", account: awssim.LabAccount, key: lab,
			undo: true, ends: []remediation.State{remediation.Restored}, status: "Active",
		},
		{
			name: "a block taken off behind the bot's back", source: "acme", account: awssim.ArchiveAccount, key: activeKey(awssim.ArchiveAccount),
			meddle: func(w *world, _ string) {
				ok(w.t, w.org.Policy(awssim.QuarantinePolicyID, awssim.ArchiveAccount, "detach"))
			},
			ends: []remediation.State{remediation.Reactivated}, status: "Active",
		},
		{
			name: "a key switched on behind the bot's back", source: "lab", account: awssim.LabAccount, key: lab,
			meddle: func(w *world, k string) { must[awssim.KeyView](w.t)(w.org.Key(awssim.LabAccount, k, "activate")) },
			ends:   []remediation.State{remediation.Reactivated}, status: "Active",
		},
	}
}

// life is one key's way through the hands of people who press again when nothing happened.
type life struct {
	*world
	plan
	id       string // of the key
	meddled  bool
	started  int                           // calls to AWS when somebody first confirmed anything; -1: nobody has
	allowed  []int                         // calls to AWS at each confirmation of a deletion
	answered map[remediation.RequestID]int // versions that people were told of
	crashes  int
	begun    int               // calls to AWS when the life began
	refused  *commands.Refusal // the last that a person met
}

func newLife(w *world, p plan) *life {
	return &life{world: w, plan: p, id: p.key(w), started: -1, answered: map[remediation.RequestID]int{}, begun: len(w.org.Calls())}
}

// press is what a person does next, by what the card shows.
func (l *life) press(p *process) error {
	all, err := p.st.Requests(l.t.Context(), commands.RequestQuery{})
	if err != nil {
		return err
	}
	if len(all) > 0 && slices.Contains(l.ends, all[0].State) {
		l.clock.advance(3 * time.Minute) // the block is still to be taken off
		return nil
	}
	if len(all) == 0 || all[0].State.Ended() {
		asked, failed := p.s.RequestDeactivate(p.ctx, who(requester), commands.Ask{
			Source: l.source, Account: l.account, Key: l.nameOf(p), TypedAccount: string(l.account), TypedKey: l.id[len(l.id)-4:], Reason: "nobody needs it",
		})
		return l.told(asked, failed)
	}
	r := all[0]
	switch {
	case r.State.Pending():
		return l.confirm(p, r)
	case r.State == remediation.Inactive && l.meddled:
		l.clock.advance(5 * time.Hour) // a credential report may be four hours old
	case r.State == remediation.Inactive && l.undo:
		r, err = p.s.RequestReactivate(p.ctx, who(requester), r.ID, r.Version, "it is needed after all")
		return l.told(r, err)
	case r.State == remediation.Inactive && r.Remaining() == 0:
		r, err = p.s.RequestDelete(p.ctx, who(requester), r.ID, r.Version, commands.Ask{TypedKey: l.id, Reason: "watched"})
		return l.told(r, err)
	case r.State == remediation.Inactive:
		l.clock.advance(24*time.Hour + time.Minute)
	case r.State == remediation.Deleted:
		l.clock.advance(20 * time.Second)
	default:
		l.clock.advance(3 * time.Minute)
	}
	return nil
}

// nameOf is the key as the card names it: by its fingerprint, or by its creation date where a scan sees no ids.
func (l *life) nameOf(p *process) string {
	look := must[commands.Look](l.t)(p.st.Look(l.t.Context(), l.source, l.account))
	view, _ := l.org.Account(string(l.account))
	for _, k := range view.Root.Keys {
		for _, seen := range look.Evidence.Keys.Value {
			if k.ID == l.id && seen.Created.Equal(k.Created) {
				return commands.KeyName(seen)
			}
		}
	}
	l.t.Fatal("the scan did not see the key")
	return ""
}

func (l *life) confirm(p *process, r remediation.Request) error {
	if r.State == remediation.DeleteRequested && l.meddle != nil && !l.meddled {
		l.meddled = true
		l.meddle(l.world, l.id)
		l.clock.advance(15 * time.Second) // until IAM shows it everywhere
	}
	calls := len(l.org.Calls())
	if l.started < 0 {
		l.started = calls
	}
	if r.State == remediation.DeleteRequested {
		l.allowed = append(l.allowed, calls)
	}
	user := approver
	if r.State != remediation.Requested {
		user = second
	}
	r, err := p.s.Confirm(p.ctx, who(user), r.ID, r.Version, "")
	return l.told(r, err)
}

// told remembers what a person was told. A refusal is an answer; a failure is none, and they press again.
func (l *life) told(r remediation.Request, err error) error {
	var no *commands.Refusal
	switch {
	case err == nil:
		l.answered[r.ID] = max(l.answered[r.ID], r.Version)
	case errors.As(err, &no):
		l.refused = no
		return nil
	}
	return err
}

// over reports whether the story is told: the request ended as planned, and nothing of ours is left on the account.
func (l *life) over(p *process) bool {
	all := must[[]remediation.Request](l.t)(p.st.Requests(l.t.Context(), commands.RequestQuery{}))
	b := must[remediation.Block](l.t)(p.st.Block(l.t.Context(), l.source, l.account))
	return len(all) > 0 && slices.Contains(l.ends, all[0].State) && len(b.Holders) == 0 && b.Origin == ""
}

// live plays the life to its end. The processes die at these places, one after another; the last one does not.
func (l *life) live(deaths ...death) (first []point) {
	l.t.Helper()
	deaths = append(slices.Clone(deaths), death{})
	p := l.start(deaths[0].at, deaths[0].after)
	defer func() { p.end() }()
	for range 150 {
		if p.m.isDead() {
			if first == nil {
				first = p.m.points()
			}
			p.end()
			l.crashes++
			deaths = append(deaths[1:], death{})
			p = l.start(deaths[0].at, deaths[0].after)
			l.remembers(p)
			p.settle()
			continue
		}
		if l.over(p) {
			if first == nil {
				first = p.m.points()
			}
			l.publish(p.st)
			l.judge(p)
			return first
		}
		if err := l.press(p); err != nil && !p.m.isDead() {
			l.t.Fatalf("press: %v", err)
		}
		p.settle()
	}
	l.stuck(p)
	return first
}

// death is where a process dies: at a point, or after so many boundaries.
type death struct {
	at    point
	after int
}

func (d death) String() string {
	if d.after > 0 {
		return fmt.Sprintf("after %d boundaries", d.after)
	}
	return d.at.String()
}

// remembers checks that nothing is lost that somebody was told.
func (l *life) remembers(p *process) {
	l.t.Helper()
	for id, version := range l.answered {
		r, err := p.st.Request(l.t.Context(), id)
		if err != nil || r.Version < version {
			l.t.Errorf("request %s was answered with version %d; after the crash it has %d, %v", id, version, r.Version, err)
		}
	}
}

// stuck is an error unless somebody was alarmed: then the story is in people's hands.
func (l *life) stuck(p *process) {
	l.t.Helper()
	l.judge(p)
	alarms := l.slack.heard(commands.KindAlarm)
	for _, n := range l.slack.heard(commands.KindNotice) {
		if n.work.Notice == commands.NoticeParked || n.work.Notice == commands.NoticeFailing {
			alarms = append(alarms, n)
		}
	}
	all := must[[]remediation.Request](l.t)(p.st.Requests(l.t.Context(), commands.RequestQuery{}))
	last := remediation.Request{}
	if len(all) > 0 {
		last = all[0]
	}
	l.t.Errorf("the story has no end: %d requests, the last is %q with note %q %q; %d alarms; the last refusal is %+v",
		len(all), last.State, last.Note, last.NoteDetail, len(alarms), l.refused)
}

// judge holds what must be true of every life, by the simulator's call log.
func (l *life) judge(p *process) {
	l.t.Helper()
	calls := l.org.Calls()
	deletes, effective, lastDelete := 0, 0, -1
	for i, c := range calls[l.begun:] {
		at := l.begun + i
		if !changing[c.Action] {
			continue
		}
		if c.Effect && (l.started < 0 || at < l.started) {
			l.t.Errorf("%s of %s took effect before anybody had confirmed anything", c.Action, c.Account)
		}
		if c.Account != string(l.account) {
			l.t.Errorf("%s was called on account %q, and the request is about %s", c.Action, c.Account, l.account)
		}
		switch c.Action {
		case "DeleteAccessKey", "UpdateAccessKey":
			if c.Target != l.id {
				l.t.Errorf("%s was called on key %q, and the request is about %q", c.Action, c.Target, l.id)
			}
		case "AttachPolicy", "DetachPolicy":
			if c.Target != awssim.QuarantinePolicyID {
				l.t.Errorf("%s was called with policy %q", c.Action, c.Target)
			}
		default:
			l.t.Errorf("%s was called, which no step needs", c.Action)
		}
		if c.Action != "DeleteAccessKey" {
			continue
		}
		deletes++
		if c.Effect {
			effective++
		}
		if len(l.allowed) == 0 || at < l.allowed[0] {
			l.t.Errorf("deletion %d was sent before anybody had confirmed one", deletes)
		}
		if lastDelete >= 0 && !slices.ContainsFunc(calls[lastDelete:at], func(c awssim.Call) bool { return c.Action == "ListAccessKeys" && c.Outcome == "ok" }) {
			l.t.Errorf("deletion %d was sent without reading AWS since the one before", deletes)
		}
		lastDelete = at
	}
	wanted := 0
	if l.status == "" {
		wanted = 1
	}
	if effective > wanted {
		l.t.Errorf("%d deletions took effect, want at most %d", effective, wanted)
	}
	if l.meddled && deletes > 0 {
		l.t.Errorf("%d deletions were sent for a key that had changed", deletes)
	}
	l.judgeEnd(p)
}

func (l *life) judgeEnd(p *process) {
	l.t.Helper()
	view, _ := l.org.Account(string(l.account))
	status := ""
	for _, k := range view.Root.Keys {
		if k.ID == l.id {
			status = k.Status
		}
	}
	if status != l.status || view.Quarantined {
		l.t.Errorf("in the end the key is %q, want %q; blocked %t", status, l.status, view.Quarantined)
	}
	if l.meddled && len(l.slack.heard(commands.KindAlarm)) == 0 {
		l.t.Error("what was done behind the bot's back raised no alarm")
	}
	if r := l.verify(p.st); !r.OK() {
		l.t.Errorf("the audit log does not verify: %v", r.Findings)
	}
	attempts := 0
	for _, e := range must[[]audit.Leaf](l.t)(p.st.Audit(l.t.Context(), commands.AuditQuery{})) {
		if e.Action == audit.RemediationAttempted {
			attempts++
		}
	}
	sent := 0
	for _, c := range l.org.Calls()[l.begun:] {
		if changing[c.Action] && c.Action != "DetachPolicy" && c.Effect {
			sent++
		}
	}
	if attempts < sent {
		l.t.Errorf("%d changing calls had an effect, and %d attempts are on record", sent, attempts)
	}
	for _, n := range l.slack.heard(commands.KindNotice) {
		if n.work.Notice == commands.NoticeParked || n.work.Notice == commands.NoticeFailing {
			l.t.Errorf("work of kind %s failed too often: %s", n.work.What, n.work.Notice)
		}
	}
}

// template is a database after the first scan, made once for all lives on it.
func template(tb testing.TB, d database) string {
	tb.Helper()
	w := newWorld(tb, d.empty(tb))
	w.scan()
	return w.url
}
