package store_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/store"
)

// secretStory does everything that could carry a whole key id into the database.
func secretStory(t *testing.T, s *store.Store) {
	t.Helper()
	ok(t, s.Save(t.Context(), "run1", []commands.Look{look("acme", account, wholeID)}))
	ok(t, s.Mark(t.Context(), "digest", newClock().Now()))
	r := request("r1")
	e := event(audit.RemediationRequested)
	e.Request, e.Key = "r1", r.Key.ID.Mask()+"#"+r.Key.ID.Fingerprint()
	e.Reason = "the key " + string(wholeID) + " is old"
	ok(t, commit(t, s, commands.Change{Request: &r, Audit: []audit.Event{e}, Queue: []commands.Item{{Key: "act/r1/1", Kind: "aws.act"}}}))
	whole := event(audit.RemediationRequested)
	whole.Key = string(wholeID)
	if err := commit(t, s, commands.Change{Audit: []audit.Event{whole}}); err == nil {
		t.Error("an event with a whole key id was recorded")
	}
}

// An envelope of the delete modal, long enough to spill over several pages.
func envelope() []byte {
	return []byte(`{"typed":"` + string(wholeID) + `","more":"` + strings.Repeat("y"+string(wholeID), 1000) + `"}`)
}

func TestAWholeKeyIDIsInOneColumnAlone(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			s := openURL(t, url)
			secretStory(t, s)
			ok(t, s.Put(t.Context(), commands.Item{Key: "envelope", Kind: "slack.envelope", Body: envelope()}))
			l := must[commands.Lease](t)(s.Claim(t.Context(), "slack.envelope"))
			ok(t, commit(t, s, commands.Change{Lease: &l, Done: true}))

			driver := map[string]string{"sqlite": "sqlite", "postgres": "pgx"}[d.name]
			db, err := sql.Open(driver, url)
			ok(t, err)
			t.Cleanup(func() { ok(t, db.Close()) })
			holders := 0
			for _, table := range tables(t, db, d.name) {
				for _, row := range contents(t, db, table) {
					for column, value := range row {
						if !strings.Contains(value, string(wholeID)) {
							continue
						}
						holders++
						if table != "root_key" || column != "key_id" {
							t.Errorf("%s.%s holds a whole key id: %.80s", table, column, value)
						}
					}
				}
			}
			if holders != 1 {
				t.Errorf("%d places hold the whole key id, want the one made for it", holders)
			}
		})
	}
}

func tables(t *testing.T, db *sql.DB, name string) (tables []string) {
	t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if name == "postgres" {
		query = `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	}
	rows, err := db.QueryContext(t.Context(), query)
	ok(t, err)
	defer rows.Close()
	for rows.Next() {
		var table string
		ok(t, rows.Scan(&table))
		tables = append(tables, table)
	}
	ok(t, rows.Err())
	return tables
}

func contents(t *testing.T, db *sql.DB, table string) (all []map[string]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
	ok(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	ok(t, err)
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		ok(t, rows.Scan(into...))
		row := map[string]string{}
		for i, c := range columns {
			if b, bytes := values[i].([]byte); bytes {
				row[c] = string(b)
				continue
			}
			row[c] = fmt.Sprint(values[i])
		}
		all = append(all, row)
	}
	ok(t, rows.Err())
	return all
}

// The bytes of the files are looked at while the bot still runs: what was handled must not be found there either.
func TestAHandledEnvelopeLeavesNoTraceInTheFiles(t *testing.T) {
	t.Parallel()
	const other = posture.KeyID("AKIA2222222222222222") // is typed in a modal, and nowhere made known otherwise
	dir := t.TempDir()
	s := openURL(t, filepath.Join(dir, "rootcheck.db"))
	secretStory(t, s)
	body := bytes.ReplaceAll(envelope(), []byte(wholeID), []byte(other))
	ok(t, s.Put(t.Context(), commands.Item{Key: "envelope", Kind: "slack.envelope", Body: body}))
	if found(t, dir, string(other)) == "" {
		t.Fatal("the waiting envelope is in no file: the search proves nothing")
	}
	l := must[commands.Lease](t)(s.Claim(t.Context(), "slack.envelope"))
	ok(t, s.Finish(t.Context(), l))
	deadline := time.Now().Add(time.Minute)
	for found(t, dir, string(other)) != "" {
		if time.Now().After(deadline) {
			t.Fatalf("a minute after it was handled the envelope is still in %s", found(t, dir, string(other)))
		}
	}
	ok(t, s.Close())
	raw, err := os.ReadFile(filepath.Join(dir, "rootcheck.db"))
	ok(t, err)
	if n := bytes.Count(raw, []byte(wholeID)); n != 1 {
		t.Errorf("the file holds the whole key id %d times, want once", n)
	}
}

// found names a file of the folder that holds the text.
func found(t *testing.T, dir, text string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	ok(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		ok(t, err)
		if bytes.Contains(raw, []byte(text)) {
			return f.Name()
		}
	}
	return ""
}
