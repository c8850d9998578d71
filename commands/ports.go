package commands

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Errors of the ports. Everything else that a port returns is a failure of what stands behind it, and says what could not be
// read or written: a verb adds words only where it knows more.
var (
	// ErrConflict means that somebody else wrote first: read and decide again.
	ErrConflict = errors.New("somebody else wrote first")
	// ErrNotFound means that there is no such thing in the store.
	ErrNotFound = errors.New("not found")
	// ErrLeaseLost means that the lease ran out and the item may be in other hands: nothing was written.
	ErrLeaseLost = errors.New("lease lost")
	// ErrNothingDue means that no item may be claimed now.
	ErrNothingDue = errors.New("nothing is due")
)

// InboxKind is the kind of an item that holds what came from Slack: what a person typed, and where to answer them. No copy
// of the database keeps one.
const InboxKind = "slack.envelope"

// Item is one piece of work in the inbox or the outbox.
//
// Key is unique among unfinished items. Putting an item whose key is there already keeps one item: its body becomes the
// new one and it falls due at the earlier of both times, and a worker that holds the older one does not finish the newer.
type Item struct {
	Key  string
	Kind string
	Body []byte    // JSON; scrubbed when the item is finished
	Due  time.Time // by the injected clock; zero: at once
}

// Lease is a claimed item. Fence grows with each claim: a worker whose lease ran out can write nothing.
type Lease struct {
	Item
	Fence    int64
	Attempts int // claims so far, this one included and deferred ones left out
}

// Queue is the durable inbox and outbox. Leases run by the database's clock, due times by the injected one.
type Queue interface {
	// Put returns after the item is committed. Concurrent puts share a commit.
	Put(ctx context.Context, i Item) error
	// Claim takes the item that is due longest among the kinds, or returns ErrNothingDue.
	Claim(ctx context.Context, kinds ...string) (Lease, error)
	// Finish removes a claimed item, or returns ErrLeaseLost. Nothing else is written with it.
	Finish(ctx context.Context, l Lease) error
	// Retry hands a claimed item back, to be claimed again at a time.
	Retry(ctx context.Context, l Lease, at time.Time) error
	// Defer hands a claimed item back without counting the claim as an attempt: what it waits for is not its own failure.
	Defer(ctx context.Context, l Lease, at time.Time) error
	// Extend gives a lease its whole time again, for work that takes longer, or returns ErrLeaseLost.
	Extend(ctx context.Context, l Lease) error
	// Park takes an item out of the way after too many attempts, and keeps it for the operator.
	Park(ctx context.Context, l Lease, why string) error
	// Due counts the unfinished items that are due at a time or leased, by kind; parked ones are not counted.
	Due(ctx context.Context, at time.Time) (map[string]int, error)
	// Wake receives after items were put by this process, so that a worker need not poll for them.
	Wake() <-chan struct{}
}

// Change is one transaction. Whatever is not nil is written, all or nothing, in this order: the lease is checked, the
// item is finished when Done, compare-and-swaps are made, audit leaves are appended, items are queued.
type Change struct {
	Lease *Lease
	Done  bool

	Request *remediation.Request // its Version is one above the version that was read; 1 inserts
	Block   *remediation.Block   // likewise
	Switch  *Switch              // likewise
	Owner   *Owner               // likewise
	Mute    *Mute                // likewise

	Audit []audit.Event // at least one for everything but plain readings
	Queue []Item
}

// Ledger is the record of what was asked, decided and done.
type Ledger interface {
	// Commit writes the change, or nothing. ErrConflict: a version was not the one before; a second open request for a
	// key; ErrLeaseLost: the lease is not ours any more. The receipt is for the last audit event, or zero without one.
	Commit(ctx context.Context, c Change) (audit.Receipt, error)
	// Request returns ErrNotFound for an id that was never given out.
	Request(ctx context.Context, id remediation.RequestID) (remediation.Request, error)
	// Requests lists requests, newest first.
	Requests(ctx context.Context, q RequestQuery) ([]remediation.Request, error)
	// Block returns the zero Block, with its account set, where there never was one.
	Block(ctx context.Context, source string, account posture.AccountID) (remediation.Block, error)
	// Switch returns the pause switch; its zero value is "not paused".
	Switch(ctx context.Context) (Switch, error)
	// Owner returns ErrNotFound where nobody was ever resolved, claimed or assigned.
	Owner(ctx context.Context, source string, account posture.AccountID) (Owner, error)
	// Owners lists those that wait: told and not done, claimed and not confirmed.
	Owners(ctx context.Context) ([]Owner, error)
	// Mutes lists the mutes whose end is still to come. A mute keeps quiet what failed when it was made: the store applies it
	// to the finding's Workflow, and there it ends early when the finding is resolved or is about another key.
	Mutes(ctx context.Context) ([]Mute, error)
	// Mute returns the mute of a finding, in force or not, or ErrNotFound where there never was one.
	Mute(ctx context.Context, source string, account posture.AccountID, control posture.Control) (Mute, error)
	// Deletions counts the requests whose deletion was attempted, or handed to an owner, since a time.
	Deletions(ctx context.Context, since time.Time) (int, error)
	// LastAudit is the time of the newest audit record, zero in an empty log.
	LastAudit(ctx context.Context) (time.Time, error)
	// Audit lists records, newest first.
	Audit(ctx context.Context, q AuditQuery) ([]audit.Leaf, error)
	// Head is the audit log's head now.
	Head(ctx context.Context) (audit.Head, error)
}

