package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file finds the people who can sign in as root users and writes to them about MFA. The rules are:
//   - Tags and emails find a person to inform. They never grant authority.
//   - On a first install nobody is written to before an approver has released the previewed batch.
//   - An owner is written to once, then reminded. No owner's button stops the escalation to the channel.
//   - While an account is blocked its owner cannot sign in, so nobody is asked to.
//   - AWS is read before anybody is reminded. While it cannot be read nobody is chased for what was so once; that the owner
//     has not answered is told to the channel all the same, with that.

// lookAgain is how long after a search that found nobody the contacts are asked again.
const lookAgain = 24 * time.Hour

// owners handles "owners": the sweep after a scan.
func (s *Service) owners(ctx context.Context, _ Lease) (Change, error) {
	released, err := s.released(ctx)
	if err != nil {
		return Change{}, err
	}
	seen, err := s.sight(ctx)
	if err != nil {
		return Change{}, err
	}
	var held []Place
	fresh := false
	err = s.d.Estate.Each(ctx, func(l Look) error {
		o, first, failed := s.sweep(ctx, seen.now(l), released)
		if failed == nil && o.Stage == OwnerHeld {
			held = append(held, Place{Source: o.Source, Account: o.Account})
			fresh = fresh || first
		}
		return failed
	})
	if err != nil {
		return Change{}, fmt.Errorf("look after the owners: %w", err)
	}
	if !fresh || s.cfg.DryRun {
		return Change{}, nil
	}
	return Change{Queue: []Item{item("notice/owners", KindNotice, Work{
		Notice: NoticeOwners, Count: len(held), Accounts: held[:min(len(held), namedAccounts)],
	}, s.d.Now())}}, nil
}

// released reports whether an approver has let owners be written to.
func (s *Service) released(ctx context.Context) (bool, error) {
	at, _, err := s.d.Estate.Marked(ctx, markOwners)
	if err != nil {
		return false, fmt.Errorf("read whether owners may be written to: %w", err)
	}
	return !at.IsZero(), nil
}

// sweep looks after the owner of one account. It is fresh if the owner was not held before.
func (s *Service) sweep(ctx context.Context, l Look, released bool) (o Owner, fresh bool, err error) {
	a := l.Evidence.Account
	f, _ := postureOf(l).Finding(posture.RootMFA)
	o, err = s.owner(ctx, a.Source, a.ID)
	if err != nil {
		return o, false, err
	}
	switch f.Status {
	case posture.Failed:
	case posture.Passed, posture.NotApplicable:
		if o.Version > 0 && (o.Stage == OwnerTold || o.Stage == OwnerAnswered || o.Stage == OwnerHeld) {
			o, err = s.saveOwner(ctx, finishedMFA(o, s.d.Now()), ownerEvent(o, audit.OwnerConfirmed, audit.System("scanner"), "finished"))
		}
		return o, false, err
	case posture.NotAvailable, posture.StatusUnknown:
		return o, false, nil
	}
	if o.Stage == OwnerFinished {
		o = unfinishedMFA(o)
	}
	if o.Stage != OwnerUntold && o.Stage != OwnerGaveUp && (o.Stage != OwnerHeld || !released) {
		return o, false, nil
	}
	if o, err = s.stillOwner(ctx, a, o); err != nil || o.User == "" {
		return o, false, err
	}
	blocked, err := s.blocked(ctx, l)
	if err != nil || blocked {
		return o, false, err
	}
	if !released || s.cfg.DryRun {
		if o.Stage == OwnerHeld {
			return o, false, nil
		}
		o.Stage = OwnerHeld
		o, err = s.saveOwner(ctx, o, ownerEvent(o, audit.OwnerAssigned, audit.System("scanner"), string(o.How)))
		return o, true, err
	}
	o, err = s.tell(ctx, o, audit.System("scanner"))
	return o, false, err
}

func finishedMFA(o Owner, now time.Time) Owner {
	o.Stage, o.DoneAt, o.RemindAt = OwnerFinished, now, time.Time{}
	return o
}

// unfinishedMFA begins anew with an owner whose account has lost its MFA, or comes back.
func unfinishedMFA(o Owner) Owner {
	o.Stage, o.Told = OwnerUntold, 0
	o.ToldAt, o.RemindAt, o.Escalated, o.DoneAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return o
}

