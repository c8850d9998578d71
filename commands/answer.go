package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// click is one person's act on a request that exists.
type click struct {
	act     string // for the record
	right   string // what [Service.permit] is asked
	counted bool   // it makes work for others
	id      remediation.RequestID
	version int
	// check is asked before the machine, with the request as the store has it.
	check func(context.Context, remediation.Request, remediation.Person) error
	event remediation.Event
}

// do is the way of every click: read, authorise, check, decide, record.
func (s *Service) do(ctx context.Context, a Actor, c click) (remediation.Request, error) {
	r, by, err := s.asked(ctx, a, c.act, c.right, c.id)
	if err != nil {
		return r, err
	}
	about := subject{act: c.act, request: &r}
	if c.counted {
		if no := s.tooSoon(a.User, asking()); no != nil {
			return r, s.refused(ctx, a, about, no)
		}
	}
	if c.check != nil {
		if err = c.check(ctx, r, by); err != nil {
			return r, s.record(ctx, a, about, err)
		}
	}
	t, err := s.turn(ctx, c.id, turn{
		actor: audit.User(a.User, a.Team),
		event: func(remediation.Request) (remediation.Event, error) {
			e := c.event
			e.Version, e.By, e.At = c.version, by, a.At
			return e, nil
		},
	})
	if err != nil {
		return r, err
	}
	if m := t.decision.Refusal; m != nil {
		was := t.before.Under(s.cfg.Policy)
		return was, s.refused(ctx, a, subject{act: c.act, request: &was}, s.says(was, m, by))
	}
	return t.decision.Next.Under(s.cfg.Policy), nil
}

// could asks everything that can be asked of a step before anybody has typed anything. It is asked before a form is opened,
// and again when it comes back.
func (s *Service) could(ctx context.Context, r remediation.Request, by remediation.Person, k remediation.Kind, version int) error {
	d := remediation.Decide(r, remediation.Event{Kind: k, Version: version, By: by, Reason: "…", Override: "…"}, s.d.Now())
	if d.Refusal != nil {
		return s.says(r, d.Refusal, by)
	}
	undo := k == remediation.AskReactivate || k == remediation.AskLift
	first := k == remediation.Confirm && (r.State == remediation.Requested || r.State == remediation.DeleteRequested)
	switch {
	case undo:
		return s.ours(ctx, r)
	case first || k == remediation.AskDelete: // an undo is never held up
		return s.acting(ctx, r)
	}
	return nil
}

// MayStep asks whether the actor could take a step on a request now, so that no form is opened which can only be refused.
// It returns nil or a [Refusal], which is on record then.
func (s *Service) MayStep(ctx context.Context, a Actor, id remediation.RequestID, version int, k remediation.Kind) error {
	act, right := "preview", ActRequest
	switch k {
	case remediation.Confirm:
		act, right = "confirm", ActConfirm
	case remediation.Reject:
		act, right = "reject", ActReject
	case remediation.AskDelete:
		act = "delete"
	case remediation.AskReactivate:
		act = "reactivate"
	case remediation.AskLift:
		act = "lift"
	case remediation.Cancel, remediation.OwnerDone, remediation.Lapse, remediation.Begin, remediation.GateShut, remediation.Succeeded,
		remediation.Refused, remediation.Unsure, remediation.Unavailable, remediation.Observe, remediation.Depart: // nothing that has a form
	}
	r, by, err := s.asked(ctx, a, act, right, id)
	if err != nil {
		return err
	}
	return s.record(ctx, a, subject{act: act, request: &r}, s.could(ctx, r, by, k, version))
}

// asked reads a request for somebody who wants to do something with it.
func (s *Service) asked(ctx context.Context, a Actor, act, right string, id remediation.RequestID) (remediation.Request, remediation.Person, error) {
	r, err := s.request(ctx, id)
	if errors.Is(err, ErrNotFound) {
		_, no := s.person(ctx, a)
		if no == nil {
			no = &Refusal{Code: UnknownRequest}
		}
		return r, remediation.Person{}, s.refused(ctx, a, subject{act: act}, no)
	}
	if err != nil {
		return r, remediation.Person{}, fmt.Errorf("read request %s: %w", id, err)
	}
	by, no := s.permit(ctx, a, right, r.Source)
	if no != nil {
		if err := gaveUp(ctx, no); err != nil {
			return r, by, err
		}
		return r, by, s.refused(ctx, a, subject{act: act, request: &r}, no)
	}
	return r, by, nil
}

// RequestReactivate asks to undo what was done to a key. A block that was there before us is not ours to take away.
func (s *Service) RequestReactivate(ctx context.Context, a Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error) {
	return s.do(ctx, a, click{
		act: "reactivate", right: ActRequest, counted: true, id: id, version: version,
		check: func(ctx context.Context, r remediation.Request, by remediation.Person) error {
			return s.could(ctx, r, by, remediation.AskReactivate, version)
		},
		event: remediation.Event{Kind: remediation.AskReactivate, Reason: tidy(reason)},
	})
}

