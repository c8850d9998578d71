package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// letTell writes to an owner who was held back. One whose account is blocked, or cannot be read now, is left to a later
// sweep.
func (s *Service) letTell(ctx context.Context, a Actor, seen sight, o Owner) (bool, error) {
	if o.Stage != OwnerHeld || o.User == "" {
		return false, nil
	}
	look, err := s.d.Estate.Look(ctx, o.Source, o.Account)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read account %s: %w", o.Account, err)
	}
	blocked, err := s.blocked(ctx, look)
	if err != nil || blocked || seen.now(look).Unread(posture.RootMFA) != nil {
		return false, err
	}
	if o, err = s.stillOwner(ctx, look.Evidence.Account, o); err != nil || o.User == "" {
		return false, err
	}
	_, err = s.tell(ctx, o, audit.User(a.User, a.Team))
	if errors.Is(err, ErrConflict) {
		return false, nil // somebody else released it at the same time
	}
	return err == nil, err
}

// InstructMFA writes to the owner of one account now, which a word names. It waits for no release: somebody asked for this
// one.
func (s *Service) InstructMFA(ctx context.Context, a Actor, word string) (Owner, error) {
	look, err := s.one(ctx, word)
	return s.instruct(ctx, a, look, err)
}

// InstructMFAAt is InstructMFA for a button that names the account.
func (s *Service) InstructMFAAt(ctx context.Context, a Actor, source string, account posture.AccountID) (Owner, error) {
	look, err := s.d.Estate.Look(ctx, source, account)
	if errors.Is(err, ErrNotFound) {
		err = &Refusal{Code: UnknownAccount}
	}
	return s.instruct(ctx, a, look, err)
}

func (s *Service) instruct(ctx context.Context, a Actor, look Look, err error) (Owner, error) {
	about := subject{act: "mfa"}
	if err == nil {
		about.source, about.account = look.Evidence.Account.Source, look.Evidence.Account.ID
	}
	if _, no := s.permitCounted(ctx, a, ActRequest, about.source); no != nil {
		return Owner{}, s.refused(ctx, a, about, no)
	}
	if err != nil {
		return Owner{}, s.record(ctx, a, about, err)
	}
	if s.cfg.DryRun {
		return Owner{}, s.refused(ctx, a, about, &Refusal{Code: DryRunOn})
	}
	blocked, err := s.blocked(ctx, look)
	if err != nil {
		return Owner{}, err
	}
	if blocked {
		return Owner{}, s.refused(ctx, a, about, &Refusal{Code: MFABlocked})
	}
	o, err := s.owner(ctx, about.source, about.account)
	if err != nil {
		return o, err
	}
	if o.User == "" {
		o.RemindAt = time.Time{}
	}
	if o, err = s.stillOwner(ctx, look.Evidence.Account, o); err != nil {
		return o, err
	}
	if o.User == "" {
		return o, s.refused(ctx, a, about, &Refusal{Code: NobodyToTell})
	}
	if s.d.Now().Before(o.LastTold.Add(tellEvery)) {
		return o, s.refused(ctx, a, about, &Refusal{Code: ToldAlready, Args: map[string]string{"owner": o.User, "when": when(o.LastTold)}})
	}
	return s.tell(ctx, o, audit.User(a.User, a.Team))
}

// tellEvery is how often people can have an owner written to about one account.
const tellEvery = time.Hour
