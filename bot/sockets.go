package bot

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// This file keeps the sockets open. The rules are:
//   - Several sockets overlap, because Slack delivers a click once and loses it when no socket is open.
//   - A socket is used for one connection. The library would reconnect at once and for ever; here each reconnection waits
//     for the back-off, however the connection ended.
//   - Connections that do not live share one back-off: two sockets that flap ask Slack no more often than one.
//   - An acknowledgement leaves by the socket that brought the envelope.
//   - What reconnecting cannot heal ends the bot with a sentence.

// The back-off between two connections. It begins anew after a connection that lived.
const (
	minBackOff = time.Second
	maxBackOff = 30 * time.Second
	livedLong  = 60 * time.Second
)

// fatalSentence says what to do about an error that trying again cannot heal.
func fatalSentence(c, setting string) (string, bool) {
	switch c {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return "Slack refuses " + setting + " (" + c + "): create a new token in the app's settings and set it", true
	case "not_allowed_token_type":
		return "Slack refuses the type of " + setting + ": the bot token begins with xoxb-, the app-level token with xapp-", true
	case "missing_scope":
		return setting + " lacks a scope (" + c + "): give the app-level token connections:write, and reinstall the app from manifest.yaml", true
	case "team_access_not_granted":
		return "the app is not installed in this workspace: install it and copy the new tokens", true
	case "no_permission", "link_disabled", "socket_mode_disabled", "socket_mode_not_enabled":
		return "Slack lets the app open no socket (" + c + "): switch Socket Mode on in the app's settings, and give the app-level token connections:write", true
	default:
		return "", false
	}
}

// passing reports whether an error may heal by itself in a bot that has already been connected: somebody switched Socket
// Mode off, and may switch it on again.
func passing(c string) bool {
	return c == "no_permission" || c == "link_disabled" || c == "socket_mode_disabled" || c == "socket_mode_not_enabled"
}

// oneOpening lets a client ask for one connection. When that one has ended, the library's own attempt to get the next
// fails here, which hands the decision to the supervisor.
type oneOpening struct {
	next *http.Client
	used atomic.Bool
}

var errOneLife = errors.New("the connection has ended")

func (o *oneOpening) Do(r *http.Request) (*http.Response, error) {
	if o.used.Swap(true) {
		return nil, errOneLife
	}
	return o.next.Do(r) //nolint:gosec // the address is the operator's own setting
}

// silent keeps the library's own log away: it would write tickets, which are secrets, to the standard error.
type silent struct{}

// Output writes nothing.
func (silent) Output(int, string) error { return nil }

// sockets supervises all sockets.
type sockets struct {
	cfg     Config
	receive func(socket, socketmode.Event) // outlives the socket's own context

	mu    sync.Mutex
	wait  time.Duration     // the back-off of the next reconnection; zero: nothing has failed yet
	next  time.Time         // before it nothing is opened again
	alive map[int]time.Time // by socket: the last hello
	once  bool              // a socket has been open
	app   string            // the app's id, as a hello named it
}

// socket is one connection, as far as an envelope needs it.
type socket interface {
	AckCtx(ctx context.Context, id string, payload any) error
}

// run keeps the sockets open until the context ends or an error is fatal.
func (s *sockets) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for n := range s.cfg.Sockets {
		wg.Go(func() {
			if pause(ctx, time.Duration(n)*s.cfg.Stagger) != nil || s.failing() && pause(ctx, s.turn(false, 0)) != nil {
				return
			}
			if err := s.keep(ctx, n); err != nil {
				stop(err)
			}
		})
	}
	wg.Wait()
	if fatal, ok := errors.AsType[*SetupError](context.Cause(ctx)); ok {
		return fatal
	}
	return nil
}

// failing reports whether a connection has ended before another socket's first began.
func (s *sockets) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wait > 0
}

// turn is how long a socket waits before it opens its next connection: at least as long as Slack asked for, and after
// whichever socket waits already. One whose connection lived waits for nobody.
func (s *sockets) turn(lived bool, least time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	if lived || s.wait == 0 {
		s.wait, s.next = minBackOff, now
	}
	hold := max(s.wait, least)
	hold += rand.N(hold/8 + 1) //nolint:gosec // jitter needs no secrecy
	s.wait = min(2*s.wait, maxBackOff)
	if ahead := s.next.Sub(now); ahead < 0 || ahead > time.Duration(s.cfg.Sockets)*2*maxBackOff {
		s.next = now // it has passed, or the clock was set
	}
	s.next = s.next.Add(hold)
	return s.next.Sub(now)
}

