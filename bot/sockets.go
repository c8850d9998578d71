package bot

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"
)

// This file keeps the sockets open. The rules are:
//   - Several sockets overlap, because Slack delivers a click once and loses it when no socket is open.
//   - Each reconnection waits for the back-off, however the connection ended: a server that accepts and closes is not asked
//     hundreds of times a second.
//   - Connections that do not live share one back-off: two sockets that flap ask Slack no more often than one.
//   - An acknowledgement leaves by the socket that brought the envelope, or by another when that one has broken.
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

// sockets supervises all sockets.
type sockets struct {
	cfg     Config
	receive func(*socket, frame) // takes an envelope; it may use the frame until it returns

	living sync.WaitGroup // the connections that are read

	mu    sync.Mutex
	wait  time.Duration         // the back-off of the next reconnection; zero: nothing has failed yet
	next  time.Time             // before it nothing is opened again
	alive map[*socket]time.Time // the connections that are in use, with their hello
	once  bool                  // a socket has been open
	app   string                // the app's id, as a hello named it
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
	stop(nil)
	s.living.Wait()
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

// live opens one connection and returns when it has ended, or when Slack asks for another. What Slack still sends on it
// is taken meanwhile.
func (s *sockets) live(ctx context.Context, n int) error {
	one, err := dial(ctx, s.cfg)
	if err != nil {
		return err
	}
	defer s.down(one)
	ended := make(chan error, 1)
	s.living.Go(func() {
		ended <- one.read(ctx, func(data []byte) { s.take(ctx, n, one, data) })
	})
	select {
	case err := <-ended:
		return err
	case <-one.leaving:
		return errors.New(one.reason)
	}
}

// take hands on what a connection brought.
func (s *sockets) take(ctx context.Context, n int, one *socket, data []byte) {
	f, err := openFrame(data)
	switch {
	case err != nil:
		s.cfg.Log.WarnContext(ctx, "frame could not be read", "socket", n, "error", err)
		one.unreadable()
	case f.kind == "hello":
		s.up(ctx, n, one, f)
	case f.kind == "disconnect":
		one.leave(ctx, f.reason)
	case f.id == "":
		s.cfg.Log.InfoContext(ctx, "frame of an unknown kind", "socket", n, "kind", f.kind)
	case !f.payload.IsObject() || f.kind != "interactive" && f.kind != "slash_commands" && f.kind != "events_api":
		// Nobody could ever do anything with it. Slack would send it again and again.
		s.cfg.Log.WarnContext(ctx, "envelope could not be read", "socket", n, "kind", f.kind)
		s.ack(ctx, one, f.id, nil)
	default:
		s.receive(one, f)
	}
}

// ack acknowledges an envelope on the connection that brought it or, where that has broken, on each other: Slack's own
// clients do the same. Nothing more can be done about one that fails.
func (s *sockets) ack(ctx context.Context, one *socket, id string, payload any) {
	err := one.ack(ctx, id, payload)
	if err == nil {
		return
	}
	s.cfg.Log.WarnContext(ctx, "envelope could not be acknowledged on its socket", "error", err)
	if errors.Is(err, errAnswerLeftOut) {
		return
	}
	for _, other := range s.others(one) {
		if other.ack(ctx, id, payload) == nil {
			return
		}
	}
}

// others are the connections in use besides one.
func (s *sockets) others(one *socket) []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*socket
	for other := range s.alive {
		if other != one {
			all = append(all, other)
		}
	}
	return all
}

func (s *sockets) up(ctx context.Context, n int, one *socket, hello frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive[one], s.once = s.cfg.Now(), true
	if hello.app != "" {
		s.app = hello.app
	}
	s.cfg.Log.InfoContext(ctx, "socket open", "socket", n, "connections", hello.open)
}

// opened reports whether any socket has ever been open.
func (s *sockets) opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.once
}

func (s *sockets) down(one *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alive, one)
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
