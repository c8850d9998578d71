package slacksim

import (
	"regexp"
	"slices"
	"strings"
)

// pingsOf returns who would be notified by a message, such as "<!channel>" or "<@U…>", sorted
// and without repeats. The top-level text and mrkdwn text notify; plain_text never does; rich text
// notifies by its own elements.
func pingsOf(text string, blocks []obj) []string {
	var out []string
	add := func(who string) {
		if who != "" && !slices.Contains(out, who) {
			out = append(out, who)
		}
	}
	scan(text, add)
	for _, b := range blocks {
		walkPings(b, add)
	}
	slices.Sort(out)
	return out
}

func scan(text string, add func(string)) {
	for _, m := range mentions.FindAllStringSubmatch(text, -1) {
		who, _, _ := strings.Cut(m[1], "|")
		add("<" + who + ">")
	}
}

var mentions = regexp.MustCompile(`<((?:@[UW][A-Z0-9]+|!channel|!here|!everyone|!subteam\^[A-Z0-9]+)(?:\|[^>]*)?)>`)

func walkPings(v any, add func(string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			walkPings(e, add)
		}
	case obj:
		switch v["type"] {
		case mrkdwn, "markdown":
			if s, ok := v["text"].(string); ok {
				scan(s, add)
			}
			return
		case plainText:
			return
		case "user":
			add(mention("@", v["user_id"]))
		case "usergroup":
			add(mention("!subteam^", v["usergroup_id"]))
		case "broadcast":
			add(mention("!", v["range"]))
		}
		for _, e := range v {
			walkPings(e, add)
		}
	}
}

func mention(sigil string, id any) string {
	s, ok := id.(string)
	if !ok {
		return ""
	}
	return "<" + sigil + s + ">"
}
