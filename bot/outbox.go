package bot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file says in Slack what the verbs want said. The rules are:
//   - At least once: an item is done when Slack has taken the message and the board remembers where it stands.
//   - What the board remembers is updated and not posted again; what has not changed is not sent.
//   - A message that somebody deleted is posted anew.

// Handlers are the kinds of work that the bot does, for the one worker that does all of it.
func (b *Bot) Handlers() map[string]commands.Handler {
	handlers := map[string]commands.Handler{}
	for kind, f := range map[string]func(context.Context, commands.Lease, commands.Work) error{
		commands.KindCard:   b.drawCard,
		commands.KindNew:    b.drawCard,
		commands.KindTell:   b.tell,
		commands.KindAlarm:  b.alarm,
		commands.KindOwner:  b.writeOwner,
		commands.KindNotice: b.notice,
	} {
		handlers[kind] = func(ctx context.Context, l commands.Lease) (commands.Change, error) {
			var w commands.Work
			if err := json.Unmarshal(l.Body, &w); err != nil {
				return commands.Change{}, fmt.Errorf("read the work of %s: %w", l.Key, err)
			}
			return commands.Change{}, b.ws.later(f(ctx, l, w))
		}
	}
	handlers[commands.KindDigest] = func(ctx context.Context, l commands.Lease) (commands.Change, error) {
		c, err := b.postDigest(ctx, l)
		return c, b.ws.later(err)
	}
	return handlers
}

func cardKey(p place) string { return "card/" + p.Source + "/" + string(p.Account) }

// pending stands for a message's channel from just before it is posted until Slack has answered. An attempt that finds it
// cannot know whether the message was posted.
const pending = "pending"

// where is where a key's message stands. It returns commands.ErrNotFound for one that does not stand anywhere, as far as
// anybody knows; unsure is set where it may have been posted all the same.
func (b *Bot) where(ctx context.Context, key string) (ref commands.MessageRef, unsure bool, err error) {
	ref, err = b.board.Message(ctx, key)
	if err == nil && ref.Channel == pending {
		return commands.MessageRef{}, true, commands.ErrNotFound
	}
	return ref, false, err
}

// show puts a message where its key says: updates the one that stands there, or posts it. A new one is only posted when
// post is set; the answer is where it stands, or the zero reference.
func (b *Bot) show(ctx context.Context, key, channel, thread string, m message, post bool) (commands.MessageRef, error) {
	defer b.lock(key)()
	hash := m.hash()
	ref, unsure, err := b.where(ctx, key)
	switch {
	case err == nil && ref.Hash == hash:
		return ref, nil
	case err == nil:
		err = b.ws.update(ctx, ref.Channel, ref.TS, m)
		if !errors.Is(err, errMessageGone) {
			ref.Hash = hash
			return ref, b.remember(ctx, key, ref, err)
		}
		post = true
	case !errors.Is(err, commands.ErrNotFound):
		return ref, fmt.Errorf("find message %s: %w", key, err)
	}
	if !post && !unsure {
		return commands.MessageRef{}, nil
	}
	return b.postNew(ctx, key, channel, thread, m, unsure)
}

// postNew posts, unless an earlier attempt did. The intent is saved first, because Slack offers no key to recognize a second
// post by.
func (b *Bot) postNew(ctx context.Context, key, channel, thread string, m message, unsure bool) (commands.MessageRef, error) {
	if unsure && channel == b.ws.cfg.Channel {
		ts, err := b.ws.find(ctx, thread, key)
		if ts != "" {
			return commands.MessageRef{Channel: channel, TS: ts}, b.remember(ctx, key, commands.MessageRef{Channel: channel, TS: ts}, nil)
		}
		if err != nil {
			b.log.WarnContext(ctx, "whether a message was posted is not known; it is posted again", "key", key, "error", err)
		}
	}
	if err := b.remember(ctx, key, commands.MessageRef{Channel: pending, TS: key}, nil); err != nil {
		return commands.MessageRef{}, err
	}
	ts, err := b.ws.post(ctx, channel, thread, key, m)
	ref := commands.MessageRef{Channel: channel, TS: ts, Hash: m.hash()}
	return ref, b.remember(ctx, key, ref, err)
}

