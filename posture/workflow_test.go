package posture_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// story drives a track with one step an hour.
type story struct {
	t     *testing.T
	track posture.Track
	now   time.Time
}

func newStory(t *testing.T) *story {
	t.Helper()
	return &story{t: t, now: noon()}
}

func (s *story) see(f posture.Finding, change posture.Change, workflow posture.Workflow) *story {
	s.t.Helper()
	s.now = s.now.Add(time.Hour)
	track, got, err := s.track.See(f, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.track = track; got != change || track.Workflow != workflow {
		s.t.Errorf("seeing %s is %s and leaves it %q, want %s and %q", f.Status, got, track.Workflow, change, workflow)
	}
	return s
}

func (s *story) notify() *story {
	s.track = s.track.Notify()
	return s
}

func (s *story) suppress(d time.Duration) *story {
	s.t.Helper()
	track, err := s.track.Suppress(posture.Suppression{By: "U024BE7LH", Reason: "moves to a role by Friday", Until: s.now.Add(d)}, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	s.track = track
	return s
}

func TestAFindingLivesThroughItsWorkflow(t *testing.T) {
	failed, passed, blind := finding(posture.Failed), finding(posture.Passed), finding(posture.NotAvailable)
	t.Run("a control that passes resolves, and opens as New when it fails again", func(t *testing.T) {
		newStory(t).see(failed, posture.New, posture.WorkflowNew).notify().
			see(failed, posture.Unchanged, posture.WorkflowNotified).
			see(passed, posture.Resolved, posture.WorkflowResolved).
			see(failed, posture.New, posture.WorkflowNew)
	})
	t.Run("losing sight changes nothing, and a failure that comes back into sight is not new", func(t *testing.T) {
		newStory(t).see(failed, posture.New, posture.WorkflowNew).notify().
			see(blind, posture.Lost, posture.WorkflowNotified).
			see(blind, posture.Unchanged, posture.WorkflowNotified).
			see(failed, posture.Unchanged, posture.WorkflowNotified)
	})
	t.Run("what was repaired out of sight is resolved", func(t *testing.T) {
		newStory(t).see(failed, posture.New, posture.WorkflowNew).
			see(blind, posture.Lost, posture.WorkflowNew).
			see(passed, posture.Resolved, posture.WorkflowResolved)
	})
	t.Run("what passed before and after is better than not knowing", func(t *testing.T) {
		newStory(t).see(passed, posture.Unchanged, posture.WorkflowResolved).
			see(blind, posture.Lost, posture.WorkflowResolved).
			see(passed, posture.Better, posture.WorkflowResolved)
	})
	t.Run("what failed out of sight is new", func(t *testing.T) {
		newStory(t).see(passed, posture.Unchanged, posture.WorkflowResolved).
			see(blind, posture.Lost, posture.WorkflowResolved).
			see(failed, posture.New, posture.WorkflowNew)
	})
	t.Run("an account that was never seen has no workflow", func(t *testing.T) {
		newStory(t).see(blind, posture.Unchanged, "").see(failed, posture.New, posture.WorkflowNew)
	})
	t.Run("a suppression holds until its end, and then the finding is new", func(t *testing.T) {
		newStory(t).see(failed, posture.New, posture.WorkflowNew).suppress(150*time.Minute).
			see(failed, posture.Unchanged, posture.WorkflowSuppressed).
			see(blind, posture.Lost, posture.WorkflowSuppressed).
			see(blind, posture.Unchanged, posture.WorkflowNew)
	})
	t.Run("a suppression does not outlive its finding", func(t *testing.T) {
		s := newStory(t).see(failed, posture.New, posture.WorkflowNew).suppress(24*time.Hour).
			see(passed, posture.Resolved, posture.WorkflowResolved).
			see(failed, posture.New, posture.WorkflowNew)
		if s.track.Suppression != nil {
			t.Error("the suppression is still there")
		}
	})
	t.Run("a suppression covers the keys that it was made for", func(t *testing.T) {
		active, inactive, second := failed, failed, failed
		active.Degree, active.Subjects = 3, "aaaa"
		inactive.Degree, inactive.Subjects = 1, "aaaa"
		second.Degree, second.Subjects = 6, "aaaa bbbb"
		newStory(t).see(active, posture.New, posture.WorkflowNew).suppress(24*time.Hour).
			see(failed, posture.Unchanged, posture.WorkflowSuppressed).
			see(inactive, posture.Better, posture.WorkflowSuppressed).
			see(active, posture.Worse, posture.WorkflowNew)
		newStory(t).see(active, posture.New, posture.WorkflowNew).suppress(24*time.Hour).
			see(failed, posture.Unchanged, posture.WorkflowSuppressed).
			see(second, posture.Worse, posture.WorkflowNew)
	})
	t.Run("a suppression does not cover a key that took the place of another", func(t *testing.T) {
		one, other := failed, failed
		one.Degree, one.Subjects = 3, "aaaa"
		other.Degree, other.Subjects = 3, "bbbb"
		newStory(t).see(one, posture.New, posture.WorkflowNew).suppress(24*time.Hour).
			see(other, posture.Worse, posture.WorkflowNew)
	})
}

func TestASuppressionNeedsItsReasonsAndItsEnd(t *testing.T) {
	whole := posture.Suppression{By: "U024BE7LH", Reason: "moves to a role", Until: noon().Add(time.Hour)}
	open := newStory(t).see(finding(posture.Failed), posture.New, posture.WorkflowNew).track
	shut := newStory(t).see(finding(posture.Passed), posture.Unchanged, posture.WorkflowResolved).track
	for name, test := range map[string]struct {
		track  posture.Track
		change func(*posture.Suppression)
		want   error
	}{
		"a whole one is taken":            {open, func(*posture.Suppression) {}, nil},
		"nobody is no person":             {open, func(s *posture.Suppression) { s.By = "" }, posture.ErrNoReason},
		"a blank is no reason":            {open, func(s *posture.Suppression) { s.Reason = " \t" }, posture.ErrNoReason},
		"for ever is no end":              {open, func(s *posture.Suppression) { s.Until = time.Time{} }, posture.ErrNoEnd},
		"now is no end to come":           {open, func(s *posture.Suppression) { s.Until = noon() }, posture.ErrNoEnd},
		"what passes is not suppressed":   {shut, func(*posture.Suppression) {}, posture.ErrNotFailing},
		"what is unseen cannot be either": {posture.Track{}, func(*posture.Suppression) {}, posture.ErrNotFailing},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole
			test.change(&s)
			got, err := test.track.Suppress(s, noon())
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if (err == nil) != (got.Workflow == posture.WorkflowSuppressed) {
				t.Errorf("the workflow is %s with error %v", got.Workflow, err)
			}
		})
	}
}