// RequestQuery selects requests. Zero fields select everything.
type RequestQuery struct {
	Source  string
	Account posture.AccountID
	Open    bool // only those that have not ended
	Limit   int
}

// AuditQuery selects audit records.
type AuditQuery struct {
	Account string
	Request string
	Limit   int
}

// Switch is the pause switch.
type Switch struct {
	Version int       `json:"version"`
	Paused  bool      `json:"paused"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// Owner is what is known of the person who can sign in as an account's root user, and how far they got with MFA.
type Owner struct {
	Version int               `json:"version"`
	Source  string            `json:"source"`
	Account posture.AccountID `json:"account"`
	User    string            `json:"user,omitempty"`  // Slack id; empty: nobody
	How     OwnerHow          `json:"how,omitempty"`   // how the user was found
	Claim   string            `json:"claim,omitempty"` // a user who claims it, or was proposed, until an approver confirms
	ClaimBy string            `json:"claim_by,omitempty"`
	Not     []string          `json:"not,omitempty"` // users who said that it is not theirs

	Stage     OwnerStage `json:"stage,omitempty"`
	ToldAt    time.Time  `json:"told_at,omitzero"`
	RemindAt  time.Time  `json:"remind_at,omitzero"`
	Told      int        `json:"told,omitempty"` // messages so far, the first included
	LastTold  time.Time  `json:"last_told,omitzero"`
	Device    string     `json:"device,omitempty"` // passkey, virtual or hardware, as the owner chose
	System    string     `json:"system,omitempty"` // of the owner's phone: ios or android
	DoneAt    time.Time  `json:"done_at,omitzero"`
	Escalated time.Time  `json:"escalated,omitzero"`
}

// OwnerHow says how an owner was found. The order of the constants is the order of the search.
type OwnerHow string

// The ways.
const (
	OwnerByMap        OwnerHow = "map"
	OwnerByTag        OwnerHow = "tag"
	OwnerByEmail      OwnerHow = "email"
	OwnerBySecurity   OwnerHow = "security_contact"
	OwnerByOperations OwnerHow = "operations_contact"
	OwnerByClaim      OwnerHow = "claim"
	OwnerNobody       OwnerHow = ""
)

// OwnerStage is how far an owner got with MFA.
type OwnerStage string

// The stages. OwnerHeld waits for an approver to release the first batch of messages.
const (
	OwnerUntold   OwnerStage = ""
	OwnerHeld     OwnerStage = "held"
	OwnerTold     OwnerStage = "told"
	OwnerAnswered OwnerStage = "answered" // pressed Done, and AWS does not show it yet
	OwnerFinished OwnerStage = "finished" // AWS shows MFA
	OwnerGaveUp   OwnerStage = "not_mine"
)

// Mute is a finding that people chose not to hear of for a while.
type Mute struct {
	Version int               `json:"version"`
	Source  string            `json:"source"`
	Account posture.AccountID `json:"account"`
	Control posture.Control   `json:"control"`
	By      string            `json:"by"`
	Reason  string            `json:"reason"`
	Until   time.Time         `json:"until"` // in the past: not muted any more
}

// Run is one evaluation of everything that is configured.
type Run struct {
	ID       string        `json:"id"`
	Trigger  string        `json:"trigger"` // schedule, command, start or terminal
	Started  time.Time     `json:"started"`
	Finished time.Time     `json:"finished,omitzero"`
	Listed   int           `json:"listed"`             // accounts of the inventory
	Scanned  int           `json:"scanned"`            // of them, those whose root user could be looked at
	Failed   int           `json:"failed"`             // looked at, and not scanned
	Expected int           `json:"expected,omitempty"` // how many accounts there will be, as far as can be told
	Again    int           `json:"again,omitempty"`    // accounts that wait for another pass
	Ends     time.Time     `json:"ends,omitzero"`      // of a run under way: when it is over at the pace so far; zero: not known
	Gaps     []SourceGap   `json:"gaps,omitempty"`
	Took     time.Duration `json:"took,omitempty"`
}

// Progress is how many accounts are settled, of how many, as far as can be told.
func (r Run) Progress() (done, of int) { return r.Scanned + r.Failed, max(r.Listed, r.Expected) }

// SourceGap is an `aws` entry whose inventory could not be read, or was not believable.
type SourceGap struct {
	Source string      `json:"source"`
	Gap    posture.Gap `json:"gap"`
}

// Estate is what AWS was last seen to be.
type Estate interface {
	// StartRun begins a run, or returns the one that is under way with ErrConflict.
	StartRun(ctx context.Context, r Run) (Run, error)
	// SaveRun updates progress, and ends the run when Finished is set.
	SaveRun(ctx context.Context, r Run) error
	// LastRun returns the newest finished run, or ErrNotFound before the first.
	LastRun(ctx context.Context) (Run, error)
	// CurrentRun returns the run that is under way, or ErrNotFound.
	CurrentRun(ctx context.Context) (Run, error)
	// Save keeps looks at accounts, and the findings that were drawn from them, in one transaction. The findings' times
	// of first failure and workflow are carried on from what was there. Of a look that is older than the one that is kept
	// only the run counts.
	Save(ctx context.Context, run string, looks []Look) error
	// Unlisted returns accounts of a source that the run did not list, in the order of their ids and at most so many.
	Unlisted(ctx context.Context, run, source string, most int) ([]posture.Account, error)
	// Retire forgets the accounts of a source that the run did not list. It returns them.
	Retire(ctx context.Context, run, source string) ([]posture.Account, error)
	// Look returns the last look at an account, or ErrNotFound. An empty source matches any.
	Look(ctx context.Context, source string, account posture.AccountID) (Look, error)
	// Each calls f with every look in the order of (source, account) until f returns an error.
	Each(ctx context.Context, f func(Look) error) error
	// Marked returns the findings as they stood at a mark, in the order of (source, account), and Mark remembers how they
	// stand now: that is how one digest knows what the one before said. The findings can be read more than once; an error
	// ends them. The zero time means that nothing was ever marked so.
	Marked(ctx context.Context, mark string) (at time.Time, findings iter.Seq2[posture.Finding, error], err error)
	Mark(ctx context.Context, mark string, at time.Time) error
	// Rename gives a mark another name, in the place of what had that one. It returns ErrNotFound where there is no such mark.
	Rename(ctx context.Context, from, to string) error
	// Forget lets go of the marks whose names begin so and that were made before a time.
	Forget(ctx context.Context, begins string, before time.Time) error
	// Notify notes that people were told of findings: those that are New become Notified. A finding that is not there any
	// more is passed over.
	Notify(ctx context.Context, told []posture.FindingKey) error
	// Allow takes as many of the keys, from the first, as an allowance leaves room for, and returns them. An allowance is
	// shared by all replicas and survives restarts: at most so many different keys within a span of the injected clock. A
	// key that was taken within the span already is given again and takes no room.
	Allow(ctx context.Context, allowance string, keys []string, most int, within time.Duration) ([]string, error)
}

// Look is one look at one account with what was concluded from it.
type Look struct {
	Evidence posture.Evidence  `json:"evidence"`
	Findings []posture.Finding `json:"findings"`
	Run      string            `json:"run"`
	// Workflow is what people were told of each finding, as the store has it. Saving a look ignores it: the store works it
	// out from the findings that went before.
	Workflow map[posture.Control]posture.Workflow `json:"-"`
	// Before is the last judgement of each finding that cannot be told now, where there was one, as the store has it. It
	// was so when it was read, its At, and is never taken for what is so now. Saving a look ignores it, too.
	Before map[posture.Control]posture.Finding `json:"-"`
	// Lost is why the accounts of its source could not be listed by the last run, where the look is older than that: then
	// its evidence tells what was so, and nothing is judged by it. It is worked out when a look is shown, and never saved.
	Lost *posture.Gap `json:"-"`
}

// Unread is why a control cannot be judged now, or nil where it is. What was last known of it is in Before.
func (l Look) Unread(c posture.Control) *posture.Gap {
	f, _ := postureOf(l).Finding(c)
	switch {
	case f.Status != posture.NotAvailable && f.Status != posture.StatusUnknown:
		return nil
	case l.Lost != nil:
		return l.Lost
	case f.Gap != nil:
		return f.Gap
	default:
		return &posture.Gap{}
	}
}

// LastKnown are the judgements of Before that people look for while an account cannot be read: what failed then, and
// whether there was a key or MFA. Worst first.
func (l Look) LastKnown() []posture.Finding {
	var known []posture.Finding
	for _, f := range l.Before {
		if f.Status == posture.Failed || f.Status == posture.Passed && (f.Control == posture.RootAccessKey || f.Control == posture.RootMFA) {
			known = append(known, f)
		}
	}
	slices.SortFunc(known, posture.Finding.Compare)
	return known
}

// Inspector looks at AWS and can change nothing.
type Inspector interface {
	Looker
	// Read makes the reading that a remediation step decides by. A failed one has its Gap set.
	Read(ctx context.Context, r remediation.Request) remediation.Facts
	// Ways tells by which means the account's keys can be changed.
	Ways(ctx context.Context, a posture.Account) Ways
	// Member asks about one account that an inventory named once, and returns it as it is now. A gap of ReasonLeft means
	// that it is none of its source any more, and every other gap that AWS did not tell.
	Member(ctx context.Context, a posture.Account) (posture.Account, *posture.Gap)
	// Contacts gives the emails that may belong to the account's owner, by how they were found, in the order of search.
	Contacts(ctx context.Context, a posture.Account) ([]Contact, error)
}

// Organization is what one inventory told besides its accounts.
type Organization struct {
	Source      string
	ID          string
	Management  posture.AccountID
	Partition   string
	Centralized posture.Fact[bool] // unknown and never asked for a single account
}

// Ways are the means of one account, with what shuts the way where there is none.
type Ways struct {
	Deactivate remediation.Means
	Delete     remediation.Means
	Why        string        // one sentence on the means of deactivate
	WhyDelete  string        // one sentence on the means of delete
	SelfSigned posture.KeyID // the key that the operator's root profile signs with: guided only
	Exempt     bool          // never_act_on
}

// For is the means for one key: a key that the bot itself signs with could strand it, hence is guided.
func (w Ways) For(k posture.KeyID) (deactivate, del remediation.Means) {
	if w.SelfSigned != "" && w.SelfSigned.Same(k) {
		return remediation.MeansGuided, remediation.MeansGuided
	}
	return w.Deactivate, w.Delete
}

// Contact is an email or a Slack id that may lead to the owner.
type Contact struct {
	How   OwnerHow
	Value string // an email, or a Slack user id from a tag
}

// Executor makes changing calls. Each wants a permit, or the receipt of the record that precedes it.
type Executor interface {
	// Open gets the credentials for one act and makes the reading that the gates are asked with. The session lives for
	// the one call and must be closed.
	Open(ctx context.Context, r remediation.Request, act remediation.Act) (Session, error)
	// Detach takes our quarantine policy off an account that nobody holds any more. The receipt must be of the
	// committed record of the detachment of this very account.
	Detach(ctx context.Context, source string, account posture.AccountID, r audit.Receipt) Outcome
}

// Session can make exactly one changing call.
type Session interface {
	Facts() remediation.Facts
	// Do makes the call that the permit allows and reads back. A second call, or a permit for something else, is
	// refused without anything being sent.
	Do(ctx context.Context, p remediation.Permit) Outcome
	Close()
}

// Outcome is how a changing call went.
type Outcome struct {
	Kind  remediation.Kind // Succeeded, Refused, Unsure or Unavailable
	Code  string           // AWS's error code
	AWSID string           // AWS's request id
	Found bool             // with a block: the policy was attached already, and not by us
	Facts remediation.Facts
}

// Directory answers who somebody is, live. An error means that nobody knows, which allows nothing.
type Directory interface {
	Person(ctx context.Context, user string) (Person, error)
	Group(ctx context.Context, group string) ([]string, error)
	InChannel(ctx context.Context, user string) (bool, error)
	// Shared reports whether people of another company see the bot's channel.
	Shared(ctx context.Context) (bool, error)
	// ByEmail returns ErrNotFound where nobody in the workspace has the email.
	ByEmail(ctx context.Context, email string) (string, error)
}

// Person is somebody in Slack as Slack describes them now.
type Person struct {
	User    string
	Team    string
	Email   string
	Name    string
	Locale  string // such as "ko-KR"
	Deleted bool
	Bot     bool
	Guest   bool // single- or multi-channel guest
	Outside bool // of another workspace (Slack Connect)
}

// MessageRef is where something stands in Slack. Losing it loses nothing: it is drawn again from the store.
type MessageRef struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	Hash    string `json:"hash,omitempty"` // of what was last drawn, so that an unchanged one is not drawn again
}

// Board remembers which message shows what. Keys are the bot's own, such as "card/acme/222222222222".
type Board interface {
	// Message returns ErrNotFound where nothing was posted.
	Message(ctx context.Context, key string) (MessageRef, error)
	SaveMessage(ctx context.Context, key string, ref MessageRef) error
	// KeyOf finds what a message shows, or ErrNotFound for a message that we did not post.
	KeyOf(ctx context.Context, channel, ts string) (string, error)
}
