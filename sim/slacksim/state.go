package slacksim

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// State returns what everybody sees now, as the object that GET /control/slack/state answers, and
// its revision, which grows with every change.
func (w *Workspace) State() (json.RawMessage, uint64) { return w.state(math.MaxInt) }

// state gives each conversation its newest messages only.
func (w *Workspace) state(newest int) (json.RawMessage, uint64) {
	snapshot, rev := w.snapshot(newest)
	return encode(snapshot), rev
}

// snapshot collects the state. What it returns shares only values that are never changed in
// place, so that encoding it holds up nobody.
func (w *Workspace) snapshot(newest int) (obj, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	users := []obj{}
	for _, id := range w.userOrder {
		u := w.users[id]
		groups := []string{}
		for _, g := range w.groupOrder {
			if slices.Contains(w.groups[g].Users, id) {
				groups = append(groups, g)
			}
		}
		users = append(users, obj{
			"id": u.ID, "name": u.Name, "real_name": u.RealName, "email": u.Email, "locale": u.Locale, "title": u.Title,
			"team_id": u.TeamID, "deleted": u.Deleted, "deactivated": u.Deleted, "guest": u.Guest, "is_restricted": u.Guest,
			"is_stranger": u.Stranger, "is_bot": u.Bot, "is_admin": u.Admin, "tz": u.TZ, "groups": groups,
		})
	}
	channels := []obj{}
	for _, id := range w.channelOrder {
		channels = append(channels, w.channelState(w.channels[id], newest))
	}
	groups := []Group{}
	for _, id := range w.groupOrder {
		groups = append(groups, *w.groups[id])
	}
	views, homes := []obj{}, obj{}
	for _, id := range w.userOrder {
		for i, v := range w.stacks[id] {
			s := w.viewState(v)
			s["top"] = i == len(w.stacks[id])-1
			views = append(views, s)
		}
		if v := w.homes[id]; v != nil {
			homes[id] = w.viewState(v)
		}
	}
	sockets := []obj{}
	for _, s := range w.sockets {
		sockets = append(sockets, obj{"id": s.id, "since": s.since, "half_open": s.isHalfOpen(), "leaving": s.leaving})
	}
	return obj{
		"rev": w.rev, "clock": w.cfg.Now().UTC().Format(time.RFC3339), "team": obj{"id": TeamID, "name": TeamName},
		"bot":   obj{"user_id": BotUserID, "bot_id": BotID, "app_id": AppID, "scopes": nonNil(w.cfg.BotScopes)},
		"users": users, "channels": channels, "groups": groups, "views": views, "homes": homes,
		"errors": append([]UserError{}, w.errors...), "sockets": sockets,
		"waiting": w.waiting, "retrying": len(w.retries), "quiet": w.waiting == 0 && len(w.retries) == 0,
	}, w.rev
}

// channelState is a conversation as the people in it see it. The caller holds mu.
func (w *Workspace) channelState(ch *channel, newest int) obj {
	shown := ch.messages[max(0, len(ch.messages)-newest):]
	messages := make([]obj, 0, len(shown))
	for _, m := range shown {
		messages = append(messages, w.messageState(m))
	}
	return obj{
		"id": ch.ID, "name": ch.Name, "topic": ch.Topic, "is_private": ch.Private, "is_im": ch.im, "is_mpim": ch.mpim,
		"is_archived": ch.Archived, "is_ext_shared": ch.Shared, "user": ch.user, "members": ch.memberIDs(),
		"messages": messages, "message_count": len(ch.messages),
	}
}

// messageState is a message with everything that the tests and the page need. The caller holds mu.
func (w *Workspace) messageState(m *message) obj {
	out := obj{
		"ts": m.ts, "user": m.user, "text": m.text, "blocks": m.rawBlocks, "thread_ts": m.threadTS, "ephemeral_to": m.ephemeral,
		"edited": m.edited != "", "is_bot": m.bot(), "reply_count": m.replies, "pings": nonNil(m.pings),
		"metadata": m.metadata, "reactions": nonNil(m.reactions),
	}
	if m.user == slackbotID {
		out["username"] = "Slackbot"
	}
	if m.attach != nil {
		out["attachments"] = m.attach
	}
	states := obj{}
	for user, s := range m.states {
		if values := valuesOf(m.blocks, s); len(values) > 0 {
			states[user] = obj{"values": values}
		}
	}
	if len(states) > 0 {
		out["state"] = states
	}
	return out
}

