package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// short is how many accounts a table shows whole. Past it, those with nothing to say are one line.
const short = 60

// nameColumns is how much of a name a table shows.
const nameColumns = 28

// Table writes the report for a terminal: coverage, a line for each account, then what fails and what could not be
// checked, in sentences.
func Table(w io.Writer, c *app.Checked, colour bool) error {
	t := &table{w: bufio.NewWriter(w), p: palette{colour}, c: c, blind: map[string]*blind{}, untellable: map[string]int{}}
	t.header()
	if c.Rows.Len() > 0 {
		if err := t.matrix(); err != nil {
			return err
		}
		if err := t.sentences(); err != nil {
			return err
		}
	}
	t.unread()
	t.untold()
	t.summary()
	return t.w.Flush()
}

type table struct {
	w     *bufio.Writer
	p     palette
	c     *app.Checked
	blind map[string]*blind // what could not be read, by reason

	untellable map[string]int // findings that no open way of looking tells, by control
}

// blind is what could not be read for one reason. Only the first accounts are named.
type blind struct {
	findings, accounts int
	fix                string
	named              []string
}

// nameable is how many accounts are named beside a reason.
const nameable = 5

// line writes one line; an error of the writer comes out of its Flush.
func (t *table) line(format string, args ...any) { _, _ = fmt.Fprintf(t.w, format+"\n", args...) }

func (t *table) header() {
	run := t.c.Run
	coverage := run.Coverage()
	paint := t.p.green
	if run.Scanned < run.Total() || run.Total() == 0 || len(t.c.Gaps)+len(t.c.Unmatched) > 0 {
		paint = t.p.yellow
	}
	t.line("%s  %s", t.p.bold(strings.ToUpper(coverage[:1])+coverage[1:]), t.p.dim(run.Started.Format("2006-01-02 15:04 UTC")+" · rootcheck "+clean(t.c.Version)))
	for _, m := range missing(t.c) {
		t.line("%s", paint(fmt.Sprintf("  not scanned: %s, because %s", count(m.Accounts, "account"), m.Phrase)))
	}
	for _, g := range t.c.Gaps {
		t.line("%s", paint(fmt.Sprintf("  not listed: the accounts of %s, because %s", clean(g.Source), g.Gap.Reason.Phrase())))
	}
	if asked := t.c.Unmatched; len(asked) > 0 {
		t.line("%s", paint("  not found: "+clean(strings.Join(asked, ", "))+", of which no account has the id, name or alias"))
	}
	t.line("")
}

// quiet reports whether a row says nothing that a reader must see: nothing fails, and nothing was looked up in vain. What
// no open way of looking could tell is said of all accounts at once, below.
func quiet(r app.Row) bool {
	for _, f := range r.Findings {
		switch f.Status {
		case posture.Passed, posture.NotApplicable:
		case posture.NotAvailable:
			if !app.Untold(f.Control, f.Gap) {
				return false
			}
		case posture.Failed, posture.StatusUnknown:
			return false
		default:
			return false
		}
	}
	return true
}

func (t *table) matrix() error {
	controls := perAccount()
	var head strings.Builder
	head.WriteString(pad("ACCOUNT", 14) + pad("NAME", nameColumns+2))
	for _, c := range controls {
		head.WriteString(pad(heading(c.Slug), 6))
	}
	t.line("%s", t.p.dim(strings.TrimRight(head.String(), " ")))
	left := 0
	for r, err := range t.c.Rows.All() {
		if err != nil {
			return err
		}
		if t.c.Rows.Len() > short && quiet(r) {
			left++
			continue
		}
		var cells strings.Builder
		cells.WriteString(pad(fit(string(r.ID), 12), 14) + pad(fit(r.Label(), nameColumns), nameColumns+2))
		for _, c := range controls {
			f, _ := r.Finding(c.Slug)
			cells.WriteString(t.p.mark(f.Status, 6))
		}
		t.line("%s", strings.TrimRight(cells.String(), " "))
	}
	if left > 0 {
		what := "nothing fails"
		if t.c.Untold > 0 {
			what = "nothing that can be told fails"
		}
		t.line("%s", t.p.dim(fmt.Sprintf("and %s where %s", count(left, "account"), what)))
	}
	legend := make([]string, 0, len(controls))
	for _, c := range controls {
		legend = append(legend, heading(c.Slug)+" "+string(c.Slug))
	}
	t.line("%s\n", t.p.dim("ok passed · FAIL failed · ? could not be checked · - does not apply\n"+strings.Join(legend, " · ")))
	return nil
}

// sentences writes each failed finding as a sentence, and counts the missing ones by their reason.
func (t *table) sentences() error {
	title := false
	begin := func() {
		if !title {
			t.line("%s", t.p.bold("What fails"))
			title = true
		}
	}
	for _, f := range t.c.Organization {
		switch f.Status {
		case posture.Failed:
			begin()
			t.finding(f.Severity, "organization "+f.Source, f.Control, f.Reason)
		case posture.NotAvailable:
			t.count(f.Gap)
		case posture.Passed, posture.NotApplicable, posture.StatusUnknown:
		}
	}
	used := map[string]bool{} // the entries in which a root key was used
	for r, err := range t.c.Rows.All() {
		if err != nil {
			return err
		}
		seen := map[*blind]bool{}
		for _, f := range r.Findings {
			switch f.Status {
			case posture.Failed:
				begin()
				used[r.Source] = used[r.Source] || f.Code == posture.CodeKeyUse || f.Code == posture.CodeSignInAndKeyUse
				t.finding(f.Severity, who(r), f.Control, f.Reason)
			case posture.NotAvailable, posture.StatusUnknown:
				if f.Status == posture.NotAvailable && app.Untold(f.Control, f.Gap) {
					t.untellable[string(f.Control)]++
					break
				}
				if b := t.count(f.Gap); !seen[b] {
					seen[b] = true
					b.name(who(r))
				}
			case posture.Passed, posture.NotApplicable:
			}
		}
	}
	for _, s := range t.c.OwnUse {
		if used[s] {
			t.line("  %s", t.p.dim(clean(s)+": "+ownUse))
		}
	}
	if title {
		t.line("")
	}
	return nil
}

