// Package remediation is one root access key's way from requested to verified.
//
// The rules are:
//   - It is pure: a request, an event and a time go in, a decision comes out. Nothing here can reach AWS or Slack.
//   - Every pair of state and event has an answer in one table, [Rules]. What the table does not name is refused.
//   - A changing call needs a [Permit], and a Permit can only come from an [Attempt] that passed every gate and from
//     the receipt of its committed audit record. Deactivate never falls through to delete.
//   - Unknown is never success: an outcome that nobody saw is settled by reading AWS, not by trying again.
package remediation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// RequestID is the opaque id of a request. It is all that a button carries.
type RequestID string

// Means is how a step on a key is done for an account.
type Means string

// The means, see docs/ARCHITECTURE.md. MeansNone is shown with what shuts the way.
const (
	MeansNone            Means = "none"
	MeansOrganization    Means = "organization"
	MeansRootCredentials Means = "root-credentials"
	MeansGuided          Means = "guided"
)

// State is where a request stands.
type State string

// The states. The ones that end in "ing" are committed before the AWS call that they stand for.
const (
	Requested           State = "requested"
	Approved            State = "approved"
	Deactivating        State = "deactivating"
	AwaitingOwner       State = "awaiting_owner"
	Inactive            State = "inactive"
	ReactivateRequested State = "reactivate_requested"
	Reactivating        State = "reactivating"
	LiftRequested       State = "lift_requested"
	Lifting             State = "lifting"
	Lifted              State = "lifted"
	DeleteRequested     State = "delete_requested"
	DeleteApproved      State = "delete_approved"
	Deleting            State = "deleting"
	AwaitingOwnerDelete State = "awaiting_owner_delete"
	Deleted             State = "deleted"

	Verified          State = "verified"
	VerifiedWithAlarm State = "verified_with_alarm"
	Restored          State = "restored"
	Reactivated       State = "reactivated"
	Rejected          State = "rejected"
	Cancelled         State = "cancelled"
	Expired           State = "expired"
	Stale             State = "stale"
	Failed            State = "failed"
	GoneOutside       State = "gone_outside"
)

// States lists every state in the order of the story, the ended ones last.
func States() []State {
	return []State{
		Requested, Approved, Deactivating, AwaitingOwner, Inactive, ReactivateRequested, Reactivating, LiftRequested,
		Lifting, Lifted, DeleteRequested, DeleteApproved, Deleting, AwaitingOwnerDelete, Deleted,
		Verified, VerifiedWithAlarm, Restored, Reactivated, Rejected, Cancelled, Expired, Stale, Failed, GoneOutside,
	}
}

// Ended reports whether nothing leads out of the state.
func (s State) Ended() bool {
	switch s {
	case Verified, VerifiedWithAlarm, Restored, Reactivated, Rejected, Cancelled, Expired, Stale, Failed, GoneOutside:
		return true
	case Requested, Approved, Deactivating, AwaitingOwner, Inactive, ReactivateRequested, Reactivating, LiftRequested,
		Lifting, Lifted, DeleteRequested, DeleteApproved, Deleting, AwaitingOwnerDelete, Deleted:
		return false
	default:
		return false
	}
}

// Pending reports whether the state waits for a second confirmation.
func (s State) Pending() bool {
	return s == Requested || s == ReactivateRequested || s == LiftRequested || s == DeleteRequested
}

// BlocksAgain reports whether a request that lifted its block is still on the way to putting it back.
func (s State) BlocksAgain() bool {
	return s == Lifting || s == Lifted || s == Approved || s == Deactivating
}

// InFlight reports whether an AWS call may be under way, or may have had an effect that nobody saw.
func (s State) InFlight() bool {
	return s == Deactivating || s == Reactivating || s == Lifting || s == Deleting
}

// Person is somebody in our own Slack workspace, by id. Two persons are one when the ids are equal, or the emails are.
type Person struct {
	User  string `json:"user"`
	Team  string `json:"team,omitempty"`
	Email string `json:"email,omitempty"`
}

// Is reports whether p and o are the same human being as far as Slack can tell.
func (p Person) Is(o Person) bool {
	if p.User == o.User {
		return true
	}
	return p.Email != "" && strings.EqualFold(p.Email, o.Email)
}

// Approval is one second confirmation.
type Approval struct {
	By Person    `json:"by"`
	At time.Time `json:"at"`
}

