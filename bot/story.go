package bot

import (
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// story says of a request, in a few lines: who asked for what and why, what happened last, what it waits for.
func story(v voice, r remediation.Request) []string {
	step, first := r.Present(), r.Shut()
	lines := []string{}
	later := !step.At.Equal(first.At) || step.Act != first.Act
	if later {
		lines = append(lines, taken(v, r, first)) // who put the key out of use stays on the card
	}
	lines = append(lines, v.say("story.asked", arg{"By": user(step.By.User), "What": v.say(want(step.Act, r.Means)), "Reason": quote(step.Reason)}))
	if r.BreakGlass && !later {
		lines = append(lines, v.say("story.break_glass", arg{"By": user(r.Opener.User)}))
	}
	if n := len(step.Approvals); n > 0 {
		lines = append(lines, v.say("story.confirmed", arg{"By": confirmers(v, step), "When": v.when(step.Approvals[n-1].At)}))
	}
	if step.Override != "" {
		lines = append(lines, v.say("story.override", arg{"Reason": quote(step.Override)}))
	}
	if s := noteLine(v, r); s != "" {
		lines = append(lines, s)
	}
	if s := waits(v, r); s != "" && !r.Departed() { // what a request waits for whose entry is gone, its note says
		lines = append(lines, s)
	}
	if r.Policy.DryRun {
		lines = append(lines, v.say("story.dry_run"))
	}
	return lines
}

// taken says of a step in one sentence who asked for it and who confirmed it.
func taken(v voice, r remediation.Request, s remediation.Step) string {
	id := "story.step"
	switch {
	case len(s.Approvals) > 0:
		id = "story.step.confirmed"
	case r.BreakGlass && s.At.Equal(r.Shut().At):
		id = "story.step.alone"
	}
	return v.say(id, arg{"By": user(s.By.User), "What": v.say(want(s.Act, r.Means)), "Confirmed": confirmers(v, s)})
}

func confirmers(v voice, s remediation.Step) string {
	var by []string
	for _, id := range s.Confirmers() {
		by = append(by, user(id))
	}
	return v.list(by)
}

func quote(reason string) string {
	s := outside(reason, wordLength).mrkdwn()
	if s == "" {
		return "–"
	}
	return "“" + s + "”"
}

// want names a step that somebody asked for, by what it really does.
func want(act remediation.Act, m remediation.Means) string {
	switch act {
	case remediation.ActDelete:
		return "want.delete"
	case remediation.ActReactivate:
		return "want.reactivate." + string(m)
	case remediation.ActLift:
		return "want.lift"
	case remediation.ActDeactivate:
		return "want.deactivate." + string(m)
	default:
		return "want.watch" // of a key that was found inactive, to which nothing is done
	}
}

// noteLine says what last happened, where the state alone does not, with the next step.
func noteLine(v voice, r remediation.Request) string {
	said := []remediation.Note{
		"", remediation.NoteRequested, remediation.NoteConfirmed, remediation.NoteDeleteAsked, remediation.NoteReactivateAsk,
		remediation.NoteLiftAsked,
	}
	over := r.Note == remediation.NoteWatchOver && r.State == remediation.Inactive && r.Remaining() == 0
	if slices.Contains(said, r.Note) || over || r.Note == remediation.NoteDeleted && r.State == remediation.Deleted {
		return "" // the lines on who asked, who confirmed and what is waited for say it
	}
	return note(v, r, r.Note)
}

// note is the sentence of a note.
func note(v voice, r remediation.Request, n remediation.Note) string {
	detail := outside(r.NoteDetail, 80).mrkdwn()
	if id := "gate." + r.NoteDetail; n == remediation.NoteGate && v.has(id) {
		detail = v.say(id)
	}
	if n == remediation.NoteReadingMissing {
		detail = gapPhrase(v, posture.Reason(r.NoteDetail))
	}
	id := "note." + string(n)
	switch {
	case r.BlockHeld && len(r.NewKeys) > 0 && v.has(id+".kept"):
		id += ".kept"
	case r.Means == remediation.MeansOrganization && v.has(id+".blocked"):
		id += ".blocked"
	}
	by := user(r.Requester.User)
	if r.EndedBy != nil {
		by = user(r.EndedBy.User)
	}
	return v.say(id, arg{
		"By": by, "Asked": user(r.Requester.User), "Key": keyName(v, r.Key), "Detail": detail, "Reason": quote(r.Reason),
		"When": v.when(r.Since), "Used": v.ago(r.LastSeen), "Until": v.when(r.Deadline), "Watch": v.span(r.Policy.Watch),
		"AWS": outside(r.LastAWS, 60).mrkdwn(), "With": "`" + outside(string(r.Off.With), 60).mrkdwn() + "`",
		"WithBy": user(r.Off.Step.By.User), "WithConfirmed": confirmers(v, r.Off.Step),
	})
}

// waits says who or what the request waits for, and until when.
func waits(v voice, r remediation.Request) string {
	switch r.State {
	case remediation.Requested, remediation.ReactivateRequested, remediation.LiftRequested, remediation.DeleteRequested:
		id := "waits.two"
		if !r.Policy.TwoPerson {
			id = "waits.one"
		}
		return v.say(id, arg{"By": user(r.Requester.User), "Count": max(1, r.Needed())}) + until(v, r.Deadline)
	case remediation.Approved, remediation.DeleteApproved:
		return v.say("waits.bot") + until(v, r.Deadline)
	case remediation.AwaitingOwner, remediation.AwaitingOwnerDelete:
		return v.say("waits.owner") + until(v, r.Deadline)
	case remediation.Inactive:
		if r.BlockFound {
			return watchLine(v, r) + " " + v.say("why.block_found")
		}
		return watchLine(v, r)
	case remediation.Lifted:
		if r.Off.Lift {
			return v.say("waits.lifted_with", arg{"With": "`" + outside(string(r.Off.With), 60).mrkdwn() + "`"})
		}
		return v.say("waits.lifted", arg{"When": v.when(r.Deadline)})
	case remediation.Deactivating, remediation.Reactivating, remediation.Lifting, remediation.Deleting:
		return v.say("waits.aws")
	case remediation.Deleted:
		return v.say("waits.verify")
	case remediation.Verified, remediation.VerifiedWithAlarm, remediation.Restored, remediation.Reactivated,
		remediation.Rejected, remediation.Cancelled, remediation.Expired, remediation.Stale, remediation.Failed,
		remediation.GoneOutside:
		return ""
	default:
		return ""
	}
}

// waitsForOwner reports whether the request's next step is one that only the owner can take.
func waitsForOwner(r remediation.Request) bool {
	return r.State == remediation.AwaitingOwner || r.State == remediation.AwaitingOwnerDelete ||
		r.State == remediation.Reactivating && r.Means == remediation.MeansGuided
}

func watchLine(v voice, r remediation.Request) string {
	switch left := r.Remaining(); {
	case left > 0 && v.now.Before(r.WatchFrom):
		return v.say("watch.later", arg{"When": v.when(r.WatchFrom), "Window": v.span(r.Policy.Watch)})
	case left > 0:
		return v.say("watch.on", arg{"Left": v.span(left), "Window": v.span(r.Policy.Watch), "When": v.when(r.ReadAt)})
	case r.DeleteMeans == remediation.MeansNone:
		return v.say("watch.over.no_delete")
	default:
		return v.say("watch.over")
	}
}

// keyButtons are what can be done to a key now.
func keyButtons(v voice, a commands.AccountView, k commands.KeyView) []*slack.ButtonBlockElement {
	if k.Open != nil {
		return stepButtons(v, *k.Open)
	}
	means := k.Deactivate
	if a.Ways.Exempt || means == remediation.MeansNone {
		return nil
	}
	acc := a.Look.Evidence.Account
	value := place{acc.Source, acc.ID, keyHandle(k.Key)}.value()
	name := maskOrDay(k.Key)
	ask := button(actDeactivate, value, v.say("button.deactivate."+string(means)), v.say("about.deactivate", arg{"Key": name}))
	if k.Key.Status == posture.KeyInactive {
		ask = button(actDeactivate, value, v.say("button.watch"), v.say("about.watch", arg{"Key": name}))
		return []*slack.ButtonBlockElement{primary(ask)}
	}
	buttons := []*slack.ButtonBlockElement{primary(ask)}
	if means == remediation.MeansOrganization || means == remediation.MeansRootCredentials {
		buttons = append(buttons, button(actBreakGlass, value, v.say("button.break_glass"), v.say("about.break_glass", arg{"Key": name})))
	}
	return buttons
}

func maskOrDay(k posture.Key) string {
	if k.ID == "" {
		return k.Created.UTC().Format("2006-01-02")
	}
	return k.ID.Mask()
}

// stepButtons are what can be done to an open request, in the state it is in.
func stepButtons(v voice, r remediation.Request) []*slack.ButtonBlockElement {
	name := arg{"Key": maskOrDay(r.Key)}
	b := func(id, label string) *slack.ButtonBlockElement {
		return button(id, stepValue(r), v.say("button."+label), v.say("about."+label, name))
	}
	reject, cancel := b(actReject, "reject"), b(actCancel, "cancel")
	switch r.State {
	case remediation.Requested, remediation.LiftRequested, remediation.ReactivateRequested:
		return []*slack.ButtonBlockElement{primary(b(actConfirm, "confirm")), reject, cancel}
	case remediation.DeleteRequested:
		return []*slack.ButtonBlockElement{danger(b(actConfirm, "confirm_delete")), reject, cancel}
	case remediation.Approved, remediation.DeleteApproved:
		if r.Again {
			return nil // a lifted block comes back, as was confirmed
		}
		return []*slack.ButtonBlockElement{reject, cancel}
	case remediation.AwaitingOwner, remediation.AwaitingOwnerDelete:
		return []*slack.ButtonBlockElement{primary(b(actDone, "done")), b(actSteps, "steps"), cancel}
	case remediation.Reactivating:
		if r.Means == remediation.MeansGuided {
			return []*slack.ButtonBlockElement{primary(b(actDone, "done")), b(actSteps, "steps")}
		}
	case remediation.Inactive:
		return watchButtons(r, b)
	case remediation.Deactivating, remediation.Lifting, remediation.Lifted, remediation.Deleting, remediation.Deleted,
		remediation.Verified, remediation.VerifiedWithAlarm, remediation.Restored, remediation.Reactivated,
		remediation.Rejected, remediation.Cancelled, remediation.Expired, remediation.Stale, remediation.Failed,
		remediation.GoneOutside:
	}
	return nil
}

func watchButtons(r remediation.Request, b func(id, label string) *slack.ButtonBlockElement) []*slack.ButtonBlockElement {
	var buttons []*slack.ButtonBlockElement
	if r.Remaining() == 0 && r.DeleteMeans != remediation.MeansNone {
		buttons = append(buttons, danger(b(actDelete, "delete")))
	}
	switch {
	case r.Means == remediation.MeansNone:
	case r.Means != remediation.MeansOrganization:
		buttons = append(buttons, b(actReactivate, "reactivate"))
	case r.BlockHeld && !r.BlockFound: // one that was found there is not ours to take away
		buttons = append(buttons, b(actReactivate, "unblock"), b(actLift, "lift"))
	}
	if !r.ActedOn && !r.BlockHeld {
		buttons = append(buttons, b(actCancel, "unwatch"))
	}
	return buttons
}

// gapPhrase says why something could not be read.
func gapPhrase(v voice, r posture.Reason) string {
	if r == posture.ReasonUnknown || !v.has("gap."+string(r)) {
		return v.say("gap.unknown")
	}
	return v.say("gap." + string(r))
}

// gapFix says what to change so that it can be read, or nothing where nobody can.
func gapFix(v voice, r posture.Reason) string {
	if id := "fix." + string(r); v.has(id) {
		return v.say(id)
	}
	return ""
}

// sentence says one finding: what was seen, or why it could not be.
func sentence(v voice, f posture.Finding) string {
	s := outside(strings.TrimSuffix(f.Reason, "."), wordLength).mrkdwn()
	if id := "finding." + string(f.Code); v.has(id) {
		s = v.say(id, arg{"Used": v.when(f.Used)})
	}
	if f.Gap != nil {
		s = v.say("finding.gap", arg{"What": s, "Why": gapPhrase(v, f.Gap.Reason)})
	} else {
		s += v.say("full_stop")
	}
	if !f.AsOf.IsZero() {
		s += " " + v.say("finding.as_of", arg{"When": v.when(f.AsOf)})
	}
	if f.Blocked {
		s += " " + v.say("finding.blocked")
	}
	return s
}
