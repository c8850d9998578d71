package audit_test

import (
	"errors"
	"math"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
)

func TestALogGrowsTheSameWhateverTheSizeOfTheTransactions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 70).Draw(t, "records")
		single, batched := &table{}, &table{}
		var last audit.Head
		for i := range n {
			last = single.extend(t, event(i)).Head
		}
		for len(batched.rows) < n {
			var batch []audit.Event
			for range rapid.IntRange(0, n-len(batched.rows)).Draw(t, "batch") {
				batch = append(batch, event(len(batched.rows)+len(batch)))
			}
			batched.extend(t, batch...)
		}
		if int64(len(single.hashes)) != tlog.StoredHashCount(int64(n)) || len(batched.hashes) != len(single.hashes) {
			t.Fatalf("%d and %d stored hashes for %d records", len(single.hashes), len(batched.hashes), n)
		}
		for i, h := range single.hashes {
			if batched.hashes[i] != h {
				t.Fatalf("hash %d differs", i)
			}
		}
		head, err := audit.HeadOf(int64(n), batched)
		if err != nil || n > 0 && head != last {
			t.Fatalf("head %v, %v; want %v", head, err, last)
		}
	})
}

func TestTheTreeRefusesWhatCannotBe(t *testing.T) {
	log, _ := written(t, 3)
	for name, err := range map[string]error{
		"a negative size":           second(audit.HeadOf(-1, log)),
		"a size past all logs":      second(audit.HeadOf(math.MaxInt64, log)),
		"a head past the end":       second(audit.HeadOf(4, log)),
		"no reader":                 second(audit.HeadOf(1, nil)),
		"extending a negative size": second(audit.Extend(-1, log, audit.Origin{}, event(0))),
		"extending past the end":    second(audit.Extend(5, log, audit.Origin{}, event(0))),
	} {
		if err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	if _, err := audit.HeadOf(4, log); !errors.Is(err, audit.ErrNoHash) {
		t.Errorf("a missing hash is told by %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
