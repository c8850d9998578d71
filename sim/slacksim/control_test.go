package slacksim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/goleak"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

func TestTheControlAPIAnswersOnlyThisMachinesOwnPages(t *testing.T) {
	r := newRig(t, nil)
	host := strings.TrimPrefix(r.url, "http://")
	for _, c := range []struct {
		what, method, path, host, origin, kind, body string
		want                                         int
	}{
		{"a script", "POST", "home", "", "", "application/json", `{"user":"U0ANASILVA1"}`, 200},
		{"the page itself", "POST", "home", "", r.url, "application/json; charset=utf-8", `{"user":"U0ANASILVA1"}`, 200},
		{"another page on this machine", "POST", "home", "", "http://127.0.0.1:1", "application/json", `{"user":"U0ANASILVA1"}`, 403},
		{"a page elsewhere", "POST", "home", "", "https://evil.example", "application/json", `{}`, 403},
		{"an opaque origin", "POST", "home", "", "null", "application/json", `{}`, 403},
		{"a name that was rebound", "GET", "state", "evil.example:80", "", "", "", 403},
		{"a name that only begins well", "GET", "state", "127.0.0.1.evil.example", "", "", "", 403},
		{"localhost", "GET", "state", "localhost:8484", "", "", "", 200},
		{"IPv6", "GET", "state", "[::1]:8484", "", "", "", 200},
		{"a form", "POST", "home", "", "", "application/x-www-form-urlencoded", `user=U0ANASILVA1`, 415},
		{"no content type", "POST", "home", "", "", "", `{"user":"U0ANASILVA1"}`, 415},
		{"JSON that breaks off", "POST", "home", "", "", "application/json", `{"user":`, 400},
		{"JSON of another shape", "POST", "click", "", "", "application/json", `{"user":7}`, 400},
		{"a large body", "POST", "message", "", "", "application/json", `{"text":"` + strings.Repeat("x", 2<<20) + `"}`, 413},
		{"an act that does not exist", "POST", "dance", "", "", "application/json", `{}`, 404},
		{"an unknown fault", "POST", "fault", "", "", "application/json", `{"kind":"earthquake"}`, 400},
		{"a fault for no duration", "POST", "fault", "", "", "application/json", `{"kind":"slow","for":"long"}`, 400},
		{"a person who does not exist", "POST", "person", "", "", "application/json", `{"user":"U0NOSUCHUSR"}`, 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, r.url+"/control/slack/"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		if c.host == "" {
			req.Host = host
		}
		for k, v := range map[string]string{"Origin": c.origin, "Content-Type": c.kind} {
			if v != "" {
				req.Header.Set(k, v)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(c.what, err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		var answer struct{ Error string }
		if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != c.want || (resp.StatusCode >= 400) != (answer.Error != "") {
			t.Errorf("%s: %d %.200s, want %d", c.what, resp.StatusCode, body, c.want)
		}
	}
}

func TestTheStateCanBeWaitedFor(t *testing.T) {
	r := newRig(t, nil)
	get := func(query, tag string) (int, map[string]any) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/control/slack/state"+query, nil)
		if err != nil {
			t.Error(err)
			return 0, nil
		}
		req.Header.Set("If-None-Match", tag)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return 0, nil
		}
		defer resp.Body.Close()
		var out map[string]any
		if resp.StatusCode == 200 {
			if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
				t.Error(err)
			}
			out["tag"] = resp.Header.Get("ETag")
		}
		return resp.StatusCode, out
	}
	_, first := get("", "")
	rev, _ := first["rev"].(float64)
	tag, _ := first["tag"].(string)
	if status, _ := get("", tag); status != http.StatusNotModified {
		t.Errorf("with its own ETag: %d", status)
	}
	since := "?since=" + jsonText(rev)
	if _, out := get(since, ""); out["unchanged"] != true {
		t.Errorf("nothing changed, and yet %v", out)
	}
	if _, out := get("?messages=1", ""); out["rev"] != rev {
		t.Errorf("asking for fewer messages gave rev %v", out["rev"])
	}
	done := make(chan map[string]any)
	go func() {
		_, out := get(since+"&wait=20s", "")
		done <- out
	}()
	if _, _, err := r.Say(slacksim.UserAna, "#general", "hello", ""); err != nil {
		t.Fatal(err)
	}
	if out := <-done; out["unchanged"] == true || out["rev"] == rev {
		t.Errorf("after a message: rev %v", out["rev"])
	}
}

func jsonText(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}

func TestTheStateHasItsPromisedShape(t *testing.T) {
	r := newRig(t, nil)
	r.api.PostMessage(slacksim.ChannelRoot, text("x"))
	raw, _ := r.State()
	var got struct {
		Users    []map[string]any
		Channels []struct{ Messages []map[string]any }
		Views    []any
		Homes    map[string]any
		Errors   []any
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	has := func(what string, m map[string]any, keys ...string) {
		for _, k := range keys {
			if _, ok := m[k]; !ok {
				t.Errorf("%s has no %q: %v", what, k, m)
			}
		}
	}
	has("a user", got.Users[1], "id", "name", "locale", "email")
	has("a message", got.Channels[0].Messages[0], "ts", "user", "text", "blocks", "thread_ts", "ephemeral_to")
	if got.Views == nil || got.Homes == nil || got.Errors == nil {
		t.Errorf("an empty list is null: %s", raw)
	}
}

func TestAPersonsStandingChanges(t *testing.T) {
	r := newRig(t, nil)
	status, out := r.control(t, "person", map[string]any{"user": slacksim.UserBen, "deactivated": true, "groups": []string{}})
	if status != 200 || out["deleted"] != true {
		t.Fatal(status, out)
	}
	members, err := r.api.GetUserGroupMembers(slacksim.GroupApprovers)
	if err != nil || len(members) != 1 || members[0] != slacksim.UserCho {
		t.Errorf("the approvers are %v, %v", members, err)
	}
	if u, lookUp := r.api.GetUserInfo(slacksim.UserBen); lookUp != nil || !u.Deleted {
		t.Errorf("Ben is %+v, %v", u, lookUp)
	}
	r.control(t, "person", map[string]any{"user": slacksim.UserAna, "guest": true, "groups": []string{"aws-root-approvers"}, "channels": []string{"#general"}})
	if u, lookUp := r.api.GetUserInfo(slacksim.UserAna); lookUp != nil || !u.IsRestricted {
		t.Errorf("Ana is %+v, %v", u, lookUp)
	}
	if _, err = r.command(slacksim.UserAna, ""); err == nil {
		t.Error("Ana can still use a command in a channel she left")
	}
	r.control(t, "person", map[string]any{"user": slacksim.BotUserID, "channels": []string{}})
	_, _, err = r.api.PostMessage(slacksim.ChannelRoot, text("x"))
	wantError(t, "posting after the bot was removed", err, "channel_not_found")
}

func TestAChannelIsArchivedAndShared(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) { c.BotScopes = append(slacksim.DefaultBotScopes(), "chat:write.public") })
	if status, out := r.control(t, "channel", map[string]any{"channel": "#aws-root", "shared": true}); status != 200 || out["is_ext_shared"] != true {
		t.Fatal(status, out)
	}
	c, err := r.api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: slacksim.ChannelRoot})
	if err != nil || !c.IsExtShared {
		t.Errorf("the channel is %+v, %v", c, err)
	}
	r.control(t, "channel", map[string]any{"channel": "#aws-root", "archived": true})
	_, _, err = r.api.PostMessage(slacksim.ChannelRoot, text("x"))
	wantError(t, "posting there", err, "is_archived")
	if status, _ := r.control(t, "emit", map[string]any{"type": "interactive"}); status != 400 {
		t.Errorf("an envelope without payload: %d", status)
	}
	if status, out := r.control(t, "emit", map[string]any{"type": "interactive", "payload": map[string]any{}}); status != 200 || out["acked"] != false {
		t.Errorf("an envelope that nobody receives: %d %v", status, out)
	}
}