// owner returns what is known, or a fresh record.
func (s *Service) owner(ctx context.Context, source string, account posture.AccountID) (Owner, error) {
	o, err := s.d.Ledger.Owner(ctx, source, account)
	if errors.Is(err, ErrNotFound) {
		return Owner{Source: source, Account: account}, nil
	}
	if err != nil {
		return o, fmt.Errorf("read the owner of %s: %w", account, err)
	}
	return o, nil
}

// blocked reports whether the root user cannot sign in just now.
func (s *Service) blocked(ctx context.Context, l Look) (bool, error) {
	a := l.Evidence.Account
	if l.Evidence.Blocked.Known() && l.Evidence.Blocked.Value {
		return true, nil
	}
	b, err := s.d.Ledger.Block(ctx, a.Source, a.ID)
	if err != nil {
		return false, fmt.Errorf("read the block of %s: %w", a.ID, err)
	}
	return b.Attached, nil
}

// saveOwner writes the record with its audit event and what follows.
func (s *Service) saveOwner(ctx context.Context, o Owner, e audit.Event, items ...Item) (Owner, error) {
	o.Version++
	e.At = s.d.Now()
	items = append(items, cardItem(o.Source, o.Account, e.At))
	if _, err := s.d.Ledger.Commit(ctx, Change{Owner: &o, Audit: []audit.Event{e}, Queue: items}); err != nil {
		return o, fmt.Errorf("save the owner of %s: %w", o.Account, err)
	}
	return o, nil
}

func ownerEvent(o Owner, a audit.Action, by audit.Actor, what string) audit.Event {
	e := audit.Event{
		Actor: by, Action: a, Outcome: audit.OutcomeDone, Source: o.Source, Account: string(o.Account),
		Detail: map[string]string{"what": what},
	}
	for name, v := range map[string]string{"owner": o.User, "claim": o.Claim} {
		if v != "" {
			e.Detail[name] = v
		}
	}
	return e
}

// tell writes to the owner, and keeps the time of the next reminder.
func (s *Service) tell(ctx context.Context, o Owner, by audit.Actor) (Owner, error) {
	now := s.d.Now()
	action := audit.OwnerReminded
	if o.Told == 0 || o.ToldAt.IsZero() {
		o.ToldAt, action = now, audit.OwnerInstructed
	}
	o.Stage, o.Told, o.LastTold, o.RemindAt = OwnerTold, o.Told+1, now, now.Add(s.cfg.Reminder)
	dm := item(fmt.Sprintf("dm/%s/%s/%d", o.Source, o.Account, o.Told), KindOwner, Work{
		Source: o.Source, Account: o.Account, Purpose: PurposeMFA, User: o.User,
	}, now)
	return s.saveOwner(ctx, o, ownerEvent(o, action, by, "mfa"), dm, s.remindItem(o))
}

// escalateAt is when the channel is told that an owner does not answer, whatever buttons were pressed meanwhile.
func (s *Service) escalateAt(o Owner) time.Time {
	return o.ToldAt.Add(time.Duration(s.cfg.EscalateAfter) * s.cfg.Reminder)
}

func (s *Service) remindItem(o Owner) Item {
	due := o.RemindAt
	if at := s.escalateAt(o); o.Escalated.IsZero() && at.Before(due) {
		due = at
	}
	return item(fmt.Sprintf("remind/%s/%s", o.Source, o.Account), KindRemind, Work{Source: o.Source, Account: o.Account}, due)
}

