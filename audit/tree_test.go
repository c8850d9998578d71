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

func TestProofsHoldForWhatIsThereAndForNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := int64(rapid.IntRange(1, 40).Draw(t, "size"))
		log := &table{}
		for i := range n {
			log.extend(t, event(int(i)))
		}
		older := rapid.Int64Range(0, n).Draw(t, "older")
		seq := rapid.Int64Range(0, n-1).Draw(t, "seq")
		head, _ := audit.HeadOf(n, log)
		before, _ := audit.HeadOf(older, log)

		in, err := audit.ProveInclusion(n, seq, log)
		if err != nil {
			t.Fatal(err)
		}
		if err = audit.CheckInclusion(in, head, seq, log.rows[seq].Raw); err != nil {
			t.Fatal(err)
		}
		if audit.CheckInclusion(in, head, seq, append([]byte(" "), log.rows[seq].Raw...)) == nil {
			t.Fatal("a changed record is proven")
		}
		if n > 1 && audit.CheckInclusion(in, head, (seq+1)%n, log.rows[seq].Raw) == nil {
			t.Fatal("a record is proven in another place")
		}

		on, err := audit.ProveConsistency(n, older, log)
		if err != nil {
			t.Fatal(err)
		}
		if err := audit.CheckConsistency(on, head, before); err != nil {
			t.Fatal(err)
		}
		before.Hash[0] ^= 1
		if audit.CheckConsistency(on, head, before) == nil {
			t.Fatal("another history is proven")
		}
	})
}

func TestTheTreeRefusesWhatCannotBe(t *testing.T) {
	log, _ := written(t, 3)
	head, _ := audit.HeadOf(3, log)
	for name, err := range map[string]error{
		"a negative size":           second(audit.HeadOf(-1, log)),
		"a size past all logs":      second(audit.HeadOf(math.MaxInt64, log)),
		"a head past the end":       second(audit.HeadOf(4, log)),
		"no reader":                 second(audit.HeadOf(1, nil)),
		"extending a negative size": second(audit.Extend(-1, log, audit.Origin{}, event(0))),
		"extending past the end":    second(audit.Extend(5, log, audit.Origin{}, event(0))),
		"a record past the end":     second(audit.ProveInclusion(3, 3, log)),
		"a proof for a huge log":    second(audit.ProveInclusion(math.MaxInt64, 3, log)),
		"a newer log that is older": second(audit.ProveConsistency(2, 3, log)),
		"a huge newer log":          second(audit.ProveConsistency(math.MaxInt64, 3, log)),
		"a check in a huge log":     audit.CheckInclusion(nil, audit.Head{Size: math.MaxInt64}, 0, nil),
		"a check of a huge log":     audit.CheckConsistency(nil, audit.Head{Size: math.MaxInt64}, head),
		"a false empty log":         audit.CheckConsistency(nil, head, audit.Head{}),
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
