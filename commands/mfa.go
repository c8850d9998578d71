package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// answerOwner is the way of every click about an owner: authorise, read, decide, record. Its change returns the refusal,
// or how the record is to be after the click.
type ownerClick struct {
	act    string
	right  string
	source string
	id     posture.AccountID
	change func(by remediation.Person, o Owner) (Owner, audit.Action, []Item, error)
}

func (s *Service) answerOwner(ctx context.Context, a Actor, c ownerClick) (Owner, error) {
	about := subject{act: c.act, source: c.source, account: c.id}
	may := s.permitCounted
	if c.right == ActConfirm {
		may = s.permit
	}
	by, no := may(ctx, a, c.right, c.source)
	if no != nil {
		return Owner{}, s.refused(ctx, a, about, no)
	}
	if _, err := s.d.Estate.Look(ctx, c.source, c.id); errors.Is(err, ErrNotFound) {
		return Owner{}, s.refused(ctx, a, about, &Refusal{Code: UnknownAccount})
	} else if err != nil {
		return Owner{}, fmt.Errorf("read account %s: %w", c.id, err)
	}
	for range rounds {
		o, err := s.owner(ctx, c.source, c.id)
		if err != nil {
			return o, err
		}
		next, action, items, err := c.change(by, o)
		if err != nil {
			return o, s.record(ctx, a, about, err)
		}
		saved, err := s.saveOwner(ctx, next, ownerEvent(next, action, audit.User(a.User, a.Team), c.act), items...)
		if !errors.Is(err, ErrConflict) {
			return saved, err
		}
	}
	return Owner{}, fmt.Errorf("answer for the owner of %s: %w", c.id, ErrConflict)
}

// isOwner refuses everybody but the owner.
func isOwner(by remediation.Person, o Owner) error {
	if o.User == "" || o.User != by.User {
		return &Refusal{Code: NotOwner}
	}
	return nil
}

// ClaimOwner says "I own this account". It counts after an approver has confirmed it.
func (s *Service) ClaimOwner(ctx context.Context, a Actor, source string, account posture.AccountID) (Owner, error) {
	return s.claim(ctx, a, "claim", source, account, a.User, audit.OwnerClaimed)
}

// AssignOwner names somebody as the owner. It counts after an approver, and not the one who named, has confirmed it.
func (s *Service) AssignOwner(ctx context.Context, a Actor, source string, account posture.AccountID, user string) (Owner, error) {
	return s.claim(ctx, a, "assign", source, account, user, audit.OwnerAssigned)
}

func (s *Service) claim(ctx context.Context, a Actor, act, source string, account posture.AccountID, user string, action audit.Action) (Owner, error) {
	return s.answerOwner(ctx, a, ownerClick{
		act: act, right: ActLook, source: source, id: account,
		change: func(by remediation.Person, o Owner) (Owner, audit.Action, []Item, error) {
			if o.User == user || o.Claim == user {
				return o, "", nil, &Refusal{Code: AlreadySo, Args: map[string]string{"by": o.ClaimBy}}
			}
			if no := s.othersClaim(ctx, by, o); no != nil {
				return o, "", nil, no
			}
			if _, no := s.live(ctx, user); no != nil {
				no.Field = "user"
				return o, "", nil, no
			}
			o.Claim, o.ClaimBy = user, by.User
			n := item(fmt.Sprintf("notice/claim/%s/%s", source, account), KindNotice, Work{
				Notice: NoticeClaimed, Source: source, Account: account, User: user, By: by.User,
			}, s.d.Now())
			return o, action, []Item{n}, nil
		},
	})
}

// othersClaim refuses to put another claim in the place of one that waits. Whoever made that may, and an approver, who would
// otherwise have to confirm it to be rid of it.
func (s *Service) othersClaim(ctx context.Context, by remediation.Person, o Owner) *Refusal {
	if o.Claim == "" || by.User == o.ClaimBy {
		return nil
	}
	no := s.oneOf(ctx, by.User, ClaimWaits, s.cfg.Approvers)
	if no != nil && no.Code == ClaimWaits {
		no.Args = map[string]string{"by": o.ClaimBy, "owner": o.Claim}
	}
	return no
}

// ConfirmOwner confirms the claim that the person saw, which names user as the owner; another one that came since is not
// confirmed with it. Under the two-person rule it is not confirmed by whoever made it, nor by whom it names.
func (s *Service) ConfirmOwner(ctx context.Context, a Actor, source string, account posture.AccountID, user string) (Owner, error) {
	o, err := s.answerOwner(ctx, a, ownerClick{
		act: "confirm_owner", right: ActConfirm, source: source, id: account,
		change: func(by remediation.Person, o Owner) (Owner, audit.Action, []Item, error) {
			switch {
			case o.Claim == "":
				return o, "", nil, &Refusal{Code: AlreadySo}
			case o.Claim != user:
				return o, "", nil, &Refusal{Code: RefusalCode(remediation.RefuseOutdated)}
			}
			if no := s.notOwnClaim(ctx, by, o); no != nil {
				return o, "", nil, no
			}
			o.User, o.How, o.Claim, o.ClaimBy = o.Claim, OwnerByClaim, "", ""
			o.Not = slices.DeleteFunc(slices.Clone(o.Not), func(u string) bool { return u == o.User })
			o.Stage, o.Told, o.LastTold = OwnerUntold, 0, time.Time{}
			return o, audit.OwnerConfirmed, []Item{item("owners", KindOwners, Work{}, s.d.Now())}, nil
		},
	})
	return o, err
}

