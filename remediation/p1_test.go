package remediation_test

import (
	"flag"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// sequences is how many sequences an ordinary run plays. The long run is
//
//	go test ./remediation -run TestP1 -rapid.checks=100000
const sequences = 5000

func TestP1NoSequenceOfEventsBreaksAnInvariant(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == checks.Name })
	if !given {
		if err := checks.Value.Set(strconv.Itoa(sequences)); err != nil {
			t.Fatal(err)
		}
	}
	reached := map[remediation.State]int{}
	deleted, played := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(w.actions())
		w.heal()
		played++
		for _, tr := range w.tracks {
			reached[tr.r.State]++
		}
		deleted += len(w.sent)
	})
	if t.Failed() {
		return
	}
	t.Logf("%d keys were deleted; requests ended as %v", deleted, reached)
	for _, s := range remediation.States() {
		if played >= sequences && s.Ended() && reached[s] == 0 {
			t.Errorf("no sequence ends as %s: the test does not reach far enough", s)
		}
	}
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: start(), aws: start(), on: true, entitled: map[string]bool{"U1": true, "U2": true, "U3": true}, asks: map[string]bool{"U1": true, "U2": true, "U3": true, "U4": true}, sent: map[posture.KeyID]int{}, came: map[posture.KeyID]int{}}
	w.cloud.intact = true
	w.settings(t)
	w.readonly = rapid.IntRange(0, 3).Draw(t, "readonly") == 0
	w.shared = rapid.IntRange(0, 3).Draw(t, "one block for all") == 0
	w.cloud.attached = rapid.IntRange(0, 5).Draw(t, "found block") == 0
	w.cloud.foreign = w.cloud.attached
	used := rapid.SampledFrom([]time.Duration{0, 24 * time.Hour, 400 * 24 * time.Hour}).Draw(t, "last used ago")
	for i, id := range []posture.KeyID{keyID, "AKIAEXAMPLEKEY7XQ9ZZ"} {
		k := posture.Key{ID: id, Status: posture.KeyActive, Created: start().AddDate(-2, 0, i)}
		if used > 0 {
			k.LastUsed = start().Add(-used)
		}
		w.cloud.keys = append(w.cloud.keys, k)
	}
	if rapid.IntRange(0, 5).Draw(t, "inactive already") == 0 {
		w.cloud.keys[0].Status = posture.KeyInactive
	}
	w.row = remediation.Block{Source: "acme", Account: account}
	return w
}

