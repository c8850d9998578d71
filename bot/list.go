package bot

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// listRows and keyRows are how many accounts one answer shows with a button each. Pages are the verbs' to cut; this only bounds what
// Slack takes.
const (
	listRows = 15
	keyRows  = 8 // with two keys each
)

// list answers /rootcheck with or without words: coverage, then the worst accounts first, with pages.
func list(v voice, l commands.List) message {
	return fitted(func(names int) message { return listWith(v, l, names) })
}

// fitted draws with shorter and shorter names until the top-level text holds everything.
func fitted(draw func(names int) message) message {
	m := draw(shortName)
	for _, n := range []int{24, 12, 6} {
		if utf8.RuneCountInString(spoken(m.Blocks)) <= maxText {
			break
		}
		m = draw(n)
	}
	return m
}

func listWith(v voice, l commands.List, names int) message {
	if l.First {
		return newMessage(v, append([]slack.Block{para(v.say("list.first"))}, running(v, l.Running)...))
	}
	blocks := []slack.Block{heading(v.say("list.title", arg{"Scanned": l.Coverage.Scanned, "Listed": l.Coverage.Listed}))}
	if l.Query != "" {
		blocks = append(blocks, para(v.say("list.query", arg{"Query": outside(l.Query, 80), "Count": l.Total})))
	} else {
		blocks = append(blocks, countBlocks(v, l.Counts)...)
	}
	if s := whyNot(v, l.Coverage, names); s != "" {
		blocks = append(blocks, small(s))
	}
	for _, r := range firsts(l.Rows, listRows) {
		blocks = append(blocks, rowBlock(v, r, names))
	}
	if l.Total == 0 && l.Query != "" && l.Nearest != "" {
		blocks = append(blocks, para(v.say("list.nearest", arg{"Nearest": outside(l.Nearest, 80)})))
	}
	if l.Pages > 1 {
		blocks = append(blocks, small(v.say("list.page", arg{"Page": l.Page + 1, "Pages": l.Pages})), row(pager(v, l)...))
	}
	if run := l.Coverage.Run; !run.Finished.IsZero() {
		blocks = append(blocks, small(v.say("digest.checked", arg{"When": v.when(run.Finished)})))
	}
	return newMessage(v, append(blocks, running(v, l.Running)...))
}

func running(v voice, r *commands.Run) []slack.Block {
	if r == nil {
		return nil
	}
	said := v.say("list.running", runArgs(v, *r))
	if r.Again > 0 {
		said += " " + v.say("list.running_again", arg{"Count": r.Again})
	}
	if !r.Ends.IsZero() {
		said += " " + v.say("list.running_ends", arg{"When": v.when(r.Ends)})
	}
	return []slack.Block{small(said)}
}

// runArgs say how far a check is.
func runArgs(v voice, r commands.Run) arg {
	done, of := r.Progress()
	return arg{"Scanned": done, "Listed": of, "When": v.when(r.Started)}
}

func pager(v voice, l commands.List) []*slack.ButtonBlockElement {
	value := func(p int) string {
		return itoa(p) + "|" + base64.RawURLEncoding.EncodeToString([]byte(cut(l.Query, maxQuery)))
	}
	var buttons []*slack.ButtonBlockElement
	if l.Page > 0 {
		buttons = append(buttons, button(actPage+":back", value(l.Page-1), v.say("button.back"), v.say("about.back")))
	}
	if l.Page+1 < l.Pages {
		buttons = append(buttons, button(actPage+":next", value(l.Page+1), v.say("button.next"), v.say("about.next")))
	}
	return buttons
}
