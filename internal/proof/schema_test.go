package proof_test

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/internal/pgtest"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

// This file opens databases as each schema version left them. A life was lived under it and the database dumped; the dump
// is never made again. A migration without the dump of its version fails here, so that none is forgotten:
//
//	go test ./internal/proof/ -run TestEverySchema -dump

var dump = flag.Bool("dump", false, "dump the database of a life under the newest schema version, where there is no dump yet")

// versions are the schema versions of a dialect, by the names of its migrations.
func versions(t *testing.T, dialect string) (numbers []string) {
	t.Helper()
	for _, f := range must[[]string](t)(filepath.Glob(filepath.Join("..", "..", "store", "migrations", dialect, "*.sql"))) {
		number, _, _ := strings.Cut(filepath.Base(f), "_")
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	if len(numbers) == 0 {
		t.Fatalf("no migrations of %s were found", dialect)
	}
	return numbers
}

func TestEverySchemaVersionIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			all := versions(t, d.name)
			for _, v := range all {
				file := filepath.Join("testdata", "schema-"+d.name+"-"+v+".sql")
				if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) && *dump && v == all[len(all)-1] {
					ok(t, os.WriteFile(file, dumped(t, d), 0o600))
				}
				content, err := os.ReadFile(file)
				if err != nil {
					t.Errorf("schema %s of %s has no dump: %v", v, d.name, err)
					continue
				}
				w := newWorld(t, d.empty(t))
				whole := []string{string(content)}
				if d.name == "postgres" {
					whole = statements(string(content)) // which takes one at a time
				}
				ok(t, w.sql(whole...))
				holdsTheLife(t, w)
			}
		})
	}
}

// holdsTheLife opens an old database and wants everything to be there, and to go on.
func holdsTheLife(t *testing.T, w *world) {
	t.Helper()
	st := must[*store.Store](t)(store.Open(t.Context(), store.Config{URL: w.url, Now: w.clock.Now, Replica: "proof", Build: "proof"}))
	defer func() { ok(t, st.Close()) }()
	all := must[[]remediation.Request](t)(st.Requests(t.Context(), commands.RequestQuery{}))
	if len(all) != 1 || all[0].State != remediation.Verified || !all[0].Key.ID.Whole() || all[0].Requester.User != requester {
		t.Errorf("the life that was lived under it is %+v", all)
	}
	run, err := st.LastRun(t.Context())
	if err != nil || run.Listed < 20 {
		t.Errorf("the scan that was made under it is %+v, %v", run, err)
	}
	heads := must[[]string](t)(st.Heads(t.Context()))
	r := w.verify(st)
	if !r.OK() || r.Records < 20 || len(heads) != 1 || r.Witnessed != r.Records {
		t.Errorf("its audit log: %d records, %d heads, witnessed to %d, %v", r.Records, len(heads), r.Witnessed, r.Findings)
	}
	if _, err := st.Commit(t.Context(), commands.Change{Audit: []audit.Event{{
		At: w.clock.Now(), Actor: audit.System("proof"), Action: audit.ScanStarted, Outcome: audit.OutcomeDone,
	}}}); err != nil {
		t.Errorf("it does not go on: %v", err)
	}
	if r := w.verify(st); !r.OK() {
		t.Errorf("its audit log does not go on: %v", r.Findings)
	}
}

// dumped is the database of a life as statements.
func dumped(t *testing.T, d database) []byte {
	t.Helper()
	w := newWorld(t, d.empty(t))
	w.scan()
	newLife(w, plans()[0]).live()
	if d.name == "postgres" {
		return must[[]byte](t)(exec.CommandContext(t.Context(), pgtest.Program("pg_dump"), "--no-owner", "--no-privileges", "--inserts", w.url).Output())
	}
	db := must[*sql.DB](t)(sql.Open("sqlite", w.url))
	defer db.Close()
	var out strings.Builder
	for _, b := range column1(t, db, `SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, rowid`) {
		out.Write(append(b, '\n'))
	}
	for _, table := range column1(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid`) {
		columns := column1(t, db, fmt.Sprintf(`SELECT name FROM pragma_table_info('%s')`, table))
		var quoted []string
		for _, c := range columns {
			quoted = append(quoted, fmt.Sprintf("quote(%s)", c))
		}
		for _, row := range column1(t, db, fmt.Sprintf(`SELECT %s FROM %s`, strings.Join(quoted, " || ', ' || "), table)) {
			fmt.Fprintf(&out, "INSERT INTO %s VALUES (%s);\n", table, row)
		}
	}
	return []byte(out.String())
}

// statements are those of a dump. Comments and a client's own commands are left out.
func statements(text string) (found []string) {
	var one strings.Builder
	for line := range strings.Lines(text) {
		if one.Len() == 0 && (strings.HasPrefix(line, "--") || strings.HasPrefix(line, `\`) || strings.TrimSpace(line) == "") {
			continue
		}
		one.WriteString(line)
		if s := one.String(); strings.HasSuffix(strings.TrimRight(s, "\n"), ";") && strings.Count(s, "'")%2 == 0 {
			found = append(found, s)
			one.Reset()
		}
	}
	return found
}