// actions are the commands of the test. Several names for one make it likelier.
func (w *world) actions() map[string]func(*rapid.T) {
	pick := func(t *rapid.T) *track {
		if len(w.tracks) == 0 {
			return nil
		}
		return w.tracks[rapid.IntRange(0, len(w.tracks)-1).Draw(t, "request")]
	}
	ask := func(kind remediation.Kind) func(*rapid.T) {
		return func(t *rapid.T) {
			if tr := pick(t); tr != nil {
				w.person(t, tr, kind, rapid.IntRange(1, 4).Draw(t, "by"))
			}
		}
	}
	flip := func(b *bool) func(*rapid.T) {
		return func(t *rapid.T) { *b = rapid.IntRange(0, 2).Draw(t, "set") == 0 }
	}
	a := map[string]func(*rapid.T){
		"":                w.check,
		"open":            w.open,
		"confirm":         ask(remediation.Confirm),
		"confirm again":   ask(remediation.Confirm),
		"reject":          ask(remediation.Reject),
		"cancel":          ask(remediation.Cancel),
		"ask to delete":   ask(remediation.AskDelete),
		"ask to undo":     ask(remediation.AskReactivate),
		"ask to lift":     ask(remediation.AskLift),
		"owner says done": ask(remediation.OwnerDone),
		"undo": func(t *rapid.T) {
			if tr := pick(t); tr != nil {
				w.undo(t, tr)
			}
		},
		"tick": func(t *rapid.T) {
			w.tick(rapid.SampledFrom([]time.Duration{time.Second, 15 * time.Second, 3 * time.Minute, 31 * time.Minute, 2 * time.Hour, 25 * time.Hour, 15 * 24 * time.Hour}).Draw(t, "by"))
		},
		"clock drifts": func(t *rapid.T) {
			w.now = w.now.Add(rapid.SampledFrom([]time.Duration{-48 * time.Hour, -time.Hour, -10 * time.Second, time.Minute, 30 * time.Hour}).Draw(t, "by"))
		},
		"settings change": w.settings,
		"crash":           func(t *rapid.T) { w.crash(rapid.IntRange(0, len(w.workers)-1).Draw(t, "worker")) },
		"days pass": func(t *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(t, "days") {
				w.tick(24 * time.Hour)
				w.settle(t)
			}
		},
		"use key":     func(t *rapid.T) { w.outside(t, func(k *posture.Key) { k.LastUsed = w.aws }) },
		"activate":    func(t *rapid.T) { w.outside(t, func(k *posture.Key) { k.Status = posture.KeyActive }) },
		"deactivate":  func(t *rapid.T) { w.outside(t, func(k *posture.Key) { k.Status = posture.KeyInactive }) },
		"move a date": func(t *rapid.T) { w.outside(t, func(k *posture.Key) { k.Created = w.fresh() }) },
		"delete outside": func(t *rapid.T) {
			if n := len(w.cloud.keys); n > 0 {
				i := rapid.IntRange(0, n-1).Draw(t, "key")
				w.cloud.keys = slices.Delete(w.cloud.keys, i, i+1)
			}
		},
		"new key": func(*rapid.T) {
			if n := len(w.cloud.keys); n < 2 {
				at := w.fresh()
				id := posture.KeyID("AKIAEXAMPLENEW" + strconv.Itoa(100000+w.made))
				w.cloud.keys = append(w.cloud.keys, posture.Key{ID: id, Status: posture.KeyActive, Created: at})
				w.came[id] = len(w.log)
			}
		},
		"policy is detached": func(*rapid.T) {
			w.cloud.undone = w.cloud.undone && !w.cloud.attached
			w.cloud.attached, w.cloud.foreign = false, false
		},
		"policy is attached": func(*rapid.T) {
			if !w.cloud.attached && len(w.row.Holders) == 0 {
				w.cloud.attached, w.cloud.foreign = true, true
			}
		},
		"policy is altered": func(t *rapid.T) { w.cloud.intact = rapid.Bool().Draw(t, "intact") },
		"AWS is silent":     flip(&w.cloud.unread),
		"account moves":     flip(&w.cloud.moved),
		"pause":             flip(&w.paused),
		"run dry":           flip(&w.dryRun),
		"exempt":            flip(&w.exempt),
		"means changes":     func(t *rapid.T) { w.on = rapid.IntRange(0, 2).Draw(t, "on") > 0 },
		"role": func(t *rapid.T) {
			w.entitled[person(rapid.IntRange(1, 3).Draw(t, "who")).User] = rapid.Bool().Draw(t, "may")
		},
		"role of who asks": func(t *rapid.T) {
			w.asks[person(rapid.IntRange(1, 4).Draw(t, "who")).User] = rapid.IntRange(0, 3).Draw(t, "may") > 0
		},
		"database is written to": func(*rapid.T) {
			if len(w.tracks) > 0 {
				w.forge(w.tracks[len(w.tracks)-1])
			}
		},
		"fate": func(t *rapid.T) {
			w.cloud.fate = rapid.SampledFrom([]string{"no", "lost before", "lost after", "lagging", "unavailable"}).Draw(t, "fate")
		},
	}
	for _, name := range []string{"work", "work on", "work still"} {
		a[name] = w.work
	}
	for _, name := range []string{"look", "look now"} {
		a[name] = func(t *rapid.T) {
			if tr := pick(t); tr != nil {
				w.look(tr)
			}
		}
	}
	for _, name := range []string{"story", "story on", "story still", "story more"} {
		a[name] = func(t *rapid.T) {
			for range rapid.IntRange(1, 8).Draw(t, "scenes") {
				w.story(t)
			}
		}
	}
	return a
}

// fresh is a date that no key has: two keys of one date cannot be told apart without their ids.
func (w *world) fresh() time.Time {
	w.made++
	return w.aws.Add(time.Duration(w.made) * time.Second)
}

func (w *world) tick(d time.Duration) { w.now, w.aws = w.now.Add(d), w.aws.Add(d) }

func (w *world) outside(t *rapid.T, f func(*posture.Key)) {
	if n := len(w.cloud.keys); n > 0 {
		f(&w.cloud.keys[rapid.IntRange(0, n-1).Draw(t, "key")])
	}
}