func (b *Bot) remember(ctx context.Context, key string, ref commands.MessageRef, err error) error {
	if err != nil {
		return err
	}
	if err := b.board.SaveMessage(ctx, key, ref); err != nil {
		return fmt.Errorf("remember message %s: %w", key, err)
	}
	return nil
}

// hash identifies what a message shows.
func (m message) hash() string {
	raw, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// drawCard draws an account's card. Only a new finding or an open request posts one: drawing all accounts anew must not
// fill a channel.
func (b *Bot) drawCard(ctx context.Context, l commands.Lease, w commands.Work) error {
	_, err := b.card(ctx, place{Source: w.Source, Account: w.Account}, l.Kind == commands.KindNew)
	return err
}

func (b *Bot) card(ctx context.Context, p place, post bool) (commands.MessageRef, error) {
	a, err := b.verbs.View(ctx, p.Source, p.Account)
	if errors.Is(err, commands.ErrNotFound) {
		return commands.MessageRef{}, nil // the account has left; its last card stays as it is
	}
	if err != nil {
		return commands.MessageRef{}, fmt.Errorf("view account %s: %w", p.Account, err)
	}
	for _, k := range a.Keys {
		post = post || k.Open != nil
	}
	// That an account was looked at again is no reason to send its card. So the card does not say when that was, or it
	// would look as if nobody had looked since.
	a.Look.Evidence.At = time.Time{}
	v := b.voice("")
	v.stands = true
	return b.show(ctx, cardKey(p), b.ws.cfg.Channel, "", b.cardIn(ctx, v, a), post)
}

// alarm writes a message of its own, with the way to the account.
func (b *Bot) alarm(ctx context.Context, l commands.Lease, w commands.Work) error {
	r, err := b.verbs.Request(ctx, w.Request)
	if err != nil {
		return fmt.Errorf("read request %s: %w", w.Request, err)
	}
	a, err := b.verbs.View(ctx, r.Source, r.Account)
	if err != nil && !errors.Is(err, commands.ErrNotFound) {
		return fmt.Errorf("view account %s: %w", r.Account, err)
	}
	_, err = b.show(ctx, l.Key, b.ws.cfg.Channel, "", alarm(b.voice(""), a, then(w, r), w.Note), true)
	return err
}

func alarm(v voice, a commands.AccountView, r remediation.Request, n remediation.Note) message {
	acc := a.Look.Evidence.Account
	name := cmp.Or(outside(acc.Label(), nameLength).plain(), string(r.Account))
	open := button(actShow, place{r.Source, r.Account, ""}.value(), v.say("button.show"), v.say("about.show", arg{"Account": fit(name, 40)}))
	return newMessage(v, []slack.Block{
		heading(v.say("alarm.title", arg{"Account": name})),
		small(accountName(r.Account), keyName(v, r.Key)),
		paraWith(note(v, r, cmp.Or(n, r.Note)), open),
	})
}

// writeOwner sends or brings up to date the owner's message. Somebody who cannot be written to is told of in the channel.
func (b *Bot) writeOwner(ctx context.Context, l commands.Lease, w commands.Work) error {
	a, err := b.verbs.View(ctx, w.Source, w.Account)
	if errors.Is(err, commands.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("view account %s: %w", w.Account, err)
	}
	to := cmp.Or(w.User, a.Owner.User)
	if to == "" {
		return nil
	}
	channel, err := b.ws.direct(ctx, to)
	if err == nil {
		err = b.dm(ctx, l, channel, to, a, w)
	}
	switch code(err) {
	case "user_not_found", "users_not_found", "user_disabled", "account_inactive", "cannot_dm_bot", "user_not_visible",
		"messages_tab_disabled", "channel_not_found", "is_archived", "not_in_channel":
		b.log.WarnContext(ctx, "owner cannot be written to", "user", to, "error", err)
		v := b.voice("")
		said := v.say("notice.unreachable", arg{"Who": user(to), "Account": accountName(w.Account)})
		_, err = b.show(ctx, "unreachable/"+l.Key, b.ws.cfg.Channel, "", newMessage(v, []slack.Block{para(said)}), true)
	}
	return err
}

func (b *Bot) dm(ctx context.Context, l commands.Lease, channel, to string, a commands.AccountView, w commands.Work) error {
	v := b.voiceOf(ctx, to)
	if w.Purpose == commands.PurposeKey {
		r, err := b.verbs.Request(ctx, w.Request)
		if err != nil {
			return fmt.Errorf("read request %s: %w", w.Request, err)
		}
		// Each step is a message of its own, or nobody would see it. The request's key names the newest.
		ref, err := b.show(ctx, "dm-key/"+l.Key+"/"+to, channel, "", keyDM(v, a, r), true)
		return b.remember(ctx, keyDMKey(r, to), ref, err)
	}
	// Each reminder is a message of its own, or nobody would see it.
	key := fmt.Sprintf("%s%s/%d", dmKey(w.Source, w.Account), to, a.Owner.Told)
	_, err := b.show(ctx, key, channel, "", mfaDM(v, a), true)
	return err
}

// dmKey is how the keys of all messages to an account's owners about MFA begin.
func dmKey(source string, account posture.AccountID) string {
	return fmt.Sprintf("dm/%s/%s/", source, account)
}

// keyDMKey names the owner's newest message about a step of a request.
func keyDMKey(r remediation.Request, to string) string {
	return "dm-key/" + string(r.ID) + "/" + to
}

// refreshKeyDM brings the owner's message about a guided step up to date, where there is one.
func (b *Bot) refreshKeyDM(ctx context.Context, r remediation.Request) error {
	a, err := b.verbs.View(ctx, r.Source, r.Account)
	if errors.Is(err, commands.ErrNotFound) || err == nil && a.Owner.User == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("view account %s: %w", r.Account, err)
	}
	to := a.Owner.User
	ref, _, err := b.where(ctx, keyDMKey(r, to))
	if errors.Is(err, commands.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the message of %s: %w", to, err)
	}
	_, err = b.show(ctx, keyDMKey(r, to), ref.Channel, "", keyDM(b.voiceOf(ctx, to), a, r), false)
	return err
}

