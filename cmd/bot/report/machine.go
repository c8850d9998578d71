package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// object is the report for programs, without its accounts.
type object struct {
	Schema       int                               `json:"schema"` // grows when a field changes its meaning
	Version      string                            `json:"version"`
	Started      time.Time                         `json:"started"`
	Ended        time.Time                         `json:"ended"`
	Status       app.CheckStatus                   `json:"status"` // the exit status
	Coverage     coverage                          `json:"coverage"`
	Failing      int                               `json:"failing"`
	Unread       int                               `json:"unread"` // findings that failed to be read
	Untold       int                               `json:"untold"` // findings that no open way of looking can tell
	Severities   map[posture.Severity]int          `json:"severities"`
	Controls     map[posture.Control]posture.Tally `json:"controls"`
	Sources      []source                          `json:"sources"`
	Organization []posture.Finding                 `json:"organization"`
}

type coverage struct {
	Accounts int      `json:"accounts"`
	Scanned  int      `json:"scanned"`
	Sentence string   `json:"sentence"`
	Missing  []missed `json:"missing"`
	// Unmatched are the accounts that were asked for and that nobody listed.
	Unmatched []string `json:"unmatched,omitempty"`
}

func objectOf(c *app.Checked) object {
	o := object{
		Schema: 1, Version: c.Version, Started: c.Run.Started, Ended: c.Run.Ended, Status: c.Status(),
		Coverage: coverage{Accounts: c.Run.Total(), Scanned: c.Run.Scanned, Sentence: c.Run.Coverage(), Missing: missing(c), Unmatched: c.Unmatched},
		Failing:  c.Run.Failing(), Unread: c.Unread(), Untold: c.Untold, Severities: c.Run.Severities, Controls: c.Run.Controls,
		Sources: sources(c), Organization: c.Organization,
	}
	if o.Severities == nil {
		o.Severities = map[posture.Severity]int{}
	}
	if o.Controls == nil {
		o.Controls = map[posture.Control]posture.Tally{}
	}
	if o.Organization == nil {
		o.Organization = []posture.Finding{}
	}
	return o
}

// JSON writes one object whose "accounts" is a list, worst first.
func JSON(w io.Writer, c *app.Checked) error {
	head, err := json.MarshalIndent(objectOf(c), "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	out := bufio.NewWriter(w)
	put := func(s string) { _, _ = out.WriteString(s) }                   // an error comes out of Flush
	put(strings.TrimSuffix(string(head), "\n}") + ",\n  \"accounts\": [") // the accounts are written one by one
	first := true
	for r, err := range c.Rows.All() {
		if err != nil {
			return err
		}
		if !first {
			put(",")
		}
		first = false
		b, err := json.MarshalIndent(r, "    ", "  ")
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		put("\n    " + string(b))
	}
	if !first {
		put("\n  ")
	}
	put("]\n}\n")
	return out.Flush()
}

// CSV writes a line for each account and control. What spreadsheets would take for a formula is prefixed with an
// apostrophe. https://owasp.org/www-community/attacks/CSV_Injection
func CSV(w io.Writer, c *app.Checked) error {
	out := csv.NewWriter(w)
	write := func(cells ...string) {
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		_ = out.Write(cells) // The error stays in the writer and comes out below.
	}
	write("account", "name", "source", "unit", "state", "role", "control", "severity", "status", "reason", "gap", "fix", "at")
	for _, f := range c.Organization {
		gap, fix := gapCells(f.Gap)
		write("", "", f.Source, "", "", "", string(f.Control), string(f.Severity), string(f.Status), f.Reason, gap, fix, f.At.UTC().Format(time.RFC3339))
	}
	for r, err := range c.Rows.All() {
		if err != nil {
			return err
		}
		for _, f := range r.Findings {
			gap, fix := gapCells(f.Gap)
			write(string(r.ID), r.Label(), r.Source, r.Unit, r.State, string(r.Role), string(f.Control), string(f.Severity),
				string(f.Status), f.Reason, gap, fix, f.At.Format(time.RFC3339))
		}
	}
	out.Flush()
	return out.Error()
}

func gapCells(g *posture.Gap) (reason, fix string) {
	if g == nil {
		return "", ""
	}
	return string(g.Reason), g.Fix
}

func harmless(cell string) string {
	cell = clean(cell)
	body := strings.TrimLeftFunc(cell, unicode.IsSpace)
	if body != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(body)[0]) {
		return "'" + cell
	}
	return cell
}
