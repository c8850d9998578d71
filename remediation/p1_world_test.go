package remediation_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file is the property test's world: a tiny AWS with one account and two root keys, a ledger with its outbox and
// audit log, and the worker's way of a step, cut into pieces between which anything may happen.

// cloud is the tiny AWS. What it holds is the truth; a credential report shows it late.
type cloud struct {
	keys              []posture.Key
	attached, foreign bool // the quarantine policy is attached; not by us
	undone            bool // we took it off last, as people had confirmed
	intact            bool
	report            []posture.Key
	reported          time.Time

	unread, moved bool   // reads fail; the account is another organization's
	fate          string // of the next changing call
}

// track is one request with the model that judges it.
type track struct {
	r      remediation.Request
	key    posture.KeyID // the truth, also where AWS shows no ids
	opened int           // how long the log was then
	own    terms         // what it was made under
	model  *model
	lifted bool // its block was taken off for a while, and no call put it back
	moved  int  // when a call on it last had an effect, see world.step
}

type job struct {
	kind    remediation.EffectKind
	due     time.Time
	of      *track
	version int
}

// worker is one worker in the middle of a step or of a reading. Whatever is in it is lost when it crashes, but a call that
// is on its way.
type worker struct {
	stage   int // 0: idle, 1: the attempt is on record, 2: permitted, 3: the call is on its way, 4: it has returned, 5: reading
	job     job
	r       remediation.Request
	receipt audit.Receipt
	permit  remediation.Permit
	scene   scene     // when it was given
	terms   terms     // and what it was made under
	until   time.Time // by AWS's clock, which here nobody sets
	outcome remediation.Event
	facts   remediation.Facts
	step    int // when the reading began
}

type world struct {
	t        *rapid.T
	cloud    cloud
	now, aws time.Time
	readonly bool
	shared   bool // every request blocks, so that the block has many holders
	on       bool
	paused   bool
	dryRun   bool
	exempt   bool
	entitled map[string]bool
	asks     map[string]bool    // who may still ask
	policy   remediation.Policy // what is in force now
	tracks   []*track
	jobs     []job
	workers  [3]worker
	step     int // of the workers, one after the other
	row      remediation.Block

	log    []audit.Event
	hashes []audit.Hash
	heads  []audit.Head
	last   time.Time
	sent   map[posture.KeyID]int // deletions that had an effect
	days   []time.Time           // when deletions were begun
	made   int                   // keys that were made during the test
	came   map[posture.KeyID]int // how long the log was when they came
}

// termsOf are the terms of a request that is made now.
func termsOf(p remediation.Policy, glass bool) terms {
	return terms{
		twoPerson: p.TwoPerson, breakGlass: glass, dry: p.DryRun, approvals: p.DeleteApprovals, attempts: p.Attempts, watch: p.Watch,
		spread: p.Spread, guard: p.Guard, pending: p.PendingFor, young: p.ConfirmedFor, skew: 5 * time.Minute, oneDay: 24 * time.Hour,
	}
}

// and are the terms that hold for a request while a policy is in force: of each the stricter.
func (a terms) and(p remediation.Policy) terms {
	b := termsOf(p, a.breakGlass)
	a.twoPerson, a.approvals, a.attempts = a.twoPerson || b.twoPerson, max(a.approvals, b.approvals), min(a.attempts, b.attempts)
	a.watch, a.spread, a.guard = max(a.watch, b.watch), max(a.spread, b.spread), max(a.guard, b.guard)
	a.pending, a.young = min(a.pending, b.pending), min(a.young, b.young)
	return a
}

// silent reports whether a request ends without an alarm although its key may be in use.
func silent(s remediation.State, effects []remediation.Effect) bool {
	lost := []remediation.State{remediation.Rejected, remediation.Cancelled, remediation.Expired, remediation.Failed}
	return slices.Contains(lost, s) && !slices.ContainsFunc(effects, func(e remediation.Effect) bool { return e.Kind == remediation.EffectAlarm })
}

func person(n int) remediation.Person { return remediation.Person{User: fmt.Sprintf("U%d", n)} }

func (w *world) fail(format string, args ...any) { w.t.Fatalf(format, args...) }

