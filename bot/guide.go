package bot

import (
	"strings"

	"github.com/slack-go/slack"
)

// topics are the root user's tasks that the guide tells of, in the order of a beginner's questions.
var topics = []string{ //nolint:gochecknoglobals // a constant list
	"root", "mfa", "admin", "create", "keys", "lost", "password", "sign-in", "protect", "handover", "close",
}

// guide shows one topic, or the list of topics for a word that names none.
func guide(v voice, topic string) message {
	if topic == "" || !v.has("guide."+topic+".text") {
		blocks := []slack.Block{heading(v.say("guide.title")), para(v.say("guide.intro"))}
		if near := nearest(topic, topics); topic != "" {
			blocks = append(blocks, para(v.say("guide.unknown", arg{"Topic": outside(topic, 40), "Nearest": near})))
		}
		var buttons []*slack.ButtonBlockElement
		for _, t := range topics {
			buttons = append(buttons, button(actGuide+":"+t, t, v.say("guide."+t+".title"), v.say("guide."+t+".title")))
		}
		return newMessage(v, append(blocks, row(buttons...)))
	}
	url := v.say("guide." + topic + ".docs")
	return newMessage(v, []slack.Block{
		heading(v.say("guide." + topic + ".title")), para(v.say("guide." + topic + ".text")),
		row(link("docs", v.say("link.docs"), url), button(actGuide+":all", "all", v.say("button.topics"), "")),
	})
}

// words of /rootcheck, for help and for the nearest match.
var subcommands = []string{ //nolint:gochecknoglobals // a constant list
	"keys", "mfa", "guide", "digest", "status", "help", "check", "pause", "resume", "requests", "audit",
}

func help(v voice) message {
	var lines []string
	for _, s := range append([]string{"alone", "account"}, subcommands...) {
		lines = append(lines, v.say("help."+s))
	}
	return newMessage(v, []slack.Block{
		heading(v.say("help.title")), para(strings.Join(lines, "\n")), small(v.say("help.share")),
	})
}

// nearest is the word that is fewest edits away, or "" where none is near.
func nearest(word string, among []string) string {
	best, least := "", 3
	for _, w := range among {
		if d := edits(strings.ToLower(cut(word, 40)), w); d < least {
			best, least = w, d
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours between two words.
func edits(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last := make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		next := make([]int, len(t)+1)
		next[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			next[j+1] = min(last[j+1]+1, next[j]+1, last[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, last = last, next
	}
	return last[len(t)]
}
