package slacksim

// Limits of a view (https://docs.slack.dev/surfaces/modals).
const (
	maxViewTitle       = 24
	maxPrivateMetadata = 3000
	maxViewBytes       = 250 * 1024
	maxStack           = 3
)

// validateView returns every reason why Slack would refuse v as a view of the given type.
// Pointers begin with pointer, "/view" in a Web API call.
func validateView(surface Surface, pointer string, v obj) []Problem {
	c := &checker{surface: surface}
	kind, ok := v["type"].(string)
	switch {
	case !ok:
		c.bad(pointer, "missing required field: type")
	case kind != string(surface):
		c.bad(pointer+"/type", "unsupported type: %s", kind)
	}
	c.props(pointer, v, "type", "title", "blocks", "close", "submit", "private_metadata", "callback_id",
		"clear_on_close", "notify_on_close", "external_id")
	if surface == SurfaceModal {
		c.text(pointer, v, "title", plainText, maxViewTitle, true)
		c.text(pointer, v, "submit", plainText, maxViewTitle, false)
		c.text(pointer, v, "close", plainText, maxViewTitle, false)
		c.boolean(pointer, v, "clear_on_close", "notify_on_close")
	}
	c.str(pointer, v, "private_metadata", 0, maxPrivateMetadata)
	c.str(pointer, v, "callback_id", 0, maxActionID)
	c.str(pointer, v, "external_id", 0, maxActionID)
	list, ok := v["blocks"].([]any)
	if !ok {
		c.bad(pointer, "missing required field: blocks")
		return c.problems
	}
	problems := append(c.problems, validateBlocks(surface, pointer+"/blocks", list)...)
	if surface == SurfaceModal && v["submit"] == nil && hasInput(list) {
		problems = append(problems, Problem{Pointer: pointer, Message: "missing required field: submit"})
	}
	return problems
}

func hasInput(blocks []any) bool {
	for _, b := range blocks {
		if o, ok := b.(obj); ok && o["type"] == "input" {
			return true
		}
	}
	return false
}

// problemMessages returns problems as Slack lists them, with or without the "[ERROR] " in front.
func problemMessages(problems []Problem, prefix bool) []string {
	out := make([]string, len(problems))
	for i, p := range problems {
		out[i] = p.detail()
		if prefix {
			out[i] = p.String()
		}
	}
	return out
}
