package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of message text (https://docs.slack.dev/reference/methods/chat.postMessage, …chat.update).
const (
	maxMessageText   = 40_000
	maxUpdateText    = 4000
	maxMetadataBytes = 16 * 1024
	// Messages with markdown blocks were refused from about 13,200 characters on
	// (https://github.com/slackapi/bolt-js/issues/2509).
	maxMarkdownMessage = 13_200
)

// content is what a message says, checked and completed as Slack does.
type content struct {
	text      string
	blocks    []obj
	hasText   bool
	hasBlocks bool
	attach    json.RawMessage
	metadata  json.RawMessage
	truncated bool
}

// readContent reads text, blocks, attachments and metadata of a message. The caller holds mu.
func (w *Workspace) readContent(c *call) (content, *apiError) {
	out := content{text: c.str("text"), hasText: c.str("text") != ""}
	v, present, err := c.value("blocks")
	if err != nil {
		return out, &apiError{code: "invalid_blocks_format"}
	}
	if present {
		list, ok := v.([]any)
		if !ok {
			return out, &apiError{code: "invalid_blocks_format"}
		}
		if problems := validateBlocks(SurfaceMessage, "/blocks", list); len(problems) > 0 {
			return out, invalidBlocks("invalid_blocks", problems)
		}
		out.hasBlocks = true
		out.blocks = w.complete(list)
		if hasMarkdown(list) && deepLength(list) > maxMarkdownMessage {
			return out, &apiError{code: "msg_blocks_too_long"}
		}
	}
	if v, present, err := c.value("attachments"); err != nil {
		return out, &apiError{code: "invalid_attachments"}
	} else if present {
		out.attach = encode(v)
	}
	if v, present, err := c.value("metadata"); present || err != nil {
		meta, ok := v.(obj)
		if err != nil || !ok {
			return out, &apiError{code: "invalid_metadata_format"}
		}
		kind, _ := meta["event_type"].(string)
		_, hasPayload := meta["event_payload"].(obj)
		if kind == "" || !hasPayload {
			return out, &apiError{code: "invalid_metadata_schema"}
		}
		out.metadata = encode(meta)
		if len(out.metadata) > maxMetadataBytes {
			return out, &apiError{code: "metadata_too_large"}
		}
	}
	if utf8.RuneCountInString(out.text) > maxMessageText {
		out.text = string([]rune(out.text)[:maxMessageText])
		out.truncated = true
	}
	if !out.hasText && len(out.blocks) > 0 {
		out.text = plainOf(out.blocks)
	}
	return out, nil
}

func hasMarkdown(list []any) bool {
	return slices.ContainsFunc(list, func(b any) bool {
		o, ok := b.(obj)
		return ok && o["type"] == "markdown"
	})
}

// plainOf is the text Slack builds for screen readers when an app sends none.
func plainOf(blocks []obj) string {
	var lines []string
	for _, b := range blocks {
		for _, key := range []string{"text", "title"} {
			switch t := b[key].(type) {
			case obj:
				lines = append(lines, fmt.Sprint(t["text"]))
			case string:
				lines = append(lines, t)
			}
		}
		fields, ok := b["fields"].([]any)
		if !ok {
			continue
		}
		for _, f := range fields {
			if t, ok := f.(obj); ok {
				lines = append(lines, fmt.Sprint(t["text"]))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// postable resolves the channel argument of a post. A user id opens the DM. The caller holds mu.
func (w *Workspace) postable(ref string) (*channel, *apiError) {
	if u, ok := w.users[ref]; ok && !u.Bot {
		switch {
		case u.Deleted:
			return nil, &apiError{code: "channel_not_found"}
		case w.cfg.MessagesTabDisabled:
			return nil, &apiError{code: "messages_tab_disabled"}
		}
		return w.dm(ref), nil
	}
	c := w.findChannel(ref)
	switch {
	case c != nil && c.im && w.cfg.MessagesTabDisabled:
		return nil, &apiError{code: "messages_tab_disabled"}
	case c == nil, c.Private && !c.members[BotUserID]:
		return nil, &apiError{code: "channel_not_found"}
	case c.Archived:
		return nil, &apiError{code: "is_archived"}
	case !c.members[BotUserID] && !w.granted("chat:write.public"):
		return nil, &apiError{code: "not_in_channel"}
	}
	return c, nil
}

// thread resolves thread_ts to the parent's timestamp; a reply's timestamp means its parent.
func (c *channel) thread(ts string) (string, *apiError) {
	if ts == "" {
		return "", nil
	}
	m := c.byTS[ts]
	switch {
	case m == nil:
		return "", &apiError{code: "thread_not_found"}
	case m.ephemeral != "":
		return "", &apiError{code: "cannot_reply_to_message"}
	case m.threadTS != "":
		return m.threadTS, nil
	}
	return ts, nil
}

func (w *Workspace) postMessage(c *call) (obj, *apiError) {
	ch, e := w.postable(c.str("channel"))
	if e != nil {
		return nil, e
	}
	in, e := w.readContent(c)
	if e != nil {
		return nil, e
	}
	if in.text == "" && len(in.blocks) == 0 && in.attach == nil {
		return fail("no_text")
	}
	thread, e := ch.thread(c.str("thread_ts"))
	if e != nil {
		return nil, e
	}
	m := w.newMessage(BotUserID, in)
	m.threadTS = thread
	ch.add(m)
	w.touch()
	out := obj{"channel": ch.ID, "ts": m.ts, "message": w.messageJSON(m)}
	if in.truncated {
		out["warning"] = "message_truncated"
		out["response_metadata"] = obj{"warnings": []string{"message_truncated"}}
	}
	return out, nil
}

// newMessage makes a message that stands nowhere yet. The caller holds mu.
func (w *Workspace) newMessage(user string, in content) *message {
	m := &message{ts: w.nextTS(), user: user, text: in.text, attach: in.attach, metadata: in.metadata}
	m.setBlocks(in.blocks)
	m.pings = pingsOf(m.text, m.blocks)
	return m
}

func (w *Workspace) postEphemeral(c *call) (obj, *apiError) {
	ch, e := w.postable(c.str("channel"))
	if e != nil {
		return nil, e
	}
	user := c.str("user")
	if !ch.members[user] {
		return fail("user_not_in_channel")
	}
	in, e := w.readContent(c)
	if e != nil {
		return nil, e
	}
	if in.text == "" && len(in.blocks) == 0 && in.attach == nil {
		return fail("no_text")
	}
	thread, e := ch.thread(c.str("thread_ts"))
	if e != nil {
		return nil, e
	}
	m := w.newMessage(BotUserID, in)
	m.ephemeral, m.threadTS = user, thread
	if !w.active("drop_ephemeral") {
		ch.add(m)
		w.touch()
	}
	return obj{"message_ts": m.ts}, nil
}

// ownMessage finds a message of the bot that may be changed; ephemeral ones may not.
func (w *Workspace) ownMessage(c *call, refusal string) (*channel, *message, *apiError) {
	ch := w.findChannel(c.str("channel"))
	if ch == nil || !ch.members[BotUserID] {
		return nil, nil, &apiError{code: "channel_not_found"}
	}
	m := ch.byTS[c.str("ts")]
	switch {
	case m == nil, m.ephemeral != "":
		return nil, nil, &apiError{code: "message_not_found"}
	case !m.bot():
		return nil, nil, &apiError{code: refusal}
	case ch.Archived:
		return nil, nil, &apiError{code: "is_archived"}
	}
	return ch, m, nil
}

func (w *Workspace) updateMessage(c *call) (obj, *apiError) {
	ch, m, e := w.ownMessage(c, "cant_update_message")
	if e != nil {
		return nil, e
	}
	in, e := w.readContent(c)
	if e != nil {
		return nil, e
	}
	if utf8.RuneCountInString(c.str("text")) > maxUpdateText {
		return fail("msg_too_long")
	}
	if !in.hasText && !in.hasBlocks && in.attach == nil {
		return fail("no_text")
	}
	w.rewrite(m, in)
	return obj{"channel": ch.ID, "ts": m.ts, "text": m.text, "message": w.messageJSON(m)}, nil
}

// rewrite replaces what m says. Text alone removes the blocks and marks the message as edited;
// new blocks do not, and metadata stays unless it is given. The caller holds mu.
func (w *Workspace) rewrite(m *message, in content) {
	if in.hasText || len(in.blocks) > 0 {
		m.text = in.text
	}
	if !in.hasBlocks {
		m.edited = w.nextTS()
	}
	m.setBlocks(in.blocks)
	m.attach = in.attach
	if in.metadata != nil {
		m.metadata = in.metadata
	}
	m.pings = pingsOf(m.text, m.blocks)
	w.touch()
}

func (w *Workspace) deleteMessage(c *call) (obj, *apiError) {
	ch, m, e := w.ownMessage(c, "cant_delete_message")
	if e != nil {
		return nil, e
	}
	ch.drop(m)
	w.touch()
	return obj{"channel": ch.ID, "ts": m.ts}, nil
}

func (w *Workspace) permalink(c *call) (obj, *apiError) {
	ch := w.findChannel(c.str("channel"))
	if ch == nil || !ch.members[BotUserID] {
		return fail("channel_not_found")
	}
	m := ch.byTS[c.str("message_ts")]
	if m == nil || m.ephemeral != "" {
		return fail("message_not_found")
	}
	link := fmt.Sprintf("https://%s.slack.com/archives/%s/p%s", TeamDomain, ch.ID, strings.ReplaceAll(m.ts, ".", ""))
	if m.threadTS != "" {
		link += "?thread_ts=" + m.threadTS + "&cid=" + ch.ID
	}
	return obj{"channel": ch.ID, "permalink": link}, nil
}

func (w *Workspace) addReaction(c *call) (obj, *apiError) {
	ch := w.findChannel(c.str("channel"))
	if ch == nil {
		return fail("channel_not_found")
	}
	m := ch.byTS[c.str("timestamp")]
	name := c.str("name")
	switch {
	case m == nil:
		return fail("message_not_found")
	case name == "":
		return fail("invalid_name")
	case slices.Contains(m.reactions, name):
		return fail("already_reacted")
	}
	m.reactions = append(m.reactions, name)
	w.touch()
	return obj{}, nil
}

// messageJSON is a message as apps see it. The caller holds mu.
func (w *Workspace) messageJSON(m *message) obj {
	out := obj{"type": "message", "ts": m.ts, "user": m.user, "text": m.text, "team": TeamID}
	if m.bot() {
		out["bot_id"], out["app_id"] = BotID, AppID
	}
	if len(m.blocks) > 0 {
		out["blocks"] = m.rawBlocks
	}
	if m.attach != nil {
		out["attachments"] = m.attach
	}
	if m.metadata != nil {
		out["metadata"] = m.metadata
	}
	if m.edited != "" {
		out["edited"] = obj{"user": m.user, "ts": m.edited}
	}
	switch {
	case m.threadTS != "":
		out["thread_ts"] = m.threadTS
	case m.replies > 0:
		out["thread_ts"], out["reply_count"] = m.ts, m.replies
	}
	return out
}
