package slacksim

import (
	"fmt"
	"slices"
)

// Longest texts of Block Kit, in characters (https://docs.slack.dev/reference/block-kit).
const (
	maxText      = 3000
	maxField     = 2000
	maxTitle     = 150
	maxCardBody  = 200
	maxAlert     = 200
	maxAlt       = 2000
	maxURL       = 3000
	maxMarkdown  = 12_000
	maxLabel     = 2000
	maxVideo     = 199
	maxAuthor    = 49
	maxContainer = 10
)

// surfaces returns where a block type may stand; nil for an unknown type. The page of September
// 2026 does not list header, carousel and plan: header is in use on all three surfaces, the other
// two are taken to be for messages, like the blocks they are made of.
func surfaces(kind string) []Surface {
	switch kind {
	case "actions", "card", "context", "divider", "header", "image", "input", "rich_text", "section", "video":
		return []Surface{SurfaceMessage, SurfaceModal, SurfaceHome}
	case "alert":
		return []Surface{SurfaceModal}
	case "container", "table", "data_table", "data_visualization":
		return []Surface{SurfaceMessage, SurfaceHome}
	case "context_actions", "file", "markdown", "task_card", "carousel", "plan":
		return []Surface{SurfaceMessage}
	}
	return nil
}

// block checks one block. Inside a container, parent lists the types allowed there; else it is nil.
func (c *checker) block(pointer string, v any, parent []string) {
	b, ok := c.object(pointer, v)
	if !ok {
		return
	}
	kind, ok := b["type"].(string)
	if !ok {
		c.bad(pointer, "missing required field: type")
		return
	}
	where := surfaces(kind)
	switch {
	case where == nil:
		c.bad(pointer+"/type", "unsupported type: %s", kind)
		return
	case !slices.Contains(where, c.surface):
		c.bad(pointer+"/type", "unsupported type: %s is not allowed in a %s", kind, c.surface)
		return
	case parent != nil && !slices.Contains(parent, kind):
		c.bad(pointer+"/type", "unsupported type: %s is not allowed in a container", kind)
		return
	}
	c.id(pointer, b, "block_id", c.blockIDs)
	c.actionIDs = map[string]bool{}
	c.blockBody(kind, pointer, b)
}

func (c *checker) blockBody(kind, pointer string, b obj) {
	switch kind {
	case "actions":
		c.actions(pointer, b)
	case "alert":
		c.props(pointer, b, "type", "block_id", "text", "level")
		c.text(pointer, b, "text", anyText, maxAlert, true)
		c.enum(pointer, b, "level", "default", "info", "warning", "error", "success")
	case "card":
		c.card(pointer, b)
	case "carousel":
		c.carousel(pointer, b)
	case "container":
		c.container(pointer, b)
	case "context":
		c.context(pointer, b)
	case "context_actions":
		c.props(pointer, b, "type", "block_id", "elements")
		for i, e := range c.list(pointer, b, "elements", 1, 5) {
			c.element(fmt.Sprintf("%s/elements/%d", pointer, i), e, "feedback_buttons", "icon_button")
		}
	case "data_table":
		c.dataTableBlock(pointer, b)
	case "data_visualization":
		c.chart(pointer, b)
	case "divider":
		c.props(pointer, b, "type", "block_id")
	case "file":
		c.props(pointer, b, "type", "block_id", "external_id", "source")
		c.need(pointer, b, "external_id", 1, 255)
		c.need(pointer, b, "source", 1, 255)
	case "header":
		c.props(pointer, b, "type", "block_id", "text", "level")
		c.text(pointer, b, "text", plainText, maxTitle, true)
	case "image":
		c.image(pointer, b)
	case "input":
		c.input(pointer, b)
	case "markdown":
		c.props(pointer, b, "type", "block_id", "text")
		c.need(pointer, b, "text", 1, maxMarkdown)
		c.markdown += textLength(b["text"])
	case "plan":
		c.plan(pointer, b)
	case "rich_text":
		c.richText(pointer, b)
	case "section":
		c.section(pointer, b)
	case "table":
		c.tableBlock(pointer, b)
	case "task_card":
		c.taskCard(pointer, b)
	case "video":
		c.video(pointer, b)
	}
}

func (c *checker) actions(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "elements")
	for i, e := range c.list(pointer, b, "elements", 1, 25) {
		c.element(fmt.Sprintf("%s/elements/%d", pointer, i), e, actionElements()...)
	}
}

func (c *checker) context(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "elements")
	for i, e := range c.list(pointer, b, "elements", 1, 10) {
		at := fmt.Sprintf("%s/elements/%d", pointer, i)
		if o, ok := e.(obj); ok && o["type"] == "image" {
			c.element(at, e, "image")
			continue
		}
		c.textObject(at, e, anyText, maxText)
	}
}

