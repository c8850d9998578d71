package bot

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file draws the digest. The rules are:
//   - Coverage comes first: what could not be looked at is no good news.
//   - One message tells what matters, whatever the number of accounts; its thread holds the rest, within reason.
//   - What weakens the promise of the product (one person alone, dry run, a pause, unreadable groups) stands in each.

const (
	digestRows    = 10   // failing accounts with a button
	digestRoom    = 3000 // of the text without the failing accounts
	waitingRows   = 5    // of each kind of waiting
	emergencyRows = 3    // as many as a day may bring; the rest is counted
	threadParts   = 6    // messages in the thread
	threadRoom    = 2900 // of one of them
	troubleLength = 90
	shortHash     = 8 // characters of the audit log's head that people compare by eye
)

// digest draws the message and the messages of its thread.
func digest(v voice, d commands.Digest) (message, []message) {
	blocks := digestTop(v, d, 24)
	if long(blocks) > digestRoom-500 {
		blocks = digestTop(v, d, 0)
	}

	tail := digestTail(v, d, waitingRows)
	for n := waitingRows - 1; n >= 0 && long(blocks, tail...) > digestRoom; n-- {
		tail = digestTail(v, d, n)
	}
	shown := 0
	for _, r := range firsts(d.Failing, digestRows) {
		b := rowBlock(v, r, shortName)
		if long(append(slices.Clone(blocks), b), tail...) > maxText-200 {
			break
		}
		blocks, shown = append(blocks, b), shown+1
	}
	if rest := d.FailingAll - shown; rest > 0 {
		blocks = append(blocks, small(v.say("digest.more", arg{"Count": rest})))
	}
	return newMessage(v, append(blocks, tail...)), digestThread(v, d, shown)
}

// digestTop is what comes before the accounts. Names are cut to a length, or left out.
func digestTop(v voice, d commands.Digest, names int) []slack.Block {
	blocks := []slack.Block{
		heading(v.say("digest.title", arg{"Scanned": d.Coverage.Scanned, "Listed": d.Coverage.Listed, "Failing": d.FailingAll})),
		small(coverageLines(v, d, names)...),
	}
	if s := cautions(v, d); s != "" {
		blocks = append(blocks, para(s))
	}
	if !d.Since.IsZero() || len(d.Changes) > 0 {
		blocks = append(blocks, para(changeLines(v, d, names)))
	}
	return append(blocks, countBlocks(v, d.Counts)...)
}

// long is how many characters the top-level text of the blocks would have, were it not cut.
func long(blocks []slack.Block, more ...slack.Block) int {
	return utf8.RuneCountInString(spoken(append(slices.Clone(blocks), more...)))
}

// coverageLines say why some accounts were not looked at, and since when the changes count.
func coverageLines(v voice, d commands.Digest, names int) []string {
	var lines []string
	if s := whyNot(v, d.Coverage, names); s != "" {
		lines = append(lines, s)
	}
	if run := d.Coverage.Run; !run.Finished.IsZero() {
		lines = append(lines, v.say("digest.checked", arg{"When": v.when(run.Finished)}))
	}
	if d.Since.IsZero() {
		lines = append(lines, v.say("digest.first"))
	} else {
		lines = append(lines, v.say("digest.since", arg{"When": v.when(d.Since)}))
	}
	if d.Missed > 0 {
		lines = append(lines, v.say("digest.missed", arg{"Count": d.Missed}))
	}
	return lines
}

// whyNot says of the accounts that were not scanned why, the most frequent cause first. Names are cut to a length, or left out.
func whyNot(v voice, c commands.Coverage, names int) string {
	var parts []string
	reasons := slices.Sorted(maps.Keys(c.Why))
	slices.SortStableFunc(reasons, func(a, b posture.Reason) int { return c.Why[b] - c.Why[a] })
	for _, r := range firsts(reasons, 6) {
		s := v.say("coverage.why", arg{"Count": c.Why[r], "Why": gapPhrase(v, r)})
		if who := c.Who[r]; names > 0 && len(who) > 0 && len(who) == c.Why[r] { // of many no few stand for the rest
			s = v.say("coverage.who", arg{"Count": len(who), "Who": accountNames(v, who, names), "Why": gapPhrase(v, r)})
		}
		if fix := gapFix(v, r); fix != "" {
			s += " " + fix
		}
		parts = append(parts, s)
	}
	for _, g := range firsts(c.Gaps, 3) {
		parts = append(parts, v.say("coverage.source", arg{"Source": outside(g.Source, shortName), "Why": gapPhrase(v, g.Gap.Reason)})+" "+gapFix(v, g.Gap.Reason))
	}
	return strings.TrimSpace(strings.Join(parts, "\n"))
}

