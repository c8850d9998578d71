package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file takes envelopes in. The rules are:
//   - Acknowledged means committed. An envelope that the store did not take is not acknowledged: the person sees Slack's
//     error and presses again.
//   - An envelope is handled once, however often and on however many sockets it is delivered; each delivery is
//     acknowledged on its own socket.
//   - A modal's submission is decided before it is acknowledged if that takes less than two seconds, and then the answer
//     is the acknowledgement.

const (
	commitWithin = 2500 * time.Millisecond // of the three seconds that Slack waits
	decideWithin = 2 * time.Second         // after it came
	pollEvery    = time.Second             // for envelopes that another process put, or that were put back
	keptAnswers  = 20_000                  // deliveries remembered, to know a repeated one
	mostComing   = 32 << 20                // bytes that wait for their commit in memory; the rest waits in the sockets
)

// envelope is what is committed: the payload as Slack sent it, less what nobody needs. The store scrubs it when it is done.
type envelope struct {
	Key     string          `json:"key"`
	Type    string          `json:"type"`
	At      time.Time       `json:"at"` // when it came
	Payload json.RawMessage `json:"payload"`
}

// delivery is one envelope in the hands of this process. Repeated deliveries share it.
type delivery struct {
	committed chan struct{} // closed when the commit was tried
	failed    error         // of the commit; read after committed
	answered  chan struct{} // closed when it was decided
	answer    any           // payload of the acknowledgement; read after answered
	late      bool          // the acknowledgement went out before the answer; guarded by the inbox
}

// inbox remembers deliveries.
type inbox struct {
	mu    sync.Mutex
	known map[string]*delivery
	order []string
}

// join returns the delivery of a key, and whether it is the first.
func (in *inbox) join(key string) (*delivery, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if d := in.known[key]; d != nil {
		return d, false
	}
	d := &delivery{committed: make(chan struct{}), answered: make(chan struct{})}
	in.known[key] = d
	in.order = append(in.order, key)
	if len(in.order) > keptAnswers {
		delete(in.known, in.order[0])
		in.order = in.order[1:]
	}
	return d, true
}

// forget lets a key come again, after its commit failed.
func (in *inbox) forget(key string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.known, key)
}

// settle hands the answer to whoever waits for it. It reports whether the acknowledgement still carries it.
func (in *inbox) settle(key string, answer any) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	d := in.known[key]
	if d == nil || d.late {
		return false
	}
	select {
	case <-d.answered:
	default:
		d.answer = answer
		close(d.answered)
	}
	return true
}

// giveUp stops waiting for the answer. It reports false when the answer came after all.
func (in *inbox) giveUp(d *delivery) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	select {
	case <-d.answered:
		return false
	default:
		d.late = true
		return true
	}
}

// receive takes an envelope of a socket. It returns before the commit, because whoever reads the socket must go on reading;
// only while very much waits for its commit already, it waits with it.
func (b *Bot) receive(ctx context.Context, s *socket, f frame) {
	p := f.parcel()
	d, first := b.inbox.join(p.key)
	item := commands.Item{Key: p.key, Kind: commands.InboxKind}
	if first {
		item.Body, d.failed = f.sealed(p.key, b.ws.cfg.Now())
		if err := b.room.Acquire(ctx, weight(item)); err != nil {
			d.failed = fmt.Errorf("wait for room: %w", err)
			b.settled(ctx, d, item)
			return
		}
		b.coming.Add(1)
	}
	id := f.id
	b.flying.Add(1)
	b.taking.Go(func() {
		defer b.flying.Add(-1)
		defer b.recovered(ctx, "take an envelope")
		patience := time.NewTimer(decideWithin)
		defer patience.Stop()
		if first {
			b.commit(ctx, d, item)
		}
		select {
		case <-d.committed:
		case <-ctx.Done():
			return
		}
		if d.failed != nil {
			return
		}
		var answer any
		if p.submission {
			answer = b.wait(ctx, d, patience)
		}
		b.sockets.ack(ctx, s, id, answer)
	})
}

