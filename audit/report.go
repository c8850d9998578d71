package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Kind is what was done to the log.
type Kind string

// The kinds of finding.
const (
	Edited      Kind = "edited"       // the record is not the one that was written
	Removed     Kind = "removed"      // the record is gone, and later ones are there
	Moved       Kind = "moved"        // the record is whole, but not in its place
	Inserted    Kind = "inserted"     // the row was never written by the bot
	Truncated   Kind = "truncated"    // the log ends too early
	Rewritten   Kind = "rewritten"    // one of the records, and the tree with it, was made anew
	Unreadable  Kind = "unreadable"   // the record has its hash but not the form; a later version may have written it
	HashAltered Kind = "hash_altered" // a stored hash is wrong or missing; the records may be whole
	Baseless    Kind = "baseless"     // a call was attempted without the confirmations that it names: the database was written to
	HeadForged  Kind = "head_forged"  // a head that was given is not signed by a known key, or contradicts another
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind Kind
	// From and To are the numbers of the first and the last record concerned, for an inserted one that of its row. Both are
	// -1 for a head.
	From, To int64
	Why      string
}

// String is the finding in a line: "record 777 edited: …".
func (f Finding) String() string {
	switch {
	case f.From < 0:
		return string(f.Kind) + ": " + f.Why
	case f.Kind == Rewritten && f.From != f.To:
		return fmt.Sprintf("one or more of the records %d to %d %s: %s", f.From, f.To, f.Kind, f.Why)
	case f.From == f.To:
		return "record " + strconv.FormatInt(f.From, 10) + " " + string(f.Kind) + ": " + f.Why
	}
	return fmt.Sprintf("records %d to %d %s: %s", f.From, f.To, f.Kind, f.Why)
}

// Report is the outcome of [Verify].
type Report struct {
	Records   int64     // how many rows were read
	Head      Head      // computed from what was read; the zero Head if too little of the log is left to compute it
	Heads     int       // how many of the given heads agree
	Witnessed int64     // the records before this one are proven by a head that agrees; the rest only by the stored hashes
	Findings  []Finding // by record; neighbours of a kind in one
	Stopped   bool      // so much is wrong that the check ended early, after a thousand findings
}

// OK reports whether nothing is wrong with the log. It says nothing of records past Witnessed that were never published.
func (r Report) OK() bool { return len(r.Findings) == 0 && !r.Stopped }

const maxFindings = 1000

// add notes a finding; neighbours of a kind become one.
func (v *verifier) add(f Finding) {
	r := &v.report
	for i := len(r.Findings) - 1; i >= 0 && i >= len(r.Findings)-3; i-- {
		last := &r.Findings[i]
		if last.Kind == f.Kind && f.Kind != HashAltered && f.Kind != Rewritten && f.From > 0 && last.To == f.From-1 {
			last.To = f.To
			return
		}
	}
	if len(r.Findings) >= maxFindings {
		r.Stopped = true
		return
	}
	r.Findings = append(r.Findings, f)
}

func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
}
