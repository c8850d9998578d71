package bot

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file draws the modals. The rules are:
//   - The account id comes first, then what will happen in the words of its means, then what it affects, then the key.
//   - A modal is drawn once from the store and once from AWS; its inputs keep their ids, so that nothing typed is lost.
//   - What it carries along is a reference that any client can read. It grants nothing.

// reference is what a modal's private metadata carries.
type reference struct {
	Request remediation.RequestID `json:"request,omitempty"`
	Version int                   `json:"version,omitempty"`
	Source  string                `json:"source,omitempty"`
	Account posture.AccountID     `json:"account,omitempty"`
	What    string                `json:"what,omitempty"` // a key's fingerprint or a control
	Live    bool                  `json:"live,omitempty"` // drawn from AWS already
}

func (r reference) String() string {
	b, err := json.Marshal(r)
	if err != nil || len(b) > 3000 {
		return "{}"
	}
	return string(b)
}

func parseReference(s string) reference {
	var r reference
	if json.Unmarshal([]byte(s), &r) != nil {
		return reference{}
	}
	return r
}

// form is a modal in the making: what it is about and how much of it is known.
type form struct {
	v       voice
	preview commands.Preview
	ref     reference
}

// live says whether the facts are AWS's of this moment, the store's, or could not be read.
func (f form) live() string {
	switch {
	case !f.ref.Live:
		return f.v.say("modal.reading")
	case f.preview.Facts.Gap != nil:
		return f.v.say("modal.unread", arg{"Why": gapPhrase(f.v, f.preview.Facts.Gap.Reason)})
	default:
		return f.v.say("modal.live", arg{"When": f.v.when(f.preview.Facts.At)})
	}
}

// key is the key that the modal is about, as freshly as it is known.
func (f form) key() posture.Key {
	k := f.preview.Key
	if k.ID == "" && k.Created.IsZero() && f.preview.Request != nil {
		k = f.preview.Request.Key
	}
	return k
}

func (f form) account() posture.Account { return f.preview.View.Look.Evidence.Account }

// top is how every modal begins: which account, beyond doubt.
func (f form) top() slack.Block {
	a := f.account()
	return para("`" + outside(string(a.ID), 20).mrkdwn() + "` *" + outside(a.Label(), nameLength).mrkdwn() + "*")
}

// keyFacts is the key in the modal: since when it exists, and when, where and for what it was last used.
func (f form) keyFacts() slack.Block {
	k := f.key()
	view := f.preview.View
	pairs := keyFacts(f.v, view, commands.KeyView{Key: k, Deactivate: f.means()})
	pairs = pairs[:6]
	if r := f.preview.Request; r != nil && r.Watched > 0 {
		pairs = append(pairs, f.v.say("key.watched"), f.v.say("key.watched.for", arg{"Span": f.v.span(r.Watched), "When": f.v.when(r.WatchFrom)}))
	}
	return facts("*"+keyName(f.v, k)+"*", pairs...)
}

// aside is how fresh the reading is, and whether the bot's own readings are among the uses of the key.
func (f form) aside() slack.Block {
	lines := []string{f.live()}
	view := f.preview.View
	view.Keys, view.Look.Findings = []commands.KeyView{{Key: f.key()}}, nil
	if s := ownUse(f.v, view); s != "" {
		lines = append(lines, s)
	}
	return small(lines...)
}

func (f form) means() remediation.Means {
	if f.preview.Means != "" {
		return f.preview.Means
	}
	if r := f.preview.Request; r != nil {
		return r.Means
	}
	for _, k := range f.preview.View.Keys {
		if f.ref.What == "" || keyHandle(k.Key) == f.ref.What {
			return k.Deactivate
		}
	}
	return remediation.MeansNone
}

// consequence is the sentence that requester and approver both read: what the step does by its means. Both see the same.
func consequence(v voice, act remediation.Act, m remediation.Means) string {
	return v.say("consequence." + string(act) + "." + string(m))
}

// affects says what the step touches: who uses the key, the other keys and the console under a block, the other requests of
// an undo.
func (f form) affects(act remediation.Act) string {
	var lines []string
	if act == remediation.ActDeactivate && f.preview.InUse {
		lines = append(lines, f.v.say("affects.in_use", arg{"Used": f.v.ago(f.key().LastUsed)}))
	}
	if act == remediation.ActDeactivate && f.means() == remediation.MeansOrganization {
		lines = append(lines, f.v.say("affects.block"))
	}
	if len(f.preview.Affects) > 0 && act != remediation.ActDelete {
		var names []string
		for _, k := range f.preview.Affects {
			name := keyName(f.v, k)
			if !k.LastUsed.IsZero() {
				name += " (" + f.v.say("keys.used", arg{"Used": f.v.ago(k.LastUsed)}) + ")"
			}
			names = append(names, name)
		}
		lines = append(lines, f.v.say("affects.keys", arg{"Keys": f.v.list(names)}))
	}
	if n := f.voids(); act == remediation.ActReactivate && n > 0 {
		lines = append(lines, f.v.say("affects.voids", arg{"Count": n}))
	}
	return strings.Join(lines, "\n")
}

