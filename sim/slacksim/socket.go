package slacksim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Limits of Socket Mode (https://docs.slack.dev/apis/events-api/using-socket-mode).
const (
	maxSockets = 10
	// An acknowledgement of this many bytes, or one in fragments, is dropped without a word; found
	// by slack-go's maintainers (https://github.com/slack-go/slack/issues/1196).
	maxAckBytes = 20_480
	// A client that is silent for this long, pongs included, is taken for dead and cut, which also
	// frees a writer that it blocks.
	silence = time.Minute
)

// socket is one WebSocket connection of the app.
type socket struct {
	id      int64
	conn    *websocket.Conn
	net     *frameWatcher
	stopped chan struct{}
	stop    sync.Once
	kick    chan struct{}

	mu       sync.Mutex
	queue    [][]byte
	ending   bool // close after what is queued
	halfOpen bool

	leaving bool // no envelope is sent here any more; guarded by Workspace.mu
	since   time.Time
}

func (w *Workspace) connectionsOpen(c *call) (obj, *apiError) {
	if w.active("link_disabled") {
		// Slack does not document the error while Socket Mode is switched off; this one makes
		// known clients wait and try again.
		return fail("no_permission")
	}
	ticket := w.uuid()
	w.tickets[ticket] = struct{}{}
	u := strings.Replace(w.base(c.host), "http", "ws", 1) + "/slack/link/?ticket=" + ticket + "&app_id=" + AppID
	return obj{"url": u}, nil
}

// serveLink upgrades a connection whose ticket was not used before.
func (w *Workspace) serveLink(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	_, valid := w.tickets[ticket]
	delete(w.tickets, ticket)
	refused := w.closed || w.active("disconnect") || w.active("link_disabled")
	w.mu.Unlock()
	switch {
	case !valid:
		http.Error(rw, "unknown ticket", http.StatusForbidden)
		return
	case refused:
		http.Error(rw, "unavailable", http.StatusServiceUnavailable)
		return
	}
	watch := &hijacker{ResponseWriter: rw}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(watch, r, nil)
	if err != nil {
		w.log.WarnContext(r.Context(), "upgrade to a websocket", "err", err)
		return
	}
	s := &socket{conn: conn, net: watch.conn, stopped: make(chan struct{}), kick: make(chan struct{}, 1)}
	if !w.admit(s) {
		return
	}
	w.read(s)
	w.leave(s)
}

// admit registers s, says hello and starts its writer. It reports false when the workspace is closed.
func (w *Workspace) admit(s *socket) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		s.abort()
		return false
	}
	w.serial++
	s.id, s.since = w.serial, w.cfg.Now()
	w.wg.Go(func() { w.write(s) })
	// The reader runs in the HTTP server's goroutine; Close must wait for it as well.
	w.wg.Add(1)
	if n := len(w.sockets); n >= maxSockets || w.active("too_many_websockets") {
		s.leaving = true
		s.send(encode(obj{
			"type": "disconnect", "reason": "too_many_websockets", "num_connections": n,
			"debug_info": debugInfo(), "connection_info": obj{"app_id": AppID},
		}))
		s.end()
		return true
	}
	w.sockets = append(w.sockets, s)
	s.send(encode(obj{
		"type": "hello", "num_connections": len(w.sockets), "connection_info": obj{"app_id": AppID},
		"debug_info": obj{
			"host": "applink-simulated", "build_number": 1, "approximate_connection_time": 18060,
			"started": s.since.UTC().Format("2006-01-02 15:04:05.000"),
		},
	}))
	w.touch()
	return true
}

func debugInfo() obj { return obj{"host": "applink-simulated"} }

func (w *Workspace) leave(s *socket) {
	defer w.wg.Done()
	s.abort()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sockets = slices.DeleteFunc(w.sockets, func(o *socket) bool { return o == s })
	w.touch()
}

// read takes acknowledgements until the connection ends.
func (w *Workspace) read(s *socket) {
	const largest = 4 << 20
	s.conn.SetReadLimit(largest)
	watchdog := time.AfterFunc(silence, s.abort)
	defer watchdog.Stop()
	alive := func() { watchdog.Reset(silence) }
	s.conn.SetPongHandler(func(string) error { alive(); return nil })
	s.conn.SetPingHandler(func(data string) error {
		alive()
		if s.isHalfOpen() {
			return nil
		}
		err := s.conn.WriteControl(websocket.PongMessage, []byte(data), time.Time{})
		if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
			return fmt.Errorf("answer a ping: %w", err)
		}
		return nil
	})
	for {
		kind, data, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		alive()
		fragmented := s.net.nextFragmented()
		if kind == websocket.TextMessage && !s.isHalfOpen() {
			w.acknowledged(s, data, fragmented)
		}
	}
}

// write sends what is queued, and pings.
func (w *Workspace) write(s *socket) {
	defer s.abort()
	pings := time.NewTicker(w.cfg.PingInterval)
	defer pings.Stop()
	for {
		batch, ending := s.take()
		for _, data := range batch {
			if err := s.conn.WriteMessage(websocket.TextMessage, data); err != nil {
				return
			}
		}
		if ending {
			bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			s.conn.WriteControl(websocket.CloseMessage, bye, time.Time{}) //nolint:errcheck,gosec // the connection is closed next
			return
		}
		select {
		case <-s.kick:
		case <-s.stopped:
			return
		case <-pings.C:
			if s.isHalfOpen() {
				continue
			}
			if err := s.conn.WriteControl(websocket.PingMessage, []byte("Ping from applink-simulated"), time.Time{}); err != nil {
				return
			}
		}
	}
}

func (s *socket) send(data []byte) {
	s.mu.Lock()
	if !s.halfOpen {
		s.queue = append(s.queue, data)
	}
	s.mu.Unlock()
	s.wakeUp()
}

// end closes the connection after what is queued was written.
func (s *socket) end() {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.wakeUp()
}

func (s *socket) wakeUp() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *socket) take() (batch [][]byte, ending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, s.queue = s.queue, nil
	return batch, s.ending
}

func (s *socket) isHalfOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halfOpen
}

// goSilent makes s a half-open connection: it stays, and nothing passes either way.
func (s *socket) goSilent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halfOpen, s.queue = true, nil
}

// abort cuts the connection without a closing handshake. It may be called twice.
func (s *socket) abort() {
	s.stop.Do(func() {
		close(s.stopped)
		s.conn.Close() //nolint:errcheck,gosec // it is being given up
	})
}

// frame is what an app sends on a socket.
type ackFrame struct {
	EnvelopeID string          `json:"envelope_id"`
	Payload    json.RawMessage `json:"payload"`
}

// hijacker hands the WebSocket library a connection whose frames are watched.
type hijacker struct {
	http.ResponseWriter
	conn *frameWatcher
}

// Hijack takes over the connection of the request.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("hijack the connection: %w", err)
	}
	h.conn = &frameWatcher{Conn: conn}
	// A reader over the watcher replaces the server's, which would read past it.
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), rw.Writer), nil
}
