package bot

import (
	"context"
	"errors"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// call is one thing that a person did, with all the ways in which they can be answered.
type call struct {
	actor    commands.Actor
	v        voice
	at       time.Time
	key      string // of the delivery
	trigger  string
	response string // response_url
	channel  string // where it was done
	ts       string // of the message that was clicked; empty elsewhere
	thread   string
	secret   bool   // that message is ephemeral
	home     bool   // it was done on the Home tab
	view     string // the modal that it was done in
	share    bool   // the answer is for the channel
	replace  bool   // the answer takes the place of the ephemeral message that was clicked
}

// triggerFor is how long a trigger id is good for, with room for the way.
// https://docs.slack.dev/interactivity/handling-user-interaction
const triggerFor = 2800 * time.Millisecond

// answer says something to the person, by the first way that is open: the response address, a message only they can see,
// a direct message. Somebody who pressed a button is never left without an answer.
func (b *Bot) answer(ctx context.Context, c call, m message) {
	if c.home && c.trigger != "" && b.ws.cfg.Now().Sub(c.at) < triggerFor {
		if _, _, err := b.ws.open(ctx, c.trigger, modal(formNotice, "", c.v.say("modal.answer"), "", c.v.say("modal.close"), m.Blocks)); err == nil {
			return
		}
	}
	if c.view != "" {
		view := modal(formNotice, "", c.v.say("modal.answer"), "", c.v.say("modal.close"), m.Blocks)
		if b.ws.redraw(ctx, c.view, "", view) == nil {
			return
		}
	}
	if c.share && b.shared(ctx, c, m) {
		return
	}
	if c.response != "" {
		blocks := slack.Blocks{BlockSet: m.Blocks}
		kind := slack.ResponseTypeEphemeral
		if c.share {
			kind = slack.ResponseTypeInChannel
		}
		err := b.ws.respond(ctx, c.response, &slack.WebhookMessage{
			Text: m.Text, Blocks: &blocks, ResponseType: kind, ReplaceOriginal: c.replace && c.secret,
		})
		if err == nil {
			return
		}
		b.log.InfoContext(ctx, "response address not used", "error", err)
	}
	if c.channel != "" {
		if b.ws.whisper(ctx, c.channel, c.actor.User, m) == nil {
			return
		}
	}
	dm, err := b.ws.direct(ctx, c.actor.User)
	if err == nil {
		_, err = b.show(ctx, "answer/"+c.key, dm, "", m, true)
	}
	if err != nil {
		b.log.WarnContext(ctx, "person could not be answered", "user", c.actor.User, "error", err)
	}
}

// shared posts an answer in the bot's own channel, where its buttons are known. Elsewhere the response address does it.
func (b *Bot) shared(ctx context.Context, c call, m message) bool {
	if c.channel != b.ws.cfg.Channel {
		return false
	}
	_, err := b.show(ctx, "shared/"+c.key, c.channel, "", m, true)
	if err != nil {
		b.log.WarnContext(ctx, "answer not shared", "error", err)
	}
	return err == nil
}

// sayTo answers with sentences.
func (b *Bot) sayTo(ctx context.Context, c call, lines ...string) {
	var blocks []slack.Block
	for _, l := range lines {
		if l != "" {
			blocks = append(blocks, para(l))
		}
	}
	c.replace = false
	b.answer(ctx, c, newMessage(c.v, blocks))
}

// sentenceOf is what the person is told of an error. A failure is logged under the id that they are told.
func (b *Bot) sentenceOf(ctx context.Context, c call, err error) string {
	id := ""
	if !isRefusal(err) {
		id = b.ws.cfg.NewID()
		b.log.ErrorContext(ctx, "verb failed", "trouble", id, "user", c.actor.User, "error", err)
	}
	return refusal(c.v, err, id)
}

// refuse answers an error.
func (b *Bot) refuse(ctx context.Context, c call, err error) {
	if err != nil {
		c.share = false
		b.sayTo(ctx, c, b.sentenceOf(ctx, c, err))
	}
}

// stale reports a refusal that means that the person looked at an old card, so that it is drawn anew.
func stale(err error) bool {
	var refused *commands.Refusal
	var machine *remediation.Refusal
	var c remediation.RefusalCode
	switch {
	case errors.As(err, &refused):
		c = remediation.RefusalCode(refused.Code)
	case errors.As(err, &machine):
		c = machine.Code
	}
	return c == remediation.RefuseEnded || c == remediation.RefuseOutdated || c == remediation.RefuseNotNow || c == remediation.RefuseExpired
}

// redrawCard puts the card's redrawing into the outbox. The click was answered already; a failure only delays it.
func (b *Bot) redrawCard(ctx context.Context, p place) {
	body, err := workBody(commands.Work{Source: p.Source, Account: p.Account})
	if err == nil {
		err = b.queue.Put(ctx, commands.Item{Key: cardKey(p), Kind: commands.KindCard, Body: body})
	}
	if err != nil {
		b.log.WarnContext(ctx, "card could not be queued for drawing", "account", string(p.Account), "error", err)
	}
}

// press opens a modal, or asks the person to press again when that is too late. It returns the view, or "" when none was
// opened.
func (b *Bot) press(ctx context.Context, c call, v slack.ModalViewRequest) (id, hash string) {
	if b.ws.cfg.Now().Sub(c.at) > triggerFor {
		b.sayTo(ctx, c, c.v.say("answer.press_again"))
		return "", ""
	}
	id, hash, err := b.ws.open(ctx, c.trigger, v)
	switch code(err) {
	case "expired_trigger_id", "trigger_expired", "exchanged_trigger_id", "trigger_exchanged", "invalid_trigger_id":
		b.sayTo(ctx, c, c.v.say("answer.press_again"))
		return "", ""
	}
	if err != nil {
		b.refuse(ctx, c, err)
		return "", ""
	}
	return id, hash
}
