package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// Doctor writes what the doctor tried, line by line as it is known, or as one JSON object at the end.
type Doctor struct {
	w      io.Writer
	p      palette
	json   bool
	area   string
	probes []commands.Probe
	count  map[commands.ProbeStatus]int
	errs   error
}

// NewDoctor begins a report of the doctor.
func NewDoctor(w io.Writer, colour, asJSON bool) *Doctor {
	return &Doctor{w: w, p: palette{colour}, json: asJSON, count: map[commands.ProbeStatus]int{}}
}

// Probe writes one line, with its fix below where it failed.
func (d *Doctor) Probe(p commands.Probe) {
	d.count[p.Status]++
	if d.json {
		d.probes = append(d.probes, p)
		return
	}
	if p.Area != d.area {
		if d.area != "" {
			d.line("")
		}
		d.area = p.Area
		d.line("%s", d.p.bold(clean(p.Area)))
	}
	mark := d.p.green("  ok      ")
	switch p.Status {
	case commands.ProbeFailed:
		mark = d.p.red("  FAILED  ")
	case commands.ProbeSkipped:
		mark = d.p.dim("  skipped ")
	case commands.ProbeOK:
	}
	name := clean(p.Name)
	if p.Detail != "" {
		name = pad(name, 30) + "  " + d.p.dim(fit(p.Detail, 400))
	}
	d.line("%s%s", mark, name)
	const indent = "          "
	if p.Fix != "" {
		d.line("%s%s", indent, clean(p.Fix))
	}
	if p.Policy != "" {
		for l := range strings.Lines(p.Policy) {
			d.line("%s  %s", indent, d.p.yellow(clean(strings.TrimRight(l, "\n"))))
		}
	}
}

// End writes the sum, and returns the first error of writing.
func (d *Doctor) End() error {
	if d.json {
		e := json.NewEncoder(d.w)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{
			"ok": d.count[commands.ProbeOK], "failed": d.count[commands.ProbeFailed], "skipped": d.count[commands.ProbeSkipped], "probes": d.probes,
		})
	}
	d.line("")
	switch failed := d.count[commands.ProbeFailed]; failed {
	case 0:
		d.line("%s", d.p.green(fmt.Sprintf("All is well: %d ok, %d skipped.", d.count[commands.ProbeOK], d.count[commands.ProbeSkipped])))
	default:
		d.line("%s", d.p.red(fmt.Sprintf("%d failed, %d ok, %d skipped. Nothing was changed.", failed, d.count[commands.ProbeOK], d.count[commands.ProbeSkipped])))
	}
	return d.errs
}

func (d *Doctor) line(format string, args ...any) {
	_, err := fmt.Fprintf(d.w, format+"\n", args...)
	d.errs = errors.Join(d.errs, err)
}
