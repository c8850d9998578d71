package bot

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file draws the card of an account. The rules are:
//   - It is drawn from the store alone, so that it can be drawn again at any time.
//   - It says what is, by which means what can be done, who is waited for and until when, and what went wrong.
//   - At most one button is primary. Only what deletes is red.

// nameLength is how much of an account's name is shown where it stands alone, and shortName where it shares a line.
const (
	nameLength = 80
	shortName  = 48
	wordLength = 300 // of a person's reason
)

// card draws an account for the channel.
func card(v voice, a commands.AccountView) message {
	acc := a.Look.Evidence.Account
	name := outside(acc.Label(), nameLength).plain()
	blocks := []slack.Block{
		heading(mark(a) + " " + name + " · " + headline(v, a)),
		small(accountLine(v, a.Look)),
	}
	if s := switches(v, a.Paused, a.DryRun); s != "" {
		blocks = append(blocks, small(s))
	}
	for i, k := range a.Keys {
		if i > 0 {
			blocks = append(blocks, line())
		}
		blocks = append(blocks, keyBlocks(v, a, k)...)
	}
	if a.Block.Kept {
		blocks = append(blocks, para(v.say("block.kept")))
	}
	blocks = append(blocks, findingBlocks(v, a)...)
	if s := ownUse(v, a); s != "" {
		blocks = append(blocks, small(s))
	}
	blocks = append(blocks, ownerBlocks(v, a)...)
	for _, r := range firsts(a.Ended, 3) {
		blocks = append(blocks, small(ended(v, r)))
	}
	return newMessage(v, onePrimary(blocks))
}

// onePrimary leaves only the first primary button as it is: where everything is highlighted nothing is.
func onePrimary(blocks []slack.Block) []slack.Block {
	seen := false
	for _, b := range blocks {
		actions, ok := b.(*slack.ActionBlock)
		if !ok {
			continue
		}
		for _, e := range actions.Elements.ElementSet {
			if k, ok := e.(*slack.ButtonBlockElement); ok && k.Style == slack.StylePrimary {
				if seen {
					k.Style = slack.StyleDefault
				}
				seen = true
			}
		}
	}
	return blocks
}

// accountLine is what names an account beyond doubt: the id first.
func accountLine(v voice, l commands.Look) string {
	a := l.Evidence.Account
	parts := []string{"`" + outside(string(a.ID), 20).mrkdwn() + "`"}
	if a.Alias != "" && a.Alias != a.Label() {
		parts = append(parts, outside(a.Alias, shortName).mrkdwn())
	}
	if a.Source != "" {
		parts = append(parts, outside(a.Source, shortName).mrkdwn())
	}
	if a.Unit != "" && a.Unit != "/" && !strings.Contains(a.Unit, "/ou-") { // ids say nothing to anybody
		parts = append(parts, outside(a.Unit, shortName).mrkdwn())
	}
	if a.Role != posture.RoleUnknown && v.has("role."+string(a.Role)) {
		parts = append(parts, v.say("role."+string(a.Role)))
	}
	if a.State != "" && a.State != posture.StateActive {
		parts = append(parts, outside(a.State, shortName).mrkdwn()) // AWS's word, such as PENDING_CLOSURE
	}
	if !l.Evidence.At.IsZero() {
		parts = append(parts, v.say("card.checked", arg{"When": v.when(l.Evidence.At)}))
	}
	return strings.Join(parts, " · ")
}

// The marks by which an eye finds its way down a channel. They repeat what the words say.
const (
	markWaits   = "⏳"
	markWatched = "👀"
	markDone    = "✅"
	markUnread  = "⚪"
)

// mark is the headline in one sign.
func mark(a commands.AccountView) string {
	for _, k := range a.Keys {
		switch {
		case k.Open == nil:
		case k.Open.State == remediation.Inactive && k.Open.Remaining() > 0:
			return markWatched
		default:
			return markWaits
		}
	}
	failed, gaps := sortFindings(a.Look.Findings, a.Mutes)
	return worst(failed, gaps)
}

// worst is the sign of what was found, worst first.
func worst(failed, gaps []posture.Finding) string {
	switch {
	case len(failed) > 0 && failed[0].Severity == posture.Critical:
		return "🔴"
	case len(failed) > 0 && failed[0].Severity == posture.High:
		return "🟠"
	case len(failed) > 0:
		return "🟡"
	case len(gaps) > 0:
		return markUnread
	default:
		return markDone
	}
}

