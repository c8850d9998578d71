package system_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// foreignSlack is a server that speaks some Slack, made after nothing of ours: it breaks now and then, is slow, tells no
// scopes, says more than it is asked and less than it should, and sends every envelope twice to every socket.
type foreignSlack struct {
	server *httptest.Server

	mu      sync.Mutex
	calls   int
	methods map[string]int
	answers map[string]int // by response_url
	acks    map[string]int // by envelope
	sockets map[*websocket.Conn]*sync.Mutex
}

func newForeignSlack(t *testing.T) *foreignSlack {
	t.Helper()
	f := &foreignSlack{methods: map[string]int{}, answers: map[string]int{}, acks: map[string]int{}, sockets: map[*websocket.Conn]*sync.Mutex{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", f.method)
	mux.HandleFunc("/socket", f.socket)
	mux.HandleFunc("/answer/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.answers[r.PathValue("id")]++
		fmt.Fprint(w, "ok")
	})
	f.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.mu.Lock()
		for c := range f.sockets {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.server.CloseClientConnections()
		f.server.Close()
	})
	return f
}

// method answers the Web API. Each seventh call is answered with a page, before anything is done.
func (f *foreignSlack) method(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	f.mu.Lock()
	f.calls++
	n := f.calls
	f.methods[name]++
	f.mu.Unlock()
	pause := time.NewTimer(time.Duration(n%5) * 40 * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-r.Context().Done():
		return
	}
	if n%7 == 0 {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "<html><h1>Something broke</h1></html>")
		return
	}
	_ = r.ParseMultipartForm(1 << 20)
	w.Header().Set("Content-Type", "application/json")
	answers := map[string]string{
		"auth.test":             `{"ok":true,"url":"x","team":"Elsewhere","user":"bot","team_id":"T0FOREIGN","user_id":"U0FOREIGN","bot_id":"B0FOREIGN","novelty":{"a":[1,2]}}`,
		"apps.connections.open": `{"ok":true,"url":"ws` + strings.TrimPrefix(f.server.URL, "http") + `/socket","extra":null}`,
		"conversations.info":    `{"ok":true,"channel":{"id":"` + slacksim.ChannelRoot + `","name":"root","is_channel":true,"is_member":true,"is_dreaming":true}}`,
		"conversations.members": `{"ok":true,"members":["` + ben + `","` + ana + `"]}`,
		"conversations.open":    `{"ok":true,"channel":{"id":"D0FOREIGN"}}`,
		"users.info":            `{"ok":true,"user":{"id":"` + r.FormValue("user") + `","team_id":"T0FOREIGN","name":"somebody","profile":{"email":null}}}`,
		"usergroups.users.list": `{"ok":true,"users":[]}`,
		"chat.postMessage":      fmt.Sprintf(`{"ok":true,"channel":%q,"ts":"1700000000.%06d","message":{"text":"x"},"warning":"superfluous"}`, r.FormValue("channel"), n),
		"chat.update":           fmt.Sprintf(`{"ok":true,"channel":%q,"ts":%q,"text":"x"}`, r.FormValue("channel"), r.FormValue("ts")),
		"chat.postEphemeral":    `{"ok":true,"message_ts":"1700000000.1"}`,
	}
	if a, known := answers[name]; known {
		fmt.Fprint(w, a)
		return
	}
	fmt.Fprint(w, `{"ok":false,"error":"unknown_method","req_method":"`+name+`"}`)
}

func (f *foreignSlack) socket(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	writing := &sync.Mutex{}
	f.mu.Lock()
	f.sockets[conn] = writing
	f.mu.Unlock()
	writing.Lock()
	_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","mood":"fine"}`))
	_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"news","text":"of no kind that anybody knows"}`))
	_ = conn.WriteMessage(websocket.TextMessage, []byte(`not even JSON`))
	writing.Unlock()
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			break
		}
		var ack struct {
			ID string `json:"envelope_id"`
		}
		if json.Unmarshal(data, &ack) == nil && ack.ID != "" {
			f.mu.Lock()
			f.acks[ack.ID]++
			f.mu.Unlock()
		}
	}
	f.mu.Lock()
	delete(f.sockets, conn)
	f.mu.Unlock()
}

// send sends an envelope twice to every socket, and returns how many that are.
func (f *foreignSlack) send(kind, id string, payload map[string]any) (deliveries int) {
	frame, err := json.Marshal(map[string]any{"type": kind, "envelope_id": id, "payload": payload, "unheard_of": map[string]int{"x": 1}})
	if err != nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn, writing := range f.sockets {
		writing.Lock()
		for range 2 {
			if conn.WriteMessage(websocket.TextMessage, frame) == nil {
				deliveries++
			}
		}
		writing.Unlock()
	}
	return deliveries
}

func (f *foreignSlack) count(read func() int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return read()
}

// foreignAWS speaks some AWS: it knows who calls and lists accounts. Of a summary it lacks a key, of a report the root user's
// row, and what it does not know it answers with a page.
func foreignAWS(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListAccounts") {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprint(w, `{"Accounts":[{"Id":"123456789012","Name":"manager","Status":"ACTIVE","Email":"a@example.com","Arn":"arn:aws:organizations::123456789012:account/o-abcdefghij/123456789012"},`+
			`{"Id":"210987654321","Name":"member","Status":"ACTIVE","Email":"b@example.com","Arn":"arn:aws:organizations::123456789012:account/o-abcdefghij/210987654321"}],"Novelty":true}`)
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	answers := map[string]string{
		"Action=GetCallerIdentity":        `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/u</Arn><UserId>A</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
		"Action=GetAccountSummary":        `<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap><entry><key>AccountMFAEnabled</key><value>1</value></entry><entry><key>AccountAccessKeysPresent</key><value>0</value></entry></SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>`,
		"Action=GenerateCredentialReport": `<GenerateCredentialReportResponse><GenerateCredentialReportResult><State>COMPLETE</State></GenerateCredentialReportResult></GenerateCredentialReportResponse>`,
		"Action=GetCredentialReport":      `<GetCredentialReportResponse><GetCredentialReportResult><Content>dXNlcixhcm4KYWRhLGFybjphd3M6aWFtOjoxMjM0NTY3ODkwMTI6dXNlci9hZGEK</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>2026-11-20T00:00:00Z</GeneratedTime></GetCredentialReportResult></GetCredentialReportResponse>`,
	}
	for action, answer := range answers {
		if strings.Contains(string(body)+"&", action+"&") {
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprint(w, answer)
			return
		}
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprint(w, "<!doctype html><h1>500</h1>")
}

