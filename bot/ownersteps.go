package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// redrawDM brings the owner's message that was clicked up to date. Whoever pressed the button of one elsewhere, which
// stands on no other message of ours, gets the steps as an answer: no card turns into them.
func (b *Bot) redrawDM(ctx context.Context, c call, p place, o commands.Owner) error {
	a, err := b.verbs.View(ctx, p.Source, p.Account)
	if err != nil {
		return fmt.Errorf("view account %s: %w", p.Account, err)
	}
	a.Owner = o
	key, err := b.board.KeyOf(ctx, c.channel, c.ts)
	if errors.Is(err, commands.ErrNotFound) || err == nil && !strings.HasPrefix(key, dmKey(p.Source, p.Account)) {
		if o.User == c.actor.User {
			b.answer(ctx, c, mfaDM(c.v, a))
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the owner's message: %w", err)
	}
	_, err = b.show(ctx, key, c.channel, "", mfaDM(c.v, a), false)
	return err
}

func (b *Bot) device(ctx context.Context, c call, p place) error {
	o, err := b.verbs.ChooseDevice(ctx, c.actor, p.Source, p.Account, p.What, "")
	if err != nil {
		return err
	}
	return b.redrawDM(ctx, c, p, o)
}

func (b *Bot) system(ctx context.Context, c call, p place) error {
	o, err := b.verbs.ChooseDevice(ctx, c.actor, p.Source, p.Account, "virtual", p.What)
	if err != nil {
		return err
	}
	return b.redrawDM(ctx, c, p, o)
}

// mfaDone answers with what AWS shows now.
func (b *Bot) mfaDone(ctx context.Context, c call, p place) error {
	e, o, err := b.verbs.MFADone(ctx, c.actor, p.Source, p.Account)
	if err != nil {
		return err
	}
	switch {
	case e.MFA.Known() && (e.MFA.Value || o.Stage == commands.OwnerFinished):
		b.sayTo(ctx, c, c.v.say("answer.mfa_yes"))
	case !e.MFA.Known():
		why := posture.ReasonUnknown
		if e.MFA.Gap != nil {
			why = e.MFA.Gap.Reason
		}
		b.sayTo(ctx, c, c.v.say("answer.mfa_unread", arg{"Why": gapPhrase(c.v, why)}))
	default:
		b.sayTo(ctx, c, c.v.say("answer.mfa_no"))
		o.Stage = commands.OwnerTold // the message beside it need not say the same
	}
	b.redrawCard(ctx, p)
	return b.redrawDM(ctx, c, p, o)
}

func (b *Bot) tomorrow(ctx context.Context, c call, p place) error {
	_, err := b.verbs.RemindTomorrow(ctx, c.actor, p.Source, p.Account)
	return b.told(ctx, c, err, "answer.tomorrow")
}

func (b *Bot) decline(ctx context.Context, c call, p place) error {
	o, err := b.verbs.DeclineOwner(ctx, c.actor, p.Source, p.Account)
	if err != nil {
		return err
	}
	b.sayTo(ctx, c, c.v.say("answer.declined"))
	b.redrawCard(ctx, p)
	o.Stage = commands.OwnerGaveUp
	return b.redrawDM(ctx, c, p, o)
}
