package bot

import (
	"cmp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// title names a control.
func title(v voice, c posture.Control) string {
	if id := "control." + string(c); v.has(id) {
		return v.say(id)
	}
	return outside(string(c), 40).mrkdwn()
}

// findingBlocks say what fails besides the keys that have blocks of their own, what could not be checked, and what people
// chose not to hear of.
func findingBlocks(v voice, a commands.AccountView) []slack.Block {
	failed, gaps := sortFindings(a.Look.Findings, a.Mutes)
	failed = slices.DeleteFunc(failed, func(f posture.Finding) bool { return f.Control == posture.RootAccessKey && len(a.Keys) > 0 })
	acc := a.Look.Evidence.Account
	var blocks []slack.Block
	for part := range slices.Chunk(failed, maxOverflow) {
		var lines []string
		var mutes []*slack.OptionBlockObject
		for _, f := range part {
			lines = append(lines, "*"+title(v, f.Control)+"* · "+severity(v, f.Severity)+" · "+sentence(v, f))
			what := plain(v.say("menu.mute", arg{"Control": title(v, f.Control)}), maxButtonText)
			mutes = append(mutes, slack.NewOptionBlockObject(place{acc.Source, acc.ID, string(f.Control)}.value(), what, nil))
		}
		blocks = append(blocks, paraWith(strings.Join(lines, "\n"), menu(actMute, mutes...)))
	}
	if len(failed) == 0 && len(gaps) == 0 && len(a.Keys) == 0 && len(a.Look.Findings) > 0 {
		id := "card.fine"
		if noAccess(a.Look.Findings) {
			id = "card.no_access"
		}
		blocks = append(blocks, para(v.say(id)))
	}
	if s := gapLines(v, gaps); s != "" {
		blocks = append(blocks, small(s))
	}
	if s := lastKnown(v, a.Look.LastKnown()); s != "" {
		blocks = append(blocks, small(s))
	}
	for _, m := range firsts(a.Mutes, 5) {
		about := v.say("about.unmute", arg{"Control": title(v, m.Control)})
		unmute := button(actUnmute+":"+string(m.Control), place{acc.Source, acc.ID, string(m.Control)}.value(), v.say("button.unmute"), about)
		blocks = append(blocks, paraWith(muted(v, m), unmute))
	}
	return blocks
}

func muted(v voice, m commands.Mute) string {
	return v.say("card.muted", arg{"Control": title(v, m.Control), "By": user(m.By), "Until": v.when(m.Until), "Reason": quote(m.Reason)})
}

func severity(v voice, s posture.Severity) string {
	if id := "severity." + string(s); v.has(id) {
		return v.say(id)
	}
	return outside(string(s), 20).mrkdwn()
}

// gapLines gathers what could not be checked by its cause, with the fix said once.
func gapLines(v voice, gaps []posture.Finding) string {
	var reasons []posture.Reason
	by := map[posture.Reason][]string{}
	for _, f := range gaps {
		r := posture.ReasonUnknown
		if f.Gap != nil {
			r = f.Gap.Reason
		}
		if _, ok := by[r]; !ok {
			reasons = append(reasons, r)
		}
		by[r] = append(by[r], title(v, f.Control))
	}
	var lines []string
	for _, r := range reasons {
		s := v.say("card.gap", arg{"What": v.list(by[r]), "Why": gapPhrase(v, r)})
		if fix := gapFix(v, r); fix != "" {
			s += " " + fix
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

// ownerBlocks say who can sign in as the root user, how that is known, and how far they got.
func ownerBlocks(v voice, a commands.AccountView) []slack.Block {
	if !needsOwner(a) {
		return nil
	}
	acc := a.Look.Evidence.Account
	value := place{acc.Source, acc.ID, ""}.value()
	name := outside(acc.Label(), 30).plain()
	tell := button(actTell, value, v.say("button.tell_owner"), v.say("about.tell_owner", arg{"Account": name}))
	claim := button(actClaim, value, v.say("button.claim"), v.say("about.claim", arg{"Account": name}))
	assign := button(actAssign, value, v.say("button.assign"), v.say("about.assign", arg{"Account": name}))

	o := a.Owner
	var buttons []*slack.ButtonBlockElement
	var lines []string
	if o.Claim != "" {
		lines = append(lines, v.say("owner.claimed", arg{"Who": user(o.Claim), "By": user(cmp.Or(o.ClaimBy, o.Claim))}))
		buttons = append(buttons, button(actOwnerYes, place{acc.Source, acc.ID, o.Claim}.value(), v.say("button.owner_yes"),
			v.say("about.owner_yes", arg{"Account": name})))
	}
	switch {
	case o.User != "":
		lines = append(lines, v.say("owner.known", arg{"Who": v.name(o.User), "How": v.say("how." + string(o.How))})+" "+ownerStage(v, a))
		if missingMFA(a) && !a.Block.Attached {
			buttons = append(buttons, tell)
		}
		buttons = append(buttons, assign)
	case o.Claim == "":
		lines = append(lines, v.say("owner.nobody"))
		buttons = append(buttons, claim, assign)
	}
	if missingMFA(a) && a.Block.Attached {
		lines = append(lines, v.say("owner.blocked"))
	}
	blocks := []slack.Block{small(lines...)}
	if len(buttons) > 0 {
		blocks = append(blocks, row(buttons...))
	}
	return blocks
}

func ownerStage(v voice, a commands.AccountView) string {
	o := a.Owner
	id := "stage." + string(o.Stage)
	if o.Stage == commands.OwnerUntold {
		id = "stage.untold"
	}
	said := v.say(id, arg{"When": v.when(o.ToldAt), "Count": o.Told})
	if gap := a.Look.Unread(posture.RootMFA); gap != nil && waiting(o) {
		unread := v.say("stage.unread", arg{"Why": gapPhrase(v, gap.Reason)})
		if o.Stage == commands.OwnerAnswered { // that AWS does not show it would be too much said
			return unread
		}
		said += " " + unread
	}
	return said
}

// waiting reports whether an owner was written to and has not finished.
func waiting(o commands.Owner) bool {
	return o.Stage == commands.OwnerTold || o.Stage == commands.OwnerAnswered
}

// needsOwner reports whether anything on the card is for the owner: a missing device, one that was missing when that could last
// be read, or a step in the console.
func needsOwner(a commands.AccountView) bool {
	for _, k := range a.Keys {
		if k.Deactivate == "guided" || k.Delete == "guided" {
			return true
		}
	}
	return missingMFA(a) || a.Owner.Claim != "" || waiting(a.Owner) && a.Look.Unread(posture.RootMFA) != nil
}

func missingMFA(a commands.AccountView) bool {
	return slices.ContainsFunc(a.Look.Findings, func(f posture.Finding) bool {
		return f.Status == posture.Failed && (f.Control == posture.RootMFA || f.Control == posture.RootHardwareMFA || f.Control == posture.RootBackupMFA)
	})
}
