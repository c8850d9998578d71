package bot

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// keys lists the accounts that have root keys, key by key.
func keys(v voice, all []commands.AccountView) message {
	return fitted(func(names int) message { return keysWith(v, all, names) })
}

func keysWith(v voice, all []commands.AccountView, names int) message {
	if len(all) == 0 {
		return newMessage(v, []slack.Block{para(v.say("keys.none"))})
	}
	blocks := []slack.Block{heading(v.say("keys.title", arg{"Count": len(all)}))}
	for _, a := range firsts(all, keyRows) {
		acc := a.Look.Evidence.Account
		lines := []string{"*" + outside(acc.Label(), names).mrkdwn() + "* " + accountName(acc.ID)}
		for _, k := range a.Keys {
			lines = append(lines, v.say("keys.line", arg{
				"Key": "`" + keyShort(v, k.Key) + "`", "Status": keyFacts(v, a, k)[1], "Created": v.day(k.Key.Created), "Used": usedLine(v, k.Key),
			}))
			if k.Open != nil {
				lines = append(lines, v.say(stateTitle(*k.Open)))
			}
		}
		about := v.say("about.show", arg{"Account": outside(acc.Label(), 40).plain()})
		blocks = append(blocks, paraWith(strings.Join(lines, "\n"), button(actShow, place{acc.Source, acc.ID, ""}.value(), v.say("button.show"), about)))
	}
	if n := len(all) - keyRows; n > 0 {
		blocks = append(blocks, small(v.say("keys.more", arg{"Count": n})))
	}
	return newMessage(v, blocks)
}

func keyShort(v voice, k posture.Key) string {
	if k.ID == "" {
		return v.say("keys.no_id")
	}
	return k.ID.Mask()
}

func usedLine(v voice, k posture.Key) string {
	if k.LastUsed.IsZero() {
		return v.say("keys.never")
	}
	return v.say("keys.used", arg{"Used": lastUse(v, k)})
}
