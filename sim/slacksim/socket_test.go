package slacksim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// raw is a bare Socket Mode connection, for what a library would not do.
type raw struct {
	*websocket.Conn
	tb testing.TB
}

func (r *rig) dial(tb testing.TB) *raw {
	tb.Helper()
	_, u, err := r.api.StartSocketModeContext(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	// The library's usual buffer of 4 KiB would fragment larger messages.
	dialer := websocket.Dialer{WriteBufferSize: 64 << 10}
	conn, resp, err := dialer.Dial(u, nil)
	if err != nil {
		tb.Fatal(err)
	}
	resp.Body.Close()
	tb.Cleanup(func() { conn.Close() })
	return &raw{conn, tb}
}

// frame reads the next JSON frame.
func (c *raw) frame() map[string]any {
	c.tb.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	var out map[string]any
	if err := c.ReadJSON(&out); err != nil {
		c.tb.Fatal(err)
	}
	return out
}

func (c *raw) hello() *raw {
	c.tb.Helper()
	if got := c.frame(); got["type"] != "hello" {
		c.tb.Fatalf("the first frame is %v", got)
	}
	return c
}

func (c *raw) ack(f map[string]any) {
	c.tb.Helper()
	if err := c.WriteJSON(map[string]any{"envelope_id": f["envelope_id"]}); err != nil {
		c.tb.Fatal(err)
	}
}

// fragments sends body in two frames, masked with zeroes (RFC 6455 §5.2), under the library.
func (c *raw) fragments(body string) {
	half := len(body) / 2
	for i, part := range []string{body[:half], body[half:]} {
		first := byte(0x01) // text, more to come
		if i == 1 {
			first = 0x80 // continuation, final
		}
		head := []byte{first, 0x80 | 126, byte(len(part) >> 8), byte(len(part)), 0, 0, 0, 0}
		if _, err := c.NetConn().Write(append(head, part...)); err != nil {
			c.tb.Error(err)
		}
	}
}

func impatient(c *slacksim.Config) { c.AckTimeout = 250 * time.Millisecond }

func (r *rig) command(user, text string) (slacksim.Outcome, error) {
	return r.Command(slacksim.CommandRequest{User: user, Channel: slacksim.ChannelRoot, Command: "/rootcheck", Text: text})
}

func outcomes(r *rig) string {
	var out []string
	for _, a := range r.Acks() {
		out = append(out, a.Outcome)
	}
	return strings.Join(out, " ")
}

func TestATicketOpensOneConnection(t *testing.T) {
	r := newRig(t, nil)
	_, u, err := r.api.StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, resp, err := websocket.DefaultDialer.Dial(u, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	resp.Body.Close()
	_, resp, err = websocket.DefaultDialer.Dial(u, nil)
	if err == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("the second use of a ticket: %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestTheEleventhConnectionIsTurnedAway(t *testing.T) {
	r := newRig(t, nil)
	for i := range 10 {
		hello := r.dial(t).frame()
		if hello["type"] != "hello" || hello["num_connections"] != float64(i+1) {
			t.Fatalf("connection %d was greeted with %v", i+1, hello)
		}
	}
	last := r.dial(t)
	if got := last.frame(); got["type"] != "disconnect" || got["reason"] != "too_many_websockets" {
		t.Errorf("the eleventh got %v", got)
	}
	if _, _, err := last.ReadMessage(); err == nil {
		t.Error("the eleventh stayed open")
	}
	if n := r.Connections(); n != 10 {
		t.Errorf("%d connections are left", n)
	}
}

func TestAnEnvelopeGoesToOneConnectionAndUnderBroadcastToAll(t *testing.T) {
	r := newRig(t, nil)
	var mu sync.Mutex
	got := map[int]int{}
	for i := range 3 {
		c := r.dial(t).hello()
		go func() {
			for {
				var f map[string]any
				if c.ReadJSON(&f) != nil {
					return
				}
				mu.Lock()
				got[i]++
				c.WriteJSON(map[string]any{"envelope_id": f["envelope_id"]})
				mu.Unlock()
			}
		}()
	}
	for range 60 {
		if out, err := r.command(slacksim.UserAna, ""); err != nil || !out.OK {
			t.Fatal(out, err)
		}
	}
	mu.Lock()
	if got[0]+got[1]+got[2] != 60 || got[0] == 0 || got[1] == 0 || got[2] == 0 {
		t.Errorf("60 envelopes were spread as %v", got)
	}
	clear(got)
	mu.Unlock()
	if err := r.Inject(slacksim.Fault{Kind: "broadcast"}); err != nil {
		t.Fatal(err)
	}
	r.command(slacksim.UserAna, "")
	eventually(t, "each connection has the envelope", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return got[0] == 1 && got[1] == 1 && got[2] == 1
	})
	eventually(t, "the other two answers are duplicates", func() bool { return strings.HasSuffix(outcomes(r), "acked duplicate duplicate") })
}

func TestAnswersThatSlackWouldDropAreDropped(t *testing.T) {
	r := newRig(t, impatient)
	c := r.dial(t).hello()
	answer := func(f map[string]any, size int, fragment bool) {
		body := fmt.Sprintf(`{"envelope_id":%q,"payload":{"text":""}}`, f["envelope_id"])
		body = strings.Replace(body, `""`, `"`+strings.Repeat("x", size-len(body))+`"`, 1)
		if !fragment {
			c.WriteMessage(websocket.TextMessage, []byte(body))
			return
		}
		c.fragments(body)
	}
	for _, tc := range []struct {
		what     string
		size     int
		fragment bool
		want     string
	}{
		{"one byte under the limit", 20_479, false, "acked"},
		{"at the limit", 20_480, false, "too_large timeout"},
		{"in fragments", 10_000, true, "fragmented timeout"},
	} {
		r.ForgetAcks()
		done := make(chan slacksim.Outcome)
		go func() {
			out, _ := r.command(slacksim.UserAna, "")
			done <- out
		}()
		answer(c.frame(), tc.size, tc.fragment)
		out := <-done
		if got := outcomes(r); got != tc.want || out.Acked != (tc.want == "acked") {
			t.Errorf("an answer %s: %s, want %s", tc.what, got, tc.want)
		}
	}
}

func TestLateRepeatedAndUnknownAnswersAreTold(t *testing.T) {
	r := newRig(t, impatient)
	c := r.dial(t).hello()
	out, err := r.command(slacksim.UserAna, "")
	if err != nil || out.Acked || out.OK {
		t.Fatal(out, err)
	}
	f := c.frame()
	c.ack(f)
	eventually(t, "the late answer is told", func() bool { return outcomes(r) == "timeout late" })
	if got := r.Errors(); len(got) != 1 || got[0].User != slacksim.UserAna || !strings.Contains(got[0].What, "/rootcheck failed") {
		t.Errorf("Ana saw %+v", got)
	}
	go r.command(slacksim.UserBen, "")
	f = c.frame()
	c.ack(f)
	c.ack(f)
	c.ack(map[string]any{"envelope_id": "never-sent"})
	c.WriteMessage(websocket.TextMessage, []byte("{"))
	eventually(t, "all are told", func() bool { return outcomes(r) == "timeout late acked duplicate unknown malformed" })
}

func TestWithoutAConnectionAPersonSeesAnError(t *testing.T) {
	r := newRig(t, nil)
	out, err := r.command(slacksim.UserAna, "")
	if err != nil || out.Acked || out.Error == "" || len(r.Errors()) != 1 {
		t.Errorf("got %+v, %v, and %v", out, err, r.Errors())
	}
	if !r.Quiet() {
		t.Error("a slash command is tried again")
	}
}

func TestAnEventIsTriedFourTimesOnTheWorkspacesClock(t *testing.T) {
	r := newRig(t, impatient)
	c := r.dial(t).hello()
	out, err := r.OpenHome(slacksim.UserAna)
	if err != nil || out.Acked {
		t.Fatal(out, err)
	}
	ids := map[string]bool{}
	attempt := func(n int, reason string) {
		t.Helper()
		f := c.frame()
		if f["retry_attempt"] != float64(n) || f["retry_reason"] != reason || f["type"] != "events_api" {
			t.Fatalf("attempt %d came as %v", n, f)
		}
		payload, _ := f["payload"].(map[string]any)
		ids[fmt.Sprint(payload["event_id"])] = true
	}
	attempt(0, "")
	attempt(1, "timeout")
	eventually(t, "attempt 1 is over", func() bool { return outcomes(r) == "timeout timeout" })
	if r.Quiet() {
		t.Fatal("the workspace is quiet before the last attempts")
	}
	r.clock.Advance(time.Minute)
	attempt(2, "timeout")
	eventually(t, "attempt 2 is over", func() bool { return outcomes(r) == "timeout timeout timeout" })
	r.clock.Advance(4 * time.Minute)
	attempt(3, "timeout")
	eventually(t, "it is given up", r.Quiet)
	if len(ids) != 1 {
		t.Errorf("the attempts have the event ids %v", ids)
	}
}

func TestAnEventWaitsForTheAppToConnect(t *testing.T) {
	r := newRig(t, impatient)
	if out, err := r.OpenHome(slacksim.UserKim); err != nil || out.Acked {
		t.Fatal(out, err)
	}
	got := make(chan string, 4)
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) {
		c.Ack(*ev.Request)
		got <- string(ev.Request.Payload)
	})
	r.clock.Advance(time.Minute)
	if p := <-got; !strings.Contains(p, slacksim.UserKim) {
		t.Errorf("the app got %s", p)
	}
	eventually(t, "the workspace is quiet", r.Quiet)
}

