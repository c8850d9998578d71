package report

import (
	"strconv"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// palette colours text for a terminal. Without colours it returns text as it is: a meaning is never in the colour alone.
type palette struct{ on bool }

func (p palette) paint(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p palette) bold(s string) string   { return p.paint("1", s) }
func (p palette) dim(s string) string    { return p.paint("2", s) }
func (p palette) red(s string) string    { return p.paint("1;31", s) }
func (p palette) yellow(s string) string { return p.paint("33", s) }
func (p palette) green(s string) string  { return p.paint("32", s) }

func decimal(n int) string { return strconv.Itoa(n) }

// mark is a status in a cell.
func (p palette) mark(s posture.Status, columns int) string {
	switch s {
	case posture.Failed:
		return p.red(pad("FAIL", columns))
	case posture.Passed:
		return p.green(pad("ok", columns))
	case posture.NotApplicable:
		return p.dim(pad("-", columns))
	case posture.NotAvailable, posture.StatusUnknown:
		return p.yellow(pad("?", columns))
	default:
		return p.yellow(pad("?", columns))
	}
}