// open asks for the deactivation of a key, as the verb does: nobody opens a second request on a key.
func (w *world) open(t *rapid.T) {
	if len(w.cloud.keys) == 0 || len(w.tracks) > 3 {
		return
	}
	truth := w.cloud.keys[rapid.IntRange(0, len(w.cloud.keys)-1).Draw(t, "key")]
	if slices.ContainsFunc(w.tracks, func(tr *track) bool { return tr.key == truth.ID && !tr.r.State.Ended() }) {
		return
	}
	f := w.facts()
	i := slices.IndexFunc(f.Keys, func(k posture.Key) bool { return k.ID == truth.ID || k.ID == "" && k.Created.Equal(truth.Created) })
	if f.Gap != nil || f.Account != account || i < 0 {
		return
	}
	p := w.policy
	p.DryRun = rapid.IntRange(0, 9).Draw(t, "dry") == 0
	means, del := remediation.MeansGuided, remediation.MeansGuided
	switch {
	case w.readonly:
	case w.shared:
		means, del = remediation.MeansOrganization, remediation.MeansOrganization
	default:
		all := []remediation.Means{remediation.MeansOrganization, remediation.MeansRootCredentials, remediation.MeansGuided}
		means, del = rapid.SampledFrom(all).Draw(t, "means"), rapid.SampledFrom(all).Draw(t, "to delete")
	}
	by := person(rapid.IntRange(1, 3).Draw(t, "by"))
	id := remediation.RequestID("r" + string(rune('1'+len(w.tracks))))
	glass := w.entitled[by.User] && f.Keys[i].Status == posture.KeyActive && rapid.IntRange(0, 5).Draw(t, "break glass") == 0
	begin := remediation.Open
	if glass {
		begin = remediation.OpenBreakGlass
	}
	tr := &track{r: begin(id, by, "left over", f, f.Keys[i], means, del, p, w.now), key: truth.ID, opened: len(w.log)}
	tr.own = termsOf(p, glass)
	tr.model = &model{terms: tr.own, lastUse: f.Keys[i].LastUsed, known: w.sight(&track{r: tr.r, key: truth.ID}, f).others}
	if err := tr.model.ask("deactivate", by.User, false, w.now); err != nil {
		w.fail("%v", err)
	}
	if tr.r.State == remediation.Inactive {
		tr.model.read(w.sight(tr, f))
	}
	action := audit.RemediationRequested
	if glass {
		action = audit.BreakglassDeclared
	}
	w.record(audit.User(by.User, "T1"), action, "", tr.r)
	tr.r = w.stored(tr.r)
	w.tracks = append(w.tracks, tr)
	for _, e := range remediation.Opening(tr.r, w.now) {
		w.queue(job{kind: e.Kind, due: e.At, of: tr, version: tr.r.Version})
	}
}

// settings draws what is in force from now on.
func (w *world) settings(t *rapid.T) {
	p := remediation.DefaultPolicy()
	p.Watch = rapid.SampledFrom([]time.Duration{24 * time.Hour, 60 * time.Hour}).Draw(t, "watch")
	p.TwoPerson = rapid.IntRange(0, 3).Draw(t, "alone") > 0
	if p.TwoPerson {
		p.DeleteApprovals = rapid.IntRange(1, 2).Draw(t, "approvals")
	}
	p.PendingFor = rapid.SampledFrom([]time.Duration{24 * time.Hour, time.Hour}).Draw(t, "pending")
	p.ConfirmedFor = rapid.SampledFrom([]time.Duration{24 * time.Hour, 10 * time.Minute}).Draw(t, "confirmed")
	p.Guard = rapid.SampledFrom([]time.Duration{14 * 24 * time.Hour, 60 * 24 * time.Hour}).Draw(t, "guard")
	w.policy = p
}

