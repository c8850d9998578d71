package slacksim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"
)

type commandBody struct {
	User, Channel, Command, Text string
	Force                        bool
}

func (w *Workspace) controlCommand(b commandBody) (any, error) {
	return w.Command(CommandRequest(b))
}

// clickBody takes what was chosen under any of the names that state.values uses.
type clickBody struct {
	User     string          `json:"user"`
	Channel  string          `json:"channel"`
	TS       string          `json:"ts"`
	ViewID   string          `json:"view_id"`
	BlockID  string          `json:"block_id"`
	ActionID string          `json:"action_id"`
	Value    json.RawMessage `json:"value"`
	Confirm  *bool           `json:"confirm"`
	Force    bool            `json:"force"`

	Option        json.RawMessage `json:"selected_option"`
	Options       json.RawMessage `json:"selected_options"`
	Chosen        json.RawMessage `json:"selected_user"`
	ChosenMany    json.RawMessage `json:"selected_users"`
	Conversation  json.RawMessage `json:"selected_conversation"`
	Conversations json.RawMessage `json:"selected_conversations"`
	InChannel     json.RawMessage `json:"selected_channel"`
	InChannels    json.RawMessage `json:"selected_channels"`
	Date          json.RawMessage `json:"selected_date"`
	Time          json.RawMessage `json:"selected_time"`
	DateTime      json.RawMessage `json:"selected_date_time"`
}

func (w *Workspace) controlClick(b clickBody) (any, error) {
	value := b.Value
	for _, v := range []json.RawMessage{
		b.Option, b.Options, b.Chosen, b.ChosenMany, b.Conversation, b.Conversations,
		b.InChannel, b.InChannels, b.Date, b.Time, b.DateTime,
	} {
		if len(v) > 0 {
			value = v
		}
	}
	if b.ViewID == "" && (b.Channel == "" || b.TS == "") {
		return nil, refuse(http.StatusBadRequest, "name a message by channel and ts, or a view by view_id")
	}
	return w.Click(ClickRequest{
		User: b.User, Channel: b.Channel, TS: b.TS, ViewID: b.ViewID, BlockID: b.BlockID, ActionID: b.ActionID,
		Value: value, Deny: b.Confirm != nil && !*b.Confirm, Force: b.Force,
	})
}

type submitBody struct {
	User   string                                `json:"user"`
	ViewID string                                `json:"view_id"`
	Values map[string]map[string]json.RawMessage `json:"values"`
	Force  bool                                  `json:"force"`
}

func (w *Workspace) controlSubmit(b submitBody) (any, error) {
	return w.Submit(SubmitRequest(b))
}

type closeBody struct {
	User   string `json:"user"`
	ViewID string `json:"view_id"`
	All    bool   `json:"all"`
}

func (w *Workspace) controlClose(b closeBody) (any, error) {
	return w.CloseView(b.User, b.ViewID, b.All)
}

type homeBody struct {
	User string `json:"user"`
}

// controlHome answers the outcome with the Home tab as it stands then.
func (w *Workspace) controlHome(b homeBody) (any, error) {
	out, err := w.OpenHome(b.User)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var home any
	if u := w.findUser(b.User); u != nil && w.homes[u.ID] != nil {
		home = w.viewState(w.homes[u.ID])
	}
	return withFields(out, obj{"home": home}), nil
}

type messageBody struct {
	User     string `json:"user"`
	Channel  string `json:"channel"`
	Text     string `json:"text"`
	ThreadTS string `json:"thread_ts"`
}

func (w *Workspace) controlMessage(b messageBody) (any, error) {
	ts, out, err := w.Say(b.User, b.Channel, b.Text, b.ThreadTS)
	if err != nil {
		return nil, err
	}
	return withFields(out, obj{"ts": ts, "channel": b.Channel}), nil
}

// withFields adds fields to the JSON of an outcome.
func withFields(out Outcome, fields obj) obj {
	merged := obj{}
	if err := json.Unmarshal(encode(out), &merged); err != nil {
		return fields
	}
	maps.Copy(merged, fields)
	return merged
}

type faultBody struct {
	Kind    string `json:"kind"`
	For     string `json:"for"`
	Method  string `json:"method"`
	Count   int    `json:"count"`
	Latency string `json:"latency"`
	Code    string `json:"error"`
	All     bool   `json:"all"`
	One     bool   `json:"one"`
}

func (w *Workspace) controlFault(b faultBody) (any, error) {
	f := Fault{Kind: b.Kind, Method: b.Method, Count: b.Count, Code: b.Code, All: b.All, One: b.One}
	var err error
	if b.For != "" {
		if f.For, err = time.ParseDuration(b.For); err != nil {
			return nil, fmt.Errorf("read for, a duration such as 30s: %w", err)
		}
		// A refresh after no time at all is one without a warning.
		if f.Kind == "refresh" && f.For == 0 {
			f.For = -1
		}
	}
	if b.Latency != "" {
		if f.Latency, err = time.ParseDuration(b.Latency); err != nil {
			return nil, fmt.Errorf("read latency, a duration such as 2s: %w", err)
		}
	}
	if err := w.Inject(f); err != nil {
		return nil, err
	}
	return obj{"ok": true, "kind": b.Kind, "for": b.For, "connections": w.Connections()}, nil
}

type personBody struct {
	User        string    `json:"user"`
	Deactivated *bool     `json:"deactivated"`
	Guest       *bool     `json:"guest"`
	Stranger    *bool     `json:"stranger"`
	Email       *string   `json:"email"`
	Locale      *string   `json:"locale"`
	Groups      *[]string `json:"groups"`
	Channels    *[]string `json:"channels"`
}

func (w *Workspace) controlPerson(b personBody) (any, error) {
	return w.SetPerson(Person(b))
}

type channelBody struct {
	Channel  string `json:"channel"`
	Archived *bool  `json:"archived"`
	Shared   *bool  `json:"shared"`
	Private  *bool  `json:"private"`
}

// controlChannel changes a channel's standing; who is in it changes with person.
func (w *Workspace) controlChannel(b channelBody) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := w.findChannel(b.Channel)
	if ch == nil {
		return nil, refuse(http.StatusNotFound, "there is no channel %q", b.Channel)
	}
	set(&ch.Archived, b.Archived)
	set(&ch.Shared, b.Shared)
	set(&ch.Private, b.Private)
	w.touch()
	return w.channelState(ch, 0), nil
}

type emitBody struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// controlEmit sends an envelope of any type and payload.
func (w *Workspace) controlEmit(b emitBody) (any, error) {
	if b.Type == "" || len(b.Payload) == 0 {
		return nil, refuse(http.StatusBadRequest, "an envelope needs a type and a payload")
	}
	return w.Emit(b.Type, b.Payload), nil
}
