package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// This file runs the inbox and the outbox. The rules are:
//   - An item is done at least once. What it writes is committed together with its end, under the fence of its lease.
//   - A handler that fails or panics takes nothing with it: its item comes back later, and after MaxAttempts it is put
//     aside with an alarm, until the bot is started again. No item is dropped.
//   - What a request cannot go on without, and what warns people, is never put aside. After MaxAttempts it is tried at the
//     longest wait for as long as it takes.
//   - What waits for somebody else (a Slack that is down, the end of the process) has not failed, and is not counted.
//   - Items that must be told in order share a lane, in which one follows the other.
//   - What is said in Slack has slots of its own. Slack takes a message a second and may hang; a block, a deletion or a
//     reading of AWS does not wait behind that. Alarms have slots of their own again: no card and no notice is before one.

// Handler does one item of work. The worker commits the change that it returns together with finishing the item; a
// handler that has committed already, or has nothing to write, returns the zero Change.
type Handler func(ctx context.Context, l Lease) (Change, error)

// MaxAttempts is how often an item fails before it is put aside, or people are told that it goes on failing.
const MaxAttempts = 8

const (
	firstWait   = time.Second
	longestWait = 10 * time.Minute
	poll        = time.Second // items fall due by the injected clock, which wakes nobody
	inParallel  = 16
	holdEvery   = 30 * time.Second // far within the two minutes of a lease
)

// Worker does the items of the queue until its context ends. It is started once.
type Worker struct {
	queue    Queue
	ledger   Ledger
	handlers map[string]Handler
	kinds    []string
	now      func() time.Time
	log      *slog.Logger

	crews []*crew
	wg    sync.WaitGroup
	mu    sync.Mutex
	lanes map[string]chan struct{} // the end of the last item of each lane
	busy  int
}

// crew claims some of the kinds, as many items at once as it has slots.
type crew struct {
	kinds []string
	slots chan struct{}
	nudge chan struct{}
}

// crews splits the kinds in three: alarms, what else is said in Slack, and the rest. A part without kinds gets no crew.
func crews(kinds []string) []*crew {
	var parts [3][]string
	for _, k := range kinds {
		part := 0
		switch {
		case k == KindAlarm:
			part = 2
		case strings.HasPrefix(k, "slack."):
			part = 1
		}
		parts[part] = append(parts[part], k)
	}
	var all []*crew
	for _, part := range parts {
		if len(part) > 0 {
			all = append(all, &crew{kinds: part, slots: make(chan struct{}, inParallel), nudge: make(chan struct{}, 1)})
		}
	}
	return all
}

// NewWorker makes a worker for the kinds that have a handler.
func NewWorker(q Queue, ledger Ledger, handlers map[string]Handler, now func() time.Time, log *slog.Logger) *Worker {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	kinds := slices.Sorted(maps.Keys(handlers))
	return &Worker{
		queue: q, ledger: ledger, handlers: handlers, kinds: kinds, now: now, log: log,
		crews: crews(kinds), lanes: map[string]chan struct{}{},
	}
}

// Run works until the context ends, and returns nil after everything that was begun has ended.
func (w *Worker) Run(ctx context.Context) error {
	var claiming sync.WaitGroup
	for _, c := range w.crews {
		claiming.Go(func() { w.keep(ctx, c) })
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-w.queue.Wake():
			w.wake()
		}
	}
	claiming.Wait()
	w.wg.Wait()
	return nil
}

// keep claims for a crew until the context ends.
func (w *Worker) keep(ctx context.Context, c *crew) {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		if w.claim(ctx, c) {
			continue
		}
		timer.Reset(poll)
		select {
		case <-ctx.Done():
		case <-c.nudge:
		case <-timer.C:
		}
	}
}