func TestCallsAndAcknowledgementsAreCounted(t *testing.T) {
	r := newRig(t, nil)
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) { c.Ack(*ev.Request) })
	r.ForgetCalls()
	r.api.PostMessage(slacksim.ChannelRoot, text("x"))
	r.api.PostMessage(slacksim.ChannelGeneral, text("x"))
	r.command(slacksim.UserAna, "")
	calls := r.Calls()
	if len(calls) != 2 || calls[0].Method != "chat.postMessage" || calls[0].Outcome != "ok" || calls[0].Token != "bot" || calls[0].Bytes == 0 || calls[1].Outcome != "not_in_channel" {
		t.Errorf("the calls are %+v", calls)
	}
	if acks := r.Acks(); len(acks) != 1 || acks[0].Kind != "slash_commands" || acks[0].Outcome != "acked" {
		t.Errorf("the acknowledgements are %+v", acks)
	}
	for _, what := range []string{"calls", "acks"} {
		send(t, http.MethodDelete, r.url+"/control/slack/"+what, "", "")
		if _, body := send(t, http.MethodGet, r.url+"/control/slack/"+what, "", ""); body != "[]" {
			t.Errorf("%s after DELETE: %s", what, body)
		}
	}
}

func TestAMessageReachesTheAppOnlyWithItsScope(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) {
		c.BotScopes, c.Events = []string{"channels:history"}, []string{"app_mention", "message.groups"}
	})
	got := make(chan string, 10)
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) {
		c.Ack(*ev.Request)
		got <- string(ev.Request.Payload)
	})
	if _, out, err := r.Say(slacksim.UserAna, slacksim.ChannelRoot, "hello", ""); err != nil || out.Sent {
		t.Errorf("without groups:history: %+v, %v", out, err)
	}
	r.SetBotScopes(append(slacksim.DefaultBotScopes(), "app_mentions:read")...)
	if _, out, err := r.Say(slacksim.UserAna, slacksim.ChannelRoot, "hello", ""); err != nil || !out.Acked {
		t.Errorf("with groups:history: %+v, %v", out, err)
	}
	if p := <-got; !strings.Contains(p, `"channel_type":"group"`) {
		t.Errorf("the app got %s", p)
	}
	if _, _, err := r.Say(slacksim.UserAna, slacksim.ChannelRoot, "<@"+slacksim.BotUserID+"> hello", ""); err != nil {
		t.Error(err)
	}
	if p := <-got; !strings.Contains(p, `"app_mention"`) {
		t.Errorf("the app got %s", p)
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	// The parked goroutines of the test's own HTTP client are none of the workspace's.
	before := goleak.IgnoreCurrent()
	r := newRig(t, impatient)
	c := r.dial(t).hello()
	r.dial(t).hello()
	r.Inject(slacksim.Fault{Kind: "refresh", For: time.Hour})
	r.OpenHome(slacksim.UserAna)
	var wg sync.WaitGroup
	wg.Go(func() { r.command(slacksim.UserAna, "") })
	c.frame()
	r.Close()
	r.Close()
	wg.Wait()
	if _, err := r.command(slacksim.UserAna, ""); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, before,
		goleak.IgnoreTopFunction("net/http/httptest.(*Server).goServe.func1"),
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

func TestEverythingAtOnceIsSafe(t *testing.T) {
	r := newRig(t, nil)
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) { c.Ack(*ev.Request) })
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, text("x"), slack.MsgOptionBlocks(buttons("go")))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				switch i {
				case 0:
					r.Click(slacksim.ClickRequest{User: slacksim.UserAna, Channel: slacksim.ChannelRoot, TS: ts, ActionID: "go"})
				case 1:
					r.api.UpdateMessage(slacksim.ChannelRoot, ts, text("y"), slack.MsgOptionBlocks(buttons("go")))
				case 2:
					r.State()
				case 3:
					r.SetPerson(slacksim.Person{User: slacksim.UserBen, Groups: &[]string{slacksim.GroupApprovers}})
				case 4:
					r.api.GetUserGroups()
				case 5:
					r.Inject(slacksim.Fault{Kind: "broadcast", For: time.Millisecond})
				case 6:
					r.OpenHome(slacksim.UserKim)
				case 7:
					r.api.PostMessage(slacksim.UserKim, text("x"))
				}
			}
		})
	}
	wg.Wait()
}
