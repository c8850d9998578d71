package slacksim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// answering is an app that acknowledges everything and keeps what it got. Submissions are
// acknowledged with reply when it is not nil.
type answering struct {
	got   chan slack.InteractionCallback
	reply func(slack.InteractionCallback) any
}

func (r *rig) answering(t *testing.T) *answering {
	t.Helper()
	a := &answering{got: make(chan slack.InteractionCallback, 100)}
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) {
		cb, ok := ev.Data.(slack.InteractionCallback)
		var payload any
		if ok && a.reply != nil {
			payload = a.reply(cb)
		}
		if payload != nil {
			c.Ack(*ev.Request, payload)
		} else {
			c.Ack(*ev.Request)
		}
		if ok {
			a.got <- cb
		}
	})
	return a
}

// press posts a message with one button, presses it as Ana and returns what the app got.
func (r *rig) press(t *testing.T, a *answering) slack.InteractionCallback {
	t.Helper()
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, text("x"), slack.MsgOptionBlocks(buttons("go")))
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Click(slacksim.ClickRequest{User: slacksim.UserAna, Channel: slacksim.ChannelRoot, TS: ts, ActionID: "go"})
	if err != nil || !out.OK {
		t.Fatal(out, err)
	}
	return <-a.got
}

// openModal opens a modal on Ana's screen.
func (r *rig) openModal(t *testing.T, a *answering, m *slack.ModalViewRequest) *slack.ViewResponse {
	t.Helper()
	v, err := r.api.OpenView(r.press(t, a).TriggerID, *m)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestATriggerIsForThreeSecondsAndOneModal(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	m := *modal("Form", input("reason", "text"))
	trigger := r.press(t, a).TriggerID
	r.clock.Advance(3*time.Second + time.Millisecond)
	_, err := r.api.OpenView(trigger, m)
	wantError(t, "after three seconds", err, "expired_trigger_id")
	trigger = r.press(t, a).TriggerID
	r.clock.Advance(2 * time.Second)
	bad := m
	bad.Title = plain(strings.Repeat("x", 25))
	if _, err = r.api.OpenView(trigger, bad); err == nil {
		t.Error("a title of 25 characters was taken")
	}
	if _, err = r.api.OpenView(trigger, m); err != nil {
		t.Errorf("a refused view used up its trigger: %v", err)
	}
	_, err = r.api.OpenView(trigger, m)
	wantError(t, "a second modal", err, "exchanged_trigger_id")
	_, err = r.api.OpenView("1.2.3", m)
	wantError(t, "a trigger that was never given", err, "invalid_trigger_id")
	_, err = r.api.PushView(r.press(t, a).TriggerID, m)
	wantError(t, "pushing with a trigger from a message", err, "invalid_trigger_id")
}

func TestAViewIsHeldToItsLimits(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	for _, c := range []struct {
		what  string
		limit int
		edit  func(m *slack.ModalViewRequest, n int)
		want  string
	}{
		{"title", 24, func(m *slack.ModalViewRequest, n int) { m.Title = plain(strings.Repeat("x", n)) }, "/view/title/text"},
		{"submit", 24, func(m *slack.ModalViewRequest, n int) { m.Submit = plain(strings.Repeat("x", n)) }, "/view/submit/text"},
		{"close", 24, func(m *slack.ModalViewRequest, n int) { m.Close = plain(strings.Repeat("x", n)) }, "/view/close/text"},
		{"private_metadata", 3000, func(m *slack.ModalViewRequest, n int) { m.PrivateMetadata = strings.Repeat("x", n) }, "/view/private_metadata"},
		{"callback_id", 255, func(m *slack.ModalViewRequest, n int) { m.CallbackID = strings.Repeat("x", n) }, "/view/callback_id"},
		{"external_id", 255, func(m *slack.ModalViewRequest, n int) { m.ExternalID = strings.Repeat("x", n) }, "/view/external_id"},
		{"blocks", 100, func(m *slack.ModalViewRequest, n int) {
			m.Blocks.BlockSet = nil
			for range n {
				m.Blocks.BlockSet = append(m.Blocks.BlockSet, slack.NewDividerBlock())
			}
		}, "/view/blocks"},
	} {
		m := modal("Form", input("reason", "text"))
		c.edit(m, c.limit)
		trigger := r.press(t, a).TriggerID
		over := modal("Form", input("reason", "text"))
		c.edit(over, c.limit+1)
		_, err := r.api.OpenView(trigger, *over)
		var refused slack.SlackErrorResponse
		if !errors.As(err, &refused) || refused.Err != "invalid_arguments" || !strings.Contains(strings.Join(refused.ResponseMetadata.Messages, " "), "[json-pointer:"+c.want+"]") {
			t.Errorf("%s over %d: %v %v", c.what, c.limit, err, refused.ResponseMetadata.Messages)
		}
		if _, err := r.api.OpenView(trigger, *m); err != nil {
			t.Errorf("%s at %d: %v", c.what, c.limit, err)
		}
	}
	withoutSubmit := modal("Form", input("reason", "text"))
	withoutSubmit.Submit = nil
	if _, err := r.api.OpenView(r.press(t, a).TriggerID, *withoutSubmit); err == nil {
		t.Error("an input without submit was taken")
	}
	large := modal("Form")
	for range 95 {
		large.Blocks.BlockSet = append(large.Blocks.BlockSet, slack.NewSectionBlock(mrkdwn(strings.Repeat("x", 2900)), nil, nil))
	}
	_, err := r.api.OpenView(r.press(t, a).TriggerID, *large)
	wantError(t, "a view over 250 KB", err, "view_too_large")
}

func TestAnUpdateKeepsWhatWasTypedAndMindsItsHash(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	v := r.openModal(t, a, modal("Form", input("reason", "text"), input("other", "text")))
	if _, err := r.Click(slacksim.ClickRequest{User: slacksim.UserAna, ViewID: v.ID, BlockID: "reason", ActionID: "text", Value: []byte(`"typed"`)}); err != nil {
		t.Fatal(err)
	}
	updated, err := r.api.UpdateView(*modal("Form 2", input("reason", "text"), input("new", "text")), "", v.Hash, v.ID)
	if err != nil || updated.Hash == v.Hash {
		t.Fatal(updated, err)
	}
	values := r.state(t).Views[0].State.Values
	if values["reason"]["text"]["value"] != "typed" || values["new"]["text"]["value"] != nil || values["other"] != nil {
		t.Errorf("the values are %v", values)
	}
	_, err = r.api.UpdateView(*modal("Form 3", input("reason", "text")), "", v.Hash, v.ID)
	wantError(t, "an old hash", err, "hash_conflict")
	if _, err = r.CloseView(slacksim.UserAna, v.ID, false); err != nil {
		t.Fatal(err)
	}
	_, err = r.api.UpdateView(*modal("Form 4", input("reason", "text")), "", "", v.ID)
	wantError(t, "a view that was closed", err, "not_found")
}

func TestAnExternalIDNamesOneOpenView(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	m := modal("Form", input("reason", "text"))
	m.ExternalID = "request-1"
	v := r.openModal(t, a, m)
	other := *modal("Form", input("reason", "text"))
	if u, err := r.api.UpdateView(*m, "request-1", "", ""); err != nil || u.ID != v.ID {
		t.Errorf("updating by external id: %v, %v", u, err)
	}
	out, err := r.Click(slacksim.ClickRequest{User: slacksim.UserAna, ViewID: v.ID, ActionID: "text", Value: []byte(`"x"`)})
	if err != nil || out.Sent {
		t.Errorf("typing was sent: %+v, %v", out, err)
	}
	a.reply = func(slack.InteractionCallback) any {
		m2 := other
		m2.ExternalID = "request-1"
		return slack.NewPushViewSubmissionResponse(&m2)
	}
	out, err = r.Submit(slacksim.SubmitRequest{User: slacksim.UserAna, ViewID: v.ID})
	if err != nil || out.OK || !strings.Contains(out.Error, "duplicate_external_id") {
		t.Errorf("a second view with the id: %+v, %v", out, err)
	}
}

func TestAStackHoldsThreeViewsAndClosesWithItsRoot(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	m := modal("Form", input("reason", "text"), buttons("deeper"))
	m.NotifyOnClose = true
	v := r.openModal(t, a, m)
	push := func() error {
		views := r.state(t).Views
		out, err := r.Click(slacksim.ClickRequest{User: slacksim.UserAna, ViewID: views[len(views)-1].ID, ActionID: "deeper"})
		if err != nil || !out.OK {
			t.Fatal(out, err)
		}
		cb := <-a.got
		if cb.Container.Type != "view" || cb.View.ID == "" || cb.Channel.ID != "" || cb.ResponseURL != "" {
			t.Errorf("a click in a view came as %+v", cb)
		}
		_, err = r.api.PushView(cb.TriggerID, *m)
		return err
	}
	if err := errors.Join(push(), push()); err != nil {
		t.Fatal(err)
	}
	wantError(t, "a fourth view", push(), "push_limit_reached")
	views := r.state(t).Views
	if out, err := r.CloseView(slacksim.UserAna, views[2].ID, false); err != nil || !out.OK {
		t.Fatal(out, err)
	}
	if cb := <-a.got; cb.Type != slack.InteractionTypeViewClosed || cb.IsCleared || cb.View.ID != views[2].ID || cb.View.PreviousViewID != views[1].ID {
		t.Errorf("closing the top one came as %+v", cb)
	}
	if out, err := r.CloseView(slacksim.UserAna, views[1].ID, true); err != nil || !out.OK {
		t.Fatal(out, err)
	}
	if cb := <-a.got; !cb.IsCleared || cb.View.ID != v.ID {
		t.Errorf("closing all came as %+v", cb)
	}
	if left := r.state(t).Views; len(left) != 0 {
		t.Errorf("views are left: %v", left)
	}
}

func TestASubmissionCarriesEveryInput(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	choose := slack.NewOptionsSelectBlockElement("static_select", plain("Pick"), "device",
		slack.NewOptionBlockObject("key", plain("Key"), nil), slack.NewOptionBlockObject("app", plain("App"), nil))
	tick := slack.NewCheckboxGroupsBlockElement("boxes", slack.NewOptionBlockObject("yes", mrkdwn("*Yes*"), nil))
	initial := slack.NewPlainTextInputBlockElement(nil, "text")
	initial.InitialValue = "as before"
	optional := slack.NewInputBlock("tick", plain("Tick"), nil, tick).WithOptional(true)
	v := r.openModal(t, a, modal("Form",
		slack.NewInputBlock("initial", plain("Initial"), nil, initial),
		slack.NewInputBlock("menu", plain("Menu"), nil, choose), optional,
		slack.NewActionBlock("who", slack.NewOptionsSelectBlockElement("users_select", nil, "user"))))
	submit := func(values string) (int, map[string]any) {
		return r.control(t, "submit", map[string]any{"user": slacksim.UserAna, "view_id": v.ID, "values": raws(t, values)})
	}
	if status, out := submit(`{"menu":{"device":{"type":"static_select","selected_option":{"value":"laser"}}}}`); status != 400 {
		t.Errorf("an option that is not offered: %d %v", status, out)
	}
	if status, out := submit(`{"menu":{"nosuch":"x"}}`); status != 400 {
		t.Errorf("an element that is not there: %d %v", status, out)
	}
	if status, out := submit(`{}`); status != 422 {
		t.Errorf("a required menu left empty: %d %v", status, out)
	}
	if status, out := submit(`{"menu":{"device":{"type":"static_select","selected_option":{"value":"app"}}}}`); status != 200 || out["ok"] != true {
		t.Fatal(status, out)
	}
	cb := <-a.got
	got := cb.View.State.Values
	if got["initial"]["text"].Value != "as before" || got["menu"]["device"].SelectedOption.Text.Text != "App" {
		t.Errorf("the app got %+v", got)
	}
	if _, ok := got["tick"]["boxes"]; !ok {
		t.Error("an untouched optional input is missing")
	}
	if _, ok := got["who"]["user"]; !ok {
		t.Error("an untouched menu outside an input is missing")
	}
	if got["reason"] != nil || cb.View.Hash == "" || cb.TriggerID == "" || cb.User.TeamID != slacksim.TeamID {
		t.Errorf("the submission is %+v", cb)
	}
}

func TestWhatAnAppMayNotAnswerIsShownAsAnError(t *testing.T) {
	r := newRig(t, nil)
	a := r.answering(t)
	long := modal(strings.Repeat("x", 25), input("reason", "text"))
	for _, c := range []struct {
		what  string
		reply any
		want  string
	}{
		{"errors on a block that is no input", slack.NewErrorsViewSubmissionResponse(map[string]string{"buttons": "No."}), "no input block"},
		{"a view over a limit", slack.NewUpdateViewSubmissionResponse(long), "must be less than 25 characters"},
		{"an action Slack does not know", map[string]any{"response_action": "dance"}, "unknown response_action"},
	} {
		v := r.openModal(t, a, modal("Form", input("reason", "text"), buttons("go")))
		a.reply = func(cb slack.InteractionCallback) any {
			if cb.Type == slack.InteractionTypeViewSubmission {
				return c.reply
			}
			return nil
		}
		out, err := r.Submit(slacksim.SubmitRequest{User: slacksim.UserAna, ViewID: v.ID, Force: true})
		if err != nil || out.OK || !out.Acked || !strings.Contains(out.Error, c.want) {
			t.Errorf("%s: %+v, %v", c.what, out, err)
		}
		if left := r.state(t).Views; len(left) != 1 {
			t.Errorf("%s closed the modal", c.what)
		}
		<-a.got
	}
	if n := len(r.Errors()); n != 3 {
		t.Errorf("people saw %d errors", n)
	}
}

func TestTheHomeTabIsPublishedWhenOpened(t *testing.T) {
	r := newRig(t, nil)
	home := func(s string) slack.PublishViewContextRequest {
		return slack.PublishViewContextRequest{UserID: slacksim.UserKim, View: slack.HomeTabViewRequest{
			Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewHeaderBlock(plain(s))}},
		}}
	}
	hashes := make(chan string, 2)
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) {
		v, err := r.api.PublishViewContext(t.Context(), home("안녕"))
		if err != nil {
			t.Error(err)
		}
		hashes <- v.Hash
		c.Ack(*ev.Request)
	})
	status, out := r.control(t, "home", map[string]any{"user": slacksim.UserKim})
	if status != 200 || out["acked"] != true || out["home"] == nil {
		t.Fatal(status, out)
	}
	if got := r.state(t).Homes[slacksim.UserKim]; len(got.Blocks) != 1 || got.Blocks[0]["type"] != "header" {
		t.Errorf("the Home tab is %+v", got)
	}
	hash := <-hashes
	request := home("다시")
	request.Hash = &hash
	if _, err := r.api.PublishViewContext(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	_, err := r.api.PublishViewContext(t.Context(), request)
	wantError(t, "an old hash", err, "hash_conflict")
	request.UserID, request.Hash = "U0NOSUCHUSR", nil
	_, err = r.api.PublishViewContext(t.Context(), request)
	wantError(t, "nobody's Home", err, "user_not_found")
}