// claim takes one item and begins it. It reports whether another may be due.
func (w *Worker) claim(ctx context.Context, c *crew) bool {
	select {
	case <-ctx.Done():
		return false
	case c.slots <- struct{}{}:
	}
	l, err := w.queue.Claim(ctx, c.kinds...)
	if err != nil {
		<-c.slots
		if !errors.Is(err, ErrNothingDue) && ctx.Err() == nil {
			w.log.ErrorContext(ctx, "items could not be claimed", "error", err)
		}
		return false
	}
	before, done := w.enter(l)
	w.wg.Go(func() {
		defer w.leave(c, l, done)
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done():
				w.back(ctx, l, w.queue.Defer, w.now())
				return
			}
		}
		w.do(ctx, l)
	})
	return true
}

// lane is the part of the key that keeps an order: all lines of one thread, and all drawings of one card.
func lane(l Lease) string {
	if l.Kind != KindTell {
		return ""
	}
	parts := strings.SplitN(l.Key, "/", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

func (w *Worker) enter(l Lease) (before, done chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy++
	name := lane(l)
	if name == "" {
		return nil, nil
	}
	done = make(chan struct{})
	before, w.lanes[name] = w.lanes[name], done
	return before, done
}

func (w *Worker) leave(c *crew, l Lease, done chan struct{}) {
	w.mu.Lock()
	w.busy--
	if done != nil {
		close(done)
		if name := lane(l); w.lanes[name] == done {
			delete(w.lanes, name)
		}
	}
	w.mu.Unlock()
	<-c.slots
	w.wake()
}

func (w *Worker) wake() {
	for _, c := range w.crews {
		select {
		case c.nudge <- struct{}{}:
		default:
		}
	}
}

// do handles one item and ends it, one way or another.
func (w *Worker) do(ctx context.Context, l Lease) {
	err := w.handle(ctx, l)
	log := w.log.With("kind", l.Kind, "key", l.Key, "attempts", l.Attempts)
	var later *laterError
	switch {
	case err == nil:
	case errors.Is(err, ErrLeaseLost):
		log.DebugContext(ctx, "item is in other hands")
	case ctx.Err() != nil:
		w.back(ctx, l, w.queue.Defer, w.now())
	case errors.As(err, &later):
		log.InfoContext(ctx, "item waits", "until", later.at, "error", later.why)
		w.back(ctx, l, w.queue.Defer, later.at)
	case l.Attempts < MaxAttempts:
		log.WarnContext(ctx, "item failed and is tried again", "error", err)
		w.back(ctx, l, w.queue.Retry, w.now().Add(wait(l.Attempts)))
	case slices.Contains(lasting(), l.Kind):
		log.ErrorContext(ctx, "item goes on failing and is tried again", "error", err)
		w.back(ctx, l, w.queue.Retry, w.now().Add(longestWait))
		if l.Attempts == MaxAttempts && !strings.HasPrefix(l.Kind, "slack.") {
			w.notice(ctx, l, NoticeFailing)
		}
	default:
		log.ErrorContext(ctx, "item is put aside after too many attempts", "error", err)
		w.park(ctx, l, err)
	}
}

// lasting are the kinds that are never put aside. A step of a request ends by its own gates and deadlines.
func lasting() []string {
	return []string{KindAct, KindRead, KindRelease, KindLapse, KindAlarm, KindNotice}
}

func (w *Worker) handle(ctx context.Context, l Lease) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.ErrorContext(ctx, "handler panicked", "kind", l.Kind, "key", l.Key, "stack", string(debug.Stack()))
			err = fmt.Errorf("handle %s: panic: %v", l.Key, p)
		}
	}()
	h, ok := w.handlers[l.Kind]
	if !ok {
		return fmt.Errorf("handle %s: nobody handles %q", l.Key, l.Kind)
	}
	held, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.wg.Go(func() { w.hold(held, cancel, l) })
	c, err := h(held, l)
	if err != nil && errors.Is(context.Cause(held), ErrLeaseLost) {
		return ErrLeaseLost
	}
	if err != nil {
		return err
	}
	return w.finish(ctx, l, c)
}

