package commands

import "time"

// Actor is who clicked or typed, as the envelope names them. It is a claim until the directory has been asked.
type Actor struct {
	User    string
	Team    string
	Channel string    // where it was done; empty in a DM or on the Home tab
	At      time.Time // when it was done, which may be a while before it is handled; zero: now
}

// Refusal is an answer to a person: not this, not now, or not you. The bot has its sentence, with a next step, in each
// language. Each one is audited.
type Refusal struct {
	Code  RefusalCode
	Field string            // the modal's field that is wrong, where one is
	Args  map[string]string // for the sentence; never untrusted text
}

// Error is for logs.
func (r *Refusal) Error() string { return "refused: " + string(r.Code) }

// RefusalCode names a refusal. The machine's own codes (remediation.RefusalCode) are used as they are.
type RefusalCode string

// The refusals that are decided before the machine is asked.
const (
	NotInChannel    RefusalCode = "not_in_channel"   // looking is for the members of the bot's channel
	NotRequester    RefusalCode = "not_requester"    // asking is for requesters
	NotApprover     RefusalCode = "not_approver"     // confirming is for approvers
	NotOwner        RefusalCode = "not_owner"        // the owner's buttons are the owner's
	IsGuest         RefusalCode = "guest"            //
	IsOutside       RefusalCode = "outside"          // Slack Connect, or another workspace
	IsBot           RefusalCode = "bot"              //
	IsDeactivated   RefusalCode = "deactivated"      //
	WhoUnknown      RefusalCode = "who_unknown"      // the directory could not be asked
	GroupUnreadable RefusalCode = "group_unreadable" // an approver group could not be read, and counts as empty; Args["group"]
	UnknownRequest  RefusalCode = "unknown_request"  //
	UnknownAccount  RefusalCode = "unknown_account"  // Args["nearest"]
	Ambiguous       RefusalCode = "ambiguous"        // several accounts answer to it; Args["choices"]
	UnknownKey      RefusalCode = "unknown_key"      //
	UnknownButton   RefusalCode = "unknown_button"   // of an old message, or forged
	WrongAccount    RefusalCode = "wrong_account"    // typed account id
	WrongKey        RefusalCode = "wrong_key"        // typed key id or its last four
	KeyNotWhole     RefusalCode = "key_not_whole"    // too few characters were typed where the whole key id is wanted
	ReasonWanted    RefusalCode = "reason_wanted"    //
	AlreadyOpen     RefusalCode = "already_open"     // Args["request"], Args["by"]
	NoMeans         RefusalCode = "no_means"         //
	NeverActOn      RefusalCode = "never_act_on"     //
	IsPaused        RefusalCode = "paused"           // Args["by"]
	AlreadySo       RefusalCode = "already_so"       // paused already, muted already…
	OwnPause        RefusalCode = "own_pause"        // under the two-person rule somebody else resumes; Args["who"]
	OwnClaim        RefusalCode = "own_claim"        // …and confirms an owner
	NotFailing      RefusalCode = "not_failing"      // there is nothing to mute
	EmergencyLimit  RefusalCode = "emergency_limit"  // three break-glass declarations a day
	EmergencyOpen   RefusalCode = "emergency_open"   // a request that has not acted is in the way; Args["by"], Args["when"], Args["state"]
	MFABlocked      RefusalCode = "mfa_blocked"      // the root user is blocked and cannot sign in
	NobodyToTell    RefusalCode = "nobody_to_tell"   // no owner is known
	ChannelShared   RefusalCode = "channel_shared"   // another company sees the bot's channel
	ClaimWaits      RefusalCode = "claim_waits"      // another claim waits for an approver; Args["by"], Args["owner"]
	ToldAlready     RefusalCode = "told_already"     // the owner was written to within the hour; Args["owner"], Args["when"]
	TooLate         RefusalCode = "too_late"         // the click could not be handled in time; Args["when"]
	TooSoon         RefusalCode = "too_soon"         // a spam limit; Args["wait"]
	Unreadable      RefusalCode = "unreadable"       // AWS could not be read just now; Args["reason"]
	DeleteInUse     RefusalCode = "in_use"           // same word as the machine's
	DryRunOn        RefusalCode = "dry_run"          // nobody is written to in a dry run
	InternalTrouble RefusalCode = "internal"         // Args["id"] finds it in the log
)