// voids counts the other requests that hold the account's block, which an undo takes away from all of them.
func (f form) voids() int {
	n := 0
	for _, h := range f.preview.View.Block.Holders {
		if f.preview.Request == nil || h != f.preview.Request.ID {
			n++
		}
	}
	return n
}

// requestMeans is the means by which a request was shut, and hence is undone.
func (f form) requestMeans() remediation.Means {
	if r := f.preview.Request; r != nil {
		return r.Means
	}
	return f.means()
}

// body puts the parts that all steps share in order.
func (f form) body(act remediation.Act, m remediation.Means) []slack.Block {
	blocks := []slack.Block{f.top(), para(consequence(f.v, act, m))}
	if s := f.affects(act); s != "" {
		blocks = append(blocks, para(s))
	}
	return append(blocks, f.keyFacts(), f.aside())
}

func (f form) modal(callback, title, submit string, blocks []slack.Block) slack.ModalViewRequest {
	return modal(callback, f.ref.String(), f.v.say(title), f.v.say(submit), f.v.say("modal.close"), blocks)
}

func (f form) reason(label string) *slack.InputBlock {
	return input(fieldReason, f.v.say(label), f.v.say("field.reason.hint"), "", func(e *slack.PlainTextInputBlockElement) {
		e.Multiline, e.MinLength, e.MaxLength = true, 3, 500
	})
}

func (f form) lastFour() slack.Block {
	if f.key().ID == "" {
		return f.typedAccount()
	}
	return input(fieldKey, f.v.say("field.last_four"), f.v.say("field.last_four.hint"), "", func(e *slack.PlainTextInputBlockElement) {
		e.MinLength, e.MaxLength = 4, 128
	})
}

func (f form) wholeKey() slack.Block {
	if f.key().ID == "" {
		return f.typedAccount()
	}
	return input(fieldKey, f.v.say("field.whole_key"), f.v.say("field.whole_key.hint"), "AKIA…", func(e *slack.PlainTextInputBlockElement) {
		e.MinLength, e.MaxLength = 4, 128
	})
}

func (f form) typedAccount() slack.Block {
	return input(fieldAccount, f.v.say("field.account"), f.v.say("field.account.hint"), "", func(e *slack.PlainTextInputBlockElement) {
		e.MinLength, e.MaxLength = 12, 14
	})
}

// deactivate asks for the first step. A key that is inactive already is only watched, and nothing in AWS changes.
func (f form) deactivate() slack.ModalViewRequest {
	m := f.means()
	if f.key().Status == posture.KeyInactive {
		blocks := []slack.Block{f.top(), para(f.v.say("consequence.watch")), f.keyFacts(), f.aside(), f.reason("field.reason"), f.lastFour()}
		return f.modal(formDeactivate, "modal.watch", "modal.watch.submit", blocks)
	}
	blocks := append(f.body(remediation.ActDeactivate, m), f.reason("field.reason"), f.lastFour())
	return f.modal(formDeactivate, "modal.deactivate."+string(m), "modal.ask", blocks)
}

func (f form) breakGlass() slack.ModalViewRequest {
	blocks := append([]slack.Block{para(f.v.say("break_glass.warning"))}, f.body(remediation.ActDeactivate, f.means())...)
	blocks = append(blocks, f.reason("field.emergency"), f.typedAccount())
	if f.key().ID != "" {
		blocks = append(blocks, f.wholeKey())
	}
	return f.modal(formBreakGlass, "modal.break_glass", "modal.break_glass.submit", blocks)
}

// pendingAct is the act that a pending request would lead to.
func pendingAct(r remediation.Request) (remediation.Act, remediation.Means) {
	if r.State == remediation.DeleteRequested {
		return remediation.ActDelete, r.DeleteMeans
	}
	acts := map[remediation.State]remediation.Act{
		remediation.ReactivateRequested: remediation.ActReactivate, remediation.LiftRequested: remediation.ActLift,
	}
	return cmp.Or(acts[r.State], remediation.ActDeactivate), r.Means
}

