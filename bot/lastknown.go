package bot

import (
	"strings"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// lastKnown says what was so when it could last be read, and how long ago that was. It is drawn beside a gap and in small
// type: nothing of it counts as checked.
func lastKnown(v voice, before []posture.Finding) string {
	var ages, lines []string
	by := map[string][]string{}
	for _, f := range before {
		age := v.ago(f.At)
		if _, ok := by[age]; !ok {
			ages = append(ages, age)
		}
		by[age] = append(by[age], sentence(v, f))
	}
	for _, age := range ages {
		lines = append(lines, v.say("gap.before", arg{"Ago": age, "What": strings.Join(by[age], " ")}))
	}
	return strings.Join(lines, "\n")
}

// asOf says why a control cannot be judged now, and what was so when it last could be. It is empty where it can be judged.
func asOf(v voice, l commands.Look, c posture.Control) string {
	gap := l.Unread(c)
	if gap == nil {
		return ""
	}
	last, known := l.Before[c]
	if !known {
		return v.say("gap.never", arg{"What": title(v, c), "Why": gapPhrase(v, gap.Reason)})
	}
	return v.say("gap.as_of", arg{"Ago": v.ago(last.At), "Why": gapPhrase(v, gap.Reason), "What": sentence(v, last)})
}