func (w *world) find(id posture.KeyID) int {
	return slices.IndexFunc(w.cloud.keys, func(k posture.Key) bool { return k.ID == id })
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// shut is the truth about a key.
func (w *world) shut(id posture.KeyID, means remediation.Means) bool {
	i := w.find(id)
	return i >= 0 && (w.cloud.keys[i].Status == posture.KeyInactive || means == remediation.MeansOrganization && w.cloud.attached && w.cloud.intact)
}

// facts are what a reading shows now: by the root user's or an auditor's own session, or by a credential report.
func (w *world) facts() remediation.Facts {
	f := remediation.Facts{Source: "acme", Account: account, Begun: w.now, At: w.now, AWS: w.aws}
	switch {
	case w.cloud.unread:
		f.Gap = &posture.Gap{Reason: posture.ReasonNoAnswer}
		return f
	case w.cloud.moved:
		f.Account, f.CallerOf, f.RootSession, f.KeysKnown, f.NoKeys, f.KeysAt = "333333333333", "333333333333", true, true, true, w.now
		return f
	}
	f.Keys, f.KeysKnown, f.KeysAt, f.NoKeys = slices.Clone(w.cloud.keys), true, w.now, len(w.cloud.keys) == 0
	if w.readonly && !f.NoKeys {
		if w.aws.Sub(w.cloud.reported) >= 4*time.Hour {
			w.cloud.report, w.cloud.reported = slices.Clone(w.cloud.keys), w.aws
		}
		f.Keys, f.KeysAt = slices.Clone(w.cloud.report), w.cloud.reported
		for i := range f.Keys {
			f.Keys[i].ID = ""
		}
	}
	f.Block = remediation.BlockFacts{Known: true, Attached: w.cloud.attached, Intact: w.cloud.intact}
	f.RootSession, f.CallerOf, f.KeyAccount = true, account, account
	return f
}

// sight is what the model is told of a reading.
func (w *world) sight(tr *track, f remediation.Facts) sight {
	s := sight{known: f.Gap == nil && f.Account == account, ours: w.now, aws: f.AWS}
	for _, k := range f.Keys {
		if k.ID != tr.key && (k.ID != "" || !k.Created.Equal(tr.r.Key.Created)) {
			name := k.ID.Fingerprint()
			if name == "" {
				name = k.Created.String()
			}
			s.others = append(s.others, name)
			continue
		}
		s.present, s.lastUse = true, k.LastUsed
		block := tr.r.Means == remediation.MeansOrganization && f.Block.Attached && f.Block.Intact
		s.shut, s.block = k.Status == posture.KeyInactive || block, block && k.Status != posture.KeyInactive
	}
	return s
}

// commit is the one way by which a request changes.
func (w *world) commit(tr *track, e remediation.Event, actor audit.Actor) bool {
	before := tr.r
	e.Policy = w.policy
	tr.model.terms = tr.own.and(w.policy)
	d := remediation.Decide(before, e, w.now)
	if d.Refusal != nil {
		if !reflect.DeepEqual(d.Next, before) || len(d.Effects) != 0 {
			w.fail("%s on %s is refused and changes something", before.State, e.Kind)
		}
		return false
	}
	if e.Kind == remediation.Observe && before.Tells(e, w.now) || e.Kind == remediation.Succeeded {
		tr.model.read(w.sight(tr, e.Facts))
	}
	if d.Changed {
		w.stepped(tr, before, d, e, actor)
	}
	for _, f := range d.Effects {
		w.queue(job{kind: f.Kind, due: f.At, of: tr, version: tr.r.Version})
	}
	return true
}

// stepped asserts what must hold of each transition, and keeps what the store would keep.
func (w *world) stepped(tr *track, before remediation.Request, d remediation.Decision, e remediation.Event, actor audit.Actor) {
	r := d.Next
	switch {
	case before.State.Ended():
		w.fail("I4: %s has ended and becomes %s", before.State, r.State)
	case r.Version != before.Version+1:
		w.fail("I4: version %d follows %d", r.Version, before.Version)
	case tr.lifted && !w.cloud.attached && (e.Kind == remediation.Reject || e.Kind == remediation.Cancel) && before.State == remediation.Approved:
		w.fail("I5: one person alone leaves a lifted block off")
	case tr.lifted && !w.cloud.attached && silent(r.State, d.Effects):
		w.fail("I11: %s without an alarm, and its lifted block is off", r.State)
	case d.Action == "":
		w.fail("I3: %s on %s leaves no record", before.State, e.Kind)
	}
	for _, a := range r.Approvals {
		if tr.model.twoPerson && a.By.User == r.Requester.User && e.Kind == remediation.Confirm {
			w.fail("I5: %s is the requester and among the approvers of %s", a.By.User, r.State)
		}
	}
	w.record(actor, d.Action, before.State, r)
	tr.r = w.stored(r)
	w.truth(tr, before, e)
	w.block(tr, before, e)
}

// stored is the request as it comes back from the store: everything that is shown derives from that.
func (w *world) stored(r remediation.Request) remediation.Request {
	body, err := json.Marshal(r)
	if err != nil {
		w.fail("I8: %v", err)
	}
	if r.Key.ID != "" && strings.Contains(string(body), string(r.Key.ID)) {
		w.fail("I8: the stored request holds the whole key id")
	}
	var back remediation.Request
	if err := json.Unmarshal(body, &back); err != nil {
		w.fail("I8: %v", err)
	}
	back.Key.ID = r.Key.ID
	if again, err := json.Marshal(back); err != nil || string(again) != string(body) {
		w.fail("I8: what is stored reads differently: %s and %s (%v)", body, again, err)
	}
	return back
}

// truth asserts that nothing is said to be so that is not.
func (w *world) truth(tr *track, before remediation.Request, e remediation.Event) {
	r := tr.r
	if r.State == before.State {
		return
	}
	there := w.find(tr.key) >= 0
	shown := w.sight(tr, e.Facts) // the reading, which may be a moment old
	read := e.Kind == remediation.Observe || e.Kind == remediation.Succeeded
	gone := r.State == remediation.Verified || r.State == remediation.VerifiedWithAlarm || r.State == remediation.GoneOutside
	again := !e.Facts.Block.Attached
	if r.Means != remediation.MeansOrganization {
		again = !shown.shut
	}
	switch {
	case gone && there:
		w.fail("I12: %s, and the key is there", r.State)
	case r.State == remediation.Inactive && read && !shown.shut:
		w.fail("I12: %s on %s makes it inactive, and it is not", before.State, e.Kind)
	case r.Note == remediation.NoteDetached && w.cloud.undone && !e.Facts.Block.Attached:
		w.fail("I12: what people confirmed is said to be done behind our back")
	case r.State == remediation.Restored && !again:
		w.fail("I12: restored, and it is still out of use")
	}
}

func (w *world) record(actor audit.Actor, action audit.Action, from remediation.State, r remediation.Request) audit.Receipt {
	at := w.now
	if at.Before(w.last) {
		at = w.last
	}
	e := audit.Event{
		At: at, Actor: actor, Action: action, Outcome: audit.OutcomeDone, Request: string(r.ID), Version: r.Version,
		From: string(from), To: string(r.State), Approvers: r.Approvers(), Snapshot: r.SnapshotHash(),
	}
	x, err := audit.Extend(int64(len(w.log)), w.reader(), audit.Origin{}, e)
	if err != nil {
		w.fail("I9: %v", err)
	}
	w.log, w.hashes, w.heads, w.last = append(w.log, e), append(w.hashes, x.Hashes...), append(w.heads, x.Head), at
	return audit.Sealed(x.Leaves[0], x.Head)
}

func (w *world) reader() audit.HashReader {
	return audit.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, n := range indexes {
			out[i] = w.hashes[n]
		}
		return out, nil
	})
}

