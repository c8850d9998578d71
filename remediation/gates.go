package remediation

import (
	"fmt"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// Gate names one condition that must hold right before a changing call.
type Gate string

// The gates, in the order in which they are asked. All fail closed: what is not known is not so.
const (
	GateOff        Gate = "off"         // remediation is not switched on for the account
	GateDryRun     Gate = "dry_run"     // the request was made, or the bot runs, without acting
	GatePaused     Gate = "paused"      // somebody pressed pause, unless it is an undo
	GateClock      Gate = "clock"       // our clock, AWS's and the audit log's disagree
	GateState      Gate = "state"       // the request is not where the call needs it
	GateApprovals  Gate = "approvals"   // too few distinct approvers, or the requester among them
	GateEntitled   Gate = "entitled"    // an approver may not approve any more, or nobody could tell
	GateAsker      Gate = "asker"       // whoever asked may not ask any more, or nobody could tell
	GateRecorded   Gate = "recorded"    // a confirmation that counts is not in the audit log
	GateConfirmed  Gate = "confirmed"   // the confirmation is too old, or from a future that our clock left again
	GateWatch      Gate = "watch"       // the watch window is not over
	GateExempt     Gate = "exempt"      // the account is never to be acted on
	GateCap        Gate = "cap"         // the day's deletions are used up
	GateReading    Gate = "reading"     // AWS could not be read just now
	GateIdentity   Gate = "identity"    // the credentials are not the root user of the confirmed account
	GateKey        Gate = "key"         // the key is not there, or not the account's
	GateCreated    Gate = "created"     // the creation date is another
	GateInactive   Gate = "inactive"    // the key is neither inactive nor blocked
	GateUnused     Gate = "unused"      // the key was used since the watch began, or a use came to light that nobody was shown
	GateInUse      Gate = "in_use"      // used within the guard period, without an override
	GateMeans      Gate = "means"       // the step has no means that the bot itself can take
	GateBlock      Gate = "block"       // the quarantine policy is not the shipped one, or the block to be taken away is not ours
	GateAudit      Gate = "audit"       // the attempt is not on record
	GateBreakGlass Gate = "break_glass" // a declared emergency wants to delete: it may only deactivate
)

// Act is what a permit allows: exactly one changing call of one kind.
type Act string

// The acts.
const (
	ActDeactivate Act = "deactivate"
	ActReactivate Act = "reactivate"
	ActLift       Act = "lift"
	ActDelete     Act = "delete"
)

// undo reports whether the act only gives back. Pause and dry run of the bot never stop it.
func (a Act) undo() bool { return a == ActReactivate || a == ActLift }

// ActOf is the act that a request's state stands for, or "" where none is due.
func ActOf(s State) Act {
	switch s {
	case Approved, Deactivating:
		return ActDeactivate
	case Reactivating:
		return ActReactivate
	case Lifting:
		return ActLift
	case DeleteApproved, Deleting:
		return ActDelete
	case Requested, AwaitingOwner, Inactive, ReactivateRequested, LiftRequested, Lifted, DeleteRequested,
		AwaitingOwnerDelete, Deleted, Verified, VerifiedWithAlarm, Restored, Reactivated, Rejected, Cancelled, Expired,
		Stale, Failed, GoneOutside:
		return ""
	default:
		return ""
	}
}

// Surroundings are what the gates look at besides the request and AWS. Their zero value opens nothing.
type Surroundings struct {
	On           bool            // a changing means is configured for the account
	DryRun       bool            // the bot runs without acting
	Paused       bool            // the pause switch
	LastAudit    time.Time       // of the last audit record: our clock must not be before it
	Entitled     map[string]bool // by Slack user id, looked up just now; absent means no
	Asker        bool            // whoever asked may still ask, looked up just now
	Recorded     map[string]bool // by Slack user id, who confirmed the present step, or declared it, by the audit log
	Exempt       bool            // in never_act_on
	Policy       Policy          // what is in force now, where it is stricter than the request's own
	DeletedToday int
	DailyCap     int
}

// GateError is a gate that refused. Nothing was sent to AWS.
type GateError struct{ Gate Gate }

func (e *GateError) Error() string { return fmt.Sprintf("gate %s is shut", e.Gate) }

// maxSkew is how far our clock and AWS's may be apart. More refuses deletions: a watch window measured by a wrong
// clock is no watch window.
const maxSkew = 5 * time.Minute

// Start asks all gates whether the changing call that the request's state stands for may be made now. It is called
// twice: before the attempt is committed, and on the committed attempt with fresh facts right before the call.
// It returns a [GateError] naming the first gate that is shut.
func Start(r Request, f Facts, s Surroundings, now time.Time) (Attempt, error) {
	act := ActOf(r.State)
	for _, g := range gates() {
		if !g.open(check{r: r.Under(s.Policy), f: f, s: s, act: act, now: now}) {
			return Attempt{}, &GateError{Gate: g.name}
		}
	}
	return Attempt{act: act, request: r}, nil
}

type check struct {
	r   Request
	f   Facts
	s   Surroundings
	act Act
	now time.Time
}

type gate struct {
	name Gate
	open func(check) bool
}

// gates lists the conditions in order: first whether we want to, then whether we were allowed to, then whether AWS is
// still as it was when we were.
func gates() []gate {
	return []gate{
		{GateState, func(c check) bool { return c.act != "" }},
		{GateOff, func(c check) bool { return c.s.On }},
		{GateDryRun, func(c check) bool { return !c.r.Policy.DryRun && (!c.s.DryRun || c.act.undo()) }},
		{GatePaused, func(c check) bool { return !c.s.Paused || c.act.undo() }},
		{GateClock, clockSane},
		{GateBreakGlass, func(c check) bool { return !c.r.BreakGlass || c.act != ActDelete || len(c.r.Approvals) > 0 }},
		{GateApprovals, enoughApprovals},
		{GateEntitled, stillEntitled},
		{GateAsker, stillAsked},
		{GateRecorded, recorded},
		{GateConfirmed, stillConfirmed},
		{GateWatch, func(c check) bool { return c.act != ActDelete || c.r.Watched >= c.r.Policy.Watch }},
		{GateExempt, func(c check) bool { return !c.s.Exempt }},
		{GateCap, func(c check) bool { return c.act != ActDelete || c.s.DeletedToday < c.s.DailyCap }},
		{GateReading, func(c check) bool { return c.f.Gap == nil && c.f.Account == c.r.Account && c.f.Source == c.r.Source }},
		{GateMeans, func(c check) bool { return c.means() == MeansOrganization || c.means() == MeansRootCredentials }},
		{GateIdentity, rightCaller},
		{GateKey, rightKey},
		{GateCreated, func(c check) bool { return c.key().Created.Equal(c.r.Key.Created) }},
		{GateInactive, outOfUse},
		{GateUnused, unused},
		{GateInUse, func(c check) bool { return c.act != ActDelete || c.r.Override != "" || !inUse(c.r, c.now) }},
		{GateBlock, rightBlock},
	}
}

// Gates names the gates in the order in which they are asked, for the documentation and the checks.
func Gates() []Gate {
	names := []Gate{}
	for _, g := range gates() {
		names = append(names, g.name)
	}
	return append(names, GateAudit)
}

func (c check) means() Means {
	if c.act == ActDelete {
		return c.r.DeleteMeans
	}
	return c.r.Means
}

func (c check) key() posture.Key {
	k, _, _ := c.f.find(c.r)
	return k
}

func clockSane(c check) bool {
	if c.act != ActDelete {
		return true
	}
	skew := c.f.At.Sub(c.f.AWS) // beyond all measure where AWS told no time
	return skew.Abs() <= maxSkew && !c.now.Before(c.s.LastAudit)
}

func enoughApprovals(c check) bool {
	need := 1
	if c.act == ActDelete {
		need = max(1, c.r.Policy.DeleteApprovals)
	}
	if c.r.BreakGlass && c.act == ActDeactivate {
		need = 0
	}
	for i, a := range c.r.Approvals {
		if c.r.Policy.TwoPerson && a.By.Is(c.r.Requester) {
			return false
		}
		for _, b := range c.r.Approvals[:i] {
			if a.By.Is(b.By) {
				return false
			}
		}
	}
	return len(c.r.Approvals) >= need
}

func stillEntitled(c check) bool {
	for _, a := range c.r.Approvals {
		if !c.s.Entitled[a.By.User] {
			return false
		}
	}
	return !c.r.alone() || c.s.Entitled[c.r.Requester.User]
}

// alone reports a declared emergency, which nobody but whoever declared it confirmed.
func (r Request) alone() bool { return r.BreakGlass && len(r.Approvals) == 0 }

// stillAsked asks for somebody who still wants it. A lifted block comes back whoever asked for the lift.
func stillAsked(c check) bool { return c.r.Again || c.r.alone() || c.s.Asker }

// recorded asks the audit log for each confirmation that counts: one that was written into the request alone was given by
// nobody.
func recorded(c check) bool {
	for _, a := range c.r.Approvals {
		if !c.s.Recorded[a.By.User] {
			return false
		}
	}
	return !c.r.alone() || c.s.Recorded[c.r.Requester.User]
}

// confirmedAt is when the present step got its last confirmation. A declared emergency has none but its declaration.
func confirmedAt(r Request) time.Time {
	if len(r.Approvals) == 0 {
		return r.OpenedAt
	}
	return r.Approvals[len(r.Approvals)-1].At
}

// stillConfirmed asks for a confirmation that is young, and that does not come from a future that our clock left again.
func stillConfirmed(c check) bool {
	age := c.now.Sub(confirmedAt(c.r))
	return age >= -maxSkew && age < c.r.Policy.ConfirmedFor
}

// rightCaller asks whose credentials these are. IAM infers the user from the signing key when UserName is omitted, so
// that wrong credentials mean a wrong target.
func rightCaller(c check) bool {
	if c.means() == MeansOrganization && c.act != ActDelete {
		return true // the call goes to Organizations and names the account
	}
	return c.f.RootSession && c.f.CallerOf == c.r.Account
}

func rightKey(c check) bool {
	if _, present, _ := c.f.find(c.r); !present {
		return false
	}
	if c.means() == MeansOrganization && c.act != ActDelete {
		return true // the block is the account's: the call names no key
	}
	if !c.r.Key.ID.Whole() {
		return false
	}
	return c.f.KeyAccount == c.r.Account
}

func outOfUse(c check) bool {
	if c.act != ActDelete {
		return true
	}
	shut, known := c.r.shut(c.key(), c.f)
	return shut && known
}

// unused asks that no use is known that the watch, or who confirmed, did not know of.
func unused(c check) bool {
	used := c.key().LastUsed
	return c.act != ActDelete || !used.After(c.r.WatchFrom) && !used.After(c.r.Key.LastUsed)
}

// rightBlock asks that the policy to be attached is the shipped one, and that the block to be taken away is ours.
func rightBlock(c check) bool {
	switch {
	case c.act == ActDelete || c.means() != MeansOrganization:
		return true
	case c.act.undo():
		return c.r.blockOurs()
	default:
		return c.f.Block.Known && c.f.Block.Intact
	}
}
