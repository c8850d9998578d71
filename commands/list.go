package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// pageRows is how many accounts one page of a list holds.
const pageRows = 15

// List answers /rootcheck, with or without words: worst first. The page counts from 0.
func (s *Service) List(ctx context.Context, a Actor, query string, page int) (List, error) {
	if err := s.look(ctx, a, page == 0); err != nil {
		return List{}, err
	}
	return s.list(ctx, query, page)
}

func (s *Service) list(ctx context.Context, query string, page int) (List, error) {
	e, err := s.estate(ctx)
	if err != nil {
		return List{}, err
	}
	l := List{Coverage: e.coverage, Query: strings.TrimSpace(query), Counts: e.counts, Running: e.running, First: e.first}
	q := posture.ParseQuery(query)
	var found []posture.Posture
	for _, p := range e.postures {
		if q.Match(p) {
			found = append(found, p)
		}
	}
	if len(found) == 0 && l.Query != "" {
		l.Nearest = nearest(e.postures, q)
	}
	cut := posture.Paginate(found, page+1, pageRows)
	l.Total, l.Page, l.Pages = cut.Total, cut.Number-1, cut.Pages
	for _, p := range cut.Items {
		l.Rows = append(l.Rows, e.row(p))
	}
	return l, nil
}

// nearest is the word that somebody who mistyped may have meant.
func nearest(postures []posture.Posture, q posture.Query) string {
	words := posture.Vocabulary()
	for _, p := range postures {
		words = append(words, p.Account.Names()...)
	}
	for _, w := range q.Unmatched(postures) {
		if near, ok := posture.Suggest(w, words); ok {
			return near
		}
	}
	return ""
}

// estate is everything that was last seen, judged and sorted.
type estate struct {
	postures []posture.Posture // worst first
	counts   map[posture.Control]map[posture.Status]int
	coverage Coverage
	running  *Run
	first    bool
	open     map[Place]int
	blocked  map[Place]bool
}

func (s *Service) estate(ctx context.Context) (estate, error) {
	e := estate{
		counts: map[posture.Control]map[posture.Status]int{}, open: map[Place]int{}, blocked: map[Place]bool{},
		coverage: Coverage{Why: map[posture.Reason]int{}},
	}
	err := s.d.Estate.Each(ctx, func(l Look) error {
		e.add(l)
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("read what was last seen: %w", err)
	}
	posture.SortPostures(e.postures)
	if err = s.runs(ctx, &e); err != nil {
		return e, err
	}
	open, err := s.d.Ledger.Requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return e, fmt.Errorf("read the open requests: %w", err)
	}
	for _, r := range open {
		p := Place{Source: r.Source, Account: r.Account}
		e.open[p]++
		e.blocked[p] = e.blocked[p] || r.BlockHeld
	}
	return e, nil
}

func (e *estate) add(l Look) {
	p := postureOf(l)
	e.postures = append(e.postures, p)
	for _, f := range l.Findings {
		if e.counts[f.Control] == nil {
			e.counts[f.Control] = map[posture.Status]int{}
		}
		e.counts[f.Control][f.Status]++
	}
	if l.Evidence.Blocked.Known() && l.Evidence.Blocked.Value {
		e.blocked[Place{Source: p.Account.Source, Account: p.Account.ID}] = true
	}
	e.coverage.Listed++
	if reason, scanned := p.Scanned(); scanned {
		e.coverage.Scanned++
	} else {
		e.coverage.Why[reason]++
	}
}

// runs adds what the last run and the present one tell.
func (s *Service) runs(ctx context.Context, e *estate) error {
	last, err := s.d.Estate.LastRun(ctx)
	switch {
	case errors.Is(err, ErrNotFound):
		e.first = true
	case err != nil:
		return fmt.Errorf("read the last run: %w", err)
	}
	e.coverage.Run, e.coverage.Gaps = last, last.Gaps
	running, err := s.d.Estate.CurrentRun(ctx)
	switch {
	case err == nil:
		e.running = &running
	case !errors.Is(err, ErrNotFound):
		return fmt.Errorf("read the run under way: %w", err)
	}
	return nil
}

