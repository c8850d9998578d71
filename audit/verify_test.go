package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
)

func check(tb fataler, t *table, c audit.Check) audit.Report {
	c.Records, c.Stored = t.records(), t
	r, err := audit.Verify(context.Background(), c)
	if err != nil {
		tb.Fatalf("verify: %v", err)
	}
	return r
}

// found asserts exactly these findings, by kind and records.
func found(tb fataler, r audit.Report, want ...audit.Finding) {
	if diff := cmp.Diff(want, r.Findings, cmpopts.IgnoreFields(audit.Finding{}, "Why"), cmpopts.EquateEmpty()); diff != "" {
		tb.Fatalf("findings differ (-want +got):\n%s\n%v", diff, r.Findings)
	}
	if r.OK() != (len(want) == 0) {
		tb.Fatalf("OK is %v with %v", r.OK(), r.Findings)
	}
	for _, f := range r.Findings {
		if f.Why == "" || !strings.Contains(f.String(), string(f.Kind)) {
			tb.Fatalf("a finding says nothing: %q", f)
		}
	}
}

func one(kind audit.Kind, seq int) audit.Finding { return many(kind, seq, seq) }

func many(kind audit.Kind, from, to int) audit.Finding {
	return audit.Finding{Kind: kind, From: int64(from), To: int64(to)}
}

func TestAnIntactLogIsConsistentWithEveryHeadOfItsHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "records")
		sizes := rapid.SliceOfDistinct(rapid.IntRange(0, n), rapid.ID[int]).Draw(t, "heads")
		log, c := written(t, n, sizes...)
		r := check(t, log, c)
		found(t, r)
		want, _ := audit.HeadOf(int64(n), log)
		if r.Head != want || r.Heads != len(sizes) || r.Records != int64(n) {
			t.Fatalf("got %+v", r)
		}
		if len(sizes) > 0 && r.Witnessed != int64(slices.Max(sizes)) {
			t.Fatalf("witnessed up to %d by heads at %v", r.Witnessed, sizes)
		}
	})
}

func TestAnyChangedByteOfARecordNamesThatRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "records")
		log, c := written(t, n, n/2)
		k := rapid.IntRange(0, n-1).Draw(t, "record")
		at := rapid.IntRange(0, len(log.rows[k].Raw)-1).Draw(t, "byte")
		log.rows[k].Raw[at] ^= rapid.ByteRange(1, 255).Draw(t, "bits")
		found(t, check(t, log, c), one(audit.Edited, k))
	})
}

func TestEveryByteOfALogIsGuarded(t *testing.T) {
	log, c := written(t, 5, 5)
	for k := range log.rows {
		for at := range log.rows[k].Raw {
			log.rows[k].Raw[at] ^= 1
			found(t, check(t, log, c), one(audit.Edited, k))
			log.rows[k].Raw[at] ^= 1
		}
	}
	for i := range log.hashes {
		for at := range log.hashes[i] {
			log.hashes[i][at] ^= 1
			if r := check(t, log, c); r.OK() {
				t.Fatalf("byte %d of stored hash %d can be changed", at, i)
			}
			log.hashes[i][at] ^= 1
		}
	}
	found(t, check(t, log, c))
}

func TestAnAlteredHashIsToldFromAnEditedRecord(t *testing.T) {
	log, c := written(t, 8, 8)
	for index, want := range map[int64]audit.Finding{
		0:  one(audit.HashAltered, 0),     // record 0
		5:  many(audit.HashAltered, 2, 3), // the node over records 2 and 3
		6:  many(audit.HashAltered, 0, 3),
		14: many(audit.HashAltered, 0, 7),
	} {
		bad := log.clone()
		bad.hashes[index][3] ^= 8
		found(t, check(t, bad, c), want)

		gone := log.clone()
		gone.missing[index] = true
		if r := check(t, gone, c); r.OK() {
			t.Errorf("stored hash %d can be deleted", index)
		}
	}
}