func TestARefreshWarnsThenDisconnects(t *testing.T) {
	r := newRig(t, nil)
	old, young := r.dial(t).hello(), r.dial(t).hello()
	r.Inject(slacksim.Fault{Kind: "refresh", For: 20 * time.Millisecond})
	for _, want := range []string{"warning", "refresh_requested"} {
		if got := old.frame(); got["type"] != "disconnect" || got["reason"] != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	if _, _, err := old.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the connection ended with %v", err)
	}
	go r.command(slacksim.UserAna, "")
	if got := young.frame(); got["type"] != "slash_commands" {
		t.Errorf("the other connection got %v", got)
	}
}

func TestSlackGoComesBackAfterARefreshAndWorks(t *testing.T) {
	r := newRig(t, nil)
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) { c.Ack(*ev.Request) })
	if status, out := r.control(t, "fault", map[string]any{"kind": "refresh", "for": "0s"}); status != 200 {
		t.Fatal(out)
	}
	eventually(t, "a command is acknowledged again", func() bool {
		out, err := r.command(slacksim.UserAna, "")
		return err == nil && out.OK
	})
}

func TestSwitchedOffSocketModeStaysOffForItsTime(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial(t).hello()
	r.Inject(slacksim.Fault{Kind: "link_disabled", For: time.Minute})
	if got := c.frame(); got["reason"] != "link_disabled" {
		t.Errorf("got %v", got)
	}
	if _, _, err := r.api.StartSocketModeContext(t.Context()); err == nil {
		t.Error("a connection may be opened")
	}
	r.clock.Advance(time.Minute)
	r.dial(t).hello()
}

