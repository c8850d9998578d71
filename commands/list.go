package commands

import (
	"cmp"
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
	how := looking()
	if page > 0 {
		how = paging()
	}
	if err := s.look(ctx, a, how); err != nil {
		return List{}, err
	}
	return s.list(ctx, query, page)
}

func (s *Service) list(ctx context.Context, query string, page int) (List, error) {
	q := posture.ParseQuery(query)
	var found []posture.Standing
	e, err := s.estate(ctx, func(_ Look, p posture.Posture) {
		if q.Match(p) {
			found = append(found, p.Standing())
		}
	})
	if err != nil {
		return List{}, err
	}
	l := List{Coverage: e.coverage, Query: strings.TrimSpace(query), Counts: e.counts, Running: e.running, First: e.first}
	if len(found) == 0 && l.Query != "" {
		if l.Nearest, err = s.nearest(ctx, q); err != nil {
			return l, err
		}
	}
	slices.SortFunc(found, posture.Standing.Compare)
	cut := posture.Paginate(found, page+1, pageRows)
	l.Total, l.Page, l.Pages = cut.Total, cut.Number-1, cut.Pages
	l.Rows, err = s.rows(ctx, e, cut.Items)
	return l, err
}

// rows reads the accounts of a page. One that was let go of meanwhile is left out.
func (s *Service) rows(ctx context.Context, e estate, page []posture.Standing) ([]Row, error) {
	rows := make([]Row, 0, len(page))
	for _, at := range page {
		l, err := s.d.Estate.Look(ctx, at.Source, at.Account)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read account %s: %w", at.Account, err)
		}
		r := e.row(l)
		if r.Twice, err = s.twice(ctx, r.Account); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// twice reports whether another `aws` entry lists the same account: then its id alone names neither.
func (s *Service) twice(ctx context.Context, a posture.Account) (bool, error) {
	for _, source := range s.d.Inspector.Sources() {
		if source == a.Source {
			continue
		}
		_, err := s.d.Estate.Look(ctx, source, a.ID)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return false, fmt.Errorf("read account %s: %w", a.ID, err)
		}
	}
	return false, nil
}