func TestRemovedRecordsAreNamed(t *testing.T) {
	for _, numbers := range []string{"kept", "closed up"} {
		t.Run("with the row numbers "+numbers, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				n := rapid.IntRange(2, 40).Draw(t, "records")
				log, c := written(t, n, n)
				from := rapid.IntRange(0, n-2).Draw(t, "from")
				to := rapid.IntRange(from, n-2).Draw(t, "to")
				log.rows = slices.Delete(log.rows, from, to+1)
				if numbers == "closed up" {
					renumber(log)
				}
				found(t, check(t, log, c), many(audit.Removed, from, to))
			})
		})
	}
}

func renumber(log *table) {
	for i := range log.rows {
		log.rows[i].Seq = int64(i)
	}
}

func TestADeletedTailIsNamed(t *testing.T) {
	for _, hashes := range []string{"kept", "deleted too"} {
		t.Run("with its hashes "+hashes, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				n := rapid.IntRange(1, 40).Draw(t, "records")
				log, c := written(t, n, n)
				left := rapid.IntRange(0, n-1).Draw(t, "left")
				log.rows = log.rows[:left]
				if hashes == "deleted too" {
					shorter, _ := written(t, left)
					log.hashes = shorter.hashes
				}
				r := check(t, log, c)
				found(t, r, many(audit.Truncated, left, n-1))
			})
		})
	}
}

func TestRecordsInEachOthersPlaceAreNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 40).Draw(t, "records")
		log, c := written(t, n, n)
		i := rapid.IntRange(0, n-3).Draw(t, "one")
		j := rapid.IntRange(i+1, n-1).Draw(t, "other")
		log.rows[i].Raw, log.rows[j].Raw = log.rows[j].Raw, log.rows[i].Raw
		r := check(t, log, c)
		if r.OK() {
			t.Fatal("not seen")
		}
		for _, f := range r.Findings {
			if f.Kind != audit.Moved || f.From != int64(i) && f.From != int64(j) && f.To != int64(j) {
				t.Fatalf("swapped %d and %d, found %v", i, j, r.Findings)
			}
		}
	})
}

func TestARecordPutElsewhereIsNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 40).Draw(t, "records")
		log, c := written(t, n, n)
		from := rapid.IntRange(0, n-1).Draw(t, "from")
		to := rapid.IntRange(0, n-1).Filter(func(to int) bool { return to < from-1 || to > from+1 }).Draw(t, "to")
		raw := log.rows[from].Raw
		log.rows = slices.Delete(log.rows, from, from+1)
		log.rows = slices.Insert(log.rows, to, audit.Record{Raw: raw})
		renumber(log)
		found(t, check(t, log, c), one(audit.Moved, from))
	})
}

func TestInsertedRowsAreNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "records")
		log, c := written(t, n, n)
		at := rapid.IntRange(0, n).Draw(t, "row")
		raw := []byte("{}")
		switch rapid.IntRange(0, 2).Draw(t, "what") {
		case 1:
			var err error
			if raw, err = audit.Encode(audit.Leaf{Seq: int64(at), Event: event(999)}); err != nil {
				t.Fatal(err)
			}
		case 2:
			raw = log.rows[rapid.IntRange(0, max(0, at-1)).Draw(t, "copy")].Raw
		}
		log.rows = slices.Insert(log.rows, at, audit.Record{Raw: raw})
		renumber(log)
		r := check(t, log, c)
		if at == 0 && string(raw) == string(log.rows[1].Raw) {
			at = 1 // of two equal rows, the second repeats the first
		}
		found(t, r, one(audit.Inserted, at))
	})
}

func TestSeveralChangesAreToldApart(t *testing.T) {
	log, c := written(t, 40, 20, 40)
	log.rows[33].Raw[40] ^= 1
	log.rows[12].Raw = []byte("nonsense")
	log.rows = slices.Delete(log.rows, 20, 23)
	log.rows = slices.Insert(log.rows, 5, audit.Record{Raw: []byte("{}")})
	renumber(log)
	found(t, check(t, log, c),
		one(audit.Inserted, 5), one(audit.Edited, 12), many(audit.Removed, 20, 22), one(audit.Edited, 33))
}