// RequestLift asks to lift the account's block for a while, so that its owner can sign in.
func (s *Service) RequestLift(ctx context.Context, a Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error) {
	return s.do(ctx, a, click{
		act: "lift", right: ActRequest, counted: true, id: id, version: version,
		check: func(ctx context.Context, r remediation.Request, by remediation.Person) error {
			return s.could(ctx, r, by, remediation.AskLift, version)
		},
		event: remediation.Event{Kind: remediation.AskLift, Reason: tidy(reason)},
	})
}

func (s *Service) ours(ctx context.Context, r remediation.Request) error {
	if s.exempt(r.Account) {
		return &Refusal{Code: NeverActOn}
	}
	if r.Means != remediation.MeansOrganization {
		return nil
	}
	b, err := s.d.Ledger.Block(ctx, r.Source, r.Account)
	if err != nil {
		return fmt.Errorf("read the block of %s: %w", r.Account, err)
	}
	if !b.Undoable(r.ID) {
		return &Refusal{Code: NoMeans, Args: map[string]string{"why": "block_found"}}
	}
	return nil
}

// RequestDelete asks to delete a watched key. AWS is read first: what the person confirms is what is there now.
func (s *Service) RequestDelete(ctx context.Context, a Actor, id remediation.RequestID, version int, q Ask) (remediation.Request, error) {
	q = q.tidy()
	return s.do(ctx, a, click{
		act: "delete", right: ActRequest, counted: true, id: id, version: version,
		check: func(ctx context.Context, r remediation.Request, by remediation.Person) error {
			q.Account = r.Account
			if no := q.typedWhole(r.Key); no != nil {
				return no
			}
			if q.Reason == "" {
				return &Refusal{Code: ReasonWanted, Field: "reason"}
			}
			if err := s.could(ctx, r, by, remediation.AskDelete, version); err != nil {
				return err
			}
			return s.observeNow(ctx, r)
		},
		event: remediation.Event{Kind: remediation.AskDelete, Reason: q.Reason, Override: q.Override},
	})
}

// acting refuses what would change AWS while it must not be changed.
func (s *Service) acting(ctx context.Context, r remediation.Request) error {
	if s.exempt(r.Account) {
		return &Refusal{Code: NeverActOn}
	}
	return s.notPaused(ctx)
}

// observeNow reads AWS for a request before somebody decides on it.
func (s *Service) observeNow(ctx context.Context, r remediation.Request) error {
	facts := s.d.Inspector.Read(ctx, r)
	if g := facts.Gap; g != nil {
		return &Refusal{Code: Unreadable, Args: map[string]string{"reason": string(g.Reason)}}
	}
	_, err := s.observe(ctx, r.ID, facts, nil)
	return err
}

// Confirm gives the second confirmation of whatever step is pending. With two_person off the whole key id is typed.
func (s *Service) Confirm(ctx context.Context, a Actor, id remediation.RequestID, version int, typedKey string) (remediation.Request, error) {
	q := Ask{TypedKey: typedKey, TypedAccount: typedKey}
	q = q.tidy()
	return s.do(ctx, a, click{
		act: "confirm", right: ActConfirm, id: id, version: version,
		check: func(ctx context.Context, r remediation.Request, by remediation.Person) error {
			if !r.Policy.TwoPerson {
				q.Account = r.Account
				if no := q.typedWhole(r.Key); no != nil {
					return no
				}
			}
			return s.could(ctx, r, by, remediation.Confirm, version)
		},
		event: remediation.Event{Kind: remediation.Confirm},
	})
}

// Reject says no to the step that is pending, or to one that was confirmed and has not begun.
func (s *Service) Reject(ctx context.Context, a Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error) {
	return s.do(ctx, a, click{
		act: "reject", right: ActReject, id: id, version: version,
		event: remediation.Event{Kind: remediation.Reject, Reason: tidy(reason)},
	})
}

// Cancel takes a step back. Its requester may, and so may every approver.
func (s *Service) Cancel(ctx context.Context, a Actor, id remediation.RequestID, version int) (remediation.Request, error) {
	return s.do(ctx, a, click{
		act: "cancel", right: ActOwner, id: id, version: version,
		check: func(ctx context.Context, r remediation.Request, by remediation.Person) error {
			// By id alone: that two emails are equal takes rights away and gives none.
			if by.User == r.Requester.User || by.User == r.Opener.User {
				return nil
			}
			no := s.oneOf(ctx, by.User, RefusalCode(remediation.RefuseNotYours), s.cfg.Approvers)
			if no != nil {
				return no
			}
			return nil // and not no: a nil *Refusal in an error is not nil
		},
		event: remediation.Event{Kind: remediation.Cancel},
	})
}

