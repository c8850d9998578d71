package commands_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

var errDown = errors.New("does not answer")

type directory struct{ w *world }

func (d directory) Person(_ context.Context, user string) (commands.Person, error) {
	d.w.port("directory.person")
	if d.w.isBroken("directory") {
		return commands.Person{}, errDown
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	p, ok := d.w.people[user]
	if !ok {
		return p, commands.ErrNotFound
	}
	return p, nil
}

func (d directory) Group(_ context.Context, group string) ([]string, error) {
	if d.w.isBroken("groups") {
		return nil, errDown
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return slices.Clone(d.w.groups[group]), nil
}

func (d directory) InChannel(_ context.Context, user string) (bool, error) {
	if d.w.isBroken("directory") {
		return false, errDown
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return d.w.channel[user], nil
}

func (d directory) Shared(context.Context) (bool, error) {
	if d.w.isBroken("directory") {
		return false, errDown
	}
	return d.w.isBroken("channel"), nil
}

func (d directory) ByEmail(_ context.Context, email string) (string, error) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	for id, p := range d.w.people {
		if p.Email == email {
			return id, nil
		}
	}
	return "", commands.ErrNotFound
}

type inspector struct{ w *world }

func (i inspector) Sources() []string {
	if i.w.isBroken("entry") {
		return i.w.mirrors
	}
	return append([]string{"acme"}, i.w.mirrors...)
}

func (i inspector) Inventory(_ context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	if i.w.isBroken("inventory") || i.w.isBroken("inventory of "+source) {
		return commands.Organization{}, errDown
	}
	var all []posture.Account
	i.w.at(func() {
		for _, a := range i.w.accounts {
			all = append(all, a.Account)
		}
	})
	for _, a := range all {
		if err := yield(a); err != nil {
			return commands.Organization{}, err
		}
	}
	return commands.Organization{
		Source: source, Management: management, Partition: "aws",
		Centralized: posture.Told(!i.w.isBroken("feature"), "ListOrganizationsFeatures", i.w.now()),
	}, nil
}

func (i inspector) Inspect(_ context.Context, a posture.Account) posture.Evidence {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	i.w.scanned++
	now := i.w.clock
	at, ok := i.w.accounts[a.ID]
	e := posture.Evidence{Account: a, At: now, Via: "assume-root"}
	if !ok || at.gap != nil {
		g := posture.Gap{Reason: posture.ReasonLeft}
		if ok {
			g = *at.gap
		}
		return posture.Unread(e, g)
	}
	e.Account = at.Account
	e.Account.Source = a.Source
	e.AccessKeys = posture.Told(len(at.keys) > 0, posture.SourceSummary, now)
	e.MFA = posture.Told(at.mfa, posture.SourceSummary, now)
	e.Certificates = posture.Told(false, posture.SourceSummary, now)
	e.Password = posture.Told(at.password, posture.SourceSummary, now)
	e.Keys = posture.Told(slices.Clone(at.keys), "ListAccessKeys", now)
	e.Blocked = posture.Told(at.attached, "ListPoliciesForTarget", now)
	if !at.signIn.IsZero() {
		e.SignIn = posture.Told(posture.Use{At: at.signIn}, posture.SourceReport, now)
		e.KeyUse = posture.Told(posture.Use{}, posture.SourceReport, now)
	}
	return e
}

func (i inspector) facts(id posture.AccountID) remediation.Facts {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	now := i.w.clock
	a := i.w.accounts[id]
	f := remediation.Facts{Source: "acme", Account: id, Begun: now, At: now, AWS: now}
	if a == nil || i.w.broken["read"] || i.w.broken["entry"] {
		f.Gap = &posture.Gap{Reason: posture.ReasonNoAnswer}
		return f
	}
	f.Keys, f.KeysKnown, f.KeysAt, f.NoKeys = slices.Clone(a.keys), true, now, len(a.keys) == 0
	f.Block = remediation.BlockFacts{Known: true, Attached: a.attached, Intact: a.intact}
	return f
}

func (i inspector) Read(_ context.Context, r remediation.Request) remediation.Facts {
	i.w.port("inspector.read")
	return i.facts(r.Account)
}

func (i inspector) Ways(_ context.Context, a posture.Account) commands.Ways {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	if at := i.w.accounts[a.ID]; at != nil {
		return at.means
	}
	return commands.Ways{Deactivate: remediation.MeansNone, Delete: remediation.MeansNone}
}

func (i inspector) Member(_ context.Context, a posture.Account) (posture.Account, *posture.Gap) {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	at, ok := i.w.accounts[a.ID]
	if !ok {
		return a, &posture.Gap{Reason: posture.ReasonLeft}
	}
	return at.Account, nil
}

func (i inspector) Contacts(_ context.Context, a posture.Account) ([]commands.Contact, error) {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	return slices.Clone(i.w.accounts[a.ID].contacts), nil
}

type executor struct{ w *world }

func (e executor) Open(_ context.Context, r remediation.Request, _ remediation.Act) (commands.Session, error) {
	e.w.port("executor.open")
	if e.w.isBroken("open") {
		return nil, errDown
	}
	f := inspector(e).facts(r.Account)
	f.RootSession, f.CallerOf, f.KeyAccount, f.Caller = true, r.Account, r.Account, "arn:aws:iam::"+string(r.Account)+":root"
	return &session{w: e.w, facts: f}, nil
}

func (e executor) Detach(_ context.Context, _ string, account posture.AccountID, r audit.Receipt) commands.Outcome {
	e.w.port("executor.detach")
	if ev := r.Event(); !r.Valid() || ev.Action != audit.BlockDetached || ev.Account != string(account) || ev.Outcome != audit.OutcomeAttempt {
		return commands.Outcome{Kind: remediation.Refused, Code: "NoReceipt"}
	}
	e.w.at(func() {
		e.w.calls = append(e.w.calls, "detach "+string(account))
		e.w.accounts[account].attached = false
	})
	e.w.port("executor.detach.after")
	return commands.Outcome{Kind: remediation.Succeeded, AWSID: "aws-detach"}
}

type session struct {
	w     *world
	facts remediation.Facts
	used  bool
}

func (s *session) Facts() remediation.Facts { return s.facts }
func (s *session) Close()                   {}

func (s *session) Do(_ context.Context, p remediation.Permit) commands.Outcome {
	s.w.port("session.do")
	if s.used || p.Act() == "" {
		return commands.Outcome{Kind: remediation.Refused, Code: "NoPermit"}
	}
	s.used = true
	out := commands.Outcome{Kind: remediation.Succeeded, AWSID: "aws-" + string(p.Act())}
	s.w.at(func() {
		s.w.calls = append(s.w.calls, string(p.Act())+" "+p.Key().Last4())
		if s.w.fate != nil {
			if o := s.w.fate(string(p.Act())); o.Kind != "" {
				out = o
			}
		}
		if out.Kind == remediation.Succeeded || out.Code == "effect" {
			s.w.effect(p)
		}
	})
	s.w.port("session.do.after")
	if out.Kind == remediation.Succeeded {
		out.Facts = inspector{s.w}.facts(p.Account())
	}
	return out
}

// effect is what the call does to the tiny AWS. The world is locked.
func (w *world) effect(p remediation.Permit) {
	a := w.accounts[p.Account()]
	org := p.Means() == remediation.MeansOrganization
	at := slices.IndexFunc(a.keys, func(k posture.Key) bool { return k.ID.Same(p.Key()) })
	switch {
	case p.Act() == remediation.ActDelete && at >= 0:
		a.keys = slices.Delete(a.keys, at, at+1)
	case org:
		a.attached = p.Act() == remediation.ActDeactivate
	case at >= 0 && p.Act() == remediation.ActDeactivate:
		a.keys[at].Status = posture.KeyInactive
	case at >= 0:
		a.keys[at].Status = posture.KeyActive
	}
}

// use lets somebody use a key now.
func (w *world) use(id posture.AccountID, key int) {
	w.at(func() { w.accounts[id].keys[key].LastUsed = w.clock.Add(-time.Minute) })
}