func TestARecordThatIsThereTwiceIsSeenOnWhicheverSideTheCopyStands(t *testing.T) {
	log, c := written(t, 12, 12)
	later := log.clone()
	later.rows = slices.Insert(later.rows, 9, later.rows[4])
	renumber(later)
	found(t, check(t, later, c), one(audit.Inserted, 9))

	earlier := log.clone()
	earlier.rows = slices.Insert(earlier.rows, 4, earlier.rows[9])
	renumber(earlier)
	found(t, check(t, earlier, c), one(audit.Moved, 9), one(audit.Inserted, 9))
}

func TestWhatIsLeftOfAGapIsNotTakenForItsOrder(t *testing.T) {
	log, c := written(t, 14, 14)
	log.rows[2].Raw, log.rows[3].Raw = log.rows[9].Raw, log.rows[7].Raw
	log.rows = slices.Delete(log.rows, 4, 12)
	found(t, check(t, log, c),
		many(audit.Removed, 2, 6), one(audit.Removed, 8), one(audit.Moved, 9), many(audit.Removed, 10, 11))
}

func TestARecordEditedTogetherWithItsOwnHashIsCaughtByTheTreeAbove(t *testing.T) {
	log, c := written(t, 16, 8, 16)
	log.rows[10].Raw = []byte(strings.Replace(string(log.rows[10].Raw), "reason 10", "reason 11", 1))
	log.hashes[tlog.StoredHashIndex(0, 10)] = tlog.RecordHash(log.rows[10].Raw)
	found(t, check(t, log, c), many(audit.Rewritten, 8, 15), many(audit.HashAltered, 10, 11))
}

func TestARecordThatWasWrittenUnreadableIsNoEdit(t *testing.T) {
	log, _ := written(t, 3)
	raw := []byte(strings.Replace(string(log.rows[2].Raw), `"seq":2`, `"seq":3,"new":1`, 1))
	hashes, err := tlog.StoredHashes(3, raw, log)
	if err != nil {
		t.Fatal(err)
	}
	log.rows = append(log.rows, audit.Record{Seq: 3, Raw: raw})
	log.hashes = append(log.hashes, hashes...)
	own, _ := audit.HeadOf(4, log)
	r := check(t, log, audit.Check{Own: []audit.Head{own}})
	found(t, r, one(audit.Unreadable, 3))
	if r.Witnessed != 4 {
		t.Errorf("got %+v", r)
	}
}

func TestARenumberedRowIsNamed(t *testing.T) {
	log, c := written(t, 10, 10)
	log.rows[9].Seq = 12
	found(t, check(t, log, c), one(audit.Moved, 9))
}

func TestOnlyTheSignedHeadSeesATreeMadeAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 40).Draw(t, "records")
		log, c := written(t, n, n/2, n)
		k := rapid.IntRange(0, n-1).Draw(t, "record")
		l, err := audit.Decode(log.rows[k].Raw)
		if err != nil {
			t.Fatal(err)
		}
		l.Reason = "nothing happened here"
		log.rows[k].Raw, _ = audit.Encode(l)
		log.rehash(t)

		found(t, check(t, log, audit.Check{}))
		want := []audit.Finding{many(audit.Rewritten, n/2, n-1)}
		if k < n/2 {
			want = []audit.Finding{many(audit.Rewritten, 0, n/2-1)}
		}
		found(t, check(t, log, c), want...)
	})
}

