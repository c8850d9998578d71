package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file finds the verb of an envelope. The rules are:
//   - The action id or the callback id is the verb; one that is not known is answered, and nothing is guessed.
//   - A payload of another app does nothing. One of another workspace goes to the verbs under that name, which refuse
//     and record it.
//   - A button stands on a message that we posted, or on one that only the person can see.

// route handles one committed envelope. Whatever goes wrong in it ends here.
func (b *Bot) route(ctx context.Context, e envelope) {
	c := call{at: e.At, key: e.Key, v: b.voice("")}
	defer func() {
		if r := recover(); r != nil {
			b.log.ErrorContext(ctx, "panic", "while", "handle an envelope", "type", e.Type, "panic", fmt.Sprint(r))
			if c.actor.User != "" {
				b.refuse(ctx, c, errPanic)
			}
		}
	}()
	var err error
	switch e.Type {
	case "slash_commands":
		err = b.command(ctx, e, &c)
	case "interactive":
		err = b.interaction(ctx, e, &c)
	case "events_api":
		err = b.event(ctx, e, &c)
	}
	if err != nil {
		b.log.ErrorContext(ctx, "envelope could not be handled", "type", e.Type, "error", err)
	}
}

var errPanic = errors.New("a defect in the handling")

// ours reports whether a payload is of this app. Before the first hello nobody knows the app's id.
func (b *Bot) ours(appID string) bool {
	known := b.sockets.appID()
	return known == "" || appID == "" || appID == known
}

func (b *Bot) command(ctx context.Context, e envelope, c *call) error {
	var s slack.SlashCommand
	if err := json.Unmarshal(e.Payload, &s); err != nil {
		return fmt.Errorf("read a slash command: %w", err)
	}
	c.actor = commands.Actor{User: s.UserID, Team: s.TeamID, Channel: s.ChannelID, At: e.At}
	c.channel, c.response, c.trigger = s.ChannelID, s.ResponseURL, s.TriggerID
	if !b.ours(s.APIAppID) {
		b.sayTo(ctx, *c, c.v.say("answer.foreign"))
		return nil
	}
	c.v = b.voiceOf(ctx, s.UserID)
	b.slash(ctx, *c, s.Text)
	return nil
}

func (b *Bot) interaction(ctx context.Context, e envelope, c *call) error {
	var i slack.InteractionCallback
	if err := json.Unmarshal(e.Payload, &i); err != nil {
		return fmt.Errorf("read an interaction: %w", err)
	}
	c.actor = commands.Actor{User: i.User.ID, Team: cmp.Or(i.User.TeamID, i.Team.ID), Channel: cmp.Or(i.Channel.ID, i.Container.ChannelID), At: e.At}
	c.channel, c.response, c.trigger = c.actor.Channel, i.ResponseURL, i.TriggerID
	if !b.ours(i.APIAppID) {
		b.sayTo(ctx, *c, c.v.say("answer.foreign"))
		return nil
	}
	c.v = b.voiceOf(ctx, i.User.ID)
	if i.Type == slack.InteractionTypeBlockActions {
		b.action(ctx, *c, i)
	}
	if i.Type == slack.InteractionTypeViewSubmission {
		b.submission(ctx, *c, i)
	}
	return nil
}

func (b *Bot) event(ctx context.Context, e envelope, c *call) error {
	var w struct {
		Team  string `json:"team_id"`
		App   string `json:"api_app_id"`
		Event struct {
			Type string `json:"type"`
			User string `json:"user"`
			Tab  string `json:"tab"`
		} `json:"event"`
	}
	if err := json.Unmarshal(e.Payload, &w); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	if !b.ours(w.App) || w.Event.Type != "app_home_opened" || w.Event.Tab != "home" {
		return nil
	}
	c.actor = commands.Actor{User: w.Event.User, Team: w.Team, At: e.At}
	c.v = b.voiceOf(ctx, w.Event.User)
	b.home(ctx, *c)
	return nil
}

// home draws the Home tab for a person, or says why they may not look.
func (b *Bot) home(ctx context.Context, c call) {
	l, waiting, err := b.verbs.Home(ctx, c.actor)
	view := home(c.v, l, waiting)
	if err != nil {
		view = homeTab([]slack.Block{para(b.sentenceOf(ctx, c, err))})
	}
	if err := b.ws.publish(ctx, c.actor.User, view); err != nil {
		b.log.WarnContext(ctx, "Home tab not published", "user", c.actor.User, "error", err)
	}
}

// action is one click.
func (b *Bot) action(ctx context.Context, c call, i slack.InteractionCallback) {
	c.ts, c.thread, c.secret = i.Container.MessageTs, i.Container.ThreadTs, i.Container.IsEphemeral
	if i.Container.Type == "view" {
		c.home = i.View.Type == slack.VTHomeTab
		if !c.home {
			c.view = i.Container.ViewID
		}
	}
	if len(i.ActionCallback.BlockActions) != 1 {
		b.sayTo(ctx, c, c.v.say("answer.many"))
		return
	}
	a := i.ActionCallback.BlockActions[0]
	do := b.actions()[verb(a.ActionID)]
	if verb(a.ActionID) == actLink {
		return // the client opened the page
	}
	if do == nil || !harmless(a.ActionID) && !b.known(ctx, c) {
		b.refuse(ctx, c, b.verbs.Refuse(ctx, c.actor, verb(a.ActionID), commands.UnknownButton))
		return
	}
	err := do(ctx, c, cmp.Or(a.Value, a.SelectedOption.Value))
	if u, ok := errors.AsType[*unknownError](err); ok {
		err = b.verbs.Refuse(ctx, c.actor, verb(a.ActionID), u.code)
	}
	b.refuse(ctx, c, err)
}

// harmless reports whether a button only shows something, wherever it stands.
func harmless(actionID string) bool {
	return slices.Contains([]string{actShow, actPage, actGuide, actHome}, verb(actionID))
}

// known reports whether the clicked message is one of ours that is still remembered. When the store cannot tell, the
// click goes on: the verbs check everything that matters.
func (b *Bot) known(ctx context.Context, c call) bool {
	if c.ts == "" || c.secret {
		return true
	}
	_, err := b.board.KeyOf(ctx, c.channel, c.ts)
	return !errors.Is(err, commands.ErrNotFound)
}

func workBody(w commands.Work) ([]byte, error) {
	body, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode work: %w", err)
	}
	return body, nil
}

// unescape reads what Slack made of a typed word: <@U1|ana>, <#C1|x>, <mailto:a@b|a@b>, <https://…|…>.
// https://docs.slack.dev/interactivity/implementing-slash-commands
func unescape(word string) string {
	if len(word) > 2 && word[0] == '<' && word[len(word)-1] == '>' {
		inner := word[1 : len(word)-1]
		id, label, named := strings.Cut(inner, "|")
		switch {
		case strings.HasPrefix(inner, "@"), strings.HasPrefix(inner, "#"):
			word = id[1:]
		case named:
			word = label
		default:
			word = strings.TrimPrefix(id, "mailto:")
		}
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(word)
}
