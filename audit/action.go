package audit

import (
	"slices"
	"strings"
)

// Action says what happened, as noun.past. It is the key by which people search the log, so a constant here is never
// renamed and never reused.
type Action string

// One key's way from requested to verified.
const (
	RemediationRequested    Action = "remediation.requested"     // somebody asked; To says for what
	RemediationConfirmed    Action = "remediation.confirmed"     // an approver gave a second confirmation
	RemediationRejected     Action = "remediation.rejected"      // an approver said no
	RemediationCancelled    Action = "remediation.cancelled"     // the requester or an approver withdrew it
	RemediationExpired      Action = "remediation.expired"       // nobody confirmed in time
	RemediationRefused      Action = "remediation.refused"       // a rule or a gate said no; Reason says which
	RemediationInstructed   Action = "remediation.instructed"    // the owner was sent the console's steps
	RemediationAttempted    Action = "remediation.attempted"     // a call that changes AWS is about to be made
	RemediationDeactivated  Action = "remediation.deactivated"   // read back: inactive, or the root user blocked
	RemediationDeleted      Action = "remediation.deleted"       // the key was deleted
	RemediationVerified     Action = "remediation.verified"      // two clean reads after the deletion
	RemediationFailed       Action = "remediation.failed"        // the call certainly had no effect
	RemediationUncertain    Action = "remediation.uncertain"     // whether the call had an effect is not known yet
	RemediationReconciled   Action = "remediation.reconciled"    // AWS was read to learn what an uncertain call did
	RemediationAnsweredLate Action = "remediation.answered_late" // an answer came after its attempt was settled by a reading
	RemediationObserved     Action = "remediation.observed"      // AWS was read, and the watch went on or ended
	RemediationReactivated  Action = "remediation.reactivated"   // the key was seen active again, or its block gone
	RemediationRestored     Action = "remediation.restored"      // undone on request
	RemediationAlarmed      Action = "remediation.alarmed"       // something happened during the watch
	RemediationStale        Action = "remediation.stale"         // the key is no longer what was confirmed
	RemediationGoneOutside  Action = "remediation.gone_outside"  // somebody else deleted the key
)

// The block of an account's root user by the quarantine policy.
const (
	BlockAttached Action = "block.attached"
	BlockDetached Action = "block.detached"
	BlockFound    Action = "block.found"  // it was there already, hence is not ours to detach
	BlockLifted   Action = "block.lifted" // for one hour, so that the owner can sign in
	BlockKept     Action = "block.kept"   // nobody needs it, and it stays because of a key that nobody has decided on
)

// Looking and telling.
const (
	ScanStarted    Action = "scan.started"
	ScanFinished   Action = "scan.finished"
	DigestPosted   Action = "digest.posted"
	FindingMuted   Action = "finding.muted"
	FindingUnmuted Action = "finding.unmuted"
)

// The person who can sign in as an account's root user.
const (
	OwnerClaimed    Action = "owner.claimed"
	OwnerAssigned   Action = "owner.assigned"
	OwnerInstructed Action = "owner.instructed"
	OwnerConfirmed  Action = "owner.confirmed"
	OwnerDeclined   Action = "owner.declined"
	OwnerReminded   Action = "owner.reminded"
	OwnerEscalated  Action = "owner.escalated"
	OwnerEnded      Action = "owner.ended"     // nobody writes to the owner any more, for the reason of the record
	OwnersReleased  Action = "owners.released" // an approver let the owners be written to
)

// The bot itself.
const (
	BreakglassDeclared Action = "breakglass.declared" // one approver acts alone, in an emergency, on deactivate only
	SwitchPaused       Action = "switch.paused"
	SwitchResumed      Action = "switch.resumed"
	SettingsLoaded     Action = "settings.loaded"
	AccessRefused      Action = "access.refused" // somebody who may do nothing, or not this
	HeadPublished      Action = "head.published"
	DatabaseRestored   Action = "database.restored" // the log does not reach the head that was published last
	KeyCreated         Action = "key.created"       // the log's own signing key: see [NewKey]
)

// Actions lists the whole vocabulary. The caller owns the slice.
func Actions() []Action {
	return []Action{
		RemediationRequested, RemediationConfirmed, RemediationRejected, RemediationCancelled, RemediationExpired,
		RemediationRefused, RemediationInstructed, RemediationAttempted, RemediationDeactivated, RemediationDeleted,
		RemediationVerified, RemediationFailed, RemediationUncertain, RemediationReconciled,
		RemediationAnsweredLate, RemediationObserved, RemediationReactivated,
		RemediationRestored, RemediationAlarmed, RemediationStale, RemediationGoneOutside,
		BlockAttached, BlockDetached, BlockFound, BlockLifted, BlockKept,
		ScanStarted, ScanFinished, DigestPosted, FindingMuted, FindingUnmuted,
		OwnerClaimed, OwnerAssigned, OwnerInstructed, OwnerConfirmed, OwnerDeclined, OwnerReminded, OwnerEscalated,
		OwnerEnded, OwnersReleased,
		BreakglassDeclared, SwitchPaused, SwitchResumed, SettingsLoaded, AccessRefused, HeadPublished, DatabaseRestored, KeyCreated,
	}
}

// Known reports whether a belongs to the vocabulary.
func (a Action) Known() bool { return slices.Contains(Actions(), a) }

func (a Action) formed() bool {
	noun, past, ok := strings.Cut(string(a), ".")
	const letters = "abcdefghijklmnopqrstuvwxyz_"
	return ok && noun != "" && past != "" && strings.Trim(noun, letters) == "" && strings.Trim(past, letters) == ""
}
