package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// span is the records from, …, to.
type span struct{ from, to int64 }

// miss notes that records are not where they belong, unless they were seen elsewhere.
func (v *verifier) miss(from, to int64) {
	if from == to && v.moved[from] {
		return
	}
	if n := len(v.gone); n > 0 && v.gone[n-1].to == from-1 {
		v.gone[n-1].to = to
		return
	}
	v.gone = append(v.gone, span{from, to})
}

// lost reports what was not found anywhere.
func (v *verifier) lost() {
	for _, s := range v.gone {
		v.add(Finding{Kind: Removed, From: s.from, To: s.to, Why: "the record is not there"})
	}
}

// take removes seq from the missing records. It returns false if seq was not missing.
func (v *verifier) take(seq int64) bool {
	for i, s := range v.gone {
		if seq < s.from || seq > s.to {
			continue
		}
		var rest []span
		if s.from < seq {
			rest = append(rest, span{s.from, seq - 1})
		}
		if seq < s.to {
			rest = append(rest, span{seq + 1, s.to})
		}
		v.gone = slices.Replace(v.gone, i, i+1, rest...)
		return true
	}
	return false
}

// claim is a head that the log must agree with.
type claim struct {
	head Head
	who  string
}

// claims collects the heads, in the order in which the log passes them.
func (v *verifier) claims(c Check) {
	for _, text := range c.Heads {
		h, err := OpenHead(text, c.Verifiers...)
		if err != nil {
			v.add(Finding{Kind: HeadForged, From: -1, To: -1, Why: err.Error()})
			continue
		}
		v.heads = append(v.heads, claim{h.Head, "the head published at " + h.At.Format(time.DateTime) + " UTC"})
	}
	for _, h := range c.Own {
		if err := sized(h.Size); err != nil {
			v.add(Finding{Kind: HeadForged, From: -1, To: -1, Why: err.Error()})
			continue
		}
		v.heads = append(v.heads, claim{h, "the auditor's head"})
	}
	slices.SortStableFunc(v.heads, func(a, b claim) int { return cmp.Compare(a.head.Size, b.head.Size) })
}

// compare holds the tree against the heads of its present size.
func (v *verifier) compare() {
	if len(v.heads) == 0 || v.heads[0].head.Size != v.tree.size {
		return
	}
	now := v.tree.head()
	for len(v.heads) > 0 && v.heads[0].head.Size == now.Size {
		c := v.heads[0]
		v.heads = v.heads[1:]
		switch {
		case c.head == now:
			v.report.Heads++
			v.report.Witnessed = now.Size
		case v.report.Witnessed < now.Size:
			// Every head after the first that disagrees disagrees too, and over a wider range.
			if v.disputed == v.report.Witnessed {
				continue
			}
			v.disputed = v.report.Witnessed
			why := fmt.Sprintf("%s over %d records has another hash", c.who, now.Size)
			v.add(Finding{Kind: Rewritten, From: v.report.Witnessed, To: now.Size - 1, Why: why})
		default:
			why := fmt.Sprintf("%s over %d records contradicts another head of that size", c.who, now.Size)
			v.add(Finding{Kind: HeadForged, From: -1, To: -1, Why: why})
		}
	}
}

// unmet reports the largest head that the log does not reach. Where the tree ended early, what ended it is a finding
// already, and heads that it would have reached say nothing more.
func (v *verifier) unmet() {
	if len(v.heads) == 0 {
		return
	}
	c := v.heads[len(v.heads)-1]
	if c.head.Size > v.next {
		why := fmt.Sprintf("%s is over %d records, the log ends after %d", c.who, c.head.Size, v.next)
		v.add(Finding{Kind: Truncated, From: v.next, To: c.head.Size - 1, Why: why})
	}
}
