package commands

import (
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Actor is who clicked or typed, as the envelope names them. It is a claim until the directory has been asked.
type Actor struct {
	User    string
	Team    string
	Channel string // where it was done; empty in a DM or on the Home tab
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
	TooSoon         RefusalCode = "too_soon"         // a spam limit; Args["wait"]
	Unreadable      RefusalCode = "unreadable"       // AWS could not be read just now; Args["reason"]
	DeleteInUse     RefusalCode = "in_use"           // same word as the machine's
	DryRunOn        RefusalCode = "dry_run"          // nobody is written to in a dry run
	InternalTrouble RefusalCode = "internal"         // Args["id"] finds it in the log
)

// AccountView is everything that an account's card shows. It is derived from the store alone.
type AccountView struct {
	Look   Look
	Keys   []KeyView
	Ended  []remediation.Request // the latest ended request of each key, newest first
	Block  remediation.Block
	Owner  Owner
	Mutes  []Mute // those that still keep a failure quiet
	Ways   Ways
	Paused Switch
	DryRun bool
}

// KeyView is one root key with the request that is open on it and by which means it can be changed.
type KeyView struct {
	Key        posture.Key
	Open       *remediation.Request
	Deactivate remediation.Means
	Delete     remediation.Means
}

// Row is one account in a list.
type Row struct {
	Account  posture.Account
	Failed   []posture.Finding // worst first
	Gaps     []posture.Finding
	Before   []posture.Finding // what was last known of the gaps, see [Look.LastKnown]; worst first
	Open     int               // open requests
	Blocked  bool              // our quarantine is attached
	NoAccess bool              // the root user has no credentials at all: the best there is
	Twice    bool              // another `aws` entry lists the same account
	At       time.Time
}

// Found is the answer to /rootcheck with words: the one account that they name, or the list of those that they find.
type Found struct {
	Account *AccountView
	List    List
}

// Coverage is how much of what is configured was really looked at.
type Coverage struct {
	Listed  int
	Scanned int
	Why     map[posture.Reason]int // why the rest was not
	Gaps    []SourceGap
	Run     Run
}

// List is an answer to /rootcheck with or without words: worst first, one page.
type List struct {
	Coverage Coverage
	Query    string
	Rows     []Row
	Total    int // rows in all pages
	Page     int // from 0
	Pages    int
	Counts   map[posture.Control]map[posture.Status]int
	Nearest  string // for a query that matches nothing
	Running  *Run   // a scan that is under way
	First    bool   // no scan has finished yet
}

// Status is the answer to /rootcheck status.
type Status struct {
	Version    string
	Coverage   Coverage
	Running    *Run
	Next       map[string]time.Time // by schedule
	Open       []remediation.Request
	Paused     Switch
	DryRun     bool
	TwoPerson  bool
	Unreadable []string // groups that could not be read
	AuditHead  audit.Head
	Queue      map[string]int
	Parked     int
	Sources    []string
	Troubles   []Trouble
}

// Trouble is something about the bot itself that its operator must mend. It was said as a notice once, and stands in the
// status and in each digest until it is over.
type Trouble struct {
	Notice NoticeKind
	What   string // as in the notice
}

// Digest is what the daily digest says.
type Digest struct {
	At         time.Time
	Since      time.Time // of the last digest; zero: this is the first
	Coverage   Coverage
	Changes    []posture.Difference // since the last digest, worst first
	Counts     map[posture.Control]map[posture.Status]int
	Units      map[string]int // failed findings by organizational unit
	Failing    []Row          // worst first, at most as many as fit; the rest is in the thread
	FailingAll int
	Unread     []Row                 // accounts that could not be looked at, the first of them
	Pending    []remediation.Request // second confirmations
	Watching   []remediation.Request // by end of the watch
	Waiting    []Owner               // owners who have not answered
	Emergency  []remediation.Request // break-glass since the last digest
	Muted      int                   // failures that are kept quiet
	Paused     Switch
	DryRun     bool
	TwoPerson  bool
	Unreadable []string
	Troubles   []Trouble
	Head       string // the audit log's signed head, in one line
	Missed     int    // earlier digests that were not delivered
}
