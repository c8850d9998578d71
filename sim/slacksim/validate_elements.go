package slacksim

import (
	"fmt"
	"slices"
	"strings"
)

// Longest texts of block elements and composition objects, in characters.
const (
	maxButton      = 75
	maxValue       = 2000
	maxActionID    = 255
	maxOption      = 75
	maxPlaceholder = 150
	maxOptions     = 100
	maxChoices     = 10
	maxOverflow    = 5
)

// actionElements returns what may stand in an actions block and, with image, beside a section.
func actionElements() []string {
	return []string{
		"button", "checkboxes", "datepicker", "datetimepicker", "timepicker", "overflow", "radio_buttons", "workflow_button",
		"static_select", "external_select", "users_select", "conversations_select", "channels_select",
		"multi_static_select", "multi_external_select", "multi_users_select", "multi_conversations_select", "multi_channels_select",
	}
}

// inputElements returns what may stand in an input block.
func inputElements() []string {
	return []string{
		"plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input", "file_input",
		"checkboxes", "datepicker", "datetimepicker", "timepicker", "radio_buttons",
		"static_select", "external_select", "users_select", "conversations_select", "channels_select",
		"multi_static_select", "multi_external_select", "multi_users_select", "multi_conversations_select", "multi_channels_select",
	}
}

// element checks one block element of one of the allowed types.
func (c *checker) element(pointer string, v any, allowed ...string) {
	e, ok := c.object(pointer, v)
	if !ok {
		return
	}
	kind, ok := e["type"].(string)
	if !ok {
		c.bad(pointer, "missing required field: type")
		return
	}
	if !slices.Contains(allowed, kind) {
		c.bad(pointer+"/type", "unsupported type: %s", kind)
		return
	}
	if kind != "image" {
		c.id(pointer, e, "action_id", c.actionIDs)
	}
	if e["confirm"] != nil {
		c.confirm(pointer+"/confirm", e["confirm"])
	}
	if e["focus_on_load"] == true {
		if c.focused {
			c.bad(pointer+"/focus_on_load", "only one element may have focus_on_load")
		}
		c.focused = true
	}
	c.elementBody(kind, pointer, e)
}

func (c *checker) elementBody(kind, pointer string, e obj) {
	switch kind {
	case "button", "workflow_button", "icon_button", "feedback_buttons":
		c.button(kind, pointer, e)
	case "image":
		c.props(pointer, e, "type", "image_url", "slack_file", "alt_text")
		c.need(pointer, e, "alt_text", 0, maxAlt)
		c.imageSource(pointer, e)
	case "overflow":
		c.props(pointer, e, "type", "action_id", "options", "confirm")
		c.options(pointer, e, plainText, maxOverflow, true)
	case "radio_buttons":
		c.props(pointer, e, "type", "action_id", "options", "initial_option", "confirm", "focus_on_load")
		c.options(pointer, e, anyText, maxChoices, false)
		c.initial(pointer, e, anyText)
	case "checkboxes":
		c.props(pointer, e, "type", "action_id", "options", "initial_options", "confirm", "focus_on_load", "visible_to_user_ids")
		c.options(pointer, e, anyText, maxChoices, false)
		c.initial(pointer, e, anyText)
	case "plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input", "file_input":
		c.typed(kind, pointer, e)
	case "datepicker":
		c.props(pointer, e, "type", "action_id", "initial_date", "placeholder", "confirm", "focus_on_load")
		c.placeholder(pointer, e)
		c.moment(pointer, e, "initial_date", "2006-01-02")
	case "timepicker":
		c.props(pointer, e, "type", "action_id", "initial_time", "placeholder", "confirm", "focus_on_load", "timezone")
		c.placeholder(pointer, e)
		c.moment(pointer, e, "initial_time", "15:04")
	case "datetimepicker":
		c.props(pointer, e, "type", "action_id", "initial_date_time", "confirm", "focus_on_load")
	default:
		c.menu(kind, pointer, e)
	}
}

func (c *checker) button(kind, pointer string, e obj) {
	c.str(pointer, e, "accessibility_label", 0, maxButton)
	switch kind {
	case "button":
		c.props(pointer, e, "type", "action_id", "text", "value", "url", "style", "confirm", "accessibility_label",
			"agent_prompt", "agent_prompt_display", "visible_to_user_ids")
		c.text(pointer, e, "text", plainText, maxButton, true)
		c.str(pointer, e, "value", 0, maxValue)
		c.str(pointer, e, "url", 0, maxURL)
		c.enum(pointer, e, "style", "primary", "danger")
	case "workflow_button":
		c.props(pointer, e, "type", "action_id", "text", "workflow", "style", "accessibility_label")
		c.text(pointer, e, "text", plainText, maxButton, true)
		c.enum(pointer, e, "style", "primary", "danger")
	case "icon_button":
		c.props(pointer, e, "type", "action_id", "icon", "text", "value", "confirm", "accessibility_label", "visible_to_user_ids")
		c.need(pointer, e, "icon", 1, maxActionID)
		c.text(pointer, e, "text", plainText, maxButton, true)
		c.str(pointer, e, "value", 0, maxValue)
	case "feedback_buttons":
		c.props(pointer, e, "type", "action_id", "positive_button", "negative_button")
		for _, key := range []string{"positive_button", "negative_button"} {
			b, ok := c.object(pointer+"/"+key, e[key])
			if !ok {
				continue
			}
			c.props(pointer+"/"+key, b, "text", "value", "accessibility_label")
			c.text(pointer+"/"+key, b, "text", plainText, maxButton, true)
			c.need(pointer+"/"+key, b, "value", 1, maxValue)
			c.str(pointer+"/"+key, b, "accessibility_label", 0, maxButton)
		}
	}
}

