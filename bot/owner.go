package bot

import (
	"cmp"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file draws what the owner of an account is sent. The rules are:
//   - One step at a time; each message can be answered, put off, or refused.
//   - Never a password, a QR code, a secret or an MFA code: neither asked for nor shown.
//   - Where the account can do without root credentials, that is said first.
//   - Nobody is sent to the channel, which an owner may not be able to open.

// The devices that an owner can choose.
var devices = []string{"passkey", "virtual", "hardware"} //nolint:gochecknoglobals // a constant list

// mfaDM draws the owner's message about MFA, at the step that they are at.
func mfaDM(v voice, a commands.AccountView) message {
	o := a.Owner
	team := arg{"Who": v.say("dm.who.team")}
	acc := a.Look.Evidence.Account
	value := place{acc.Source, acc.ID, ""}.value()
	name := outside(acc.Label(), nameLength)
	blocks := []slack.Block{
		heading(v.say("dm.title", arg{"Account": outside(acc.Label(), nameLength).plain()})),
		small("`"+string(acc.ID)+"`", v.say("dm.how."+cmp.Or(string(o.How), "claim"))),
	}
	switch {
	case o.Stage == commands.OwnerFinished:
		return newMessage(v, append(blocks, para(v.say("dm.finished", arg{"When": v.when(o.DoneAt)}))))
	case o.Stage == commands.OwnerGaveUp:
		return newMessage(v, append(blocks, para(v.say("dm.not_mine"))))
	case a.Block.Attached:
		return newMessage(v, append(blocks, para(v.say("dm.blocked", team)), row(later(v, value)...)))
	}
	if o.Device == "" { // whoever has chosen a device has read why
		blocks = append(blocks, para(v.say("dm.why", arg{"Account": name, "Lack": lack(v, a.Look)})))
		if centralizedMember(a.Look.Evidence) {
			blocks = append(blocks, para(v.say("dm.better", team)))
		}
	}
	if o.Stage == commands.OwnerAnswered {
		said := v.say("dm.not_yet")
		if gap := a.Look.Unread(posture.RootMFA); gap != nil {
			said = v.say("dm.not_read", arg{"Why": gapPhrase(v, gap.Reason)})
		}
		blocks = append(blocks, para(said))
	}
	blocks = append(blocks, wizard(v, a, value)...)
	return newMessage(v, append(blocks, small(v.say("dm.promise", team))))
}

// aged is how old a reading may be that an owner is told of without its age.
const aged = 24 * time.Hour

// lack says what the account's MFA lacks, worst first. What cannot be read now, or was not for long, is said with its age:
// the owner may have mended it since.
func lack(v voice, l commands.Look) string {
	if gap := l.Unread(posture.RootMFA); gap != nil {
		last, known := l.Before[posture.RootMFA]
		if !known {
			return v.say("dm.lack.unknown", arg{"Why": gapPhrase(v, gap.Reason)})
		}
		return v.say("dm.lack.unread", arg{"Ago": v.ago(last.At), "What": sentence(v, last), "Why": gapPhrase(v, gap.Reason)})
	}
	failed, _ := sortFindings(l.Findings, nil)
	for _, f := range failed {
		if f.Control != posture.RootMFA && f.Control != posture.RootHardwareMFA && f.Control != posture.RootBackupMFA {
			continue
		}
		said := v.say("dm.lack." + string(f.Control))
		if v.now.Sub(f.At) > aged {
			said += " " + v.say("dm.lack.as_of", arg{"Ago": v.ago(f.At)})
		}
		return said
	}
	return v.say("dm.lack.none")
}

// wizard is the part of the message that changes as the owner chooses.
func wizard(v voice, a commands.AccountView, value string) []slack.Block {
	o := a.Owner
	switch {
	case o.Device == "":
		blocks := []slack.Block{para(v.say("dm.device"))}
		return append(blocks, row(deviceButtons(v, a, "")...), row(later(v, value)...))
	case o.Device == "virtual" && o.System == "":
		var buttons []*slack.ButtonBlockElement
		for _, s := range []string{"ios", "android"} {
			buttons = append(buttons, button(actSystem+":"+s, value+s, v.say("system."+s), v.say("about.system", arg{"System": v.say("system." + s)})))
		}
		return []slack.Block{para(v.say("dm.system")), row(append(buttons, deviceButtons(v, a, "virtual")...)...), row(later(v, value)...)}
	}
	done := primary(button(actMFADone, value, v.say("button.mfa_done"), v.say("about.mfa_done")))
	blocks := []slack.Block{para(steps(v, a)), row(links(v, a)...), para(v.say("dm.second"))}
	blocks = append(blocks, row(append([]*slack.ButtonBlockElement{done}, later(v, value)...)...))
	return append(blocks, small(v.say("dm.other")), row(deviceButtons(v, a, o.Device)...))
}

// steps are those of the console for the chosen device, numbered.
func steps(v voice, a commands.AccountView) string {
	acc := a.Look.Evidence.Account
	sign := v.say("steps.sign_in")
	if acc.Email != "" {
		sign = v.say("steps.sign_in_email", arg{"Email": outside(acc.Email, 120)})
	}
	lines := []string{sign, v.say("steps.credentials"), v.say("steps.assign")}
	device := a.Owner.Device
	if device == "virtual" {
		lines = append([]string{v.say("steps.install." + cmp.Or(a.Owner.System, "any"))}, lines...)
	}
	for i := 1; v.has("steps." + device + "." + itoa(i)); i++ {
		lines = append(lines, v.say("steps."+device+"."+itoa(i)))
	}
	return numbered(lines)
}

func numbered(lines []string) string {
	for i, l := range lines {
		lines[i] = itoa(i+1) + ". " + l
	}
	return strings.Join(lines, "\n")
}

// console is where the partition's root users sign in.
func console(partition string) string {
	if partition == "aws-cn" {
		return "https://console.amazonaws.cn/"
	}
	return "https://console.aws.amazon.com/"
}

func links(v voice, a commands.AccountView) []*slack.ButtonBlockElement {
	home := console(a.Look.Evidence.Account.Partition)
	buttons := []*slack.ButtonBlockElement{
		link("console", v.say("link.console"), home),
		link("credentials", v.say("link.credentials"), home+"iam/home#/security_credentials"),
	}
	if a.Owner.Device == "virtual" {
		switch a.Owner.System {
		case "ios":
			buttons = append(buttons, link("store", v.say("link.store"), "https://apps.apple.com/app/google-authenticator/id388497605"))
		case "android":
			buttons = append(buttons, link("store", v.say("link.store"), "https://play.google.com/store/apps/details?id=com.google.android.apps.authenticator2"))
		}
	}
	return append(buttons, link("docs", v.say("link.docs"), v.say("docs."+a.Owner.Device)))
}

func deviceButtons(v voice, a commands.AccountView, not string) []*slack.ButtonBlockElement {
	acc := a.Look.Evidence.Account
	var buttons []*slack.ButtonBlockElement
	for _, d := range devices {
		if d == not {
			continue
		}
		b := button(actDevice+":"+d, place{acc.Source, acc.ID, d}.value(), v.say("device."+d), v.say("about.device", arg{"Device": v.say("device." + d)}))
		if d == "passkey" && not == "" {
			b = primary(b)
		}
		buttons = append(buttons, b)
	}
	return buttons
}

func later(v voice, value string) []*slack.ButtonBlockElement {
	return []*slack.ButtonBlockElement{
		button(actTomorrow, value, v.say("button.tomorrow"), v.say("about.tomorrow")),
		button(actNotMine, value, v.say("button.not_mine"), v.say("about.not_mine")),
	}
}

func centralizedMember(e posture.Evidence) bool {
	return e.Account.Role == posture.RoleMember && e.Centralized.Known() && e.Centralized.Value
}

// alone marks the sentence of a step that no second person confirmed: an emergency, or two_person: false.
func alone(s remediation.Step) string {
	for _, a := range s.Approvals {
		if !a.By.Is(s.By) {
			return ""
		}
	}
	return ".alone"
}

// keyDM draws the owner's message about a step on a key that only they can take.
func keyDM(v voice, a commands.AccountView, r remediation.Request) message {
	acc := a.Look.Evidence.Account
	steps := map[remediation.State]string{remediation.AwaitingOwnerDelete: "delete", remediation.Reactivating: "reactivate"}
	step := cmp.Or(steps[r.State], "deactivate")
	blocks := []slack.Block{
		heading(v.say("dm.key.title."+step, arg{"Account": outside(acc.Label(), nameLength).plain()})),
		small("`"+string(acc.ID)+"`", keyName(v, r.Key)),
		para(v.say("dm.key.why."+step+alone(r.Present()), arg{"By": user(r.Requester.User), "Reason": quote(r.Reason), "Key": keyName(v, r.Key)})),
	}
	if !waitsForOwner(r) {
		return newMessage(v, append(blocks, para(v.say("dm.key.over", arg{"State": v.say(stateTitle(r))}))))
	}
	sign := v.say("steps.sign_in")
	if acc.Email != "" {
		sign = v.say("steps.sign_in_email", arg{"Email": outside(acc.Email, 120)})
	}
	lines := []string{sign, v.say("steps.credentials")}
	for i := 1; v.has("steps.key." + step + "." + itoa(i)); i++ {
		lines = append(lines, v.say("steps.key."+step+"."+itoa(i), arg{"Key": keyName(v, r.Key)}))
	}
	home := console(acc.Partition)
	done := primary(button(actDone, stepValue(r), v.say("button.done"), v.say("about.done", arg{"Key": maskOrDay(r.Key)})))
	value := place{acc.Source, acc.ID, ""}.value()
	blocks = append(blocks, para(numbered(lines)),
		row(done, link("credentials", v.say("link.credentials"), home+"iam/home#/security_credentials"),
			link("docs", v.say("link.docs"), v.say("docs.key")),
			button(actNotMine, value, v.say("button.not_mine"), v.say("about.not_mine"))))
	if r.Note == remediation.NoteStillThere {
		blocks = append(blocks, para(v.say("dm.key.not_yet")))
	}
	if r.Key.ID == "" {
		blocks = append(blocks, small(v.say("dm.key.report")))
	}
	return newMessage(v, append(blocks, small(v.say("dm.promise", arg{"Who": v.say("dm.who", arg{"Who": user(r.Requester.User)})}))))
}
