package bot

import (
	"context"
	"errors"
	"strings"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// maxQuery bounds what is searched for, in characters.
const maxQuery = 200

// slash answers /rootcheck.
func (b *Bot) slash(ctx context.Context, c call, text string) {
	var words []string
	for w := range strings.FieldsSeq(text) {
		words = append(words, unescape(w))
	}
	if n := len(words); n > 0 && strings.EqualFold(words[n-1], "share") {
		c.share, words = true, words[:n-1]
	}
	name, rest := "", ""
	if len(words) > 0 {
		name, rest = strings.ToLower(words[0]), cut(strings.Join(words[1:], " "), maxQuery)
	}
	all, alone := searched(cut(strings.Join(words, " "), maxQuery), c.v, b.voice(""), b.voice("en"))
	if alone { // "MFA 없음" begins like a command
		name = ""
	}
	b.refuse(ctx, c, b.subcommand(ctx, c, name, rest, all))
}

func (b *Bot) subcommand(ctx context.Context, c call, name, rest, all string) error {
	switch name {
	case "":
		return b.list(ctx, c, all, 0)
	case "help":
		b.answer(ctx, c, help(c.v))
		return nil
	case "guide":
		b.answer(ctx, c, guide(c.v, strings.ToLower(rest)))
		return nil
	case "keys":
		found, err := b.verbs.Keys(ctx, c.actor, rest)
		return b.reply(ctx, c, err, func() message { return keys(c.v, found) })
	case "status":
		s, err := b.verbs.Status(ctx, c.actor)
		return b.reply(ctx, c, err, func() message { return status(c.v, s) })
	case "requests":
		everything := strings.EqualFold(rest, "all")
		found, err := b.verbs.Requests(ctx, c.actor, everything)
		return b.reply(ctx, c, err, func() message { return requests(c.v, found, everything) })
	case "audit":
		if rest == "" {
			b.sayTo(ctx, c, c.v.say("answer.which_record"))
			return nil
		}
		leaves, err := b.verbs.AuditTrail(ctx, c.actor, rest)
		return b.reply(ctx, c, err, func() message { return trail(c.v, leaves) })
	case "mfa":
		return b.mfa(ctx, c, rest)
	case "digest":
		return b.told(ctx, c, b.verbs.DigestNow(ctx, c.actor), "answer.digest")
	case "pause":
		return b.told(ctx, c, b.verbs.Pause(ctx, c.actor, rest), "answer.paused")
	case "resume":
		return b.told(ctx, c, b.verbs.Resume(ctx, c.actor, commands.AnyPause), "answer.resumed")
	case "check":
		return b.check(ctx, c)
	default:
		return b.look(ctx, c, name, all)
	}
}

// reply answers with a message, or returns the error.
func (b *Bot) reply(ctx context.Context, c call, err error, draw func() message) error {
	if err != nil {
		return err
	}
	b.answer(ctx, c, draw())
	return nil
}

// told answers with a sentence, or returns the error.
func (b *Bot) told(ctx context.Context, c call, err error, id string, args ...arg) error {
	if err != nil {
		return err
	}
	b.sayTo(ctx, c, c.v.say(id, args...))
	return nil
}

func (b *Bot) list(ctx context.Context, c call, query string, page int) error {
	l, err := b.verbs.List(ctx, c.actor, query, page)
	return b.reply(ctx, c, err, func() message { return list(c.v, l) })
}

func (b *Bot) check(ctx context.Context, c call) error {
	run, err := b.verbs.CheckNow(ctx, c.actor)
	if run.Listed == 0 {
		return b.told(ctx, c, err, "answer.check_started")
	}
	return b.told(ctx, c, err, "answer.check", runArgs(c.v, run))
}

func (b *Bot) mfa(ctx context.Context, c call, word string) error {
	if word == "" {
		b.sayTo(ctx, c, c.v.say("answer.which_account"))
		return nil
	}
	o, err := b.verbs.InstructMFA(ctx, c.actor, word)
	return b.told(ctx, c, err, "answer.mfa", arg{"Who": user(o.User)})
}

// look answers words that are no command: one account by its id, name or alias, else a search, else usage with the
// nearest match.
func (b *Bot) look(ctx context.Context, c call, name, all string) error {
	found, err := b.verbs.Find(ctx, c.actor, all)
	var refused *commands.Refusal
	switch {
	case err == nil && found.Account != nil:
		b.answer(ctx, c, b.cardIn(ctx, c.v, *found.Account))
		return nil
	case err == nil:
		b.answer(ctx, c, list(c.v, found.List))
		return nil
	case !errors.As(err, &refused) || refused.Code != commands.UnknownAccount:
		return err
	}
	c.share = false
	lines := []string{c.v.say("answer.unknown_word", arg{"Word": outside(all, 60)})}
	if near := nearest(name, subcommands); near != "" {
		lines = append(lines, c.v.say("answer.did_you_mean", arg{"Nearest": near}))
	} else if near := refused.Args["nearest"]; near != "" {
		lines = append(lines, c.v.say("list.nearest", arg{"Nearest": outside(near, 60)}))
	}
	m := help(c.v)
	b.answer(ctx, c, newMessage(c.v, append(newMessageOf(lines), m.Blocks...)))
	return nil
}
