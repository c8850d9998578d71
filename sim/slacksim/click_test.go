package slacksim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// raws turns a JSON object into something that control sends unchanged.
func raws(t *testing.T, s string) json.RawMessage {
	t.Helper()
	if !json.Valid([]byte(s)) {
		t.Fatalf("not JSON: %s", s)
	}
	return json.RawMessage(s)
}

func TestAClickHonoursWhatStandsThere(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, text("x"), slack.MsgOptionBlocks(buttons("old")))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err = r.api.UpdateMessage(slacksim.ChannelRoot, ts, text("x"), slack.MsgOptionBlocks(buttons("new"))); err != nil {
		t.Fatal(err)
	}
	secret, err := r.api.PostEphemeral(slacksim.ChannelRoot, slacksim.UserAna, text("x"), slack.MsgOptionBlocks(buttons("new")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, user, channel, ts, action string
		force                           bool
		want                            int
	}{
		{"a button that stands there", slacksim.UserAna, slacksim.ChannelRoot, ts, "new", false, 200},
		{"a button that is gone", slacksim.UserAna, slacksim.ChannelRoot, ts, "old", false, 409},
		{"a button that is gone, by force", slacksim.UserAna, slacksim.ChannelRoot, ts, "old", true, 200},
		{"by a guest in the channel", slacksim.UserGuest, slacksim.ChannelRoot, ts, "new", false, 200},
		{"by somebody outside", slacksim.UserKim, slacksim.ChannelRoot, ts, "new", false, 403},
		{"by a deactivated person", slacksim.UserGone, slacksim.ChannelRoot, ts, "new", false, 403},
		{"by a deactivated person, by force", slacksim.UserGone, slacksim.ChannelRoot, ts, "new", true, 200},
		{"by nobody", "U0NOSUCHUSR", slacksim.ChannelRoot, ts, "new", true, 404},
		{"on a message that is not there", slacksim.UserAna, slacksim.ChannelRoot, "1.2", "new", false, 404},
		{"on somebody else's ephemeral message", slacksim.UserBen, slacksim.ChannelRoot, secret, "new", false, 403},
		{"on one's own ephemeral message", slacksim.UserAna, slacksim.ChannelRoot, secret, "new", false, 200},
		{"in a channel that is not there", slacksim.UserAna, "C0NOSUCHCHAN", ts, "new", false, 404},
	} {
		status, out := r.control(t, "click", map[string]any{"user": c.user, "channel": c.channel, "ts": c.ts, "action_id": c.action, "force": c.force})
		if status != c.want || status != 200 && out["error"] == nil {
			t.Errorf("%s: %d %v, want %d", c.what, status, out, c.want)
		}
		if status != 200 {
			continue
		}
		cb := <-a.got
		if cb.User.ID != c.user || cb.ActionCallback.BlockActions[0].ActionID != c.action || cb.Container.MessageTs != c.ts {
			t.Errorf("%s: the app got %+v", c.what, cb)
		}
		if ephemeral := c.ts == secret; cb.Container.IsEphemeral != ephemeral || (cb.Message.Timestamp == "") != ephemeral {
			t.Errorf("%s: the message came as %+v in %+v", c.what, cb.Message, cb.Container)
		}
	}
}

func TestAForcedClickMayCarryAnyValue(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	_, ts, _ := r.api.PostMessage(slacksim.ChannelRoot, text("x"), slack.MsgOptionBlocks(buttons("go")))
	value := func(force bool) string {
		r.control(t, "click", map[string]any{"user": slacksim.UserAna, "channel": slacksim.ChannelRoot, "ts": ts, "action_id": "go", "value": "forged", "force": force})
		return (<-a.got).ActionCallback.BlockActions[0].Value
	}
	if got := value(false); got != "value of go" {
		t.Errorf("without force the value is %q", got)
	}
	if got := value(true); got != "forged" {
		t.Errorf("with force the value is %q", got)
	}
}

func TestTwoClicksHaveTheirOwnTriggerAndTime(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	one, two := r.press(t, a), r.press(t, a)
	if one.TriggerID == two.TriggerID || one.ActionCallback.BlockActions[0].ActionTs == two.ActionCallback.BlockActions[0].ActionTs {
		t.Errorf("%+v and %+v", one, two)
	}
}

