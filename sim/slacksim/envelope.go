package slacksim

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// AckRecord is what became of one frame that an app sent, or of one envelope nobody acknowledged.
type AckRecord struct {
	At         time.Time `json:"at"`
	EnvelopeID string    `json:"envelope_id"`
	// Kind is "events_api", "slash_commands" or "interactive"; "" when the envelope is unknown.
	Kind string `json:"kind"`
	// Outcome is "acked", "timeout", "late", "duplicate", "unknown", "too_large", "fragmented",
	// "malformed", "lost" or "no_connection".
	Outcome string `json:"outcome"`
	// Millis is how long the app took, from when the envelope was handed to a socket.
	Millis float64 `json:"ms"`
	Bytes  int     `json:"bytes"`
	// OtherSocket says that the answer came on a connection that had not been sent the envelope.
	OtherSocket bool `json:"other_socket,omitempty"`
	Attempt     int  `json:"attempt"`
}

// envelope is one delivery to the app, with its retries.
type envelope struct {
	id, kind string
	user     string
	payload  json.RawMessage
	accepts  bool
	attempt  int
	reason   string
	sent     time.Time
	first    time.Time
	due      time.Time // of the next attempt
	timer    *time.Timer
	sockets  []*socket
	state    envelopeState
	finished chan struct{} // closed once acknowledged, or given up for the person who waits
	once     bool
	onAck    func(payload json.RawMessage)
	onLost   func()
	answer   json.RawMessage
	problem  string // what the person sees, "" when all went well
	fields   map[string]string
}

type envelopeState int

const (
	envelopeWaiting envelopeState = iota + 1
	envelopeAcked
	envelopeLost
)

func (e *envelope) stop() {
	if e.timer != nil {
		e.timer.Stop()
	}
	e.finish()
}

func (e *envelope) finish() {
	if !e.once {
		e.once = true
		close(e.finished)
	}
}

// deliver sends a new envelope to one live socket. The caller holds mu and waits on finished.
func (w *Workspace) deliver(kind, user string, accepts bool, payload obj) *envelope {
	e := &envelope{
		id: w.uuid(), kind: kind, user: user, payload: encode(payload), accepts: accepts,
		finished: make(chan struct{}), first: w.cfg.Now(),
	}
	w.envelopes[e.id] = e
	return e
}

// dispatch sends e, its first or another attempt. The caller holds mu.
func (w *Workspace) dispatch(e *envelope) {
	e.sent = w.cfg.Now()
	if w.closed {
		e.state = envelopeLost
		w.settle(e)
		return
	}
	e.state = envelopeWaiting
	targets := w.targets()
	e.sockets = targets
	if len(targets) == 0 {
		w.noteAck(AckRecord{EnvelopeID: e.id, Kind: e.kind, Outcome: "no_connection", Attempt: e.attempt})
		w.lost(e)
		return
	}
	data := e.frame()
	w.waiting++
	for _, s := range targets {
		s.send(data)
		if w.active("duplicate") {
			s.send(data)
		}
	}
	e.timer = time.AfterFunc(w.cfg.AckTimeout, func() { w.expire(e) })
}

// frame is e as it goes over the wire, without a payload if it has none. The payload is put in as it was encoded: it may hold
// a long message, and ten thousand people may click at once.
func (e *envelope) frame() []byte {
	head := obj{"envelope_id": e.id, "type": e.kind, "accepts_response_payload": e.accepts}
	if e.kind == "events_api" {
		head["retry_attempt"], head["retry_reason"] = e.attempt, e.reason
	}
	if len(e.payload) == 0 {
		return encode(head)
	}
	data := bytes.TrimSuffix(encode(head), []byte("}"))
	data = slices.Grow(data, len(e.payload)+16)
	return append(append(append(data, `,"payload":`...), e.payload...), '}')
}

// targets picks one live socket at random, or all of them under the broadcast fault. A half-open
// socket counts as live: the server cannot know. The caller holds mu.
func (w *Workspace) targets() []*socket {
	var live []*socket
	for _, s := range w.sockets {
		if !s.leaving {
			live = append(live, s)
		}
	}
	if len(live) == 0 || w.active("broadcast") {
		return live
	}
	return []*socket{live[w.rng.IntN(len(live))]}
}

// expire ends the wait of one attempt.
func (w *Workspace) expire(e *envelope) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || e.state != envelopeWaiting {
		return
	}
	w.waiting--
	w.noteAck(AckRecord{
		EnvelopeID: e.id, Kind: e.kind, Outcome: "timeout", Attempt: e.attempt,
		Millis: float64(w.cfg.AckTimeout.Microseconds()) / 1000,
	})
	w.lost(e)
}

