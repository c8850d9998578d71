package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file takes envelopes in. The rules are:
//   - Acknowledged means committed. An envelope that the store did not take is not acknowledged: the person sees Slack's
//     error and presses again.
//   - An envelope is handled once, however often and on however many sockets it is delivered; each delivery is
//     acknowledged on its own socket.
//   - A modal's submission is decided before it is acknowledged if that takes less than two seconds, and then the answer
//     is the acknowledgement.

// kindEnvelope is the inbox's kind of item.
const kindEnvelope = "slack.envelope"

const (
	commitWithin = 2500 * time.Millisecond // of the three seconds that Slack waits
	decideWithin = 2 * time.Second
	pollEvery    = time.Second // for envelopes that another process put, or that were put back
	keptAnswers  = 20_000      // deliveries remembered, to know a repeated one
)

// envelope is what is committed: the payload as Slack sent it, less the legacy token. The store scrubs it when it is done.
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

// receive takes an event of a socket. It returns at once, because a reader that waits loses what comes after.
func (b *Bot) receive(ctx context.Context, s socket, e socketmode.Event) {
	r := e.Request
	if e.Type == socketmode.EventTypeErrorWriteFailed || e.Type == socketmode.EventTypeIncomingError {
		b.log.WarnContext(ctx, "socket trouble", "event", string(e.Type))
		return
	}
	if r == nil || r.EnvelopeID == "" {
		return // the socket's own affairs: connecting, hello
	}
	b.flying.Add(1)
	b.coming.Add(1)
	b.taking.Go(func() {
		defer b.flying.Add(-1)
		defer b.recovered(ctx, "take an envelope")
		b.take(ctx, s, *r)
	})
}

// take commits, and then acknowledges.
func (b *Bot) take(ctx context.Context, s socket, r socketmode.Request) {
	p := openParcel(r.Payload)
	key, submission := p.identify(r)
	d, first := b.inbox.join(key)
	if first {
		d.failed = b.commit(ctx, key, r, p)
	}
	b.coming.Add(-1)
	if first {
		if d.failed != nil {
			b.inbox.forget(key)
			b.log.ErrorContext(ctx, "envelope not committed, hence not acknowledged", "type", r.Type, "error", d.failed)
		}
		close(d.committed)
		b.kick()
	}
	select {
	case <-d.committed:
	case <-ctx.Done():
		return
	}
	if d.failed != nil {
		return
	}
	var payload any
	if submission {
		payload = b.wait(ctx, d)
	}
	if err := ack(ctx, s, r.EnvelopeID, payload); err != nil {
		b.log.WarnContext(ctx, "envelope could not be acknowledged", "type", r.Type, "error", err)
	}
}

// wait is the answer to a submission, or a view that says that it takes longer.
func (b *Bot) wait(ctx context.Context, d *delivery) any {
	t := time.NewTimer(decideWithin)
	defer t.Stop()
	select {
	case <-d.answered:
		return d.answer
	case <-t.C:
	case <-ctx.Done():
	}
	if !b.inbox.giveUp(d) {
		return d.answer
	}
	working := notice(b.voice(""), "modal.answer", b.voice("").say("modal.working"))
	return slack.NewUpdateViewSubmissionResponse(&working)
}

func (b *Bot) commit(ctx context.Context, key string, r socketmode.Request, p parcel) error {
	body, err := json.Marshal(envelope{Key: key, Type: r.Type, At: b.ws.cfg.Now(), Payload: json.RawMessage("null")})
	if err != nil {
		return fmt.Errorf("encode an envelope: %w", err)
	}
	body = append(bytes.TrimSuffix(body, []byte("null}")), p.sealed(r.Payload)...)
	body = append(body, '}')
	ctx, stop := context.WithTimeout(ctx, commitWithin)
	defer stop()
	if err := b.queue.Put(ctx, commands.Item{Key: key, Kind: kindEnvelope, Body: body}); err != nil {
		return fmt.Errorf("commit an envelope: %w", err)
	}
	return nil
}

// parcel is a payload, opened once: it holds the whole message that was clicked, and in a storm each further look at it
// costs the others their three seconds. It is nil where the payload is no object.
type parcel map[string]json.RawMessage

func openParcel(payload json.RawMessage) parcel {
	var p parcel
	if json.Unmarshal(payload, &p) != nil {
		return nil
	}
	return p
}

// sealed is the payload as it is kept: without the legacy verification token, which proves nothing here and is a secret
// elsewhere. The fields are put together as they came, since they were read as valid JSON.
func (p parcel) sealed(payload json.RawMessage) json.RawMessage {
	if _, ok := p["token"]; !ok {
		if len(payload) == 0 || p == nil && !json.Valid(payload) {
			return json.RawMessage("null")
		}
		return payload
	}
	out := append(make([]byte, 0, len(payload)), '{')
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if name == "token" {
			continue
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			continue // a string can always be encoded
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted...), ':'), p[name]...)
	}
	return append(out, '}')
}

func (p parcel) text(name string) string {
	var s string
	if json.Unmarshal(p[name], &s) != nil {
		return ""
	}
	return s
}

// identify names what was delivered, apart from how: Slack may deliver the same click or event in several envelopes. It
// also tells whether it is a modal's submission.
func (p parcel) identify(r socketmode.Request) (key string, submission bool) {
	var actions []struct {
		TS string `json:"action_ts"`
	}
	if raw, ok := p["actions"]; ok && json.Unmarshal(raw, &actions) != nil {
		actions = nil
	}
	kind, trigger := p.text("type"), p.text("trigger_id")
	switch event := p.text("event_id"); {
	case event != "":
		key = "slack/event/" + event
	case trigger != "" && len(actions) > 0:
		key = "slack/click/" + trigger + "/" + actions[0].TS
	case trigger != "":
		key = "slack/" + r.Type + "/" + kind + "/" + trigger
	default:
		key = "slack/envelope/" + r.EnvelopeID
	}
	return key, kind == string(slack.InteractionTypeViewSubmission)
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
		l, err := b.queue.Claim(ctx, kindEnvelope)
		switch {
		case err == nil:
			b.kick() // there may be more, and others may be idle
			b.handle(context.WithoutCancel(ctx), l)
			continue
		case errors.Is(err, commands.ErrNothingDue), ctx.Err() != nil:
		default:
			b.log.WarnContext(ctx, "no envelope could be claimed", "error", err)
		}
		t := time.NewTimer(pollEvery)
		select {
		case <-b.kicks:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
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