// remind handles "remind".
func (s *Service) remind(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	o, err := s.owner(ctx, w.Source, w.Account)
	if err != nil || o.Stage != OwnerTold && o.Stage != OwnerAnswered || o.User == "" {
		return Change{}, err
	}
	look, err := s.lately(ctx, w.Source, w.Account)
	if errors.Is(err, ErrNotFound) { // it has left; should it come back, its owner is written to anew
		_, err = s.saveOwner(ctx, unfinishedMFA(o), ownerEvent(o, audit.OwnerEnded, audit.System("clock"), "account_left"))
		return Change{}, err
	}
	if err != nil {
		return Change{}, err
	}
	now := s.d.Now()
	f, _ := postureOf(look).Finding(posture.RootMFA)
	if f.Status == posture.Passed || f.Status == posture.NotApplicable {
		_, err = s.saveOwner(ctx, finishedMFA(o, now), ownerEvent(o, audit.OwnerConfirmed, audit.System("clock"), "finished"))
		return Change{}, err
	}
	blocked, err := s.blocked(ctx, look)
	if err != nil {
		return Change{}, err
	}
	if blocked || s.cfg.DryRun {
		return Change{Queue: []Item{item(l.Key, KindRemind, w, now.Add(s.cfg.Reminder))}}, nil
	}
	unread := look.Unread(posture.RootMFA)
	if unread != nil && !now.Before(o.RemindAt) {
		o.RemindAt = now.Add(s.cfg.Reminder)
	}
	if o.Escalated.IsZero() && !now.Before(s.escalateAt(o)) {
		if o, err = s.escalate(ctx, o, unread); err != nil {
			return Change{}, err
		}
	}
	if now.Before(o.RemindAt) {
		return Change{Queue: []Item{s.remindItem(o)}}, nil
	}
	if o, err = s.stillOwner(ctx, look.Evidence.Account, o); err != nil || o.User == "" {
		return Change{}, err
	}
	_, err = s.tell(ctx, o, audit.System("clock"))
	return Change{}, err
}

// lately is a look at an account that is young enough to speak to its owner about: the last one, or else a new one.
func (s *Service) lately(ctx context.Context, source string, account posture.AccountID) (Look, error) {
	look, err := s.d.Estate.Look(ctx, source, account)
	if err != nil {
		return look, fmt.Errorf("read account %s: %w", account, err)
	}
	if look.Unread(posture.RootMFA) == nil && s.d.Now().Sub(look.Evidence.At) < young {
		return look, nil
	}
	return s.reinspect(ctx, source, account)
}

// escalate tells the channel that an owner does not answer, and where AWS cannot be read that nobody knows whether it is done.
func (s *Service) escalate(ctx context.Context, o Owner, unread *posture.Gap) (Owner, error) {
	now := s.d.Now()
	o.Escalated = now
	w := Work{Notice: NoticeEscalated, Source: o.Source, Account: o.Account, User: o.User, Count: o.Told}
	if unread != nil {
		w.Notice, w.What = NoticeEscalatedUnread, string(unread.Reason)
	}
	notice := item(fmt.Sprintf("notice/escalated/%s/%s/%d", o.Source, o.Account, o.Told), KindNotice, w, now)
	return s.saveOwner(ctx, o, ownerEvent(o, audit.OwnerEscalated, audit.System("clock"), "mfa"), notice, s.remindItem(o))
}

// ReleaseOwners lets the previewed owners be written to, and every later one by itself. It returns how many were.
func (s *Service) ReleaseOwners(ctx context.Context, a Actor) (int, error) {
	about := subject{act: "release_owners"}
	_, no := s.permit(ctx, a, ActConfirm, "")
	if no == nil && s.cfg.DryRun {
		no = &Refusal{Code: DryRunOn}
	}
	if no != nil {
		return 0, s.refused(ctx, a, about, no)
	}
	before, err := s.released(ctx)
	if err != nil {
		return 0, err
	}
	if !before {
		e := audit.Event{At: s.d.Now(), Actor: audit.User(a.User, a.Team), Action: audit.OwnersReleased, Outcome: audit.OutcomeDone}
		if _, err = s.d.Ledger.Commit(ctx, Change{Audit: []audit.Event{e}}); err != nil {
			return 0, fmt.Errorf("record the release of the owners: %w", err)
		}
	}
	if err = s.d.Estate.Mark(ctx, markOwners, s.d.Now()); err != nil {
		return 0, fmt.Errorf("release the owners: %w", err)
	}
	waiting, err := s.d.Ledger.Owners(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the owners: %w", err)
	}
	seen, err := s.sight(ctx)
	if err != nil {
		return 0, err
	}
	told := 0
	for _, o := range waiting {
		did, err := s.letTell(ctx, a, seen, o)
		if err != nil {
			return told, err
		}
		if did {
			told++
		}
	}
	if told == 0 && before {
		return 0, s.refused(ctx, a, about, &Refusal{Code: AlreadySo})
	}
	return told, nil
}