// hold keeps the lease while its item is handled, and stops the handler when it is lost: somebody else has begun.
func (w *Worker) hold(ctx context.Context, cancel context.CancelCauseFunc, l Lease) {
	ticker := time.NewTicker(holdEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := w.queue.Extend(ctx, l)
		switch {
		case errors.Is(err, ErrLeaseLost):
			cancel(ErrLeaseLost)
			return
		case err != nil && ctx.Err() == nil:
			w.log.WarnContext(ctx, "lease could not be extended", "key", l.Key, "error", err)
		}
	}
}

// finish commits what the handler wants written. A handler that committed by itself has finished its item already, which
// then shows as a lost lease.
func (w *Worker) finish(ctx context.Context, l Lease, c Change) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	if c.empty() {
		if err := w.queue.Finish(ctx, l); err != nil && !errors.Is(err, ErrLeaseLost) {
			return fmt.Errorf("finish %s: %w", l.Key, err)
		}
		return nil
	}
	c.Lease, c.Done = &l, true
	if _, err := w.ledger.Commit(ctx, c); err != nil {
		return fmt.Errorf("commit %s: %w", l.Key, err)
	}
	return nil
}

func (c Change) empty() bool {
	return c.Request == nil && c.Block == nil && c.Switch == nil && c.Owner == nil && c.Mute == nil &&
		len(c.Audit) == 0 && len(c.Queue) == 0
}

// wait doubles from attempt to attempt.
func wait(attempts int) time.Duration {
	d := firstWait
	for range attempts - 1 {
		if d *= 2; d >= longestWait {
			return longestWait
		}
	}
	return d
}

// back hands an item back also while the process ends, so that the next one need not wait for the lease to run out.
func (w *Worker) back(ctx context.Context, l Lease, hand func(context.Context, Lease, time.Time) error, at time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	if err := hand(ctx, l, at); err != nil && !errors.Is(err, ErrLeaseLost) {
		w.log.WarnContext(ctx, "item could not be handed back", "key", l.Key, "error", err)
	}
}

// park puts an item aside, and says so in the channel.
func (w *Worker) park(ctx context.Context, l Lease, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	if err := w.queue.Park(ctx, l, why.Error()); err != nil {
		w.log.ErrorContext(ctx, "item could not be put aside", "key", l.Key, "error", err)
		return
	}
	w.notice(ctx, l, NoticeParked)
}

// notice says in the channel what became of an item that failed too often.
func (w *Worker) notice(ctx context.Context, l Lease, what NoticeKind) {
	n := Work{Notice: what, What: l.Kind}
	if about, err := l.Work(); err == nil {
		n.Request, n.Source, n.Account = about.Request, about.Source, about.Account
	}
	if err := w.queue.Put(ctx, item("notice/"+string(what)+"/"+l.Key, KindNotice, n, w.now())); err != nil {
		w.log.ErrorContext(ctx, "notice of an item that failed could not be queued", "key", l.Key, "error", err)
	}
}

// laterError asks the worker to hand the item back without counting it as a failure.
type laterError struct {
	at  time.Time
	why error
}

func (e *laterError) Error() string {
	return "not before " + e.at.Format(time.RFC3339) + ": " + e.why.Error()
}

func (e *laterError) Unwrap() error { return e.why }

// Later is the error by which a handler asks for its item again at a time, without it being a failure of the item. A Slack
// that does not answer, or asks to be left alone for a while, is one reason.
func Later(at time.Time, why error) error { return &laterError{at: at, why: why} }

// Settled waits until nothing of the worker's kinds is due or under way. It reports false where the context ended first,
// or the queue could not be asked.
func (w *Worker) Settled(ctx context.Context) bool {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		if !w.working() { // what is under way wakes the next by itself
			w.wake()
			due, err := w.queue.Due(ctx, w.now())
			if err == nil && !w.waiting(due) {
				return true
			}
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// Nudge makes the worker look for what has fallen due. It polls by itself; a clock that was moved by hand need not wait.
func (w *Worker) Nudge() { w.wake() }

func (w *Worker) waiting(due map[string]int) bool {
	return w.working() || slices.ContainsFunc(w.kinds, func(k string) bool { return due[k] > 0 })
}

func (w *Worker) working() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy > 0
}
