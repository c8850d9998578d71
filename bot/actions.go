package bot

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// newMessageOf makes a paragraph of each line.
func newMessageOf(lines []string) []slack.Block {
	var blocks []slack.Block
	for _, l := range lines {
		blocks = append(blocks, para(l))
	}
	return blocks
}

// actions are the buttons, each with what it does. An error is answered by whoever called.
func (b *Bot) actions() map[string]func(context.Context, call, string) error {
	return map[string]func(context.Context, call, string) error{
		actDeactivate: b.onKey("request", form.deactivate),
		actBreakGlass: b.onKey("break_glass", form.breakGlass),
		actConfirm:    b.onStep(remediation.Confirm, form.confirm),
		actReject:     b.onStep(remediation.Reject, form.reject),
		actReactivate: b.onStep(remediation.AskReactivate, form.reactivate),
		actLift:       b.onStep(remediation.AskLift, form.lift),
		actDelete:     b.onStep(remediation.AskDelete, form.delete),
		actCancel:     b.cancel,
		actDone:       b.stepDone,
		actSteps:      b.showSteps,

		actShow:   b.onPlace(b.showAccount),
		actMute:   b.onFinding(form.mute),
		actUnmute: b.onPlace(b.unmute),
		actAssign: b.onFinding(form.assign),

		actTell:     b.onPlace(b.tellOwner),
		actClaim:    b.onPlace(b.claim),
		actOwnerYes: b.onPlace(b.confirmOwner),
		actNotMine:  b.onPlace(b.decline),
		actDevice:   b.onPlace(b.device),
		actSystem:   b.onPlace(b.system),
		actMFADone:  b.onPlace(b.mfaDone),
		actTomorrow: b.onPlace(b.tomorrow),
		actRelease:  b.release,

		actPage:  b.page,
		actGuide: b.guideTopic,
		actResume: func(ctx context.Context, c call, value string) error {
			return b.told(ctx, c, b.verbs.Resume(ctx, c.actor, pauseVersion(value)), "answer.resumed")
		},
		actCheck: func(ctx context.Context, c call, _ string) error { return b.check(ctx, c) },
		actHome:  func(ctx context.Context, c call, _ string) error { b.home(ctx, c); return nil },
	}
}

// unknownError is a click on what the store does not have. No verb has seen the click, so its refusal is recorded where it
// is answered.
type unknownError struct{ code commands.RefusalCode }

func (u *unknownError) Error() string { return "nothing of that name is known: " + string(u.code) }

func unknownAccount() error { return &unknownError{commands.UnknownAccount} }

func unknownRequest() error { return &unknownError{commands.UnknownRequest} }

// onPlace reads a value that names an account.
func (b *Bot) onPlace(do func(context.Context, call, place) error) func(context.Context, call, string) error {
	return func(ctx context.Context, c call, value string) error {
		p, ok := parsePlace(value)
		if !ok {
			return unknownAccount()
		}
		return do(ctx, c, p)
	}
}

// stored is the preview as far as the store knows it.
func (b *Bot) stored(ctx context.Context, p place) (commands.Preview, error) {
	view, err := b.verbs.View(ctx, p.Source, p.Account)
	if errors.Is(err, commands.ErrNotFound) {
		return commands.Preview{}, unknownAccount()
	}
	if err != nil {
		return commands.Preview{}, fmt.Errorf("view account %s: %w", p.Account, err)
	}
	pre := commands.Preview{View: view}
	for _, k := range view.Keys {
		if keyHandle(k.Key) == p.What {
			pre.Key, pre.Present, pre.Request, pre.Means, pre.InUse = k.Key, true, k.Open, k.Deactivate, k.InUse
		}
	}
	return pre, nil
}

// mayWithin bounds the live look-up before a modal opens, so that a slow Slack does not cost the trigger.
const mayWithin = 1200 * time.Millisecond

// may asks whether the person may ask at all. A look-up that takes too long is not waited for, and refuses nobody: the verbs
// ask again.
func (b *Bot) may(ctx context.Context, c call, ask func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, mayWithin)
	defer stop()
	err := ask(ctx)
	if err != nil && !isRefusal(err) {
		b.log.InfoContext(ctx, "rights not known yet", "user", c.actor.User, "error", err)
		return nil
	}
	return err
}

