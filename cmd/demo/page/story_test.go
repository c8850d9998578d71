package page_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

const (
	ana   = "U0ANASILVA1"
	ben   = "U0BENOKAFOR"
	root  = "C0AWSROOT01"
	input = css(`[data-testid=composer-input]`)
)

// scene is one browser tab that looks at one stage.
type scene struct {
	*stage

	t   *testing.T
	ctx context.Context
}

func enter(ctx context.Context, t *testing.T, hash string) *scene {
	t.Helper()
	s := &scene{stage: newStage(t), t: t, ctx: ctx}
	s.do(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+"/#"+hash), chromedp.WaitReady(css(`html[data-ready=true]`)))
	return s
}

func (s *scene) do(steps ...step) {
	s.t.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.t.Fatalf("do in the browser: %v", err)
	}
}

// until waits for a JavaScript condition.
func (s *scene) until(what, js string) {
	s.t.Helper()
	if _, err := chromedp.Run(s.ctx, chromedp.Poll[bool]("!!("+js+")")); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

func (s *scene) text(sel css) string {
	s.t.Helper()
	got, err := chromedp.Run(s.ctx, chromedp.Text(sel))
	if err != nil {
		s.t.Fatalf("read %s: %v", sel, err)
	}
	return got
}

func (s *scene) count(sel string) int {
	s.t.Helper()
	n, err := chromedp.Run(s.ctx, chromedp.Evaluate[int](fmt.Sprintf("document.querySelectorAll(%q).length", sel)))
	if err != nil {
		s.t.Fatalf("count %s: %v", sel, err)
	}
	return n
}

// wait polls the stage until path was asked for the nth time and returns the last body.
func (s *scene) wait(path string, n int) doc {
	s.t.Helper()
	for {
		if got := s.asked(path); len(got) >= n {
			return got[n-1]
		}
		if _, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](`new Promise(r => setTimeout(() => r(true), 30))`, chromedp.EvalAwaitPromise)); err != nil {
			s.t.Fatalf("wait for %s: %v", path, err)
		}
	}
}

