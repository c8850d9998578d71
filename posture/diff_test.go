package posture_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/posture"
)

func statuses() []posture.Status {
	return []posture.Status{posture.Passed, posture.Failed, posture.NotApplicable, posture.NotAvailable}
}

func TestEveryPairOfStatusesHasItsChange(t *testing.T) {
	const (
		same, fresh, lost   = posture.Unchanged, posture.New, posture.Lost
		better, fixed, gone = posture.Better, posture.Resolved, posture.Gone
	)
	for before, row := range map[posture.Status][4]posture.Change{
		posture.StatusUnknown: {same, fresh, same, same},
		posture.Passed:        {same, fresh, same, lost},
		posture.Failed:        {fixed, same, gone, lost},
		posture.NotApplicable: {same, fresh, same, lost},
		posture.NotAvailable:  {better, fresh, better, same},
	} {
		for i, after := range statuses() {
			if got := posture.Between(before, after); got != row[i] {
				t.Errorf("from %q to %s is %s, want %s", before, after, got, row[i])
			}
		}
	}
}

func finding(s posture.Status) posture.Finding {
	return posture.Finding{Control: posture.RootAccessKey, Account: "111122223333", Source: "acme", Status: s, Severity: posture.Critical}
}

func TestAFailureIsComparedWithTheOneBefore(t *testing.T) {
	failing := func(change func(*posture.Finding)) posture.Finding {
		f := finding(posture.Failed)
		change(&f)
		return f
	}
	one := failing(func(f *posture.Finding) { f.Degree, f.Subjects = 3, "aaaa" })
	for name, test := range map[string]struct {
		before, after posture.Finding
		want          posture.Change
	}{
		"the same key is the same failure":            {one, one, posture.Unchanged},
		"a second key is worse":                       {one, failing(func(f *posture.Finding) { f.Degree, f.Subjects = 6, "aaaa bbbb" }), posture.Worse},
		"another key in its place is worse":           {one, failing(func(f *posture.Finding) { f.Degree, f.Subjects = 3, "bbbb" }), posture.Worse},
		"an inactive key in its place is worse too":   {one, failing(func(f *posture.Finding) { f.Degree, f.Subjects = 1, "bbbb" }), posture.Worse},
		"a deactivated key is better":                 {one, failing(func(f *posture.Finding) { f.Degree, f.Subjects = 1, "aaaa" }), posture.Better},
		"a reactivated key is worse":                  {failing(func(f *posture.Finding) { f.Degree, f.Subjects = 1, "aaaa" }), one, posture.Worse},
		"a list that cannot be read tells nothing":    {one, finding(posture.Failed), posture.Unchanged},
		"a list that can be read again tells nothing": {finding(posture.Failed), one, posture.Unchanged},
		"another use is worse": {
			failing(func(f *posture.Finding) { f.Used = noon().Add(-2 * time.Hour) }),
			failing(func(f *posture.Finding) { f.Used = noon() }), posture.Worse,
		},
		"the use that was told before is the same": {
			failing(func(f *posture.Finding) { f.Used = noon() }),
			failing(func(f *posture.Finding) { f.Used = noon() }), posture.Unchanged,
		},
		"credentials that were removed resolve what they were needed for": {
			finding(posture.Failed),
			posture.Finding{Control: posture.RootAccessKey, Account: "111122223333", Source: "acme", Status: posture.NotApplicable, Code: posture.CodeNoCredentials},
			posture.Resolved,
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed, _ := posture.Diff([]posture.Finding{test.before}, []posture.Finding{test.after})
			got := posture.Unchanged
			if len(changed) == 1 {
				got = changed[0].Change
			}
			if got != test.want {
				t.Errorf("is %s, want %s", got, test.want)
			}
		})
	}
}

func TestAnAccountThatIsNoLongerListedIsGone(t *testing.T) {
	changed, unchanged := posture.Diff([]posture.Finding{finding(posture.Failed)}, nil)
	if len(changed) != 1 || changed[0].Change != posture.Gone || unchanged != 0 {
		t.Errorf("changed %v, unchanged %d", changed, unchanged)
	}
}

func drawRun(t *rapid.T, name string) []posture.Finding {
	var run []posture.Finding
	for i := range 4 {
		s := rapid.SampledFrom(append(statuses(), posture.StatusUnknown)).Draw(t, fmt.Sprintf("%s %d", name, i))
		if s == posture.StatusUnknown {
			continue // the account is not in this run
		}
		f := finding(s)
		f.Account = posture.AccountID(fmt.Sprintf("%012d", i))
		run = append(run, f)
	}
	return run
}

func TestDifferencesLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawRun(t, "before"), drawRun(t, "after")
		keys := map[posture.FindingKey]bool{}
		for _, f := range append(before, after...) {
			keys[f.Key()] = true
		}
		changed, unchanged := posture.Diff(before, after)
		if len(changed)+unchanged != len(keys) {
			t.Fatalf("%d changed and %d unchanged of %d findings", len(changed), unchanged, len(keys))
		}
		for _, d := range changed {
			if d.After.Status == posture.NotAvailable && d.Change != posture.Lost {
				t.Fatalf("losing sight of a finding that was %s is %s", d.Before.Status, d.Change)
			}
			if d.Change == posture.Worse && d.After.Status != posture.Failed {
				t.Fatalf("a finding that is %s is worse", d.After.Status)
			}
			if d.Change == posture.Resolved && d.After.Status != posture.Passed {
				t.Fatalf("a finding that is %s counts as resolved", d.After.Status)
			}
		}
		if same, _ := posture.Diff(after, after); len(same) != 0 {
			t.Fatalf("a run differs from itself: %v", same)
		}
	})
}