func switches(v voice, p commands.Switch, dry bool) string {
	var said []string
	if p.Paused {
		said = append(said, v.say("switch.paused", arg{"By": user(p.By), "When": v.when(p.At)}))
	}
	if dry {
		said = append(said, v.say("switch.dry_run"))
	}
	return strings.Join(said, " ")
}

// headline is the state of the account in a few words: the step that is under way, else the worst that was found.
func headline(v voice, a commands.AccountView) string {
	for _, k := range a.Keys {
		if k.Open != nil {
			return v.say(stateTitle(*k.Open))
		}
	}
	failed, gaps := sortFindings(a.Look.Findings, a.Mutes)
	switch {
	case len(failed) > 0:
		return v.say("headline." + string(failed[0].Control))
	case len(gaps) > 0:
		return v.say("headline.gap")
	case noAccess(a.Look.Findings):
		return v.say("headline.no_access")
	case len(a.Ended) > 0 && a.Ended[0].State == remediation.Verified:
		return v.say("headline.verified")
	default:
		return v.say("headline.fine")
	}
}

// stateTitle says what a request waits for. Under a block nothing pretends that the key is inactive.
func stateTitle(r remediation.Request) string {
	blocked := r.Means == remediation.MeansOrganization && r.Key.Status != posture.KeyInactive
	switch {
	case r.State == remediation.Inactive && r.Remaining() == 0 && blocked:
		return "state.inactive.blocked.over"
	case r.State == remediation.Inactive && r.Remaining() == 0:
		return "state.inactive.over"
	case r.State == remediation.Inactive && blocked:
		return "state.inactive.blocked"
	case r.State == remediation.Deactivating && blocked:
		return "state.deactivating.blocked"
	case r.State == remediation.Restored && r.Means == remediation.MeansOrganization:
		return "state.restored.blocked"
	default:
		return "state." + string(r.State)
	}
}

// sortFindings parts what fails from what could not be read, worst first. Muted findings are in neither.
func sortFindings(all []posture.Finding, mutes []commands.Mute) (failed, gaps []posture.Finding) {
	for _, f := range all {
		muted := slices.ContainsFunc(mutes, func(m commands.Mute) bool { return m.Control == f.Control })
		switch {
		case f.Status == posture.Failed && !muted:
			failed = append(failed, f)
		case f.Status == posture.NotAvailable || f.Status == posture.StatusUnknown:
			gaps = append(gaps, f)
		}
	}
	worst := func(a, b posture.Finding) int { return a.Severity.Rank() - b.Severity.Rank() }
	slices.SortStableFunc(failed, worst)
	slices.SortStableFunc(gaps, worst)
	return failed, gaps
}

func noAccess(all []posture.Finding) bool {
	return slices.ContainsFunc(all, func(f posture.Finding) bool { return f.Code == posture.CodeNoCredentials })
}

// keyBlocks is one key: its facts, what is happening to it, and what can be done.
func keyBlocks(v voice, a commands.AccountView, k commands.KeyView) []slack.Block {
	blocks := []slack.Block{facts("*"+keyName(v, k.Key)+"*", keyFacts(v, a, k)...)}
	if k.Open != nil {
		lines := story(v, *k.Open)
		if waitsForOwner(*k.Open) && a.Owner.User == "" {
			lines = append(lines, v.say("waits.nobody"))
		}
		blocks = append(blocks, small(lines...))
	} else if s := waysLine(v, a, k); s != "" {
		blocks = append(blocks, small(s))
	}
	if b := keyButtons(v, a, k); len(b) > 0 {
		blocks = append(blocks, row(b...))
	}
	return blocks
}

func keyName(v voice, k posture.Key) string {
	if k.ID == "" {
		return v.say("key.unnamed", arg{"Day": k.Created.UTC().Format(time.DateOnly)})
	}
	return v.say("key.named", arg{"ID": k.ID.Mask()})
}