// viewState is a view with what its person has typed and the errors under its fields. The caller holds mu.
func (w *Workspace) viewState(v *view) obj {
	out := w.viewJSON(v)
	out["user"] = v.user
	out["errors"] = v.errors
	if v.errors == nil {
		out["errors"] = obj{}
	}
	return out
}

// Errors returns what people have seen go wrong, oldest first.
func (w *Workspace) Errors() []UserError {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.errors)
}

// Acks returns what became of every frame and envelope, oldest first; the oldest of very many are
// forgotten.
func (w *Workspace) Acks() []AckRecord {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]AckRecord{}, w.acks...)
}

// Calls returns every Web API call, oldest first; the oldest of very many are forgotten.
func (w *Workspace) Calls() []CallRecord {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]CallRecord{}, w.calls...)
}

// ForgetAcks empties what Acks returns.
func (w *Workspace) ForgetAcks() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acks = nil
}

// ForgetCalls empties what Calls returns.
func (w *Workspace) ForgetCalls() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = nil
}

// Connections returns how many sockets an envelope could be sent to.
func (w *Workspace) Connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, s := range w.sockets {
		if !s.leaving {
			n++
		}
	}
	return n
}

// Person is a change to somebody's standing. Nil fields stay as they are.
type Person struct {
	User        string
	Deactivated *bool
	Guest       *bool
	Stranger    *bool
	Email       *string
	Locale      *string
	Groups      *[]string // every user group they are in
	Channels    *[]string // every channel, DMs aside, they are in; the bot's own membership too
}

// SetPerson changes somebody's standing. It returns a RefusedError when there is no such person,
// group or channel.
func (w *Workspace) SetPerson(p Person) (User, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.findUser(p.User)
	if u == nil {
		return User{}, refuse(404, "there is no user %q", p.User)
	}
	if err := w.joinGroups(u.ID, p.Groups); err != nil {
		return User{}, err
	}
	if err := w.joinChannels(u.ID, p.Channels); err != nil {
		return User{}, err
	}
	set(&u.Deleted, p.Deactivated)
	set(&u.Guest, p.Guest)
	set(&u.Stranger, p.Stranger)
	set(&u.Email, p.Email)
	set(&u.Locale, p.Locale)
	w.touch()
	return *u, nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// joinGroups makes user a member of exactly those groups. The caller holds mu.
func (w *Workspace) joinGroups(user string, groups *[]string) error {
	if groups == nil {
		return nil
	}
	wanted := map[string]bool{}
	for _, ref := range *groups {
		id := ""
		for _, g := range w.groups {
			if g.ID == ref || g.Handle == ref {
				id = g.ID
			}
		}
		if id == "" {
			return refuse(404, "there is no user group %q", ref)
		}
		wanted[id] = true
	}
	for id, g := range w.groups {
		g.Users = slices.DeleteFunc(slices.Clone(g.Users), func(u string) bool { return u == user })
		if wanted[id] {
			g.Users = append(g.Users, user)
		}
	}
	return nil
}

// joinChannels makes user a member of exactly those channels, DMs aside. The caller holds mu.
func (w *Workspace) joinChannels(user string, channels *[]string) error {
	if channels == nil {
		return nil
	}
	wanted := map[string]bool{}
	for _, ref := range *channels {
		ch := w.findChannel(ref)
		if ch == nil {
			return refuse(404, "there is no channel %q", ref)
		}
		wanted[ch.ID] = true
	}
	for id, ch := range w.channels {
		switch {
		case ch.im || ch.mpim:
		case wanted[id]:
			ch.members[user] = true
		default:
			delete(ch.members, user)
		}
	}
	return nil
}
