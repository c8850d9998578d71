package posture

import (
	"slices"
	"strings"
)

// Change is what became of a finding between two looks.
type Change string

// The changes. Unchanged is said in words, because the zero value means that nothing was compared.
const (
	ChangeUnknown Change = ""
	Unchanged     Change = "unchanged"
	New           Change = "new"      // it fails, and was not known to fail
	Worse         Change = "worse"    // it fails worse than before
	Lost          Change = "lost"     // it could be judged, and can no longer be
	Better        Change = "better"   // it fails less than before, or can be judged again and does not fail
	Resolved      Change = "resolved" // it failed, and is known not to any more
	Gone          Change = "gone"     // it failed and no longer applies, or its account is no longer there
)

// FindingKey names a finding across runs.
type FindingKey struct {
	Source  string
	Account AccountID
	Control Control
}

// Key is the name of the finding.
func (f Finding) Key() FindingKey {
	return FindingKey{Source: f.Source, Account: f.Account, Control: f.Control}
}

// Between tells the change from one status to another, for every pair. StatusUnknown as before means that nothing was
// known of the finding yet.
//
//	before \ after   Passed     Failed     NotApplicable  NotAvailable
//	(none)           unchanged  new        unchanged      unchanged
//	Passed           unchanged  new        unchanged      lost
//	Failed           resolved   unchanged  gone           lost
//	NotApplicable    unchanged  new        unchanged      lost
//	NotAvailable     better     new        better         unchanged
//
// Only a failure is worse. Evidence that is lost is a gap whatever was seen before: it says nothing of the root user, it is
// never better, and it resolves nothing.
func Between(before, after Status) Change {
	switch after {
	case Passed, NotApplicable:
		switch {
		case before == NotAvailable:
			return Better
		case before == Failed && after == Passed:
			return Resolved
		case before == Failed:
			return Gone
		default:
			return Unchanged
		}
	case Failed:
		if before == Failed {
			return Unchanged
		}
		return New
	case NotAvailable, StatusUnknown:
	}
	if before == NotAvailable || before == StatusUnknown {
		return Unchanged
	}
	return Lost
}

// change compares a finding with the last look and with the last look that could judge it. The two differ only while sight
// is lost: a failure that comes back into sight is no new one, and one that was repaired meanwhile is resolved.
func change(last Status, known, after Finding) Change {
	if after.Status == NotAvailable || known.Status == StatusUnknown {
		return Between(last, after.Status)
	}
	c := Between(known.Status, after.Status)
	switch {
	case c == Gone && after.Code == CodeNoCredentials:
		return Resolved // the credentials that the control was about were removed, which is the best repair
	case c == Unchanged && after.Status == Failed:
		return degrees(known, after)
	case c == Unchanged && last == NotAvailable:
		return Better
	default:
		return c
	}
}

// degrees compares two failures of one control: another use of the root user is worse than the one that was told, and so
// is a key that was not there. The number and the status of keys count where both looks listed them.
func degrees(before, after Finding) Change {
	switch {
	case before.Subjects != "" && !covers(before.Subjects, after.Subjects):
		return Worse
	case after.Used.After(before.Used) && !before.Used.IsZero():
		return Worse
	case before.Degree == 0 || after.Degree == 0 || before.Degree == after.Degree:
		return Unchanged
	case after.Degree > before.Degree:
		return Worse
	default:
		return Better
	}
}

// covers reports whether every subject of after is one of before.
func covers(before, after string) bool {
	known := strings.Fields(before)
	for s := range strings.FieldsSeq(after) {
		if !slices.Contains(known, s) {
			return false
		}
	}
	return true
}

// Difference is one finding that changed. Before is zero where there was none, After where there is none any more.
type Difference struct {
	Key    FindingKey `json:"-"`
	Change Change     `json:"change"`
	Before Finding    `json:"before,omitzero"`
	After  Finding    `json:"after,omitzero"`
}

// Diff compares two runs and returns what changed, worst first, and how many findings did not. Both must be whole: an
// account that a run did not reach has findings that are NotAvailable, and one that is absent from after is gone. Where a
// key comes twice the last one counts. [Track] compares across more than two runs.
func Diff(before, after []Finding) (changed []Difference, unchanged int) {
	old := make(map[FindingKey]Finding, len(before))
	for _, f := range before {
		old[f.Key()] = f
	}
	current := make(map[FindingKey]Finding, len(after))
	for _, f := range after {
		current[f.Key()] = f
	}
	for k, f := range current {
		b := old[k]
		c := change(b.Status, b.known(), f)
		if c == Unchanged {
			unchanged++
			continue
		}
		changed = append(changed, Difference{Key: k, Change: c, Before: b, After: f})
	}
	for k, f := range old {
		if _, still := current[k]; !still {
			changed = append(changed, Difference{Key: k, Change: Gone, Before: f})
		}
	}
	SortDifferences(changed)
	return changed, unchanged
}

// SortDifferences puts the worst first, as [Diff] does.
func SortDifferences(changed []Difference) {
	slices.SortFunc(changed, func(a, b Difference) int { return a.worst().Compare(b.worst()) })
}

func (d Difference) worst() Finding {
	if d.Change == Gone && d.After.Control == "" {
		return d.Before
	}
	return d.After
}

// known is the finding if it is a judgement, else nothing.
func (f Finding) known() Finding {
	if f.Status == NotAvailable {
		return Finding{}
	}
	return f
}