func TestATrackFollowsOneFinding(t *testing.T) {
	track := newStory(t).see(finding(posture.Failed), posture.New, posture.WorkflowNew).track
	other := finding(posture.Passed)
	other.Account = "444455556666"
	got, _, err := track.See(other, noon())
	if !errors.Is(err, posture.ErrOtherFinding) || got.Workflow != posture.WorkflowNew {
		t.Errorf("another account's finding: workflow %s, error %v", got.Workflow, err)
	}
}

func TestTheWorkflowHoldsWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var track posture.Track
		now, known := noon(), posture.StatusUnknown
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
			before := track.Wake(now)
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				track = track.Notify()
			case 1:
				s := posture.Suppression{By: "U024BE7LH", Reason: "later", Until: now.Add(time.Hour)}
				if next, err := track.Suppress(s, now); err == nil {
					track = next
				}
			default:
				f := finding(rapid.SampledFrom(statuses()).Draw(t, "status"))
				next, change, err := track.See(f, now)
				if err != nil {
					t.Fatal(err)
				}
				if f.Status == posture.NotAvailable {
					if next.Workflow != before.Workflow || (change != posture.Lost && change != posture.Unchanged) {
						t.Fatalf("losing sight is %s and turns %s into %s", change, before.Workflow, next.Workflow)
					}
				} else {
					known = f.Status
				}
				again, change, err := next.See(f, now)
				if d := cmp.Diff(next, again); d != "" || change != posture.Unchanged || err != nil {
					t.Fatalf("seeing it twice is %s: %v %s", change, err, d)
				}
				track = next
			}
			track = track.Wake(now)
			hidden := track.Workflow == posture.WorkflowSuppressed
			switch {
			case hidden != (track.Suppression != nil):
				t.Fatalf("%s with the suppression %v", track.Workflow, track.Suppression)
			case hidden && !now.Before(track.Suppression.Until):
				t.Fatal("suppressed past its end")
			case track.Known.Status != known:
				t.Fatalf("known to be %s, was seen %s", track.Known.Status, known)
			case (known == posture.Failed) == (track.Workflow == posture.WorkflowResolved || track.Workflow == ""):
				t.Fatalf("known to be %q and %q", known, track.Workflow)
			}
			text, err := json.Marshal(track)
			if err != nil {
				t.Fatal(err)
			}
			var back posture.Track
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(track, back); d != "" {
				t.Fatalf("changed on its way through JSON: %s", d)
			}
		}
	})
}