func TestAHalfOpenConnectionSwallowsEnvelopes(t *testing.T) {
	r := newRig(t, impatient)
	r.dial(t).hello()
	r.Inject(slacksim.Fault{Kind: "half_open"})
	out, err := r.command(slacksim.UserAna, "")
	if err != nil || out.Acked || r.Connections() != 1 {
		t.Errorf("got %+v, %v with %d connections", out, err, r.Connections())
	}
}

func TestDuplicatesAndLostAcknowledgementsCanBeOrdered(t *testing.T) {
	r := newRig(t, impatient)
	c := r.dial(t).hello()
	r.Inject(slacksim.Fault{Kind: "duplicate"})
	go r.command(slacksim.UserAna, "")
	one, two := c.frame(), c.frame()
	if one["envelope_id"] != two["envelope_id"] {
		t.Errorf("got %v and %v", one, two)
	}
	c.ack(one)
	r.Inject(slacksim.Fault{Kind: "clear"})
	r.Inject(slacksim.Fault{Kind: "lose_acks"})
	done := make(chan slacksim.Outcome)
	go func() {
		out, _ := r.command(slacksim.UserBen, "")
		done <- out
	}()
	c.ack(c.frame())
	if out := <-done; out.Acked || out.Error == "" {
		t.Errorf("Ben saw %+v", out)
	}
}

func TestAnEnvelopeOfAnyShapeCanBeSent(t *testing.T) {
	r := newRig(t, impatient)
	c := r.dial(t).hello()
	done := make(chan slacksim.Outcome)
	go func() { done <- r.Emit("interactive", json.RawMessage(`{"type":"from_the_future"}`)) }()
	f := c.frame()
	if payload, _ := f["payload"].(map[string]any); payload["type"] != "from_the_future" {
		t.Errorf("got %v", f)
	}
	c.ack(f)
	if out := <-done; !out.OK {
		t.Errorf("got %+v", out)
	}
}

func TestTheServerPingsAndAnswersPings(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) { c.PingInterval = 10 * time.Millisecond })
	c := r.dial(t).hello()
	pinged, ponged := make(chan bool, 100), make(chan bool, 100)
	c.SetPingHandler(func(string) error { pinged <- true; return nil })
	c.SetPongHandler(func(string) error { ponged <- true; return nil })
	c.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second))
	go c.ReadMessage()
	<-pinged
	<-ponged
}

func TestTenThousandClicksAtOnceAreAllDelivered(t *testing.T) {
	clicks := 10_000
	if testing.Short() {
		clicks = 1000
	}
	r := newRig(t, func(c *slacksim.Config) { c.AckTimeout = 30 * time.Second })
	for range 2 {
		c := r.dial(t).hello()
		go func() {
			for {
				_, data, err := c.ReadMessage()
				if err != nil {
					return
				}
				var f struct {
					EnvelopeID string `json:"envelope_id"`
				}
				json.Unmarshal(data, &f)
				c.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"`+f.EnvelopeID+`"}`))
			}
		}()
	}
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, slack.MsgOptionText("x", false), slack.MsgOptionBlocks(buttons("go")))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	begin := time.Now()
	for range clicks {
		wg.Go(func() {
			out, err := r.Click(slacksim.ClickRequest{User: slacksim.UserBen, Channel: slacksim.ChannelRoot, TS: ts, ActionID: "go"})
			if err != nil || !out.OK {
				t.Error(out, err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d clicks acknowledged in %s", clicks, time.Since(begin).Round(time.Millisecond))
	if n := len(r.Acks()); n != clicks {
		t.Errorf("%d acknowledgements", n)
	}
}
