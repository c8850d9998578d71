package slacksim_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// answer is what a Web API call came back with.
type answer struct {
	StatusCode int
	Header     http.Header
}

// call makes one form call.
func (r *rig) call(t *testing.T, token, method string, args url.Values) (map[string]any, answer) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/slack/api/"+method, strings.NewReader(args.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out, answer{resp.StatusCode, resp.Header}
}

func text(s string) slack.MsgOption { return slack.MsgOptionText(s, false) }

func wantError(t *testing.T, what string, err error, code string) {
	t.Helper()
	if err == nil || err.Error() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestTokensAreChecked(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		what, token, method string
		args                url.Values
		want                string
	}{
		{"no token", "", "auth.test", nil, "not_authed"},
		{"a wrong token", "xoxb-other", "auth.test", nil, "invalid_auth"},
		{"the bot's token in the body", "", "auth.test", url.Values{"token": {"xoxb-demo"}}, ""},
		{"the app's token where the bot's belongs", "xapp-demo", "chat.postMessage", nil, "not_allowed_token_type"},
		{"the bot's token where the app's belongs", "xoxb-demo", "apps.connections.open", nil, "not_allowed_token_type"},
		{"the app's token in the body", "", "apps.connections.open", url.Values{"token": {"xapp-demo"}}, "not_authed"},
		{"a method that does not exist", "xoxb-demo", "chat.shout", nil, "unknown_method"},
	} {
		got, resp := r.call(t, c.token, c.method, c.args)
		code, _ := got["error"].(string)
		if code != c.want || resp.StatusCode != 200 {
			t.Errorf("%s: got %q with %d, want %q", c.what, code, resp.StatusCode, c.want)
		}
	}
}

func TestAMissingScopeIsNamed(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) { c.BotScopes = []string{"commands", "channels:read"} })
	for method, needed := range map[string]string{
		"chat.postMessage": "chat:write", "users.info": "users:read", "users.lookupByEmail": "users:read.email",
		"usergroups.list": "usergroups:read", "conversations.open": "im:write,mpim:write",
	} {
		got, resp := r.call(t, "xoxb-demo", method, url.Values{"channel": {slacksim.ChannelRoot}})
		if got["error"] != "missing_scope" || got["needed"] != needed || got["provided"] != "commands,channels:read" {
			t.Errorf("%s: %v", method, got)
		}
		if resp.Header.Get("X-OAuth-Scopes") != "commands,channels:read" {
			t.Errorf("%s: X-OAuth-Scopes is %q", method, resp.Header.Get("X-OAuth-Scopes"))
		}
	}
	private, _ := r.call(t, "xoxb-demo", "conversations.members", url.Values{"channel": {slacksim.ChannelRoot}})
	if private["needed"] != "groups:read" {
		t.Errorf("members of a private channel: %v", private)
	}
	public, _ := r.call(t, "xoxb-demo", "conversations.info", url.Values{"channel": {slacksim.ChannelGeneral}})
	if public["ok"] != true {
		t.Errorf("a public channel: %v", public)
	}
}

func TestAnEmailAddressNeedsItsScope(t *testing.T) {
	r := newRig(t, nil)
	u, err := r.api.GetUserInfo(slacksim.UserKim)
	if err != nil || u.Profile.Email != "minjun.kim@example.com" || u.Locale != "ko-KR" || u.RealName != "Kim Minjun 김민준" {
		t.Errorf("got %+v, %v", u, err)
	}
	r.SetBotScopes("users:read")
	if u, err := r.api.GetUserInfo(slacksim.UserKim); err != nil || u.Profile.Email != "" {
		t.Errorf("without users:read.email: %v, %v", u, err)
	}
}

