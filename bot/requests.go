package bot

import (
	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/remediation"
)

// requests lists what is open, or everything, newest first.
func requests(v voice, all []remediation.Request, everything bool) message {
	if len(all) == 0 {
		id := "requests.none"
		if everything {
			id = "requests.none_all"
		}
		return newMessage(v, []slack.Block{para(v.say(id))})
	}
	id := "requests.title"
	if everything {
		id = "requests.title_all"
	}
	blocks := []slack.Block{heading(v.say(id, arg{"Count": len(all)}))}
	for _, r := range firsts(all, listRows) {
		about := v.say("about.show", arg{"Account": string(r.Account)})
		open := button(actShow, place{r.Source, r.Account, ""}.value(), v.say("button.show"), about)
		blocks = append(blocks, paraWith(v.say("requests.line", requestArgs(v, r)), open))
	}
	if n := len(all) - listRows; n > 0 {
		blocks = append(blocks, small(v.say("requests.more", arg{"Count": n})))
	}
	return newMessage(v, blocks)
}
