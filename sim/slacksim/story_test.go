package slacksim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/goleak"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestASlashCommandIsAnsweredInItsAcknowledgement(t *testing.T) {
	r := newRig(t, nil)
	got := make(chan slack.SlashCommand, 1)
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) {
		cmd, _ := ev.Data.(slack.SlashCommand)
		got <- cmd
		c.Ack(*ev.Request, map[string]any{"text": "All root users are safe."})
	})
	status, out := r.control(t, "command", map[string]any{"user": slacksim.UserAna, "channel": "#aws-root", "command": "/rootcheck", "text": "mfa @minjun #general @nobody"})
	if status != 200 || out["ok"] != true || out["acked"] != true {
		t.Fatalf("the command ended %d %v", status, out)
	}
	cmd := <-got
	if cmd.Command != "/rootcheck" || cmd.Text != "mfa <@U0KIMMINJUN|minjun> <#C0GENERAL01|general> @nobody" || cmd.UserID != slacksim.UserAna || cmd.ChannelID != slacksim.ChannelRoot {
		t.Errorf("the app got %+v", cmd)
	}
	want := []message{{Text: "All root users are safe.", User: slacksim.BotUserID, EphemeralTo: slacksim.UserAna}}
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".TS" }, cmp.Ignore())
	if diff := cmp.Diff(want, r.messages(t, slacksim.ChannelRoot), ignore, cmp.FilterValues(emptyBoth, cmp.Ignore())); diff != "" {
		t.Errorf("what Ana sees (-want +got):\n%s", diff)
	}
}

func emptyBoth(a, b any) bool {
	empty := func(v any) bool {
		switch v := v.(type) {
		case []map[string]any:
			return len(v) == 0
		case []string:
			return len(v) == 0
		case map[string]any:
			return len(v) == 0
		}
		return false
	}
	return empty(a) && empty(b)
}

func TestAButtonOpensAModalWhoseSubmissionIsAnswered(t *testing.T) {
	r := newRig(t, nil)
	answers := []*slack.ViewSubmissionResponse{
		slack.NewErrorsViewSubmissionResponse(map[string]string{"reason": "Say more."}),
		slack.NewUpdateViewSubmissionResponse(modal("Working", input("note", "text"))),
		slack.NewPushViewSubmissionResponse(modal("Sure?", slack.NewDividerBlock(), input("sure", "yes"))),
		nil,
		slack.NewClearViewSubmissionResponse(),
	}
	r.listen(t, func(c *socketmode.Client, ev socketmode.Event) {
		cb, _ := ev.Data.(slack.InteractionCallback)
		if cb.Type == slack.InteractionTypeBlockActions {
			c.Ack(*ev.Request)
			if _, err := r.api.OpenView(cb.TriggerID, *modal("Deactivate", input("reason", "text"))); err != nil {
				t.Error(err)
			}
			return
		}
		next := answers[0]
		answers = answers[1:]
		if next == nil {
			c.Ack(*ev.Request)
		} else {
			c.Ack(*ev.Request, next)
		}
	})
	_, ts, err := r.api.PostMessage(slacksim.ChannelRoot, slack.MsgOptionText("A key", false), slack.MsgOptionBlocks(buttons("key.deactivate")))
	if err != nil {
		t.Fatal(err)
	}
	if status, out := r.control(t, "click", map[string]any{"user": slacksim.UserAna, "channel": slacksim.ChannelRoot, "ts": ts, "action_id": "key.deactivate"}); status != 200 {
		t.Fatalf("the click ended %d %v", status, out)
	}
	eventually(t, "the modal is open", func() bool { return len(r.state(t).Views) == 1 })
	first := r.state(t).Views[0]
	submit := func(view viewState, block, text string) (int, map[string]any) {
		return r.control(t, "submit", map[string]any{
			"user": slacksim.UserAna, "view_id": view.ID,
			"values": map[string]any{block: map[string]any{"text": map[string]any{"type": "plain_text_input", "value": text}}},
		})
	}
	if status, out := r.control(t, "submit", map[string]any{"user": slacksim.UserAna, "view_id": first.ID}); status != 422 {
		t.Errorf("an empty required field ended %d %v", status, out)
	}
	submit(first, "reason", "old key")
	if got := r.state(t).Views[0]; got.Errors["reason"] != "Say more." || got.State.Values["reason"]["text"]["value"] != "old key" {
		t.Errorf("after errors the view is %+v", got)
	}
	submit(first, "reason", "older key")
	second := r.state(t).Views[0]
	if second.Title.Text != "Working" || second.ID != first.ID || second.Hash == first.Hash {
		t.Errorf("after update the view is %+v", second)
	}
	submit(second, "note", "x")
	if got := r.state(t).Views; len(got) != 2 || got[1].Title.Text != "Sure?" {
		t.Fatalf("after push the views are %+v", got)
	}
	status, out := r.control(t, "submit", map[string]any{"user": slacksim.UserAna, "view_id": r.state(t).Views[1].ID, "values": map[string]any{"sure": map[string]any{"yes": "y"}}})
	if status != 200 || len(r.state(t).Views) != 1 {
		t.Errorf("after an empty acknowledgement %d %v, views %+v", status, out, r.state(t).Views)
	}
	submit(second, "note", "x")
	if got := r.state(t).Views; len(got) != 0 {
		t.Errorf("after clear the views are %+v", got)
	}
	if got := r.state(t).Errors; len(got) != 0 {
		t.Errorf("people saw %+v", got)
	}
}

func modal(title string, blocks ...slack.Block) *slack.ModalViewRequest {
	return &slack.ModalViewRequest{
		Type: slack.VTModal, Title: plain(title), Submit: plain("Go"), Close: plain("Back"), CallbackID: title,
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

func input(block, action string) slack.Block {
	return slack.NewInputBlock(block, plain("Label"), nil, slack.NewPlainTextInputBlockElement(nil, action))
}
