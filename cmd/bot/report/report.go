// Package report writes what a check, the doctor or a verification found: for a terminal, for a program, for an auditor.
//
// The rules are:
//   - Coverage comes first, and says why the rest is missing. Nothing unknown looks like a pass.
//   - Names are written by strangers. On a terminal nothing of them moves the cursor, changes a colour or the direction of
//     writing; in a page they are escaped, in a table for spreadsheets they are no formula.
//   - Accounts come one at a time and are not kept.
package report

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// clean is a text as a terminal may show it: without control characters, which begin escape sequences, and without what
// changes the direction of writing or is not seen at all.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r == unicode.ReplacementChar, unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r),
			r == '\u2028', r == '\u2029', r == '\u115f', r == '\u1160', r == '\u3164', r == '\uffa0':
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// fit is a cleaned text of at most so many columns, with an ellipsis where it was longer. Marks take no column and may be
// piled up without end, so the characters are counted, too.
func fit(s string, columns int) string {
	s = clean(s)
	const marks = 4 // characters to a column, the marks of every living script among them
	if width(s) <= columns && utf8.RuneCountInString(s) <= marks*columns {
		return s
	}
	n, characters := 0, 0
	for i, r := range s {
		if n+runeWidth(r) > columns-1 || characters == marks*columns {
			return s[:i] + "…"
		}
		n += runeWidth(r)
		characters++
	}
	return s
}

// pad fills a text up to so many columns.
func pad(s string, columns int) string { return s + strings.Repeat(" ", max(0, columns-width(s))) }

func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is how many columns a character takes: two in East Asian writing and for most pictures, none for marks.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff,
		r >= 0x20000 && r <= 0x3fffd:
		return 2
	default:
		return 1
	}
}

// heading is a control's column in a table.
func heading(c posture.Control) string {
	switch c {
	case posture.RootAccessKey:
		return "KEY"
	case posture.RootMFA:
		return "MFA"
	case posture.RootActivity:
		return "USE"
	case posture.RootCertificate:
		return "CERT"
	case posture.RootHardwareMFA:
		return "HW"
	case posture.RootBackupMFA:
		return "2ND"
	case posture.RootPassword:
		return "PWD"
	case posture.CentralizedRootAccess:
		return "ORG"
	default:
		return strings.ToUpper(string(c))
	}
}

// perAccount are the controls that are judged on each account, in the order of the columns.
func perAccount() []posture.ControlInfo {
	return slices.DeleteFunc(posture.Controls(), func(c posture.ControlInfo) bool { return c.OrganizationWide })
}

// missed is a reason for which accounts or findings are missing, with its fix.
type missed struct {
	Reason   posture.Reason `json:"reason"`
	Accounts int            `json:"accounts"`
	Phrase   string         `json:"phrase"`
	Fix      string         `json:"fix,omitempty"`
}

func missing(c *app.Checked) []missed {
	list := []missed{}
	for _, m := range c.Run.Missing() {
		list = append(list, missed{Reason: m.Reason, Accounts: m.Accounts, Phrase: m.Reason.Phrase(), Fix: m.Reason.Fix()})
	}
	return list
}

func sources(c *app.Checked) []source {
	list := []source{}
	for _, o := range c.Organizations {
		s := source{
			Name: o.Source, Organization: o.ID, Management: string(o.Management), Partition: o.Partition, OwnUse: slices.Contains(c.OwnUse, o.Source),
		}
		for _, g := range c.Gaps {
			if g.Source == o.Source {
				s.Gap = &g.Gap
			}
		}
		list = append(list, s)
	}
	return list
}

// source is one `aws` entry of the settings.
type source struct {
	Name         string       `json:"name"`
	Organization string       `json:"organization,omitempty"`
	Management   string       `json:"management,omitempty"`
	Partition    string       `json:"partition,omitempty"`
	Gap          *posture.Gap `json:"gap,omitempty"`     // why its accounts could not be listed
	OwnUse       bool         `json:"own_use,omitempty"` // it has a root profile: a running bot's readings with it are uses of the root key
}

// count is so many of a thing.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return number(n) + " " + thing
}

// number is a count with its thousands apart.
func number(n int) string {
	s := []byte{}
	for i, d := range []byte(decimal(n)) {
		if left := len(decimal(n)) - i; i > 0 && left%3 == 0 {
			s = append(s, ',')
		}
		s = append(s, d)
	}
	return string(s)
}

func byCount[K cmp.Ordered](m map[K]int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	return keys
}