func TestPeopleAreToldApart(t *testing.T) {
	r := newRig(t, nil)
	guest, _ := r.api.GetUserInfo(slacksim.UserGuest)
	stranger, _ := r.api.GetUserInfo(slacksim.UserStranger)
	gone, _ := r.api.GetUserInfo(slacksim.UserGone)
	bot, _ := r.api.GetUserInfo(slacksim.BotUserID)
	if !guest.IsRestricted || !stranger.IsStranger || stranger.TeamID == slacksim.TeamID || !gone.Deleted || !bot.IsBot {
		t.Errorf("guest %+v, stranger %+v, gone %+v, bot %+v", guest, stranger, gone, bot)
	}
	_, err := r.api.GetUserByEmail("dara.voss@example.com")
	wantError(t, "a deactivated person by e-mail", err, "users_not_found")
	if u, byEmail := r.api.GetUserByEmail("BEN.okafor@example.com"); byEmail != nil || u.ID != slacksim.UserBen {
		t.Errorf("Ben by e-mail: %v, %v", u, byEmail)
	}
	members, err := r.api.GetUserGroupMembers(slacksim.GroupApprovers)
	if err != nil || !slices.Equal(members, []string{slacksim.UserBen, slacksim.UserCho}) {
		t.Errorf("the approvers are %v, %v", members, err)
	}
	_, err = r.api.GetUserGroupMembers("S0NOSUCH")
	wantError(t, "a group that is not there", err, "no_such_subteam")
}

func TestListsComeInPages(t *testing.T) {
	r := newRig(t, nil)
	seen, cursor := []string{}, ""
	for {
		ids, next, err := r.api.GetUsersInConversation(&slack.GetUsersInConversationParameters{ChannelID: slacksim.ChannelRoot, Limit: 2, Cursor: cursor})
		if err != nil || len(ids) > 2 {
			t.Fatal(ids, err)
		}
		seen = append(seen, ids...)
		if cursor = next; cursor == "" {
			break
		}
	}
	want := []string{slacksim.UserAna, slacksim.UserBen, slacksim.UserCho, slacksim.UserGuest, slacksim.BotUserID}
	slices.Sort(want)
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	got, _ := r.call(t, "xoxb-demo", "users.list", url.Values{"cursor": {"nonsense"}})
	if got["error"] != "invalid_cursor" {
		t.Errorf("a cursor that was never given: %v", got)
	}
}

func TestMessagesGoWhereTheBotMayPost(t *testing.T) {
	r := newRig(t, nil)
	post := func(channel string, opts ...slack.MsgOption) error {
		_, _, err := r.api.PostMessage(channel, opts...)
		return err
	}
	wantError(t, "no such channel", post("C0NOSUCHCHAN", text("x")), "channel_not_found")
	wantError(t, "a public channel it is not in", post(slacksim.ChannelGeneral, text("x")), "not_in_channel")
	wantError(t, "nothing to say", post(slacksim.ChannelRoot), "no_text")
	wantError(t, "a thread that is not there", post(slacksim.ChannelRoot, text("x"), slack.MsgOptionTS("1.2")), "thread_not_found")
	r.AddChannel(slacksim.Channel{ID: "C0OLDCHANNEL", Name: "old", Archived: true, Members: []string{slacksim.BotUserID}})
	wantError(t, "an archived channel", post("C0OLDCHANNEL", text("x")), "is_archived")
	r.SetBotScopes("chat:write", "chat:write.public")
	if err := post("#general", text("x")); err != nil {
		t.Errorf("with chat:write.public: %v", err)
	}
}

func TestLongTextIsCutAndLongUpdatesAreRefused(t *testing.T) {
	r := newRig(t, nil)
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, text(strings.Repeat("é", 40_001)))
	if err != nil {
		t.Fatal(err)
	}
	if got := len([]rune(r.messages(t, slacksim.ChannelRoot)[0].Text)); got != 40_000 {
		t.Errorf("%d characters stand there", got)
	}
	_, _, _, err = r.api.UpdateMessage(slacksim.ChannelRoot, ts, text(strings.Repeat("é", 4001)))
	wantError(t, "an update of 4,001 characters", err, "msg_too_long")
	if _, _, _, err := r.api.UpdateMessage(slacksim.ChannelRoot, ts, text(strings.Repeat("é", 4000))); err != nil {
		t.Errorf("an update of 4,000 characters: %v", err)
	}
}

