package bot

import (
	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// home draws the Home tab: what waits for this person, then the posture.
func home(v voice, l commands.List, waiting []remediation.Request) slack.HomeTabViewRequest {
	var blocks []slack.Block
	if len(waiting) > 0 {
		blocks = append(blocks, heading(v.say("home.waiting", arg{"Count": len(waiting)})))
		for _, r := range firsts(waiting, 10) {
			blocks = append(blocks, para(v.say("home.line", requestArgs(v, r))))
			if b := stepButtons(v, r); len(b) > 0 {
				blocks = append(blocks, row(b...))
			}
		}
		blocks = append(blocks, line())
	}
	blocks = append(blocks, list(v, l).Blocks...)
	blocks = append(blocks, line(),
		row(button(actHome, "home", v.say("button.refresh"), ""), button(actGuide, "guide", v.say("button.guide"), "")),
		small(v.say("home.help")))
	return homeTab(blocks)
}

func homeTab(blocks []slack.Block) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: firsts(blocks, maxViewBlocks)}}
}