func TestThePageInABrowser(t *testing.T) {
	ctx := browser(t, 1280, 800)

	t.Run("a slash command leaves as one and its answer is only visible to the person", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.SendKeys(input, "/rootcheck mfa @minjun"+kb.Enter))
		want := doc{"user": ana, "channel": root, "command": "/rootcheck", "text": "mfa <@U0KIMMINJUN|minjun>"}
		if diff := cmp.Diff(want, s.wait("/control/slack/command", 1)); diff != "" {
			t.Errorf("what was sent (-want +got):\n%s", diff)
		}
		s.until("the answer", `[...document.querySelectorAll('[data-ephemeral=true]')].some(m => m.innerText.includes("You asked: mfa"))`)
		s.do(chromedp.Click(css(`[data-testid=user][data-user-id=` + ben + `]`)))
		s.until("Ben looks", `document.querySelector('[data-user-id=`+ben+`][aria-pressed=true]')`)
		if got := s.text(css(`[data-testid=messages]`)); strings.Contains(got, "Only Ana sees") || !strings.Contains(got, "Only Ben sees this.") {
			t.Errorf("Ben sees:\n%s", got)
		}
	})

	t.Run("what is being typed survives what arrives", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.SendKeys(input, "half a thou"))
		s.change(func(_, _ doc) { s.say(root, doc{"user": ben, "text": "meanwhile"}) })
		s.until("the new message", `document.body.innerText.includes("meanwhile")`)
		s.do(chromedp.SendKeys(input, "ght"))
		s.until("the draft", `document.activeElement.dataset.testid === "composer-input" && document.activeElement.value === "half a thought"`)
	})

	t.Run("a confirm dialog that is denied sends nothing, and one that is agreed to sends the click", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		button := css(`[data-action-id="key.delete"]`)
		s.do(chromedp.Click(button), chromedp.Click(css(`[data-testid=confirm-deny]`)), chromedp.WaitNotPresent(css(`[data-testid=confirm]`)))
		if n := len(s.asked("/control/slack/click")); n != 0 {
			t.Fatalf("%d clicks were sent before anybody agreed", n)
		}
		s.do(chromedp.Click(button), chromedp.Click(css(`[data-testid=confirm-ok]`)))
		want := doc{"user": ana, "channel": root, "ts": "1795220400.000100", "block_id": "a1", "action_id": "key.delete", "value": "op_1"}
		if diff := cmp.Diff(want, s.wait("/control/slack/click", 1)); diff != "" {
			t.Errorf("the click (-want +got):\n%s", diff)
		}
	})

	t.Run("a modal keeps its values over an update, shows errors by field and submits everything", func(t *testing.T) {
		s := enter(ctx, t, "user="+ben+"&channel="+root)
		s.do(chromedp.Click(css(`[data-action-id="key.deactivate"]`)), chromedp.WaitVisible(css(`[data-testid=modal]`)),
			chromedp.Click(css(`[data-testid=modal-submit]`)), chromedp.WaitVisible(css(`[data-testid=field-error][data-block-id=reason]`)))
		if n := len(s.asked("/control/slack/submit")); n != 0 {
			t.Fatalf("%d submissions were sent with required fields empty", n)
		}
		s.do(chromedp.SendKeys(css(`[data-action-id=reason] textarea`), "leaked"), chromedp.SendKeys(css(`[data-action-id=last4] input`), "7XQ23"),
			chromedp.Click(css(`[data-action-id=agree] input`)))
		s.change(func(slack, _ doc) {
			v := object(list(slack, "views")[0])
			v["title"] = doc{"type": "plain_text", "text": "Updated"}
			v["blocks"] = append([]any{doc{"type": "divider", "block_id": "new"}}, list(v, "blocks")...)
		})
		s.until("the update", `document.querySelector('[data-testid=modal-title]').innerText === "Updated"`)
		s.mu.Lock()
		s.refusal = doc{"errors": doc{"last4": "These are not its last four characters."}}
		s.mu.Unlock()
		s.do(chromedp.Click(css(`[data-testid=modal-submit]`)))
		s.until("the error", `document.querySelectorAll("[data-testid=field-error]").length === 1 && document.querySelector("[data-testid=field-error][data-block-id=last4]").innerText.includes("not its last four")`)
		yes := doc{"text": doc{"type": "plain_text", "text": "I know that the console is blocked too", "emoji": true}, "value": "yes"}
		week := doc{"text": doc{"type": "plain_text", "text": "7 days", "emoji": true}, "value": "7d"}
		want := doc{"user": ben, "view_id": "V01", "values": doc{
			"reason": doc{"reason": doc{"type": "plain_text_input", "value": "leaked"}},
			"last4":  doc{"last4": doc{"type": "plain_text_input", "value": "7XQ2"}},
			"when":   doc{"when": doc{"type": "static_select", "selected_option": week}},
			"agree":  doc{"agree": doc{"type": "checkboxes", "selected_options": []any{yes}}},
			"who":    doc{"who": doc{"type": "users_select", "selected_user": nil}},
		}}
		if diff := cmp.Diff(want, s.wait("/control/slack/submit", 1)); diff != "" {
			t.Errorf("the submission (-want +got):\n%s", diff)
		}
		s.do(chromedp.Click(css(`[data-testid=modal-submit]`)), chromedp.WaitNotPresent(css(`[data-testid=modal]`)))
	})

	t.Run("Escape closes a modal through the workspace and gives the focus back", func(t *testing.T) {
		s := enter(ctx, t, "user="+ben+"&channel="+root)
		s.do(chromedp.Click(css(`[data-action-id="key.deactivate"]`)), chromedp.WaitVisible(css(`[data-testid=modal]`)))
		s.until("focus inside", `document.activeElement.closest("dialog")`)
		s.do(chromedp.KeyEvent(kb.Escape), chromedp.WaitNotPresent(css(`[data-testid=modal]`)))
		if diff := cmp.Diff(doc{"user": ben, "view_id": "V01"}, s.wait("/control/slack/close", 1)); diff != "" {
			t.Errorf("the close (-want +got):\n%s", diff)
		}
		s.until("focus back", `document.activeElement.dataset.actionId === "key.deactivate"`)
	})

	t.Run("a view pushed on top hides the one below, which keeps what was typed", func(t *testing.T) {
		s := enter(ctx, t, "user="+ben+"&channel="+root)
		reason := css(`[data-view-id=V01] [data-action-id=reason] textarea`)
		s.do(chromedp.Click(css(`[data-action-id="key.deactivate"]`)), chromedp.SendKeys(reason, "leaked"))
		s.change(func(slack, _ doc) {
			slack["views"] = append(list(slack, "views"), doc{"id": "V02", "user": ben, "type": "modal", "title": doc{"type": "plain_text", "text": "Above"}, "blocks": []any{}})
		})
		s.do(chromedp.WaitVisible(css(`[data-view-id=V02][data-top=true]`)), chromedp.WaitNotVisible(reason))
		s.change(func(slack, _ doc) { slack["views"] = list(slack, "views")[:1] })
		s.do(chromedp.WaitVisible(reason))
		if got, err := chromedp.Run(ctx, chromedp.Value(reason)); err != nil || got != "leaked" {
			t.Errorf("the field below holds %q (%v)", got, err)
		}
		if n := s.count(`[data-view-id=V01] [data-testid=modal-back]`); n != 0 {
			t.Error("the first view of a stack offers a way back")
		}
	})

	t.Run("menus, ticks and table pages do what they show", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.Click(css(`[data-testid=overflow] button`)), chromedp.Click(css(`[data-testid=overflow-option][data-value=owner]`)),
			chromedp.Click(css(`[data-action-id=tick] [data-value=phone]`)), chromedp.Click(css(`[data-action-id="pick.os"] [data-value=android]`)),
			chromedp.Click(css(`[data-testid=table-next]`)), chromedp.Click(css(`[data-testid=table-next]`)))
		s.wait("/control/slack/click", 3)
		got := map[any]any{}
		for _, c := range s.asked("/control/slack/click") {
			got[c["action_id"]] = c["value"]
		}
		if diff := cmp.Diff(map[any]any{"card.more": "owner", "tick": []any{"phone"}, "pick.os": "android"}, got); diff != "" {
			t.Errorf("what was sent (-want +got):\n%s", diff)
		}
		s.until("the last page", `/acct-7[^]*7–7 of 7/.test(document.querySelector(".data-table").innerText)`)
	})

	t.Run("what the server refuses is said to the person", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.SendKeys(input, "/rootcheck refuse"+kb.Enter), chromedp.WaitVisible(css(`[data-testid=toast]`)))
		if got := s.text(css(`#toasts`)); !strings.Contains(got, "the command was refused") {
			t.Errorf("toasts: %q", got)
		}
	})

	t.Run("a select in a message sends what was chosen", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.Focus(css(`[data-action-id="pick.device"] select`)), chromedp.SendKeys(css(`[data-action-id="pick.device"] select`), "Auth"+kb.Enter))
		got := s.wait("/control/slack/click", 1)
		if got["action_id"] != "pick.device" || got["value"] != "virtual" || got["block_id"] != "e1" {
			t.Errorf("sent %v", got)
		}
	})

	t.Run("a hostile name stays text, and a real mention is shown as one", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		if got := s.text(css(`[data-block-id=e0]`)); !strings.Contains(got, "<!channel>") || !strings.Contains(got, "<@U0ANASILVA1>") {
			t.Errorf("the escaped tokens are not shown as letters: %q", got)
		}
		if n := s.count(`[data-block-id=e0] .mention.ping`); n != 1 {
			t.Errorf("%d pings are shown, want the one real", n)
		}
		if n := s.count(`[data-testid=unknown-block]`); n != 1 {
			t.Errorf("%d blocks are unknown, want only the hologram", n)
		}
	})

	t.Run("a thread opens beside the channel and takes a reply", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.Click(css(`[data-testid=open-thread]`)), chromedp.SendKeys(css(`[data-testid=thread-input]`), "done"+kb.Enter))
		want := doc{"user": ana, "channel": root, "text": "done", "thread_ts": "1795220400.000100"}
		if diff := cmp.Diff(want, s.wait("/control/slack/message", 1)); diff != "" {
			t.Errorf("the reply (-want +got):\n%s", diff)
		}
	})

	t.Run("the levers of the AWS pane order what they say", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		key := `[data-key-id="AKIAPAYMENTS0000A7XQ"]`
		s.do(chromedp.Click(css(`[data-testid=account-toggle][data-account-id="222222222222"]`)),
			chromedp.Click(css(`[data-testid=use-key]`+key)), chromedp.Click(css(`[data-testid=key-deactivate]`+key)),
			chromedp.Click(css(`[data-testid=mfa-add-passkey]`)), chromedp.Click(css(`[data-testid=clock-168h]`)))
		for path, want := range map[string]doc{
			"/control/aws/use-key": {"key_id": "AKIAPAYMENTS0000A7XQ"},
			"/control/aws/key":     {"account": "222222222222", "key_id": "AKIAPAYMENTS0000A7XQ", "do": "deactivate"},
			"/control/aws/mfa":     {"account": "222222222222", "kind": "passkey", "do": "add"},
			"/control/clock":       {"advance": "168h"},
		} {
			if diff := cmp.Diff(want, s.wait(path, 1)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	})

	t.Run("what went wrong for a person is shown to that person only", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.change(func(slack, _ doc) {
			slack["errors"] = []any{doc{"at": "2026-11-21T01:20:00Z", "user": ben, "what": "not yours"}, doc{"at": "2026-11-21T01:20:00Z", "user": ana, "what": "the app did not respond"}}
		})
		s.do(chromedp.WaitVisible(css(`[data-testid=toast]`)))
		if got := s.text(css(`#toasts`)); !strings.Contains(got, "the app did not respond") || strings.Contains(got, "not yours") {
			t.Errorf("toasts: %q", got)
		}
	})

	t.Run("ten thousand accounts leave the pane usable", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.change(func(_, aws doc) {
			many := list(aws, "accounts")
			for i := range 10_000 {
				many = append(many, doc{"id": fmt.Sprintf("3%011d", i), "name": fmt.Sprintf("bulk-%05d", i), "email": "", "state": "ACTIVE", "tags": doc{}, "quarantined": false, "root": doc{"password": false, "mfa": []any{}, "keys": []any{}, "certificates": []any{}}})
			}
			aws["accounts"] = many
		})
		s.do(chromedp.WaitVisible(css(`[data-testid=more-accounts]`)), chromedp.SendKeys(css(`[data-testid=aws-search]`), "bulk-09876"))
		s.until("one found", `document.querySelectorAll("[data-testid=account]").length === 1`)
		s.do(chromedp.Click(css(`[data-testid=account-toggle]`)), chromedp.WaitVisible(css(`[data-testid=key-create]`)))
	})
}