// postDigest posts the digest of an occurrence and its thread, each message once.
func (b *Bot) postDigest(ctx context.Context, l commands.Lease) (commands.Change, error) {
	w, err := l.Work()
	if err != nil {
		return commands.Change{}, err
	}
	occurrence := cmp.Or(w.Occurrence, l.Key)
	d, err := b.verbs.DrawDigest(ctx, occurrence)
	if err != nil {
		return commands.Change{}, fmt.Errorf("draw the digest: %w", err)
	}
	key := "digest/" + occurrence
	var owners []string
	for _, o := range firsts(d.Waiting, waitingRows) {
		owners = append(owners, o.User)
	}
	v := b.naming(ctx, b.voice(""), owners...)
	head, thread := digest(v, d)
	ref, _, err := b.where(ctx, key)
	if errors.Is(err, commands.ErrNotFound) {
		ref, err = b.show(ctx, key, b.ws.cfg.Channel, "", head, true)
	}
	if err != nil {
		return commands.Change{}, err
	}
	reply := func(part string, m message) error {
		if _, _, err := b.where(ctx, part); err == nil {
			return nil
		}
		_, err := b.show(ctx, part, ref.Channel, ref.TS, m, true)
		return err
	}
	for i, m := range thread {
		if err := reply(fmt.Sprintf("%s/%d", key, i+1), m); err != nil {
			return commands.Change{}, err
		}
	}
	if d.Head != "" {
		if err := reply(key+"/head", headMessage(v, d.Head)); err != nil {
			return commands.Change{}, err
		}
	}
	return b.verbs.DigestPosted(ctx, occurrence, d)
}