func accountNames(v voice, names []string, length int) string {
	var all []string
	for _, n := range names {
		all = append(all, outside(n, length).mrkdwn())
	}
	return v.list(all)
}

// cautions are what the reader must know about how the bot runs.
func cautions(v voice, d commands.Digest) string {
	lines := troubleLines(v, d.Troubles)
	if d.Paused.Paused {
		lines = append(lines, v.say("switch.paused", arg{"By": user(d.Paused.By), "When": v.when(d.Paused.At)})+" "+quote(cut(d.Paused.Reason, 120)))
	}
	if d.DryRun {
		lines = append(lines, v.say("switch.dry_run"))
	}
	if !d.TwoPerson {
		lines = append(lines, v.say("caution.one_person"))
	}
	if s := groupList(d.Unreadable); s != "" {
		lines = append(lines, v.say("caution.groups", arg{"Groups": s}))
	}
	for _, r := range firsts(d.Emergency, emergencyRows) {
		lines = append(lines, v.say("caution.break_glass", arg{"By": user(r.Opener.User), "Key": keyName(v, r.Key), "Account": accountName(r.Account), "Reason": quote(cut(r.Reason, 80))}))
	}
	if n := len(d.Emergency) - emergencyRows; n > 0 {
		lines = append(lines, v.say("digest.more_emergencies", arg{"Count": n}))
	}
	return strings.Join(lines, "\n")
}

// troubleLines say what the operator must mend about the bot itself, as the notices said it.
func troubleLines(v voice, all []commands.Trouble) []string {
	var lines []string
	for _, t := range all {
		if id := "notice." + string(t.Notice); v.has(id) {
			lines = append(lines, v.say(id, arg{"What": "`" + outside(t.What, troubleLength).mrkdwn() + "`"}))
		}
	}
	return lines
}

func groupList(groups []string) string {
	var names []string
	for _, g := range firsts(groups, 10) {
		names = append(names, "`"+outside(g, 40).mrkdwn()+"`")
	}
	return strings.Join(names, ", ")
}

func accountName(id posture.AccountID) string { return "`" + outside(string(id), 20).mrkdwn() + "`" }

// changeLines say what got worse and better since the last digest: in numbers, and the first few by name.
func changeLines(v voice, d commands.Digest, length int) string {
	changes := d.Changes
	if len(changes) == 0 {
		return v.say("digest.no_change")
	}
	counts := map[posture.Change]int{}
	for _, c := range changes {
		counts[c.Change]++
	}
	var parts, lines []string
	for _, c := range []posture.Change{posture.New, posture.Worse, posture.Lost, posture.Better, posture.Resolved, posture.Gone} {
		if n := counts[c]; n > 0 {
			parts = append(parts, v.say("change."+string(c), arg{"Count": n}))
		}
	}
	names := map[posture.AccountID]string{}
	for _, r := range d.Failing {
		if length > 0 {
			names[r.Account.ID] = "*" + outside(r.Account.Label(), length).mrkdwn() + "* "
		}
	}
	for _, c := range firsts(changes, 5) {
		f := c.After
		if f.Control == "" {
			f = c.Before
		}
		lines = append(lines, v.say("change.line."+string(c.Change), arg{"Account": names[f.Account] + place{c.Key.Source, f.Account, ""}.shown(), "Control": title(v, f.Control)}))
	}
	s := v.say("digest.changes", arg{"Changes": v.list(parts)}) + "\n" + strings.Join(lines, "\n")
	if n := len(changes) - len(lines); n > 0 {
		s += "\n" + v.say("digest.more_changes", arg{"Count": n})
	}
	return s
}

// shown names the place as text. A finding of a whole organization names no account.
func (p place) shown() string {
	if p.Account == "" {
		return outside(p.Source, shortName).mrkdwn()
	}
	return accountName(p.Account)
}