// Step is one step as people took it: what was asked for, by whom and why, and who confirmed. It is kept for people to
// read and for nothing else. Whatever decides looks at a request's Requester and Approvals, which are the present step's.
type Step struct {
	Act       Act        `json:"act,omitempty"` // empty: to watch a key that was found inactive
	By        Person     `json:"by"`
	Reason    string     `json:"reason"`
	Override  string     `json:"override,omitempty"`
	At        time.Time  `json:"at"`
	Approvals []Approval `json:"approvals,omitempty"`
}

// Policy is what was in force when the request was made. Later settings do not loosen an open request, and those that are
// stricter hold for it as well: see [Policy.Stricter].
type Policy struct {
	TwoPerson       bool          `json:"two_person"`
	DeleteApprovals int           `json:"delete_approvals"` // distinct approvers of a deletion, at least 1
	Watch           time.Duration `json:"watch"`            // the watch window
	Spread          time.Duration `json:"spread"`           // how long a block takes to be everywhere; the watch starts after it
	Guard           time.Duration `json:"guard"`            // a key used within it is deleted only with an override
	PendingFor      time.Duration `json:"pending_for"`      // a pending confirmation expires after it
	ConfirmedFor    time.Duration `json:"confirmed_for"`    // a confirmation that was not acted on expires after it
	LiftFor         time.Duration `json:"lift_for"`         // how long a lifted block stays lifted
	Attempts        int           `json:"attempts"`         // changing calls per confirmation, at most
	DryRun          bool          `json:"dry_run"`          // every card and confirmation, never a changing call
}

// DefaultPolicy is what holds unless the settings say otherwise.
func DefaultPolicy() Policy {
	return Policy{
		TwoPerson: true, DeleteApprovals: 1, Watch: 7 * 24 * time.Hour, Spread: 30 * time.Minute, Guard: 14 * 24 * time.Hour,
		PendingFor: 24 * time.Hour, ConfirmedFor: 24 * time.Hour, LiftFor: time.Hour, Attempts: 3,
	}
}

// Stricter is what two policies both allow: what a request was made under, and what is in force now. The zero policy asks
// for nothing. Whether the bot runs dry now is not asked here: that never stops an undo.
func (p Policy) Stricter(now Policy) Policy {
	if now == (Policy{}) {
		return p
	}
	p.TwoPerson = p.TwoPerson || now.TwoPerson
	p.DeleteApprovals = max(p.DeleteApprovals, now.DeleteApprovals)
	p.Watch, p.Spread, p.Guard = max(p.Watch, now.Watch), max(p.Spread, now.Spread), max(p.Guard, now.Guard)
	p.PendingFor, p.ConfirmedFor = min(p.PendingFor, now.PendingFor), min(p.ConfirmedFor, now.ConfirmedFor)
	p.LiftFor, p.Attempts = min(p.LiftFor, now.LiftFor), min(p.Attempts, now.Attempts)
	return p
}

// Under is the request as it is judged while a policy is in force, and as it is shown to people then.
func (r Request) Under(now Policy) Request {
	r.Policy = r.Policy.Stricter(now)
	return r
}

