package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file keeps the record of blocked accounts. The rules are:
//   - A block that is about to be made is noted before the call: a crash leaves a holder, never a block that nobody knows.
//   - It is taken off when its last holder has ended, and only if it is ours. AWS is read before and after.
//   - A block that nobody holds any more is on its way off. Whoever needs one waits until it is gone.
//   - It stays on while AWS lists a root key that appeared under it: that one nobody has decided on. Its last holder is
//     asked about it again each hour.

// ourBlock adds what the verbs ask of a block.
type ourBlock struct{ remediation.Block }

func (b ourBlock) leaving() bool {
	return b.Origin == remediation.OriginOurs && len(b.Holders) == 0
}

// overBlock reports whether the step is taken by blocking the account.
func (st *stepper) overBlock() bool {
	return st.act != remediation.ActDelete && st.r.Means == remediation.MeansOrganization
}

func (st *stepper) block(ctx context.Context) (ourBlock, error) {
	b, err := st.d.Ledger.Block(ctx, st.r.Source, st.r.Account)
	if err != nil {
		return ourBlock{}, fmt.Errorf("read the block of %s: %w", st.r.Account, err)
	}
	return ourBlock{b}, nil
}

// intend notes with the attempt that the request needs the block.
func (st *stepper) intend(ctx context.Context, c *Change, facts remediation.Facts) error {
	b, err := st.block(ctx)
	if err != nil {
		return err
	}
	if b.leaving() {
		return fmt.Errorf("act on request %s: the block of %s is on its way off", st.r.ID, st.r.Account)
	}
	// A block that an earlier attempt of ours may have made is ours, whatever AWS shows now.
	intended := b.Origin == remediation.OriginOurs && len(b.Holders) > 0
	found := facts.Block.Known && facts.Block.Attached && !b.Attached && !intended
	next := b.Intend(st.r.ID, found, st.d.Now())
	c.Block = &next
	if found {
		c.Audit = append(c.Audit, st.blockEvent(st.r, audit.BlockFound, audit.OutcomeDone, ""))
	}
	return nil
}

// keepBlock writes with a transition what it means for the account's block.
func (s *Service) keepBlock(ctx context.Context, c *Change, before remediation.Request, d remediation.Decision, e remediation.Event) error {
	if !d.Changed || before.Means != remediation.MeansOrganization {
		return nil
	}
	now := s.d.Now()
	held := before.State == remediation.Deactivating && d.Next.State == remediation.Inactive && d.Next.BlockHeld
	undone := before.State == remediation.Reactivating && d.Next.State == remediation.Restored
	lifted := before.State == remediation.Lifting && d.Next.State == remediation.Lifted
	handed := before.State == remediation.Deactivating && e.Kind == remediation.Unavailable
	if !held && !undone && !lifted && !handed {
		return nil
	}
	b, err := s.d.Ledger.Block(ctx, before.Source, before.Account)
	if err != nil {
		return fmt.Errorf("read the block of %s: %w", before.Account, err)
	}
	was := b
	switch {
	case held:
		b = b.Hold(before.ID, e.Found, now)
		if !was.Attached && b.Origin == remediation.OriginOurs {
			c.Audit = append(c.Audit, s.blockEvent(d.Next, audit.BlockAttached, audit.OutcomeDone, e.AWSID))
		}
	case undone:
		c.Queue = append(c.Queue, readOthers(b, before.ID, now)...)
		b = b.Undone(d.Next, now)
		c.Audit = append(c.Audit, s.blockEvent(d.Next, audit.BlockDetached, audit.OutcomeDone, e.AWSID))
	case lifted:
		c.Queue = append(c.Queue, readOthers(b, before.ID, now)...)
		b = b.Lifted(d.Next, now)
	case handed:
		b, _ = b.Release(before.ID)
		if len(b.Holders) == 0 && !b.Attached {
			b.Origin = ""
		}
	}
	c.Block = &b
	return nil
}

// readOthers reads AWS for the other holders: the account's block is every holder's, and each must see now that it is off.
func readOthers(b remediation.Block, id remediation.RequestID, now time.Time) []Item {
	var items []Item
	for _, h := range b.Holders {
		if h != id {
			items = append(items, item("read/"+string(h), KindRead, Work{Request: h}, now))
		}
	}
	return items
}

