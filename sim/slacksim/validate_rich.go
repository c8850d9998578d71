package slacksim

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// textLength counts the characters of a string; other values count nothing.
func textLength(v any) int {
	s, ok := v.(string)
	if !ok {
		return 0
	}
	return utf8.RuneCountInString(s)
}

// deepLength counts the characters of every "text" below v.
func deepLength(v any) int {
	n := 0
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += deepLength(e)
		}
	case obj:
		for k, e := range v {
			if k == "text" {
				n += textLength(e)
			}
			n += deepLength(e)
		}
	}
	return n
}

func (c *checker) moment(pointer string, e obj, key, layout string) {
	s, ok := e[key].(string)
	if !ok {
		return
	}
	if _, err := time.Parse(layout, s); err != nil {
		c.bad(pointer+"/"+key, "must be in the format %s", layout)
	}
}

func (c *checker) richText(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "elements")
	for i, v := range c.list(pointer, b, "elements", 1, maxText) {
		c.richPart(fmt.Sprintf("%s/elements/%d", pointer, i), v)
	}
}

func (c *checker) richPart(pointer string, v any) {
	p, ok := c.object(pointer, v)
	if !ok {
		return
	}
	kind, _ := p["type"].(string)
	switch kind {
	case "rich_text_section":
		c.props(pointer, p, "type", "elements")
		c.richInline(pointer, p)
	case "rich_text_preformatted":
		c.props(pointer, p, "type", "elements", "border", "language")
		c.richInline(pointer, p)
	case "rich_text_quote":
		c.props(pointer, p, "type", "elements", "border")
		c.richInline(pointer, p)
	case "rich_text_list":
		c.props(pointer, p, "type", "elements", "style", "indent", "offset", "border")
		c.enum(pointer, p, "style", "bullet", "ordered")
		if p["style"] == nil {
			c.bad(pointer, "missing required field: style")
		}
		c.integer(pointer, p, "indent", 0, 8, 0)
		for i, e := range c.list(pointer, p, "elements", 1, maxText) {
			at := fmt.Sprintf("%s/elements/%d", pointer, i)
			if s, ok := e.(obj); ok && s["type"] != "rich_text_section" {
				c.bad(at+"/type", "unsupported type: %v", s["type"])
				continue
			}
			c.richPart(at, e)
		}
	default:
		c.bad(pointer+"/type", "unsupported type: %s", kind)
	}
}

func (c *checker) richInline(pointer string, p obj) {
	for i, v := range c.list(pointer, p, "elements", 0, maxText) {
		at := fmt.Sprintf("%s/elements/%d", pointer, i)
		e, ok := c.object(at, v)
		if !ok {
			continue
		}
		kind, _ := e["type"].(string)
		switch kind {
		case "text":
			c.need(at, e, "text", 1, maxMarkdown)
		case "link":
			c.need(at, e, "url", 1, maxURL)
		case "emoji":
			c.need(at, e, "name", 1, maxActionID)
		case "user":
			c.need(at, e, "user_id", 1, maxActionID)
		case "channel":
			c.need(at, e, "channel_id", 1, maxActionID)
		case "usergroup":
			c.need(at, e, "usergroup_id", 1, maxActionID)
		case "broadcast":
			c.enum(at, e, "range", "here", "channel", "everyone")
		case "date":
			c.need(at, e, "format", 1, maxActionID)
		case "color":
			c.need(at, e, "value", 1, maxActionID)
		case "team":
			c.need(at, e, "team_id", 1, maxActionID)
		default:
			c.bad(at+"/type", "unsupported type: %s", kind)
		}
	}
}

func (c *checker) tableBlock(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "rows", "column_settings")
	c.table += deepLength(b["rows"])
	for i, row := range c.list(pointer, b, "rows", 1, 100) {
		c.row(fmt.Sprintf("%s/rows/%d", pointer, i), row, true)
	}
	for i, v := range c.list(pointer, b, "column_settings", 0, 20) {
		at := fmt.Sprintf("%s/column_settings/%d", pointer, i)
		if s, ok := v.(obj); ok {
			c.props(at, s, "align", "is_wrapped")
			c.enum(at, s, "align", "left", "center", "right")
		}
	}
}

func (c *checker) dataTableBlock(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "caption", "rows", "page_size", "row_header_column_index")
	c.need(pointer, b, "caption", 1, maxText)
	c.integer(pointer, b, "page_size", 1, 100, 5)
	c.dataTable += deepLength(b["rows"])
	columns := 0
	for i, row := range c.list(pointer, b, "rows", 2, 201) {
		n := c.row(fmt.Sprintf("%s/rows/%d", pointer, i), row, i > 0)
		if i == 0 {
			columns = n
		}
	}
	c.integer(pointer, b, "row_header_column_index", 0, max(columns-1, 0), 0)
}

// row checks the cells of one table row and returns how many there are.
func (c *checker) row(pointer string, v any, rich bool) int {
	cells, ok := v.([]any)
	if !ok {
		c.bad(pointer, "must be an array")
		return 0
	}
	c.items(pointer, cells, 1, 20)
	for i, v := range cells {
		at := fmt.Sprintf("%s/%d", pointer, i)
		cell, ok := c.object(at, v)
		if !ok {
			continue
		}
		switch kind := cell["type"]; {
		case kind == "raw_text":
			c.need(at, cell, "text", 0, maxMarkdown)
		case kind == "raw_number":
			if _, ok := cell["value"].(float64); !ok {
				c.bad(at, "missing required field: value")
			}
		case kind == "rich_text" && rich:
			c.props(at, cell, "type", "elements", "block_id")
			c.richText(at, cell)
		default:
			c.bad(at+"/type", "unsupported type: %v", kind)
		}
	}
	return len(cells)
}

func (c *checker) taskCard(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "task_id", "title", "status", "details", "output", "sources", "hide_title")
	c.need(pointer, b, "task_id", 1, maxActionID)
	c.need(pointer, b, "title", 1, maxTitle)
	c.enum(pointer, b, "status", "pending", "in_progress", "complete", "error")
	for _, key := range []string{"details", "output"} {
		if b[key] == nil {
			continue
		}
		if rich, ok := c.object(pointer+"/"+key, b[key]); ok {
			c.richText(pointer+"/"+key, rich)
		}
	}
}

func (c *checker) plan(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "title", "tasks")
	c.need(pointer, b, "title", 1, maxTitle)
	for i, v := range c.list(pointer, b, "tasks", 0, 50) {
		at := fmt.Sprintf("%s/tasks/%d", pointer, i)
		if card, ok := c.object(at, v); ok {
			c.taskCard(at, card)
		}
	}
}

func (c *checker) chart(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "title", "chart")
	c.need(pointer, b, "title", 1, 50)
	chart, ok := c.object(pointer+"/chart", b["chart"])
	if !ok {
		return
	}
	switch chart["type"] {
	case "pie":
		c.list(pointer+"/chart", chart, "segments", 1, 6)
	case "bar", "area", "line":
		c.list(pointer+"/chart", chart, "series", 1, 6)
	default:
		c.bad(pointer+"/chart/type", "unsupported type: %v", chart["type"])
	}
}
