package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file is one posture check without Slack and without a database. The rules are:
//   - Accounts stream from the inventory into a bounded number of looks, and what was concluded into [Rows]: neither the
//     list of accounts nor their evidence is ever held whole.
//   - An account that was throttled, or that AWS did not answer about, is looked at again later; every other answer counts.
//   - No account at all is an error. What could not be listed or looked at is in the report, with its reason.

// Looker is what a check asks of AWS.
type Looker interface {
	Sources() []string
	Inventory(ctx context.Context, source string, yield func(posture.Account) error) (commands.Organization, error)
	Inspect(ctx context.Context, a posture.Account) posture.Evidence
}

var _ Looker = (*awsroot.Auditor)(nil)

// CheckOptions say what one check looks at. Only Now is required.
type CheckOptions struct {
	Sources  []string // names of `aws` entries; empty: all
	Accounts []string // ids, names or aliases; empty: all
	Now      func() time.Time
	Log      *slog.Logger
	Version  string
	Progress func(Progress)  // told after each account, one call at a time
	Looker   Looker          // another edge than AWS's; nil: the settings say
	Pauses   []time.Duration // before the later passes; nil: as long as AWS's throttling lasts
	Strict   bool            // what no way of looking can tell counts as unread, too
}

// Progress is how far a check is.
type Progress struct {
	Done, Listed int
	Complete     bool // the inventory has ended: Listed will not grow
	Again        int  // accounts that wait for another pass
}

// Checked is the outcome of a check. The caller closes Rows.
type Checked struct {
	Version       string
	Run           posture.Run
	Organizations []commands.Organization
	Organization  []posture.Finding // one for each organization
	Gaps          []commands.SourceGap
	Untold        int // findings that no way of looking that is open could tell, as opposed to those that failed to be read
	Strict        bool
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

// Status is the exit status of what was found. That AWS tells nobody what kinds of MFA devices a management account has, or
// what a root user without credentials once did, fails no check: it is shown, and counts only when strictness is asked for.
func (c *Checked) Status() CheckStatus {
	switch {
	case len(c.Gaps) > 0, c.Run.Total() == 0, c.Run.Scanned < c.Run.Total(), c.Unread() > 0, c.Strict && c.Untold > 0:
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

// requeues are the pauses before the later passes.
func requeues() []time.Duration {
	return []time.Duration{time.Second, 3 * time.Second, 9 * time.Second, 27 * time.Second}
}

// Check looks at every account once and judges it. Its error is a [SettingError], a [*NoAccountsError] beside a report that
// says more, or that the check was interrupted.
func Check(ctx context.Context, c Config, o CheckOptions) (*Checked, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	looker := o.Looker
	if looker == nil {
		auditor, _, err := awsroot.New(ctx, c.awsroot(Options{Now: o.Now, Log: o.Log, Version: o.Version}))
		if err != nil {
			return nil, &SettingError{Setting: "aws", Fix: "give the profile and Region names that your AWS configuration has", Err: err}
		}
		looker = auditor
	}
	if o.Pauses == nil {
		o.Pauses = requeues()
	}
	sources, err := pick(looker.Sources(), o.Sources)
	if err != nil {
		return nil, err
	}
	k := &checking{looker: looker, o: o, policy: posture.Policy{ActivityWindow: time.Duration(c.ActivityWindow)}, out: &Checked{
		Version: o.Version, Strict: o.Strict, Run: posture.Run{Started: o.Now().UTC()}, Rows: newRows(),
	}}
	if err := k.run(ctx, sources, max(1, c.Scan.Concurrency)); err != nil {
		return nil, errors.Join(err, k.out.Rows.Close())
	}
	k.out.Run.Ended = o.Now().UTC()
	if k.out.Run.Total() == 0 {
		return k.out, &NoAccountsError{Gaps: k.out.Gaps, Wanted: o.Accounts}
	}
	return k.out, nil
}

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
	return wanted, nil
}

// checking is one check in progress.
type checking struct {
	looker Looker
	o      CheckOptions
	policy posture.Policy

	mu       sync.Mutex
	out      *Checked
	again    []posture.Account
	progress Progress
}

func (k *checking) run(ctx context.Context, sources []string, concurrency int) error {
	accounts := make(chan posture.Account)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(accounts)
		return k.list(gctx, sources, accounts)
	})
	k.look(gctx, group, accounts, concurrency, false)
	if err := k.interrupted(ctx, group.Wait()); err != nil {
		return err
	}
	for i, pause := range k.o.Pauses {
		waiting := k.take()
		if len(waiting) == 0 {
			return nil
		}
		k.o.Log.InfoContext(ctx, "looking again", "accounts", len(waiting), "pass", i+2)
		if err := wait(ctx, pause); err != nil {
			return errInterrupted
		}
		group, gctx := errgroup.WithContext(ctx)
		accounts := make(chan posture.Account)
		group.Go(func() error {
			defer close(accounts)
			for _, a := range waiting {
				if err := send(gctx, accounts, a); err != nil {
					return err
				}
			}
			return nil
		})
		k.look(gctx, group, accounts, concurrency, i == len(k.o.Pauses)-1)
		if err := k.interrupted(ctx, group.Wait()); err != nil {
			return err
		}
	}
	return nil
}