// countBlocks are the numbers by control: what fails, and in small type what could not be read.
func countBlocks(v voice, counts map[posture.Control]map[posture.Status]int) []slack.Block {
	var failed, unread []string
	for _, c := range posture.Controls() {
		if n := counts[c.Slug][posture.Failed]; n > 0 {
			failed = append(failed, "*"+itoa(n)+"* "+fails(v, c.Slug))
		}
		if n := counts[c.Slug][posture.NotAvailable]; n > 0 {
			unread = append(unread, v.say("count.one", arg{"Control": title(v, c.Slug), "Number": n}))
		}
	}
	var blocks []slack.Block
	if len(failed) > 0 {
		blocks = append(blocks, para(v.say("count.failed", arg{"What": strings.Join(failed, " · ")})))
	}
	if len(unread) > 0 {
		blocks = append(blocks, small(v.say("count.unread", arg{"What": strings.Join(unread, " · ")})))
	}
	return blocks
}

// fails says in two or three words what it means that a control fails.
func fails(v voice, c posture.Control) string {
	if id := "fails." + string(c); v.has(id) {
		return v.say(id)
	}
	return title(v, c)
}

// rowLine is an account in one line: its name, its id, what fails.
func rowLine(v voice, r commands.Row, names int) string {
	var failing []string
	for _, f := range r.Failed {
		failing = append(failing, fails(v, f.Control))
	}
	said := v.list(failing)
	switch {
	case len(failing) > 0:
	case len(r.Gaps) > 0:
		said = v.say("row.gaps", arg{"Count": len(r.Gaps)})
		if s := lastKnown(v, firsts(r.Before, 1)); s != "" {
			said += " · " + s
		}
	case r.NoAccess:
		said = v.say("row.no_access")
	default:
		said = v.say("row.fine")
	}
	if r.Blocked {
		said += " · " + v.say("row.blocked")
	}
	if r.Open > 0 {
		said += " · " + v.say("row.open", arg{"Count": r.Open})
	}
	return worst(r.Failed, r.Gaps) + " *" + outside(r.Account.Label(), names).mrkdwn() + "* " + where(r) + "\n" + said
}

// where names the account of a row by id, and where that is not enough by its `aws` entry as well, as people can type it.
func where(r commands.Row) string {
	if r.Twice {
		return "`" + outside(r.Account.Source, shortName).mrkdwn() + "/" + outside(string(r.Account.ID), 20).mrkdwn() + "`"
	}
	return accountName(r.Account.ID)
}

// rowBlock is an account in a list, with the button that opens it.
func rowBlock(v voice, r commands.Row, names int) slack.Block {
	a := r.Account
	about := v.say("about.show", arg{"Account": outside(a.Label(), 40).plain()})
	open := button(actShow, place{a.Source, a.ID, ""}.value(), v.say("button.show"), about)
	return paraWith(rowLine(v, r, names), open)
}

// digestTail is what waits for somebody, what is being watched, and the audit log's head.
func digestTail(v voice, d commands.Digest, rows int) []slack.Block {
	blocks := []slack.Block{}
	waiting, watching := waitingLines(v, d, rows)
	if len(waiting)+len(watching) > 0 {
		blocks = append(blocks, line())
	}
	if len(waiting) > 0 {
		blocks = append(blocks, para("*"+v.say("digest.waiting")+"*\n"+strings.Join(waiting, "\n")))
	}
	if len(watching) > 0 {
		blocks = append(blocks, para("*"+v.say("digest.watching")+"*\n"+strings.Join(watching, "\n")))
	}
	if d.Muted > 0 {
		blocks = append(blocks, small(v.say("digest.muted", arg{"Count": d.Muted})))
	}
	if s := headLine(v, d.Head); s != "" {
		blocks = append(blocks, small(s))
	}
	return blocks
}

// headLine says in a line how long the audit log is, for people. The head itself is long, and stands in the thread.
func headLine(v voice, text string) string {
	head, err := audit.ParseHead(text)
	if err != nil {
		return ""
	}
	id := "digest.head"
	if text == head.String() {
		id = "digest.head_unsigned"
	}
	return v.say(id, arg{"Count": headSize(head), "Hash": "`" + head.Hash.String()[:shortHash] + "…`"})
}

// headMessage is the head as it was signed, to be copied whole.
func headMessage(v voice, text string) message {
	return newMessage(v, []slack.Block{para(v.say("digest.head_whole", arg{"Head": headCode(text)}))})
}

