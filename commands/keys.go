package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// Keys answers /rootcheck keys. A word narrows it to one account. Of those that no answer has room for there is only the
// account's id.
func (s *Service) Keys(ctx context.Context, a Actor, word string) (KeyList, error) {
	if err := s.look(ctx, a, looking()); err != nil {
		return KeyList{}, err
	}
	if strings.TrimSpace(word) != "" {
		l, err := s.one(ctx, word)
		if err != nil {
			return KeyList{}, s.record(ctx, a, subject{act: ActLook}, err)
		}
		v, err := s.view(ctx, l)
		list := KeyList{Accounts: []AccountView{v}}
		if v.Look.Unread(posture.RootAccessKey) != nil {
			list.Unread = 1
		}
		return list, err
	}
	open, err := s.requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return KeyList{}, fmt.Errorf("read the open requests: %w", err)
	}
	asked := map[Place]bool{}
	for _, r := range open {
		asked[Place{Source: r.Source, Account: r.Account}] = true
	}
	var found, unread []posture.Standing
	e, err := s.estate(ctx, func(l Look, p posture.Posture) {
		f, _ := p.Finding(posture.RootAccessKey)
		wanted := f.Status == posture.Failed || hadKey(l) || asked[Place{Source: p.Account.Source, Account: p.Account.ID}]
		switch {
		case !wanted:
		case f.Status == posture.NotAvailable || f.Status == posture.StatusUnknown:
			unread = append(unread, p.Standing())
		default:
			found = append(found, p.Standing())
		}
	})
	if err != nil {
		return KeyList{}, err
	}
	slices.SortFunc(found, posture.Standing.Compare)
	slices.SortFunc(unread, posture.Standing.Compare)
	views, err := s.viewsOf(ctx, append(found, unread...))
	return KeyList{Coverage: e.coverage, Accounts: views, Unread: min(len(unread), len(views))}, err
}

// hadKey reports whether an account had a root key when its keys could last be read.
func hadKey(l Look) bool {
	f, _ := postureOf(l).Finding(posture.RootAccessKey)
	return f.Status == posture.Failed || l.Before[posture.RootAccessKey].Status == posture.Failed
}

// wholeViews is how many accounts an answer about keys shows with everything.
const wholeViews = 25

// viewsOf shows the first accounts with everything, and names the rest.
func (s *Service) viewsOf(ctx context.Context, found []posture.Standing) ([]AccountView, error) {
	views := make([]AccountView, 0, len(found))
	for i, at := range found {
		if i >= wholeViews {
			views = append(views, AccountView{Look: Look{Evidence: posture.Evidence{Account: posture.Account{ID: at.Account, Source: at.Source}}}})
			continue
		}
		v, err := s.View(ctx, at.Source, at.Account)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}
