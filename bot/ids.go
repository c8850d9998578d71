package bot

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file names the controls and what they carry. The rules are:
//   - The action id is the verb, and the value names a request and a version, or an account and a key's fingerprint.
//   - Neither is a right: a value is a claim, and the verbs look everything up anew.
//   - What follows a colon in an action id only keeps ids apart within one block.

// The action ids.
const (
	actDeactivate = "remediation.deactivate"
	actBreakGlass = "remediation.break_glass"
	actConfirm    = "remediation.confirm"
	actReject     = "remediation.reject"
	actCancel     = "remediation.cancel"
	actDelete     = "remediation.delete"
	actReactivate = "remediation.reactivate"
	actLift       = "remediation.lift"
	actDone       = "remediation.done"
	actSteps      = "remediation.steps"

	actShow   = "account.show"
	actCheck  = "account.check"
	actMute   = "finding.mute"
	actUnmute = "finding.unmute"

	actTell     = "owner.tell"
	actClaim    = "owner.claim"
	actAssign   = "owner.assign"
	actOwnerYes = "owner.confirm"
	actNotMine  = "owner.decline"
	actDevice   = "owner.device"
	actSystem   = "owner.system"
	actMFADone  = "owner.done"
	actTomorrow = "owner.tomorrow"
	actRelease  = "owners.release"

	actPage   = "list.page"
	actGuide  = "guide.topic"
	actResume = "switch.resume"
	actHome   = "home.refresh"
	actLink   = "link"
)

// The callback ids of the modals.
const (
	formDeactivate = "form.deactivate"
	formBreakGlass = "form.break_glass"
	formConfirm    = "form.confirm"
	formReject     = "form.reject"
	formDelete     = "form.delete"
	formReactivate = "form.reactivate"
	formLift       = "form.lift"
	formMute       = "form.mute"
	formAssign     = "form.assign"
	formNotice     = "form.notice"
)

// The ids of the modals' fields. A refusal's Field names one of them.
const (
	fieldReason   = "reason"
	fieldKey      = "key"
	fieldAccount  = "account"
	fieldOverride = "override"
	fieldUntil    = "until"
	fieldUser     = "user"
)

// verb is the action id without what keeps it apart from its neighbours.
func verb(actionID string) string {
	v, _, _ := strings.Cut(actionID, ":")
	return v
}

// stepValue is the value of a button on a request.
func stepValue(r remediation.Request) string {
	return string(r.ID) + "|" + strconv.Itoa(r.Version)
}

func parseStep(s string) (remediation.RequestID, int, bool) {
	id, version, ok := strings.Cut(s, "|")
	n, err := strconv.Atoi(version)
	if !ok || err != nil || n < 1 || id == "" || len(id) > 200 {
		return "", 0, false
	}
	return remediation.RequestID(id), n, true
}

// resumeButton ends the pause of one version of the switch, and no later one.
func resumeButton(v voice, version int) *slack.ButtonBlockElement {
	return button(actResume, strconv.Itoa(version), v.say("button.resume"), v.say("about.resume"))
}

// pauseVersion is the version that a button to resume was drawn for. One that names none is older than every pause.
func pauseVersion(value string) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return -1
	}
	return n
}

// place names an account, and where it is needed a key or a control, in a button's value. The name of the `aws` entry
// comes first and may hold anything; what follows has a fixed form.
type place struct {
	Source  string
	Account posture.AccountID
	What    string // a key's fingerprint, a control, a device, whom a claim names
}

func (p place) value() string { return p.Source + "/" + string(p.Account) + "/" + p.What }

func parsePlace(s string) (place, bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return place{}, false
	}
	j := strings.LastIndexByte(s[:i], '/')
	if j < 0 {
		return place{}, false
	}
	p := place{Source: s[:j], Account: posture.AccountID(s[j+1 : i]), What: s[i+1:]}
	return p, p.Account.Valid()
}

// keyHandle is how a card's button names a key: by fingerprint, or by its creation where no id is known.
func keyHandle(k posture.Key) string { return commands.KeyName(k) }