// person lets somebody act on what they see, which may be an old card.
func (w *world) person(t *rapid.T, tr *track, kind remediation.Kind, n int) {
	by := person(n)
	may := w.entitled[by.User]
	e := remediation.Event{Kind: kind, By: by, Version: tr.r.Version, Reason: "why", Override: rapid.SampledFrom([]string{"", "really"}).Draw(t, "override")}
	e.At = w.now.Add(-rapid.SampledFrom([]time.Duration{0, 9 * time.Minute}).Draw(t, "clicked ago"))
	if rapid.IntRange(0, 7).Draw(t, "old card") == 0 {
		e.Version = rapid.IntRange(0, tr.r.Version).Draw(t, "version")
	}
	switch {
	case !may && (kind == remediation.Confirm || kind == remediation.Reject):
		return // the verbs refuse it before the machine is asked
	case kind == remediation.OwnerDone:
		e.Version = 0
	}
	was := tr.r
	if !w.commit(tr, e, audit.User(by.User, "T1")) {
		return
	}
	if kind != remediation.OwnerDone && (e.Version < was.Shown || e.Version == 0) {
		w.fail("I1: %s on version %d was taken at %d, and %d changed what people see", kind, e.Version, was.Version, was.Shown)
	}
	var err error
	switch kind {
	case remediation.Confirm:
		err = tr.model.confirm(by.User, may, e.At)
	case remediation.Reject, remediation.Cancel:
		tr.model.void()
	case remediation.AskDelete:
		err = tr.model.ask("delete", by.User, e.Override != "", w.now)
	case remediation.AskReactivate:
		err = tr.model.ask("reactivate", by.User, false, w.now)
	case remediation.AskLift:
		err = tr.model.ask("lift", by.User, false, w.now)
	case remediation.OwnerDone: // it asks for a look and confirms nothing
	case remediation.Lapse, remediation.Begin, remediation.GateShut, remediation.Succeeded, remediation.Refused,
		remediation.Unsure, remediation.Unavailable, remediation.Observe, remediation.Depart:
		w.fail("%s is nothing that people do", kind)
	}
	if err != nil {
		w.fail("I1, I5: %s of %s in %s: %v", kind, by.User, was.State, err)
	}
}

// forge writes a confirmation into the database that nobody gave.
func (w *world) forge(tr *track) {
	next := map[remediation.State]remediation.State{
		remediation.Requested: remediation.Approved, remediation.DeleteRequested: remediation.DeleteApproved,
		remediation.ReactivateRequested: remediation.Reactivating, remediation.LiftRequested: remediation.Lifting,
	}[tr.r.State]
	if next == "" {
		return
	}
	for n := 1; n <= 3; n++ {
		by := person(n)
		if by != tr.r.Requester && !slices.Contains(tr.r.Approvers(), by.User) {
			tr.r.Approvals = append(tr.r.Approvals, remediation.Approval{By: by, At: w.now})
		}
	}
	tr.r.State, tr.r.Version, tr.r.Shown = next, tr.r.Version+1, tr.r.Version+1
	tr.r.Deadline = w.now.Add(tr.r.Policy.ConfirmedFor)
	w.queue(job{kind: remediation.EffectAct, due: w.now, of: tr, version: tr.r.Version})
	w.queue(job{kind: remediation.EffectLapse, due: tr.r.Deadline, of: tr, version: tr.r.Version})
}

// story does what the people of a good day would do next.
func (w *world) story(t *rapid.T) {
	if len(w.tracks) == 0 {
		w.open(t)
		return
	}
	tr := w.tracks[len(w.tracks)-1]
	switch {
	case tr.r.State.Ended():
		w.open(t)
	case tr.r.State.Pending():
		w.person(t, tr, remediation.Confirm, rapid.IntRange(1, 3).Draw(t, "by"))
	case tr.r.State == remediation.Inactive && w.shared && len(w.tracks) == 1:
		w.open(t)
	case tr.r.State == remediation.Inactive && w.shared && w.tracks[0].r.State == remediation.Inactive && rapid.Bool().Draw(t, "undo"):
		w.undo(t, w.tracks[0])
	case tr.r.State == remediation.Inactive && tr.r.Remaining() == 0:
		w.person(t, tr, remediation.AskDelete, rapid.IntRange(1, 3).Draw(t, "by"))
	case tr.r.State == remediation.Inactive:
		w.tick(24 * time.Hour)
	case tr.r.State == remediation.AwaitingOwner || tr.r.State == remediation.AwaitingOwnerDelete:
		w.owner(tr)
	default:
		w.tick(20 * time.Second)
	}
	w.settle(t)
}

// undo takes back what was done to a key, or lifts its block for a while.
func (w *world) undo(t *rapid.T, tr *track) {
	if tr.r.State != remediation.Inactive {
		return
	}
	kind := rapid.SampledFrom([]remediation.Kind{remediation.AskReactivate, remediation.AskLift}).Draw(t, "undo")
	w.person(t, tr, kind, 1)
	w.person(t, tr, remediation.Confirm, 2)
	w.settle(t)
}

// owner does in the console what the owner was asked to do.
func (w *world) owner(tr *track) {
	i := w.find(tr.key)
	switch {
	case i >= 0 && tr.r.State == remediation.AwaitingOwnerDelete:
		w.cloud.keys = slices.Delete(w.cloud.keys, i, i+1)
	case i >= 0:
		w.cloud.keys[i].Status = posture.KeyInactive
	}
	w.tick(4 * time.Hour)
}

