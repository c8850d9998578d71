package bot

import (
	"strings"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// searched is what somebody typed, with the words by which lists and digests say that a control fails put as a search
// understands them: "no MFA prod" becomes "root-mfa failed prod". Whole says that nothing but such words was typed.
func searched(typed string, voices ...voice) (query string, whole bool) {
	query = " " + strings.Join(strings.Fields(typed), " ") + " "
	found := false
	for _, v := range voices {
		for _, c := range posture.Controls() {
			id := "fails." + string(c.Slug)
			if c.OrganizationWide || !v.has(id) {
				continue
			}
			phrase := " " + v.say(id) + " "
			for i := 0; i+len(phrase) <= len(query); i++ {
				if strings.EqualFold(query[i:i+len(phrase)], phrase) {
					whole = len(query) == len(phrase)
					query = query[:i] + " " + string(c.Slug) + " failed " + query[i+len(phrase):]
					found = true
				}
			}
		}
	}
	if !found {
		return typed, false
	}
	return strings.TrimSpace(query), whole
}
