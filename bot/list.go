package bot

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// listRows and keyRows are how many accounts one answer shows with a button each. Pages are the verbs' to cut; this only bounds what
// Slack takes.
const (
	listRows = 15
	keyRows  = 8 // with two keys each
)

// list answers /rootcheck with or without words: coverage, then the worst accounts first, with pages.
func list(v voice, l commands.List) message {
	return fitted(func(names int) message { return listWith(v, l, names) })
}

// fitted draws with shorter and shorter names until the top-level text holds everything.
func fitted(draw func(names int) message) message {
	m := draw(shortName)
	for _, n := range []int{24, 12, 6} {
		if utf8.RuneCountInString(spoken(m.Blocks)) <= maxText {
			break
		}
		m = draw(n)
	}
	return m
}

func listWith(v voice, l commands.List, names int) message {
	if l.First {
		return newMessage(v, append([]slack.Block{para(v.say("list.first"))}, running(v, l.Running)...))
	}
	blocks := []slack.Block{heading(v.say("list.title", arg{"Scanned": l.Coverage.Scanned, "Listed": l.Coverage.Listed}))}
	if l.Query != "" {
		blocks = append(blocks, para(v.say("list.query", arg{"Query": outside(l.Query, 80), "Count": l.Total})))
	} else {
		blocks = append(blocks, countBlocks(v, l.Counts)...)
	}
	if s := whyNot(v, l.Coverage); s != "" {
		blocks = append(blocks, small(s))
	}
	for _, r := range firsts(l.Rows, listRows) {
		blocks = append(blocks, rowBlock(v, r, names))
	}
	if l.Total == 0 && l.Query != "" && l.Nearest != "" {
		blocks = append(blocks, para(v.say("list.nearest", arg{"Nearest": outside(l.Nearest, 80)})))
	}
	if l.Pages > 1 {
		blocks = append(blocks, small(v.say("list.page", arg{"Page": l.Page + 1, "Pages": l.Pages})), row(pager(v, l)...))
	}
	if run := l.Coverage.Run; !run.Finished.IsZero() {
		blocks = append(blocks, small(v.say("digest.checked", arg{"When": v.when(run.Finished)})))
	}
	return newMessage(v, append(blocks, running(v, l.Running)...))
}

func running(v voice, r *commands.Run) []slack.Block {
	if r == nil {
		return nil
	}
	said := v.say("list.running", runArgs(v, *r))
	if r.Again > 0 {
		said += " " + v.say("list.running_again", arg{"Count": r.Again})
	}
	if !r.Ends.IsZero() {
		said += " " + v.say("list.running_ends", arg{"When": v.when(r.Ends)})
	}
	return []slack.Block{small(said)}
}

// runArgs say how far a check is.
func runArgs(v voice, r commands.Run) arg {
	done, of := r.Progress()
	return arg{"Scanned": done, "Listed": of, "When": v.when(r.Started)}
}

func pager(v voice, l commands.List) []*slack.ButtonBlockElement {
	value := func(p int) string {
		return itoa(p) + "|" + base64.RawURLEncoding.EncodeToString([]byte(cut(l.Query, maxQuery)))
	}
	var buttons []*slack.ButtonBlockElement
	if l.Page > 0 {
		buttons = append(buttons, button(actPage+":back", value(l.Page-1), v.say("button.back"), v.say("about.back")))
	}
	if l.Page+1 < l.Pages {
		buttons = append(buttons, button(actPage+":next", value(l.Page+1), v.say("button.next"), v.say("about.next")))
	}
	return buttons
}

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

// status answers how the bot itself is.
func status(v voice, s commands.Status) message {
	run := s.Coverage.Run
	last := v.say("time.never")
	if !run.Finished.IsZero() {
		last = v.when(run.Finished) + " · " + v.say("status.took", arg{"Span": v.span(run.Took)})
	}
	two := v.say("status.two_person")
	if !s.TwoPerson {
		two = v.say("caution.one_person")
	}
	blocks := []slack.Block{
		heading(v.say("status.title", arg{"Version": outside(s.Version, 40).plain()})),
		facts("",
			v.say("status.last"), last,
			v.say("status.coverage"), v.say("status.scanned", arg{"Scanned": s.Coverage.Scanned, "Listed": s.Coverage.Listed}),
			v.say("status.open"), itoa(len(s.Open)),
			v.say("status.next"), nextLines(v, s.Next),
			v.say("status.sources"), sourceList(v, s.Sources),
			v.say("status.confirmation"), two,
			v.say("status.queue"), queueLine(v, s),
			v.say("status.audit"), v.say("status.records", arg{"Count": headSize(s.AuditHead)}),
		),
	}
	if w := whyNot(v, s.Coverage); w != "" {
		blocks = append(blocks, small(w))
	}
	warn := troubleLines(v, s.Troubles)
	if x := switches(v, s.Paused, s.DryRun); x != "" {
		warn = append(warn, x)
	}
	if g := groupList(s.Unreadable); g != "" {
		warn = append(warn, v.say("caution.groups", arg{"Groups": g}))
	}
	if len(warn) > 0 {
		blocks = append(blocks, para(strings.Join(warn, "\n")))
	}
	if s.Paused.Paused {
		blocks = append(blocks, row(resumeButton(v, s.Paused.Version)))
	}
	return newMessage(v, append(blocks, running(v, s.Running)...))
}

func headSize(h audit.Head) int { return int(h.Size) }

func nextLines(v voice, next map[string]time.Time) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(next)) {
		label := outside(name, 20).mrkdwn()
		if id := "schedule." + name; v.has(id) {
			label = v.say(id)
		}
		lines = append(lines, label+": "+v.when(next[name]))
	}
	return strings.Join(lines, "\n")
}

func sourceList(v voice, all []string) string {
	var names []string
	for _, s := range firsts(all, 10) {
		names = append(names, outside(s, shortName).mrkdwn())
	}
	if n := len(all) - len(names); n > 0 {
		names = append(names, "+"+itoa(n))
	}
	return v.list(names)
}

func queueLine(v voice, s commands.Status) string {
	n := 0
	for _, k := range s.Queue {
		n += k
	}
	said := v.say("status.due", arg{"Count": n})
	if s.Parked > 0 {
		said += " · " + v.say("status.parked", arg{"Count": s.Parked})
	}
	return said
}

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

// trail shows audit records, newest first.
func trail(v voice, leaves []audit.Leaf) message {
	if len(leaves) == 0 {
		return newMessage(v, []slack.Block{para(v.say("audit.none"))})
	}
	var lines []string
	for _, l := range firsts(leaves, 40) {
		lines = append(lines, trailLine(v, l))
	}
	blocks := []slack.Block{heading(v.say("audit.title"))}
	for _, p := range firsts(chunk(lines, 1500), 2) {
		blocks = append(blocks, para(p))
	}
	return newMessage(v, append(blocks, small(v.say("audit.verify"))))
}

func trailLine(v voice, l audit.Leaf) string {
	who := outside(l.Actor.Kind+" "+l.Actor.ID, 60).mrkdwn()
	if l.Actor.Kind == audit.KindUser {
		who = user(l.Actor.ID)
	}
	s := v.say("audit.line", arg{
		"Seq": l.Seq, "When": v.when(l.At), "Who": who, "Action": "`" + outside(string(l.Action), 60).mrkdwn() + "`",
		"Outcome": v.say("outcome." + string(l.Outcome)),
	})
	if l.Reason != "" {
		s += " " + quote(cut(l.Reason, 80))
	}
	return s
}

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
