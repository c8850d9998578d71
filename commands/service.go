// Package commands is everything that people and the clock may have rootcheck do: who may ask, what is decided, and what
// stands on record before AWS is touched.
//
// The rules are:
//   - It knows no Slack and no AWS. What it needs of them are the ports of this package; what happens at their edges comes
//     in as a verb of [Service] or as an item of work.
//   - Authorise, decide, record: a verb looks up the person live, asks the machine of package remediation, and writes the
//     decision, its audit record and whatever follows from it in one commit.
//   - A refusal is recorded as fully as a decision, and is a sentence for the person, never a failure.
//   - Nothing is changed in AWS by a verb. The one worker does it, behind the gates and with a permit.
package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// People are users and user groups by their Slack ids. A named user needs no look-up to be entitled beyond being a live
// person of our own workspace; a group is read live, and counts as empty when it cannot be.
type People struct{ Users, Groups []string }

func (p People) empty() bool { return len(p.Users) == 0 && len(p.Groups) == 0 }

// SourceConfig is what is said for one `aws` entry alone.
type SourceConfig struct {
	Requesters People // empty: those of the whole configuration
	NeverActOn []posture.AccountID
}

// Config is what the operator decides.
type Config struct {
	Team                  string // our workspace, as auth.test names it; actors of another one are refused
	Approvers, Requesters People // without requesters the approvers ask as well
	Sources               map[string]SourceConfig
	Policy                remediation.Policy
	DryRun                bool          // every card and confirmation, no changing call and no DM
	DailyCap              int           // deletions in any 24 hours; 0: none
	ActivityWindow        time.Duration // 0: 24 hours
	Owners                map[posture.AccountID]string
	OwnerTag              string          // the tag that names an account's owner; empty: none
	Reminder              time.Duration   // between two messages to an owner; 0: 24 hours
	EscalateAfter         int             // messages without an answer before the channel is told; 0: two
	Concurrency           int             // accounts that a scan looks at in parallel at most; 0: DefaultConcurrency
	Pauses                []time.Duration // before a scan's later passes; nil: those of [Pauses]
	CardsPerHour          int             // cards for new findings; the rest is gathered in one message; 0: twenty
	Version               string
}

// Deps are what the verbs stand on. All but Next, SignHead, Parked, Troubles, Learn and Log are required.
type Deps struct {
	Ledger    Ledger
	Queue     Queue
	Estate    Estate
	Inspector Inspector
	Executor  Executor
	Directory Directory
	Now       func() time.Time
	NewID     func() string // opaque, unique and not to be guessed
	Log       *slog.Logger
	Next      func() map[string]time.Time              // the next time of each schedule
	SignHead  func(context.Context, audit.Head) string // the audit log's head, signed, in one line
	// Parked counts the items that were put aside, for the status.
	Parked func(context.Context) (int, error)
	// Troubles are those of the bot itself that stand now.
	Troubles func() []Trouble
	// Learn reads what a source's inventory does not tell, for the inventories that follow: the names of organizational
	// units, and tags where they are wanted.
	Learn func(ctx context.Context, source string) error
}

// Service is the verbs. It is safe for concurrent use.
type Service struct {
	cfg Config
	d   Deps

	mu    sync.Mutex
	paces map[paced]*rate.Limiter
	told  toldUntil

	ringing sync.Mutex // held while the approvers are looked up: one look-up for all who wait for it
	rung    callees
}

// New checks the configuration and fills in what it leaves open. Its errors name the setting and the fix.
func New(c Config, d Deps) (*Service, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if c.Approvers.empty() {
		c.Requesters = People{}
	} else if c.Requesters.empty() {
		c.Requesters = c.Approvers
	}
	if c.Policy == (remediation.Policy{}) {
		c.Policy = remediation.DefaultPolicy()
	}
	if !c.Policy.TwoPerson && !c.Approvers.empty() && (len(c.Approvers.Users) != 1 || len(c.Approvers.Groups) != 0) {
		return nil, errors.New("two_person: false needs exactly one approver: name one user, and no group, under approvers")
	}
	c.ActivityWindow = cmp.Or(c.ActivityWindow, 24*time.Hour)
	c.Reminder = cmp.Or(c.Reminder, 24*time.Hour)
	c.EscalateAfter = cmp.Or(c.EscalateAfter, 2)
	c.Concurrency = cmp.Or(c.Concurrency, DefaultConcurrency)
	c.CardsPerHour = cmp.Or(c.CardsPerHour, 20)
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: c, d: d, paces: map[paced]*rate.Limiter{}}, nil
}

func (d Deps) check() error {
	for name, missing := range map[string]bool{
		"ledger": d.Ledger == nil, "queue": d.Queue == nil, "estate": d.Estate == nil, "inspector": d.Inspector == nil,
		"executor": d.Executor == nil, "directory": d.Directory == nil, "now": d.Now == nil, "new id": d.NewID == nil,
	} {
		if missing {
			return fmt.Errorf("build the verbs: no %s was given", name)
		}
	}
	return nil
}

// Handlers are the verbs' own kinds of work, for [NewWorker].
func (s *Service) Handlers() map[string]Handler {
	return map[string]Handler{
		KindAct: s.act, KindRead: s.read, KindRelease: s.release, KindLapse: s.lapse, KindRescan: s.rescan,
		KindScan: s.scan, KindRemind: s.remind, KindOwners: s.owners, KindUnits: s.units,
		KindRedraw: s.redraw,
	}
}
