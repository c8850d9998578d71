package slacksim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Fault orders something to go wrong.
type Fault struct {
	// Kind is one of FaultKinds.
	Kind string
	// For is how long it lasts on the workspace's clock; 30 s when 0. For "refresh" it is the time
	// between the warning and the refresh on a real timer, 10 s when 0; a negative value skips the warning.
	For time.Duration
	// Method limits the fault to one Web API method, or to "response_url"; "" is all of them.
	Method string
	// Count ends the fault after so many calls were hit; 0 counts none.
	Count int
	// Latency is what "slow" adds to each call; 2 s when 0.
	Latency time.Duration
	// Code is the error name that "error" answers, such as "token_revoked"; "internal_error" when "".
	Code string
	// All makes "refresh" recycle every connection and not just the oldest.
	All bool
	// One makes "disconnect" and "half_open" hit the oldest connection only, once.
	One bool
}

// fault is one that was ordered and has not ended.
type fault struct {
	Fault
	until time.Time
}

// FaultKinds returns what can be ordered:
//
//	disconnect            every connection is cut, and none is accepted while it lasts
//	refresh               warning, refresh_requested, close
//	link_disabled         Socket Mode is switched off
//	half_open             the connections of now stay and pass nothing more
//	too_many_websockets   no further connection is admitted
//	http_500              the Web API answers with an HTML page
//	rate_limit            the Web API answers 429 with Retry-After
//	error                 the Web API answers an error of Slack's, by name
//	garbage               the Web API answers JSON that breaks off
//	slow                  the Web API takes longer
//	broadcast             every envelope goes to every connection
//	duplicate             every envelope is sent twice on its connection
//	lose_acks             acknowledgements are lost on the way
//	timeout_after_commit  the Web API does what it was asked and the answer is lost
//	drop_ephemeral        ephemeral messages are accepted and never shown
//	clear                 ends every fault
func FaultKinds() []string {
	return []string{
		"disconnect", "refresh", "link_disabled", "half_open", "too_many_websockets", "http_500", "rate_limit", "error", "garbage", "slow",
		"broadcast", "duplicate", "lose_acks", "timeout_after_commit", "drop_ephemeral", "clear",
	}
}

// Inject orders a fault. It returns an error for a kind that does not exist.
func (w *Workspace) Inject(f Fault) error {
	if !slices.Contains(FaultKinds(), f.Kind) {
		return fmt.Errorf("order a fault: %q is not one of %v", f.Kind, FaultKinds())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch f.Kind {
	case "clear":
		w.faults = nil
	case "refresh":
		w.refresh(f)
		return nil
	case "disconnect":
		for _, s := range w.hit(f) {
			s.leaving = true
			s.abort()
		}
		// Without a duration the connections are cut once and may come back.
		if f.For == 0 || f.One {
			return nil
		}
	case "link_disabled":
		for _, s := range w.sockets {
			w.dismiss(s, "link_disabled")
		}
	case "half_open":
		for _, s := range w.hit(f) {
			s.goSilent()
		}
		return nil
	}
	if f.For == 0 {
		f.For = 30 * time.Second
	}
	if f.Kind != "clear" {
		w.faults = append(w.faults, fault{Fault: f, until: w.cfg.Now().Add(f.For)})
	}
	return nil
}

// hit returns the connections that a fault is for. The caller holds mu.
func (w *Workspace) hit(f Fault) []*socket {
	if f.One {
		return w.sockets[:min(1, len(w.sockets))]
	}
	return w.sockets
}

// dismiss sends a disconnect frame and closes. The caller holds mu.
func (w *Workspace) dismiss(s *socket, reason string) {
	s.leaving = true
	s.send(encode(obj{"type": "disconnect", "reason": reason, "debug_info": debugInfo()}))
	s.end()
}

// refresh recycles the oldest connection, or all: a warning about ten seconds before, then
// refresh_requested, then the close. The caller holds mu.
func (w *Workspace) refresh(f Fault) {
	const notice = 10 * time.Second
	targets := slices.DeleteFunc(slices.Clone(w.sockets), func(s *socket) bool { return s.leaving })
	if !f.All && len(targets) > 1 {
		targets = targets[:1]
	}
	if f.For == 0 {
		f.For = notice
	}
	for _, s := range targets {
		if f.For < 0 {
			w.dismiss(s, "refresh_requested")
			continue
		}
		s.send(encode(obj{"type": "disconnect", "reason": "warning", "debug_info": debugInfo()}))
		w.wg.Go(func() {
			t := time.NewTimer(f.For)
			defer t.Stop()
			select {
			case <-s.stopped:
				return
			case <-w.done:
				return
			case <-t.C:
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.dismiss(s, "refresh_requested")
		})
	}
}

// active reports whether a fault of that kind is on. The caller holds mu.
func (w *Workspace) active(kind string) bool { return w.current(kind, "", false) != nil }

// current returns the fault of that kind that is on for a method, and counts the call if it hits.
// The caller holds mu.
func (w *Workspace) current(kind, method string, hit bool) *Fault {
	now := w.cfg.Now()
	w.faults = slices.DeleteFunc(w.faults, func(f fault) bool { return !f.until.After(now) || f.Count < 0 })
	for i := range w.faults {
		f := &w.faults[i]
		if f.Kind != kind || f.Method != "" && f.Method != method {
			continue
		}
		found := f.Fault
		if hit && f.Count > 0 {
			if f.Count--; f.Count == 0 {
				f.Count = -1
			}
		}
		return &found
	}
	return nil
}

// faulty answers a request in place of its method when a fault says so, after any slowness.
func (w *Workspace) faulty(rw http.ResponseWriter, r *http.Request, method string) bool {
	w.mu.Lock()
	slow := w.current("slow", method, true)
	broken := w.current("http_500", method, true)
	wrong := w.current("error", method, true)
	garbled := w.current("garbage", method, true)
	w.mu.Unlock()
	if slow != nil {
		latency := slow.Latency
		if latency == 0 {
			latency = 2 * time.Second
		}
		w.wait(r, latency)
	}
	switch {
	case broken != nil:
	case wrong != nil:
		answer(rw, obj{"ok": false, "error": cmp.Or(wrong.Code, "internal_error")})
		return true
	case garbled != nil:
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		write(rw, []byte(`{"ok":true,"channel":"C0`))
		return true
	default:
		return false
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(http.StatusInternalServerError)
	write(rw, []byte("<!DOCTYPE html><html><head><title>Server Error</title></head><body><h1>Server Error</h1></body></html>\n"))
	return true
}

// faultWait returns the Retry-After of an ordered rate limit, 0 without one. The caller holds mu.
func (w *Workspace) faultWait(method string) time.Duration {
	if w.current("rate_limit", method, true) == nil {
		return 0
	}
	return time.Second
}

// lostAnswer cuts the connection of a request that has been carried out, when a fault says so.
func (w *Workspace) lostAnswer(rw http.ResponseWriter, method string) bool {
	w.mu.Lock()
	lost := w.current("timeout_after_commit", method, true)
	w.mu.Unlock()
	if lost == nil {
		return false
	}
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		rw.WriteHeader(http.StatusGatewayTimeout)
		return true
	}
	conn.Close() //nolint:errcheck,gosec // losing the connection is the purpose
	return true
}
