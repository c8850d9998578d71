package slacksim

import (
	"encoding/json"
	"fmt"
)

// view is a modal or a Home tab as it stands on one person's screen.
type view struct {
	id, user   string
	kind       string
	callbackID string
	externalID string
	private    string
	title      any
	submit     any
	closeText  any
	blocks     []obj
	rawBlocks  json.RawMessage
	hash       string
	clearAll   bool // clear_on_close
	notify     bool // notify_on_close
	root       string
	previous   string
	typed      formState
	errors     map[string]string // under the input blocks, after a refused submission
	open       bool
}

// readView checks the view argument of a call. The caller holds mu.
func (w *Workspace) readView(c *call, surface Surface) (obj, *apiError) {
	v, present, err := c.value("view")
	if !present {
		return nil, invalidBlocks("invalid_arguments", []Problem{{Pointer: "", Message: "missing required field: view"}})
	}
	o, ok := v.(obj)
	if err != nil || !ok {
		return nil, invalidBlocks("invalid_arguments", []Problem{{Pointer: "/view", Message: "must be a valid view"}})
	}
	if e := checkView(surface, o); e != nil {
		return nil, e
	}
	return o, nil
}

func checkView(surface Surface, o obj) *apiError {
	if len(encode(o)) > maxViewBytes {
		return &apiError{code: "view_too_large"}
	}
	if problems := validateView(surface, "/view", o); len(problems) > 0 {
		return invalidBlocks("invalid_arguments", problems)
	}
	return nil
}

// fill puts a checked view object into v and gives it a new hash. What a person has typed stays
// where block id, action id and type are the same. The caller holds mu.
func (w *Workspace) fill(v *view, o obj) {
	text := func(key string) string {
		s, ok := o[key].(string)
		if !ok {
			return ""
		}
		return s
	}
	v.kind, v.callbackID, v.private = text("type"), text("callback_id"), text("private_metadata")
	if v.externalID != text("external_id") {
		delete(w.external, v.externalID)
		v.externalID = text("external_id")
	}
	if v.externalID != "" {
		w.external[v.externalID] = v.id
	}
	v.title, v.submit, v.closeText = o["title"], o["submit"], o["close"]
	v.clearAll, v.notify = o["clear_on_close"] == true, o["notify_on_close"] == true
	list, _ := o["blocks"].([]any)
	v.blocks = w.complete(list)
	v.rawBlocks = encode(v.blocks)
	v.errors = nil
	v.hash = fmt.Sprintf("%d.%s", w.cfg.Now().Unix(), w.token(8))
	w.touch()
}

// show makes a view for user on top of what is open, or alone. The caller holds mu.
func (w *Workspace) show(user string, o obj, push bool) *view {
	if !push {
		w.clear(user)
	}
	v := &view{id: w.newID("V"), user: user, typed: formState{}, open: true}
	v.root = v.id
	if stack := w.stacks[user]; len(stack) > 0 {
		v.root, v.previous = stack[0].id, stack[len(stack)-1].id
	}
	w.views[v.id] = v
	w.stacks[user] = append(w.stacks[user], v)
	w.fill(v, o)
	return v
}

// pop closes the top view of user. The caller holds mu.
func (w *Workspace) pop(v *view) {
	stack := w.stacks[v.user]
	for i, s := range stack {
		if s == v {
			for _, above := range stack[i:] {
				w.forget(above)
			}
			w.stacks[v.user] = stack[:i]
		}
	}
	w.touch()
}

// clear closes every view of user. The caller holds mu.
func (w *Workspace) clear(user string) {
	for _, v := range w.stacks[user] {
		w.forget(v)
	}
	delete(w.stacks, user)
	w.touch()
}

func (w *Workspace) forget(v *view) {
	v.open = false
	delete(w.external, v.externalID)
	delete(w.views, v.id)
}