func TestAnUpdateReplacesWhatItNames(t *testing.T) {
	r := newRig(t, nil)
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, text("one"), slack.MsgOptionBlocks(buttons("a")),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "card", EventPayload: map[string]any{"id": "r1"}}))
	if err != nil {
		t.Fatal(err)
	}
	get := func() message { return r.messages(t, slacksim.ChannelRoot)[0] }
	if _, _, _, err = r.api.UpdateMessage(slacksim.ChannelRoot, ts, text("two"), slack.MsgOptionBlocks(buttons("b"))); err != nil {
		t.Fatal(err)
	}
	if m := get(); m.Text != "two" || m.Edited || m.Metadata["event_type"] != "card" || len(m.Blocks) != 1 {
		t.Errorf("after new blocks: %+v", m)
	}
	if _, _, _, err = r.api.UpdateMessage(slacksim.ChannelRoot, ts, text("three")); err != nil {
		t.Fatal(err)
	}
	if m := get(); m.Text != "three" || !m.Edited || len(m.Blocks) != 0 {
		t.Errorf("after text alone: %+v", m)
	}
	reply, _, err := r.Say(slacksim.UserAna, slacksim.ChannelRoot, "thanks", ts)
	if err != nil || get().ReplyCount != 1 {
		t.Errorf("after a reply: %+v, %v", get(), err)
	}
	_, _, _, err = r.api.UpdateMessage(slacksim.ChannelRoot, reply, text("x"))
	wantError(t, "changing somebody's message", err, "cant_update_message")
	_, _, err = r.api.DeleteMessage(slacksim.ChannelRoot, reply)
	wantError(t, "deleting somebody's message", err, "cant_delete_message")
	if _, _, err = r.api.DeleteMessage(slacksim.ChannelRoot, ts); err != nil {
		t.Error(err)
	}
	_, _, _, err = r.api.UpdateMessage(slacksim.ChannelRoot, ts, text("x"))
	wantError(t, "changing a deleted message", err, "message_not_found")
}

func TestAnEphemeralMessageIsForOnePersonAndNotUpdatable(t *testing.T) {
	r := newRig(t, nil)
	ts, err := r.api.PostEphemeral(slacksim.ChannelRoot, slacksim.UserAna, text("psst"))
	if err != nil {
		t.Fatal(err)
	}
	if m := r.messages(t, slacksim.ChannelRoot); len(m) != 1 || m[0].EphemeralTo != slacksim.UserAna {
		t.Errorf("there stands %+v", m)
	}
	_, _, _, err = r.api.UpdateMessage(slacksim.ChannelRoot, ts, text("x"))
	wantError(t, "updating it", err, "message_not_found")
	_, err = r.api.PostEphemeral(slacksim.ChannelRoot, slacksim.UserKim, text("psst"))
	wantError(t, "to somebody outside", err, "user_not_in_channel")
}

func TestADirectMessageHasOneConversation(t *testing.T) {
	r := newRig(t, nil)
	open := func(user string) (*slack.Channel, error) {
		c, _, _, err := r.api.OpenConversation(&slack.OpenConversationParameters{Users: []string{user}, ReturnIM: true})
		return c, err
	}
	c, err := open(slacksim.UserKim)
	if err != nil || !strings.HasPrefix(c.ID, "D") || c.User != slacksim.UserKim {
		t.Fatal(c, err)
	}
	if again, reopened := open(slacksim.UserKim); reopened != nil || again.ID != c.ID {
		t.Errorf("opened again: %v, %v", again, reopened)
	}
	channel, ts, err := r.api.PostMessage(slacksim.UserKim, text("안녕하세요"))
	if err != nil || channel != c.ID {
		t.Errorf("posting to the person gave %s, %v", channel, err)
	}
	_, _, _, err = r.api.UpdateMessage(slacksim.UserKim, ts, text("x"))
	wantError(t, "updating with the person's id", err, "channel_not_found")
	_, err = open(slacksim.UserGone)
	wantError(t, "a deactivated person", err, "user_disabled")
	_, err = open("U0NOSUCHUSR")
	wantError(t, "nobody", err, "user_not_found")
}

func TestADirectMessageNeedsTheMessagesTab(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) { c.MessagesTabDisabled = true })
	_, _, err := r.api.PostMessage(slacksim.UserKim, text("x"))
	wantError(t, "a DM", err, "messages_tab_disabled")
}

