package store_test

import (
	"fmt"
	"testing"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
)

func TestEveryTamperingWithTheTableIsFound(t *testing.T) {
	t.Parallel()
	const records = 40
	reason := map[string]string{"sqlite": `CAST(replace(CAST(raw AS TEXT), 'honest', 'edited') AS BLOB)`, "postgres": `convert_to(replace(convert_from(raw, 'UTF8'), 'honest', 'edited'), 'UTF8')`}
	tests := []struct {
		name       string
		statements func(db string) []string
		want       audit.Kind
		record     int64
	}{
		{"a record is edited", func(db string) []string {
			return []string{`UPDATE audit_record SET raw = ` + reason[db] + ` WHERE seq = 17`}
		}, audit.Edited, 17},
		{"a record is removed", func(string) []string { return []string{`DELETE FROM audit_record WHERE seq = 17`} }, audit.Removed, 17},
		{"two records change places", func(string) []string {
			return []string{
				`UPDATE audit_record SET seq = -1 WHERE seq = 11`, `UPDATE audit_record SET seq = 11 WHERE seq = 17`,
				`UPDATE audit_record SET seq = 17 WHERE seq = -1`,
			}
		}, audit.Moved, 17},
		{"a record is inserted", func(string) []string {
			return []string{
				`UPDATE audit_record SET seq = seq + 1000 WHERE seq >= 17`, `UPDATE audit_record SET seq = seq - 999 WHERE seq >= 1000`,
				`INSERT INTO audit_record SELECT 17, at, action, request, account, to_state, raw FROM audit_record WHERE seq = 3`,
			}
		}, audit.Inserted, 17},
		{"the tail is cut off", func(string) []string {
			return []string{
				fmt.Sprintf(`DELETE FROM audit_record WHERE seq >= %d`, records-3),
				`DELETE FROM audit_hash WHERE position >= 70`, `UPDATE audit_tree SET size = 37`,
			}
		}, audit.Truncated, records - 3},
		{"a stored hash is altered", func(string) []string {
			return []string{`UPDATE audit_hash SET hash = (SELECT hash FROM audit_hash WHERE position = 0) WHERE position = 20`}
		}, audit.HashAltered, -1},
	}
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					url := d.url(t)
					s := openURL(t, url)
					var events []audit.Event
					for i := range records {
						e := event(audit.RemediationConfirmed)
						e.Request, e.Reason = fmt.Sprint("r", i), "honest"
						events = append(events, e)
					}
					ok(t, commit(t, s, commands.Change{Audit: events}))
					kept := must[audit.Head](t)(s.Head(t.Context()))
					verify(t, s)
					ok(t, s.Close())
					ok(t, sqlExec(t, d.name, url, tt.statements(d.name)...))
					s = openURL(t, url)
					r, _ := readLog(t, s, audit.Check{Own: []audit.Head{kept}})
					for _, f := range r.Findings {
						if f.Kind == tt.want && (tt.record < 0 || f.From <= tt.record && tt.record <= f.To) {
							return
						}
					}
					t.Errorf("not found as %s: %v", tt.want, r.Findings)
				})
			}
		})
	}
}
