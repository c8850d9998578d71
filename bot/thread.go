package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file writes the lines in a card's thread. The rules are:
//   - Each step has one line, which stays as it was said.
//   - The line of a step that waits for a confirmation calls those who may give it. It is a message of its own for that:
//     Slack tells nobody of a mention that comes into a message which stands there already.
//   - It calls once. Whoever comes late, to a step that is decided or to a line that was said, calls nobody.
//   - Nobody else is called by it, not whoever asked either: they are named.

// tell writes a line in the card's thread, and brings the owner's message up to date.
func (b *Bot) tell(ctx context.Context, l commands.Lease, w commands.Work) error {
	r, err := b.verbs.Request(ctx, w.Request)
	if err != nil {
		return fmt.Errorf("read request %s: %w", w.Request, err)
	}
	switch _, _, err = b.where(ctx, l.Key); {
	case err == nil:
		return b.refreshKeyDM(ctx, r)
	case !errors.Is(err, commands.ErrNotFound):
		return fmt.Errorf("find line %s: %w", l.Key, err)
	}
	p := place{Source: r.Source, Account: r.Account}
	ref, _, err := b.where(ctx, cardKey(p))
	if errors.Is(err, commands.ErrNotFound) {
		ref, err = b.card(ctx, p, true)
	}
	if err != nil {
		return fmt.Errorf("find the card of %s: %w", p.Account, err)
	}
	if ref.TS == "" {
		return nil
	}
	key, blocks, err := b.threadLine(ctx, l.Key, w, r)
	if err != nil {
		return err
	}
	if _, err := b.show(ctx, key, ref.Channel, ref.TS, newMessage(b.voice(""), blocks), true); err != nil {
		return err
	}
	return b.refreshKeyDM(ctx, r)
}

// threadLine is what is said of a step, and the key that it is said under.
func (b *Bot) threadLine(ctx context.Context, key string, w commands.Work, now remediation.Request) (string, []slack.Block, error) {
	r := then(w, now)
	v := b.naming(ctx, b.voice(""), r.Requester.User)
	line := told(v, r, w.Note)
	if w.Note == remediation.NoteDeleted {
		head, err := b.verbs.SignedHead(ctx)
		if err != nil {
			return key, nil, fmt.Errorf("tell of a deletion with the audit log's head: %w", err)
		}
		line += "\n" + v.say("digest.head_whole", arg{"Head": headCode(head)})
	}
	blocks := []slack.Block{para(line)}
	if _, asks := asked(r, w.Note); !asks || !stillWaits(now, r) {
		return key, blocks, nil
	}
	ring, err := b.ring(ctx, now)
	if err != nil {
		return key, nil, err
	}
	if ring.Held {
		// The line is said again when the bot is resumed, under the key that is free until then.
		return key + "/held", blocks, nil
	}
	name := b.named(ctx, []commands.Place{{Source: now.Source, Account: now.Account}})[0]
	if s := calls(v, name, now, ring); s != "" {
		blocks = append(blocks, para(s))
	}
	return key, blocks, nil
}

// stillWaits reports whether a request waits for the confirmation of the very step that is told of.
func stillWaits(now, then remediation.Request) bool {
	return now.State.Pending() && now.State == then.State && now.Present().At.Equal(then.Present().At)
}

// ringWithin is how long after its step a line waits for a directory that does not answer. Then it calls those whom it can.
const ringWithin = 10 * time.Minute

// ring is whom to call. While Slack does not tell who the approvers are, the line waits.
func (b *Bot) ring(ctx context.Context, r remediation.Request) (commands.Ring, error) {
	g, err := b.verbs.Ring(ctx, r)
	if err != nil {
		return g, fmt.Errorf("find whom to call: %w", err)
	}
	if g.Unasked == nil {
		return g, nil
	}
	var o *outage
	if errors.As(g.Unasked, &o) && b.ws.cfg.Now().Sub(r.Present().At) < ringWithin {
		return g, g.Unasked
	}
	b.log.WarnContext(ctx, "not everybody who may confirm can be called", "request", string(r.ID), "error", g.Unasked)
	return g, nil
}

// calls is the sentence that calls those who may confirm: to what, until when, and where they answer.
func calls(v voice, account string, r remediation.Request, g commands.Ring) string {
	switch {
	case !g.Open, g.Nobody() && !r.Policy.TwoPerson:
		return ""
	case g.Nobody():
		return v.say("ring.nobody")
	}
	more := ""
	if g.More > 0 {
		more = v.say("ring.more", arg{"Count": g.More})
	}
	confirm := "button.confirm"
	if r.State == remediation.DeleteRequested {
		confirm = "button.confirm_delete"
	}
	said := []string{v.say("ring", arg{
		"Who": people(v, slices.Concat(g.Groups, g.Users)), "More": more, "Account": account, "Key": keyName(v, r.Key),
		"Until": until(v, r.Deadline), "Confirm": v.say(confirm), "Reject": v.say("button.reject"),
	})}
	if n := r.Needed(); n > 1 {
		said = append(said, v.say("ring.several", arg{"Count": n}))
	}
	if r.Policy.DryRun {
		said = append(said, v.say("story.dry_run"))
	}
	return strings.Join(said, "\n")
}

// then is the request as the step that is told of left it. Later steps have lines of their own.
func then(w commands.Work, now remediation.Request) remediation.Request {
	if w.Then == nil || w.Then.ID != now.ID {
		return now
	}
	return *w.Then
}

// asked is what somebody asked for with a note, where the note tells that somebody did.
func asked(r remediation.Request, n remediation.Note) (what string, asks bool) {
	what, asks = map[remediation.Note]string{
		remediation.NoteRequested: "want.deactivate." + string(r.Means), remediation.NoteDeleteAsked: "want.delete",
		remediation.NoteReactivateAsk: "want.reactivate." + string(r.Means), remediation.NoteLiftAsked: "want.lift",
	}[n]
	return what, asks
}

// told is the line of a note, with who asked for what, or who confirmed.
func told(v voice, r remediation.Request, n remediation.Note) string {
	if id, asks := asked(r, n); asks {
		return v.say("tell.asked", arg{"By": v.name(r.Requester.User), "What": v.say(id), "Reason": quote(r.Reason)})
	}
	if n == remediation.NoteFoundInactive && r.Present().Act == "" {
		return taken(v, r, r.Present()) + " " + note(v, r, n)
	}
	if n == remediation.NoteConfirmed && len(r.Approvals) > 0 {
		last := r.Approvals[len(r.Approvals)-1]
		return v.say("story.confirmed", arg{"By": user(last.By.User), "When": v.when(last.At)})
	}
	return note(v, r, n)
}
