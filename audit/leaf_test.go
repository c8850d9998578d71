package audit_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
)

func TestEveryRecordIsReadBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := audit.Leaf{Seq: rapid.Int64Range(0, 1<<40).Draw(t, "seq"), Event: events().Draw(t, "event"), Replica: texts().Draw(t, "replica")}
		raw, err := audit.Encode(l)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		if !utf8.Valid(raw) || strings.ContainsAny(string(raw), "\r\n") {
			t.Fatalf("not one line of UTF-8: %q", raw)
		}
		back, err := audit.Decode(raw)
		if err != nil {
			t.Fatalf("decode %s: %v", raw, err)
		}
		if diff := cmp.Diff(l.Normal(), back); diff != "" {
			t.Fatalf("read back otherwise (-written +read):\n%s", diff)
		}
		if again := back.Normal(); !cmp.Equal(again, back) {
			t.Fatalf("a normal leaf is not its own normal form: %s", cmp.Diff(back, again))
		}
	})
}

func TestNothingButTheCanonicalBytesIsARecord(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"an empty one":                       func(string) string { return "" },
		"one with a space":                   func(s string) string { return strings.Replace(s, `:7,`, `: 7,`, 1) },
		"one with a newline at its end":      func(s string) string { return s + "\n" },
		"one followed by another":            func(s string) string { return s + s },
		"one with an unknown field":          func(s string) string { return strings.Replace(s, `"build"`, `"bulid"`, 1) },
		"one with a field twice":             func(s string) string { return strings.Replace(s, `"from"`, `"to":"x","from"`, 1) },
		"one with fields in another case":    func(s string) string { return strings.Replace(s, `"reason"`, `"Reason"`, 1) },
		"one with keys in another order":     func(s string) string { return strings.Replace(s, `"a":"1","b":""`, `"b":"","a":"1"`, 1) },
		"one with another escape":            func(s string) string { return strings.Replace(s, `<go>`, `\u003cgo>`, 1) },
		"one with an escaped solidus":        func(s string) string { return strings.Replace(s, `"r-1"`, `"r\/1"`, 1) },
		"one with an empty field written":    func(s string) string { return strings.Replace(s, `"acme"`, `""`, 1) },
		"one in another zone":                func(s string) string { return strings.Replace(s, `00.5Z`, `00.5+00:00`, 1) },
		"one with needless digits":           func(s string) string { return strings.Replace(s, `00.5Z`, `00.500Z`, 1) },
		"one with a number as a float":       func(s string) string { return strings.Replace(s, `"version":2`, `"version":2e0`, 1) },
		"one with a negative number":         func(s string) string { return strings.Replace(s, `"seq":7`, `"seq":-7`, 1) },
		"one with null":                      func(s string) string { return strings.Replace(s, `"acme"`, `null`, 1) },
		"one that is not UTF-8":              func(s string) string { return strings.Replace(s, `acme`, "ac\xffme", 1) },
		"one with an unpaired surrogate":     func(s string) string { return strings.Replace(s, `acme`, `\ud800`, 1) },
		"one with a whole key id":            func(s string) string { return strings.Replace(s, `acme`, "AKIAIOSFODNN7EXAMPLE", 1) },
		"one with an outcome nobody knows":   func(s string) string { return strings.Replace(s, `"done"`, `"fine"`, 1) },
		"one by an unknown kind of actor":    func(s string) string { return strings.Replace(s, `"kind":"user"`, `"kind":"root"`, 1) },
		"one with an action that is no verb": func(s string) string { return strings.Replace(s, `remediation.confirmed`, `remediation`, 1) },
		"one that is too long":               func(s string) string { return strings.Replace(s, `acme`, strings.Repeat("a", 70_000), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			raw := change(golden)
			if raw == golden {
				t.Fatal("the case changes nothing")
			}
			if l, err := audit.Decode([]byte(raw)); !errors.Is(err, audit.ErrNotCanonical) {
				t.Errorf("got %+v, %v", l, err)
			}
		})
	}

	later := strings.Replace(golden, "remediation.confirmed", "remediation.celebrated", 1)
	if _, err := audit.Decode([]byte(later)); err != nil {
		t.Errorf("an action of a later version is no reason to refuse: %v", err)
	}
}

func TestWhatCannotBeRecordedIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*audit.Event){
		"without a time":                   func(e *audit.Event) { e.At = time.Time{} },
		"in a year of five digits":         func(e *audit.Event) { e.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"without an actor":                 func(e *audit.Event) { e.Actor = audit.Actor{} },
		"without an outcome":               func(e *audit.Event) { e.Outcome = "" },
		"without an action":                func(e *audit.Event) { e.Action = "" },
		"with an action nobody named":      func(e *audit.Event) { e.Action = "remediation.celebrated" },
		"with a whole access key id":       func(e *audit.Event) { e.Key = "AKIAIOSFODNN7EXAMPLE" },
		"with more than a record can hold": func(e *audit.Event) { e.Reason = strings.Repeat("a", 70_000) },
	} {
		t.Run(name, func(t *testing.T) {
			e := event(0)
			spoil(&e)
			log := &table{}
			if x, err := audit.Extend(0, log, audit.Origin{}, event(1), e); err == nil {
				t.Errorf("recorded as %s", x.Records)
			}
		})
	}
}

