package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/posture"
)

//go:embed page.html
var pageText string

// page is what the page's template is given. Accounts is ranged over once.
type page struct {
	object
	Controls []tallied
	Columns  []posture.ControlInfo
	Verdict  string
	Class    string
	rows     *app.Rows
	failed   error
}

// tallied is a control with its counts.
type tallied struct {
	posture.ControlInfo
	posture.Tally
}

// Accounts yields the rows for the template, which cannot take an error: the first one ends it and is kept.
func (p *page) Accounts() iter.Seq[app.Row] {
	return func(yield func(app.Row) bool) {
		for r, err := range p.rows.All() {
			if err != nil {
				p.failed = err
				return
			}
			if !yield(r) {
				return
			}
		}
	}
}

// HTML writes one page that needs nothing else: no script, no font, no picture, nothing from the network. It prints well.
func HTML(w io.Writer, c *app.Checked) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"clean": clean, "number": number, "count": count, "heading": heading, "prose": prose,
		"column": func(i int) int { return i + 3 }, // after the account and its name, counted from 1
		"ownUse": func() string { return ownUse },
		"when":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
		"lower":  func(s posture.Severity) string { return strings.ToLower(string(s)) },
		"cell":   cell, "label": func(r app.Row) string { return clean(r.Label()) },
		"finding": func(r app.Row, c posture.Control) app.RowFinding { f, _ := r.Finding(c); return f },
		"unit":    unitOf, "way": wayOf, "fix": fixOf, "shown": func(f app.RowFinding) bool {
			return f.Status != posture.Passed && f.Status != posture.NotApplicable
		},
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	p := &page{object: objectOf(c), Columns: perAccount(), rows: c.Rows}
	for _, info := range posture.Controls() {
		p.Controls = append(p.Controls, tallied{info, c.Run.Controls[info.Slug]})
	}
	p.Verdict, p.Class = verdict(c)
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return p.failed
}

// fixOf is what to do about a finding. What nobody can be told here has no fix that belongs beside each account.
func fixOf(f app.RowFinding) string {
	if f.Gap == nil || app.Untold(f.Control, f.Gap) {
		return ""
	}
	return f.Gap.Fix
}

// prose is a sentence of ours, with what it puts between backticks as code.
func prose(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(template.HTMLEscapeString(s), "`") {
		switch {
		case i == 0:
		case i%2 == 1:
			b.WriteString("<code>")
		default:
			b.WriteString("</code>")
		}
		b.WriteString(part)
	}
	if strings.Count(s, "`")%2 == 1 {
		b.WriteString("</code>")
	}
	return template.HTML(b.String()) //nolint:gosec // Every part of it is escaped above.
}

// unitOf is the account's organizational unit by name. A check knows ids only, which say nothing to anybody.
func unitOf(r app.Row) string {
	if r.Unit == "/" || strings.Contains(r.Unit, "/ou-") {
		return ""
	}
	return clean(r.Unit)
}

// wayOf says how the account was looked into, as evidence for whoever has to rely on it. It says nothing of one that could
// not be judged.
func wayOf(r app.Row) string {
	switch {
	case !r.Scanned:
		return ""
	case r.Via == "assume-root":
		return "Read in a privileged session that may only look"
	case r.Via == "role":
		return "Read by a read-only role in the account"
	case r.Via == "own":
		return "Read by the bot's own identity"
	default:
		return ""
	}
}

// cell is a status as a word and as the class of its cell.
func cell(s posture.Status) [2]string {
	switch s {
	case posture.Failed:
		return [2]string{"fail", "fails"}
	case posture.Passed:
		return [2]string{"ok", "ok"}
	case posture.NotApplicable:
		return [2]string{"none", "–"}
	case posture.NotAvailable, posture.StatusUnknown:
		return [2]string{"unread", "not read"}
	default:
		return [2]string{"unread", "not read"}
	}
}