func TestATreeMadeAnewAfterRecordsWereTakenOutIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "records")
		log, c := written(t, n, n)
		switch k := rapid.IntRange(0, n-2).Draw(t, "record"); rapid.SampledFrom([]string{"removed", "swapped", "inserted"}).Draw(t, "how") {
		case "removed":
			log.rows = slices.Delete(log.rows, k, k+1)
		case "swapped":
			log.rows[k], log.rows[k+1] = log.rows[k+1], log.rows[k]
		case "inserted":
			log.rows = slices.Insert(log.rows, k, log.rows[n-1])
		}
		log.rehash(t)
		found(t, check(t, log, audit.Check{}))
		r := check(t, log, c)
		if r.OK() || r.Findings[0].Kind != audit.Rewritten && r.Findings[0].Kind != audit.Truncated {
			t.Fatalf("found %v", r.Findings)
		}
	})
}

// Whatever else is done to rows and hashes, in whatever combination, a log that is no longer what was signed is not OK.
func TestNoCombinationOfChangesPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 16).Draw(t, "records")
		log, c := written(t, n, n)
		was := log.clone()
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			tamper(t, log)
		}
		r := check(t, log, c)
		same := slices.EqualFunc(was.rows, log.rows, func(a, b audit.Record) bool { return a.Seq == b.Seq && string(a.Raw) == string(b.Raw) })
		if same && slices.Equal(was.hashes, log.hashes) {
			found(t, r)
		} else if r.OK() {
			t.Fatalf("not seen; rows %v", log.rows)
		}
	})
}

func tamper(t *rapid.T, log *table) {
	row := func(name string) int { return rapid.IntRange(0, len(log.rows)-1).Draw(t, name) }
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	if len(log.rows) == 0 || len(log.hashes) == 0 {
		return
	}
	switch kind {
	case 0:
		k := row("edited")
		log.rows[k].Raw = slices.Clone(log.rows[k].Raw)
		log.rows[k].Raw[rapid.IntRange(0, len(log.rows[k].Raw)-1).Draw(t, "byte")] ^= 4
	case 1:
		k := row("removed")
		log.rows = slices.Delete(log.rows, k, k+1)
	case 2:
		a, b := row("swapped"), row("with")
		log.rows[a].Raw, log.rows[b].Raw = log.rows[b].Raw, log.rows[a].Raw
	case 3:
		log.rows = slices.Insert(log.rows, row("inserted"), log.rows[row("copy")])
	case 4:
		renumber(log)
	case 5:
		log.rows = log.rows[:row("cut")]
	case 6:
		log.hashes[rapid.IntRange(0, len(log.hashes)-1).Draw(t, "hash")][0] ^= 1
	case 7:
		log.hashes = log.hashes[:rapid.IntRange(0, len(log.hashes)-1).Draw(t, "hashes")]
	}
}

func TestAnAuditorsOwnHeadCountsWithoutASignature(t *testing.T) {
	log, _ := written(t, 9)
	own, _ := audit.HeadOf(9, log)
	if r := check(t, log, audit.Check{Own: []audit.Head{own}}); !r.OK() || r.Witnessed != 9 {
		t.Errorf("got %+v", r)
	}
	log.rows = log.rows[:7]
	short, _ := written(t, 7)
	log.hashes = short.hashes
	found(t, check(t, log, audit.Check{Own: []audit.Head{own}}), many(audit.Truncated, 7, 8))
	found(t, check(t, log, audit.Check{Own: []audit.Head{{Size: -4}}}), one(audit.HeadForged, -1))
}