func TestSecretsTypedIntoTextAreMasked(t *testing.T) {
	for in, want := range map[string]string{
		"key AKIAIOSFODNN7EXAMPLE leaked":          "key AKIA…MPLE leaked",
		"AKIAIOSFODNN7EXAMPLE,ASIAIOSFODNN7EXAMPL": "AKIA…MPLE,ASIA…AMPL",
		"glued:XAKIAIOSFODNN7EXAMPLE":              "glued:XAKIA…MPLE",
		"lowerAKIAIOSFODNN7EXAMPLElower":           "lowerAKIA…MPLElower",
		"token xoxb-12-34-abCD.":                   "token xoxb-….",
		"xapp-1-A0-1-ff and xoxp-1":                "xapp-… and xoxp-…",
		"AKIA alone, ASIA too, xox, xapp- free":    "AKIA alone, ASIA too, xox, xapp- free",
		"AKIA…WXYZ":                                "AKIA…WXYZ",
		"bad \xff byte":                            "bad \uFFFD byte",
	} {
		e := event(0)
		e.Reason, e.Approvers, e.Detail = in, []string{in}, map[string]string{in: in}
		got := e.Normal()
		if got.Reason != want || got.Approvers[0] != want || got.Detail[want] != want {
			t.Errorf("%q is kept as %q, %q, %v, want %q", in, got.Reason, got.Approvers, got.Detail, want)
		}
		if e.Approvers[0] != in {
			t.Error("the caller's own event was changed")
		}
		if again := got.Normal(); again.Reason != want {
			t.Errorf("masking %q again gives %q", want, again.Reason)
		}
	}
}

// A constant that Actions leaves out would be refused when it is first needed.
func TestTheVocabularyListsEveryAction(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "action.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[audit.Action]bool{}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				t.Fatal("a constant has no value of its own")
			}
			literal, ok := v.Values[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s is no literal", v.Names[0])
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if declared[audit.Action(text)] {
				t.Errorf("%s is declared twice", text)
			}
			declared[audit.Action(text)] = true
		}
	}
	listed := map[audit.Action]bool{}
	for _, a := range audit.Actions() {
		listed[a] = true
		e := event(0)
		e.Action = a
		if err := e.Check(); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("declared and listed differ (-declared +listed):\n%s", diff)
	}
}

func TestAReceiptIsForItsOwnEventOnly(t *testing.T) {
	log := &table{}
	e := event(0)
	e.Action, e.Outcome, e.Request, e.Version = audit.RemediationAttempted, audit.OutcomeAttempt, "r-9", 4
	x := log.extend(t, event(1), e)
	r := audit.Sealed(x.Leaves[1], x.Head)

	if !r.Valid() || r.Seq() != 1 || !r.At().Equal(e.At) || r.Head() != x.Head || r.Event().Request != "r-9" {
		t.Errorf("got %+v", r)
	}
	if !r.For(audit.RemediationAttempted, "r-9", 4) {
		t.Error("the receipt is not for its own attempt")
	}
	for name, is := range map[string]bool{
		"another action":  r.For(audit.RemediationDeleted, "r-9", 4),
		"another request": r.For(audit.RemediationAttempted, "r-8", 4),
		"another version": r.For(audit.RemediationAttempted, "r-9", 5),
	} {
		if is {
			t.Errorf("the receipt is for %s too", name)
		}
	}

	r.Event().Approvers[0] = "U0EVIL"
	x.Leaves[1].Detail["means"] = "changed"
	if got := r.Event(); got.Approvers[0] != "U024BE7LH" || got.Detail["means"] != "organization" {
		t.Error("a receipt can be changed from outside")
	}
}

func TestNoReceiptWithoutACommittedRecord(t *testing.T) {
	log := &table{}
	x := log.extend(t, event(0))
	for name, r := range map[string]audit.Receipt{
		"the zero receipt":                {},
		"a leaf outside the head":         audit.Sealed(audit.Leaf{Seq: 1, Event: event(0)}, x.Head),
		"a leaf with a negative number":   audit.Sealed(audit.Leaf{Seq: -1, Event: event(0)}, x.Head),
		"an event that cannot be written": audit.Sealed(audit.Leaf{Seq: 0}, x.Head),
	} {
		if r.Valid() || r.Seq() != -1 || r.For("", "", 0) || r.For(audit.RemediationConfirmed, "r-0", 2) {
			t.Errorf("%s vouches: %+v", name, r)
		}
	}
}

func TestAnActorIsReadInOneLine(t *testing.T) {
	for want, a := range map[string]audit.Actor{
		"user U024BE7LH (T012AB3C4)": audit.User("U024BE7LH", "T012AB3C4"),
		"system scheduler":           audit.System("scheduler"),
		"operator":                   audit.Operator(""),
	} {
		if a.String() != want {
			t.Errorf("got %q, want %q", a, want)
		}
	}
}
