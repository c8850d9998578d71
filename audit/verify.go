package audit

import (
	"context"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"
)

// Record is one record as the store or an export holds it.
type Record struct {
	Seq int64 // its number in the table; negative where it has none beside the one in Raw
	Raw []byte
}

// Check is what [Verify] is given. Only Records is needed; what else is there says more.
type Check struct {
	// Records yields the log in the order of the numbers. Raw may be reused after each step. An error ends the check.
	Records iter.Seq2[Record, error]
	// Stored reads the hashes that the store keeps. With nil, as for an export, an edit that leaves a canonical record is
	// seen by the heads alone, and they name a range.
	Stored HashReader
	// Heads are the signed heads published so far, in any order, as notes or as lines.
	Heads []string
	// Verifiers are the public keys that sign heads, or signed them before a rotation.
	Verifiers []string
	// Own are heads that an auditor kept: they count without a signature.
	Own []Head
}

// Verify reads the whole log once and reports whether it is the one that was written. Memory grows with what is wrong and
// with the requests, not with the log, and a record that was tampered with does not hide what comes after it.
//
// What the stored hashes and the heads vouch for can be blamed exactly. Who rewrites a record and every hash above it is
// caught by the first head over it, which names the records since the head before. Past the last head nothing external
// vouches for the log: [Report.Witnessed] says how far it is proven.
//
// The error is for what could not be read; a log that was tampered with is no error but a [Report] that is not OK.
func Verify(ctx context.Context, c Check) (Report, error) {
	v := &verifier{
		shelf:    shelf{stored: c.Stored},
		moved:    map[int64]bool{},
		words:    map[string]*Confirmed{},
		taint:    -1,
		disputed: -1,
	}
	v.claims(c)
	v.compare()

	if c.Records != nil {
		for r, err := range c.Records {
			if err != nil {
				return Report{}, fmt.Errorf("read record after %d: %w", v.next-1, err)
			}
			if v.report.Records%256 == 0 && ctx.Err() != nil {
				return Report{}, fmt.Errorf("verify audit log: %w", context.Cause(ctx))
			}
			v.report.Records++
			x, err := v.inspect(r)
			if err == nil {
				err = v.place(x)
			}
			if err != nil {
				return Report{}, err
			}
			if v.report.Stopped || len(v.gone) > maxFindings {
				v.report.Stopped = true
				break
			}
		}
	}
	if err := v.finish(); err != nil {
		return Report{}, err
	}
	if v.report.OK() {
		// Of a log that is not whole nobody can say what it lacked before.
		for _, f := range v.baseless {
			v.add(f)
		}
	}
	sortFindings(v.report.Findings)
	return v.report, nil
}

// verifier walks through the log. The rules are:
//   - A row proves which record it is by its hash, not by its row number: it is authentic if its bytes hash to the stored
//     hash of the number that stands inside it.
//   - next is the first number not settled yet. Rows that do not fit there wait in strays until an authentic row shows what
//     they were.
//   - The tree grows over the hashes that the records should have, so that one bad record does not spoil every head.
type verifier struct {
	shelf    shelf
	tree     frontier
	broken   bool  // a hash was neither stored nor to be computed: the tree ends here
	taint    int64 // the first record under the latest node that was altered: nodes above it differ for that reason alone
	next     int64
	offset   int64 // row number minus record number, where rows were renumbered behind a gap or an insertion
	strays   []row
	gone     []span         // not seen where they belong, may still turn up elsewhere
	moved    map[int64]bool // seen elsewhere
	heads    []claim
	words    map[string]*Confirmed // by request, of those that were asked for
	baseless []Finding             // attempts that nobody confirmed by the log's own word
	disputed int64                 // the last number witnessed before the latest head that disagreed
	report   Report
}

// row is a record that was looked at.
type row struct {
	at        int64 // its number in the table
	seq       int64 // the number inside it, or -1 when it cannot be read
	hash      Hash
	authentic bool
	fault     error // why it cannot be read
	event     Event
}

// maxStrays bounds what waits: past it, rows are taken for what their row number says.
const maxStrays = 1 << 14

