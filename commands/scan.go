package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file keeps what the [Scanner] sees. The rules are:
//   - One run at a time. A later caller attaches to it. A process that finds a run which a crash left behind resumes it, and
//     does not look again at accounts that were seen within the hour.
//   - An account is let go of when AWS says that it left, not because one list did not name it.
//   - No account, or a tenth fewer than last time, is a gap of the source and never an empty success.
//   - Results are saved as they come, so that memory does not grow with accounts and a process that dies loses little.
//   - A run ends only when what follows from it is queued. One that a crash left between the two is resumed: it finds no
//     account to ask, and queues the rest.

const (
	batch   = 50          // looks in one transaction
	young   = time.Hour   // a look that a resumed run does not repeat
	saveFor = time.Minute // the commits of a run's end, also while the process ends
)

// Triggers of a run.
const (
	TriggerSchedule = "schedule"
	TriggerCommand  = "command"
	TriggerStart    = "start"
)

// ScanItem is the work of one scan. Its key is unique, so that scans that nobody began yet are one.
func ScanItem(trigger string, due time.Time) Item {
	return item("scan", KindScan, Work{Trigger: trigger}, due)
}

// OwnersItem is the work of one look at who is still to be written to. Its key is unique, as a scan's.
func OwnersItem(trigger string, due time.Time) Item {
	return item("owners", KindOwners, Work{Trigger: trigger}, due)
}

