package remediation

import (
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// Kind is what happened to a request.
type Kind string

// The kinds of event. People, time, our own worker and readings of AWS each have theirs.
const (
	Confirm       Kind = "confirm"        // an approver gives the second confirmation
	Reject        Kind = "reject"         // an approver says no
	Cancel        Kind = "cancel"         // the requester or an approver takes it back
	AskDelete     Kind = "ask_delete"     // a requester asks to delete the watched key
	AskReactivate Kind = "ask_reactivate" // a requester asks to undo
	AskLift       Kind = "ask_lift"       // a requester asks to lift the block for a while
	OwnerDone     Kind = "owner_done"     // the owner says that the guided step is done
	Lapse         Kind = "lapse"          // the deadline of the state has come
	Begin         Kind = "begin"          // the worker is about to make the changing call, or hands it to the owner
	GateShut      Kind = "gate_shut"      // a gate refused the changing call; nothing was sent
	Succeeded     Kind = "succeeded"      // AWS answered yes, and a read agrees
	Refused       Kind = "refused"        // AWS answered no
	Unsure        Kind = "unsure"         // nobody knows whether the call had an effect
	Unavailable   Kind = "unavailable"    // the means does not exist for this account after all
	Observe       Kind = "observe"        // AWS was read
	Depart        Kind = "depart"         // the `aws` entry has left the settings
)

// Kinds lists every kind of event.
func Kinds() []Kind {
	return []Kind{
		Confirm, Reject, Cancel, AskDelete, AskReactivate, AskLift, OwnerDone, Lapse, Begin, GateShut, Succeeded,
		Refused, Unsure, Unavailable, Observe, Depart,
	}
}

// seen reports whether the event answers what somebody saw: it must say which version that was.
func (k Kind) seen() bool {
	switch k {
	case Confirm, Reject, Cancel, AskDelete, AskReactivate, AskLift:
		return true
	case OwnerDone, Lapse, Begin, GateShut, Succeeded, Refused, Unsure, Unavailable, Observe, Depart:
		return false
	default:
		return true
	}
}

// Event is something that happened to a request. Only the fields that its kind needs are set.
type Event struct {
	Kind     Kind
	Version  int       // of the request that the person saw; 0: it does not answer what somebody saw
	By       Person    // for what people do
	At       time.Time // with Confirm: when it was done; zero: now
	Reason   string    // for what people ask; with Depart why, for the record
	Override string    // with AskDelete: why a key in use is deleted all the same
	Gate     Gate      // with GateShut
	Code     string    // with Refused and Unavailable: AWS's error code
	AWSID    string    // AWS's request id
	Found    bool      // with Succeeded and Observe: the block was attached already, and not by us
	Off      Off       // with Observe: our block was taken off with another request
	Since    time.Time // with Observe: when the account's block was last noted to have come on or off
	OffOver  bool      // with Off: that request does not put the block back any more
	OffSoon  bool      // with Observe: another request is about to take our block off, or has and does not know it yet
	Policy   Policy    // what is in force now, where it is stricter than the request's own
	Facts    Facts     // with Observe, Succeeded and the Ask… kinds
}

// Facts are one reading of AWS about one account, made for a request.
type Facts struct {
	Source  string
	Account posture.AccountID
	Begun   time.Time // when the reading began, by our clock: it tells nothing of what came later
	At      time.Time // when it ended
	AWS     time.Time // by the Date header of AWS's first answer; zero where none was seen

	Keys        []posture.Key // all root access keys, where they could be listed
	KeysKnown   bool          // Keys is the whole list
	KeysAt      time.Time     // when the list was true: the read, or the credential report's GeneratedTime
	NoKeys      bool          // the summary flag says that there is none, which is live
	Password    posture.Fact[bool]
	Block       BlockFacts
	Caller      string            // the ARN that made the reading
	CallerOf    posture.AccountID // the account of that ARN
	RootSession bool              // the caller is the root user of that account
	KeyAccount  posture.AccountID // the account that AWS says the key belongs to
	Gap         *posture.Gap      // the reading failed; nothing else may be relied on
}

// BlockFacts are what was read of the quarantine policy on the account.
type BlockFacts struct {
	Known    bool
	Attached bool
	Intact   bool // the policy's document equals the shipped template
}

// find tells whether the request's key is there, which is never said of one that is not known. A key is not known where the
// reading cannot tell: it failed, it is of another account, its list is older than our own last call or than a list that
// was relied on, the request's key has no name to find it by, or two keys answer to its name.
func (f Facts) find(r Request) (k posture.Key, present, known bool) {
	switch {
	case f.Gap != nil || f.Account != r.Account || f.Source != r.Source:
		return k, false, false
	case f.NoKeys:
		return k, false, true
	case !f.KeysKnown || f.outdated(r):
		return k, false, false
	}
	named, matches := r.Key.ID != "" || !r.Key.Created.IsZero(), 0
	for _, c := range f.Keys {
		if f.isKey(r, c) {
			k, matches = c, matches+1
		}
	}
	return k, matches == 1, named && matches <= 1
}

// freshList is how much older than its reading a list may be that was made for it: a credential report is waited for.
const freshList = 10 * time.Second

// outdated reports a list from before our own last call, or from before a list that was relied on. One that was made for
// the reading is neither, whatever our clock did since: the second gates look at the reading of the first.
func (f Facts) outdated(r Request) bool {
	return f.KeysAt.Before(f.At.Add(-freshList)) && (f.KeysAt.Before(r.ChangedAt) || f.KeysAt.Before(r.ListedAt))
}

// another reports a key that may be the request's under a new date: there is no id to tell by, and nobody knew it before.
func (f Facts) another(r Request) bool {
	return slices.ContainsFunc(f.Keys, func(k posture.Key) bool {
		return (k.ID == "" || r.Key.ID == "") && !f.isKey(r, k) && !r.knows(k)
	})
}

func (f Facts) isKey(r Request, k posture.Key) bool {
	if r.Key.ID != "" && k.ID != "" {
		return r.Key.ID.Same(k.ID)
	}
	return !r.Key.Created.IsZero() && r.Key.Created.Equal(k.Created)
}

// keyNames are all names of a key, because one reading shows ids and the next may show dates alone.
func keyNames(k posture.Key) []string {
	names := []string{}
	if k.ID != "" {
		names = append(names, k.ID.Fingerprint())
	}
	if !k.Created.IsZero() {
		names = append(names, k.Created.UTC().Format(time.RFC3339))
	}
	return names
}

// strangers are the listed keys that are not the request's and were not there before.
func (f Facts) strangers(r Request) []posture.Key {
	return slices.DeleteFunc(slices.Clone(f.Keys), func(k posture.Key) bool { return f.isKey(r, k) || r.knows(k) })
}

// knows reports whether a key of the account is one of the others that were there before.
func (r Request) knows(k posture.Key) bool {
	return slices.ContainsFunc(keyNames(k), func(n string) bool { return slices.Contains(r.OtherKeys, n) })
}

// Note names what last happened to a request. The bot has the sentence for it in each language.
type Note string

// The notes.
const (
	NoteRequested      Note = "requested"
	NoteFoundInactive  Note = "found_inactive"
	NoteConfirmed      Note = "confirmed"
	NoteHalfConfirmed  Note = "half_confirmed"
	NoteRejected       Note = "rejected"
	NoteCancelled      Note = "cancelled"
	NoteExpired        Note = "expired"
	NoteBegun          Note = "begun"
	NoteOwnerAsked     Note = "owner_asked"
	NoteOwnerSaysDone  Note = "owner_says_done"
	NoteInactive       Note = "inactive"
	NoteUnsure         Note = "unsure"
	NoteRetry          Note = "retry"
	NoteRefusedByAWS   Note = "refused_by_aws"
	NoteUnavailable    Note = "unavailable"
	NoteGate           Note = "gate"
	NoteWatchOver      Note = "watch_over"
	NoteUsed           Note = "used"
	NoteNewKey         Note = "new_key"
	NoteReactivated    Note = "reactivated"
	NoteDetached       Note = "detached"
	NoteNotPutBack     Note = "not_put_back"
	NoteStale          Note = "stale"
	NoteGone           Note = "gone"
	NoteGoneNewKey     Note = "gone_new_key"
	NoteDeleteAsked    Note = "delete_asked"
	NoteReactivateAsk  Note = "reactivate_asked"
	NoteLiftAsked      Note = "lift_asked"
	NoteUnwatched      Note = "unwatched"
	NoteStepRejected   Note = "step_rejected"
	NoteStepCancelled  Note = "step_cancelled"
	NoteStepExpired    Note = "step_expired"
	NoteRestored       Note = "restored"
	NoteRestoredWith   Note = "restored_with"
	NoteLifted         Note = "lifted"
	NoteLiftedWith     Note = "lifted_with"
	NoteBlockAgain     Note = "block_again"
	NoteBlockOff       Note = "block_off"
	NoteDeleted        Note = "deleted"
	NoteStillThere     Note = "still_there"
	NoteVerified       Note = "verified"
	NoteVerifiedAlarm  Note = "verified_alarm"
	NoteBreakGlass     Note = "break_glass"
	NoteReadingMissing Note = "reading_missing"

	NoteDeparted        Note = "departed"
	NoteDepartedBlocked Note = "departed_blocked"
	NoteDepartedUnsure  Note = "departed_unsure"
)

// EffectKind is something to be done after a transition was committed. Effects go through the outbox: at least once.
type EffectKind string

// The kinds of effect.
const (
	EffectDraw    EffectKind = "draw"    // redraw the account's card
	EffectTell    EffectKind = "tell"    // a line in the card's thread
	EffectAct     EffectKind = "act"     // the next AWS step of the request
	EffectRead    EffectKind = "read"    // read AWS at a time and Observe
	EffectLapse   EffectKind = "lapse"   // look at the deadline at a time
	EffectOwner   EffectKind = "owner"   // the owner's steps, by DM
	EffectAlarm   EffectKind = "alarm"   // a message of its own in the channel
	EffectRelease EffectKind = "release" // the request no longer needs the account's block
	EffectRescan  EffectKind = "rescan"  // look at the account's posture anew
)

// Effect is one thing to be done, not before At.
type Effect struct {
	Kind EffectKind
	Note Note
	At   time.Time
}
