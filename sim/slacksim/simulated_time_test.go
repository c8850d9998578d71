package slacksim_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// pipes is a listener whose connections are net.Pipes, which simulated time can wait on.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, errors.New("the server has closed")
	}
}

func TestADayInSimulatedTimeLosesNoClick(t *testing.T) {
	hours := 24
	if testing.Short() {
		hours = 1
	}
	synctest.Test(t, func(t *testing.T) {
		w := slacksim.New(slacksim.Config{Now: time.Now, BaseURL: "http://127.0.0.1", DisableRateLimits: true})
		slacksim.Demo(w)
		listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		srv := &http.Server{Handler: w.API()}
		var wg sync.WaitGroup
		wg.Go(func() { srv.Serve(listener) })
		transport := &http.Transport{DialContext: listener.dial}
		api := slack.New("xoxb-demo", slack.OptionAppLevelToken("xapp-demo"), slack.OptionAPIURL("http://127.0.0.1/slack/api/"),
			slack.OptionHTTPClient(&http.Client{Transport: transport}))
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			sm := socketmode.New(api, socketmode.OptionDialer(&websocket.Dialer{NetDialContext: listener.dial, WriteBufferSize: 32 << 10}))
			wg.Go(func() { sm.RunContext(ctx) })
			wg.Go(func() {
				for {
					select {
					case <-ctx.Done():
						return
					case ev := <-sm.Events:
						if ev.Request != nil && ev.Request.EnvelopeID != "" {
							sm.Ack(*ev.Request)
						}
					}
				}
			})
		}
		synctest.Wait()
		_, ts, err := api.PostMessage(slacksim.ChannelRoot, text("x"), slack.MsgOptionBlocks(buttons("go")))
		if err != nil {
			t.Fatal(err)
		}
		clicks, lost := 0, 0
		for minute := range hours * 60 {
			if minute%7 == 0 {
				w.Inject(slacksim.Fault{Kind: "refresh"})
			}
			time.Sleep(time.Minute)
			out, err := w.Click(slacksim.ClickRequest{User: slacksim.UserBen, Channel: slacksim.ChannelRoot, TS: ts, ActionID: "go"})
			if err != nil {
				t.Fatal(err)
			}
			if clicks++; !out.OK {
				lost++
			}
		}
		if lost > 0 || w.Connections() != 2 {
			t.Errorf("%d of %d clicks were lost; %d connections at the end", lost, clicks, w.Connections())
		}
		cancel()
		w.Close()
		srv.Close()
		listener.Close()
		transport.CloseIdleConnections()
		wg.Wait()
	})
}
