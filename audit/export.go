package audit

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WriteJSONL writes the records as they are, one a line, and returns how many. Since the bytes are those that were hashed,
// the export can be verified by itself, against signed heads: see [ReadJSONL].
func WriteJSONL(w io.Writer, records iter.Seq2[Record, error]) (int64, error) {
	out := bufio.NewWriter(w)
	var n int64
	for r, err := range records {
		if err != nil {
			return n, fmt.Errorf("export audit log: %w", err)
		}
		// A record never holds a newline; one that does was tampered with, and would become two lines.
		if bytes.ContainsAny(r.Raw, "\r\n") {
			return n, fmt.Errorf("export audit log: record %d: %w", r.Seq, ErrNotCanonical)
		}
		if _, err := out.Write(r.Raw); err != nil {
			return n, fmt.Errorf("export audit log: %w", err)
		}
		if err := out.WriteByte('\n'); err != nil {
			return n, fmt.Errorf("export audit log: %w", err)
		}
		n++
	}
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("export audit log: %w", err)
	}
	return n, nil
}

// ReadJSONL yields the lines of an export for [Verify]. The records have no number beside the one inside them, and their
// bytes are reused. A line too long for a record ends it with an error.
func ReadJSONL(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 4096), maxRecord+2)
		lines.Split(splitLines)
		for lines.Scan() {
			if !yield(Record{Seq: -1, Raw: lines.Bytes()}, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			if errors.Is(err, bufio.ErrTooLong) {
				err = fmt.Errorf("a line is longer than any record: %w", ErrNotCanonical)
			}
			yield(Record{}, fmt.Errorf("read export: %w", err))
		}
	}
}

// splitLines is [bufio.ScanLines] without its kindness to carriage returns, which would hide a changed byte.
func splitLines(data []byte, end bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if end && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// WriteCSV writes the records as a table with a heading and returns how many. The time is in UTC, approvers are separated by
// spaces, and Detail is one cell of sorted "key=value" lines. A cell that a spreadsheet would take for a formula is prefixed
// with an apostrophe (https://owasp.org/www-community/attacks/CSV_Injection), so this form is to read and not to verify.
func WriteCSV(w io.Writer, records iter.Seq2[Record, error]) (int64, error) {
	out := csv.NewWriter(w)
	if err := out.Write([]string{
		"seq", "at", "actor_kind", "actor_id", "actor_team", "action", "outcome", "request", "version", "source", "account",
		"key", "from", "to", "reason", "approvers", "snapshot", "aws_request", "detail", "replica", "build",
	}); err != nil {
		return 0, fmt.Errorf("export audit log: %w", err)
	}

	var n int64
	for r, err := range records {
		if err != nil {
			return n, fmt.Errorf("export audit log: %w", err)
		}
		l, err := Decode(r.Raw)
		if err != nil {
			return n, fmt.Errorf("export record %d: %w", r.Seq, err)
		}
		if err := out.Write(cells(l)); err != nil {
			return n, fmt.Errorf("export audit log: %w", err)
		}
		n++
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return n, fmt.Errorf("export audit log: %w", err)
	}
	return n, nil
}

func cells(l Leaf) []string {
	detail := make([]string, 0, len(l.Detail))
	for _, k := range slices.Sorted(maps.Keys(l.Detail)) {
		detail = append(detail, k+"="+l.Detail[k])
	}
	row := []string{
		strconv.FormatInt(l.Seq, 10), l.At.Format(time.RFC3339Nano), l.Actor.Kind, l.Actor.ID, l.Actor.Team,
		string(l.Action), string(l.Outcome), l.Request, strconv.Itoa(l.Version), l.Source, l.Account,
		l.Key, l.From, l.To, l.Reason, strings.Join(l.Approvers, " "), l.Snapshot, l.AWSRequest,
		strings.Join(detail, "\n"), l.Replica, l.Build,
	}
	for i, cell := range row {
		row[i] = harmless(cell)
	}
	return row
}

// harmless is cell as no spreadsheet runs it. Full-width signs count, since some convert them; so does leading white space,
// which some strip, and a control character.
func harmless(cell string) string {
	body := strings.TrimLeft(cell, " \t\r\n\u00a0")
	if cell != "" && cell[0] < 0x20 || strings.ContainsAny(first(body), "=+-@|%＝＋－＠") {
		return "'" + cell
	}
	return cell
}

func first(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}