// nearest is the word that somebody who mistyped may have meant.
func (s *Service) nearest(ctx context.Context, q posture.Query) (string, error) {
	type word struct {
		text  string
		alone posture.Query
		known bool
	}
	var typed []word
	for _, w := range q.Words() {
		typed = append(typed, word{text: w, alone: posture.ParseQuery(w)})
	}
	words := posture.Vocabulary()
	err := s.d.Estate.Each(ctx, func(l Look) error {
		p := postureOf(l)
		for i := range typed {
			typed[i].known = typed[i].known || typed[i].alone.Match(p)
		}
		words = append(words, p.Account.Names()...)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("find a word that is near: %w", err)
	}
	for _, w := range typed {
		if w.known {
			continue
		}
		if near, ok := posture.Suggest(w.text, words); ok {
			return near, nil
		}
	}
	return "", nil
}

// estate sums up what was last seen. Its size does not grow with accounts, but for those that have an open request or are
// blocked.
type estate struct {
	counts   map[posture.Control]map[posture.Status]int
	coverage Coverage
	running  *Run
	first    bool
	open     map[Place]int
	blocked  map[Place]bool
	sight    sight
}

// estate reads everything that was last seen, in the order of source and account, and lets each see one account: the look as
// it was saved, and the posture as it can be told now.
func (s *Service) estate(ctx context.Context, each func(Look, posture.Posture)) (estate, error) {
	e := estate{
		counts: map[posture.Control]map[posture.Status]int{}, open: map[Place]int{}, blocked: map[Place]bool{},
		coverage: Coverage{Why: map[posture.Reason]int{}, Who: map[posture.Reason][]string{}},
	}
	open, err := s.requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return e, fmt.Errorf("read the open requests: %w", err)
	}
	for _, r := range open {
		p := Place{Source: r.Source, Account: r.Account}
		e.open[p]++
		e.blocked[p] = e.blocked[p] || r.BlockHeld
	}
	if e.sight, err = s.sight(ctx); err != nil {
		return e, err
	}
	err = s.d.Estate.Each(ctx, func(l Look) error {
		now := e.sight.now(l)
		p := postureOf(now)
		e.add(now, p)
		each(l, p)
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("read what was last seen: %w", err)
	}
	return e, s.runs(ctx, &e)
}

// coverageNames is how many accounts that were not scanned for one reason are named.
const coverageNames = 3

func (e *estate) add(l Look, p posture.Posture) {
	for _, f := range l.Findings {
		if e.counts[f.Control] == nil {
			e.counts[f.Control] = map[posture.Status]int{}
		}
		e.counts[f.Control][f.Status]++
	}
	e.coverage.Listed++
	if reason, scanned := p.Scanned(); scanned {
		e.coverage.Scanned++
	} else {
		e.coverage.Why[reason]++
		if who := e.coverage.Who[reason]; len(who) < coverageNames {
			e.coverage.Who[reason] = append(who, l.Evidence.Account.Label())
		}
	}
}

// runs adds what the last run and the present one tell.
func (s *Service) runs(ctx context.Context, e *estate) error {
	last, err := s.d.Estate.LastRun(ctx)
	switch {
	case errors.Is(err, ErrNotFound):
		e.first = true
	case err != nil:
		return err
	}
	e.coverage.Run, e.coverage.Gaps = last, last.Gaps
	running, err := s.d.Estate.CurrentRun(ctx)
	switch {
	case err == nil:
		e.running = &running
	case !errors.Is(err, ErrNotFound):
		return err
	}
	return nil
}

func (e *estate) row(l Look) Row {
	l = e.sight.now(l)
	p := postureOf(l)
	at := Place{Source: p.Account.Source, Account: p.Account.ID}
	seen := l.Evidence.Blocked
	return Row{
		Account: p.Account, Failed: p.Failing(), Gaps: p.Blind(), Open: e.open[at], Blocked: e.blocked[at] || seen.Known() && seen.Value,
		Before: l.LastKnown(), NoAccess: p.Grade() == posture.GradeNoCredentials, At: p.At,
	}
}

// fullName names one account of one `aws` entry, also where several entries list it.
func fullName(a posture.Account) string { return a.Source + "/" + string(a.ID) }

// AnswersTo reports whether a word, in lower case, names the account: its id, with or without hyphens, its name, its alias,
// or one of them behind its `aws` entry and a slash. Twelve digits are an id and nothing else: anybody may name an account like
// the id of another.
func AnswersTo(a posture.Account, word string) bool {
	if word == "" {
		return false
	}
	slash := strings.LastIndexByte(word, '/')
	source, rest := "", word[slash+1:]
	if slash >= 0 {
		source = word[:slash]
	}
	ours := slash < 0 || source == strings.ToLower(a.Source)
	if id := posture.AccountID(strings.ReplaceAll(rest, "-", "")); id.Valid() {
		return ours && a.ID == id
	}
	names := func(w string) bool { return w != "" && (w == strings.ToLower(a.Name) || w == strings.ToLower(a.Alias)) }
	return names(word) || ours && names(rest)
}

// choices is how many accounts a refusal names that a word may mean.
const choices = 5

// one finds exactly one account by what [AnswersTo] knows. Its refusal names the nearest word, or the accounts that the
// word may mean.
func (s *Service) one(ctx context.Context, word string) (Look, error) {
	word = strings.ToLower(strings.Join(strings.Fields(word), " "))
	var found []Look
	var names []string
	err := s.d.Estate.Each(ctx, func(l Look) error {
		if AnswersTo(l.Evidence.Account, word) {
			found = append(found, l)
		}
		names = append(names, l.Evidence.Account.Names()...)
		return nil
	})
	switch {
	case err != nil:
		return Look{}, fmt.Errorf("find an account: %w", err)
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var full []string
		for _, l := range found[:min(len(found), choices)] {
			full = append(full, fullName(l.Evidence.Account))
		}
		return Look{}, &Refusal{Code: Ambiguous, Args: map[string]string{"choices": strings.Join(full, " ")}}
	}
	r := &Refusal{Code: UnknownAccount, Args: map[string]string{}}
	if near, ok := posture.Suggest(word, names); ok {
		r.Args["nearest"] = near
	}
	return Look{}, r
}

// Account shows one account, by id, name or alias; where several `aws` entries list it, behind the entry's name and a slash.
func (s *Service) Account(ctx context.Context, a Actor, word string) (AccountView, error) {
	if err := s.look(ctx, a, looking()); err != nil {
		return AccountView{}, err
	}
	l, err := s.one(ctx, word)
	if err != nil {
		return AccountView{}, s.record(ctx, a, subject{act: ActLook}, err)
	}
	return s.view(ctx, l)
}

// AccountAt answers a button that names an account.
func (s *Service) AccountAt(ctx context.Context, a Actor, source string, account posture.AccountID) (AccountView, error) {
	if err := s.look(ctx, a, looking()); err != nil {
		return AccountView{}, err
	}
	v, err := s.View(ctx, source, account)
	if errors.Is(err, ErrNotFound) {
		return v, s.refused(ctx, a, subject{act: ActLook, source: source, account: account}, &Refusal{Code: UnknownAccount})
	}
	return v, err
}

// Find answers /rootcheck with words: one account where they name exactly one, else whatever they find. Words that find
// nothing are refused.
func (s *Service) Find(ctx context.Context, a Actor, words string) (Found, error) {
	if err := s.look(ctx, a, looking()); err != nil {
		return Found{}, err
	}
	l, err := s.one(ctx, words)
	if err == nil {
		var v AccountView
		v, err = s.view(ctx, l)
		return Found{Account: &v}, err
	}
	no := refusal(err)
	if no == nil {
		return Found{}, err
	}
	if id := posture.AccountID(strings.ReplaceAll(words, "-", "")); id.Valid() {
		words = string(id)
	}
	found, err := s.list(ctx, words, 0)
	if err != nil || found.Total > 0 || found.First {
		return Found{List: found}, err
	}
	no.Args["nearest"] = cmp.Or(found.Nearest, no.Args["nearest"])
	return Found{}, s.refused(ctx, a, subject{act: ActLook}, no)
}

// Home is what a person's own tab shows: the posture, and what waits for them.
func (s *Service) Home(ctx context.Context, a Actor) (List, []remediation.Request, error) {
	if err := s.look(ctx, a, paging()); err != nil {
		return List{}, nil, err
	}
	l, err := s.list(ctx, "", 0)
	if err != nil {
		return l, nil, err
	}
	open, err := s.requests(ctx, RequestQuery{Open: true})
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