// takenOff adds to a reading what the record says of a block that may be off: with which request it went, or is about to.
func (s *Service) takenOff(ctx context.Context, e *remediation.Event, b remediation.Block, id remediation.RequestID) error {
	e.Off = b.TakenOff(id)
	others := b.Holders
	if e.Off.With != "" {
		others = []remediation.RequestID{e.Off.With}
	}
	for _, other := range others {
		if other == id {
			continue
		}
		r, err := s.request(ctx, other)
		if err != nil {
			return fmt.Errorf("read request %s: %w", other, err)
		}
		undoing := r.State == remediation.Reactivating || r.State == remediation.Lifting
		e.OffSoon = e.OffSoon || b.Attached && undoing && r.Attempt > 0
		e.OffOver = e.OffOver || e.Off.With == other && !r.State.BlocksAgain()
	}
	return nil
}

func (s *Service) blockEvent(r remediation.Request, a audit.Action, o audit.Outcome, awsID string) audit.Event {
	return audit.Event{
		At: s.d.Now(), Actor: audit.System("worker"), Action: a, Outcome: o, Request: string(r.ID), Version: r.Version,
		Source: r.Source, Account: string(r.Account), AWSRequest: awsID, Detail: map[string]string{"step": "block"},
	}
}

// release handles "aws.release": a request has ended and needs the block no longer.
func (s *Service) release(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	r, err := s.request(ctx, w.Request)
	if errors.Is(err, ErrNotFound) {
		return Change{}, nil
	}
	if err != nil {
		return Change{}, fmt.Errorf("read request %s: %w", w.Request, err)
	}
	b, err := s.d.Ledger.Block(ctx, r.Source, r.Account)
	if err != nil {
		return Change{}, fmt.Errorf("read the block of %s: %w", r.Account, err)
	}
	holds := b.Holds(r.ID)
	if !r.State.Ended() || !holds && !(ourBlock{b}).leaving() {
		return Change{}, nil
	}
	next, detach := b, true
	if holds {
		next, detach = b.Release(r.ID)
	}
	if !detach {
		return s.letGo(r, next), nil
	}
	return s.detach(ctx, l, r, b, next, holds)
}

// Sweep lets go of what belongs to an `aws` entry that has left the settings, and queues the release of every block that an ended request still holds, and of every one of ours that nobody holds and
// that is attached. A start begins with it: whatever became of the item that should have done it, no root user stays locked
// out for good.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.depart(ctx); err != nil {
		return err
	}
	all, err := s.d.Ledger.Requests(ctx, RequestQuery{})
	if err != nil {
		return fmt.Errorf("read the requests: %w", err)
	}
	blocks := map[Place]remediation.Block{}
	for _, r := range all {
		if !r.State.Ended() || r.Means != remediation.MeansOrganization {
			continue
		}
		at := Place{Source: r.Source, Account: r.Account}
		b, known := blocks[at]
		if !known {
			if b, err = s.d.Ledger.Block(ctx, r.Source, r.Account); err != nil {
				return fmt.Errorf("read the block of %s: %w", r.Account, err)
			}
			blocks[at] = b
		}
		if !b.Holds(r.ID) && (known || !(ourBlock{b}).leaving()) {
			continue
		}
		if err := s.d.Queue.Put(ctx, item("release/"+string(r.ID), KindRelease, Work{Request: r.ID, Source: r.Source, Account: r.Account}, s.d.Now())); err != nil {
			return fmt.Errorf("queue the release of the block of %s: %w", r.Account, err)
		}
	}
	return nil
}

// letGo takes a holder out of a block that stays.
func (s *Service) letGo(r remediation.Request, next remediation.Block) Change {
	if len(next.Holders) == 0 {
		version := next.Version
		next = next.Detached(s.d.Now()) // it was found there, and is nobody's business of ours any more
		next.Version = version
	}
	e := s.blockEvent(r, audit.RemediationReconciled, audit.OutcomeDone, "")
	e.Detail["holders"] = strconv.Itoa(len(next.Holders))
	c := Change{Block: &next, Audit: []audit.Event{e}, Queue: []Item{cardItem(r.Source, r.Account, s.d.Now())}}
	for _, h := range next.Holders {
		c.Queue = append(c.Queue, releaseItem(h, s.d.Now())) // one that has ended may only have waited for this one
	}
	return c
}

// keep leaves a block on because of a key that nobody has decided on, and looks again later. Its request stays the holder.
func (s *Service) keep(r remediation.Request, b remediation.Block) Change {
	now := s.d.Now()
	c := Change{Queue: []Item{releaseItem(r.ID, now.Add(keptEvery))}}
	if b.Kept {
		return c
	}
	b = b.Keep(r.ID)
	c.Block = &b
	c.Audit = []audit.Event{s.blockEvent(r, audit.BlockKept, audit.OutcomeDone, "")}
	c.Queue = append(c.Queue, cardItem(r.Source, r.Account, now))
	return c
}