// KeyStepDone says that the guided step of a request was done. The account's owner says it, or a requester. It proves
// nothing: AWS is read before anything is concluded.
func (s *Service) KeyStepDone(ctx context.Context, a Actor, id remediation.RequestID) (remediation.Request, error) {
	return s.do(ctx, a, click{
		act: "step_done", right: ActOwner, counted: true, id: id,
		check: func(ctx context.Context, r remediation.Request, by remediation.Person) error {
			o, err := s.d.Ledger.Owner(ctx, r.Source, r.Account)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("read the owner of %s: %w", r.Account, err)
			}
			if o.User != "" && o.User == by.User {
				return nil
			}
			no := s.oneOf(ctx, by.User, NotOwner, s.requesters(r.Source), s.cfg.Approvers)
			if no != nil {
				return no
			}
			return nil // and not no: a nil *Refusal in an error is not nil
		},
		event: remediation.Event{Kind: remediation.OwnerDone},
	})
}

// Preview is what a modal shows before anything is asked: AWS as it is now.
type Preview struct {
	View    AccountView
	Facts   remediation.Facts // Gap is set where AWS could not be read
	Key     posture.Key       // as AWS shows it now, or as it was last seen
	Present bool              // AWS shows the key now
	Request *remediation.Request
	Act     remediation.Act // the step that the request stands at, or the first one
	Means   remediation.Means
	Affects []posture.Key           // the other keys that the same step puts out of use
	Voids   []remediation.RequestID // the other requests that an undo would void
	InUse   bool                    // used within the guard period: deleting it wants an override
}

// Preview reads AWS for a modal. The request may be empty: then the key names what it is about, as [KeyName] does.
func (s *Service) Preview(ctx context.Context, a Actor, source string, account posture.AccountID, key string, id remediation.RequestID) (Preview, error) {
	if err := s.look(ctx, a); err != nil {
		return Preview{}, err
	}
	var p Preview
	if id != "" {
		r, err := s.request(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return p, s.refused(ctx, a, subject{act: "preview"}, &Refusal{Code: UnknownRequest})
		}
		if err != nil {
			return p, fmt.Errorf("read request %s: %w", id, err)
		}
		source, account, key, p.Request = r.Source, r.Account, KeyName(r.Key), &r
	}
	var err error
	p.View, err = s.View(ctx, source, account)
	if errors.Is(err, ErrNotFound) {
		return p, s.refused(ctx, a, subject{act: "preview", source: source, account: account}, &Refusal{Code: UnknownAccount})
	}
	if err != nil {
		return p, err
	}
	return p, s.fill(ctx, a, &p, key)
}

func (s *Service) fill(ctx context.Context, a Actor, p *Preview, key string) error {
	account := p.View.Look.Evidence.Account
	known, ok := pick(listed(p.View.Look.Evidence), key)
	probe := remediation.Request{Source: account.Source, Account: account.ID, Key: known, Means: p.View.Ways.Deactivate, DeleteMeans: p.View.Ways.Delete, Policy: s.policy()}
	p.Act = remediation.ActDeactivate
	if p.Request != nil {
		probe, known, ok = *p.Request, p.Request.Key, true
		p.Act = stepOf(p.Request.State)
	}
	if !ok {
		return s.refused(ctx, a, subject{act: "preview", source: account.Source, account: account.ID}, &Refusal{Code: UnknownKey})
	}
	p.Facts, p.Key = s.d.Inspector.Read(ctx, probe), known
	if p.Facts.Gap == nil {
		t := target{facts: p.Facts}
		if k, there := t.now(known); there {
			p.Key, p.Present = k, true
		}
	}
	deactivate, del := p.View.Ways.For(p.Key.ID)
	if p.Request != nil {
		deactivate, del = p.Request.Means, p.Request.DeleteMeans
	}
	p.Means = deactivate
	if p.Act == remediation.ActDelete {
		p.Means = del
	}
	if p.Means == remediation.MeansOrganization && p.Act != remediation.ActDelete {
		for _, k := range p.Facts.Keys {
			if KeyName(k) != KeyName(p.Key) {
				p.Affects = append(p.Affects, k)
			}
		}
		for _, h := range p.View.Block.Holders {
			if h != probe.ID {
				p.Voids = append(p.Voids, h)
			}
		}
	}
	p.InUse = s.inUse(p.Key, p.Request)
	return nil
}

// stepOf is the step that a modal on a request is about: the pending one, or what comes after the watch.
func stepOf(st remediation.State) remediation.Act {
	waiting := map[remediation.State]remediation.Act{
		remediation.Requested: remediation.ActDeactivate, remediation.AwaitingOwner: remediation.ActDeactivate,
		remediation.ReactivateRequested: remediation.ActReactivate,
		remediation.LiftRequested:       remediation.ActLift, remediation.Lifted: remediation.ActLift,
	}
	return cmp.Or(waiting[st], cmp.Or(remediation.ActOf(st), remediation.ActDelete))
}