func keyFacts(v voice, a commands.AccountView, k commands.KeyView) []string {
	status := v.say("key.status." + strings.ToLower(string(k.Key.Status)))
	if k.Key.Status == "" {
		status = v.say("key.status.unknown")
	}
	if a.Block.Attached && k.Key.Status != posture.KeyInactive {
		status = v.say("key.status.blocked")
	}
	deleted := k.Open != nil && k.Open.State == remediation.Deleted
	if deleted {
		status = v.say("key.status.deleted")
	}
	if !k.AsOf.IsZero() {
		status += " · " + v.say("key.as_of", arg{"Ago": v.ago(k.AsOf)})
	}
	created := v.say("time.unknown")
	if !k.Key.Created.IsZero() {
		created = v.day(k.Key.Created) + " · " + v.say("time.old", arg{"Span": v.span(v.now.Sub(k.Key.Created))})
	}
	pairs := []string{v.say("key.status"), status, v.say("key.created"), created, v.say("key.used"), lastUse(v, k.Key)}
	shut, del := cmp.Or(k.Deactivate, remediation.MeansNone), cmp.Or(k.Delete, remediation.MeansNone)
	if k.Open != nil {
		del = cmp.Or(k.Open.DeleteMeans, remediation.MeansNone)
	}
	if k.Open == nil && k.Key.Status != posture.KeyInactive {
		label, by := "key.means", "means."+string(shut)+".short"
		switch {
		case shut == remediation.MeansOrganization:
			label = "key.means.organization"
		case someSigned(a, k):
			by = "means.root-credentials.some"
		}
		pairs = append(pairs, v.say(label), v.say(by))
	}
	if !deleted && (k.Open != nil || k.Key.Status == posture.KeyInactive || shut != del) {
		pairs = append(pairs, v.say("key.delete"), v.say("means."+string(del)+".delete"))
	}
	return pairs
}

func lastUse(v voice, k posture.Key) string {
	if k.LastUsed.IsZero() {
		return v.say("key.never")
	}
	// A card stands for days, so it names the time and not how long ago that was.
	parts := []string{v.when(k.LastUsed)}
	if k.UsedService != "" {
		parts = append(parts, outside(k.UsedService, 40).mrkdwn())
	}
	if k.UsedRegion != "" && k.UsedRegion != "N/A" {
		parts = append(parts, outside(k.UsedRegion, 40).mrkdwn())
	}
	return strings.Join(parts, " · ")
}

// waysLine says what pressing the button comes to, or what shuts the way and how to open it.
func waysLine(v voice, a commands.AccountView, k commands.KeyView) string {
	switch {
	case a.Ways.Exempt:
		return v.say("ways.exempt")
	case k.Deactivate == remediation.MeansNone:
		return v.say("ways.none", arg{"Why": outside(a.Ways.Why, wordLength)})
	case a.Ways.SelfSigned != "" && a.Ways.SelfSigned.Same(k.Key.ID):
		return v.say("ways.self_signed")
	case k.Key.Status == posture.KeyInactive:
		return v.say("ways.inactive")
	case someSigned(a, k):
		return v.say("ways.self_signed.some")
	default:
		return v.say("means." + string(k.Deactivate) + ".will")
	}
}

// someSigned reports whether the bot signs with one of the account's keys, and nothing known tells whether it is this one.
func someSigned(a commands.AccountView, k commands.KeyView) bool {
	return a.Ways.SelfSigned != "" && k.Key.ID == "" && k.Deactivate == remediation.MeansRootCredentials
}

// ownUse says, where a use of a root key is shown, that the bot's own readings with the root profile are among the uses. It
// takes none away: a use of the key by somebody else looks the same.
func ownUse(v voice, a commands.AccountView) string {
	ours := a.Ways.SelfSigned
	if ours == "" {
		return ""
	}
	shown := slices.ContainsFunc(a.Look.Findings, func(f posture.Finding) bool {
		return f.Code == posture.CodeKeyUse || f.Code == posture.CodeSignInAndKeyUse
	}) || slices.ContainsFunc(a.Keys, func(k commands.KeyView) bool {
		return !k.Key.LastUsed.IsZero() && (k.Key.ID == "" || ours.Same(k.Key.ID))
	})
	if !shown {
		return ""
	}
	return v.say("key.own_use", arg{"Key": "`" + ours.Mask() + "`"})
}

// ended is one line on a request that is over.
func ended(v voice, r remediation.Request) string {
	said := []string{v.say("ended", arg{"Key": keyName(v, r.Key), "State": v.say(stateTitle(r)), "When": v.when(r.Since)})}
	first, last := r.Shut(), r.Present()
	said = append(said, taken(v, r, first))
	if !last.At.Equal(first.At) || last.Act != first.Act {
		said = append(said, taken(v, r, last))
	}
	switch {
	case r.EndedBy != nil:
		said = append(said, v.say("ended.by", arg{"By": user(r.EndedBy.User)}))
	case r.Off.With != "" || r.Note == remediation.NoteGoneNewKey:
		said = append(said, note(v, r, r.Note))
	}
	return strings.Join(said, " ")
}

func firsts[T any](s []T, n int) []T { return s[:min(n, len(s))] }

func until(v voice, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return v.say("story.until", arg{"When": v.when(t)})
}