// confirm is the second confirmation: the same consequence that the requester read, with the facts of this moment.
func (f form) confirm() slack.ModalViewRequest {
	r := *f.preview.Request
	act, m := pendingAct(r)
	blocks := append(f.body(act, m), para(strings.Join(story(f.v, r), "\n")))
	if !r.Policy.TwoPerson {
		blocks = append(blocks, f.wholeKey())
	}
	return f.modal(formConfirm, "modal.confirm."+string(act), "modal.confirm.submit", blocks)
}

func (f form) reject() slack.ModalViewRequest {
	blocks := []slack.Block{f.top()}
	if f.preview.Request != nil {
		blocks = append(blocks, para(strings.Join(story(f.v, *f.preview.Request), "\n")))
	}
	return f.modal(formReject, "modal.reject", "modal.reject.submit", append(blocks, f.reason("field.reason")))
}

// delete asks for the deletion. A key in use wants its own reason, which everyone in the channel sees.
func (f form) delete() slack.ModalViewRequest {
	m := remediation.MeansNone
	if f.preview.Request != nil {
		m = f.preview.Request.DeleteMeans
	}
	blocks := append(f.body(remediation.ActDelete, m), f.reason("field.reason"), f.wholeKey())
	if f.preview.InUse {
		override := input(fieldOverride, f.v.say("field.override"), f.v.say("field.override.hint"), "", func(e *slack.PlainTextInputBlockElement) {
			e.Multiline, e.MinLength, e.MaxLength = true, 3, 500
		})
		blocks = append(blocks, para(f.v.say("delete.in_use", arg{"Used": f.v.ago(f.key().LastUsed)})), override)
	}
	return f.modal(formDelete, "modal.delete", "modal.ask", blocks)
}

func (f form) reactivate() slack.ModalViewRequest {
	m := f.requestMeans()
	blocks := append(f.body(remediation.ActReactivate, m), f.reason("field.reason"))
	return f.modal(formReactivate, "modal.reactivate."+string(m), "modal.ask", blocks)
}

func (f form) lift() slack.ModalViewRequest {
	blocks := append(f.body(remediation.ActLift, f.requestMeans()), f.reason("field.reason"))
	return f.modal(formLift, "modal.lift", "modal.ask", blocks)
}

// muteSpans are the lengths of a mute that are offered. None is for ever.
var muteSpans = []int{7, 30, 90} //nolint:gochecknoglobals // a constant list

func (f form) mute() slack.ModalViewRequest {
	var options []*slack.OptionBlockObject
	for _, days := range muteSpans {
		options = append(options, slack.NewOptionBlockObject(itoa(days), plain(f.v.say("span.days", arg{"Count": days}), maxButtonText), nil))
	}
	pick := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, fieldUntil, options...)
	pick.InitialOption = options[0]
	blocks := []slack.Block{
		f.top(), para(f.v.say("mute.what", arg{"Control": title(f.v, posture.Control(f.ref.What))})), f.reason("field.reason"),
		slack.NewInputBlock(fieldUntil, plain(f.v.say("field.mute"), maxLabel), nil, pick),
	}
	return f.modal(formMute, "modal.mute", "modal.mute.submit", blocks)
}

func (f form) assign() slack.ModalViewRequest {
	pick := slack.NewOptionsSelectBlockElement(slack.OptTypeUser, nil, fieldUser)
	blocks := []slack.Block{
		f.top(), para(f.v.say("assign.what")),
		slack.NewInputBlock(fieldUser, plain(f.v.say("field.owner"), maxLabel), nil, pick),
	}
	return f.modal(formAssign, "modal.assign", "modal.assign.submit", blocks)
}

// loading is what stands there while the store or AWS has not answered yet. It has no button that could be pressed.
func loading(v voice, title string, ref reference) slack.ModalViewRequest {
	return modal(formNotice, ref.String(), v.say(title), "", v.say("modal.close"), []slack.Block{para(v.say("modal.loading"))})
}

// notice is a modal that only says something: a refusal, or that it is done.
func notice(v voice, title string, lines ...string) slack.ModalViewRequest {
	var blocks []slack.Block
	for _, l := range lines {
		blocks = append(blocks, para(l))
	}
	return modal(formNotice, "", v.say(title), "", v.say("modal.close"), blocks)
}

// done is what a modal turns into when its step was taken.
func done(v voice, r remediation.Request, channel string) slack.ModalViewRequest {
	return notice(v, "modal.done", v.say(stateTitle(r)+".done"), v.say("modal.done.card", arg{"Channel": "<#" + channel + ">"}))
}

func muteUntil(now time.Time, days string) (time.Time, bool) {
	for _, d := range muteSpans {
		if itoa(d) == days {
			return now.AddDate(0, 0, d), true
		}
	}
	return time.Time{}, false
}