// onKey opens a modal about a key.
func (b *Bot) onKey(act string, draw func(form) slack.ModalViewRequest) func(context.Context, call, string) error {
	return b.onPlace(func(ctx context.Context, c call, p place) error {
		if err := b.may(ctx, c, func(ctx context.Context) error { return b.verbs.May(ctx, c.actor, act) }); err != nil {
			return err
		}
		pre, err := b.stored(ctx, p)
		if err != nil {
			return err
		}
		if !pre.Present {
			b.redrawCard(ctx, p)
			return &unknownError{commands.UnknownKey}
		}
		f := form{v: c.v, preview: pre, ref: reference{Source: p.Source, Account: p.Account, What: p.What}}
		b.openLive(ctx, c, f, draw)
		return nil
	})
}

// onFinding opens a modal that needs nothing of AWS.
func (b *Bot) onFinding(draw func(form) slack.ModalViewRequest) func(context.Context, call, string) error {
	return b.onPlace(func(ctx context.Context, c call, p place) error {
		if err := b.may(ctx, c, func(ctx context.Context) error { return b.verbs.May(ctx, c.actor, commands.ActLook) }); err != nil {
			return err
		}
		pre, err := b.stored(ctx, p)
		if err != nil {
			return err
		}
		b.press(ctx, c, draw(form{v: c.v, preview: pre, ref: reference{Source: p.Source, Account: p.Account, What: p.What, Live: true}}))
		return nil
	})
}

// onStep opens a modal about a step on a request. What could only be refused when it comes back is refused here: an outdated
// button, a confirmation of one's own, a watch that is not over.
func (b *Bot) onStep(k remediation.Kind, draw func(form) slack.ModalViewRequest) func(context.Context, call, string) error {
	return func(ctx context.Context, c call, value string) error {
		id, version, ok := parseStep(value)
		if !ok {
			return unknownRequest()
		}
		r, err := b.verbs.Request(ctx, id)
		if errors.Is(err, commands.ErrNotFound) {
			return unknownRequest()
		}
		if err != nil {
			return fmt.Errorf("read request %s: %w", id, err)
		}
		p := place{Source: r.Source, Account: r.Account, What: keyHandle(r.Key)}
		err = b.may(ctx, c, func(ctx context.Context) error { return b.verbs.MayStep(ctx, c.actor, id, version, k) })
		if stale(err) {
			b.redrawCard(ctx, p)
		}
		if err != nil {
			return err
		}
		pre, err := b.stored(ctx, p)
		if err != nil {
			return err
		}
		pre.Request, pre.Key, pre.Means = &r, r.Key, r.Means
		pre.InUse = inUse(r, c.v.now)
		f := form{v: c.v, preview: pre, ref: reference{Request: id, Version: version, Source: r.Source, Account: r.Account, What: p.What}}
		b.openLive(ctx, c, f, draw)
		return nil
	}
}

// inUse tells from the store whether a deletion wants an override; the verbs decide.
func inUse(r remediation.Request, now time.Time) bool {
	return !r.Key.LastUsed.IsZero() && now.Sub(r.Key.LastUsed) < r.Policy.Guard
}

// openLive opens a modal from the store at once, and then draws it again from AWS. What was typed meanwhile stays,
// because the inputs keep their ids.
func (b *Bot) openLive(ctx context.Context, c call, f form, draw func(form) slack.ModalViewRequest) {
	id, hash := b.press(ctx, c, draw(f))
	if id == "" {
		return
	}
	live, err := b.verbs.Preview(ctx, c.actor, f.ref.Source, f.ref.Account, f.ref.What, f.ref.Request)
	switch {
	case isRefusal(err):
		if e := b.ws.redraw(ctx, id, hash, notice(c.v, "modal.refused", b.sentenceOf(ctx, c, err))); e != nil {
			b.log.WarnContext(ctx, "modal not redrawn", "error", e)
		}
		return
	case err != nil:
		b.log.WarnContext(ctx, "AWS not read for a modal", "account", string(f.ref.Account), "error", err)
		f.preview.Facts.Gap = &posture.Gap{Reason: posture.ReasonNoAnswer}
	default:
		if live.Request == nil {
			live.Request = f.preview.Request
		}
		f.preview = live
	}
	f.ref.Live = true
	if err := b.ws.redraw(ctx, id, hash, draw(f)); err != nil {
		b.log.WarnContext(ctx, "modal not redrawn", "error", err)
	}
}

