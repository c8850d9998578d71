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
	who := outside(l.Actor.Kind+" "+l.Actor.ID, 60).mrkdwn()
	if l.Actor.Kind == audit.KindUser {
		who = user(l.Actor.ID)
	}
	s := v.say("audit.line", arg{
		"Seq": l.Seq, "When": v.when(l.At), "Who": who, "Action": "`" + outside(string(l.Action), 60).mrkdwn() + "`",
		"Outcome": v.say("outcome." + string(l.Outcome)),
	})
	if l.Reason != "" {
		s += " " + quote(cut(l.Reason, 80))
	}
	return s
}
