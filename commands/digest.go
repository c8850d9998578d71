package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// A digest carries so many failing accounts, of which FailingAll counts all, and so many that could not be looked at, which
// the coverage counts.
const (
	failingRows = 200
	unreadRows  = 50
)

// Digest is what a digest says now, from the store. It writes nothing: [Service.DigestPosted] does, once it stands in the
// channel. Its size grows with what fails worst and what changed, and not with accounts.
func (s *Service) Digest(ctx context.Context, at time.Time) (Digest, error) {
	d := Digest{
		At: at, Units: map[string]int{}, DryRun: s.cfg.DryRun, TwoPerson: s.cfg.Policy.TwoPerson, Unreadable: s.unreadable(ctx),
	}
	since, before, err := s.d.Estate.Marked(ctx, markDigest)
	if err != nil {
		return d, fmt.Errorf("read the last digest: %w", err)
	}
	d.Since = since
	told := newMerge(before)
	defer told.close()
	var worst, unread []posture.Standing
	e, err := s.estate(ctx, func(l Look, p posture.Posture) {
		if !since.IsZero() {
			d.Changes = append(d.Changes, told.upTo(l)...)
		}
		for _, w := range l.Workflow {
			if w == posture.WorkflowSuppressed {
				d.Muted++
			}
		}
		if _, scanned := p.Scanned(); !scanned && len(unread) < unreadRows {
			unread = append(unread, p.Standing())
		}
		failing := len(p.Failing())
		if failing == 0 {
			return
		}
		d.Units[cmp.Or(p.Account.Unit, "/")]++
		d.FailingAll++
		if worst = append(worst, p.Standing()); len(worst) >= 2*failingRows {
			slices.SortFunc(worst, posture.Standing.Compare)
			worst = worst[:failingRows]
		}
	})
	if err != nil {
		return d, err
	}
	if !since.IsZero() {
		d.Changes = append(d.Changes, told.rest()...)
	}
	if told.err != nil {
		return d, fmt.Errorf("read the last digest: %w", told.err)
	}
	posture.SortDifferences(d.Changes)
	slices.SortFunc(worst, posture.Standing.Compare)
	if d.Failing, err = s.rows(ctx, e, worst[:min(len(worst), failingRows)]); err != nil {
		return d, err
	}
	if d.Unread, err = s.rows(ctx, e, unread); err != nil {
		return d, err
	}
	d.Coverage, d.Counts = e.coverage, e.counts
	if err := s.requestsOf(ctx, &d); err != nil {
		return d, err
	}
	return d, s.standing(ctx, &d)
}

// merge walks through the findings of a mark beside the looks of now. Both come in the order of source and account.
type merge struct {
	next  func() (posture.Finding, error, bool)
	close func()
	ahead []posture.Finding // of one account, read and not compared yet
	over  *posture.Finding  // the first of the account after that
	err   error
}

func newMerge(before iter.Seq2[posture.Finding, error]) *merge {
	m := &merge{}
	m.next, m.close = iter.Pull2(before)
	m.read()
	return m
}

// read reads the findings of the next account.
func (m *merge) read() {
	m.ahead = m.ahead[:0]
	if m.over != nil {
		m.ahead, m.over = append(m.ahead, *m.over), nil
	}
	for m.err == nil {
		f, err, ok := m.next()
		if !ok {
			return
		}
		if m.err = err; err != nil {
			return
		}
		if len(m.ahead) > 0 && place(f) != place(m.ahead[0]) {
			m.over = &f
			return
		}
		m.ahead = append(m.ahead, f)
	}
}

func place(f posture.Finding) Place { return Place{Source: f.Source, Account: f.Account} }

// upTo returns what changed at the accounts before this one, which are gone, and at this one.
func (m *merge) upTo(l Look) []posture.Difference {
	a := l.Evidence.Account
	here := Place{Source: a.Source, Account: a.ID}
	var changed []posture.Difference
	for len(m.ahead) > 0 && before(place(m.ahead[0]), here) {
		gone, _ := posture.Diff(m.ahead, nil)
		changed = append(changed, gone...)
		m.read()
	}
	if len(m.ahead) == 0 || place(m.ahead[0]) != here {
		fresh, _ := posture.Diff(nil, l.Findings)
		return append(changed, fresh...)
	}
	now, _ := posture.Diff(m.ahead, l.Findings)
	m.read()
	return append(changed, now...)
}

// rest returns what changed at the accounts after the last look.
func (m *merge) rest() []posture.Difference {
	var changed []posture.Difference
	for len(m.ahead) > 0 && m.err == nil {
		gone, _ := posture.Diff(m.ahead, nil)
		changed = append(changed, gone...)
		m.read()
	}
	return changed
}

func before(a, b Place) bool {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Account, b.Account)) < 0
}

// requestsOf sorts the open requests into what waits for somebody and what is watched.
func (s *Service) requestsOf(ctx context.Context, d *Digest) error {
	open, err := s.requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return fmt.Errorf("read the open requests: %w", err)
	}
	for _, r := range open {
		switch {
		case r.State.Pending():
			d.Pending = append(d.Pending, r)
		case r.State == remediation.Inactive || r.State == remediation.Lifted:
			d.Watching = append(d.Watching, r)
		}
	}
	slices.SortStableFunc(d.Pending, func(a, b remediation.Request) int { return a.Deadline.Compare(b.Deadline) })
	slices.SortStableFunc(d.Watching, func(a, b remediation.Request) int { return cmp.Compare(a.Remaining(), b.Remaining()) })
	since := d.Since
	if since.IsZero() {
		since = d.At.Add(-emergencySpan)
	}
	d.Emergency, err = s.declared(ctx, since)
	return err
}

