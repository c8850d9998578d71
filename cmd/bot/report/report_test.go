package report

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestCleanTextMovesNothingOnATerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain text stays":                    {"acme-payments", "acme-payments"},
		"Korean stays":                        {"결제 계정", "결제 계정"},
		"an escape sequence loses its escape": {"a\x1b[2Jb", "a[2Jb"},
		"a C1 control sequence goes":          {"a\u009b2Jb", "a2Jb"},
		"a change of direction goes":          {"a\u202eb\u2066c", "abc"},
		"what is not seen goes":               {"a\u200bb\u2060c\ufeffd", "abcd"},
		"lines become one":                    {"a\nb\r\nc", "a b  c"},
		"broken UTF-8 goes":                   {"a\xffb", "ab"},
		"a bell and a null go":                {"a\x07\x00b", "ab"},
		"fillers that look like nothing go":   {"a\u3164b", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := clean(c.in); got != c.want {
				t.Errorf("%q became %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestNamesFitTheirColumn(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"short": "short", "exactly-10": "exactly-10", "more-than-10": "more-than…", "가나다라마바": "가나다라…"} {
		if got := fit(in, 10); got != want || width(got) > 10 {
			t.Errorf("%q became %q of %d columns, want %q", in, got, width(got), want)
		}
	}
}

func TestNumbersHaveTheirThousandsApart(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 12: "12", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "|cmd", "%x", "＝1", "  =1"} {
		if got := harmless(cell); got[0] != '\'' {
			t.Errorf("%q stays %q", cell, got)
		}
	}
	if got := harmless("acme"); got != "acme" {
		t.Errorf("acme became %q", got)
	}
}

func TestProgressSaysHowFarAndHowLong(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC)
	p := NewProgress(nil, false, func() time.Time { return now })
	for want, at := range map[string]app.Progress{
		"10 accounts looked at, 20 listed so far":                             {Done: 10, Listed: 20},
		"1 account looked at, 20 listed so far":                               {Done: 1, Listed: 20},
		"999 of 1,000 accounts looked at":                                     {Done: 999, Listed: 1000, Complete: true},
		"1 of 1 account looked at":                                            {Done: 1, Listed: 1, Complete: true},
		"1,000 of 4,000 accounts looked at, about 3m0s left":                  {Done: 1000, Listed: 4000, Complete: true},
		"19 of 20 accounts looked at, 1 to be looked at again, about 3s left": {Done: 19, Listed: 20, Again: 1, Complete: true},
		"20 of 20 accounts looked at":                                         {Done: 20, Listed: 20, Complete: true},
	} {
		if got := p.text(at, now.Add(time.Minute)); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

func TestNoBarIsDrawnBeforeItIsKnownOfHowMany(t *testing.T) {
	t.Parallel()
	if got := bar(app.Progress{Done: 19, Listed: 20}); got != "" {
		t.Errorf("19 of the first page's 20 accounts are drawn as %q", got)
	}
}

func TestTheBarIsDrawnOnATerminalOnlyAndTakenAwayAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { now = now.Add(time.Second); return now }
	var terminal, file bytes.Buffer
	for w, p := range map[*bytes.Buffer]*Progress{&terminal: NewProgress(&terminal, true, clock), &file: NewProgress(&file, false, clock)} {
		for done := range 20 {
			p.Show(app.Progress{Done: done, Listed: 20, Complete: true})
		}
		p.End()
		if w.Len() == 0 {
			t.Error("nothing was said about a check that took 20 s")
		}
	}
	if s := terminal.String(); !strings.Contains(s, "[████████████············] 10 of 20") || !strings.HasSuffix(s, "\r\x1b[K") {
		t.Errorf("the terminal shows %q", s)
	}
	if s := file.String(); strings.ContainsAny(s, "\r\x1b") || strings.Count(s, "\n") > 3 {
		t.Errorf("the file holds %q", s)
	}
}

func TestColourAddsNothingButColour(t *testing.T) {
	t.Parallel()
	with, without := palette{true}, palette{}
	for _, s := range []posture.Status{posture.Failed, posture.Passed, posture.NotApplicable, posture.NotAvailable, posture.StatusUnknown} {
		plain := without.mark(s, 6)
		if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(with.mark(s, 6), ""); got != plain || with.mark(s, 6) == plain {
			t.Errorf("%s: %q without colour, %q with it", s, plain, with.mark(s, 6))
		}
	}
	if without.mark(posture.StatusUnknown, 1) == without.mark(posture.Passed, 2) {
		t.Error("what is unknown looks like a pass")
	}
}

// named gathers the names of a type's fields as JSON has them.
func named(t reflect.Type, into map[string]bool) {
	if slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, t.Kind()) {
		named(t.Elem(), into)
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" && f.IsExported() {
			into[name] = true
			named(f.Type, into)
		}
	}
}

func TestEachFieldOfTheReportIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/REPORTS.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"accounts": true}
	named(reflect.TypeFor[object](), names)
	named(reflect.TypeFor[app.Row](), names)
	if len(names) < 40 {
		t.Fatalf("only %d fields were found", len(names))
	}
	for name := range names {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/REPORTS.md does not say what %s is", name)
		}
	}
}
