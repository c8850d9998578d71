package bot

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// flapping is a Slack that gives out the address of a socket whose server accepts and closes.
type flapping struct {
	address string
	opened  atomic.Int64
}

func (f *flapping) RoundTrip(*http.Request) (*http.Response, error) {
	f.opened.Add(1)
	body := io.NopCloser(strings.NewReader(`{"ok":true,"url":"ws://` + f.address + `/"}`))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}

// A library that reconnects at once was seen to ask 575 times a second. Slack's limit for the method is not published for
// certain.
func TestASlackThatAcceptsAndClosesIsAskedAtMostTwentyFiveTimesInTenMinutes(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	f := &flapping{address: listener.Addr().String()}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
		defer stop()
		s := &sockets{
			cfg: Config{
				BotToken: "xoxb-1", AppToken: "xapp-1", APIURL: "http://127.0.0.1/api/", Sockets: 2, Stagger: time.Second,
				HTTP: &http.Client{Transport: f}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			},
			receive: func(*socket, frame) {}, alive: map[*socket]time.Time{},
		}
		if err := s.run(ctx); err != nil {
			t.Error(err)
		}
	})
	if n := f.opened.Load(); n > 25 || n < 15 {
		t.Errorf("Slack was asked %d times in ten minutes, want at most 25, and often enough to be back within 35 s", n)
	}
	t.Logf("%d connections were asked for in ten minutes", f.opened.Load())
}

func TestASocketThatLivedComesBackWithoutWaitingForOneThatFlaps(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	s := &sockets{cfg: Config{Sockets: 2, Now: func() time.Time { return now }}}
	for range 8 {
		now = now.Add(s.turn(false, 0))
	}
	if hold := s.turn(false, 0); hold < maxBackOff || hold > 35*time.Second {
		t.Errorf("a flapping socket waits %s, want half a minute", hold)
	}
	if hold := s.turn(true, 0); hold < minBackOff || hold > 2*minBackOff {
		t.Errorf("a socket that lived waits %s, want about a second", hold)
	}
	if hold := s.turn(false, time.Minute); hold < time.Minute {
		t.Errorf("after Retry-After: 60 it waits %s", hold)
	}
}