// notice says everything else in the channel. The same notice may come again later and is then said again, so that only
// a repeated attempt looks for what was posted.
func (b *Bot) notice(ctx context.Context, l commands.Lease, w commands.Work) error {
	sum := sha256.Sum256(l.Body)
	key := "notice/" + l.Key + "/" + hex.EncodeToString(sum[:6])
	defer b.lock(key)()
	_, unsure, err := b.where(ctx, key)
	switch {
	case err == nil && l.Attempts > 1:
		return nil
	case err != nil && !errors.Is(err, commands.ErrNotFound):
		return fmt.Errorf("find notice %s: %w", key, err)
	}
	_, err = b.postNew(ctx, key, b.ws.cfg.Channel, "", channelNotice(b.voice(""), w, b.named(ctx, w.Accounts)), unsure)
	return err
}

// Announce says a trouble in the channel past the database, which cannot be written. So nothing remembers that it was said.
func (b *Bot) Announce(ctx context.Context, t commands.Trouble) error {
	m := channelNotice(b.voice(""), commands.Work{Notice: t.Notice, What: t.What}, nil)
	if _, err := b.ws.post(ctx, b.ws.cfg.Channel, "", "announced/"+string(t.Notice), m); err != nil {
		return fmt.Errorf("say a trouble in the channel: %w", err)
	}
	return nil
}

// named are lines that name accounts. Owners are not mentioned, which would write to them before anybody released that.
func (b *Bot) named(ctx context.Context, places []commands.Place) []string {
	var lines []string
	for _, p := range firsts(places, 10) {
		s := accountName(p.Account)
		if a, err := b.verbs.View(ctx, p.Source, p.Account); err == nil {
			s = labelled(a.Look.Evidence.Account)
		}
		lines = append(lines, s)
	}
	return lines
}

// labelled is an account's name with its id.
func labelled(a posture.Account) string {
	return "*" + outside(a.Label(), shortName).mrkdwn() + "* " + accountName(a.ID)
}

func channelNotice(v voice, w commands.Work, accounts []string) message {
	id := "notice." + string(w.Notice)
	if !v.has(id) {
		id = "notice.unknown"
	}
	where := accountName(w.Account)
	if w.Account == "" {
		where = "–"
	}
	blocks := []slack.Block{para(v.say(id, arg{
		"By": user(w.By), "Who": user(w.User), "Account": where, "Reason": quote(w.Reason), "Count": w.Count,
		"Why":  gapPhrase(v, posture.Reason(w.What)),
		"What": "`" + outside(cmp.Or(w.What, string(w.Notice)), troubleLength).mrkdwn() + "`",
	}))}
	if w.Notice == commands.NoticePaused && w.Count > 0 {
		blocks = append(blocks, para(v.say("pause.flying", arg{"Count": w.Count})))
	}
	if len(accounts) > 0 {
		blocks = append(blocks, para(strings.Join(accounts, "\n")))
	}
	value := place{w.Source, w.Account, ""}.value()
	about := arg{"Account": string(w.Account)}
	switch w.Notice {
	case commands.NoticeOwners:
		blocks = append(blocks, row(primary(button(actRelease, "release", v.say("button.release"), v.say("about.release")))))
	case commands.NoticePaused:
		blocks = append(blocks, row(resumeButton(v, w.Version)))
	case commands.NoticeClaimed:
		claim := place{w.Source, w.Account, w.User}.value()
		blocks = append(blocks, row(primary(button(actOwnerYes, claim, v.say("button.owner_yes"), v.say("about.owner_yes", about))),
			button(actShow, value, v.say("button.show"), v.say("about.show", about))))
	case commands.NoticeEscalated, commands.NoticeEscalatedUnread, commands.NoticeDeclined, commands.NoticeBreakGlass:
		blocks = append(blocks, row(button(actShow, value, v.say("button.show"), v.say("about.show", about)),
			button(actAssign, value, v.say("button.assign"), v.say("about.assign", about))))
	case commands.NoticeResumed, commands.NoticeGathered, commands.NoticeSourceGap, commands.NoticeParked, commands.NoticeFailing,
		commands.NoticeShared, commands.NoticeLowSpace, commands.NoticeUnwritable, commands.NoticeWritable, commands.NoticeBackup, commands.NoticeDamaged, commands.NoticeShorter, commands.NoticeRewritten:
	}
	return newMessage(v, blocks)
}
