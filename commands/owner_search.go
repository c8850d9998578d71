package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// resolve finds the owner in the order of the design: map, tag, root email, security contact, operations contact. Where
// nobody is found that is remembered, so that AWS is not asked at every scan.
func (s *Service) resolve(ctx context.Context, a posture.Account, o Owner) (Owner, error) {
	now := s.d.Now()
	user, how, err := s.firstOf(ctx, s.local(a), o.Not)
	if err != nil {
		return o, err
	}
	if user == "" && now.Before(o.RemindAt) {
		return o, nil
	}
	if user == "" {
		contacts, err := s.d.Inspector.Contacts(ctx, a)
		if err != nil {
			s.d.Log.WarnContext(ctx, "contacts could not be read", "account", string(a.ID), "error", err)
		}
		if user, how, err = s.firstOf(ctx, contacts, o.Not); err != nil {
			return o, err
		}
	}
	o.User, o.How = user, how
	if user == "" {
		o.RemindAt = now.Add(lookAgain)
		return s.saveOwner(ctx, o, ownerEvent(o, audit.OwnerAssigned, audit.System("scanner"), "nobody"))
	}
	o.RemindAt = time.Time{}
	return o, nil
}

// firstOf finds the first contact that is a live person of our workspace and has not said that the account is not theirs.
func (s *Service) firstOf(ctx context.Context, contacts []Contact, not []string) (string, OwnerHow, error) {
	for _, c := range contacts {
		user := strings.TrimSpace(c.Value)
		if strings.Contains(user, "@") {
			found, err := s.d.Directory.ByEmail(ctx, user)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return "", "", fmt.Errorf("look up an owner by email: %w", err)
			}
			user = found
		}
		if user == "" || slices.Contains(not, user) {
			continue
		}
		can, err := s.canBeOwner(ctx, user)
		if err != nil && c.How != OwnerByTag { // anything may stand in a tag
			return "", "", err
		}
		if can {
			return user, c.How, nil
		}
	}
	return "", OwnerNobody, nil
}

// canBeOwner reports whether a user is a live person of our workspace. One whom Slack does not know is not; a directory
// that does not answer is an error.
func (s *Service) canBeOwner(ctx context.Context, user string) (bool, error) {
	_, no := s.live(ctx, user)
	if no == nil || no.Code != WhoUnknown {
		return no == nil, nil
	}
	if _, err := s.d.Directory.Person(ctx, user); errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return false, errors.New("look up an owner: the directory does not answer")
}

// stillOwner looks again at who the owner is, before somebody is written to: the settings or the tag may name another person
// by now, and whoever was found may have left. Whom an approver confirmed stays the owner while they are there.
func (s *Service) stillOwner(ctx context.Context, a posture.Account, o Owner) (Owner, error) {
	if o.User == "" {
		return s.resolve(ctx, a, o)
	}
	here, err := s.canBeOwner(ctx, o.User)
	if err != nil || here && o.How == OwnerByClaim {
		return o, err
	}
	user, how, err := s.firstOf(ctx, s.local(a), o.Not)
	switch {
	case err != nil || here && user == o.User:
		return o, err
	case here && user == "" && o.How != OwnerByMap && o.How != OwnerByTag:
		return o, nil
	}
	o = unfinishedMFA(o)
	o.User, o.How, o.Device, o.System, o.RemindAt, o.LastTold = user, how, "", "", time.Time{}, time.Time{}
	if user != "" {
		return o, nil
	}
	return s.resolve(ctx, a, o)
}

// local is what names an owner without asking AWS.
func (s *Service) local(a posture.Account) []Contact {
	return []Contact{{How: OwnerByMap, Value: s.cfg.Owners[a.ID]}, {How: OwnerByTag, Value: a.Tags[s.cfg.OwnerTag]}}
}