// scan handles "scan". Only the holder of its item scans for the channel, so a run that is under way while we hold it was
// left behind by a process that has died.
func (s *Service) scan(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	run, err := s.d.Estate.StartRun(ctx, Run{ID: s.d.NewID(), Trigger: w.Trigger, Started: s.d.Now()})
	if err != nil && (!errors.Is(err, ErrConflict) || run.ID == "") {
		return Change{}, err
	}
	if run, err = s.lookAtAll(ctx, run); err != nil {
		return Change{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveFor)
	defer cancel()
	run.Finished = s.d.Now()
	run.Took = run.Finished.Sub(run.Started)
	if err := s.afterRun(ctx, l, run); err != nil {
		return Change{}, err
	}
	return Change{}, s.d.Estate.SaveRun(ctx, run)
}

// units handles "units": it reads the names of organizational units, and tags where they are wanted, for the lists and
// digests that follow. A run needs none of them, and there may be thousands, so they are no part of it.
func (s *Service) units(ctx context.Context, _ Lease) (Change, error) {
	if s.d.Learn == nil {
		return Change{}, nil
	}
	for _, source := range s.d.Inspector.Sources() {
		if err := s.d.Learn(ctx, source); err != nil {
			s.d.Log.WarnContext(ctx, "names of organizational units, or tags, could not be read", "aws_entry", source, "error", err)
		}
	}
	return Change{}, ctx.Err()
}

// lookAtAll scans what the run has not seen yet.
func (s *Service) lookAtAll(ctx context.Context, run Run) (Run, error) {
	k := &keeper{s: s, run: run, policy: s.judging(ctx), had: map[string]int{}, seen: map[string]map[posture.AccountID]bool{}}
	expected, err := k.remember(ctx)
	if err != nil {
		return run, err
	}
	if k.last, err = s.d.Estate.LastRun(ctx); err != nil && !errors.Is(err, ErrNotFound) {
		return run, err
	}
	k.run.Listed, k.run.Scanned, k.run.Failed, k.run.Gaps = 0, 0, 0, nil
	scanner := Scanner{
		Looker: &doubtful{Inspector: s.d.Inspector, known: s.d.Estate}, Now: s.d.Now, Log: s.d.Log, Concurrency: s.cfg.Concurrency, Pauses: s.cfg.Pauses,
	}
	sources := s.d.Inspector.Sources()
	if err := scanner.Scan(ctx, sources, expected, k); err != nil {
		return k.run, errors.Join(fmt.Errorf("scan: %w", err), k.interrupted(ctx))
	}
	if err := k.forget(ctx, sources); err != nil {
		return k.run, err
	}
	return k.run, k.flush(ctx)
}

// keeper is the sink of the bot's scans: it judges what was seen and saves it.
type keeper struct {
	s      *Service
	policy func(posture.Account) posture.Policy
	last   Run
	had    map[string]int                        // accounts that were known before, by source
	seen   map[string]map[posture.AccountID]bool // accounts that this run has looked at already, and whether they count as scanned

	run     Run
	pending []Look
}

// remember counts the accounts that were seen before, and finds those that this run has looked at already.
func (k *keeper) remember(ctx context.Context) (expected int, err error) {
	now := k.s.d.Now()
	err = k.s.d.Estate.Each(ctx, func(l Look) error {
		a := l.Evidence.Account
		k.had[a.Source]++
		expected++
		if l.Run != k.run.ID || now.Sub(l.Evidence.At) >= young || Transient(l.Evidence) > 0 {
			return nil
		}
		if k.seen[a.Source] == nil {
			k.seen[a.Source] = map[posture.AccountID]bool{}
		}
		_, scanned := postureOf(l).Scanned()
		k.seen[a.Source][a.ID] = scanned
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read the accounts that are known: %w", err)
	}
	return expected, nil
}

// Named passes over what this run has looked at before it was interrupted.
func (k *keeper) Named(a posture.Account) (Take, error) {
	k.run.Listed++
	scanned, seen := k.seen[a.Source][a.ID]
	if seen {
		k.count(scanned)
		return TakeKnown, nil
	}
	return TakeLook, nil
}

func (k *keeper) count(scanned bool) {
	if scanned {
		k.run.Scanned++
	} else {
		k.run.Failed++
	}
}

// Looked judges one look and keeps it. The scanner waits while it is saved, which bounds what is in memory.
func (k *keeper) Looked(ctx context.Context, seen Seen) error {
	l := Look{Evidence: seen.Evidence, Findings: posture.Evaluate(seen.Evidence, k.policy(seen.Evidence.Account), k.s.d.Now()), Run: k.run.ID}
	if a := seen.Evidence.Account; a.Role == posture.RoleManagement {
		was, err := k.s.d.Estate.Look(ctx, a.Source, a.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("read account %s: %w", a.ID, err)
		}
		l.Findings = onward(was.Findings, l.Findings)
	}
	_, scanned := postureOf(l).Scanned()
	k.count(scanned)
	k.pending = append(k.pending, l)
	if len(k.pending) < batch {
		return nil
	}
	return k.flush(ctx)
}

// Progress is saved with the next looks.
func (k *keeper) Progress(p Progress) {
	k.run.Expected, k.run.Again, k.run.Ends = p.Total(), p.Again, time.Time{}
	if p.Left > 0 {
		k.run.Ends = k.s.d.Now().Add(p.Left)
	}
}

// Ended judges the inventory, lets go of accounts that are not there any more, and judges the organization.
func (k *keeper) Ended(ctx context.Context, e SourceScan) error {
	if err := k.flush(ctx); err != nil {
		return err
	}
	if g := sourceGap(e, k.had[e.Source], k.last); g != nil {
		k.run.Gaps = append(k.run.Gaps, *g)
		k.s.d.Log.WarnContext(ctx, "inventory is not to be believed", "aws_entry", e.Source, "listed", e.Listed,
			"known", k.had[e.Source], "reason", string(g.Gap.Reason), "detail", g.Gap.Detail)
	} else if err := k.letGo(ctx, e.Source); err != nil {
		return err
	}
	org := e.Organization
	if org.Management == "" {
		return nil
	}
	look, err := k.s.d.Estate.Look(ctx, e.Source, org.Management)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the management account of %s: %w", e.Source, err)
	}
	// The finding is the organization's. It is kept with the management account, where it can be repaired.
	f := posture.EvaluateOrganization(e.Source, org.Centralized, k.s.d.Now())
	f.Account = org.Management
	look.Findings = with(look.Findings, f)
	if err := k.s.d.Estate.Save(ctx, k.run.ID, []Look{look}); err != nil {
		return fmt.Errorf("save the finding of the organization of %s: %w", e.Source, err)
	}
	return nil
}

// forget lets go of the accounts of `aws` entries that the settings do not have any more. Nobody looks at them, so they would
// count as scanned for ever; under another name the same accounts would count twice.
func (k *keeper) forget(ctx context.Context, sources []string) error {
	for source := range k.had {
		if slices.Contains(sources, source) {
			continue
		}
		gone, err := k.s.d.Estate.Retire(ctx, k.run.ID, source)
		if err != nil {
			return err
		}
		k.s.d.Log.InfoContext(ctx, "accounts of an entry that is not in the settings were let go", "aws_entry", source, "accounts", len(gone))
	}
	return nil
}

// flush keeps what is pending and how far the run is.
func (k *keeper) flush(ctx context.Context) error {
	if len(k.pending) > 0 {
		if err := k.s.d.Estate.Save(ctx, k.run.ID, k.pending); err != nil {
			return err
		}
	}
	clear(k.pending)
	k.pending = k.pending[:0]
	return k.s.d.Estate.SaveRun(ctx, k.run)
}

// interrupted keeps what was seen before the process was told to end. One that lost its lease writes nothing more:
// somebody else goes on with the run.
func (k *keeper) interrupted(ctx context.Context) error {
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), ErrLeaseLost) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	return k.flush(ctx)
}