// waitingLines parts what waits for somebody from what only time brings on. A watch that is over waits for somebody.
func waitingLines(v voice, d commands.Digest, rows int) (waiting, watching []string) {
	var over, on []remediation.Request
	for _, r := range d.Watching {
		if r.Remaining() == 0 {
			over = append(over, r)
		} else {
			on = append(on, r)
		}
	}
	told := func(o commands.Owner) string {
		return v.say("waiting.owner", arg{"Who": ownerName(v, o), "Account": accountName(o.Account), "Count": o.Told, "When": v.when(o.ToldAt)})
	}
	asked := func(id string) func(remediation.Request) string {
		return func(r remediation.Request) string { return v.say(id, requestArgs(v, r)) }
	}
	waiting = append(someLines(v, d.Pending, rows, asked("waiting.confirmation")), someLines(v, over, rows, asked("waiting.watch_over"))...)
	return append(waiting, someLines(v, d.Waiting, rows, told)...), someLines(v, on, rows, asked("waiting.watch"))
}

// someLines says the first of all, and how many more there are.
func someLines[T any](v voice, all []T, rows int, say func(T) string) []string {
	var lines []string
	for _, one := range firsts(all, rows) {
		lines = append(lines, say(one))
	}
	if n := len(all) - rows; n > 0 {
		lines = append(lines, v.say("digest.more_waiting", arg{"Count": n}))
	}
	return lines
}

func ownerName(v voice, o commands.Owner) string {
	switch {
	case o.User != "":
		return v.name(o.User) // who is written to anyway need not be rung by each digest as well
	case o.Claim != "":
		return user(o.Claim)
	default:
		return v.say("owner.none")
	}
}

func requestArgs(v voice, r remediation.Request) arg {
	return arg{
		"By": user(r.Requester.User), "Key": keyName(v, r.Key), "Account": accountName(r.Account), "Until": v.when(r.Deadline),
		"Left": v.span(r.Remaining()), "What": v.say(want(r.Present().Act, r.Means)), "State": v.say(stateTitle(r)), "When": v.when(r.Since),
		"ID": "`" + outside(string(r.ID), 60).mrkdwn() + "`",
	}
}

// digestThread is the rest: the organizational units, which sum up what no thread has room for, then the failing accounts
// that had no room above, and those that could not be looked at.
func digestThread(v voice, d commands.Digest, shown int) []message {
	var lines []string
	if units := unitLines(v, d.Units); len(units) > 0 {
		lines = append(lines, "*"+v.say("digest.units")+"*")
		lines = append(lines, units...)
	}
	for _, r := range d.Failing[min(shown, len(d.Failing)):] {
		lines = append(lines, strings.Replace(rowLine(v, r, shortName), "\n", " · ", 1))
	}
	if len(d.Unread) > 0 {
		lines = append(lines, "*"+v.say("digest.unread", arg{"Count": d.Coverage.Listed - d.Coverage.Scanned})+"*")
	}
	for _, r := range d.Unread {
		lines = append(lines, strings.Replace(rowLine(v, r, shortName), "\n", " · ", 1))
	}
	parts := chunk(lines, threadRoom)
	rest := max(0, d.FailingAll-len(d.Failing)) // of the unread ones the line above them counts all
	for len(parts) > threadParts {
		rest += strings.Count(parts[len(parts)-1], "\n") + 1
		parts = parts[:len(parts)-1]
	}
	if rest > 0 {
		parts = append(parts, v.say("digest.rest", arg{"Count": rest}))
	}
	var messages []message
	for _, p := range parts {
		messages = append(messages, newMessage(v, []slack.Block{para(p)}))
	}
	return messages
}

func unitLines(v voice, units map[string]int) []string {
	names := slices.Sorted(maps.Keys(units))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(units[b], units[a]) })
	var lines []string
	for _, u := range firsts(names, 20) {
		if units[u] > 0 {
			lines = append(lines, v.say("digest.unit", arg{"Unit": outside(u, nameLength), "Count": units[u]}))
		}
	}
	return lines
}

// chunk joins lines to texts of at most limit characters.
func chunk(lines []string, limit int) []string {
	var parts []string
	var b strings.Builder
	n := 0
	for _, l := range lines {
		l = fit(l, limit)
		size := len([]rune(l)) + 1
		if n > 0 && n+size > limit {
			parts = append(parts, b.String())
			b.Reset()
			n = 0
		}
		if n > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l)
		n += size
	}
	if n > 0 {
		parts = append(parts, b.String())
	}
	return parts
}
