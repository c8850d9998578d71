package slacksim

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// obj is a JSON object whose shape belongs to Slack.
type obj = map[string]any

// User is a person, or the bot, of the workspace.
type User struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	RealName string `json:"real_name"`
	// Email is "" for a person whose profile shows none.
	Email  string `json:"email"`
	Locale string `json:"locale"`
	Title  string `json:"title,omitempty"`
	// TeamID is the home workspace; it differs from TeamID of this package for Slack Connect.
	TeamID   string `json:"team_id"`
	Deleted  bool   `json:"deleted"`
	Guest    bool   `json:"is_restricted"`
	Stranger bool   `json:"is_stranger"`
	Bot      bool   `json:"is_bot"`
	Admin    bool   `json:"is_admin"`
	TZ       string `json:"tz"`
}

// Channel is a public or private channel to seed. Members are user ids; name BotUserID to have
// the bot in it.
type Channel struct {
	ID      string
	Name    string
	Topic   string
	Private bool
	// Shared marks a Slack Connect channel.
	Shared   bool
	Archived bool
	Members  []string
}

// Group is a user group, such as @aws-root-approvers.
type Group struct {
	ID       string   `json:"id"`
	Handle   string   `json:"handle"`
	Name     string   `json:"name"`
	Users    []string `json:"users"`
	Disabled bool     `json:"disabled"`
}

// UserError is one thing that a person would have seen go wrong.
type UserError struct {
	At   time.Time `json:"at"`
	User string    `json:"user"`
	What string    `json:"what"`
}

type channel struct {
	Channel
	created  time.Time
	im       bool
	mpim     bool
	user     string // the person at the other end of a DM
	members  map[string]bool
	messages []*message
	byTS     map[string]*message
}

type message struct {
	channel   *channel
	ts        string
	user      string
	text      string
	blocks    []obj
	rawBlocks json.RawMessage // blocks, encoded once because every click carries them
	attach    json.RawMessage
	metadata  json.RawMessage
	threadTS  string
	ephemeral string // the only person who sees it, or ""
	edited    string
	deleted   bool
	reactions []string
	pings     []string
	replies   int
	states    map[string]formState // by user: what they have chosen here
}

// bot reports whether the app itself posted m.
func (m *message) bot() bool { return m.user == BotUserID }

// AddUser seeds a person. Empty fields get usable values; an existing id is replaced.
func (w *Workspace) AddUser(u User) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u.TeamID == "" {
		u.TeamID = TeamID
	}
	if u.Locale == "" {
		u.Locale = "en-US"
	}
	if u.TZ == "" {
		u.TZ = "Etc/UTC"
	}
	if u.RealName == "" {
		u.RealName = u.Name
	}
	if _, known := w.users[u.ID]; !known {
		w.userOrder = append(w.userOrder, u.ID)
	}
	w.users[u.ID] = &u
	w.touch()
}

// AddChannel seeds a channel. An existing id is replaced and loses its messages.
func (w *Workspace) AddChannel(c Channel) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.putChannel(&channel{Channel: c})
}

// AddGroup seeds a user group. An existing id is replaced.
func (w *Workspace) AddGroup(g Group) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g.Users = slices.Clone(g.Users)
	if _, known := w.groups[g.ID]; !known {
		w.groupOrder = append(w.groupOrder, g.ID)
	}
	w.groups[g.ID] = &g
	w.touch()
}

// putChannel stores c. The caller holds mu.
func (w *Workspace) putChannel(c *channel) {
	c.created = w.cfg.Now()
	c.byTS = map[string]*message{}
	c.members = map[string]bool{}
	for _, m := range c.Members {
		c.members[m] = true
	}
	if _, known := w.channels[c.ID]; !known {
		w.channelOrder = append(w.channelOrder, c.ID)
	}
	w.channels[c.ID] = c
	w.touch()
}

// dm returns the conversation between the bot and user, made on first use. The caller holds mu.
func (w *Workspace) dm(user string) *channel {
	if id, ok := w.dms[user]; ok {
		return w.channels[id]
	}
	c := &channel{im: true, user: user}
	c.ID = w.newID("D")
	c.Members = []string{user, BotUserID}
	w.dms[user] = c.ID
	w.putChannel(c)
	return c
}

// findChannel resolves an id or a name with or without "#"; nil when there is none. The caller holds mu.
func (w *Workspace) findChannel(ref string) *channel {
	if c, ok := w.channels[ref]; ok {
		return c
	}
	name := strings.TrimPrefix(ref, "#")
	for _, id := range w.channelOrder {
		if c := w.channels[id]; name != "" && c.Name == name {
			return c
		}
	}
	return nil
}

// findUser resolves an id or a user name; nil when there is none. The caller holds mu.
func (w *Workspace) findUser(ref string) *User {
	if u, ok := w.users[ref]; ok {
		return u
	}
	for _, id := range w.userOrder {
		if u := w.users[id]; ref != "" && u.Name == strings.TrimPrefix(ref, "@") {
			return u
		}
	}
	return nil
}

// memberIDs returns the members of c in a stable order.
func (c *channel) memberIDs() []string {
	return slices.Sorted(maps.Keys(c.members))
}

// add appends m and counts it under its thread. The caller holds mu.
func (c *channel) add(m *message) {
	m.channel = c
	c.messages = append(c.messages, m)
	c.byTS[m.ts] = m
	if parent := c.byTS[m.threadTS]; parent != nil && parent != m && m.ephemeral == "" {
		parent.replies++
	}
}

// drop removes m. The caller holds mu.
func (c *channel) drop(m *message) {
	m.deleted = true
	delete(c.byTS, m.ts)
	c.messages = slices.DeleteFunc(c.messages, func(o *message) bool { return o == m })
	if parent := c.byTS[m.threadTS]; parent != nil && m.ephemeral == "" {
		parent.replies--
	}
}

// setBlocks gives m its blocks; nil removes them.
func (m *message) setBlocks(blocks []obj) {
	m.blocks = blocks
	m.rawBlocks = encode(blocks)
	if len(blocks) == 0 {
		m.blocks, m.rawBlocks = nil, json.RawMessage("[]")
	}
}

// encode marshals a value that came from JSON and therefore cannot fail to become JSON again.
func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}