// weight is how much of the room for what is not committed yet an envelope takes.
func weight(i commands.Item) int64 { return min(int64(len(i.Body)), mostComing) }

// commit puts an envelope into the store and tells all who wait for that.
func (b *Bot) commit(ctx context.Context, d *delivery, i commands.Item) {
	failed := d.failed
	d.failed = errPanic // until it is known better
	defer b.settled(ctx, d, i)
	defer b.room.Release(weight(i))
	defer b.coming.Add(-1)
	if failed == nil {
		inTime, stop := context.WithTimeout(ctx, commitWithin)
		defer stop()
		failed = b.queue.Put(inTime, i)
	}
	d.failed = failed
}

// settled tells what became of the commit of a delivery. One that failed may come again.
func (b *Bot) settled(ctx context.Context, d *delivery, i commands.Item) {
	if d.failed != nil {
		b.inbox.forget(i.Key)
		b.log.ErrorContext(ctx, "envelope not committed, hence not acknowledged", "error", d.failed)
	}
	close(d.committed)
	b.kick()
}

// wait is the answer to a submission, or a view that says that it takes longer.
func (b *Bot) wait(ctx context.Context, d *delivery, patience *time.Timer) any {
	select {
	case <-d.answered:
		return d.answer
	case <-patience.C:
	case <-ctx.Done():
	}
	if !b.inbox.giveUp(d) {
		return d.answer
	}
	working := notice(b.voice(""), "modal.answer", b.voice("").say("modal.working"))
	return slack.NewUpdateViewSubmissionResponse(&working)
}

// kick wakes an idle worker.
func (b *Bot) kick() {
	select {
	case b.kicks <- struct{}{}:
	default:
	}
}

// crowd is how many envelopes may wait for their commit before handling waits for them.
const crowd = 64

// yield lets what has not been committed go first: its three seconds run, and what was committed has time.
func (b *Bot) yield(ctx context.Context) {
	const step, most = 10 * time.Millisecond, time.Second
	for waited := time.Duration(0); waited < most && b.coming.Load() > crowd; waited += step {
		if pause(ctx, step) != nil {
			return
		}
	}
}

// work handles committed envelopes until the context ends, and ends what it has begun.
func (b *Bot) work(ctx context.Context) {
	for ctx.Err() == nil {
		b.yield(ctx)
		l, err := b.queue.Claim(ctx, commands.InboxKind)
		switch {
		case err == nil:
			b.kick() // there may be more, and others may be idle
			b.handle(context.WithoutCancel(ctx), l)
			continue
		case errors.Is(err, commands.ErrNothingDue), ctx.Err() != nil:
		default:
			b.log.WarnContext(ctx, "no envelope could be claimed", "error", err)
		}
		select {
		case <-b.kicks:
		case <-ctx.Done():
		}
	}
}

// poll wakes one worker now and then.
func (b *Bot) poll(ctx context.Context) {
	for pause(ctx, pollEvery) == nil {
		b.kick()
	}
}

// handleWithin bounds one envelope: look-ups in Slack and one reading of AWS.
const handleWithin = 60 * time.Second

// handle does one envelope and finishes it. A failure was told to the person, who presses again; it is not tried again
// behind their back.
func (b *Bot) handle(ctx context.Context, l commands.Lease) {
	ctx, stop := context.WithTimeout(ctx, handleWithin)
	defer stop()
	var e envelope
	if err := json.Unmarshal(l.Body, &e); err != nil {
		b.log.ErrorContext(ctx, "envelope in the store cannot be read", "key", l.Key, "error", err)
	} else {
		b.route(ctx, e)
	}
	b.inbox.settle(e.Key, nil)
	if err := b.queue.Finish(ctx, l); err != nil && !errors.Is(err, commands.ErrLeaseLost) {
		b.log.ErrorContext(ctx, "envelope could not be finished", "error", err)
	}
}
