package slacksim_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// clock is a clock that a test moves; it also runs.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// rig is a served workspace with the demo's people in it.
type rig struct {
	*slacksim.Workspace
	clock *clock
	url   string
	api   *slack.Client
}

func newRig(tb testing.TB, edit func(*slacksim.Config)) *rig {
	tb.Helper()
	c := &clock{}
	cfg := slacksim.Config{Now: c.Now, Seed: 1, DisableRateLimits: true}
	if edit != nil {
		edit(&cfg)
	}
	w := slacksim.New(cfg)
	slacksim.Demo(w)
	mux := http.NewServeMux()
	mux.Handle("/slack/", w.API())
	mux.Handle("/control/", w.Control())
	srv := httptest.NewServer(mux)
	w.SetBaseURL(srv.URL)
	tb.Cleanup(func() {
		w.Close()
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	api := slack.New("xoxb-demo", slack.OptionAppLevelToken("xapp-demo"), slack.OptionAPIURL(srv.URL+"/slack/api/"))
	return &rig{Workspace: w, clock: c, url: srv.URL, api: api}
}

// listen connects one slack-go client and calls handle for each event of Slack's, on one goroutine.
func (r *rig) listen(tb testing.TB, handle func(*socketmode.Client, socketmode.Event)) *socketmode.Client {
	tb.Helper()
	before := r.Connections()
	sm := socketmode.New(r.api)
	ctx, cancel := context.WithCancel(tb.Context())
	var wg sync.WaitGroup
	wg.Go(func() { sm.RunContext(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case ev := <-sm.Events:
				if ev.Request != nil && ev.Request.EnvelopeID != "" {
					handle(sm, ev)
				}
			}
		}
	})
	tb.Cleanup(func() { cancel(); wg.Wait() })
	eventually(tb, "the client is connected", func() bool { return r.Connections() > before })
	return sm
}

// eventually polls until ok, and fails the test after a minute.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			tb.Fatalf("timed out waiting until %s", what)
		case <-tick.C:
		}
	}
}

// state is what a test reads of GET /control/slack/state.
type state struct {
	Rev      uint64
	Channels []struct {
		ID, Name, User string
		IsIM           bool `json:"is_im"`
		Messages       []message
	}
	Views  []viewState
	Homes  map[string]viewState
	Errors []struct{ User, What string }
}

type message struct {
	TS, User, Text string
	Blocks         []map[string]any
	ThreadTS       string `json:"thread_ts"`
	EphemeralTo    string `json:"ephemeral_to"`
	Edited         bool
	Pings          []string
	ReplyCount     int `json:"reply_count"`
	Metadata       map[string]any
}

type viewState struct {
	ID, User        string
	CallbackID      string `json:"callback_id"`
	Title           struct{ Text string }
	Blocks          []map[string]any
	PrivateMetadata string `json:"private_metadata"`
	Hash            string
	Errors          map[string]string
	State           struct {
		Values map[string]map[string]map[string]any
	}
}

func (r *rig) state(tb testing.TB) state {
	tb.Helper()
	var s state
	raw, _ := r.State()
	if err := json.Unmarshal(raw, &s); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (r *rig) messages(tb testing.TB, channel string) []message {
	tb.Helper()
	for _, c := range r.state(tb).Channels {
		if c.ID == channel {
			return c.Messages
		}
	}
	return nil
}

// control posts to the control API and returns the status and the decoded answer.
func (r *rig) control(tb testing.TB, act string, body any) (int, map[string]any) {
	tb.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	status, answer := send(tb, http.MethodPost, r.url+"/control/slack/"+act, "application/json", string(raw))
	var out map[string]any
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		tb.Fatal(err)
	}
	return status, out
}

// send makes one request and returns the status and the body; status 0 and the error's text when
// there was no answer.
func send(tb testing.TB, method, u, kind, body string) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, u, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func plain(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject("plain_text", s, false, false)
}

func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject("mrkdwn", s, false, false)
}

func buttons(ids ...string) slack.Block {
	var es []slack.BlockElement
	for _, id := range ids {
		es = append(es, slack.NewButtonBlockElement(id, "value of "+id, plain(id)))
	}
	return slack.NewActionBlock("buttons", es...)
}
