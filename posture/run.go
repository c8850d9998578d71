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
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"` // zero while the run is on
	// Expected is how many accounts the inventory named. Accounts that never came in count as not scanned yet.
	Expected   int               `json:"expected"`
	Added      int               `json:"added"`
	Scanned    int               `json:"scanned"`
	NotScanned map[Reason]int    `json:"not_scanned,omitempty"` // accounts that came in and could not be judged, by reason
	Controls   map[Control]Tally `json:"controls,omitempty"`
	Severities map[Severity]int  `json:"severities,omitempty"` // failed findings
	Units      map[string]Unit   `json:"units,omitempty"`      // by the path of the organizational unit; "" where there is none
	Grades     map[Grade]int     `json:"grades,omitempty"`
	// ActivityUntil is the oldest evidence of activity that was judged; see [Run.ActivityToldUntil].
	ActivityUntil time.Time `json:"activity_until,omitzero"`
}

// Tally counts the findings of one control by status.
type Tally struct {
	Passed        int `json:"passed"`
	Failed        int `json:"failed"`
	NotApplicable int `json:"not_applicable"`
	NotAvailable  int `json:"not_available"`
}

// Unit counts the accounts of one organizational unit. The units below it count for themselves.
type Unit struct {
	Accounts int `json:"accounts"`
	Scanned  int `json:"scanned"`
	Failing  int `json:"failing"` // accounts with at least one failed finding
	Critical int `json:"critical"`
	High     int `json:"high"`
}

// Add counts one account. Adding an account twice counts it twice: the caller knows which accounts it has seen.
func (r *Run) Add(p Posture) {
	r.Added++
	unit := r.Units[p.Account.Unit]
	unit.Accounts++
	reason, scanned := p.Scanned()
	if scanned {
		r.Scanned++
		unit.Scanned++
	} else {
		r.NotScanned = count(r.NotScanned, reason)
	}
	failing := p.Failing()
	if len(failing) > 0 {
		unit.Failing++
	}
	for _, f := range failing {
		switch f.Severity {
		case Critical:
			unit.Critical++
		case High:
			unit.High++
		case Medium, Low, Informational:
		}
	}
	if r.Units == nil {
		r.Units = map[string]Unit{}
	}
	r.Units[p.Account.Unit] = unit
	r.Grades = count(r.Grades, p.Grade())
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
	told := f.Control == RootActivity && (f.Status == Passed || f.Status == Failed)
	if told && (r.ActivityUntil.IsZero() || f.At.Before(r.ActivityUntil)) {
		r.ActivityUntil = f.At
	}
}

// ActivityToldUntil is what the next digest's [Policy] needs as Since: up to when the evidence of this run tells of
// activity. It is the run's start where no activity was judged.
func (r *Run) ActivityToldUntil() time.Time {
	if r.ActivityUntil.IsZero() {
		return r.Started
	}
	return r.ActivityUntil
}

// Missed is why accounts are missing from the scanned ones, most frequent first.
type Missed struct {
	Reason   Reason `json:"reason"`
	Accounts int    `json:"accounts"`
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