// settle does what is due until nothing is. Now and then somebody looks in between, or changes the settings.
func (w *world) settle(t *rapid.T) {
	for range 80 {
		if !w.due() {
			return
		}
		switch rapid.IntRange(0, 31).Draw(t, "meanwhile") {
		case 0, 1, 2, 3:
			w.look(w.tracks[len(w.tracks)-1])
		case 4:
			w.settings(t)
		}
		w.work(t)
	}
}

// look begins a reading because somebody asked for one, whatever else is under way.
func (w *world) look(tr *track) {
	i := slices.IndexFunc(w.workers[:], func(k worker) bool { return k.stage == 0 })
	if i >= 0 && !tr.r.State.Ended() {
		w.step++
		w.workers[i] = worker{stage: 5, job: job{kind: remediation.EffectRead, due: w.now, of: tr}, facts: w.facts(), step: w.step}
	}
}

func (w *world) due() bool {
	busy := slices.ContainsFunc(w.workers[:], func(k worker) bool { return k.stage > 0 })
	return busy || slices.ContainsFunc(w.jobs, func(j job) bool { return !j.due.After(w.now) })
}

// check asserts what must hold at every moment.
func (w *world) check(*rapid.T) {
	open := map[posture.KeyID]bool{}
	for _, tr := range w.tracks {
		if tr.r.State.Ended() {
			continue
		}
		if open[tr.key] {
			w.fail("I7: two open requests on one key")
		}
		open[tr.key] = true
		busy := slices.ContainsFunc(w.workers[:], func(k worker) bool { return k.stage > 0 && k.job.of == tr })
		if !busy && !slices.ContainsFunc(w.jobs, func(j job) bool { return j.of == tr && w.moves(j) }) {
			w.fail("I11: nothing will ever happen to a request that is %s (%s)", tr.r.State, tr.r.Note)
		}
	}
	for id, n := range w.sent {
		if n > 1 {
			w.fail("I2: %d deletions of %s had an effect", n, id)
		}
	}
}

// moves reports whether a job can still do something for its request: a step or a lapse that was decided otherwise cannot.
func (w *world) moves(j job) bool {
	switch j.kind {
	case remediation.EffectRead:
		return true
	case remediation.EffectAct:
		return j.of.r.Current(j.version) && remediation.ActOf(j.of.r.State) != ""
	case remediation.EffectLapse:
		return !j.of.r.Deadline.IsZero()
	case remediation.EffectRelease, remediation.EffectDraw, remediation.EffectTell, remediation.EffectOwner,
		remediation.EffectAlarm, remediation.EffectRescan:
	}
	return false
}

// heal lets everything work again and time go on, without people: each request must come to rest, and no block of ours
// may outlive the requests that need it.
func (w *world) heal() {
	for n := range w.workers {
		w.crash(n)
	}
	w.cloud.unread, w.cloud.moved, w.cloud.fate, w.cloud.intact = false, false, "", true
	w.paused, w.dryRun, w.exempt, w.on = false, false, false, true
	w.now = later(w.now, w.aws) // a clock that went back was set right
	for range 24 {
		w.tick(24 * time.Hour)
		w.settle(w.t)
		w.check(w.t)
	}
	held := false
	for _, tr := range w.tracks {
		watched := tr.r.State == remediation.Inactive && tr.r.Remaining() == 0
		if !tr.r.State.Ended() && !watched {
			w.fail("I11: after 24 good days a request is %s (%s), %s of its watch left", tr.r.State, tr.r.Note, tr.r.Remaining())
		}
		held = held || !tr.r.State.Ended() && tr.r.BlockHeld || tr.r.State.Ended() && w.row.Holds(tr.r.ID) && tr.r.Keeps(w.facts())
	}
	if w.cloud.attached && !w.cloud.foreign && !held {
		w.fail("I11: our block outlives its requests: %+v", w.row)
	}
	if n := len(w.heads); n > 1 {
		now, before := w.heads[n-1], w.heads[n/2]
		proof, err := tlog.ProveTree(now.Size, before.Size, w.reader())
		if err == nil {
			err = tlog.CheckTree(proof, now.Size, now.Hash, before.Size, before.Hash)
		}
		if err != nil {
			w.fail("I9: %v", err)
		}
	}
}

func (w *world) crash(n int) {
	if k := &w.workers[n]; k.stage > 0 {
		if k.stage == 3 {
			w.call(k) // what is on its way arrives, and nobody hears the answer
		}
		w.jobs = append(w.jobs, k.job) // its lease runs out, and the item is claimed again
		*k = worker{}
	}
}
