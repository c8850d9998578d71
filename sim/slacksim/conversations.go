package slacksim

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// page cuts one page out of n items by cursor and limit, and returns the next cursor, "" at the end.
func page(c *call, n, def, most int) (from, to int, next string, e *apiError) {
	limit := c.number("limit", def)
	if limit <= 0 {
		limit = def
	}
	limit = min(limit, most)
	if cur := c.str("cursor"); cur != "" {
		raw, err := base64.StdEncoding.DecodeString(cur)
		if err != nil {
			return 0, 0, "", &apiError{code: "invalid_cursor"}
		}
		from, err = strconv.Atoi(strings.TrimPrefix(string(raw), "next:"))
		if err != nil || from < 0 || from > n {
			return 0, 0, "", &apiError{code: "invalid_cursor"}
		}
	}
	to = min(from+limit, n)
	if to < n {
		next = base64.StdEncoding.EncodeToString([]byte("next:" + strconv.Itoa(to)))
	}
	return from, to, next, nil
}

func cursor(next string) obj { return obj{"next_cursor": next} }

// kindOf names the type of a conversation as conversations.list does, and its scope prefix.
func (c *channel) kindOf() (kind, scope string) {
	switch {
	case c.im:
		return "im", "im"
	case c.mpim:
		return "mpim", "mpim"
	case c.Private:
		return "private_channel", "groups"
	}
	return "public_channel", "channels"
}

// readable finds the conversation a call asks about and checks that the bot may see it: the scope
// depends on its type, and a private one must have the bot in it. The caller holds mu.
func (w *Workspace) readable(c *call, right string) (*channel, *apiError) {
	ch := w.channels[c.str("channel")]
	if ch == nil {
		return nil, &apiError{code: "channel_not_found"}
	}
	kind, scope := ch.kindOf()
	if e := w.require(scope + ":" + right); e != nil {
		return nil, e
	}
	if kind != "public_channel" && !ch.members[BotUserID] {
		return nil, &apiError{code: "channel_not_found"}
	}
	return ch, nil
}

func (w *Workspace) conversationsOpen(c *call) (obj, *apiError) {
	if id := c.str("channel"); id != "" {
		ch := w.channels[id]
		if ch == nil || !ch.im && !ch.mpim {
			return fail("channel_not_found")
		}
		return obj{"channel": w.opened(c, ch), "no_op": true, "already_open": true}, nil
	}
	users := strings.FieldsFunc(c.str("users"), func(r rune) bool { return r == ',' || r == ' ' })
	switch {
	case len(users) == 0:
		return fail("users_list_not_supplied")
	case len(users) > 8:
		return fail("too_many_users")
	}
	for _, id := range users {
		u := w.users[id]
		switch {
		case u == nil:
			return fail("user_not_found")
		case u.Deleted:
			return fail("user_disabled")
		case u.Bot:
			return fail("cannot_dm_bot")
		}
	}
	if len(users) == 1 {
		_, known := w.dms[users[0]]
		out := obj{"channel": w.opened(c, w.dm(users[0]))}
		if known {
			out["no_op"], out["already_open"] = true, true
		}
		return out, nil
	}
	if e := w.require("mpim:write"); e != nil {
		return nil, e
	}
	slices.Sort(users)
	key := strings.Join(users, ",")
	if _, ok := w.dms[key]; !ok {
		ch := &channel{mpim: true}
		ch.ID, ch.Name = w.newID("G"), "mpdm-"+strings.ToLower(key)
		ch.Private, ch.Members = true, append(users, BotUserID)
		w.dms[key] = ch.ID
		w.putChannel(ch)
	}
	return obj{"channel": w.opened(c, w.channels[w.dms[key]])}, nil
}

// opened is the channel of conversations.open: its id, or all of it with return_im.
func (w *Workspace) opened(c *call, ch *channel) obj {
	if c.flag("return_im") {
		return w.channelJSON(ch, false)
	}
	return obj{"id": ch.ID}
}

// channelJSON is a conversation as apps see it. The caller holds mu.
func (w *Workspace) channelJSON(ch *channel, locale bool) obj {
	out := obj{
		"id": ch.ID, "created": ch.created.Unix(), "updated": ch.created.UnixMilli(), "is_archived": ch.Archived,
		"is_im": ch.im, "is_mpim": ch.mpim, "is_org_shared": false, "context_team_id": TeamID,
	}
	if ch.im {
		out["user"], out["is_open"], out["is_user_deleted"] = ch.user, true, w.users[ch.user] != nil && w.users[ch.user].Deleted
		return out
	}
	out["name"], out["name_normalized"] = ch.Name, ch.Name
	out["is_channel"], out["is_group"], out["is_private"] = !ch.Private, ch.Private && !ch.mpim, ch.Private
	out["is_general"] = ch.Name == "general"
	out["is_member"] = ch.members[BotUserID]
	out["is_shared"], out["is_ext_shared"] = ch.Shared, ch.Shared
	out["creator"], out["num_members"] = UserBen, len(ch.members)
	out["topic"] = obj{"value": ch.Topic, "creator": "", "last_set": 0}
	out["purpose"] = obj{"value": "", "creator": "", "last_set": 0}
	if locale {
		out["locale"] = "en-US"
	}
	return out
}