func (v *verifier) inspect(r Record) (row, error) {
	x := row{at: r.Seq, seq: -1, hash: tlog.RecordHash(r.Raw)}
	leaf, err := Decode(r.Raw)
	if x.fault = err; err == nil {
		x.seq, x.event = leaf.Seq, leaf.Event
	}
	if x.at < 0 {
		x.at = x.seq
		if err != nil {
			x.at = v.next + int64(len(v.strays))
		}
	}
	if v.shelf.stored == nil {
		x.authentic = err == nil && x.seq <= maxSize
		return x, nil
	}

	// A record that cannot be read and yet has the stored hash was written so: it is the record of its row.
	seq := x.seq
	if err != nil {
		seq = x.at - v.offset
	}
	if seq < 0 || seq > maxSize {
		return x, nil
	}
	want, ok, rerr := v.shelf.leaf(seq, v.next)
	if rerr != nil {
		return row{}, rerr
	}
	switch {
	case ok && want == x.hash:
		x.authentic, x.seq = true, seq
	case err == nil && seq == x.at:
		vouched, rerr := v.vouched(seq, x.hash)
		if rerr != nil {
			return row{}, rerr
		}
		if vouched {
			v.add(Finding{Kind: HashAltered, From: seq, To: seq, Why: "the stored hash of the record is not the one that the tree above it was built over"})
			x.authentic = true
		}
	}
	return x, nil
}

// vouched reports whether the node above the record and its neighbour was made over hash, which shows that it is the
// stored hash of the record that was altered, and not the record.
func (v *verifier) vouched(seq int64, hash Hash) (bool, error) {
	above, ok, err := v.shelf.one(tlog.StoredHashIndex(1, seq/2))
	if err != nil || !ok {
		return false, err
	}
	beside, ok, err := v.shelf.one(tlog.StoredHashIndex(0, seq^1))
	if err != nil || !ok {
		return false, err
	}
	if seq%2 == 0 {
		return tlog.NodeHash(hash, beside) == above, nil
	}
	return tlog.NodeHash(beside, hash) == above, nil
}

// place decides what a row is, or lets it wait.
func (v *verifier) place(x row) error {
	switch {
	case !x.authentic || x.seq < v.next:
		v.strays = append(v.strays, x)
	case x.seq == v.next, x.at == x.seq, x.at-x.seq == v.offset:
		return v.accept(x)
	default:
		// Two neighbours that are off by the same distance tell a renumbered table from a single record out of place.
		if n := len(v.strays); n > 0 {
			if p := v.strays[n-1]; p.authentic && p.seq+1 == x.seq && p.at-p.seq == x.at-x.seq && p.seq >= v.next {
				v.strays = v.strays[:n-1]
				if err := v.accept(p); err != nil {
					return err
				}
				return v.accept(x)
			}
		}
		v.strays = append(v.strays, x)
	}
	if len(v.strays) > maxStrays {
		return v.settle(v.next + int64(len(v.strays)))
	}
	return nil
}

// accept takes x for the record that it says it is, after settling all before it.
func (v *verifier) accept(x row) error {
	explained := x.seq > v.next || len(v.strays) > 0
	if err := v.settle(x.seq); err != nil {
		return err
	}
	if x.at-x.seq != v.offset && !explained {
		v.add(Finding{Kind: Moved, From: x.seq, To: x.seq, Why: fmt.Sprintf("it stands in row %d", x.at)})
	}
	v.offset = x.at - x.seq
	if v.moved[x.seq] {
		v.add(Finding{Kind: Inserted, From: x.seq, To: x.seq, Why: "the record is there twice"})
	}
	if x.fault != nil {
		v.add(Finding{Kind: Unreadable, From: x.seq, To: x.seq, Why: x.fault.Error()})
	}
	v.heed(x)
	return v.grow(x.seq, &x.hash)
}

// heed asks of each attempt whether the log has the confirmations that it rests on. What changed a request alone, past the
// bot, left none.
func (v *verifier) heed(x row) {
	e := x.event
	if e.Request == "" {
		return
	}
	word := v.words[e.Request]
	if word == nil {
		word = &Confirmed{}
		v.words[e.Request] = word
	}
	if e.Action == RemediationAttempted || e.Action == RemediationInstructed {
		if why := word.missing(e); why != "" && len(v.baseless) < maxFindings {
			v.baseless = append(v.baseless, Finding{Kind: Baseless, From: x.seq, To: x.seq, Why: why})
		}
	}
	word.Heed(e)
}

// settle closes the gap before record upto: what waits is matched with what is missing.
func (v *verifier) settle(upto int64) error {
	strays := v.strays
	v.strays = nil

	in := make(map[int64]row, len(strays))
	var extra []row
	for _, x := range strays {
		if _, taken := in[x.seq]; x.authentic && !taken && x.seq >= v.next && x.seq < upto {
			in[x.seq] = x
		} else if x.authentic {
			extra = append(extra, x)
		}
	}
	for _, x := range strays {
		if x.authentic {
			continue
		}
		home := x.seq
		if _, taken := in[home]; taken || home < v.next || home >= upto {
			home = x.at - v.offset
		}
		if _, taken := in[home]; taken || home < v.next || home >= upto {
			extra = append(extra, x)
			continue
		}
		in[home] = x
	}

	last := int64(-1)
	for seq := v.next; seq < upto; seq++ {
		if v.broken {
			// Nothing is known of what lies between, and it can be as wide as a made-up number.
			known := upto
			for home := range in {
				if home >= seq {
					known = min(known, home)
				}
			}
			if known > seq {
				v.miss(seq, known-1)
				seq = known - 1
				continue
			}
		}
		if err := v.fill(seq, in, &last); err != nil {
			return err
		}
	}
	v.next = max(v.next, upto)

	for _, x := range extra {
		v.stray(x)
	}
	return nil
}

