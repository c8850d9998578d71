package slacksim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// OpenHome opens the app's Home tab and waits for the first acknowledgement of app_home_opened.
func (w *Workspace) OpenHome(user string) (Outcome, error) {
	w.mu.Lock()
	u, err := w.person(user, false)
	if err != nil {
		w.mu.Unlock()
		return Outcome{}, err
	}
	event := obj{"type": "app_home_opened", "user": u.ID, "channel": w.dm(u.ID).ID, "tab": "home", "event_ts": w.nextTS()}
	if v := w.homes[u.ID]; v != nil {
		event["view"] = w.viewJSON(v)
	}
	e := w.event("app_home_opened", u.ID, event)
	w.mu.Unlock()
	if e == nil {
		return Outcome{OK: true}, nil
	}
	return w.await(e, ""), nil
}

// Say posts a message as a person and waits for the first acknowledgement of its event, if the app
// is subscribed to one. It returns the message's timestamp.
func (w *Workspace) Say(user, channelRef, text, threadTS string) (string, Outcome, error) {
	w.mu.Lock()
	u, ch, err := w.actor(user, channelRef, false)
	if err == nil && text == "" {
		err = refuse(http.StatusBadRequest, "text is missing")
	}
	thread := ""
	if err == nil {
		var e *apiError
		if thread, e = ch.thread(threadTS); e != nil {
			err = refuse(http.StatusNotFound, "there is no message %q to reply to", threadTS)
		}
	}
	if err != nil {
		w.mu.Unlock()
		return "", Outcome{}, err
	}
	m := w.newMessage(u.ID, content{text: text})
	m.threadTS = thread
	ch.add(m)
	w.touch()
	e := w.messageEvent(u, ch, m)
	w.mu.Unlock()
	if e == nil {
		return m.ts, Outcome{OK: true}, nil
	}
	return m.ts, w.await(e, ""), nil
}

// messageEvent delivers what the app is subscribed to and has the scope for: a mention, else the
// message. The caller holds mu.
func (w *Workspace) messageEvent(u *User, ch *channel, m *message) *envelope {
	if !ch.members[BotUserID] {
		return nil
	}
	ev := obj{
		"user": u.ID, "type": "message", "ts": m.ts, "text": m.text, "team": TeamID, "channel": ch.ID,
		"event_ts": m.ts, "client_msg_id": w.uuid(),
	}
	if m.threadTS != "" {
		ev["thread_ts"] = m.threadTS
	}
	if strings.Contains(m.text, "<@"+BotUserID) && !ch.im && w.granted("app_mentions:read") && slices.Contains(w.cfg.Events, "app_mention") {
		ev["type"] = "app_mention"
		return w.event("app_mention", u.ID, ev)
	}
	kind, scope, channelType := "message.channels", "channels:history", "channel"
	switch {
	case ch.im:
		kind, scope, channelType = "message.im", "im:history", "im"
	case ch.mpim:
		kind, scope, channelType = "message.mpim", "mpim:history", "mpim"
	case ch.Private:
		kind, scope, channelType = "message.groups", "groups:history", "group"
	}
	if !w.granted(scope) {
		return nil
	}
	ev["channel_type"] = channelType
	return w.event(kind, u.ID, ev)
}

// Emit delivers an envelope of any type and payload, whether or not Slack would, and waits for its
// first acknowledgement. It serves tests of what an app does with what it does not expect; nobody
// is subscribed to it and no person sees it fail.
func (w *Workspace) Emit(kind string, payload json.RawMessage) Outcome {
	w.mu.Lock()
	e := w.deliver(kind, "", false, nil)
	e.payload = payload
	w.dispatch(e)
	w.mu.Unlock()
	return w.await(e, "")
}

// event delivers an Events API envelope, nil when the app is not subscribed. The caller holds mu.
func (w *Workspace) event(subscription, user string, event obj) *envelope {
	if !slices.Contains(w.cfg.Events, subscription) {
		return nil
	}
	e := w.deliver("events_api", user, false, obj{
		"token": "simulated", "team_id": TeamID, "context_team_id": TeamID, "api_app_id": AppID, "event": event,
		"type": "event_callback", "event_id": w.newID("Ev"), "event_time": w.cfg.Now().Unix(),
		"authorizations": []obj{{
			"enterprise_id": nil, "team_id": TeamID, "user_id": BotUserID, "is_bot": true, "is_enterprise_install": false,
		}},
		"is_ext_shared_channel": false, "event_context": w.token(24),
	})
	w.dispatch(e)
	return e
}
