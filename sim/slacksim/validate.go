package slacksim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Surface is a place where blocks may stand. Slack allows different blocks on each
// (https://docs.slack.dev/reference/block-kit/blocks).
type Surface string

// The surfaces.
const (
	SurfaceMessage Surface = "message"
	SurfaceModal   Surface = "modal"
	SurfaceHome    Surface = "home"
)

// Problem is one reason why Slack would refuse blocks.
type Problem struct {
	// Pointer is a JSON pointer into the arguments of the call, such as "/blocks/0/text/text".
	Pointer string
	// Message is phrased as Slack phrases it, such as "must be less than 151 characters".
	Message string
}

// String returns the problem as it stands in Slack's response_metadata.messages.
func (p Problem) String() string {
	return "[ERROR] " + p.detail()
}

// detail returns the problem as it stands in the errors list of Slack's invalid_blocks answer.
func (p Problem) detail() string {
	return fmt.Sprintf("%s [json-pointer:%s]", p.Message, p.Pointer)
}

// Validate returns every reason why Slack would refuse blocks, a JSON array, on surface; none when
// it would take them. Pointers begin with "/blocks".
func Validate(surface Surface, blocks json.RawMessage) []Problem {
	list, err := decodeBlocks(blocks)
	if err != nil {
		return []Problem{{Pointer: "/blocks", Message: "must be an array of blocks"}}
	}
	return validateBlocks(surface, "/blocks", list)
}

func decodeBlocks(raw json.RawMessage) ([]any, error) {
	var list []any
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("decode blocks: %w", err)
	}
	if dec.More() {
		return nil, errors.New("decode blocks: more than one value")
	}
	return list, nil
}

func validateBlocks(surface Surface, pointer string, list []any) []Problem {
	c := &checker{surface: surface, blockIDs: map[string]bool{}}
	limit := 100
	if surface == SurfaceMessage {
		limit = 50
	}
	c.items(pointer, list, 0, limit)
	for i, b := range list {
		c.block(fmt.Sprintf("%s/%d", pointer, i), b, nil)
	}
	const markdownTotal, tableTotal, dataTableTotal = 12_000, 10_000, 20_000
	c.total(pointer, "markdown", c.markdown, markdownTotal)
	c.total(pointer, "table", c.table, tableTotal)
	c.total(pointer, "data_table", c.dataTable, dataTableTotal)
	return c.problems
}

// checker collects problems over one set of blocks.
type checker struct {
	surface                    Surface
	problems                   []Problem
	blockIDs                   map[string]bool
	actionIDs                  map[string]bool // of the block in hand
	hasInput                   bool
	focused                    bool
	markdown, table, dataTable int // characters so far, limited per payload
}

