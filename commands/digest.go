package commands

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// failingRows is how many failing accounts a digest carries. FailingAll counts them all.
const failingRows = 200

// Digest is what a digest says now, from the store. It writes nothing: [Service.DigestPosted] does, once it stands in the
// channel.
func (s *Service) Digest(ctx context.Context, at time.Time) (Digest, error) {
	e, err := s.estate(ctx)
	if err != nil {
		return Digest{}, err
	}
	d := Digest{
		At: at, Coverage: e.coverage, Counts: e.counts, Units: map[string]int{}, DryRun: s.cfg.DryRun,
		TwoPerson: s.cfg.Policy.TwoPerson, Unreadable: s.unreadable(ctx),
	}
	var after []posture.Finding
	for _, p := range e.postures {
		after = append(after, p.Findings...)
		failing := p.Failing()
		if len(failing) == 0 {
			continue
		}
		d.Units[p.Account.Unit] += len(failing)
		d.FailingAll++
		if len(d.Failing) < failingRows {
			d.Failing = append(d.Failing, e.row(p))
		}
	}
	since, before, err := s.d.Estate.Marked(ctx, markDigest)
	if err != nil {
		return d, fmt.Errorf("read the last digest: %w", err)
	}
	d.Since = since
	if !since.IsZero() {
		d.Changes, _ = posture.Diff(before, after)
	}
	if err := s.requestsOf(ctx, &d); err != nil {
		return d, err
	}
	return d, s.standing(ctx, &d)
}

// requestsOf sorts the open requests into what waits for somebody and what is watched.
func (s *Service) requestsOf(ctx context.Context, d *Digest) error {
	open, err := s.d.Ledger.Requests(ctx, RequestQuery{Open: true})
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
	slices.SortStableFunc(d.Watching, func(a, b remediation.Request) int { return int(a.Remaining() - b.Remaining()) })
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
		return fmt.Errorf("read the owners: %w", err)
	}
	for _, o := range owners {
		if o.Stage == OwnerTold || o.Stage == OwnerAnswered || o.Claim != "" {
			d.Waiting = append(d.Waiting, o)
		}
	}
	if d.Mutes, err = s.d.Ledger.Mutes(ctx); err != nil {
		return fmt.Errorf("read the mutes: %w", err)
	}
	if d.Paused, err = s.d.Ledger.Switch(ctx); err != nil {
		return fmt.Errorf("read the pause switch: %w", err)
	}
	head, err := s.d.Ledger.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the audit log's head: %w", err)
	}
	d.Head = head.String()
	if s.d.SignHead != nil {
		d.Head = s.d.SignHead(head)
	}
	due, err := s.d.Queue.Due(ctx, d.At)
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	d.Missed = max(0, due[KindDigest]-1)
	return nil
}

// DigestPosted remembers that a digest stands in the channel: the next one tells what changed since. It returns what is to
// be committed with the end of the digest's item.
func (s *Service) DigestPosted(ctx context.Context, occurrence string, d Digest) (Change, error) {
	if err := s.d.Estate.Mark(ctx, markDigest, d.At); err != nil {
		return Change{}, fmt.Errorf("mark what the digest told: %w", err)
	}
	return Change{Audit: []audit.Event{{
		At: s.d.Now(), Actor: audit.System("digest"), Action: audit.DigestPosted, Outcome: audit.OutcomeDone,
		Detail: map[string]string{"occurrence": occurrence, "head": d.Head},
	}}}, nil
}
