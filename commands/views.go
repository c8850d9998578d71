package commands

import (
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
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

// KeyList is the answer to /rootcheck keys: first the accounts that have keys or an open request, then those whose keys
// cannot be read now, and had one when they could. Within both, worst first.
type KeyList struct {
	Coverage Coverage // zero where one account was asked for
	Accounts []AccountView
	Unread   int // how many of them, at the end, cannot be read now
}

// KeyView is one root key with the request that is open on it and by which means it can be changed.
type KeyView struct {
	Key        posture.Key
	AsOf       time.Time // when it was so, where it cannot be read now; zero: the last run saw it
	Open       *remediation.Request
	Deactivate remediation.Means
	Delete     remediation.Means
	InUse      bool // used within the guard period
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
	Why     map[posture.Reason]int      // why the rest was not
	Who     map[posture.Reason][]string // the labels of the first few of them
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
	Units      map[string]int // accounts that fail, by organizational unit; "/" holds those without one
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