func TestAHeadThatDoesNotHoldIsAFinding(t *testing.T) {
	log, c := written(t, 6, 3)
	stranger, err := audit.NewSigner("rootcheck/test", strings.NewReader(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	h, _ := audit.HeadOf(6, log)
	forged, _ := stranger.SignHead(h, began)
	for name, text := range map[string]string{
		"signed by another key of that name": forged.Note(),
		"changed after it was signed":        strings.Replace(c.Heads[0], "\n3\n", "\n2\n", 1),
		"no head at all":                     "hello",
	} {
		t.Run(name, func(t *testing.T) {
			bad := c
			bad.Heads = append(slices.Clone(c.Heads), text)
			r := check(t, log, bad)
			found(t, r, one(audit.HeadForged, -1))
			if r.Heads != 1 || r.Witnessed != 3 {
				t.Errorf("the good head is spoilt by the bad one: %+v", r)
			}
		})
	}

	other := audit.Head{Size: 3, Hash: h.Hash}
	bad := c
	bad.Own = []audit.Head{other}
	found(t, check(t, log, bad), one(audit.HeadForged, -1))
}

func TestAWhollySpoiltLogEndsTheCheckEarly(t *testing.T) {
	log, c := written(t, 5000, 5000)
	for i := range log.rows {
		if i%2 == 0 {
			log.rows[i].Raw = []byte("{}")
		}
	}
	r := check(t, log, c)
	if r.OK() || !r.Stopped || len(r.Findings) != 1000 || r.Findings[0].Kind != audit.Edited {
		t.Errorf("stopped %v with %d findings", r.Stopped, len(r.Findings))
	}

	log, c = written(t, 5000, 5000)
	slices.Reverse(log.rows)
	renumber(log)
	if r := check(t, log, c); r.OK() {
		t.Error("a log read backwards is consistent")
	}
	log.hashes = nil
	if r := check(t, log, c); r.OK() {
		t.Error("a log without hashes is consistent")
	}
}

func TestWhatCannotBeReadIsAnErrorAndNoVerdict(t *testing.T) {
	log, c := written(t, 5, 5)
	broken := errors.New("disk on fire")
	c.Records, c.Stored = log.records(), audit.HashReaderFunc(func([]int64) ([]audit.Hash, error) { return nil, broken })
	if _, err := audit.Verify(t.Context(), c); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	c.Stored = audit.HashReaderFunc(func([]int64) ([]audit.Hash, error) { return nil, nil })
	if _, err := audit.Verify(t.Context(), c); err == nil {
		t.Error("a reader that returns too few hashes is believed")
	}
	c.Stored = log
	c.Records = func(yield func(audit.Record, error) bool) { yield(audit.Record{}, broken) }
	if _, err := audit.Verify(t.Context(), c); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Records = log.records()
	if _, err := audit.Verify(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNothingToCheckIsAnEmptyLog(t *testing.T) {
	r, err := audit.Verify(t.Context(), audit.Check{})
	empty, _ := audit.HeadOf(0, nil)
	if err != nil || !r.OK() || r.Head != empty || r.Witnessed != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// BenchmarkVerify reads 200,000 records with their hashes and a thousand heads.
func BenchmarkVerify(b *testing.B) {
	const n = 200_000
	log := &table{}
	for i := 0; i < n; i += 1000 {
		batch := make([]audit.Event, 1000)
		for j := range batch {
			batch[j] = event(i + j)
		}
		log.extend(b, batch...)
	}
	var c audit.Check
	for i := int64(0); i < n; i += n / 1000 {
		h, err := audit.HeadOf(i, log)
		if err != nil {
			b.Fatal(err)
		}
		c.Own = append(c.Own, h)
	}
	b.ReportAllocs()
	for b.Loop() {
		log.reads = 0
		if r := check(b, log, c); !r.OK() || r.Records != n {
			b.Fatal(r)
		}
	}
	b.ReportMetric(float64(log.reads), "reads/op")
}

func ExampleVerify() {
	log, c := written(panicker{}, 1000, 1000)
	log.rows[777].Raw = []byte(strings.Replace(string(log.rows[777].Raw), "reason 777", "reason 778", 1))

	c.Records, c.Stored = log.records(), log
	report, err := audit.Verify(context.Background(), c)
	fmt.Println(err, report.OK(), report.Witnessed)
	for _, f := range report.Findings {
		fmt.Println(f)
	}
	// Output:
	// <nil> false 1000
	// record 777 edited: its bytes do not have the hash that was stored for it
}

type panicker struct{}

func (panicker) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