// standing is what is said in each digest whether it changed or not.
func (s *Service) standing(ctx context.Context, d *Digest) error {
	owners, err := s.d.Ledger.Owners(ctx)
	if err != nil {
		return err
	}
	for _, o := range owners {
		if o.Stage != OwnerTold && o.Stage != OwnerAnswered && o.Claim == "" {
			continue
		}
		_, err = s.d.Estate.Look(ctx, o.Source, o.Account)
		switch {
		case err == nil:
			d.Waiting = append(d.Waiting, o)
		case !errors.Is(err, ErrNotFound): // Nobody waits for the owner of an account that has left.
			return fmt.Errorf("read account %s: %w", o.Account, err)
		}
	}
	if d.Paused, err = s.d.Ledger.Switch(ctx); err != nil {
		return err
	}
	if d.Head, err = s.SignedHead(ctx); err != nil {
		return err
	}
	d.Troubles = s.troubles()
	due, err := s.d.Queue.Due(ctx, d.At)
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	d.Missed = max(0, due[KindDigest]-1)
	return nil
}

// SignedHead is the audit log's head now, signed, in one line. Whoever publishes it has a witness outside the database.
func (s *Service) SignedHead(ctx context.Context) (string, error) {
	head, err := s.d.Ledger.Head(ctx)
	if err != nil {
		return "", fmt.Errorf("read the audit log's head: %w", err)
	}
	if s.d.SignHead == nil {
		return head.String(), nil
	}
	return s.d.SignHead(ctx, head), nil
}

func (s *Service) troubles() []Trouble {
	if s.d.Troubles == nil {
		return nil
	}
	return s.d.Troubles()
}

// drawn is the mark of how things stood when the digest of an occurrence was first drawn.
func drawn(occurrence string) string { return "drawn/" + occurrence }

// DrawDigest draws the digest of an occurrence, to be posted. How things stand is marked before: what a check finds between
// the drawing and the post is told by the next digest, and what one repeats because its posting was tried twice is told
// twice and never not at all.
func (s *Service) DrawDigest(ctx context.Context, occurrence string) (Digest, error) {
	now := s.d.Now()
	begun, _, err := s.d.Estate.Marked(ctx, drawn(occurrence))
	posted, _, failed := s.d.Estate.Marked(ctx, markDigest)
	if err = errors.Join(err, failed); err != nil {
		return Digest{}, fmt.Errorf("read what the digest tells: %w", err)
	}
	// A mark from after the occurrence fell due is this digest's own: it was posted, and a crash kept that from being noted.
	due, unnamed := time.Parse(time.RFC3339, occurrence)
	if begun.IsZero() && (unnamed != nil || posted.Before(due)) {
		if err = s.d.Estate.Mark(ctx, drawn(occurrence), now); err != nil {
			return Digest{}, fmt.Errorf("mark what the digest tells: %w", err)
		}
	}
	return s.Digest(ctx, now)
}

// DigestPosted remembers that the digest of an occurrence stands in the channel: the next one tells what changed since it was
// drawn. It returns what is to be committed with the end of the digest's item. It may be called again.
func (s *Service) DigestPosted(ctx context.Context, occurrence string, d Digest) (Change, error) {
	err := s.d.Estate.Rename(ctx, drawn(occurrence), markDigest)
	if err != nil && !errors.Is(err, ErrNotFound) { // renamed before a crash
		return Change{}, fmt.Errorf("mark what the digest told: %w", err)
	}
	if err := s.forgetDrawn(ctx); err != nil {
		return Change{}, err
	}
	if err := s.digestTold(ctx); err != nil {
		return Change{}, err
	}
	return Change{Audit: []audit.Event{{
		At: s.d.Now(), Actor: audit.System("digest"), Action: audit.DigestPosted, Outcome: audit.OutcomeDone,
		Detail: map[string]string{"occurrence": occurrence, "head": d.Head},
	}}}, nil
}

// forgetDrawn lets go of what older digests were drawn with that never reached the channel: the one that did told of it. Posted
// late, such a digest would put the next one back to how things stood when it was drawn.
func (s *Service) forgetDrawn(ctx context.Context) error {
	posted, _, err := s.d.Estate.Marked(ctx, markDigest)
	if err != nil {
		return err
	}
	return s.d.Estate.Forget(ctx, drawn(""), posted)
}

// digestTold marks the new findings below High that the digest was drawn with as Notified: people read of them there. High
// and critical findings have cards.
func (s *Service) digestTold(ctx context.Context) error {
	_, stood, err := s.d.Estate.Marked(ctx, markDigest)
	if err != nil {
		return fmt.Errorf("read what the digest told: %w", err)
	}
	read := map[posture.FindingKey]bool{}
	for f, err := range stood {
		if err != nil {
			return fmt.Errorf("read what the digest told: %w", err)
		}
		if f.Status == posture.Failed && !urgent(f) {
			read[f.Key()] = true
		}
	}
	var told []posture.FindingKey
	err = s.d.Estate.Each(ctx, func(l Look) error {
		for _, f := range l.Findings {
			if l.isNew(f) && read[f.Key()] {
				told = append(told, f.Key())
			}
		}
		return nil
	})
	if err == nil {
		err = s.d.Estate.Notify(ctx, told)
	}
	if err != nil {
		return fmt.Errorf("note what the digest told: %w", err)
	}
	return nil
}