func (b *Bot) cancel(ctx context.Context, c call, value string) error {
	id, version, ok := parseStep(value)
	if !ok {
		return unknownRequest()
	}
	r, err := b.verbs.Cancel(ctx, c.actor, id, version)
	if stale(err) {
		b.redrawOf(ctx, id)
	}
	if err == nil {
		b.log.DebugContext(ctx, "request cancelled", "request", string(r.ID))
	}
	return b.told(ctx, c, err, "answer.cancelled")
}

// redrawOf draws the card of a request's account anew.
func (b *Bot) redrawOf(ctx context.Context, id remediation.RequestID) {
	r, err := b.verbs.Request(ctx, id)
	switch {
	case err == nil:
		b.redrawCard(ctx, place{Source: r.Source, Account: r.Account})
	case !errors.Is(err, commands.ErrNotFound):
		b.log.WarnContext(ctx, "card could not be drawn anew", "request", string(id), "error", err)
	}
}

func (b *Bot) stepDone(ctx context.Context, c call, value string) error {
	id, _, ok := parseStep(value)
	if !ok {
		return unknownRequest()
	}
	r, err := b.verbs.KeyStepDone(ctx, c.actor, id)
	if stale(err) {
		b.redrawOf(ctx, id)
	}
	if err != nil {
		return err
	}
	b.sayTo(ctx, c, c.v.say("answer.done_read"))
	if err := b.refreshKeyDM(ctx, r); err != nil {
		b.log.WarnContext(ctx, "owner's message could not be brought up to date", "request", string(id), "error", err)
	}
	return nil
}

// showSteps answers with the console's steps, for whoever can sign in although nobody is known as the owner.
func (b *Bot) showSteps(ctx context.Context, c call, value string) error {
	id, _, ok := parseStep(value)
	if !ok {
		return unknownRequest()
	}
	r, err := b.verbs.Request(ctx, id)
	if errors.Is(err, commands.ErrNotFound) {
		return unknownRequest()
	}
	if err != nil {
		return fmt.Errorf("read request %s: %w", id, err)
	}
	a, err := b.verbs.AccountAt(ctx, c.actor, r.Source, r.Account)
	return b.reply(ctx, c, err, func() message { return keyDM(c.v, a, r) })
}

// showAccount answers with the account's card, for this person only.
func (b *Bot) showAccount(ctx context.Context, c call, p place) error {
	a, err := b.verbs.AccountAt(ctx, c.actor, p.Source, p.Account)
	return b.reply(ctx, c, err, func() message { return b.cardIn(ctx, c.v, a) })
}

func (b *Bot) unmute(ctx context.Context, c call, p place) error {
	err := b.verbs.Unmute(ctx, c.actor, p.Source, p.Account, posture.Control(p.What))
	if err == nil {
		b.redrawCard(ctx, p)
	}
	return b.told(ctx, c, err, "answer.unmuted")
}

func (b *Bot) tellOwner(ctx context.Context, c call, p place) error {
	o, err := b.verbs.InstructMFAAt(ctx, c.actor, p.Source, p.Account)
	return b.told(ctx, c, err, "answer.mfa", arg{"Who": user(o.User)})
}

func (b *Bot) claim(ctx context.Context, c call, p place) error {
	_, err := b.verbs.ClaimOwner(ctx, c.actor, p.Source, p.Account)
	return b.told(ctx, c, err, "answer.claimed")
}

func (b *Bot) confirmOwner(ctx context.Context, c call, p place) error {
	o, err := b.verbs.ConfirmOwner(ctx, c.actor, p.Source, p.Account, p.What)
	return b.told(ctx, c, err, "answer.owner_yes", arg{"Who": user(o.User)})
}

func (b *Bot) release(ctx context.Context, c call, _ string) error {
	n, err := b.verbs.ReleaseOwners(ctx, c.actor)
	return b.told(ctx, c, err, "answer.released", arg{"Count": n})
}

func (b *Bot) page(ctx context.Context, c call, value string) error {
	n, query, ok := strings.Cut(value, "|")
	p, err := strconv.Atoi(n)
	words, bad := base64.RawURLEncoding.DecodeString(query)
	if !ok || err != nil || bad != nil || p < 0 {
		return unknownAccount()
	}
	c.replace = true
	return b.list(ctx, c, cut(string(words), maxQuery), p)
}

func (b *Bot) guideTopic(ctx context.Context, c call, value string) error {
	if value == "all" || value == "guide" {
		value = ""
	}
	c.replace = true
	b.answer(ctx, c, guide(c.v, value))
	return nil
}