// Request is the record of one key's remediation. It is the truth; whatever Slack shows is derived from it.
type Request struct {
	ID      RequestID         `json:"id"`
	Version int               `json:"version"` // grows by one with each write
	Shown   int               `json:"shown"`   // the version of the last transition that people see; older buttons are outdated
	State   State             `json:"state"`
	Source  string            `json:"source"` // the `aws` entry
	Account posture.AccountID `json:"account"`
	Key     posture.Key       `json:"key"` // the snapshot that was asked about; without an id the creation date names it

	Means       Means  `json:"means"`        // of deactivate and its undo
	DeleteMeans Means  `json:"delete_means"` // of delete
	Policy      Policy `json:"policy"`

	Requester  Person     `json:"requester"` // of the step that is pending or was confirmed last
	Opener     Person     `json:"opener"`    // of the first step
	Reason     string     `json:"reason"`
	Override   string     `json:"override,omitempty"` // why a key in use is deleted all the same
	BreakGlass bool       `json:"break_glass,omitempty"`
	Approvals  []Approval `json:"approvals,omitempty"` // of the step that is pending or was confirmed last
	Steps      []Step     `json:"steps,omitempty"`     // every step that was asked for, the first one first; no gate reads it

	OpenedAt time.Time `json:"opened_at"`
	Since    time.Time `json:"since"`             // when the state was entered
	Deadline time.Time `json:"deadline,omitzero"` // when the state lapses; zero: it does not

	InactiveAt time.Time     `json:"inactive_at,omitzero"` // when AWS was first read to be inactive or blocked
	WatchFrom  time.Time     `json:"watch_from,omitzero"`  // use after this counts
	Watched    time.Duration `json:"watched,omitempty"`    // of the watch window, what has been covered by readings
	ReadAt     time.Time     `json:"read_at,omitzero"`     // the last successful reading, by our clock
	ReadAWS    time.Time     `json:"read_aws,omitzero"`    // the same by AWS's clock
	ListedAt   time.Time     `json:"listed_at,omitzero"`   // when the newest list of keys that was relied on was true
	OtherKeys  []string      `json:"other_keys,omitempty"` // names of the account's other keys, by fingerprint and by date
	NewKeys    []string      `json:"new_keys,omitempty"`   // of them, those that appeared since the request was made

	Attempt    int       `json:"attempt,omitempty"`      // changing calls under the present confirmation
	ChangedAt  time.Time `json:"changed_at,omitzero"`    // when the last changing call began
	SettleFrom time.Time `json:"settle_from,omitzero"`   // a reading that began earlier tells nothing, see [Request.Tells]
	SettleAWS  time.Time `json:"settle_aws,omitzero"`    // the same by AWS's clock
	OwnerDone  time.Time `json:"owner_done,omitzero"`    // when the owner pressed Done
	CleanReads int       `json:"clean_reads,omitempty"`  // of the verification
	CleanAt    time.Time `json:"clean_at,omitzero"`      // the first clean read in a row
	Note       Note      `json:"note,omitempty"`         // what last happened, for the card
	NoteDetail string    `json:"note_detail,omitempty"`  // the name of a gate, an AWS error code; never free text from outside
	EndedBy    *Person   `json:"ended_by,omitempty"`     // who rejected or cancelled
	ActedOn    bool      `json:"acted_on,omitempty"`     // a changing call was made at least once
	BlockHeld  bool      `json:"block_held,omitempty"`   // the request is among the holders of the account's block
	BlockFound bool      `json:"block_found,omitempty"`  // the block was there before us, hence is not ours to take away
	Again      bool      `json:"again,omitempty"`        // its block was lifted for a while and is to be put back
	Off        Off       `json:"off,omitzero"`           // the block was taken off with another request
	LastAWS    string    `json:"last_aws_id,omitempty"`  // AWS's request id of the last changing call
	DeletedAt  time.Time `json:"deleted_at,omitzero"`    // when the key was first read to be gone
	VerifiedAt time.Time `json:"verified_at,omitzero"`   // the second clean read
	AlarmedAt  time.Time `json:"alarmed_at,omitzero"`    // the last alarm; once deleted, the last since
	LastSeen   time.Time `json:"last_seen_use,omitzero"` // the latest use that was alarmed about
}

// Open makes a request. An active key starts at Requested and waits for its second confirmation. A key that is found
// inactive needs no changing call: it is watched from this reading on.
func Open(id RequestID, by Person, reason string, f Facts, key posture.Key, means, deleteMeans Means, p Policy, now time.Time) Request {
	r := Request{
		ID: id, Version: 1, Shown: 1, State: Requested, Source: f.Source, Account: f.Account, Key: key, Means: means,
		DeleteMeans: deleteMeans, Policy: p, Requester: by, Opener: by, Reason: reason, OpenedAt: now, Since: now,
		Deadline: now.Add(p.PendingFor), Note: NoteRequested, ListedAt: f.KeysAt,
	}
	for _, k := range f.Keys {
		if !f.isKey(r, k) {
			r.OtherKeys = append(r.OtherKeys, keyNames(k)...)
		}
	}
	act := ActDeactivate
	if key.Status == posture.KeyInactive {
		act = "" // nothing is to be done to it
		r.State, r.Note, r.Deadline = Inactive, NoteFoundInactive, time.Time{}
		if means == MeansOrganization {
			r.Means = MeansGuided // there is no block to take away: whoever made it inactive did so in the console
		}
		r = r.startWatch(f, now)
	}
	r.Steps = []Step{{Act: act, By: by, Reason: reason, At: now}}
	return r
}