// duplicateExternal reports whether another open view has the external id of o. The caller holds mu.
func (w *Workspace) duplicateExternal(o obj, self string) bool {
	id, ok := o["external_id"].(string)
	if !ok || id == "" {
		return false
	}
	other, taken := w.external[id]
	return taken && other != self
}

func (w *Workspace) viewsOpen(c *call) (obj, *apiError) {
	t, e := w.findTrigger(c.str("trigger_id"))
	if e != nil {
		return nil, e
	}
	o, e := w.readView(c, SurfaceModal)
	if e != nil {
		return nil, e
	}
	if w.duplicateExternal(o, "") {
		return fail("duplicate_external_id")
	}
	t.used = true
	v := w.show(t.user, o, false)
	return obj{"view": w.viewJSON(v)}, nil
}

// viewsPush needs a trigger that came from a modal that is still open.
func (w *Workspace) viewsPush(c *call) (obj, *apiError) {
	t, e := w.findTrigger(c.str("trigger_id"))
	if e != nil {
		return nil, e
	}
	o, e := w.readView(c, SurfaceModal)
	if e != nil {
		return nil, e
	}
	stack := w.stacks[t.user]
	switch {
	case t.view == "":
		return fail("invalid_trigger_id")
	case len(stack) == 0:
		return fail("not_found")
	case len(stack) >= maxStack:
		return fail("push_limit_reached")
	case w.duplicateExternal(o, ""):
		return fail("duplicate_external_id")
	}
	t.used = true
	v := w.show(t.user, o, true)
	return obj{"view": w.viewJSON(v)}, nil
}

func (w *Workspace) viewsUpdate(c *call) (obj, *apiError) {
	id := c.str("view_id")
	if id == "" {
		id = w.external[c.str("external_id")]
	}
	v := w.views[id]
	if v == nil {
		return fail("not_found")
	}
	o, e := w.readView(c, Surface(v.kind))
	if e != nil {
		return nil, e
	}
	if h := c.str("hash"); h != "" && h != v.hash {
		return fail("hash_conflict")
	}
	if w.duplicateExternal(o, v.id) {
		return fail("duplicate_external_id")
	}
	w.fill(v, o)
	return obj{"view": w.viewJSON(v)}, nil
}

func (w *Workspace) viewsPublish(c *call) (obj, *apiError) {
	u := w.users[c.str("user_id")]
	if u == nil {
		return fail("user_not_found")
	}
	o, e := w.readView(c, SurfaceHome)
	if e != nil {
		return nil, e
	}
	v := w.homes[u.ID]
	if v != nil {
		if h := c.str("hash"); h != "" && h != v.hash {
			return fail("hash_conflict")
		}
	}
	if w.duplicateExternal(o, "") && (v == nil || v.externalID != o["external_id"]) {
		return fail("duplicate_external_id")
	}
	if v == nil {
		v = &view{id: w.newID("V"), user: u.ID, typed: formState{}, open: true}
		v.root = v.id
		w.homes[u.ID], w.views[v.id] = v, v
	}
	w.fill(v, o)
	return obj{"view": w.viewJSON(v)}, nil
}

// viewJSON is a view as apps see it. The caller holds mu.
func (w *Workspace) viewJSON(v *view) obj {
	out := obj{
		"id": v.id, "team_id": TeamID, "type": v.kind, "blocks": v.rawBlocks, "private_metadata": v.private,
		"callback_id": v.callbackID, "state": obj{"values": valuesOf(v.blocks, v.typed)}, "hash": v.hash,
		"title": v.title, "clear_on_close": v.clearAll, "notify_on_close": v.notify, "close": v.closeText, "submit": v.submit,
		"previous_view_id": nil, "root_view_id": v.root, "app_id": AppID, "external_id": v.externalID,
		"app_installed_team_id": TeamID, "bot_id": BotID,
	}
	if v.previous != "" {
		out["previous_view_id"] = v.previous
	}
	if v.kind == string(SurfaceHome) {
		out["title"] = obj{"type": plainText, "text": "View Title", "emoji": true}
	}
	return out
}