func (c *checker) bad(pointer, format string, args ...any) {
	c.problems = append(c.problems, Problem{Pointer: pointer, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) total(pointer, kind string, got, limit int) {
	if got > limit {
		c.bad(pointer, "all %s blocks together must be less than %d characters", kind, limit+1)
	}
}

// object returns v as an object, or reports that it is none.
func (c *checker) object(pointer string, v any) (obj, bool) {
	o, ok := v.(obj)
	if !ok {
		c.bad(pointer, "must be an object")
	}
	return o, ok
}

// props reports every property of o that Slack does not know there; it refuses the whole
// message for one of them.
func (c *checker) props(pointer string, o obj, allowed ...string) {
	var unknown []string
	for k := range o {
		if !slices.Contains(allowed, k) {
			unknown = append(unknown, k)
		}
	}
	slices.Sort(unknown)
	for _, k := range unknown {
		c.bad(pointer, "invalid additional property: %s", k)
	}
}

func (c *checker) length(pointer, s string, least, most int) {
	n := utf8.RuneCountInString(s)
	switch {
	case n < least:
		c.bad(pointer, "must be more than %d characters", least-1)
	case n > most:
		c.bad(pointer, "must be less than %d characters", most+1)
	}
}

// str checks an optional string property.
func (c *checker) str(pointer string, o obj, key string, least, most int) {
	v, ok := o[key]
	if !ok || v == nil {
		return
	}
	s, ok := v.(string)
	if !ok {
		c.bad(pointer+"/"+key, "must be a string")
		return
	}
	c.length(pointer+"/"+key, s, least, most)
}

// need checks a required string property.
func (c *checker) need(pointer string, o obj, key string, least, most int) {
	if v, ok := o[key]; !ok || v == nil {
		c.bad(pointer, "missing required field: %s", key)
		return
	}
	c.str(pointer, o, key, least, most)
}

func (c *checker) enum(pointer string, o obj, key string, allowed ...string) {
	v, ok := o[key]
	if !ok || v == nil {
		return
	}
	if s, ok := v.(string); !ok || !slices.Contains(allowed, s) {
		c.bad(pointer+"/"+key, "value must be one of: %s", strings.Join(allowed, ", "))
	}
}

func (c *checker) boolean(pointer string, o obj, keys ...string) {
	for _, key := range keys {
		if v, ok := o[key]; ok && v != nil {
			if _, ok := v.(bool); !ok {
				c.bad(pointer+"/"+key, "must be a boolean")
			}
		}
	}
}

// integer checks an optional whole number and returns it, or def.
func (c *checker) integer(pointer string, o obj, key string, least, most, def int) int {
	v, ok := o[key]
	if !ok || v == nil {
		return def
	}
	f, ok := v.(float64)
	if !ok || f != float64(int(f)) {
		c.bad(pointer+"/"+key, "must be an integer")
		return def
	}
	if n := int(f); n < least {
		c.bad(pointer+"/"+key, "must be greater than or equal to %d", least)
	} else if n > most {
		c.bad(pointer+"/"+key, "must be less than or equal to %d", most)
	}
	return int(f)
}

func (c *checker) items(pointer string, list []any, least, most int) {
	switch {
	case len(list) > most:
		c.bad(pointer, "no more than %d items allowed", most)
	case len(list) < least:
		c.bad(pointer, "no fewer than %d items allowed", least)
	}
}

// list checks a required array property and returns it.
func (c *checker) list(pointer string, o obj, key string, least, most int) []any {
	v, ok := o[key]
	if !ok || v == nil {
		if least > 0 {
			c.bad(pointer, "missing required field: %s", key)
		}
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		c.bad(pointer+"/"+key, "must be an array")
		return nil
	}
	c.items(pointer+"/"+key, list, least, most)
	return list
}

// Kinds of text object.
const (
	plainText = "plain_text"
	mrkdwn    = "mrkdwn"
	anyText   = ""
)

// text checks the text object under key. An optional one may be missing or null.
func (c *checker) text(pointer string, o obj, key, kind string, most int, required bool) {
	v, ok := o[key]
	if !ok || v == nil {
		if required {
			c.bad(pointer, "missing required field: %s", key)
		}
		return
	}
	c.textObject(pointer+"/"+key, v, kind, most)
}

func (c *checker) textObject(pointer string, v any, kind string, most int) {
	t, ok := c.object(pointer, v)
	if !ok {
		return
	}
	typ, _ := t["type"].(string)
	switch {
	case typ != plainText && typ != mrkdwn:
		c.bad(pointer+"/type", "unsupported type: %s", typ)
		return
	case kind != anyText && typ != kind:
		c.bad(pointer+"/type", "must be %s", kind)
		return
	}
	if typ == plainText {
		c.props(pointer, t, "type", "text", "emoji")
		c.boolean(pointer, t, "emoji")
	} else {
		c.props(pointer, t, "type", "text", "verbatim")
		c.boolean(pointer, t, "verbatim")
	}
	c.need(pointer, t, "text", 1, most)
}

// id checks block_id and action_id, which must be unique where seen counts them.
func (c *checker) id(pointer string, o obj, key string, seen map[string]bool) {
	const longest = 255
	c.str(pointer, o, key, 0, longest)
	s, ok := o[key].(string)
	if !ok || s == "" {
		return
	}
	if seen[s] {
		c.bad(pointer+"/"+key, "`%s` %s already exists; it must be unique", key, s)
	}
	seen[s] = true
}