// keep opens one connection after the other. It returns only what is fatal.
func (s *sockets) keep(ctx context.Context, n int) error {
	for ctx.Err() == nil {
		var lived atomic.Bool
		old := time.AfterFunc(livedLong, func() { lived.Store(true) })
		err := s.live(ctx, n)
		old.Stop()
		if ctx.Err() != nil {
			break
		}
		if sentence, fatal := fatalSentence(errorWord(err), "SLACK_APP_TOKEN"); fatal {
			if !s.opened() || !passing(errorWord(err)) {
				return &SetupError{sentence}
			}
			s.cfg.Log.ErrorContext(ctx, "Slack lets no socket open", "fix", sentence)
		}
		var least time.Duration
		if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
			least = limited.RetryAfter
		}
		hold := s.turn(lived.Load(), least)
		s.cfg.Log.InfoContext(ctx, "socket closed", "socket", n, "reconnect_in", hold, "error", err)
		if pause(ctx, hold) != nil {
			break
		}
	}
	return nil //nolint:nilerr // the context has ended, which is how keeping ends
}

// errorWord is the word by which Slack named an error. The library makes some of them plain errors.
func errorWord(err error) string {
	if c := code(err); c != "" {
		return c
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// live opens one connection, hands on what it brings, and returns when it has ended.
func (s *sockets) live(ctx context.Context, n int) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	api := slack.New(s.cfg.BotToken, slack.OptionAppLevelToken(s.cfg.AppToken), slack.OptionAPIURL(s.cfg.APIURL),
		slack.OptionHTTPClient(&oneOpening{next: s.cfg.HTTP}))
	sm := socketmode.New(api, socketmode.OptionLog(silent{}))
	ended := make(chan error, 1)
	go func() { ended <- sm.RunContext(ctx) }()
	defer s.down(n)
	var why error
	for {
		select {
		case err := <-ended:
			if why != nil {
				return why
			}
			return err
		case e := <-sm.Events:
			if failed, ok := e.Data.(*slack.ConnectionErrorEvent); ok {
				if !errors.Is(failed.ErrorObj, errOneLife) {
					why = failed.ErrorObj
				}
				stop()
			}
			s.event(ctx, n, sm, e)
		}
	}
}

// event hands on what a socket brought.
func (s *sockets) event(ctx context.Context, n int, sm socket, e socketmode.Event) {
	if b, ok := e.Data.(*socketmode.ErrorBadMessage); ok {
		s.bad(ctx, sm, b)
		return
	}
	if e.Type == socketmode.EventTypeHello {
		s.up(ctx, n, e.Request)
		return
	}
	s.receive(sm, e)
}

// bad acknowledges an envelope that cannot be read, so that Slack does not send it again and again.
func (s *sockets) bad(ctx context.Context, sm socket, b *socketmode.ErrorBadMessage) {
	var named struct {
		ID string `json:"envelope_id"`
	}
	s.cfg.Log.WarnContext(ctx, "envelope could not be read", "error", b.Cause)
	if json.Unmarshal(b.Message, &named) != nil || named.ID == "" {
		return
	}
	if err := ack(ctx, sm, named.ID, nil); err != nil {
		s.cfg.Log.WarnContext(ctx, "envelope could not be acknowledged", "error", err)
	}
}

// ack sends an acknowledgement. The library's own waits for ever when the socket is stuck.
func ack(ctx context.Context, s socket, id string, payload any) error {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	return s.AckCtx(ctx, id, payload)
}

func (s *sockets) up(ctx context.Context, n int, r *socketmode.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive[n], s.once = s.cfg.Now(), true
	if r != nil && r.ConnectionInfo.AppID != "" {
		s.app = r.ConnectionInfo.AppID
	}
	open := 0
	if r != nil {
		open = r.NumConnections
	}
	s.cfg.Log.InfoContext(ctx, "socket open", "socket", n, "connections", open)
}

// opened reports whether any socket has ever been open.
func (s *sockets) opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.once
}

func (s *sockets) down(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alive, n)
}

// health is how many sockets are open and when the last one opened.
func (s *sockets) health() (open int, last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.alive {
		if t.After(last) {
			last = t
		}
	}
	return len(s.alive), last
}

func (s *sockets) appID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.app
}