// ownUse says that uses of the root key of an entry with a root profile may be the bot's own.
const ownUse = "a running bot's own readings with root_profile count as uses of the root key, and are shown like any other."

func (t *table) finding(s posture.Severity, who string, c posture.Control, reason string) {
	severity := pad(strings.ToLower(string(s)), 9)
	if s == posture.Critical || s == posture.High {
		severity = t.p.red(severity)
	} else {
		severity = t.p.yellow(severity)
	}
	t.line("  %s %s %s %s", severity, pad(clean(who), nameColumns+15), t.p.dim(pad(string(c), 18)), clean(reason))
}

// who is an account as a sentence names it.
func who(r app.Row) string { return fit(r.Label(), nameColumns) + " (" + fit(string(r.ID), 12) + ")" }

func (t *table) count(g *posture.Gap) *blind {
	if g == nil {
		g = &posture.Gap{}
	}
	key := g.Reason.Phrase()
	if t.blind[key] == nil {
		t.blind[key] = &blind{}
	}
	b := t.blind[key]
	b.findings++
	if g.Fix != "" {
		b.fix = g.Fix
	}
	return b
}

func (b *blind) name(who string) {
	b.accounts++
	if len(b.named) < nameable {
		b.named = append(b.named, who)
	}
}

// unread says why things could not be checked, and what to do about it.
func (t *table) unread() {
	if len(t.blind)+len(t.c.Gaps) == 0 {
		return
	}
	t.line("%s", t.p.bold("What could not be checked"))
	for _, g := range t.c.Gaps {
		t.line("  %s %s", t.p.yellow("the accounts of "+clean(g.Source)+":"), g.Gap.Reason.Phrase())
		t.detail(g.Gap)
	}
	findings := map[string]int{}
	for why, b := range t.blind {
		findings[why] = b.findings
	}
	for _, why := range byCount(findings) {
		b := t.blind[why]
		t.line("  %s %s", t.p.yellow(count(b.findings, "finding")+":"), why)
		if len(b.named) > 0 {
			in := strings.Join(b.named, ", ")
			if more := b.accounts - len(b.named); more > 0 {
				in += " and " + number(more) + " more"
			}
			t.line("      %s", t.p.dim("in "+in))
		}
		if b.fix != "" {
			t.line("      %s", t.p.dim(clean(b.fix)))
		}
	}
	t.line("")
}

// untold says what AWS tells nobody by the ways that are open.
func (t *table) untold() {
	if t.c.Untold == 0 {
		return
	}
	t.line("%s", t.p.bold("What this way of looking cannot tell"))
	var of []string
	for _, control := range byCount(t.untellable) {
		of = append(of, number(t.untellable[control])+" of "+control)
	}
	t.line("  %s %s", t.p.yellow(count(t.c.Untold, "finding")+":"), strings.Join(of, ", "))
	t.line("      %s\n", t.p.dim("AWS tells them by no way that is open here. "+posture.ReasonNotOffered.Fix()))
}

func (t *table) detail(g posture.Gap) {
	if g.Detail != "" {
		t.line("      %s", t.p.dim("AWS said: "+fit(g.Detail, 200)))
	}
	if g.Fix != "" {
		t.line("      %s", t.p.dim(clean(g.Fix)))
	}
}

func (t *table) summary() {
	text, class := verdict(t.c)
	paint := map[string]func(string) string{"fail": t.p.red, "unread": t.p.yellow, "ok": t.p.green}[class]
	t.line("%s", paint(text))
}

// verdict sums a report up in one sentence, and says whether that is "ok", "unread" or "fail".
func verdict(c *app.Checked) (text, class string) {
	var parts []string
	for _, s := range []posture.Severity{posture.Critical, posture.High, posture.Medium, posture.Low} {
		if n := c.Run.Severities[s]; n > 0 {
			parts = append(parts, number(n)+" "+strings.ToLower(string(s)))
		}
	}
	unread := len(c.Gaps)+len(c.Unmatched) > 0 || c.Unread() > 0 || c.Run.Scanned < c.Run.Total()
	switch {
	case c.Run.Total() == 0:
		return "Nothing was checked.", "fail"
	case len(parts) > 0 && unread:
		return "Failing: " + strings.Join(parts, ", ") + "; and not everything could be checked.", "fail"
	case len(parts) > 0:
		return "Failing: " + strings.Join(parts, ", ") + ".", "fail"
	case unread:
		return "Nothing that could be checked fails.", "unread"
	case c.Untold > 0:
		return "Everything that can be told passes.", "ok"
	default:
		return "Everything passes.", "ok"
	}
}