func (e *estate) row(p posture.Posture) Row {
	at := Place{Source: p.Account.Source, Account: p.Account.ID}
	return Row{
		Account: p.Account, Failed: p.Failing(), Gaps: p.Blind(), Open: e.open[at], Blocked: e.blocked[at],
		NoAccess: p.Grade() == posture.GradeNoCredentials, At: p.At,
	}
}

// one finds exactly one account by id, name or alias. The refusal names the nearest word.
func (s *Service) one(ctx context.Context, word string) (Look, error) {
	word = strings.ToLower(strings.Join(strings.Fields(word), " "))
	plain := strings.ReplaceAll(word, "-", "")
	var found []Look
	var names []string
	err := s.d.Estate.Each(ctx, func(l Look) error {
		a := l.Evidence.Account
		if word != "" && (plain == string(a.ID) || word == strings.ToLower(a.Name) || word == strings.ToLower(a.Alias)) {
			found = append(found, l)
		}
		names = append(names, a.Names()...)
		return nil
	})
	if err != nil {
		return Look{}, fmt.Errorf("find an account: %w", err)
	}
	if len(found) == 1 {
		return found[0], nil
	}
	r := &Refusal{Code: UnknownAccount, Args: map[string]string{}}
	if len(found) > 1 {
		r.Args["nearest"] = string(found[0].Evidence.Account.ID) // a name that several accounts have: the id tells them apart
		return Look{}, r
	}
	if near, ok := posture.Suggest(word, names); ok {
		r.Args["nearest"] = near
	}
	return Look{}, r
}

// Account answers /rootcheck <account>.
func (s *Service) Account(ctx context.Context, a Actor, word string) (AccountView, error) {
	if err := s.look(ctx, a, true); err != nil {
		return AccountView{}, err
	}
	l, err := s.one(ctx, word)
	if err != nil {
		return AccountView{}, err
	}
	return s.view(ctx, l)
}

// Keys answers /rootcheck keys: the accounts that have root keys, or had one that is on its way, worst first. A word
// narrows it to one account.
func (s *Service) Keys(ctx context.Context, a Actor, word string) ([]AccountView, error) {
	if err := s.look(ctx, a, true); err != nil {
		return nil, err
	}
	if strings.TrimSpace(word) != "" {
		l, err := s.one(ctx, word)
		if err != nil {
			return nil, err
		}
		v, err := s.view(ctx, l)
		return []AccountView{v}, err
	}
	open, err := s.d.Ledger.Requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return nil, fmt.Errorf("read the open requests: %w", err)
	}
	var looks []Look
	err = s.d.Estate.Each(ctx, func(l Look) error {
		asked := slices.ContainsFunc(open, func(r remediation.Request) bool {
			return r.Source == l.Evidence.Account.Source && r.Account == l.Evidence.Account.ID
		})
		if f, _ := postureOf(l).Finding(posture.RootAccessKey); f.Status == posture.Failed || asked {
			looks = append(looks, l)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the accounts with keys: %w", err)
	}
	slices.SortStableFunc(looks, func(a, b Look) int { return postureOf(a).Compare(postureOf(b)) })
	views := make([]AccountView, 0, len(looks))
	for _, l := range looks {
		v, err := s.view(ctx, l)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// Home is what a person's own tab shows: the posture, and what waits for them.
func (s *Service) Home(ctx context.Context, a Actor) (List, []remediation.Request, error) {
	if err := s.look(ctx, a, false); err != nil {
		return List{}, nil, err
	}
	l, err := s.list(ctx, "", 0)
	if err != nil {
		return l, nil, err
	}
	open, err := s.d.Ledger.Requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return l, nil, fmt.Errorf("read the open requests: %w", err)
	}
	approver, _ := s.among(ctx, s.cfg.Approvers, a.User)
	var waiting []remediation.Request
	for _, r := range open {
		own := r.Requester.User == a.User
		confirms := approver && r.State.Pending() && (!own || !r.Policy.TwoPerson)
		next := own && r.State == remediation.Inactive && r.Remaining() == 0
		if confirms || next {
			waiting = append(waiting, r)
		}
	}
	return l, waiting, nil
}
