package commands

import (
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// The kinds of item. Those that begin with "slack" are the bot's to handle, the others are handled here.
const (
	KindAct     = "aws.act"     // the next changing call of a request
	KindRead    = "aws.read"    // read AWS for a request
	KindRelease = "aws.release" // a request needs the account's block no longer
	KindLapse   = "lapse"       // look at a request's deadline
	KindRescan  = "rescan"      // look at one account anew
	KindScan    = "scan"        // look at everything
	KindRemind  = "remind"      // an owner has not answered
	KindOwners  = "owners"      // find and tell owners after a scan
	KindUnits   = "units"       // read the names of organizational units after a scan
	KindRedraw  = "redraw"      // redraw the cards that show the pause switch, one after the other

	KindCard   = "slack.card"   // redraw an account's card
	KindTell   = "slack.tell"   // a line in the card's thread
	KindAlarm  = "slack.alarm"  // a message of its own in the channel
	KindOwner  = "slack.owner"  // a DM to an account's owner
	KindDigest = "slack.digest" // the digest
	KindNew    = "slack.new"    // a card for a new finding
	KindNotice = "slack.notice" // whatever else is said in the channel
)

// Work is the body of every item that the verbs put, as JSON. Only the fields that its kind needs are set.
type Work struct {
	Request remediation.RequestID `json:"request,omitempty"`
	Version int                   `json:"version,omitempty"` // of the request; with a notice of the pause switch, its own
	Note    remediation.Note      `json:"note,omitempty"`    // with tell and alarm
	Then    *remediation.Request  `json:"then,omitempty"`    // with tell and alarm: as the step left it, because it is told late

	Source  string            `json:"source,omitempty"`
	Account posture.AccountID `json:"account,omitempty"`
	Purpose Purpose           `json:"purpose,omitempty"` // with owner
	User    string            `json:"user,omitempty"`    // whom a DM or a notice is about

	Trigger    string `json:"trigger,omitempty"`    // with scan
	Occurrence string `json:"occurrence,omitempty"` // with digest

	Notice   NoticeKind `json:"notice,omitempty"`
	By       string     `json:"by,omitempty"`     // who caused the notice
	Reason   string     `json:"reason,omitempty"` // a person's words: untrusted text
	Count    int        `json:"count,omitempty"`
	Accounts []Place    `json:"accounts,omitempty"` // the first of those that the notice is about; with redraw: those that are left
	What     string     `json:"what,omitempty"`     // the kind of a parked item, the name of a source, the reason of a gap
}

// Place names one account of one `aws` entry.
type Place struct {
	Source  string            `json:"source"`
	Account posture.AccountID `json:"account"`
}

// Purpose is what an owner is written to about.
type Purpose string

// The purposes.
const (
	PurposeMFA Purpose = "mfa" // register MFA
	PurposeKey Purpose = "key" // the guided step of a request
)

// NoticeKind names a message in the channel.
type NoticeKind string

// The notices.
const (
	NoticePaused     NoticeKind = "paused"
	NoticeResumed    NoticeKind = "resumed"
	NoticeBreakGlass NoticeKind = "break_glass" // one approver acts alone; Request is what they do
	NoticeOwners     NoticeKind = "owners"      // Count owners would be written to: an approver is asked to release it
	NoticeEscalated  NoticeKind = "escalated"   // an owner did not answer; Count messages were sent
	// NoticeEscalatedUnread is the same where AWS cannot be read: What is the reason.
	NoticeEscalatedUnread NoticeKind = "escalated_unread"
	NoticeClaimed         NoticeKind = "owner_claimed" // User is said to be the owner: an approver is asked to confirm it
	NoticeDeclined        NoticeKind = "owner_declined"
	NoticeGathered        NoticeKind = "gathered"   // Count more accounts have new findings
	NoticeSourceGap       NoticeKind = "source_gap" // the inventory of What could not be read, or was not believable
	NoticeParked          NoticeKind = "parked"     // an item of kind What failed too often, and waits for a restart
	NoticeFailing         NoticeKind = "failing"    // an item of kind What failed too often, and is tried again and again

	// What its operator must mend about the bot itself.
	NoticeShared     NoticeKind = "shared"        // another company sees the channel What
	NoticeLowSpace   NoticeKind = "low_space"     // only What is free where the database lies
	NoticeUnwritable NoticeKind = "unwritable"    // the database cannot be written: What is since when, and the cause
	NoticeWritable   NoticeKind = "writable"      // it can be again: What is from when it could not
	NoticeBackup     NoticeKind = "backup_failed" // What is the cause
	NoticeDamaged    NoticeKind = "damaged"       // the weekly check found What in the database or its audit log
	NoticeShorter    NoticeKind = "log_shorter"   // the log does not reach the head that was published at What
	NoticeRewritten  NoticeKind = "log_rewritten" // the log contradicts the head that was published at What
)
