package bot

import (
	"strings"

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