var errInterrupted = errors.New("the check was interrupted before it ended, so there is no result")

func (k *checking) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func send(ctx context.Context, to chan<- posture.Account, a posture.Account) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case to <- a:
		return nil
	}
}

// list walks through the sources one after the other, so that the organization's own facts are there before its accounts
// are looked at. A source that cannot be listed is a gap, and the others are still listed.
func (k *checking) list(ctx context.Context, sources []string, to chan<- posture.Account) error {
	for _, source := range sources {
		org, err := k.looker.Inventory(ctx, source, func(a posture.Account) error {
			if !k.wanted(a) {
				return nil
			}
			k.mu.Lock()
			k.progress.Listed++
			k.mu.Unlock()
			return send(ctx, to, a)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k.mu.Lock()
		if org.Source == "" {
			org.Source = source
		}
		k.out.Organizations = append(k.out.Organizations, org)
		if err != nil {
			k.out.Gaps = append(k.out.Gaps, commands.SourceGap{Source: source, Gap: gapOf(err)})
		}
		if org.Centralized.Known() || org.Centralized.Gap != nil {
			f := posture.EvaluateOrganization(source, org.Centralized, k.o.Now())
			k.out.Organization = append(k.out.Organization, f)
			if len(k.o.Accounts) == 0 {
				k.out.Run.AddFinding(f)
			}
		}
		k.mu.Unlock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.progress.Complete, k.out.Run.Expected = true, k.progress.Listed
	k.tell()
	return nil
}

func gapOf(err error) posture.Gap {
	var why interface{ Why() posture.Gap }
	if errors.As(err, &why) {
		return why.Why()
	}
	return posture.Gap{Reason: posture.ReasonUnknown, Detail: err.Error(), Fix: posture.ReasonUnknown.Fix()}
}

func (k *checking) wanted(a posture.Account) bool {
	if len(k.o.Accounts) == 0 {
		return true
	}
	return slices.ContainsFunc(k.o.Accounts, func(w string) bool {
		return w == string(a.ID) || strings.EqualFold(w, a.Name) || (a.Alias != "" && strings.EqualFold(w, a.Alias))
	})
}

func (k *checking) look(ctx context.Context, group *errgroup.Group, accounts <-chan posture.Account, concurrency int, last bool) {
	for range concurrency {
		group.Go(func() error {
			for a := range accounts {
				e := k.looker.Inspect(ctx, a)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err := k.took(e, last); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// took judges one look, or puts its account back for another pass.
func (k *checking) took(e posture.Evidence, last bool) error {
	now := k.o.Now()
	p := posture.Judge(e, k.policy, now)
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.tell()
	if !last && len(k.o.Pauses) > 0 && Transient(e) {
		k.again = append(k.again, e.Account)
		return nil
	}
	k.progress.Done++
	k.out.Run.Add(p)
	for _, f := range p.Findings {
		if f.Status == posture.NotAvailable && Untold(f.Control, f.Gap) {
			k.out.Untold++
		}
	}
	return k.out.Rows.add(rowOf(p, e))
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

func (k *checking) take() []posture.Account {
	k.mu.Lock()
	defer k.mu.Unlock()
	waiting := k.again
	k.again = nil
	return waiting
}

func (k *checking) tell() {
	if k.o.Progress != nil {
		k.progress.Again = len(k.again)
		k.o.Progress(k.progress)
	}
}

// Transient reports whether a fact of the evidence is missing for a reason that may pass by itself within the minute.
func Transient(e posture.Evidence) bool {
	for _, g := range []*posture.Gap{
		e.AccessKeys.Gap, e.MFA.Gap, e.Certificates.Gap, e.Password.Gap, e.Keys.Gap, e.Devices.Gap,
		e.CertificateList.Gap, e.SignIn.Gap, e.KeyUse.Gap,
	} {
		if g != nil && (g.Reason == posture.ReasonThrottled || g.Reason == posture.ReasonNoAnswer) {
			return true
		}
	}
	return false
}
