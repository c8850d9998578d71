package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file is one posture check without Slack and without a database: the bot's own [commands.Scanner] with the report's
// [Rows] behind it. The rules are:
//   - Neither the list of accounts nor their evidence is ever held whole.
//   - No account at all is an error, and a source that lists none is a gap. What could not be listed or looked at is in the
//     report, with its reason.
//   - Nothing is remembered from one check to the next: a check that is interrupted has no result, and only a running bot
//     knows that accounts are fewer than before.

// CheckOptions say what one check looks at. Only Now is required.
type CheckOptions struct {
	Sources  []string // names of `aws` entries; empty: all
	Accounts []string // as [commands.AnswersTo] knows them, in any case; empty: all
	Now      func() time.Time
	Log      *slog.Logger
	Version  string
	Progress func(Progress)  // told after each account, one call at a time
	Looker   commands.Looker // another edge than AWS's; nil: the settings say
	Pauses   []time.Duration // before the later passes; nil: as long as AWS's throttling lasts
	Strict   bool            // what no way of looking can tell counts as unread, too
}

// ids are the accounts that were asked for, where all of them are named by their ids and they are few enough that asking
// about each takes less than listing all.
func (o CheckOptions) ids() []posture.AccountID {
	ids := make([]posture.AccountID, 0, len(o.Accounts))
	for _, w := range o.Accounts {
		id := posture.AccountID(w)
		if !id.Valid() || len(ids) == awsroot.OnlyMost {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// Progress is how far a check is.
type Progress = commands.Progress

// Checked is the outcome of a check. The caller closes Rows.
type Checked struct {
	Version       string
	Run           posture.Run
	Organizations []commands.Organization
	Organization  []posture.Finding // one for each organization
	Gaps          []commands.SourceGap
	Unmatched     []string // accounts that were asked for and that nobody listed
	Untold        int      // findings that no way of looking that is open could tell, as opposed to those that failed to be read
	Strict        bool
	OwnUse        []string // `aws` entries with a root profile: the running bot's readings with it are uses of the root user
	Rows          *Rows
}

// CheckStatus is the exit status of a check.
type CheckStatus int

// The statuses. What could not be checked outweighs what was found: nobody may take the findings for all there is.
const (
	AllPass    CheckStatus = 0
	SomeFail   CheckStatus = 1
	SomeUnread CheckStatus = 2
)

// Unread is how many findings could not be checked although there is a way to look.
func (c *Checked) Unread() int { return c.Run.Blind() - c.Untold }

// Status is the exit status of what was found. A gap anywhere outweighs every finding: an inventory that is not to be
// believed, an account that was asked for and is nowhere, an account whose keys or MFA nobody could judge, a look-up on the side that failed, whatever its reason.
//
// One kind of missing answer does not count, unless strictness is asked for: what no way of looking that is open could ever
// tell, see [Untold]. The root user of a member without credentials leaves no trace that a privileged session may read, and
// so root-activity is NotAvailable there, rightly and for ever; were that a failure, status 2 would be the only one that an
// organization in its best state could get, nobody would heed it, and an account that really could not be read would hide
// behind it. So status 2 says "a look-up failed, and there is something to mend". The report still shows every one of these
// findings as not told, counts them beside the coverage, and passes none of them.
func (c *Checked) Status() CheckStatus {
	switch {
	case len(c.Gaps) > 0, len(c.Unmatched) > 0, c.Run.Total() == 0, c.Run.Scanned < c.Run.Total(), c.Unread() > 0, c.Strict && c.Untold > 0:
		return SomeUnread
	case c.Run.Failing() > 0:
		return SomeFail
	default:
		return AllPass
	}
}

// NoAccountsError means that there was nothing to check, which is never a success.
type NoAccountsError struct {
	Gaps   []commands.SourceGap
	Wanted []string // the accounts that were asked for, where some were
}

// Error says why there was nothing, and what to do.
func (e *NoAccountsError) Error() string {
	switch {
	case len(e.Gaps) > 0:
		g := e.Gaps[0]
		said := ""
		if g.Gap.Detail != "" {
			said = " (" + g.Gap.Detail + ")"
		}
		return strings.TrimSpace(fmt.Sprintf("no account could be listed in %s: %s%s. %s", g.Source, g.Gap.Reason.Phrase(), said, g.Gap.Fix))
	case len(e.Wanted) > 0:
		return "no account matches " + strings.Join(e.Wanted, ", ") + ": give an id of twelve digits, a name or an alias"
	default:
		return "AWS listed no account at all: look whether the identity is of the organization's management or delegated administrator account"
	}
}

// Check looks at every account once and judges it. Its error is a [SettingError], a [*NoAccountsError] beside a report that
// says more, or that the check was interrupted.
func Check(ctx context.Context, c Config, o CheckOptions) (*Checked, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	looker, only := o.Looker, false
	if looker == nil {
		auditor, _, err := awsroot.New(ctx, c.awsroot(Options{Now: o.Now, Log: o.Log, Version: o.Version}))
		if err != nil {
			return nil, awsSetting(err)
		}
		looker = auditor
		if ids := o.ids(); len(ids) > 0 {
			looker, only = auditor.Only(ids...), true
		}
	}
	sources, err := pick(looker.Sources(), o.Sources)
	if err != nil {
		return nil, err
	}
	k := &checking{o: o, only: only, met: map[string]bool{}, policy: posture.Policy{ActivityWindow: time.Duration(c.ActivityWindow)}, out: &Checked{
		Version: o.Version, Strict: o.Strict, OwnUse: c.ownUse(sources), Run: posture.Run{Started: o.Now().UTC()}, Rows: newRows(),
	}}
	scanner := commands.Scanner{Looker: looker, Now: o.Now, Log: o.Log, Concurrency: c.Scan.Concurrency, Pauses: o.Pauses}
	if err := scanner.Scan(ctx, sources, 0, k); err != nil {
		if ctx.Err() != nil {
			err = errInterrupted
		}
		return nil, errors.Join(err, k.out.Rows.Close())
	}
	k.out.Run.Ended = o.Now().UTC()
	k.out.Unmatched = k.unmatched()
	if k.out.Run.Total() == 0 {
		return k.out, &NoAccountsError{Gaps: k.out.Gaps, Wanted: o.Accounts}
	}
	return k.out, nil
}

// ownUse are those of the sources that have a root profile.
func (c Config) ownUse(sources []string) []string {
	var own []string
	for _, s := range c.AWS {
		if s.Account != nil && s.Account.RootProfile != "" && slices.Contains(sources, s.Name) {
			own = append(own, s.Name)
		}
	}
	return own
}

var errInterrupted = errors.New("the check was interrupted before it ended, so there is no result")

// pick is what was asked for, each once and in the order of the settings: an entry that was looked at twice would count twice.
func pick(all, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return all, nil
	}
	for _, w := range wanted {
		if slices.Contains(all, w) {
			continue
		}
		fix := "name an entry of aws in the settings: " + strings.Join(all, ", ")
		if near, ok := posture.Suggest(w, all); ok {
			fix = "there is no entry " + quote(w) + " in the settings: did you mean " + near + "?"
		}
		return nil, &SettingError{Setting: "--source", Fix: fix}
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !slices.Contains(wanted, name) }), nil
}

// checking is the sink of one check: it judges what was seen and keeps the rows.
type checking struct {
	o      CheckOptions
	only   bool // nothing else was listed than what was asked for
	policy posture.Policy
	out    *Checked
	met    map[string]bool // of the accounts that were asked for
}

// Named takes the accounts that were asked for.
func (k *checking) Named(a posture.Account) (commands.Take, error) {
	if !k.wanted(a) {
		return commands.TakeNone, nil
	}
	k.out.Run.Expected++
	return commands.TakeLook, nil
}

func (k *checking) wanted(a posture.Account) bool {
	if len(k.o.Accounts) == 0 {
		return true
	}
	wanted := false
	for _, w := range k.o.Accounts {
		if commands.AnswersTo(a, strings.ToLower(w)) {
			wanted, k.met[w] = true, true
		}
	}
	return wanted
}

func (k *checking) unmatched() []string {
	var left []string
	for _, w := range k.o.Accounts {
		if !k.met[w] && !slices.Contains(left, w) {
			left = append(left, w)
		}
	}
	return left
}

// Looked judges one account.
func (k *checking) Looked(_ context.Context, seen commands.Seen) error {
	p := posture.Judge(seen.Evidence, k.policy, k.o.Now())
	k.out.Run.Add(p)
	for _, f := range p.Findings {
		if f.Status == posture.NotAvailable && Untold(f.Control, f.Gap) {
			k.out.Untold++
		}
	}
	return k.out.Rows.add(rowOf(p, seen.Evidence), p.Standing())
}

// Ended judges the inventory and the organization.
func (k *checking) Ended(_ context.Context, e commands.SourceScan) error {
	k.out.Organizations = append(k.out.Organizations, e.Organization)
	elsewhere := k.only && e.Err == nil && e.Listed == 0 // the accounts are another source's, or nobody's
	if g := e.Gap(); g != nil && !elsewhere {
		k.out.Gaps = append(k.out.Gaps, *g)
	}
	centralized := e.Organization.Centralized
	if len(k.o.Accounts) == 0 && (centralized.Known() || centralized.Gap != nil) { // of single accounts nobody asked what holds for all
		f := posture.EvaluateOrganization(e.Source, centralized, k.o.Now())
		k.out.Organization = append(k.out.Organization, f)
		k.out.Run.AddFinding(f)
	}
	return nil
}

// Progress passes on how far the check is.
func (k *checking) Progress(p commands.Progress) {
	if k.o.Progress != nil {
		k.o.Progress(p)
	}
}

// Untold reports whether a finding is missing because no open way of looking tells it, and not because a look-up failed. The
// controls that matter most are never untold: an account is not scanned without them.
func Untold(c posture.Control, g *posture.Gap) bool {
	if g == nil || g.Reason != posture.ReasonNotOffered {
		return false
	}
	switch c {
	case posture.RootActivity, posture.RootHardwareMFA, posture.RootBackupMFA, posture.RootCertificate:
		return true
	case posture.RootAccessKey, posture.RootMFA, posture.RootPassword, posture.CentralizedRootAccess:
		return false
	default:
		return false
	}
}