func (w *Workspace) conversationsInfo(c *call) (obj, *apiError) {
	ch, e := w.readable(c, "read")
	if e != nil {
		return nil, e
	}
	out := w.channelJSON(ch, c.flag("include_locale"))
	if !c.flag("include_num_members") {
		delete(out, "num_members")
	}
	return obj{"channel": out}, nil
}

func (w *Workspace) conversationsMembers(c *call) (obj, *apiError) {
	ch, e := w.readable(c, "read")
	if e != nil {
		return nil, e
	}
	ids := ch.memberIDs()
	from, to, next, e := page(c, len(ids), 100, 1000)
	if e != nil {
		return nil, e
	}
	return obj{"members": ids[from:to], "response_metadata": cursor(next)}, nil
}

func (w *Workspace) conversationsList(c *call) (obj, *apiError) {
	return w.listChannels(c, func(ch *channel) bool {
		return ch.members[BotUserID] || !ch.Private && !ch.im && !ch.mpim
	})
}

func (w *Workspace) usersConversations(c *call) (obj, *apiError) {
	user := c.str("user")
	if user == "" {
		user = BotUserID
	}
	if w.users[user] == nil {
		return fail("user_not_found")
	}
	return w.listChannels(c, func(ch *channel) bool {
		return ch.members[user] && (ch.members[BotUserID] || !ch.Private)
	})
}

func (w *Workspace) listChannels(c *call, visible func(*channel) bool) (obj, *apiError) {
	types := strings.Split(c.str("types"), ",")
	if c.str("types") == "" {
		types = []string{"public_channel"}
	}
	for _, t := range types {
		scope, ok := map[string]string{"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}[strings.TrimSpace(t)]
		if !ok {
			return fail("invalid_types")
		}
		if e := w.require(scope + ":read"); e != nil {
			return nil, e
		}
	}
	all := []obj{}
	for _, id := range w.channelOrder {
		ch := w.channels[id]
		kind, _ := ch.kindOf()
		hidden := ch.Archived && c.flag("exclude_archived")
		if slices.Contains(types, kind) && visible(ch) && !hidden {
			all = append(all, w.channelJSON(ch, false))
		}
	}
	from, to, next, e := page(c, len(all), 100, 1000)
	if e != nil {
		return nil, e
	}
	return obj{"channels": all[from:to], "response_metadata": cursor(next)}, nil
}

func (w *Workspace) conversationsHistory(c *call) (obj, *apiError) {
	ch, e := w.readable(c, "history")
	if e != nil {
		return nil, e
	}
	if !ch.members[BotUserID] {
		return fail("not_in_channel")
	}
	return w.listMessages(c, ch, true, func(m *message) bool { return m.threadTS == "" })
}

func (w *Workspace) conversationsReplies(c *call) (obj, *apiError) {
	ch, e := w.readable(c, "history")
	if e != nil {
		return nil, e
	}
	ts := c.str("ts")
	if m := ch.byTS[ts]; m == nil || m.ephemeral != "" {
		return fail("thread_not_found")
	}
	return w.listMessages(c, ch, false, func(m *message) bool { return m.ts == ts || m.threadTS == ts })
}

// listMessages answers history, newest first, and replies, oldest first. Ephemeral messages are
// in neither.
func (w *Workspace) listMessages(c *call, ch *channel, newestFirst bool, wanted func(*message) bool) (obj, *apiError) {
	oldest, latest, inclusive := c.str("oldest"), c.str("latest"), c.flag("inclusive")
	var all []*message
	for _, m := range ch.messages {
		tooOld := oldest != "" && (m.ts < oldest || m.ts == oldest && !inclusive)
		tooNew := latest != "" && (m.ts > latest || m.ts == latest && !inclusive)
		if m.ephemeral == "" && wanted(m) && !tooOld && !tooNew {
			all = append(all, m)
		}
	}
	if newestFirst {
		slices.Reverse(all)
	}
	from, to, next, e := page(c, len(all), 100, 999)
	if e != nil {
		return nil, e
	}
	out := []obj{}
	for _, m := range all[from:to] {
		j := w.messageJSON(m)
		if !c.flag("include_all_metadata") {
			delete(j, "metadata")
		}
		out = append(out, j)
	}
	return obj{"messages": out, "has_more": next != "", "pin_count": 0, "response_metadata": cursor(next)}, nil
}