// TestTheBotSurvivesServersThatAreNotOurs runs the real binary, changed by two settings only, against both.
func TestTheBotSurvivesServersThatAreNotOurs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the real binary")
	}
	slack := newForeignSlack(t)
	aws := httptest.NewServer(http.HandlerFunc(foreignAWS))
	t.Cleanup(aws.Close)
	dir := t.TempDir()
	w := &world{t: t, clock: newClock(0), database: filepath.Join(dir, "rootcheck.db"), settings: filepath.Join(dir, "rootcheck.yaml")}
	w.point(dir, slack.server.URL+"/api/", aws.URL, killSettings)
	p := w.start("run")
	defer func() {
		if t.Failed() {
			t.Log(p.out.String())
		}
	}()
	running := func(holds func() int, least int) func() bool {
		return func() bool { return slack.count(holds) >= least || !p.alive() }
	}
	w.until(40*time.Second, "two sockets are open", running(func() int { return len(slack.sockets) }, 2))
	if !p.alive() {
		t.Fatalf("the bot ended with status %d:\n%s", p.status, p.out.String())
	}

	const commands, clicks = 10, 20
	deliveries := map[string]int{}
	for i := range commands {
		id := fmt.Sprintf("command-%d", i)
		deliveries[id] = slack.send("slash_commands", id, map[string]any{
			"command": "/rootcheck", "text": "status", "user_id": ben, "team_id": "T0FOREIGN", "channel_id": slacksim.ChannelRoot,
			"trigger_id": id, "response_url": slack.server.URL + "/answer/" + id,
		})
	}
	for i := range clicks {
		id := fmt.Sprintf("click-%d", i)
		deliveries[id] = slack.send("interactive", id, map[string]any{
			"type": "block_actions", "user": map[string]any{"id": ben, "team_id": "T0FOREIGN"}, "team": map[string]any{"id": "T0FOREIGN"},
			"trigger_id": id, "container": map[string]any{"type": "message", "channel_id": slacksim.ChannelRoot, "message_ts": "1.1", "is_ephemeral": true},
			"channel": map[string]any{"id": slacksim.ChannelRoot}, "response_url": slack.server.URL + "/answer/" + id,
			"actions": []any{map[string]any{"type": "button", "action_id": "remediation.cancel", "block_id": "b", "value": "nothing|1", "action_ts": "1.1"}},
		})
	}
	w.until(60*time.Second, "everything is acknowledged and answered", func() bool {
		return slack.count(func() int { return len(slack.acks) }) == commands+clicks && w.refused(ben) >= clicks &&
			slack.count(func() int { return len(slack.answers) }) >= commands || !p.alive()
	})
	if !p.alive() {
		t.Fatalf("the bot ended with status %d:\n%s", p.status, p.out.String())
	}
	w.until(time.Minute, "each delivery is acknowledged on its own socket", func() bool {
		return slack.count(func() int {
			for id, n := range deliveries {
				if slack.acks[id] < n {
					return 0
				}
			}
			return 1
		}) == 1
	})
	slack.mu.Lock()
	for id, n := range slack.answers {
		if strings.HasPrefix(id, "command-") && n != 1 {
			t.Errorf("%s was answered %d times", id, n)
		}
	}
	t.Logf("%d deliveries of %d envelopes; calls: %v", deliveries["click-0"]*(commands+clicks), commands+clicks, slack.methods)
	slack.mu.Unlock()
	if got := w.refused(ben); got != clicks {
		t.Errorf("%d clicks were handled %d times", clicks, got)
	}
	w.nothingPassed(t)
	if took := p.term(t); took > 10*time.Second || p.status != 0 {
		t.Errorf("it took %s to end, with status %d:\n%s", took, p.status, p.out.String())
	}
	p.clean(t)
}

// nothingPassed holds that no account passes what nobody could read.
func (w *world) nothingPassed(t *testing.T) {
	t.Helper()
	for _, id := range []posture.AccountID{"123456789012", "210987654321"} {
		w.until(60*time.Second, "the account was looked at", func() bool {
			return w.look(func(ctx context.Context, db *store.Store) error { _, err := db.Look(ctx, "acme", id); return err }) == nil
		})
		ok(t, w.look(func(ctx context.Context, db *store.Store) error {
			l, err := db.Look(ctx, "acme", id)
			for _, f := range l.Findings {
				if f.Status == posture.Passed && id == "210987654321" {
					t.Errorf("%s passes %s, and nobody could look", id, f.Control)
				}
			}
			return err
		}))
	}
}