// notOwnClaim refuses whoever made a claim and whom it names, also under a second account.
func (s *Service) notOwnClaim(ctx context.Context, by remediation.Person, o Owner) *Refusal {
	if !s.cfg.Policy.TwoPerson {
		return nil
	}
	for _, user := range []string{o.Claim, o.ClaimBy} {
		same, no := s.sameAs(ctx, by, user)
		if no == nil && same {
			no = &Refusal{Code: OwnClaim, Args: map[string]string{"who": s.others(by.User, o.Claim, o.ClaimBy)}}
		}
		if no != nil {
			return no
		}
	}
	return nil
}

// DeclineOwner is "Not my account". The channel is told, and the next one in the order of search is written to.
func (s *Service) DeclineOwner(ctx context.Context, a Actor, source string, account posture.AccountID) (Owner, error) {
	return s.answerOwner(ctx, a, ownerClick{
		act: "decline", right: ActOwner, source: source, id: account,
		change: func(by remediation.Person, o Owner) (Owner, audit.Action, []Item, error) {
			if err := isOwner(by, o); err != nil {
				return o, "", nil, err
			}
			o.Not = append(slices.Clone(o.Not), by.User)
			o.User, o.How, o.Stage = "", OwnerNobody, OwnerGaveUp
			o.Told, o.LastTold, o.RemindAt = 0, time.Time{}, s.d.Now()
			n := item(fmt.Sprintf("notice/declined/%s/%s/%s", source, account, by.User), KindNotice, Work{
				Notice: NoticeDeclined, Source: source, Account: account, User: by.User,
			}, s.d.Now())
			return o, audit.OwnerDeclined, []Item{n, item("owners", KindOwners, Work{}, s.d.Now())}, nil
		},
	})
}

// ChooseDevice remembers the kind of MFA device and the phone's system that the owner chose, one or both.
func (s *Service) ChooseDevice(ctx context.Context, a Actor, source string, account posture.AccountID, device, system string) (Owner, error) {
	return s.answerOwner(ctx, a, ownerClick{
		act: "choose", right: ActOwner, source: source, id: account,
		change: func(by remediation.Person, o Owner) (Owner, audit.Action, []Item, error) {
			if err := isOwner(by, o); err != nil {
				return o, "", nil, err
			}
			if slices.Contains([]string{"passkey", "virtual", "hardware"}, device) {
				o.Device = device
			}
			if slices.Contains([]string{"ios", "android"}, system) {
				o.System = system
			}
			return o, audit.OwnerInstructed, nil, nil
		},
	})
}

// RemindTomorrow puts the next message to the owner off by a day. It puts off no escalation.
func (s *Service) RemindTomorrow(ctx context.Context, a Actor, source string, account posture.AccountID) (Owner, error) {
	return s.answerOwner(ctx, a, ownerClick{
		act: "tomorrow", right: ActOwner, source: source, id: account,
		change: func(by remediation.Person, o Owner) (Owner, audit.Action, []Item, error) {
			if err := isOwner(by, o); err != nil {
				return o, "", nil, err
			}
			if o.ToldAt.IsZero() {
				o.ToldAt = s.d.Now()
			}
			o.RemindAt = s.d.Now().Add(s.cfg.Reminder)
			return o, audit.OwnerReminded, []Item{s.remindItem(o)}, nil
		},
	})
}

// MFADone reads the account's posture now. The owner says it, or a requester.
func (s *Service) MFADone(ctx context.Context, a Actor, source string, account posture.AccountID) (posture.Evidence, Owner, error) {
	about := subject{act: "mfa_done", source: source, account: account}
	by, no := s.permit(ctx, a, ActOwner, source)
	if no != nil {
		return posture.Evidence{}, Owner{}, s.refused(ctx, a, about, no)
	}
	o, err := s.owner(ctx, source, account)
	if err != nil {
		return posture.Evidence{}, o, err
	}
	if isOwner(by, o) != nil {
		if no := s.oneOf(ctx, by.User, NotOwner, s.requesters(source), s.cfg.Approvers); no != nil {
			return posture.Evidence{}, o, s.refused(ctx, a, about, no)
		}
	}
	look, err := s.reinspect(ctx, source, account)
	if errors.Is(err, ErrNotFound) {
		return posture.Evidence{}, o, s.refused(ctx, a, about, &Refusal{Code: UnknownAccount})
	}
	if err != nil {
		return posture.Evidence{}, o, err
	}
	f, _ := postureOf(look).Finding(posture.RootMFA)
	o, err = s.answerOwner(ctx, a, ownerClick{
		act: "mfa_done", right: ActOwner, source: source, id: account,
		change: func(_ remediation.Person, o Owner) (Owner, audit.Action, []Item, error) {
			switch {
			case f.Status == posture.Passed, f.Status == posture.NotApplicable:
				o = finishedMFA(o, s.d.Now())
			case o.Stage == OwnerTold:
				o.Stage = OwnerAnswered // whoever was not written to yet has not answered, and is still to be written to
			case o.Stage == OwnerFinished && f.Status == posture.Failed:
				o = unfinishedMFA(o)
			}
			return o, audit.OwnerConfirmed, nil, nil
		},
	})
	return look.Evidence, o, err
}
