package remediation_test

import (
	"errors"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// work does one piece: the next stage of a worker that is in the middle of a step, or an item that is due.
func (w *world) work(t *rapid.T) {
	k := &w.workers[rapid.IntRange(0, len(w.workers)-1).Draw(t, "worker")]
	w.step++
	w.tick(time.Millisecond)
	switch k.stage {
	case 1:
		w.second(k)
	case 2:
		w.send(k)
	case 3:
		w.call(k)
	case 4:
		w.settled(k)
	case 5:
		w.land(k)
	default:
		w.claim(t, k)
	}
}

func (w *world) claim(t *rapid.T, k *worker) {
	var due []int
	for i, j := range w.jobs {
		if !j.due.After(w.now) {
			due = append(due, i)
		}
	}
	if len(due) == 0 {
		return
	}
	i := due[0]
	if len(due) > 1 {
		i = due[rapid.IntRange(0, len(due)-1).Draw(t, "item")]
	}
	j := w.jobs[i]
	w.jobs = slices.Delete(w.jobs, i, i+1)
	tr := j.of
	switch j.kind {
	case remediation.EffectRead:
		if !tr.r.State.Ended() {
			*k = worker{stage: 5, job: j, facts: w.facts(), step: w.step}
		}
	case remediation.EffectLapse:
		if w.commit(tr, remediation.Event{Kind: remediation.Lapse}, audit.System("clock")) && tr.r.State != remediation.Approved {
			tr.model.void()
		}
	case remediation.EffectRelease:
		w.release(j)
	case remediation.EffectAct:
		if tr.r.Current(j.version) && remediation.ActOf(tr.r.State) != "" {
			w.begin(k, j)
		}
	case remediation.EffectDraw, remediation.EffectTell, remediation.EffectOwner, remediation.EffectAlarm,
		remediation.EffectRescan: // they are not queued here
	}
}

// land puts a reading to its request, some time after it began.
func (w *world) land(k *worker) {
	tr, f, began := k.job.of, k.facts, k.step
	*k = worker{}
	if !w.readonly || f.NoKeys {
		f.KeysAt = w.now // a list that was made for the reading; a credential report keeps its time
	}
	f.At = w.now
	found, off := w.row.Attached && w.row.Origin == remediation.OriginFound, w.row.TakenOff(tr.r.ID)
	e := remediation.Event{Kind: remediation.Observe, Facts: f, Found: found, Off: off, Since: w.row.Changed}
	for _, o := range w.tracks {
		undoing := o.r.State == remediation.Reactivating || o.r.State == remediation.Lifting
		e.OffOver = e.OffOver || o.r.ID == off.With && !o.r.State.BlocksAgain()
		e.OffSoon = e.OffSoon || o != tr && undoing && o.r.Attempt > 0 && w.row.Attached && w.row.Holds(o.r.ID)
	}
	if f.Gap == nil && !tr.r.State.Ended() && tr.r.Tells(e, w.now) && began < tr.moved {
		w.fail("I2: a reading from before a call had its effect settles %s", tr.r.State)
	}
	w.commit(tr, e, audit.System("reader"))
}

func (w *world) around(r remediation.Request) remediation.Surroundings {
	var word audit.Confirmed
	for _, e := range w.log {
		if e.Request == string(r.ID) {
			word.Heed(e)
		}
	}
	return remediation.Surroundings{
		Asker: w.asks[r.Requester.User], Recorded: word.People(),
		On: w.on, DryRun: w.dryRun, Paused: w.paused, LastAudit: w.last, Entitled: w.entitled, Exempt: w.exempt,
		Policy: w.policy, DeletedToday: w.today(), DailyCap: 1,
	}
}

// today counts the deletions that were begun within a day, without one that is just being asked about.
func (w *world) today() int {
	n := 0
	for _, at := range w.days {
		if w.now.Sub(at) < 24*time.Hour {
			n++
		}
	}
	return n
}

func (w *world) overBlock(r remediation.Request) bool {
	return r.Means == remediation.MeansOrganization && remediation.ActOf(r.State) != remediation.ActDelete
}

// begin asks the gates a first time and commits the attempt, or hands the step to the owner.
func (w *world) begin(k *worker, j job) {
	tr := j.of
	act := remediation.ActOf(tr.r.State)
	leaving := w.row.Origin == remediation.OriginOurs && len(w.row.Holders) == 0
	switch {
	case w.overBlock(tr.r) && leaving:
		j.due = w.now.Add(time.Minute)
		w.jobs = append(w.jobs, j)
		return
	case w.overBlock(tr.r) && act != remediation.ActDeactivate && !w.row.Undoable(tr.r.ID):
		w.stop(tr, remediation.GateBlock, tr.r.Version)
		return
	}
	f := w.facts()
	_, err := remediation.Start(tr.r, f, w.around(tr.r), w.now)
	gate, guided := gateOf(err), means(tr.r) == remediation.MeansGuided
	if err != nil && (!guided || gate != remediation.GateMeans) {
		w.stop(tr, gate, tr.r.Version)
		return
	}
	if !w.commit(tr, remediation.Event{Kind: remediation.Begin, Facts: f}, audit.System("worker")) {
		w.fail("begin is refused in %s", tr.r.State)
	}
	if act == remediation.ActDelete {
		w.days = append(w.days, w.now)
	}
	if guided {
		if act == remediation.ActDelete && w.today() > 1 {
			w.fail("I6: %d deletions today, and an owner is asked for one more", w.today()-1)
		}
		if f.Gap != nil || f.Account != account {
			w.fail("I12: the owner is asked for a step, and AWS could not be read")
		}
		return
	}
	e := w.log[len(w.log)-1]
	leaf := audit.Leaf{Seq: int64(len(w.log) - 1), Event: e}
	*k = worker{stage: 1, job: j, r: tr.r, receipt: audit.Sealed(leaf, w.heads[len(w.heads)-1]), until: w.aws.Add(30 * time.Second)}
}

func means(r remediation.Request) remediation.Means {
	if remediation.ActOf(r.State) == remediation.ActDelete {
		return r.DeleteMeans
	}
	return r.Means
}

func gateOf(err error) remediation.Gate {
	if shut, ok := errors.AsType[*remediation.GateError](err); ok {
		return shut.Gate
	}
	return ""
}

func (w *world) stop(tr *track, g remediation.Gate, version int) {
	if w.commit(tr, remediation.Event{Kind: remediation.GateShut, Gate: g, Version: version}, audit.System("worker")) {
		tr.model.void()
	}
}

// second asks the gates again on what was committed, unless somebody else wrote since: then the fence is not ours.
func (w *world) second(k *worker) {
	tr := k.job.of
	if tr.r.Version != k.r.Version || w.aws.After(k.until) {
		*k = worker{}
		return
	}
	around := w.around(k.r)
	if remediation.ActOf(k.r.State) == remediation.ActDelete {
		around.DeletedToday--
	}
	attempt, err := remediation.Start(k.r, w.facts(), around, w.now)
	if err == nil {
		k.permit, err = attempt.Permit(k.receipt)
	}
	if err != nil {
		version := k.r.Version
		*k = worker{}
		w.stop(tr, gateOf(err), version)
		return
	}
	f := w.facts()
	if w.overBlock(k.r) && w.row.Origin == remediation.OriginFound && !f.Block.Attached {
		version := k.r.Version
		*k = worker{}
		w.stop(tr, remediation.GateBlock, version) // the block that was found is gone: whose the next one is must be told anew
		return
	}
	if k.permit.Act() == remediation.ActDeactivate && w.overBlock(k.r) && f.Block.Attached {
		k.stage, k.outcome = 4, remediation.Event{Kind: remediation.Succeeded, Facts: f}
		return
	}
	k.stage, k.scene, k.terms = 2, w.scene(k), tr.own.and(w.policy)
}

// send puts the call on its way, unless somebody else wrote since the gates were asked.
func (w *world) send(k *worker) {
	k.stage = 3
	if k.job.of.r.Version != k.r.Version || w.now.Sub(k.r.ChangedAt) > 30*time.Second {
		*k = worker{}
	}
}

// call is the moment when the one changing call reaches AWS. The model judges it there.
func (w *world) call(k *worker) {
	tr, p := k.job.of, k.permit
	k.stage = 4
	fate := w.cloud.fate
	w.cloud.fate = ""
	if w.aws.After(k.until) || fate == "lost before" || w.cloud.unread || w.cloud.moved {
		k.outcome = remediation.Event{Kind: remediation.Unsure}
		return
	}
	i := w.find(tr.key)
	if !tr.r.State.InFlight() || remediation.ActOf(tr.r.State) != p.Act() || !tr.r.Current(k.r.Version) {
		w.fail("I1: a call to %s reaches AWS in %s (%s)", p.Act(), tr.r.State, tr.r.Note)
	}
	tr.model.terms = k.terms
	if err := tr.model.call(string(p.Act()), k.scene); err != nil {
		w.fail("I1-I6, I10: %s by %s in %s: %v", p.Act(), p.Means(), k.r.State, err)
	}
	stale := w.facts()
	if i < 0 && (p.Act() == remediation.ActDelete || p.Means() != remediation.MeansOrganization) {
		k.outcome = remediation.Event{Kind: remediation.Unsure, Code: "NoSuchEntity"}
		return
	}
	switch fate {
	case "no":
		k.outcome = remediation.Event{Kind: remediation.Refused, Code: "AccessDenied"}
		return
	case "unavailable":
		k.outcome = remediation.Event{Kind: remediation.Refused, Code: "AccessDenied"}
		if p.Act() == remediation.ActDeactivate {
			k.outcome.Kind = remediation.Unavailable
		}
		return
	}
	w.effect(p, i)
	tr.moved, tr.lifted = w.step, p.Act() == remediation.ActLift
	k.outcome = remediation.Event{Kind: remediation.Succeeded, AWSID: "aws", Facts: w.facts()}
	switch fate {
	case "lagging":
		k.outcome.Facts = stale
	case "lost after":
		k.outcome = remediation.Event{Kind: remediation.Unsure}
	}
}

// scene is the world as it is when the gates let a call pass. What happens in the moment between that and the call itself
// nobody can exclude.
func (w *world) scene(k *worker) scene {
	tr, p := k.job.of, k.permit
	i := w.find(tr.key)
	s := scene{
		on: w.on, paused: w.paused, dryRun: w.dryRun, exempt: w.exempt, recorded: w.recorded(k), entitled: maps.Clone(w.entitled), asker: w.asks[tr.r.Requester.User], ours: w.now, aws: w.aws,
		audit: w.last, sameAccount: p.Account() == account && p.Source() == "acme", sameKey: p.Key() == tr.r.Key.ID && p.Request() == tr.r.ID,
		present: i >= 0, shut: w.shut(tr.key, tr.r.Means), rightBlock: p.Means() != remediation.MeansOrganization || w.cloud.intact,
		foreign: w.cloud.foreign && p.Means() == remediation.MeansOrganization, deleted: w.today() - 1, daily: 1,
	}
	if i >= 0 {
		s.lastUse = w.cloud.keys[i].LastUsed
	}
	return s
}

// recorded looks for the attempt in the log: the very version, before anything that followed it.
func (w *world) recorded(k *worker) bool {
	return slices.ContainsFunc(w.log, func(e audit.Event) bool {
		return e.Action == audit.RemediationAttempted && e.Request == string(k.r.ID) && e.Version == k.r.Version
	})
}

func (w *world) effect(p remediation.Permit, i int) {
	switch {
	case p.Act() == remediation.ActDelete:
		w.cloud.keys = slices.Delete(w.cloud.keys, i, i+1)
		w.sent[p.Key()]++
		for _, tr := range w.tracks {
			tr.model.gone = tr.model.gone || tr.key == p.Key()
		}
	case p.Means() == remediation.MeansOrganization:
		w.cloud.attached, w.cloud.foreign = p.Act() == remediation.ActDeactivate, false
		w.cloud.undone = !w.cloud.attached
	case p.Act() == remediation.ActDeactivate:
		w.cloud.keys[i].Status = posture.KeyInactive
	default:
		w.cloud.keys[i].Status = posture.KeyActive
	}
}

// settled commits how the call went. Somebody may have settled it by reading AWS: then the answer comes late.
func (w *world) settled(k *worker) {
	tr, e := k.job.of, k.outcome
	e.Version = k.r.Version
	e.Found = e.Kind == remediation.Succeeded && w.row.Attached && w.row.Origin == remediation.OriginFound
	*k = worker{}
	w.commit(tr, e, audit.System("worker"))
}

// release takes the block off when nobody needs it any more and it is ours.
func (w *world) release(j job) {
	r := j.of.r
	if !r.State.Ended() || !w.row.Holds(r.ID) && (w.row.Origin != remediation.OriginOurs || len(w.row.Holders) > 0) {
		return
	}
	next, detach := w.row.Release(r.ID)
	switch {
	case !detach && len(next.Holders) > 0:
		w.row = next
	case !detach:
		w.row = next.Detached(w.now)
	case w.cloud.unread || w.cloud.moved || w.exempt || w.cloud.attached && r.Keeps(w.facts()):
		j.due = w.now.Add(time.Minute)
		w.jobs = append(w.jobs, j)
	default:
		if w.cloud.attached && w.cloud.foreign {
			w.fail("a block that was found is taken away: %+v", w.row)
		}
		for _, k := range w.cloud.keys {
			if w.cloud.attached && w.came[k.ID] > j.of.opened {
				w.fail("our block is taken off with %s, and %s came while it was there", r.ID, k.ID)
			}
		}
		w.cloud.attached = false
		w.row = next.Detached(w.now)
	}
}
