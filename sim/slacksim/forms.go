package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// formState holds what stands in the input elements of a message or view: by block id and action
// id, in the shape of state.values.
type formState map[string]map[string]obj

// complete gives each block and interactive element without an id a fresh one, as Slack does,
// and returns the blocks. The caller holds mu.
func (w *Workspace) complete(list []any) []obj {
	out := make([]obj, 0, len(list))
	for _, v := range list {
		b, ok := v.(obj)
		if !ok {
			continue
		}
		w.completeBlock(b)
		out = append(out, b)
	}
	return out
}

func (w *Workspace) completeBlock(b obj) {
	if id, ok := b["block_id"].(string); !ok || id == "" {
		b["block_id"] = w.token(5)
	}
	children, ok := b["child_blocks"].([]any)
	if ok {
		w.complete(children)
	}
	for _, e := range elementsOf(b) {
		if id, ok := e["action_id"].(string); (!ok || id == "") && e["type"] != "image" {
			e["action_id"] = w.token(5)
		}
	}
}

// elementsOf returns the interactive elements of one block, children of a container not included.
func elementsOf(b obj) []obj {
	var list []any
	switch b["type"] {
	case "actions", "context_actions":
		list, _ = b["elements"].([]any)
	case "card":
		list, _ = b["actions"].([]any)
	case "section":
		list = []any{b["accessory"]}
	case "input":
		list = []any{b["element"]}
	case "carousel":
		cards, _ := b["elements"].([]any)
		for _, c := range cards {
			if card, ok := c.(obj); ok {
				actions, _ := card["actions"].([]any)
				list = append(list, actions...)
			}
		}
	}
	var out []obj
	for _, v := range list {
		if e, ok := v.(obj); ok && e["type"] != "image" {
			out = append(out, e)
		}
	}
	return out
}

// eachElement calls f with every interactive element and its block, inside containers too, until
// f returns false.
func eachElement(blocks []obj, f func(block, element obj) bool) bool {
	for _, b := range blocks {
		for _, e := range elementsOf(b) {
			if !f(b, e) {
				return false
			}
		}
		children, ok := b["child_blocks"].([]any)
		if !ok {
			continue
		}
		for _, v := range children {
			if child, ok := v.(obj); ok && !eachElement([]obj{child}, f) {
				return false
			}
		}
	}
	return true
}

// findElement returns the element with that action id, in that block unless blockID is "".
func findElement(blocks []obj, blockID, actionID string) (block, element obj) {
	eachElement(blocks, func(b, e obj) bool {
		if e["action_id"] == actionID && (blockID == "" || b["block_id"] == blockID) {
			block, element = b, e
			return false
		}
		return true
	})
	return block, element
}

// field tells how an element type keeps its value in state.values; "" for one that keeps none.
func field(kind string) (key string, empty any) {
	switch kind {
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		return "value", nil
	case "rich_text_input":
		return "rich_text_value", nil
	case "file_input":
		return "files", []any{}
	case "datepicker":
		return "selected_date", nil
	case "timepicker":
		return "selected_time", nil
	case "datetimepicker":
		return "selected_date_time", nil
	case "static_select", "external_select", "radio_buttons":
		return "selected_option", nil
	case "users_select":
		return "selected_user", nil
	case "conversations_select":
		return "selected_conversation", nil
	case "channels_select":
		return "selected_channel", nil
	case "multi_static_select", "multi_external_select", "checkboxes":
		return "selected_options", []any{}
	case "multi_users_select":
		return "selected_users", []any{}
	case "multi_conversations_select":
		return "selected_conversations", []any{}
	case "multi_channels_select":
		return "selected_channels", []any{}
	}
	return "", nil
}

// initialKey is the property that carries an element's first value.
func initialKey(key string) string {
	if key == "rich_text_value" {
		return "initial_value"
	}
	return "initial_" + strings.TrimPrefix(key, "selected_")
}

// valuesOf returns state.values for blocks: every input element, with what stands there now, else
// its initial value, else null.
func valuesOf(blocks []obj, now formState) formState {
	out := formState{}
	eachElement(blocks, func(b, e obj) bool {
		kind := fmt.Sprint(e["type"])
		key, empty := field(kind)
		if key == "" {
			return true
		}
		block, action := fmt.Sprint(b["block_id"]), fmt.Sprint(e["action_id"])
		state := obj{"type": kind, key: empty}
		if v, ok := e[initialKey(key)]; ok && v != nil {
			state[key] = v
		}
		if typed := now[block][action]; typed != nil && typed["type"] == kind {
			state = maps.Clone(typed)
		}
		if out[block] == nil {
			out[block] = map[string]obj{}
		}
		out[block][action] = state
		return true
	})
	return out
}

// set puts the value that a person gave to an element into s. The value may be bare or wrapped as
// in state.values; options may be named by their value alone.
func (s formState) set(block, element obj, raw json.RawMessage) error {
	kind := fmt.Sprint(element["type"])
	key, empty := field(kind)
	if key == "" {
		return fmt.Errorf("an element of type %s keeps no value", kind)
	}
	var v any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("decode the value: %w", err)
		}
	}
	if wrapped, ok := v.(obj); ok {
		if inner, has := wrapped[key]; has {
			v = inner
		} else if inner, has := wrapped["value"]; has && wrapped["text"] == nil {
			v = inner
		}
	}
	switch {
	case v == nil || v == "":
		v = empty
	case key == "selected_option":
		o, err := pickOption(element, v)
		if err != nil {
			return err
		}
		v = o
	case key == "selected_options":
		picked := []any{}
		for _, one := range asList(v) {
			o, err := pickOption(element, one)
			if err != nil {
				return err
			}
			picked = append(picked, o)
		}
		v = picked
	case key == "selected_date_time":
		n, ok := v.(float64)
		if !ok {
			return errors.New("a datetimepicker takes seconds since 1970")
		}
		v = int64(n)
	case strings.HasPrefix(key, "selected_") && strings.HasSuffix(key, "s"):
		v = asList(v)
	}
	b, a := fmt.Sprint(block["block_id"]), fmt.Sprint(element["action_id"])
	if s[b] == nil {
		s[b] = map[string]obj{}
	}
	s[b][a] = obj{"type": kind, key: v}
	return nil
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// pickOption returns the offered option that v names, by its value or as an option object.
// External menus take any option object.
func pickOption(element obj, v any) (any, error) {
	want := v
	if o, ok := v.(obj); ok {
		want = o["value"]
	}
	for _, o := range offeredOptions(element) {
		if o["value"] == want {
			return o, nil
		}
	}
	if o, ok := v.(obj); ok && strings.HasSuffix(fmt.Sprint(element["type"]), "external_select") {
		return o, nil
	}
	return nil, fmt.Errorf("%v is not among the options of %v", want, element["action_id"])
}

func offeredOptions(element obj) []obj {
	var out []obj
	collect := func(v any) {
		list, ok := v.([]any)
		if !ok {
			return
		}
		for _, e := range list {
			if o, ok := e.(obj); ok {
				out = append(out, o)
			}
		}
	}
	collect(element["options"])
	groups, ok := element["option_groups"].([]any)
	if ok {
		for _, g := range groups {
			if group, ok := g.(obj); ok {
				collect(group["options"])
			}
		}
	}
	return out
}

// optionValues returns the values offered by a menu, nil for one that offers none itself.
func optionValues(element obj) []string {
	var out []string
	for _, o := range offeredOptions(element) {
		out = append(out, fmt.Sprint(o["value"]))
	}
	return slices.Clip(out)
}