func TestWhoIsPingedIsKept(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		what string
		opts []slack.MsgOption
		want []string
	}{
		{"mentions in the text", []slack.MsgOption{text("<!channel> <@U0ANASILVA1|ana> <!subteam^S0APPROVERS>")}, []string{"<!channel>", "<!subteam^S0APPROVERS>", "<@U0ANASILVA1>"}},
		{"escaped text", []slack.MsgOption{slack.MsgOptionText("<!channel> & <@U0ANASILVA1>", true)}, []string{}},
		{"plain text in a block", []slack.MsgOption{text("x"), slack.MsgOptionBlocks(slack.NewHeaderBlock(plain("<!channel>")))}, []string{}},
		{"mrkdwn in a block", []slack.MsgOption{text("x"), slack.MsgOptionBlocks(slack.NewSectionBlock(mrkdwn("<!here>"), nil, nil))}, []string{"<!here>"}},
		{"rich text", []slack.MsgOption{text("x"), slack.MsgOptionBlocks(slack.NewRichTextBlock("r", slack.NewRichTextSection(slack.NewRichTextSectionBroadcastElement("channel"))))}, []string{"<!channel>"}},
	} {
		if _, _, err := r.api.PostMessage(slacksim.ChannelRoot, c.opts...); err != nil {
			t.Fatal(c.what, err)
		}
		all := r.messages(t, slacksim.ChannelRoot)
		if diff := cmp.Diff(c.want, all[len(all)-1].Pings); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

func TestBadMessagesAreRefusedWithReasons(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct{ what, key, value, want string }{
		{"blocks that are no JSON", "blocks", "[{", "invalid_blocks_format"},
		{"blocks over a limit", "blocks", `[{"type":"header","text":{"type":"plain_text","text":"` + strings.Repeat("x", 151) + `"}}]`, "invalid_blocks"},
		{"metadata without a type", "metadata", `{"event_payload":{}}`, "invalid_metadata_schema"},
		{"metadata that is no object", "metadata", `7`, "invalid_metadata_format"},
		{"too much metadata", "metadata", `{"event_type":"x","event_payload":{"a":"` + strings.Repeat("x", 17_000) + `"}}`, "metadata_too_large"},
	} {
		got, _ := r.call(t, "xoxb-demo", "chat.postMessage", url.Values{"channel": {slacksim.ChannelRoot}, "text": {"x"}, c.key: {c.value}})
		if got["error"] != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
		if c.want == "invalid_blocks" {
			meta, _ := got["response_metadata"].(map[string]any)
			want := []any{"[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"}
			if diff := cmp.Diff(want, meta["messages"]); diff != "" {
				t.Errorf("the reasons (-want +got):\n%s", diff)
			}
		}
	}
}

func TestRateLimitsSayWhenToComeBack(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) { c.DisableRateLimits = false })
	args := url.Values{"channel": {slacksim.ChannelRoot}, "text": {"x"}}
	first, _ := r.call(t, "xoxb-demo", "chat.postMessage", args)
	second, resp := r.call(t, "xoxb-demo", "chat.postMessage", args)
	if first["ok"] != true || second["error"] != "ratelimited" || resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("two messages in a second: %v, then %v with %d %v", first, second, resp.StatusCode, resp.Header)
	}
	if dm, _ := r.call(t, "xoxb-demo", "chat.postMessage", url.Values{"channel": {slacksim.UserKim}, "text": {"x"}}); dm["ok"] != true {
		t.Errorf("another channel: %v", dm)
	}
	r.clock.Advance(time.Second)
	if third, _ := r.call(t, "xoxb-demo", "chat.postMessage", args); third["ok"] != true {
		t.Errorf("a second later: %v", third)
	}
	r.clock.Advance(-24 * time.Hour)
	r.call(t, "xoxb-demo", "chat.postMessage", args)
	r.clock.Advance(time.Second)
	if got, _ := r.call(t, "xoxb-demo", "chat.postMessage", args); got["ok"] != true {
		t.Errorf("after the clock was set back: %v", got)
	}
	for i := range 21 {
		_, resp := r.call(t, "xoxb-demo", "usergroups.list", nil)
		if limited := resp.StatusCode == 429; limited != (i == 20) {
			t.Errorf("tier 2, call %d: %d", i+1, resp.StatusCode)
		}
	}
}