func TestMenusInAMessageKeepWhatWasChosen(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	yes, no := slack.NewOptionBlockObject("y", plain("Yes"), nil), slack.NewOptionBlockObject("n", plain("No"), nil)
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, text("x"), slack.MsgOptionBlocks(slack.NewActionBlock("b",
		slack.NewOptionsSelectBlockElement("static_select", nil, "menu", yes, no),
		slack.NewRadioButtonsBlockElement("radio", yes, no),
		slack.NewCheckboxGroupsBlockElement("boxes", yes, no),
		slack.NewOverflowBlockElement("more", yes, no),
		slack.NewOptionsSelectBlockElement("users_select", nil, "user"))))
	if err != nil {
		t.Fatal(err)
	}
	choose := func(extra string) slack.InteractionCallback {
		body := map[string]any{"user": slacksim.UserAna, "channel": slacksim.ChannelRoot, "ts": ts}
		if err := json.Unmarshal([]byte(extra), &body); err != nil {
			t.Fatal(err)
		}
		if status, out := r.control(t, "click", body); status != 200 || out["ok"] != true {
			t.Fatal(extra, status, out)
		}
		return <-a.got
	}
	if got := choose(`{"action_id":"menu","value":"n"}`).ActionCallback.BlockActions[0]; got.SelectedOption.Text.Text != "No" {
		t.Errorf("the menu gave %+v", got)
	}
	choose(`{"action_id":"radio","selected_option":{"value":"y"}}`)
	choose(`{"action_id":"user","selected_user":"U0BENOKAFOR"}`)
	if got := choose(`{"action_id":"more","value":"y"}`).ActionCallback.BlockActions[0]; got.SelectedOption.Value != "y" {
		t.Errorf("the overflow menu gave %+v", got)
	}
	last := choose(`{"action_id":"boxes","selected_options":["y","n"]}`)
	state := last.BlockActionState.Values["b"]
	if state["menu"].SelectedOption.Value != "n" || state["radio"].SelectedOption.Value != "y" || len(state["boxes"].SelectedOptions) != 2 || state["user"].SelectedUser != slacksim.UserBen {
		t.Errorf("the state is %+v", state)
	}
	if status, _ := r.control(t, "click", map[string]any{"user": slacksim.UserAna, "channel": slacksim.ChannelRoot, "ts": ts, "action_id": "menu", "value": "z"}); status != 400 {
		t.Errorf("an option that is not offered: %d", status)
	}
}

func TestADeniedConfirmDialogSendsNothing(t *testing.T) {
	r := newRig(t, nil)
	button := slack.NewButtonBlockElement("go", "v", plain("Go"))
	button.Confirm = slack.NewConfirmationBlockObject(plain("Sure?"), plain("It goes."), plain("Go"), plain("Stay"))
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, text("x"), slack.MsgOptionBlocks(slack.NewActionBlock("b", button)))
	if err != nil {
		t.Fatal(err)
	}
	status, out := r.control(t, "click", map[string]any{"user": slacksim.UserAna, "channel": slacksim.ChannelRoot, "ts": ts, "action_id": "go", "confirm": false})
	if status != 200 || out["sent"] != false || len(r.Acks()) != 0 {
		t.Errorf("%d %v, %v", status, out, r.Acks())
	}
}

// respond posts to a response URL and returns the status and the body.
func respond(t *testing.T, u, body string) (int, string) {
	t.Helper()
	return send(t, http.MethodPost, u, "application/json", body)
}

func TestAResponseURLServesFiveTimesInHalfAnHour(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	cb := r.press(t, a)
	for i := range 5 {
		if status, body := respond(t, cb.ResponseURL, `{"text":"x"}`); status != 200 || body != "ok" {
			t.Fatalf("use %d: %d %s", i+1, status, body)
		}
	}
	if status, body := respond(t, cb.ResponseURL, `{"text":"x"}`); status != 404 || !strings.Contains(body, "used_url") {
		t.Errorf("the sixth use: %d %s", status, body)
	}
	if m := r.messages(t, slacksim.ChannelRoot); len(m) != 6 || m[5].EphemeralTo != slacksim.UserAna {
		t.Errorf("there stand %d messages, the last %+v", len(m), m[len(m)-1])
	}
	cb = r.press(t, a)
	r.clock.Advance(30*time.Minute + time.Second)
	if status, body := respond(t, cb.ResponseURL, `{"text":"x"}`); status != 404 || !strings.Contains(body, "expired_url") {
		t.Errorf("after half an hour: %d %s", status, body)
	}
}

func TestAResponseURLReplacesDeletesAndTellsTheChannel(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	cb := r.press(t, a)
	respond(t, cb.ResponseURL, `{"text":"replaced","replace_original":true}`)
	respond(t, cb.ResponseURL, `{"text":"for all","response_type":"in_channel"}`)
	m := r.messages(t, slacksim.ChannelRoot)
	if len(m) != 2 || m[0].Text != "replaced" || len(m[0].Blocks) != 0 || m[1].EphemeralTo != "" {
		t.Errorf("there stands %+v", m)
	}
	if status, body := respond(t, cb.ResponseURL, `{"blocks":[{"type":"alert"}]}`); status != 400 || !strings.Contains(body, "/blocks/0/type") {
		t.Errorf("a block that may not stand there: %d %s", status, body)
	}
	respond(t, cb.ResponseURL, `{"delete_original":true}`)
	if m := r.messages(t, slacksim.ChannelRoot); len(m) != 1 || m[0].Text != "for all" {
		t.Errorf("after deleting there stands %+v", m)
	}
}
