package proof_test

import (
	"database/sql"
	"math/rand/v2"
	"testing"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/store"
)

// This file lets somebody with the database's password tamper with the audit log of a whole life, once for each kind of
// tampering and each record, and wants every one of them to be found. The log's head was published before.

// tampering is one thing that can be done to a record, and how it is undone.
type tampering struct {
	name string
	do   func(tx *sql.Tx, t table, seq int) error
}

// table is the log as it was written.
type table struct {
	raw    [][]byte
	hashes [][]byte
	random *rand.Rand
}

func run(tx *sql.Tx, query string, args ...any) error {
	_, err := tx.Exec(query, args...) //nolint:noctx // the test ends with it
	return err
}

func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func tamperings() []tampering {
	return []tampering{
		{"a byte is flipped", func(tx *sql.Tx, t table, seq int) error {
			raw := []byte(string(t.raw[seq]))
			raw[t.random.IntN(len(raw))] ^= 1 << t.random.IntN(8)
			return run(tx, `UPDATE audit_record SET raw = ? WHERE seq = ?`, raw, seq)
		}},
		{"a byte is flipped and the hash made to fit", func(tx *sql.Tx, t table, seq int) error {
			raw := []byte(string(t.raw[seq]))
			raw[t.random.IntN(len(raw))] ^= 1 << t.random.IntN(8)
			return all(
				run(tx, `UPDATE audit_record SET raw = ? WHERE seq = ?`, raw, seq),
				run(tx, `UPDATE audit_hash SET hash = ? WHERE position = ?`, hashOf(raw), leafAt(seq)),
			)
		}},
		{"a byte is flipped and the whole tree made anew", func(tx *sql.Tx, t table, seq int) error {
			raw := []byte(string(t.raw[seq]))
			raw[t.random.IntN(len(raw))] ^= 1 << t.random.IntN(8)
			records := append([][]byte{}, t.raw...)
			records[seq] = raw
			err := run(tx, `UPDATE audit_record SET raw = ? WHERE seq = ?`, raw, seq)
			for i, h := range treeOf(records) {
				err = all(err, run(tx, `UPDATE audit_hash SET hash = ? WHERE position = ?`, h, i))
			}
			return err
		}},
		{"a stored hash is altered", func(tx *sql.Tx, t table, seq int) error {
			h := []byte(string(t.hashes[seq]))
			h[t.random.IntN(len(h))] ^= 1 << t.random.IntN(8)
			return run(tx, `UPDATE audit_hash SET hash = ? WHERE position = ?`, h, seq)
		}},
		{"it is deleted", func(tx *sql.Tx, _ table, seq int) error {
			return run(tx, `DELETE FROM audit_record WHERE seq = ?`, seq)
		}},
		{"it is deleted and the gap closed", func(tx *sql.Tx, _ table, seq int) error {
			return all(
				run(tx, `DELETE FROM audit_record WHERE seq = ?`, seq),
				run(tx, `UPDATE audit_record SET seq = -seq WHERE seq > ?`, seq), run(tx, `UPDATE audit_record SET seq = -seq - 1 WHERE seq < 0`),
			)
		}},
		{"it is written twice", func(tx *sql.Tx, t table, seq int) error {
			return run(tx, `INSERT INTO audit_record SELECT ?, at, action, request, account, to_state, raw FROM audit_record WHERE seq = ?`, len(t.raw), seq)
		}},
		{"it changes places with its neighbour", func(tx *sql.Tx, t table, seq int) error {
			other := (seq + 1) % len(t.raw)
			return all(
				run(tx, `UPDATE audit_record SET raw = ? WHERE seq = ?`, t.raw[other], seq), run(tx, `UPDATE audit_record SET raw = ? WHERE seq = ?`, t.raw[seq], other),
			)
		}},
		{"the log is cut off before it", func(tx *sql.Tx, _ table, seq int) error {
			return run(tx, `DELETE FROM audit_record WHERE seq >= ?`, seq)
		}},
		{"the log and its tree are cut off before it", func(tx *sql.Tx, t table, seq int) error {
			kept := len(treeOf(t.raw[:seq]))
			return all(
				run(tx, `DELETE FROM audit_record WHERE seq >= ?`, seq), run(tx, `DELETE FROM audit_hash WHERE position >= ?`, kept),
				run(tx, `UPDATE audit_tree SET size = ?`, seq),
			)
		}},
	}
}