// lost deals with an attempt that nobody acknowledged: events are tried again, at once, after a
// minute and after five (https://docs.slack.dev/apis/events-api); for anything else the person
// sees an error. The caller holds mu.
func (w *Workspace) lost(e *envelope) {
	const lastAttempt = 3
	e.state = envelopeLost
	if e.kind == "events_api" && e.attempt < lastAttempt && !w.closed {
		e.attempt++
		e.reason = "timeout"
		// With no connection at all an attempt fails in no time; the next one comes when the
		// first would have timed out.
		e.due = e.sent.Add(w.cfg.AckTimeout)
		switch e.attempt {
		case 2:
			e.due = e.first.Add(time.Minute)
		case lastAttempt:
			e.due = e.first.Add(5 * time.Minute)
		}
		w.retries = append(w.retries, e)
		e.finish()
		select {
		case w.wake <- struct{}{}:
		default:
		}
		return
	}
	if e.onLost != nil {
		e.onLost()
	}
	w.settle(e)
}

// settle keeps e for a while, so that a late or repeated acknowledgement is told from an unknown
// one. The caller holds mu.
func (w *Workspace) settle(e *envelope) {
	const remembered = 20_000
	e.finish()
	e.payload, e.onAck, e.onLost, e.sockets = nil, nil, nil, nil
	w.settled = append(w.settled, e.id)
	if len(w.settled) > remembered {
		delete(w.envelopes, w.settled[0])
		w.settled = w.settled[1:]
	}
}

// retryLoop sends events whose next attempt fell due. It looks at the workspace's clock often
// while something waits, because that clock may be moved.
func (w *Workspace) retryLoop() {
	const look = 100 * time.Millisecond
	for {
		select {
		case <-w.done:
			return
		case <-w.wake:
		}
		for w.retryDue() {
			t := time.NewTimer(look)
			select {
			case <-w.done:
				t.Stop()
				return
			case <-t.C:
			}
		}
	}
}

// retryDue sends what is due and reports whether more waits.
func (w *Workspace) retryDue() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.cfg.Now()
	var due []*envelope
	w.retries = slices.DeleteFunc(w.retries, func(e *envelope) bool {
		if e.due.After(now) {
			return false
		}
		due = append(due, e)
		return true
	})
	for _, e := range due {
		w.dispatch(e)
	}
	return len(w.retries) > 0
}

// acknowledged takes one frame from an app.
func (w *Workspace) acknowledged(s *socket, data []byte, fragmented bool) {
	var in ackFrame
	err := json.Unmarshal(data, &in)
	w.mu.Lock()
	defer w.mu.Unlock()
	rec := AckRecord{EnvelopeID: in.EnvelopeID, Bytes: len(data)}
	e := w.envelopes[in.EnvelopeID]
	if e != nil {
		rec.Kind, rec.Attempt = e.kind, e.attempt
		rec.Millis = float64(w.cfg.Now().Sub(e.sent).Microseconds()) / 1000
	}
	switch {
	case err != nil || in.EnvelopeID == "":
		rec.Outcome = "malformed"
	case w.active("lose_acks"):
		rec.Outcome = "lost"
	case len(data) >= maxAckBytes:
		rec.Outcome = "too_large"
	case fragmented:
		rec.Outcome = "fragmented"
	case e == nil:
		rec.Outcome = "unknown"
	case e.state == envelopeAcked:
		rec.Outcome = "duplicate"
	case e.state == envelopeLost && !slices.Contains(w.retries, e):
		rec.Outcome = "late"
	default:
		rec.Outcome, rec.OtherSocket = "acked", !slices.Contains(e.sockets, s)
		w.noteAck(rec)
		w.accept(e, in.Payload)
		return
	}
	w.noteAck(rec)
}

// accept ends the wait for e with the app's answer. The caller holds mu.
func (w *Workspace) accept(e *envelope, payload json.RawMessage) {
	if e.state == envelopeWaiting {
		w.waiting--
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	// A late answer to an event that waits for its next attempt makes that attempt unnecessary.
	w.retries = slices.DeleteFunc(w.retries, func(o *envelope) bool { return o == e })
	e.state = envelopeAcked
	if e.accepts {
		e.answer = payload
	}
	if e.onAck != nil {
		e.onAck(e.answer)
	}
	w.settle(e)
}

func (w *Workspace) noteAck(rec AckRecord) {
	const keep = 100_000
	rec.At = w.cfg.Now()
	w.acks = append(w.acks, rec)
	if len(w.acks) > keep {
		w.acks = slices.Delete(w.acks, 0, keep/10)
	}
}