func releaseItem(id remediation.RequestID, due time.Time) Item {
	return item("release/"+string(id), KindRelease, Work{Request: id}, due)
}

// detach takes our block off an account that nobody holds. Whatever stops it is tried again by the worker.
func (s *Service) detach(ctx context.Context, l Lease, r remediation.Request, was, next remediation.Block, holds bool) (Change, error) {
	if s.exempt(r.Account) {
		return Change{}, fmt.Errorf("detach the block of %s: the account is in never_act_on", r.Account)
	}
	facts := s.d.Inspector.Read(ctx, r)
	if facts.Gap != nil || !facts.Block.Known {
		return Change{}, fmt.Errorf("detach the block of %s: AWS could not be read", r.Account)
	}
	if !facts.Block.Attached {
		return s.detached(r, next, holds, "", "was off already"), nil
	}
	if r.Keeps(facts) {
		return s.keep(r, was), nil
	}
	if !holds {
		next.Version++
	}
	attempt := s.blockEvent(r, audit.BlockDetached, audit.OutcomeAttempt, "")
	receipt, err := s.d.Ledger.Commit(ctx, Change{Lease: &l, Block: &next, Audit: []audit.Event{attempt}})
	if err != nil {
		return Change{}, fmt.Errorf("record the detachment of the block of %s: %w", r.Account, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	o := s.d.Executor.Detach(ctx, r.Source, r.Account, receipt)
	if o.Kind != remediation.Succeeded {
		return Change{}, fmt.Errorf("detach the block of %s: %s %s", r.Account, o.Kind, o.Code)
	}
	return s.detached(r, next, false, o.AWSID, ""), nil
}

// detached writes that the block is off. When bumped, next already carries the version to be written.
func (s *Service) detached(r remediation.Request, next remediation.Block, bumped bool, awsID, why string) Change {
	version := next.Version
	next = next.Detached(s.d.Now())
	if bumped {
		next.Version = version
	}
	e := s.blockEvent(r, audit.BlockDetached, audit.OutcomeDone, awsID)
	if why != "" {
		e.Detail["why"] = why
	}
	return Change{Block: &next, Audit: []audit.Event{e}, Queue: []Item{
		cardItem(r.Source, r.Account, s.d.Now()), rescanItem(r.Source, r.Account, s.d.Now()),
	}}
}

// keptEvery is how often a block is looked at that stays on because of a key that nobody has decided on.
const keptEvery = time.Hour

// observe puts a reading of AWS to a request. With a lease its item is finished by the commit.
func (s *Service) observe(ctx context.Context, id remediation.RequestID, facts remediation.Facts, l *Lease) (turned, error) {
	var e remediation.Event
	return s.turn(ctx, id, turn{
		lease: l, done: l != nil, actor: audit.System("reader"),
		event: func(r remediation.Request) (remediation.Event, error) {
			e = remediation.Event{Kind: remediation.Observe, Facts: facts}
			if r.Means != remediation.MeansOrganization {
				return e, nil
			}
			b, err := s.d.Ledger.Block(ctx, r.Source, r.Account)
			if err != nil {
				return e, fmt.Errorf("read the block of %s: %w", r.Account, err)
			}
			e.Found, e.Since = b.Attached && b.Origin == remediation.OriginFound, b.Changed
			return e, s.takenOff(ctx, &e, b, r.ID)
		},
		with: func(c *Change, before remediation.Request, d remediation.Decision) error {
			return s.keepBlock(ctx, c, before, d, e)
		},
	})
}

// read handles "aws.read".
func (s *Service) read(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	r, err := s.request(ctx, w.Request)
	if errors.Is(err, ErrNotFound) || err == nil && r.State.Ended() {
		return Change{}, nil
	}
	if err != nil {
		return Change{}, fmt.Errorf("read request %s: %w", w.Request, err)
	}
	if !s.configured(r.Source) {
		return Change{}, nil // nothing can be read until a start finds the entry again
	}
	_, err = s.observe(ctx, r.ID, s.d.Inspector.Read(ctx, r), &l)
	return Change{}, err
}

// lapse handles "lapse". A deadline that moved has its own item.
func (s *Service) lapse(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	_, err = s.turn(ctx, w.Request, turn{
		lease: &l, done: true, actor: audit.System("clock"),
		event: func(remediation.Request) (remediation.Event, error) {
			return remediation.Event{Kind: remediation.Lapse}, nil
		},
	})
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return Change{}, err
}