func TestEveryTamperingWithALifesLogIsFound(t *testing.T) {
	t.Parallel()
	d := databases()[0]
	w := newWorld(t, d.empty(t))
	w.scan()
	newLife(w, plans()[0]).live()
	w.kept = nil // what an auditor has is what was published

	db := must[*sql.DB](t)(sql.Open("sqlite", w.url+"?_pragma=busy_timeout(5000)"))
	t.Cleanup(func() { ok(t, db.Close()) })
	log := table{random: rand.New(rand.NewPCG(1, 2))} // a choice that can be repeated
	log.raw = column1(t, db, `SELECT raw FROM audit_record ORDER BY seq`)
	log.hashes = column1(t, db, `SELECT hash FROM audit_hash ORDER BY position`)
	if len(log.raw) < 20 || len(treeOf(log.raw)) != len(log.hashes) {
		t.Fatalf("%d records and %d hashes of a life", len(log.raw), len(log.hashes))
	}
	st := must[*store.Store](t)(store.OpenReadOnly(t.Context(), store.Config{URL: w.url, Now: w.clock.Now}))
	t.Cleanup(func() { ok(t, st.Close()) })
	if r := w.verify(st); !r.OK() || r.Witnessed != int64(len(log.raw)) {
		t.Fatalf("before anybody tampered with it: %v, witnessed to %d of %d", r.Findings, r.Witnessed, len(log.raw))
	}
	tried, missed := 0, 0
	for _, how := range tamperings() {
		for seq := range log.raw {
			if how.name == "it is deleted and the gap closed" && seq == 0 {
				continue // rows are renumbered by their negative
			}
			r := tampered(t, db, log, how, seq, func() audit.Report { return w.verify(st) })
			tried++
			if r.OK() {
				missed++
				t.Errorf("record %d: %s, and nobody noticed", seq, how.name)
			}
		}
	}
	if r := w.verify(st); !r.OK() {
		t.Fatalf("the tampering was not undone, so that the rest proves nothing: %v", r.Findings)
	}
	t.Logf("%d tamperings with %d records, %d missed", tried, len(log.raw), missed)
}

// tampered does it, verifies, and puts everything back as it was.
func tampered(t *testing.T, db *sql.DB, log table, how tampering, seq int, verify func() audit.Report) audit.Report {
	t.Helper()
	inOne(t, db, func(tx *sql.Tx) error {
		return all(run(tx, `CREATE TABLE kept_record AS SELECT * FROM audit_record`), how.do(tx, log, seq))
	})
	r := verify()
	inOne(t, db, func(tx *sql.Tx) error {
		err := all(
			run(tx, `DELETE FROM audit_record`), run(tx, `INSERT INTO audit_record SELECT * FROM kept_record`), run(tx, `DROP TABLE kept_record`),
			run(tx, `DELETE FROM audit_hash`), run(tx, `UPDATE audit_tree SET size = ?`, len(log.raw)),
		)
		for i, h := range log.hashes {
			err = all(err, run(tx, `INSERT INTO audit_hash (position, hash) VALUES (?, ?)`, i, h))
		}
		return err
	})
	return r
}

func inOne(t *testing.T, db *sql.DB, f func(*sql.Tx) error) {
	t.Helper()
	tx := must[*sql.Tx](t)(db.BeginTx(t.Context(), nil))
	if err := f(tx); err != nil {
		t.Fatal(err, tx.Rollback())
	}
	ok(t, tx.Commit())
}

func column1(t *testing.T, db *sql.DB, query string) (found [][]byte) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	ok(t, err)
	defer rows.Close()
	for rows.Next() {
		var b []byte
		ok(t, rows.Scan(&b))
		found = append(found, b)
	}
	ok(t, rows.Err())
	return found
}
