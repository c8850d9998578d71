package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"
)

// SubmitRequest is a person pressing a modal's submit button.
type SubmitRequest struct {
	User, ViewID string
	// Values is what they typed and chose, by block id and action id, over what stands there already.
	Values map[string]map[string]json.RawMessage
	// Force skips what the client itself would check: required fields and lengths.
	Force bool
}

// Submit sends a view_submission and carries out the response action in its acknowledgement.
func (w *Workspace) Submit(r SubmitRequest) (Outcome, error) {
	w.mu.Lock()
	e, trigger, err := w.submit(r)
	w.mu.Unlock()
	if err != nil {
		return Outcome{}, err
	}
	return w.await(e, trigger), nil
}

// submit sends the envelope. The caller holds mu.
func (w *Workspace) submit(r SubmitRequest) (*envelope, string, error) {
	u, v, err := w.modal(r.User, r.ViewID, r.Force)
	if err != nil {
		return nil, "", err
	}
	for block, actions := range r.Values {
		for action, raw := range actions {
			b, e := findElement(v.blocks, block, action)
			if e == nil {
				return nil, "", refuse(http.StatusBadRequest, "the view has no element %q in block %q", action, block)
			}
			if err := v.typed.set(b, e, raw); err != nil {
				return nil, "", refuse(http.StatusBadRequest, "%s", err)
			}
		}
	}
	v.errors = nil
	if missing := clientChecks(v); len(missing) > 0 && !r.Force {
		v.errors = missing
		w.touch()
		return nil, "", &RefusedError{Status: http.StatusUnprocessableEntity, Why: "the form is not complete", Errors: missing}
	}
	trigger := w.newTrigger(u.ID, v.id)
	p := interaction("view_submission", u, trigger)
	p["view"], p["response_urls"] = w.viewJSON(v), []any{}
	e := w.deliver("interactive", u.ID, true, p)
	e.onAck = func(payload json.RawMessage) { w.submissionAnswered(e, v, payload) }
	e.onLost = func() { w.fails(e, "We had some trouble connecting. Try again?") }
	w.dispatch(e)
	return e, trigger, nil
}

// modal resolves a view that is open on that person's screen. The caller holds mu.
func (w *Workspace) modal(user, id string, force bool) (*User, *view, error) {
	u, err := w.person(user, force)
	if err != nil {
		return nil, nil, err
	}
	v := w.views[id]
	switch {
	case v == nil || v.kind != string(SurfaceModal):
		return nil, nil, refuse(http.StatusNotFound, "the modal %q is not open", id)
	case v.user != u.ID && !force:
		return nil, nil, refuse(http.StatusForbidden, "the modal %q is on somebody else's screen", id)
	}
	return u, v, nil
}

// clientChecks returns what Slack's client refuses before anything is sent: empty required inputs
// and text outside its lengths.
func clientChecks(v *view) map[string]string {
	out := map[string]string{}
	values := valuesOf(v.blocks, v.typed)
	eachElement(v.blocks, func(b, e obj) bool {
		if b["type"] != "input" {
			return true
		}
		id := fmt.Sprint(b["block_id"])
		state := values[id][fmt.Sprint(e["action_id"])]
		key, _ := field(fmt.Sprint(e["type"]))
		list, isList := state[key].([]any)
		empty := state[key] == nil || state[key] == "" || isList && len(list) == 0
		text, isText := state[key].(string)
		switch {
		case empty && b["optional"] != true:
			out[id] = "Please complete this required field."
		case empty || !isText:
		case tooFew(text, e["min_length"]):
			out[id] = "This entry is too short."
		case tooMany(text, e["max_length"]):
			out[id] = "This entry is too long."
		}
		return true
	})
	return out
}

func tooFew(s string, limit any) bool {
	n, ok := limit.(float64)
	return ok && float64(utf8.RuneCountInString(s)) < n
}

func tooMany(s string, limit any) bool {
	n, ok := limit.(float64)
	return ok && float64(utf8.RuneCountInString(s)) > n
}

// submissionAnswered carries out a response action. The caller holds mu.
func (w *Workspace) submissionAnswered(e *envelope, v *view, payload json.RawMessage) {
	var in struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &in); err != nil {
			w.fails(e, "the app's answer was not understood: "+err.Error())
			return
		}
	}
	if !v.open {
		return
	}
	switch in.Action {
	case "":
		w.pop(v)
	case "clear":
		w.clear(v.user)
	case "errors":
		w.showErrors(e, v, in.Errors)
	case "update", "push":
		w.showNext(e, v, in.Action == "push", in.View)
	default:
		w.fails(e, fmt.Sprintf("the app answered with an unknown response_action %q", in.Action))
	}
}

// showErrors puts errors under input blocks; for any other block the person sees that something
// went wrong, as in Slack. The caller holds mu.
func (w *Workspace) showErrors(e *envelope, v *view, errors map[string]string) {
	if len(errors) == 0 {
		w.fails(e, "the app answered with no errors in response_action errors")
		return
	}
	for id := range errors {
		if !isInput(v.blocks, id) {
			w.fails(e, fmt.Sprintf("the app's errors name %q, which is no input block", id))
			return
		}
	}
	e.fields, v.errors = errors, errors
	w.touch()
}

func isInput(blocks []obj, id string) bool {
	for _, b := range blocks {
		if b["block_id"] == id {
			return b["type"] == "input"
		}
	}
	return false
}

// showNext replaces v or puts a view on top of it. The caller holds mu.
func (w *Workspace) showNext(e *envelope, v *view, push bool, raw json.RawMessage) {
	var o obj
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		w.fails(e, "the app's view was not understood")
		return
	}
	self := v.id
	if push {
		self = ""
	}
	refusal := checkView(SurfaceModal, o)
	switch {
	case refusal != nil:
		w.fails(e, "the app's view was refused: "+describe(refusal))
	case w.duplicateExternal(o, self):
		w.fails(e, "the app's view was refused: duplicate_external_id")
	case push && len(w.stacks[v.user]) >= maxStack:
		w.fails(e, "the app's view was refused: push_limit_reached")
	case push:
		w.show(v.user, o, true)
	default:
		w.fill(v, o)
	}
}

// CloseView presses a modal's close button, or with all its ×, which closes the whole stack. It
// returns once the app has acknowledged view_closed, if the view asked to be told.
func (w *Workspace) CloseView(user, viewID string, all bool) (Outcome, error) {
	w.mu.Lock()
	u, v, err := w.modal(user, viewID, false)
	if err != nil {
		w.mu.Unlock()
		return Outcome{}, err
	}
	cleared := all || v.clearAll
	told := v
	if cleared {
		told = w.stacks[u.ID][0]
	}
	p := interaction("view_closed", u, "")
	delete(p, "trigger_id")
	p["view"], p["is_cleared"] = w.viewJSON(told), cleared
	if cleared {
		w.clear(u.ID)
	} else {
		w.pop(v)
	}
	if !told.notify {
		w.mu.Unlock()
		return Outcome{OK: true}, nil
	}
	e := w.deliver("interactive", u.ID, false, p)
	w.dispatch(e)
	w.mu.Unlock()
	return w.await(e, ""), nil
}
