package posture

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Run is one evaluation of everything, counted up while accounts come in, so that its size does not grow with them. Its
// zero value is an empty run. It is not safe for concurrent use.
type Run struct {
	Started time.Time
	Ended   time.Time // zero while the run is on
	// Expected is how many accounts the inventory named. Accounts that never came in count as not scanned yet.
	Expected   int
	Added      int
	Scanned    int
	NotScanned map[Reason]int // accounts that came in and could not be judged, by reason
	Controls   map[Control]Tally
	Severities map[Severity]int // failed findings
}

// Tally counts the findings of one control by status.
type Tally struct {
	Passed        int `json:"passed"`
	Failed        int `json:"failed"`
	NotApplicable int `json:"not_applicable"`
	NotAvailable  int `json:"not_available"`
}

// Add counts one account. Adding an account twice counts it twice: the caller knows which accounts it has seen.
func (r *Run) Add(p Posture) {
	r.Added++
	if reason, scanned := p.Scanned(); scanned {
		r.Scanned++
	} else {
		r.NotScanned = count(r.NotScanned, reason)
	}
	for _, f := range p.Findings {
		r.AddFinding(f)
	}
}

// AddFinding counts one finding that belongs to no account, such as that of [EvaluateOrganization]. Add counts the others.
func (r *Run) AddFinding(f Finding) {
	if r.Controls == nil {
		r.Controls = map[Control]Tally{}
	}
	t := r.Controls[f.Control]
	switch f.Status {
	case Passed:
		t.Passed++
	case Failed:
		t.Failed++
		r.Severities = count(r.Severities, f.Severity)
	case NotApplicable:
		t.NotApplicable++
	case NotAvailable, StatusUnknown:
		t.NotAvailable++
	default:
		t.NotAvailable++
	}
	r.Controls[f.Control] = t
}

// Missed is why accounts are missing from the scanned ones, most frequent first.
type Missed struct {
	Reason   Reason
	Accounts int
}

// Missing tells why accounts were not scanned, the most frequent reason first. Those of the inventory that never came in
// are not scanned yet. It is empty when every account was scanned. The caller owns the slice.
func (r *Run) Missing() []Missed {
	counts := maps.Clone(r.NotScanned)
	if late := r.Total() - r.Added; late > 0 {
		if counts == nil {
			counts = map[Reason]int{}
		}
		counts[ReasonNotYetScanned] += late
	}
	missed := make([]Missed, 0, len(counts))
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		missed = append(missed, Missed{Reason: reason, Accounts: counts[reason]})
	}
	slices.SortStableFunc(missed, func(a, b Missed) int { return b.Accounts - a.Accounts })
	return missed
}

// Total is how many accounts there are: those of the inventory, or those that came in where more came than it named.
func (r *Run) Total() int { return max(r.Expected, r.Added) }

// Coverage is the sentence without a full stop that every digest's header states, such as "197 of 200 accounts scanned". A
// run without accounts says so, because it is no success.
func (r *Run) Coverage() string {
	switch total := r.Total(); total {
	case 0:
		return "no account found to scan"
	case 1:
		return fmt.Sprintf("%d of 1 account scanned", r.Scanned)
	default:
		return fmt.Sprintf("%d of %d accounts scanned", r.Scanned, total)
	}
}

// Failing is how many findings failed.
func (r *Run) Failing() int { return r.sum(func(t Tally) int { return t.Failed }) }

// Blind is how many findings are NotAvailable.
func (r *Run) Blind() int { return r.sum(func(t Tally) int { return t.NotAvailable }) }

func (r *Run) sum(of func(Tally) int) int {
	n := 0
	for _, t := range r.Controls {
		n += of(t)
	}
	return n
}

func count[K comparable](m map[K]int, k K) map[K]int {
	if m == nil {
		m = map[K]int{}
	}
	m[k]++
	return m
}
