package audit_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
)

func exported(tb fataler, log *table) string {
	var out bytes.Buffer
	if n, err := audit.WriteJSONL(&out, log.records()); err != nil || n != int64(len(log.rows)) {
		tb.Fatalf("exported %d records: %v", n, err)
	}
	return out.String()
}

func checkExport(tb fataler, text string, c audit.Check) audit.Report {
	c.Records = audit.ReadJSONL(strings.NewReader(text))
	r, err := audit.Verify(context.Background(), c)
	if err != nil {
		tb.Fatalf("verify export: %v", err)
	}
	return r
}

func TestAnExportIsVerifiedByItselfAgainstTheSignedHeads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "records")
		log, c := written(t, n, n/2, n)
		text := exported(t, log)
		r := checkExport(t, text, c)
		found(t, r)
		if r.Witnessed != int64(n) {
			t.Fatalf("got %+v", r)
		}

		at := rapid.IntRange(0, len(text)-2).Draw(t, "byte")
		changed := text[:at] + string(rune(text[at]^1)) + text[at+1:]
		if r := checkExport(t, changed, c); r.OK() {
			t.Fatalf("byte %d can be changed", at)
		}
		lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
		k := rapid.IntRange(0, n-2).Draw(t, "line")
		found(t, checkExport(t, strings.Join(slices.Delete(slices.Clone(lines), k, k+1), ""), c), one(audit.Removed, k))
		found(t, checkExport(t, strings.Join(lines[:k], ""), c), many(audit.Truncated, k, n-1))
	})
}

func TestAnExportWithALineThatIsNoRecordNamesIt(t *testing.T) {
	log, c := written(t, 9, 9)
	lines := strings.Split(exported(t, log), "\n")
	lines[4] = strings.Replace(lines[4], "reason 4", "reason \\u0034", 1)
	r := checkExport(t, strings.Join(lines, "\n"), c)
	found(t, r, one(audit.Edited, 4))

	if r := checkExport(t, strings.ReplaceAll(exported(t, log), "\n", "\r\n"), c); r.OK() {
		t.Error("other line ends are other bytes, and pass")
	}

	_, err := audit.Verify(t.Context(), audit.Check{Records: audit.ReadJSONL(strings.NewReader(strings.Repeat("x", 1<<20)))})
	if !errors.Is(err, audit.ErrNotCanonical) {
		t.Errorf("a line without an end: %v", err)
	}
}

func TestASpreadsheetRunsNothingOfAnExport(t *testing.T) {
	log := &table{}
	attacks := []string{
		`=HYPERLINK("http://evil")`, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "|calc", "%0A", "plain", "", "a=b", `"=1"`, "\u00a0=1",
	}
	for i, a := range attacks {
		e := event(i)
		e.Reason, e.Version = a, -1
		e.Detail = map[string]string{"=k": a}
		log.extend(t, e)
	}
	var out bytes.Buffer
	if n, err := audit.WriteCSV(&out, log.records()); err != nil || n != int64(len(attacks)) {
		t.Fatalf("exported %d: %v", n, err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	reason := slices.Index(rows[0], "reason")
	for i, row := range rows[1:] {
		if len(row) != len(rows[0]) {
			t.Fatalf("row %d has %d cells", i, len(row))
		}
		for _, cell := range row {
			if trimmed := strings.TrimLeft(cell, " \t\r\n\u00a0"); trimmed != "" && strings.ContainsRune("=+-@＝|%", []rune(trimmed)[0]) {
				t.Errorf("cell %q runs", cell)
			}
		}
		// csv.Reader turns a carriage return before a newline into a newline; none of these has one.
		if got := strings.TrimPrefix(row[reason], "'"); got != attacks[i] {
			t.Errorf("reason %q is exported as %q", attacks[i], row[reason])
		}
	}
	want := []string{
		"10", "2026-11-21T09:00:10Z", "user", "U024BE7LH", "T012AB3C4", "remediation.confirmed", "done", "r-10", "'-1", "",
		"222222222222", "AKIA…WXYZ#0123456789abcdef", "", "", "plain", "U024BE7LH", "", "", "'=k=plain", "", "v1.2.3",
	}
	if diff := cmp.Diff(want, rows[11]); diff != "" {
		t.Errorf("row differs (-want +got):\n%s", diff)
	}
}

func TestAnExportThatCannotBeFinishedSaysSo(t *testing.T) {
	log, _ := written(t, 3)
	broken := errors.New("disk full")
	failing := func(yield func(audit.Record, error) bool) { yield(audit.Record{}, broken) }
	bad := &table{rows: []audit.Record{{Raw: []byte("{}\n{}")}}}
	for name, write := range map[string]func(*sink, iter.Seq2[audit.Record, error]) error{
		"JSON lines": func(w *sink, r iter.Seq2[audit.Record, error]) error { return second(audit.WriteJSONL(w, r)) },
		"CSV":        func(w *sink, r iter.Seq2[audit.Record, error]) error { return second(audit.WriteCSV(w, r)) },
	} {
		if err := write(&sink{broken}, log.records()); !errors.Is(err, broken) {
			t.Errorf("%s to a full disk: %v", name, err)
		}
		if err := write(&sink{}, failing); !errors.Is(err, broken) {
			t.Errorf("%s from a failing store: %v", name, err)
		}
		if err := write(&sink{}, bad.records()); !errors.Is(err, audit.ErrNotCanonical) {
			t.Errorf("%s of what is no record: %v", name, err)
		}
	}
}

type sink struct{ err error }

func (s *sink) Write(p []byte) (int, error) { return len(p), s.err }
