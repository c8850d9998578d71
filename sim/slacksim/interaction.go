package slacksim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// Lives of what an interaction hands out (https://docs.slack.dev/interactivity/handling-user-interaction).
const (
	triggerLife = 3 * time.Second
	hookLife    = 30 * time.Minute
	hookUses    = 5
)

// trigger lets the app open one modal for one person.
type trigger struct {
	user   string
	view   string // the modal it came from, or ""
	issued time.Time
	used   bool
}

// hook is a response URL.
type hook struct {
	user    string
	channel *channel
	message *message // what was clicked; nil for a slash command
	issued  time.Time
	uses    int
}

// newTrigger issues a trigger id. The caller holds mu.
func (w *Workspace) newTrigger(user, view string) string {
	const remembered = 20_000
	w.serial++
	id := fmt.Sprintf("%d.%d.%s", 13345224609+w.serial, 738474920, w.token(32))
	w.triggers[id] = &trigger{user: user, view: view, issued: w.cfg.Now()}
	w.triggerOrder = append(w.triggerOrder, id)
	if len(w.triggerOrder) > remembered {
		delete(w.triggers, w.triggerOrder[0])
		w.triggerOrder = w.triggerOrder[1:]
	}
	return id
}

// findTrigger returns a trigger that may still be exchanged. The caller holds mu.
func (w *Workspace) findTrigger(id string) (*trigger, *apiError) {
	t := w.triggers[id]
	switch {
	case t == nil:
		return nil, &apiError{code: "invalid_trigger_id"}
	case t.used:
		return nil, &apiError{code: "exchanged_trigger_id"}
	case w.cfg.Now().Sub(t.issued) > triggerLife:
		return nil, &apiError{code: "expired_trigger_id"}
	}
	return t, nil
}

// newHook issues a response URL of kind "commands" or "actions". The caller holds mu.
func (w *Workspace) newHook(kind, user string, ch *channel, m *message) string {
	const remembered = 20_000
	token := w.token(24)
	w.hooks[token] = &hook{user: user, channel: ch, message: m, issued: w.cfg.Now()}
	w.hookOrder = append(w.hookOrder, token)
	if len(w.hookOrder) > remembered {
		delete(w.hooks, w.hookOrder[0])
		w.hookOrder = w.hookOrder[1:]
	}
	return w.base("") + "/slack/hooks/" + kind + "/" + TeamID + "/" + token
}

// base is where the workspace is served. The caller holds mu.
func (w *Workspace) base(host string) string {
	switch {
	case w.baseURL != "":
		return strings.TrimSuffix(w.baseURL, "/")
	case host != "":
		return "http://" + host
	}
	return "http://127.0.0.1"
}

// serveHook answers a response URL, in the form the client asked for: slack-go reads JSON or the
// text "ok", by content type.
func (w *Workspace) serveHook(rw http.ResponseWriter, r *http.Request) {
	const largest = 1 << 20
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, largest))
	if err != nil {
		http.Error(rw, "payload too large", http.StatusRequestEntityTooLarge)
		return
	}
	if w.faulty(rw, r, "response_url") {
		return
	}
	status, e := w.respond(r.PathValue("token"), body)
	outcome := "ok"
	if e != nil {
		outcome = e.code
	}
	w.record(CallRecord{Method: "response_url", Token: "none", Outcome: outcome, Bytes: int64(len(body))})
	if w.lostAnswer(rw, "response_url") {
		return
	}
	if e == nil {
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		write(rw, []byte("ok"))
		return
	}
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	out := obj{"ok": false, "error": e.code}
	maps.Copy(out, e.extra)
	writeJSON(rw, out)
}

func (w *Workspace) respond(token string, body []byte) (int, *apiError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hooks[token]
	switch {
	case h == nil:
		return http.StatusNotFound, &apiError{code: "expired_url"}
	case w.cfg.Now().Sub(h.issued) > hookLife:
		return http.StatusNotFound, &apiError{code: "expired_url"}
	case h.uses >= hookUses:
		return http.StatusNotFound, &apiError{code: "used_url"}
	}
	var args map[string]any
	if err := json.Unmarshal(body, &args); err != nil {
		return http.StatusBadRequest, &apiError{code: "invalid_payload"}
	}
	h.uses++
	c := &call{args: args}
	if e := w.respondTo(h, c); e != nil {
		return http.StatusBadRequest, e
	}
	return http.StatusOK, nil
}

// respondTo posts, replaces or deletes through a response URL. The caller holds mu.
func (w *Workspace) respondTo(h *hook, c *call) *apiError {
	if c.flag("delete_original") {
		if h.message == nil || h.message.deleted {
			return &apiError{code: "message_not_found"}
		}
		h.channel.drop(h.message)
		w.touch()
		return nil
	}
	in, e := w.readContent(c)
	if e != nil {
		return e
	}
	if in.text == "" && len(in.blocks) == 0 && in.attach == nil {
		return &apiError{code: "no_text"}
	}
	if c.flag("replace_original") && h.message != nil && !h.message.deleted {
		w.rewrite(h.message, in)
		return nil
	}
	m := w.newMessage(BotUserID, in)
	thread, e := h.channel.thread(c.str("thread_ts"))
	if e != nil {
		return e
	}
	m.threadTS = thread
	if c.str("response_type") != "in_channel" {
		m.ephemeral = h.user
		if w.active("drop_ephemeral") {
			return nil
		}
	}
	h.channel.add(m)
	w.touch()
	return nil
}