// fill settles one record of a gap by what was found for it. Last is the highest row of a whole record in the gap so far.
func (v *verifier) fill(seq int64, in map[int64]row, last *int64) error {
	x, here := in[seq]
	delete(in, seq)
	switch {
	case here && x.authentic:
		if x.at < *last {
			v.add(Finding{Kind: Moved, From: seq, To: seq, Why: fmt.Sprintf("it stands in row %d", x.at)})
		}
		*last = max(*last, x.at)
		v.heed(x)
		return v.grow(seq, &x.hash)
	case here:
		v.add(Finding{Kind: Edited, From: seq, To: seq, Why: edited(x)})
	default:
		v.miss(seq, seq)
	}
	return v.grow(seq, nil)
}

func edited(x row) string {
	if x.fault != nil {
		return x.fault.Error()
	}
	return "its bytes do not have the hash that was stored for it"
}

// stray reports a row that belongs nowhere near.
func (v *verifier) stray(x row) {
	switch {
	case !x.authentic:
		v.add(Finding{Kind: Inserted, From: x.at, To: x.at, Why: "no hash was ever stored for this row"})
	case v.take(x.seq), x.seq >= v.next && !v.moved[x.seq]:
		v.moved[x.seq] = true
		v.add(Finding{Kind: Moved, From: x.seq, To: x.seq, Why: fmt.Sprintf("it stands in row %d", x.at)})
	default:
		v.add(Finding{Kind: Inserted, From: x.at, To: x.at, Why: fmt.Sprintf("it repeats record %d", x.seq)})
	}
}

// grow adds record seq to the tree, by its stored hash or else by the one that its bytes have.
func (v *verifier) grow(seq int64, hash *Hash) error {
	v.next = seq + 1
	if v.broken {
		return nil
	}
	if hash == nil {
		h, ok, err := v.shelf.leaf(seq, seq)
		if err != nil {
			return err
		}
		if !ok {
			v.broken = true
			return nil
		}
		hash = &h
	}
	for _, up := range v.tree.push(*hash) {
		h, ok, err := v.shelf.at(up.index)
		if err != nil {
			return err
		}
		if v.shelf.stored == nil || ok && h == up.hash || v.taint >= up.from {
			continue
		}
		v.taint = up.from
		why := "a node of the tree over these records was altered"
		if !ok {
			why = "a node of the tree over these records is missing"
		}
		v.add(Finding{Kind: HashAltered, From: up.from, To: seq, Why: why})
	}
	v.compare()
	return nil
}

// finish settles what waits when the records have ended.
func (v *verifier) finish() error {
	if v.report.Stopped {
		v.lost()
		return nil
	}

	var run, rest []row
	for _, x := range v.strays {
		if x.authentic && x.seq >= v.next && (len(run) == 0 || run[len(run)-1].seq < x.seq) {
			run = append(run, x)
		} else {
			rest = append(rest, x)
		}
	}
	v.strays = rest
	for _, x := range run {
		if err := v.accept(x); err != nil {
			return err
		}
	}

	end, err := v.end()
	if err != nil {
		return err
	}
	// Rows that stand where hashes were stored are those records, edited. Hashes without a row are the tail that is gone.
	upto := v.next
	for _, x := range v.strays {
		at := x.at - v.offset
		if !x.authentic && at < end || v.shelf.stored == nil && at == upto {
			upto = max(upto, at+1)
		}
	}
	if err := v.settle(upto); err != nil {
		return err
	}
	for seq := v.next; seq < end; seq++ {
		if !v.moved[seq] {
			v.add(Finding{Kind: Truncated, From: seq, To: seq, Why: "its hash is stored, the record is not there"})
		}
		if err := v.grow(seq, nil); err != nil {
			return err
		}
	}

	v.lost()
	v.unmet()
	if !v.broken {
		v.report.Head = v.tree.head()
	}
	return nil
}

// end is the number after the last record that has a stored hash.
func (v *verifier) end() (int64, error) {
	for seq := v.next; ; seq++ {
		_, ok, err := v.shelf.leaf(seq, seq)
		if err != nil || !ok || v.shelf.stored == nil {
			return seq, err
		}
	}
}