func (w *world) queue(j job) {
	if j.kind == remediation.EffectRead || j.kind == remediation.EffectRelease {
		for i, o := range w.jobs {
			if o.kind == j.kind && o.of == j.of {
				if j.due.Before(o.due) {
					w.jobs[i].due = j.due
				}
				return
			}
		}
	}
	switch j.kind {
	case remediation.EffectAct, remediation.EffectRead, remediation.EffectLapse, remediation.EffectRelease:
		w.jobs = append(w.jobs, j)
	case remediation.EffectDraw, remediation.EffectTell, remediation.EffectOwner, remediation.EffectAlarm,
		remediation.EffectRescan: // what people are shown changes nothing here
	}
}

// block keeps the record of the account's block, as the verbs do, in the transition's own commit.
func (w *world) block(tr *track, before remediation.Request, e remediation.Event) {
	if before.Means != remediation.MeansOrganization {
		return
	}
	r, from := tr.r, before.State
	switch {
	case e.Kind == remediation.Begin && r.State == remediation.Deactivating:
		ours := w.row.Origin == remediation.OriginOurs && len(w.row.Holders) > 0
		w.row = w.row.Intend(r.ID, e.Facts.Block.Attached && !w.row.Attached && !ours, w.now)
	case from == remediation.Deactivating && r.State == remediation.Inactive && r.BlockHeld:
		w.row = w.row.Hold(r.ID, e.Found, w.now)
	case from == remediation.Deactivating && e.Kind == remediation.Unavailable:
		w.row, _ = w.row.Release(r.ID)
		if len(w.row.Holders) == 0 && !w.row.Attached {
			w.row.Origin = ""
		}
	case from == remediation.Reactivating && r.State == remediation.Restored:
		w.row = w.row.Undone(r, w.now)
	case from == remediation.Lifting && r.State == remediation.Lifted:
		w.row = w.row.Lifted(r, w.now)
	}
}
