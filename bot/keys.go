package bot

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// keys lists the accounts that have root keys, key by key, and after them those that had one when they could last be read.
func keys(v voice, l commands.KeyList) message {
	return fitted(func(names int) message { return keysWith(v, l, names) })
}

func keysWith(v voice, l commands.KeyList, names int) message {
	now := len(l.Accounts) - l.Unread
	var blocks []slack.Block
	switch {
	case len(l.Accounts) == 1 && l.Coverage.Listed == 0 && len(l.Accounts[0].Keys) == 0: // the one that was asked for says it
	case now > 0:
		blocks = append(blocks, heading(v.say("keys.title", arg{"Count": now})))
	default:
		blocks = append(blocks, para(v.say("keys.none")))
	}
	for i, a := range firsts(l.Accounts, keyRows) {
		if i == now && l.Coverage.Listed > 0 {
			blocks = append(blocks, para("*"+v.say("keys.unread", arg{"Count": l.Unread})+"*"))
		}
		blocks = append(blocks, keyAccount(v, a, names))
	}
	if l.Unread > 0 && now >= keyRows { // there was no room for any of them
		blocks = append(blocks, para("*"+v.say("keys.unread", arg{"Count": l.Unread})+"*"))
	}
	if n := len(l.Accounts) - keyRows; n > 0 {
		blocks = append(blocks, small(v.say("keys.more", arg{"Count": n})))
	}
	if c := l.Coverage; c.Listed > 0 {
		blocks = append(blocks, small(v.say("list.title", arg{"Scanned": c.Scanned, "Listed": c.Listed}), v.say("digest.checked", arg{"When": v.when(c.Run.Finished)})))
	}
	return newMessage(v, blocks)
}

// keyAccount is an account with its keys, one a line. What cannot be read now stands behind its age and the reason.
func keyAccount(v voice, a commands.AccountView, names int) slack.Block {
	acc := a.Look.Evidence.Account
	lines := []string{"*" + outside(acc.Label(), names).mrkdwn() + "* " + accountName(acc.ID)}
	if s := asOf(v, a.Look, posture.RootAccessKey); s != "" {
		lines = append(lines, s)
	} else if len(a.Keys) == 0 {
		for _, f := range a.Look.Findings {
			if f.Control == posture.RootAccessKey {
				lines = append(lines, sentence(v, f))
			}
		}
	}
	for _, k := range a.Keys {
		lines = append(lines, v.say("keys.line", arg{
			"Key": "`" + keyShort(v, k.Key) + "`", "Status": keyFacts(v, a, k)[1], "Created": v.day(k.Key.Created), "Used": usedLine(v, k.Key),
		}))
		if k.Open != nil {
			lines = append(lines, v.say(stateTitle(*k.Open)))
		}
	}
	if s := ownUse(v, a); s != "" {
		lines = append(lines, s)
	}
	about := v.say("about.show", arg{"Account": outside(acc.Label(), 40).plain()})
	return paraWith(strings.Join(lines, "\n"), button(actShow, place{acc.Source, acc.ID, ""}.value(), v.say("button.show"), about))
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
