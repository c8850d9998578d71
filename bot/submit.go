package bot

import (
	"cmp"
	"context"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// submission is a modal that was sent. Its answer goes out with the acknowledgement, or into the modal when that is late.
func (b *Bot) submission(ctx context.Context, c call, i slack.InteractionCallback) {
	c.view = i.View.ID
	fields := typed(i.View.State)
	ref := parseReference(i.View.PrivateMetadata)
	view, err := b.submit(ctx, c, i.View.CallbackID, ref, fields)
	p := place{Source: ref.Source, Account: ref.Account}
	if err == nil {
		b.conclude(ctx, c, slack.NewUpdateViewSubmissionResponse(&view))
		return
	}
	if stale(err) {
		b.redrawCard(ctx, p)
	}
	said := b.sentenceOf(ctx, c, err)
	if f := fieldOf(err); f != "" {
		if _, there := fields[f]; there {
			if b.inbox.settle(c.key, slack.NewErrorsViewSubmissionResponse(map[string]string{f: said})) {
				return
			}
		}
	}
	refused := notice(c.v, "modal.refused", said)
	b.conclude(ctx, c, slack.NewUpdateViewSubmissionResponse(&refused))
}

// conclude hands the answer to the acknowledgement that waits for it, or draws it into the modal.
func (b *Bot) conclude(ctx context.Context, c call, r *slack.ViewSubmissionResponse) {
	if b.inbox.settle(c.key, r) {
		return
	}
	if err := b.ws.redraw(ctx, c.view, "", *r.View); err != nil {
		b.log.InfoContext(ctx, "modal was closed before its answer", "error", err)
	}
}

// typed are the fields of a modal by their block ids. Only the first element of a block counts; ours have one.
func typed(s *slack.ViewState) map[string]string {
	fields := map[string]string{}
	if s == nil {
		return fields
	}
	for block, elements := range s.Values {
		for _, e := range elements {
			fields[block] = strings.TrimSpace(cmp.Or(e.Value, cmp.Or(e.SelectedUser, e.SelectedOption.Value)))
		}
	}
	return fields
}

// submit calls the verb of a modal and returns what the modal turns into.
func (b *Bot) submit(ctx context.Context, c call, callback string, ref reference, fields map[string]string) (slack.ModalViewRequest, error) {
	reason, key := fields[fieldReason], fields[fieldKey]
	ask := commands.Ask{
		Source: ref.Source, Account: ref.Account, Key: ref.What, TypedAccount: digits(fields[fieldAccount]), TypedKey: key,
		Reason: reason, Override: fields[fieldOverride],
	}
	var r remediation.Request
	var err error
	switch callback {
	case formDeactivate:
		r, err = b.verbs.RequestDeactivate(ctx, c.actor, ask)
	case formBreakGlass:
		r, err = b.verbs.BreakGlass(ctx, c.actor, ask)
	case formDelete:
		r, err = b.verbs.RequestDelete(ctx, c.actor, ref.Request, ref.Version, ask)
	case formReactivate:
		r, err = b.verbs.RequestReactivate(ctx, c.actor, ref.Request, ref.Version, reason)
	case formLift:
		r, err = b.verbs.RequestLift(ctx, c.actor, ref.Request, ref.Version, reason)
	case formConfirm:
		r, err = b.verbs.Confirm(ctx, c.actor, ref.Request, ref.Version, cmp.Or(key, ask.TypedAccount))
	case formReject:
		r, err = b.verbs.Reject(ctx, c.actor, ref.Request, ref.Version, reason)
	case formMute:
		return b.mute(ctx, c, ref, fields)
	case formAssign:
		return b.assign(ctx, c, ref, fields[fieldUser])
	default:
		return slack.ModalViewRequest{}, b.verbs.Refuse(ctx, c.actor, callback, commands.UnknownButton)
	}
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	return done(c.v, r, b.ws.cfg.Channel), nil
}

// digits takes out the spaces and hyphens that people put into account ids.
func digits(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(s)
}

func (b *Bot) mute(ctx context.Context, c call, ref reference, fields map[string]string) (slack.ModalViewRequest, error) {
	end, ok := muteUntil(c.v.now, fields[fieldUntil])
	if !ok {
		return slack.ModalViewRequest{}, b.verbs.Refuse(ctx, c.actor, "mute", commands.UnknownButton)
	}
	if err := b.verbs.Mute(ctx, c.actor, ref.Source, ref.Account, posture.Control(ref.What), fields[fieldReason], end); err != nil {
		return slack.ModalViewRequest{}, err
	}
	b.redrawCard(ctx, place{Source: ref.Source, Account: ref.Account})
	return notice(c.v, "modal.done", c.v.say("answer.muted", arg{"When": c.v.when(end)})), nil
}

func (b *Bot) assign(ctx context.Context, c call, ref reference, who string) (slack.ModalViewRequest, error) {
	if _, err := b.verbs.AssignOwner(ctx, c.actor, ref.Source, ref.Account, who); err != nil {
		return slack.ModalViewRequest{}, err
	}
	b.redrawCard(ctx, place{Source: ref.Source, Account: ref.Account})
	return notice(c.v, "modal.done", c.v.say("answer.claimed")), nil
}
