package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rootcheck-bot/rootcheck/bot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
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

// counting counts how often each request was withdrawn.
type counting struct {
	*verbs
	mu   sync.Mutex
	done map[remediation.RequestID]int
}

func (c *counting) Cancel(_ context.Context, _ commands.Actor, id remediation.RequestID, _ int) (remediation.Request, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[id]++
	return remediation.Request{}, nil
}

func (c *counting) times(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done[remediation.RequestID(id)]
}

// soak is the edge and a workspace in simulated time, joined by pipes.
type soak struct {
	*testing.T
	ws    *slacksim.Workspace
	bot   *bot.Bot
	verbs *counting
	store *store
	card  string
	clock time.Time // when it began
}

// soaking runs f in a bubble. Nothing of it is left when it returns, or the bubble fails.
func soaking(t *testing.T, f func(*soak)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ws := slacksim.New(slacksim.Config{Now: time.Now, BaseURL: "http://127.0.0.1", DisableRateLimits: true, Seed: 1})
		slacksim.Demo(ws)
		listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		srv := &http.Server{Handler: ws.API()}
		var serving sync.WaitGroup
		serving.Go(func() { srv.Serve(listener) })
		transport := &http.Transport{DialContext: listener.dial}
		var ids atomic.Int64
		space, err := bot.Connect(t.Context(), bot.Config{
			BotToken: "xoxb-demo", AppToken: "xapp-demo", APIURL: "http://127.0.0.1/slack/api/", Channel: room,
			HTTP: &http.Client{Timeout: 15 * time.Second, Transport: transport}, Now: time.Now,
			NewID: func() string { return fmt.Sprintf("t-%d", ids.Add(1)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		s := &soak{T: t, ws: ws, verbs: &counting{verbs: &verbs{now: time.Now}, done: map[remediation.RequestID]int{}}, store: newStore(), clock: time.Now()}
		if s.bot, err = bot.New(space, s.verbs, s.store, s.store); err != nil {
			t.Fatal(err)
		}
		body, _ := json.Marshal(commands.Work{Source: "acme", Account: account})
		draw := commands.Lease{Item: commands.Item{Key: "card/acme/" + string(account), Kind: commands.KindNew, Body: body}, Attempts: 1}
		if _, err := s.bot.Handlers()[commands.KindNew](t.Context(), draw); err != nil {
			t.Fatal(err)
		}
		for _, ref := range s.store.board {
			s.card = ref.TS
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.bot.Run(ctx) }()
		time.Sleep(5 * time.Second)
		f(s)
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ws.Close()
		srv.Close()
		listener.Close()
		transport.CloseIdleConnections()
		serving.Wait()
	})
}

// click withdraws a request that nobody else withdraws, and reports whether the person saw it taken.
func (s *soak) click(id string) bool {
	value, _ := json.Marshal(id + "|1")
	o, err := s.ws.Click(slacksim.ClickRequest{
		User: ben, Channel: room, TS: s.card, ActionID: "remediation.cancel", BlockID: "b", Value: value, Force: true,
	})
	if err != nil {
		s.Error(err)
	}
	return o.Acked
}

func (s *soak) inject(f slacksim.Fault) {
	if err := s.ws.Inject(f); err != nil {
		s.Error(err)
	}
}

// opened is how often Slack was asked for a connection since a time.
func (s *soak) opened(since time.Time) int {
	n := 0
	for _, c := range s.ws.Calls() {
		if c.Method == "apps.connections.open" && c.At.After(since) {
			n++
		}
	}
	return n
}

// trouble orders what is wrong with Slack in a minute, and returns until when clicks may fail because no connection that
// passes anything is sure to be there.
func (s *soak) trouble(minute int, r *rand.Rand) (excused time.Time) {
	if minute%7 == 0 {
		notices := []time.Duration{-1, 0, 14 * time.Second} // none, the usual ten seconds, more
		s.inject(slacksim.Fault{Kind: "refresh", For: notices[r.IntN(len(notices))]})
	}
	switch r.IntN(60) {
	case 0:
		s.inject(slacksim.Fault{Kind: "disconnect", One: true})
	case 1: // Slack cannot know, and chooses that connection for half of the clicks
		s.inject(slacksim.Fault{Kind: "half_open", One: true})
		return time.Now().Add(20 * time.Second)
	case 2:
		s.inject(slacksim.Fault{Kind: "rate_limit", Method: "apps.connections.open", For: time.Minute})
		s.inject(slacksim.Fault{Kind: "disconnect", One: true})
	case 3:
		s.inject(slacksim.Fault{Kind: "too_many_websockets", For: 2 * time.Minute})
		s.inject(slacksim.Fault{Kind: "disconnect", One: true})
	case 4:
		s.inject(slacksim.Fault{Kind: "lose_acks", For: 20 * time.Second})
	case 5:
		s.inject(slacksim.Fault{Kind: "duplicate", For: time.Minute})
	case 6:
		s.inject(slacksim.Fault{Kind: "broadcast", For: time.Minute})
	case 7:
		s.inject(slacksim.Fault{Kind: "http_500", For: 30 * time.Second})
	case 8: // everything at once
		s.inject(slacksim.Fault{Kind: "disconnect", For: time.Duration(r.IntN(60)) * time.Second})
	}
	return time.Time{}
}

// TestDaysOfTroubleLoseNoClickAndDoNothingTwice clicks for simulated days while connections are recycled, cut, silent or
// refused, acknowledgements are lost and envelopes are sent twice. ROOTCHECK_PROOF=full makes it thirty days.
func TestDaysOfTroubleLoseNoClickAndDoNothingTwice(t *testing.T) {
	days := 1
	switch {
	case os.Getenv("ROOTCHECK_PROOF") != "":
		days = 30
	case testing.Short():
		days = 0
	}
	soaking(t, func(s *soak) {
		s.inject(slacksim.Fault{Kind: "drop_ephemeral", For: 1000 * time.Hour}) // two hundred thousand answers fill the memory
		r := rand.New(rand.NewPCG(uint64(days), 7))
		var clicking sync.WaitGroup
		var clicks, seen, unsure, away atomic.Int64
		var excused time.Time
		for minute := range max(days*24*60, 90) {
			time.Sleep(time.Second) // what is on its way when a connection is cut is lost with it, and nobody can help it
			if until := s.trouble(minute, r); until.After(excused) {
				excused = until
			}
			for i := range 5 {
				time.Sleep(time.Duration(r.IntN(24_000)) * time.Millisecond)
				id, sure := fmt.Sprintf("r-%d-%d", minute, i), time.Now().After(excused)
				clicking.Go(func() {
					clicks.Add(1)
					live := s.ws.Connections() > 0
					taken := s.click(id)
					time.Sleep(time.Minute) // what the bot needs for its answer when Slack is slow
					switch done := s.verbs.times(id); {
					case done > 1:
						s.Errorf("%s: a click took effect %d times", id, done)
					case taken && done == 0:
						s.Errorf("%s: an acknowledged click had no effect", id)
					case taken:
						seen.Add(1)
					case done == 1:
						unsure.Add(1) // the acknowledgement was lost: the person saw an error, and presses again
					case live && sure && s.ws.Connections() > 0:
						s.Errorf("%s at %s: a click was lost", id, time.Since(s.clock))
					default:
						away.Add(1)
					}
				})
			}
		}
		clicking.Wait()
		s.Logf("%d clicks in %d days: %d acknowledged, %d done whose acknowledgement was lost, %d with no connection that works",
			clicks.Load(), days, seen.Load(), unsure.Load(), away.Load())
		if away.Load() > clicks.Load()/50 {
			s.Errorf("%d of %d clicks found no connection", away.Load(), clicks.Load())
		}
		time.Sleep(2 * time.Minute)
		if n := s.ws.Connections(); n != 2 {
			s.Errorf("%d connections at the end", n)
		}
	})
}

// TestASlackThatIsAwayIsAskedRarelyAndFoundAtOnce takes Slack away for ten minutes, in the ways in which it goes.
func TestASlackThatIsAwayIsAskedRarelyAndFoundAtOnce(t *testing.T) {
	for kind, f := range map[string]slacksim.Fault{
		"it refuses connections":       {Kind: "disconnect", For: 10 * time.Minute},
		"it has too many of them":      {Kind: "too_many_websockets", For: 10 * time.Minute},
		"Socket Mode is switched off":  {Kind: "link_disabled", For: 10 * time.Minute},
		"its Web API breaks":           {Kind: "http_500", For: 10 * time.Minute},
		"its Web API answers with 429": {Kind: "rate_limit", For: 10 * time.Minute},
	} {
		t.Run(kind, func(t *testing.T) {
			soaking(t, func(s *soak) {
				time.Sleep(2 * time.Minute)
				since := time.Now()
				s.inject(f)
				s.inject(slacksim.Fault{Kind: "disconnect"})
				time.Sleep(10 * time.Minute)
				asked := s.opened(since)
				back := time.Now()
				for s.ws.Connections() == 0 && time.Since(back) < time.Minute {
					time.Sleep(100 * time.Millisecond)
				}
				s.Logf("asked %d times in ten minutes, back after %s", asked, time.Since(back))
				if asked > 25 {
					s.Errorf("Slack was asked for a connection %d times in ten minutes", asked)
				}
				if took := time.Since(back); took > 35*time.Second {
					s.Errorf("the bot was back %s after Slack", took)
				}
				if !s.click("r-after") {
					s.Error("the first click was not taken")
				}
			})
		})
	}
}

// TestHandlersThatHangDelayNoAcknowledgement lets every answer of Slack hang for two minutes, with all workers stuck in one.
func TestHandlersThatHangDelayNoAcknowledgement(t *testing.T) {
	const clicks = 54
	soaking(t, func(s *soak) {
		s.inject(slacksim.Fault{Kind: "slow", Latency: 2 * time.Minute, For: 10 * time.Minute})
		s.ws.ForgetAcks()
		for i := range clicks {
			if !s.click(fmt.Sprint("r-", i)) {
				s.Errorf("click %d was not acknowledged", i)
			}
			time.Sleep(time.Second)
		}
		for _, a := range s.ws.Acks() {
			if a.Outcome != "acked" || a.Millis > 100 {
				s.Errorf("an envelope was %s after %.0f ms", a.Outcome, a.Millis)
			}
		}
		s.inject(slacksim.Fault{Kind: "clear"})
		time.Sleep(30 * time.Minute)
		for i := range clicks {
			if n := s.verbs.times(fmt.Sprint("r-", i)); n != 1 {
				s.Errorf("click %d took effect %d times", i, n)
			}
		}
	})
}

// TestWhatNobodySendsIsAcknowledgedAndSurvived sends what Slack does not, so that it does not send it again and again.
func TestWhatNobodySendsIsAcknowledgedAndSurvived(t *testing.T) {
	soaking(t, func(s *soak) {
		long := strings.Repeat("x", 1<<20)
		for name, e := range map[string]struct{ kind, payload string }{
			"an envelope without a payload":       {"interactive", ""},
			"a payload that is null":              {"slash_commands", "null"},
			"a payload that is a list":            {"events_api", "[]"},
			"a payload that is empty":             {"interactive", "{}"},
			"a kind that nobody knows":            {"news", `{"type":"x"}`},
			"a message of a megabyte":             {"interactive", `{"type":"block_actions","trigger_id":"1.1","message":{"text":"` + long + `"}}`},
			"a trigger of a megabyte":             {"interactive", `{"type":"block_actions","trigger_id":"` + long + `"}`},
			"an event whose id is no text":        {"events_api", `{"event_id":17,"event":{"type":"app_home_opened"}}`},
			"an event with a zero byte":           {"events_api", `{"event_id":"a\u0000b","event":{}}`},
			"fields of types that nobody expects": {"interactive", `{"type":7,"actions":"none","user":[],"team":3}`},
			"nine thousand levels":                {"interactive", `{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`},
		} {
			if o := s.ws.Emit(e.kind, json.RawMessage(e.payload)); !o.Acked {
				s.Errorf("%s was not acknowledged: %+v", name, o)
			}
		}
		time.Sleep(time.Minute)
		if n := s.store.waiting(); n > 0 {
			s.Errorf("%d envelopes are left", n)
		}
		if n := s.opened(s.clock); n > 2 {
			s.Errorf("a connection was given up: %d were opened", n)
		}
		if !s.click("r-after") {
			s.Error("the click after them was not acknowledged")
		}
	})
}

// TestAStormOfLongMessagesIsTaken sends more at once than is kept in memory before its commit.
func TestAStormOfLongMessagesIsTaken(t *testing.T) {
	soaking(t, func(s *soak) {
		long := strings.Repeat("x", 1<<20)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				o := s.ws.Emit("interactive", json.RawMessage(fmt.Sprintf(
					`{"type":"block_actions","trigger_id":"1.%d","api_app_id":"A0OTHER","message":{"text":%q}}`, i, long)))
				if !o.Acked {
					s.Errorf("%+v", o)
				}
			})
		}
		all.Wait()
	})
}
