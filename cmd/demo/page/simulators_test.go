package page_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/gorilla/websocket"

	"github.com/rootcheck-bot/rootcheck/cmd/demo/page"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// app is the smallest bot there is: it speaks Socket Mode by hand and answers one story.
type app struct {
	t    *testing.T
	url  string
	conn *websocket.Conn
	seen chan doc // the payloads of block_actions and view_submission
}

// call uses Slack's Web API and returns its answer.
func (a *app) call(token, method string, args doc) doc {
	raw, err := json.Marshal(args)
	if err != nil {
		a.t.Errorf("encode %s: %v", method, err)
		return nil
	}
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.url+"/slack/api/"+method, bytes.NewReader(raw))
	if err != nil {
		a.t.Errorf("call %s: %v", method, err)
		return nil
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil // the test is over
	}
	defer res.Body.Close()
	var out doc
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out["ok"] != true {
		a.t.Errorf("%s answered %v (%v)", method, out, err)
	}
	return out
}

func (a *app) connect() {
	a.t.Helper()
	link, ok := a.call("xapp-demo", "apps.connections.open", doc{})["url"].(string)
	if !ok {
		a.t.Fatal("no socket address")
	}
	conn, res, err := websocket.DefaultDialer.DialContext(a.t.Context(), link, nil)
	if err != nil {
		a.t.Fatalf("dial the socket: %v", err)
	}
	res.Body.Close()
	a.conn = conn
	go a.serve()
}

func (a *app) serve() {
	for {
		var e struct {
			ID      string `json:"envelope_id"`
			Type    string `json:"type"`
			Payload doc    `json:"payload"`
		}
		if a.conn.ReadJSON(&e) != nil {
			return
		}
		if e.ID == "" {
			continue
		}
		ack := doc{"envelope_id": e.ID}
		if answer := a.answer(e.Type, e.Payload); answer != nil {
			ack["payload"] = answer
		}
		if a.conn.WriteJSON(ack) != nil {
			return
		}
	}
}

func text(s string) doc { return doc{"type": "plain_text", "text": s} }

func modal(title string) doc {
	return doc{"type": "modal", "callback_id": "story", "title": text(title), "submit": text("Send"), "blocks": []any{
		doc{"type": "section", "block_id": "what", "text": text(title)},
		doc{"type": "input", "block_id": "why", "label": text("Why"), "element": doc{"type": "plain_text_input", "action_id": "why"}},
		doc{"type": "actions", "block_id": "more", "elements": []any{doc{"type": "button", "action_id": "again", "text": text("Look again"), "value": "1"}}},
	}}
}

func (a *app) answer(kind string, p doc) doc {
	switch {
	case kind == "slash_commands":
		return doc{"response_type": "ephemeral", "text": "posture: *fine*"}
	case p["type"] == "block_actions":
		a.seen <- p
		if view, ok := p["view"].(doc); ok {
			a.call("xoxb-demo", "views.update", doc{"view_id": view["id"], "view": modal("Second look")})
		} else {
			a.call("xoxb-demo", "views.open", doc{"trigger_id": p["trigger_id"], "view": modal("First look")})
		}
	case p["type"] == "view_submission":
		a.seen <- p
		why := object(p, "view", "state", "values", "why", "why")["value"]
		if why == "because" {
			return doc{"response_action": "errors", "errors": doc{"why": "Say more."}}
		}
	case kind == "events_api":
		if event := object(p, "event"); event["type"] == "app_home_opened" {
			a.call("xoxb-demo", "views.publish", doc{"user_id": event["user"], "view": doc{"type": "home", "blocks": []any{doc{"type": "header", "text": text("Home sweet home")}}}})
		}
	}
	return nil
}

func TestThePageAgainstTheSimulators(t *testing.T) {
	ctx := browser(t, 1280, 800)
	now := time.Now
	ws := slacksim.New(slacksim.Config{Now: now, Seed: 1})
	t.Cleanup(ws.Close)
	slacksim.Demo(ws)
	org := awssim.New(awssim.Config{Now: now, Seed: 1})
	t.Cleanup(org.Close)
	mux := http.NewServeMux()
	mux.Handle("/", page.Handler())
	mux.Handle("/slack/", ws.API())
	mux.Handle("/control/slack/", ws.Control())
	mux.Handle("/control/aws/", org.Control())
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	ws.SetBaseURL(srv.URL)

	a := &app{t: t, url: srv.URL, seen: make(chan doc, 20)}
	a.connect()
	t.Cleanup(func() { a.conn.Close() })
	a.call("xoxb-demo", "chat.postMessage", doc{"channel": slacksim.ChannelRoot, "text": "a card", "blocks": []any{
		doc{"type": "section", "text": doc{"type": "mrkdwn", "text": "A *card*"}},
		doc{"type": "actions", "block_id": "acts", "elements": []any{doc{"type": "button", "action_id": "look", "text": text("Look…"), "value": "op_1", "style": "primary"}}},
	}})

	s := &scene{stage: &stage{Server: srv}, t: t, ctx: ctx}
	s.do(chromedp.Navigate(srv.URL+"/#user="+slacksim.UserAna+"&channel="+slacksim.ChannelRoot), chromedp.WaitVisible(css(`[data-action-id=look]`)))

	s.do(chromedp.SendKeys(input, "/rootcheck"+kb.Enter))
	s.until("the command's answer", `document.querySelector("[data-ephemeral=true]")?.innerText.includes("posture: fine")`)

	s.do(chromedp.Click(css(`[data-action-id=look]`)), chromedp.WaitVisible(css(`[data-testid=modal]`)),
		chromedp.SendKeys(css(`[data-action-id=why] input`), "because"), chromedp.Click(css(`[data-action-id=again]`)))
	s.until("the update", `document.querySelector("[data-testid=modal-title]").innerText === "Second look"`)
	<-a.seen
	typed := object(<-a.seen, "view", "state", "values", "why", "why")["value"]
	if typed != "because" {
		t.Errorf("the app heard %v of what stands in the field, want what was typed before the click", typed)
	}
	s.do(chromedp.Click(css(`[data-testid=modal-submit]`)))
	s.until("the app's error", `document.querySelector("[data-testid=field-error]")?.innerText.includes("Say more.")`)
	s.do(chromedp.SendKeys(css(`[data-action-id=why] input`), " I must"), chromedp.Click(css(`[data-testid=modal-submit]`)), chromedp.WaitNotPresent(css(`[data-testid=modal]`)))

	s.do(chromedp.Click(css(`[data-testid=app-home]`)))
	s.until("the Home tab", `document.querySelector("[data-testid=home]")?.innerText.includes("Home sweet home")`)

	s.do(chromedp.Click(css(`[data-testid=aws-filter-keys]`)), chromedp.WaitVisible(css(`[data-testid=aws-filter-keys][aria-pressed=true]`)),
		chromedp.Click(css(`[data-testid=account-toggle]`)))
	status := `document.querySelector("[data-testid=key]")?.dataset.status`
	s.until("a key", status)
	was, err := chromedp.Run(ctx, chromedp.Evaluate[string](status))
	if err != nil {
		t.Fatal(err)
	}
	lever := map[string]string{"Active": "key-deactivate", "Inactive": "key-activate"}[was]
	s.do(chromedp.Click(css(`[data-testid=` + lever + `]`)))
	s.until("the key's new status", status+` !== "`+was+`"`)
	if dir := os.Getenv("ROOTCHECK_SCREENSHOTS"); dir != "" {
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "simulators.png"), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.text(css(`.org`)); !strings.Contains(got, "centralized") {
		t.Errorf("the organization's line says %q", got)
	}
}
