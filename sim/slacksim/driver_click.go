package slacksim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
)

// ClickRequest is a person using an interactive element of a message, or of a view.
type ClickRequest struct {
	User string
	// Channel and TS name a message; ViewID names a view in their place.
	Channel, TS, ViewID string
	// BlockID may be empty when the action id stands once.
	BlockID, ActionID string
	// Value is what is chosen or typed: bare, an option's value, or as in state.values. A button's
	// own value is sent unless Force is set.
	Value json.RawMessage
	// Deny answers the element's confirm dialog with its deny button: nothing is sent.
	Deny bool
	// Force sends what no longer stands there, and for people who could not do it.
	Force bool
}

// place is where an element stands.
type place struct {
	channel *channel
	message *message
	view    *view
	blocks  []obj
	values  formState
}

// Click uses an interactive element and waits for the acknowledgement.
func (w *Workspace) Click(r ClickRequest) (Outcome, error) {
	w.mu.Lock()
	e, trigger, err := w.click(r)
	w.mu.Unlock()
	if err != nil {
		return Outcome{}, err
	}
	if e == nil {
		return Outcome{OK: true}, nil
	}
	return w.await(e, trigger), nil
}

// click returns no envelope for an act that stays on the screen. The caller holds mu.
func (w *Workspace) click(r ClickRequest) (*envelope, string, error) {
	u, err := w.person(r.User, r.Force)
	if err != nil {
		return nil, "", err
	}
	if r.ActionID == "" {
		return nil, "", refuse(http.StatusBadRequest, "action_id is missing")
	}
	at, err := w.place(u, r)
	if err != nil {
		return nil, "", err
	}
	block, element := findElement(at.blocks, r.BlockID, r.ActionID)
	switch {
	case element == nil && !r.Force:
		return nil, "", refuse(http.StatusConflict, "no element %q stands there now", r.ActionID)
	case element == nil:
		element = obj{"type": "button", "action_id": r.ActionID, "text": obj{"type": plainText, "text": r.ActionID, "emoji": true}}
		block = obj{"type": "actions", "block_id": r.BlockID}
	}
	if r.Deny {
		if element["confirm"] == nil {
			return nil, "", refuse(http.StatusBadRequest, "%q asks for no confirmation", r.ActionID)
		}
		return nil, "", nil
	}
	action, err := w.action(at, block, element, r)
	if err != nil {
		return nil, "", err
	}
	if block["type"] == "input" && block["dispatch_action"] != true {
		return nil, "", nil
	}
	return w.sendAction(u, at, action)
}

// place resolves the message or view of a click. The caller holds mu.
func (w *Workspace) place(u *User, r ClickRequest) (place, error) {
	if r.ViewID != "" {
		v := w.views[r.ViewID]
		switch {
		case v == nil:
			return place{}, refuse(http.StatusNotFound, "the view %q is not open", r.ViewID)
		case v.user != u.ID && !r.Force:
			return place{}, refuse(http.StatusForbidden, "the view %q is on somebody else's screen", r.ViewID)
		}
		return place{view: v, blocks: v.blocks, values: v.typed}, nil
	}
	_, ch, err := w.actor(r.User, r.Channel, r.Force)
	if err != nil {
		return place{}, err
	}
	m := ch.byTS[r.TS]
	switch {
	case m == nil && r.Force:
		// The click on a message that is gone by now, as a slow client would send it.
		m = &message{channel: ch, ts: r.TS, user: BotUserID}
		m.setBlocks(nil)
	case m == nil:
		return place{}, refuse(http.StatusNotFound, "there is no message %q in %s", r.TS, ch.ID)
	case m.ephemeral != "" && m.ephemeral != u.ID && !r.Force:
		return place{}, refuse(http.StatusForbidden, "%s does not see that message", u.Name)
	}
	if m.states == nil {
		m.states = map[string]formState{}
	}
	if m.states[u.ID] == nil {
		m.states[u.ID] = formState{}
	}
	return place{channel: ch, message: m, blocks: m.blocks, values: m.states[u.ID]}, nil
}

// action is the entry of the payload's actions. The caller holds mu.
func (w *Workspace) action(at place, block, element obj, r ClickRequest) (obj, error) {
	kind := fmt.Sprint(element["type"])
	out := obj{"type": kind, "action_id": element["action_id"], "block_id": block["block_id"], "action_ts": w.nextTS()}
	key, _ := field(kind)
	if key != "" {
		if err := at.values.set(block, element, r.Value); err != nil {
			return nil, refuse(http.StatusBadRequest, "%s", err)
		}
		state := at.values[fmt.Sprint(block["block_id"])][fmt.Sprint(element["action_id"])]
		maps.Copy(out, state)
		if p, ok := element["placeholder"]; ok {
			out["placeholder"] = p
		}
		w.touch()
		return out, nil
	}
	switch kind {
	case "overflow":
		var v any
		if err := json.Unmarshal(r.Value, &v); err != nil {
			return nil, refuse(http.StatusBadRequest, "an overflow menu needs the value of an option")
		}
		if o, ok := v.(obj); ok {
			if inner, ok := o["selected_option"]; ok {
				v = inner
			}
		}
		picked, err := pickOption(element, v)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "%s", err)
		}
		out["selected_option"] = picked
	default:
		for _, k := range []string{"text", "value", "style", "url", "icon"} {
			if v, ok := element[k]; ok && v != nil {
				out[k] = v
			}
		}
		if r.Force && len(r.Value) > 0 {
			var v any
			if err := json.Unmarshal(r.Value, &v); err != nil {
				return nil, refuse(http.StatusBadRequest, "decode the value: %s", err)
			}
			out["value"] = v
		}
	}
	return out, nil
}

// sendAction sends a block_actions payload. The caller holds mu.
func (w *Workspace) sendAction(u *User, at place, action obj) (*envelope, string, error) {
	from := ""
	if at.view != nil && at.view.kind == string(SurfaceModal) {
		from = at.view.id
	}
	trigger := w.newTrigger(u.ID, from)
	p := interaction("block_actions", u, trigger)
	p["actions"] = []obj{action}
	if at.view != nil {
		p["container"] = obj{"type": "view", "view_id": at.view.id}
		p["view"] = w.viewJSON(at.view)
	} else {
		m := at.message
		container := obj{"type": "message", "message_ts": m.ts, "channel_id": at.channel.ID, "is_ephemeral": m.ephemeral != ""}
		if m.threadTS != "" {
			container["thread_ts"] = m.threadTS
		}
		name := at.channel.Name
		if at.channel.im {
			name = "directmessage"
		}
		p["container"], p["channel"] = container, obj{"id": at.channel.ID, "name": name}
		p["state"] = obj{"values": valuesOf(m.blocks, at.values)}
		p["response_url"] = w.newHook("actions", u.ID, at.channel, m)
		if m.ephemeral == "" {
			p["message"] = w.messageJSON(m)
		}
	}
	e := w.deliver("interactive", u.ID, false, p)
	e.onLost = func() { w.fails(e, "Something went wrong: the app did not respond to the click.") }
	w.dispatch(e)
	return e, trigger, nil
}