func postureOf(l Look) posture.Posture {
	return posture.Posture{Account: l.Evidence.Account, At: l.Evidence.At, Via: l.Evidence.Via, Findings: l.Findings}
}

// onward adds the organization's finding to those of a look at its management account, as it was: a look at an account tells
// none, and what is not there is not followed any more, whoever muted it.
func onward(was, findings []posture.Finding) []posture.Finding {
	for _, f := range was {
		if f.Control == posture.CentralizedRootAccess {
			findings = append(findings, f)
		}
	}
	return findings
}

// with puts a finding in the place of the one on the same control.
func with(findings []posture.Finding, f posture.Finding) []posture.Finding {
	out := make([]posture.Finding, 0, len(findings)+1)
	for _, g := range findings {
		if g.Control != f.Control {
			out = append(out, g)
		}
	}
	return append(out, f)
}

// Gap says why the inventory of a source is not to be believed where that needs no memory: it broke off, or it named
// nobody. Nil means that nothing is wrong with it.
func (e SourceScan) Gap() *SourceGap {
	var known interface{ Why() posture.Gap }
	switch {
	case errors.As(e.Err, &known):
		return &SourceGap{Source: e.Source, Gap: known.Why()}
	case e.Err != nil:
		return &SourceGap{Source: e.Source, Gap: posture.Gap{
			Reason: posture.ReasonUnknown, Detail: e.Err.Error(), Fix: posture.ReasonUnknown.Fix(),
		}}
	case e.Listed == 0:
		return &SourceGap{Source: e.Source, Gap: posture.Gap{
			Reason: posture.ReasonGarbage, Detail: "no account was listed",
			Fix: "Check that the credentials of this `aws` entry belong to the management or a delegated administrator account.",
		}}
	default:
		return nil
	}
}

// sourceGap adds what the memory tells. A list that was too short once is believed when the next run finds it just as
// short: accounts do leave.
func sourceGap(e SourceScan, had int, last Run) *SourceGap {
	if g := e.Gap(); g != nil {
		return g
	}
	g := SourceGap{Source: e.Source, Gap: posture.Gap{
		Reason: posture.ReasonGarbage, Detail: strconv.Itoa(e.Listed) + " accounts were listed, " + strconv.Itoa(had) + " are known",
		Fix: "If accounts did leave, the next check lets go of them; if not, check what the role of " + e.Source + " may list.",
	}}
	if e.Listed*10 > had*9 {
		return nil
	}
	if slices.Contains(last.Gaps, g) {
		return nil
	}
	return &g
}

// CheckNow begins a scan, or attaches to the one that is under way and returns how far it is. People begin no more than
// twelve at once and one in five minutes after that.
func (s *Service) CheckNow(ctx context.Context, a Actor) (Run, error) {
	if err := s.look(ctx, a, looking()); err != nil {
		return Run{}, err
	}
	now := s.d.Now()
	run, err := s.d.Estate.CurrentRun(ctx)
	attached := err == nil
	switch {
	case errors.Is(err, ErrNotFound):
		if no := s.tooSoon(everybody, checking()); no != nil {
			return Run{}, s.refused(ctx, a, subject{act: ActLook}, no)
		}
		run, err = s.d.Estate.StartRun(ctx, Run{ID: s.d.NewID(), Trigger: TriggerCommand, Started: now})
		if err != nil && !errors.Is(err, ErrConflict) {
			return Run{}, err
		}
	case err != nil:
		return Run{}, err
	}
	due, err := s.d.Queue.Due(ctx, now)
	if err != nil {
		return run, fmt.Errorf("read the queue: %w", err)
	}
	// The item of a run that has just ended may still be there. It does not scan any more, hence a new run has its own.
	if attached && due[KindScan] > 0 {
		return run, nil
	}
	c := Change{
		Audit: []audit.Event{{
			At: now, Actor: audit.User(a.User, a.Team), Action: audit.ScanStarted, Outcome: audit.OutcomeDone,
			Detail: map[string]string{"run": run.ID},
		}},
		Queue: []Item{ScanItem(TriggerCommand, now)},
	}
	if _, err := s.d.Ledger.Commit(ctx, c); err != nil {
		return run, fmt.Errorf("queue a scan: %w", err)
	}
	return run, nil
}
