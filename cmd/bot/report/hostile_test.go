package report_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/cmd/bot/report"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// estate is an AWS whose every text is somebody's attempt.
type estate struct{ attempts []string }

func (e estate) Sources() []string { return []string{"acme"} }

func (e estate) Inventory(_ context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	org := commands.Organization{Source: source, ID: e.attempts[0], Management: "111111111111", Partition: e.attempts[1]}
	for i, s := range e.attempts {
		err := yield(posture.Account{
			ID: posture.AccountID(fmt.Sprintf("%012d", i+1)), Source: source, Name: s, Alias: s, Email: s, Unit: "/" + s, Partition: "aws",
			State: posture.StateActive, Role: posture.RoleMember, Tags: map[string]string{s: s},
		})
		if err != nil {
			return org, err
		}
	}
	return org, nil
}

func (e estate) Inspect(_ context.Context, a posture.Account) posture.Evidence {
	s, at := a.Name, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	gap := posture.Gap{Reason: posture.ReasonDenied, Detail: s, Fix: "Do it."}
	return posture.Evidence{
		Account: a, At: at, Via: s,
		AccessKeys: posture.Told(true, posture.SourceSummary, at), MFA: posture.Told(true, posture.SourceSummary, at),
		Certificates: posture.Told(true, posture.SourceSummary, at), Password: posture.Missing[bool](s, gap),
		Keys: posture.Told([]posture.Key{{
			ID: posture.KeyID(s), Status: posture.KeyActive, Created: at, LastUsed: at, UsedService: s, UsedRegion: s,
		}}, "ListAccessKeys", at),
		Devices:         posture.Told([]posture.Device{{Serial: s, Kind: posture.DeviceKind(s)}}, "ListMFADevices", at),
		CertificateList: posture.Told([]posture.Certificate{{ID: s, Status: s, Created: at}}, "ListSigningCertificates", at),
		SignIn:          posture.Missing[posture.Use](s, gap), KeyUse: posture.Told(posture.Use{At: at, Service: s, Region: s}, "GetAccessKeyLastUsed", at),
		Centralized: posture.Missing[bool](s, gap),
	}
}

func attempts() []string {
	return []string{
		"=HYPERLINK(\"http://evil.example\",\"x\")", "+1+1|cmd", "-1", "@SUM(A1)", "\t=1", "\r\n=1", "\u3000=1", "\u2003@x", "\ufeff=1", "\u200b=1", "  \u00a0 =1",
		"\"=1", "a\",\"b", "a\nb,c\n", "\x00=1", "\x1b]0;title\x07", "\x1b[2J\x1b[1;1H", "\u009b2J", "\u202eevil", "\u2066x", "\xff\xfe=1", "\x1b[?1049h",
		"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{.Version}}", "</td></table>", "javascript:alert(1)", "</style><style>", "<!--", "]]>",
		"a" + strings.Repeat("\u0301", 5000), strings.Repeat("w", 100_000), strings.Repeat("結", 3000), "", " ", "\u2028", "%s%n%d", "null", "NaN",
	}
}

func written(t *testing.T, form func(io.Writer, *app.Checked) error) string {
	t.Helper()
	found, err := app.Check(t.Context(), app.DefaultConfig(), app.CheckOptions{
		Now: func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }, Looker: estate{attempts()}, Pauses: []time.Duration{}, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Rows.Close() }()
	if found.Status() != app.SomeUnread || found.Rows.Len() != len(attempts()) {
		t.Errorf("the status is %d with %d rows", found.Status(), found.Rows.Len())
	}
	var b bytes.Buffer
	if err := form(&b, found); err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(b.Bytes()) {
		t.Error("it is no UTF-8")
	}
	return b.String()
}

// moves reports whether a character moves a cursor, begins an escape sequence or turns the direction of writing.
func moves(r rune) bool {
	return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

func TestNoTextFromOutsideBreaksTheTable(t *testing.T) {
	t.Parallel()
	s := written(t, func(w io.Writer, c *app.Checked) error { return report.Table(w, c, false) })
	for line := range strings.Lines(s) {
		if i := strings.IndexFunc(line, moves); i >= 0 {
			t.Errorf("%.80q has %q", line, line[i:i+4])
		}
		if utf8.RuneCountInString(line) > 600 {
			t.Errorf("a line has %d characters: %.60q", utf8.RuneCountInString(line), line)
		}
	}
}

func TestNoTextFromOutsideBreaksTheCSV(t *testing.T) {
	t.Parallel()
	rows, err := csv.NewReader(strings.NewReader(written(t, report.CSV))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + 7*len(attempts()); len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, row := range rows {
		for _, cell := range row {
			if begins := strings.TrimLeftFunc(cell, unicode.IsSpace); begins != "" && strings.ContainsAny(begins[:1], "=+-@|%") || strings.ContainsFunc(cell, moves) || strings.Contains(cell, "\n") {
				t.Errorf("a cell is %.80q", cell)
			}
		}
	}
}

func TestNoTextFromOutsideBreaksTheJSON(t *testing.T) {
	t.Parallel()
	var o struct {
		Accounts []map[string]any `json:"accounts"`
	}
	if err := json.Unmarshal([]byte(written(t, report.JSON)), &o); err != nil || len(o.Accounts) != len(attempts()) {
		t.Errorf("%d accounts, %v", len(o.Accounts), err)
	}
}

func TestNoTextFromOutsideBreaksThePage(t *testing.T) {
	t.Parallel()
	s := written(t, report.HTML)
	if i := strings.IndexFunc(s, moves); i >= 0 {
		t.Errorf("the page has %q in %.80q", s[i:i+4], s[max(0, i-40):])
	}
	for _, tag := range []string{"<script", "<img", "onerror=alert", "<!--", "</style><style"} {
		if i := strings.Index(s, tag); i >= 0 && !strings.Contains(s[i:min(len(s), i+200)], "&#34;") {
			t.Errorf("the page has %.80q", s[i:])
		}
	}
	for _, tag := range []string{"table", "td", "style", "html", "p", "bdi"} {
		if open, shut := strings.Count(s, "<"+tag+">")+strings.Count(s, "<"+tag+" "), strings.Count(s, "</"+tag+">"); open != shut {
			t.Errorf("%d <%s>, and %d of them end", open, tag, shut)
		}
	}
}