func TestFaultsOfTheWebAPI(t *testing.T) {
	r := newRig(t, nil)
	get := func() (int, string) {
		return send(t, http.MethodPost, r.url+"/slack/api/auth.test", "application/x-www-form-urlencoded", "token=xoxb-demo")
	}
	for _, c := range []struct {
		kind   string
		status int
		want   string
	}{
		{"http_500", 500, "<!DOCTYPE html>"},
		{"rate_limit", 429, "ratelimited"},
		{"error", 200, `"error":"token_revoked"`},
		{"garbage", 200, `"channel":"C0`},
		{"timeout_after_commit", 0, "EOF"},
	} {
		if status, out := r.control(t, "fault", map[string]any{"kind": c.kind, "for": "10s", "method": "auth.test", "error": "token_revoked"}); status != 200 {
			t.Fatal(out)
		}
		if status, body := get(); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.kind, status, body)
		}
		if _, err := r.api.GetUserInfo(slacksim.UserAna); err != nil {
			t.Errorf("%s hits another method: %v", c.kind, err)
		}
		r.clock.Advance(10 * time.Second)
		if status, body := get(); status != 200 {
			t.Errorf("after %s: %d %s", c.kind, status, body)
		}
	}
	r.Inject(slacksim.Fault{Kind: "timeout_after_commit", Method: "chat.postMessage", Count: 1})
	if _, _, err := r.api.PostMessage(slacksim.ChannelRoot, text("once")); err == nil {
		t.Error("the answer was not lost")
	}
	if m := r.messages(t, slacksim.ChannelRoot); len(m) != 1 {
		t.Errorf("the message was not posted: %v", m)
	}
	if _, _, err := r.api.PostMessage(slacksim.ChannelRoot, text("twice")); err != nil {
		t.Errorf("the fault outlived its count: %v", err)
	}
	if err := r.Inject(slacksim.Fault{Kind: "earthquake"}); err == nil {
		t.Error("an unknown fault was taken")
	}
}

func TestFilesAreUploadedInThreeSteps(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) { c.BotScopes = append(slacksim.DefaultBotScopes(), "files:write") })
	f, err := r.api.UploadFile(slack.UploadFileParameters{
		Filename: "audit.csv", FileSize: 5, Content: "a,b,c", Channel: slacksim.ChannelRoot, InitialComment: "The audit log",
	})
	if err != nil || f.ID == "" {
		t.Fatal(f, err)
	}
	if m := r.messages(t, slacksim.ChannelRoot); len(m) != 1 || m[0].Text != "The audit log" {
		t.Errorf("there stands %+v", m)
	}
}

func TestHistoryNeedsItsScopeAndHidesEphemeralMessages(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) { c.BotScopes = []string{"chat:write", "channels:history"} })
	history := func() (*slack.GetConversationHistoryResponse, error) {
		return r.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: slacksim.ChannelRoot})
	}
	_, err := history()
	var scope slack.SlackErrorResponse
	if !errors.As(err, &scope) || scope.Err != "missing_scope" {
		t.Errorf("without groups:history: %v", err)
	}
	r.SetBotScopes(slacksim.DefaultBotScopes()...)
	_, ts, _ := r.api.PostMessage(slacksim.ChannelRoot, text("first"))
	r.api.PostMessage(slacksim.ChannelRoot, text("reply"), slack.MsgOptionTS(ts))
	r.api.PostMessage(slacksim.ChannelRoot, text("second"))
	r.api.PostEphemeral(slacksim.ChannelRoot, slacksim.UserAna, text("psst"))
	h, err := history()
	if err != nil || len(h.Messages) != 2 || h.Messages[0].Text != "second" || h.Messages[1].ReplyCount != 1 {
		t.Errorf("the history is %+v, %v", h, err)
	}
	replies, _, _, err := r.api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: slacksim.ChannelRoot, Timestamp: ts})
	if err != nil || len(replies) != 2 || replies[1].Text != "reply" {
		t.Errorf("the thread is %+v, %v", replies, err)
	}
}
