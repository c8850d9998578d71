package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestWhatPeopleWereToldStaysToldUntilItGetsWorse(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			is := func(want posture.Workflow) {
				t.Helper()
				l := must[commands.Look](t)(s.Look(t.Context(), "acme", account))
				if got := l.Workflow[posture.RootAccessKey]; got != want {
					t.Errorf("the finding is %q, want %q", got, want)
				}
				ok(t, s.Each(t.Context(), func(each commands.Look) error {
					if each.Workflow[posture.RootAccessKey] != want {
						t.Errorf("Each shows %q, want %q", each.Workflow[posture.RootAccessKey], want)
					}
					return nil
				}))
			}
			save := func(keys ...posture.KeyID) {
				l := look("acme", account, wholeID)
				l.Evidence.Keys.Value = nil
				for _, k := range keys {
					l.Evidence.Keys.Value = append(l.Evidence.Keys.Value, posture.Key{ID: k, Status: posture.KeyActive, Created: newClock().Now()})
				}
				l.Evidence.AccessKeys = posture.Told(len(keys) > 0, posture.SourceSummary, newClock().Now())
				l.Findings = posture.Evaluate(l.Evidence, posture.Policy{}, newClock().Now())
				ok(t, s.Save(t.Context(), "run", []commands.Look{l}))
			}
			told := posture.FindingKey{Source: "acme", Account: account, Control: posture.RootAccessKey}
			save(wholeID)
			is(posture.WorkflowNew)
			ok(t, s.Notify(t.Context(), []posture.FindingKey{told, {Source: "acme", Account: "999999999999", Control: posture.RootMFA}}))
			is(posture.WorkflowNotified)
			save(wholeID)
			is(posture.WorkflowNotified)
			save(wholeID, "AKIAANOTHERKEY000001")
			is(posture.WorkflowNew)
			ok(t, s.Notify(t.Context(), []posture.FindingKey{{Source: "acme", Account: account, Control: posture.RootMFA}}))
			is(posture.WorkflowNew)
			save()
			is(posture.WorkflowResolved)
			save(wholeID)
			is(posture.WorkflowNew)
		})
	}
}

func TestAMuteHoldsWhatItWasMadeForAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			see := func(want posture.Workflow, keys ...posture.KeyID) {
				t.Helper()
				l := look("acme", account, wholeID)
				l.Evidence.Keys.Value = nil
				for _, k := range keys {
					l.Evidence.Keys.Value = append(l.Evidence.Keys.Value, posture.Key{ID: k, Status: posture.KeyActive, Created: newClock().Now()})
				}
				l.Evidence.AccessKeys = posture.Told(len(keys) > 0, posture.SourceSummary, c.Now())
				l.Findings = posture.Evaluate(l.Evidence, posture.Policy{}, c.Now())
				ok(t, s.Save(t.Context(), "run", []commands.Look{l}))
				if got := must[commands.Look](t)(s.Look(t.Context(), "acme", account)).Workflow[posture.RootAccessKey]; got != want {
					t.Errorf("with %d keys the finding is %q, want %q", len(keys), got, want)
				}
			}
			m := commands.Mute{Source: "acme", Account: account, Control: posture.RootAccessKey, By: "U024BE7LH", Reason: "it moves to a role by Friday"}
			mute := func(until time.Duration) {
				t.Helper()
				m.Version, m.Until = m.Version+1, c.Now().Add(until)
				ok(t, commit(t, s, commands.Change{Mute: &m}))
			}
			const other = "AKIAANOTHERKEY000001"
			see(posture.WorkflowNew, wholeID)
			mute(48 * time.Hour)
			see(posture.WorkflowSuppressed, wholeID)
			c.advance(24 * time.Hour)
			see(posture.WorkflowSuppressed, wholeID)
			see(posture.WorkflowNew, wholeID, other) // nobody asked to hear nothing of this key
			mute(48 * time.Hour)
			see(posture.WorkflowSuppressed, wholeID, other)
			see(posture.WorkflowNew, "AKIAATHIRDKEY0000001", other) // nor of one that took the place of another
			mute(48 * time.Hour)
			see(posture.WorkflowResolved)
			see(posture.WorkflowNew, wholeID) // a mute does not outlive what it was made for
			mute(time.Hour)
			c.advance(time.Hour)
			see(posture.WorkflowNew, wholeID) // its time is over
			mute(48 * time.Hour)
			see(posture.WorkflowSuppressed, wholeID)
			mute(0)
			see(posture.WorkflowNotified, wholeID) // whoever ends it needs no news of it
			see(posture.WorkflowResolved)
			mute(48 * time.Hour)
			see(posture.WorkflowNew, wholeID) // there was nothing to be quiet about
		})
	}
}

func TestAnAllowanceIsSharedAndGivesTheSameKeyAgain(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			take := func(keys ...string) []string {
				return must[[]string](t)(s.Allow(t.Context(), "cards", keys, 3, time.Hour))
			}
			for _, step := range []struct {
				later time.Duration
				want  []string
				gets  []string
			}{
				{0, []string{"a", "b"}, []string{"a", "b"}},
				{10 * time.Minute, []string{"c", "a", "d"}, []string{"c", "a"}},
				{0, []string{"d"}, nil},
				{50 * time.Minute, []string{"d", "e", "f"}, []string{"d", "e"}},
			} {
				c.advance(step.later)
				if got := take(step.want...); !slices.Equal(got, step.gets) {
					t.Errorf("%v got %v, want %v", step.want, got, step.gets)
				}
			}
			var mu sync.Mutex
			var wg sync.WaitGroup
			granted := 0
			for i := range 8 {
				wg.Go(func() {
					got, err := s.Allow(t.Context(), "race", []string{fmt.Sprint(i, "a"), fmt.Sprint(i, "b")}, 5, time.Hour)
					mu.Lock()
					defer mu.Unlock()
					granted += len(got)
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if granted != 5 {
				t.Errorf("%d were granted at once, want 5", granted)
			}
		})
	}
}