func (c *checker) typed(kind, pointer string, e obj) {
	c.placeholder(pointer, e)
	common := []string{"type", "action_id", "placeholder", "initial_value", "dispatch_action_config", "focus_on_load"}
	switch kind {
	case "plain_text_input":
		c.props(pointer, e, append(common, "multiline", "min_length", "max_length")...)
		c.boolean(pointer, e, "multiline")
		least := c.integer(pointer, e, "min_length", 0, 3000, 0)
		most := c.integer(pointer, e, "max_length", 1, 3000, 3000)
		if least > most {
			c.bad(pointer+"/min_length", "must be less than or equal to max_length")
		}
		c.str(pointer, e, "initial_value", 0, most)
	case "number_input":
		c.props(pointer, e, append(common, "is_decimal_allowed", "min_value", "max_value")...)
		if _, ok := e["is_decimal_allowed"].(bool); !ok {
			c.bad(pointer, "missing required field: is_decimal_allowed")
		}
	case "rich_text_input":
		c.props(pointer, e, append(common, "min_lines", "max_lines")...)
	case "file_input":
		c.props(pointer, e, "type", "action_id", "filetypes", "max_files")
		c.integer(pointer, e, "max_files", 1, 10, 10)
	default:
		c.props(pointer, e, common...)
	}
}

func (c *checker) menu(kind, pointer string, e obj) {
	multi := strings.HasPrefix(kind, "multi_")
	base := strings.TrimPrefix(kind, "multi_")
	allowed := []string{"type", "action_id", "placeholder", "confirm", "focus_on_load"}
	if multi {
		allowed = append(allowed, "max_selected_items")
		c.integer(pointer, e, "max_selected_items", 1, maxOptions, 1)
	} else {
		allowed = append(allowed, "response_url_enabled")
	}
	c.placeholder(pointer, e)
	switch base {
	case "static_select":
		c.props(pointer, e, append(allowed, "options", "option_groups", "initial_option", "initial_options")...)
		c.choices(pointer, e)
	case "external_select":
		c.props(pointer, e, append(allowed, "min_query_length", "initial_option", "initial_options")...)
	case "users_select":
		c.props(pointer, e, append(allowed, "initial_user", "initial_users")...)
	case "channels_select":
		c.props(pointer, e, append(allowed, "initial_channel", "initial_channels")...)
	case "conversations_select":
		c.props(pointer, e, append(allowed, "initial_conversation", "initial_conversations", "default_to_current_conversation", "filter")...)
	}
	c.initial(pointer, e, plainText)
}

// choices checks that a static menu has options or option groups, and not both.
func (c *checker) choices(pointer string, e obj) {
	switch {
	case e["options"] != nil && e["option_groups"] != nil:
		c.bad(pointer, "must define either `options` or `option_groups`, not both")
	case e["options"] == nil && e["option_groups"] == nil:
		c.bad(pointer, "must define either `options` or `option_groups`")
	case e["options"] != nil:
		c.options(pointer, e, plainText, maxOptions, false)
	default:
		for i, v := range c.list(pointer, e, "option_groups", 1, maxOptions) {
			at := fmt.Sprintf("%s/option_groups/%d", pointer, i)
			g, ok := c.object(at, v)
			if !ok {
				continue
			}
			c.props(at, g, "label", "options")
			c.text(at, g, "label", plainText, maxOption, true)
			c.options(at, g, plainText, maxOptions, false)
		}
	}
}

func (c *checker) options(pointer string, e obj, kind string, most int, overflow bool) {
	for i, v := range c.list(pointer, e, "options", 1, most) {
		c.option(fmt.Sprintf("%s/options/%d", pointer, i), v, kind, overflow)
	}
}

func (c *checker) option(pointer string, v any, kind string, overflow bool) {
	o, ok := c.object(pointer, v)
	if !ok {
		return
	}
	allowed := []string{"text", "value", "description"}
	if overflow {
		allowed = append(allowed, "url")
		c.str(pointer, o, "url", 0, maxURL)
	}
	c.props(pointer, o, allowed...)
	c.text(pointer, o, "text", kind, maxOption, true)
	c.text(pointer, o, "description", anyText, maxOption, false)
	c.need(pointer, o, "value", 1, maxOption)
}

// initial checks initial_option and initial_options, which must be among the options offered.
func (c *checker) initial(pointer string, e obj, kind string) {
	offered := optionValues(e)
	one := func(at string, v any) {
		c.option(at, v, kind, false)
		o, ok := v.(obj)
		if ok && offered != nil && !slices.Contains(offered, fmt.Sprint(o["value"])) {
			c.bad(at, "must be one of the options")
		}
	}
	if e["initial_option"] != nil {
		one(pointer+"/initial_option", e["initial_option"])
	}
	if e["initial_options"] != nil {
		for i, v := range c.list(pointer, e, "initial_options", 1, maxOptions) {
			one(fmt.Sprintf("%s/initial_options/%d", pointer, i), v)
		}
	}
}

func (c *checker) placeholder(pointer string, e obj) {
	c.text(pointer, e, "placeholder", plainText, maxPlaceholder, false)
}

func (c *checker) confirm(pointer string, v any) {
	o, ok := c.object(pointer, v)
	if !ok {
		return
	}
	c.props(pointer, o, "title", "text", "confirm", "deny", "style")
	c.text(pointer, o, "title", plainText, 100, true)
	c.text(pointer, o, "text", anyText, 300, true)
	c.text(pointer, o, "confirm", plainText, 30, true)
	c.text(pointer, o, "deny", plainText, 30, true)
	c.enum(pointer, o, "style", "primary", "danger")
}