// OpenBreakGlass makes the request of a declared emergency: one approver acts alone, on deactivate only. A deletion
// later needs its own confirmations like any other.
func OpenBreakGlass(id RequestID, by Person, reason string, f Facts, key posture.Key, means, deleteMeans Means, p Policy, now time.Time) Request {
	r := Open(id, by, reason, f, key, means, deleteMeans, p, now)
	r.BreakGlass = true
	if r.State == Requested {
		r.State, r.Note, r.Deadline = Approved, NoteBreakGlass, now.Add(p.ConfirmedFor)
	}
	return r
}

// Opening is what is to be done once a new request is committed.
func Opening(r Request, now time.Time) []Effect {
	at := func(k EffectKind, t time.Time) Effect { return Effect{Kind: k, Note: r.Note, At: t} }
	effects := []Effect{at(EffectDraw, now), at(EffectTell, now), at(EffectRead, now.Add(watchEvery))}
	if !r.Deadline.IsZero() {
		effects = append(effects, at(EffectLapse, r.Deadline))
	}
	if r.State == Approved {
		effects = append(effects, at(EffectAlarm, now), at(EffectAct, now))
	}
	return effects
}

// SnapshotHash identifies what the approver was shown: account, key, creation date and means.
func (r Request) SnapshotHash() string {
	b, err := json.Marshal([]any{r.Source, r.Account, r.Key.ID.Fingerprint(), r.Key.Created.UTC(), r.Means, r.DeleteMeans})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Approvers are the ids of those who confirmed the present step, in order.
func (r Request) Approvers() []string {
	ids := make([]string, 0, len(r.Approvals))
	for _, a := range r.Approvals {
		ids = append(ids, a.By.User)
	}
	return ids
}

// Present is the step that the request stands at: the one that is asked for or under way, and where none is, the one that
// put the key out of use.
func (r Request) Present() Step {
	switch r.State {
	case Inactive, Reactivated, Stale, GoneOutside:
		return r.Shut()
	case Requested, Approved, Deactivating, AwaitingOwner, ReactivateRequested, Reactivating, LiftRequested, Lifting, Lifted,
		DeleteRequested, DeleteApproved, Deleting, AwaitingOwnerDelete, Deleted, Verified, VerifiedWithAlarm, Restored,
		Rejected, Cancelled, Expired, Failed:
	}
	if n := len(r.Steps); n > 0 {
		return r.Steps[n-1]
	}
	return Step{Act: ActDeactivate, By: r.Requester, Reason: r.Reason, At: r.OpenedAt}
}

// Shut is the step by which the key was put out of use, or is to be: the first one of every request.
func (r Request) Shut() Step {
	if len(r.Steps) > 0 {
		return r.Steps[0]
	}
	return Step{Act: ActDeactivate, By: r.Opener, Reason: r.Reason, At: r.OpenedAt}
}

// Confirmers are the ids of those who confirmed the step, in order.
func (s Step) Confirmers() []string {
	ids := make([]string, 0, len(s.Approvals))
	for _, a := range s.Approvals {
		ids = append(ids, a.By.User)
	}
	return ids
}

// Keeps reports whether a request that has ended leaves its block where it is: AWS lists a key that appeared since the
// request was made, which would come into use with the root user. Nobody has decided on that key.
func (r Request) Keeps(f Facts) bool {
	return slices.ContainsFunc(f.Keys, func(k posture.Key) bool {
		return !f.isKey(r, k) && !r.knows(k) || slices.ContainsFunc(keyNames(k), func(n string) bool { return slices.Contains(r.NewKeys, n) })
	})
}

// Needed is how many more confirmations the pending step wants.
func (r Request) Needed() int {
	if !r.State.Pending() {
		return 0
	}
	n := 1
	if r.State == DeleteRequested {
		n = max(1, r.Policy.DeleteApprovals)
	}
	return max(0, n-len(r.Approvals))
}

// Current reports whether a button or a queued step that was made at a version still stands: nothing that people see
// has happened since. Plain readings of a watched key do not outdate it.
func (r Request) Current(version int) bool { return version >= r.Shown && version <= r.Version }

// Remaining is how much of the watch window is still to be covered by readings.
func (r Request) Remaining() time.Duration { return max(0, r.Policy.Watch-r.Watched) }

func (r Request) clone() Request {
	r.Approvals = slices.Clone(r.Approvals)
	r.OtherKeys, r.NewKeys = slices.Clone(r.OtherKeys), slices.Clone(r.NewKeys)
	r.Steps = slices.Clone(r.Steps)
	if n := len(r.Steps); n > 0 {
		r.Steps[n-1].Approvals = slices.Clone(r.Steps[n-1].Approvals) // the only one that still changes
	}
	return r
}