func (c *checker) section(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "text", "fields", "accessory", "expand")
	c.text(pointer, b, "text", anyText, maxText, false)
	c.boolean(pointer, b, "expand")
	if b["text"] == nil && b["fields"] == nil {
		c.bad(pointer, "must provide either `text` or `fields`")
	}
	if b["fields"] != nil {
		for i, f := range c.list(pointer, b, "fields", 1, 10) {
			c.textObject(fmt.Sprintf("%s/fields/%d", pointer, i), f, anyText, maxField)
		}
	}
	if b["accessory"] != nil {
		c.element(pointer+"/accessory", b["accessory"], append(actionElements(), "image")...)
	}
}

func (c *checker) input(pointer string, b obj) {
	c.hasInput = true
	c.props(pointer, b, "type", "block_id", "label", "element", "dispatch_action", "hint", "optional")
	c.text(pointer, b, "label", plainText, maxLabel, true)
	c.text(pointer, b, "hint", plainText, maxLabel, false)
	c.boolean(pointer, b, "dispatch_action", "optional")
	if b["element"] == nil {
		c.bad(pointer, "missing required field: element")
		return
	}
	c.element(pointer+"/element", b["element"], inputElements()...)
}

func (c *checker) image(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "image_url", "slack_file", "alt_text", "title")
	c.need(pointer, b, "alt_text", 0, maxAlt)
	c.text(pointer, b, "title", plainText, maxLabel, false)
	c.imageSource(pointer, b)
}

// imageSource checks that exactly one of image_url and slack_file is there.
func (c *checker) imageSource(pointer string, o obj) {
	c.str(pointer, o, "image_url", 1, maxURL)
	if (o["image_url"] == nil) == (o["slack_file"] == nil) {
		c.bad(pointer, "must define either `slack_file` or `image_url`")
	}
}

func (c *checker) video(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "alt_text", "author_name", "description", "provider_icon_url",
		"provider_name", "title", "title_url", "thumbnail_url", "video_url")
	c.need(pointer, b, "alt_text", 1, maxAlt)
	c.need(pointer, b, "thumbnail_url", 1, maxURL)
	c.need(pointer, b, "video_url", 1, maxURL)
	c.text(pointer, b, "title", plainText, maxVideo, true)
	c.text(pointer, b, "description", plainText, maxVideo, false)
	c.str(pointer, b, "author_name", 0, maxAuthor)
}

func (c *checker) card(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "hero_image", "icon", "slack_icon", "title", "subtitle", "body", "subtext", "actions")
	c.text(pointer, b, "title", anyText, maxTitle, false)
	c.text(pointer, b, "subtitle", anyText, maxTitle, false)
	c.text(pointer, b, "body", anyText, maxCardBody, false)
	c.text(pointer, b, "subtext", anyText, maxCardBody, false)
	for _, key := range []string{"hero_image", "icon"} {
		if b[key] != nil {
			c.element(pointer+"/"+key, b[key], "image")
		}
	}
	if b["actions"] != nil {
		for i, e := range c.list(pointer, b, "actions", 1, 5) {
			c.element(fmt.Sprintf("%s/actions/%d", pointer, i), e, "button", "icon_button", "overflow")
		}
	}
	if b["hero_image"] == nil && b["title"] == nil && b["actions"] == nil && b["body"] == nil {
		c.bad(pointer, "must provide one of `hero_image`, `title`, `actions`, `body`")
	}
}

func (c *checker) carousel(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "elements")
	for i, e := range c.list(pointer, b, "elements", 1, 10) {
		at := fmt.Sprintf("%s/elements/%d", pointer, i)
		card, ok := c.object(at, e)
		if !ok {
			continue
		}
		if card["type"] != "card" {
			c.bad(at+"/type", "unsupported type: %v", card["type"])
			continue
		}
		c.block(at, card, []string{"card"})
	}
}

func (c *checker) container(pointer string, b obj) {
	c.props(pointer, b, "type", "block_id", "title", "rich_text_title", "subtitle", "icon", "width",
		"is_collapsible", "default_collapsed", "has_header_divider", "child_blocks")
	c.text(pointer, b, "title", plainText, maxTitle, b["rich_text_title"] == nil)
	c.text(pointer, b, "subtitle", anyText, maxTitle, false)
	c.enum(pointer, b, "width", "narrow", "standard", "wide", "full")
	c.boolean(pointer, b, "is_collapsible", "default_collapsed", "has_header_divider")
	children := []string{"actions", "context", "divider", "file", "header", "image", "input", "rich_text", "section", "table", "video"}
	for i, child := range c.list(pointer, b, "child_blocks", 1, maxContainer) {
		c.block(fmt.Sprintf("%s/child_blocks/%d", pointer, i), child, children)
	}
}
