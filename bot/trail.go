package bot

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// trail shows audit records, newest first.
func trail(v voice, leaves []audit.Leaf) message {
	if len(leaves) == 0 {
		return newMessage(v, []slack.Block{para(v.say("audit.none"))})
	}
	var lines []string
	for _, l := range firsts(leaves, 40) {
		lines = append(lines, trailLine(v, l))
	}
	blocks := []slack.Block{heading(v.say("audit.title"))}
	shown := 0
	for _, p := range firsts(chunk(lines, 1500), 2) {
		blocks = append(blocks, para(p))
		shown += strings.Count(p, "\n") + 1
	}
	if shown < len(leaves) {
		blocks = append(blocks, small(v.say("audit.older")))
	}
	return newMessage(v, append(blocks, small(v.say("audit.verify"))))
}

func trailLine(v voice, l audit.Leaf) string {
	s := v.say("audit.line", arg{
		"Seq": l.Seq, "When": v.when(l.At), "Who": actor(v, l.Actor), "What": known(v, "action.", string(l.Action)),
	})
	if l.Outcome != audit.OutcomeDone { // what was done, or was seen to be so, needs no more words
		s += v.say("list.separator") + known(v, "outcome.", string(l.Outcome))
	}
	switch {
	case l.Reason == "":
		return s
	case l.Outcome == audit.OutcomeRefused:
		return s + " (" + denied(v, l.Reason) + ")"
	default:
		return s + " " + quote(cut(l.Reason, 80))
	}
}

func actor(v voice, a audit.Actor) string {
	if a.Kind == audit.KindUser {
		return user(a.ID)
	}
	return known(v, "actor.", a.Kind)
}

// denied is the reason of a refusal, which the log keeps as the word of a gate or of a refusal.
func denied(v voice, code string) string {
	if id := "gate." + code; v.has(id) && !v.has("denied."+code) {
		return strings.TrimSuffix(v.say(id), v.say("full_stop"))
	}
	return known(v, "denied.", code)
}

// known says a word of the log in the reader's language. A word of a later version is shown as it is kept.
func known(v voice, prefix, word string) string {
	if id := prefix + word; v.has(id) {
		return v.say(id)
	}
	return "`" + outside(word, 60).mrkdwn() + "`"
}
