package remediation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// byDate is a key as a credential report shows it: no id, only dates.
func byDate(k posture.Key) posture.Key {
	k.ID = ""
	return k
}

// atState is a request of a guided key that stands somewhere, asked about while the account had these other keys.
func atState(state remediation.State, key posture.Key, others ...posture.Key) remediation.Request {
	p := remediation.DefaultPolicy()
	r := remediation.Open("r1", ana(), "left over", aws(start(), append(others, key)...), key, remediation.MeansGuided, remediation.MeansGuided, p, start())
	r.State, r.Deadline, r.WatchFrom = state, time.Time{}, start()
	return r
}

func TestAReadingThatCannotTellConcludesNothing(t *testing.T) {
	t.Parallel()
	elsewhere, moved := aws(start()), aws(start())
	elsewhere.Account, moved.Source = "333333333333", "other"
	nameless := atState(remediation.AwaitingOwnerDelete, posture.Key{})
	twins := aws(start(), byDate(activeKey()), byDate(activeKey()))
	old := aws(start(), activeKey())
	old.KeysAt = start().Add(-3 * time.Hour)
	for name, c := range map[string]struct {
		r remediation.Request
		f remediation.Facts
	}{
		"no key in another account":                         {atState(remediation.Inactive, activeKey()), elsewhere},
		"no key in an account of another source":            {atState(remediation.Inactive, activeKey()), moved},
		"keys, where the request's has neither id nor date": {nameless, aws(start(), byDate(activeKey()))},
		"two keys of one date":                              {atState(remediation.Inactive, byDate(activeKey())), twins},
		"a list from before the one that was relied on":     {atState(remediation.Inactive, activeKey()), old},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := remediation.Decide(c.r, remediation.Event{Kind: remediation.Observe, Facts: c.f}, start().Add(time.Hour))
			if d.Next.State != c.r.State || d.Next.Watched != 0 {
				t.Errorf("%s becomes %s, watched %s", c.r.State, d.Next.State, d.Next.Watched)
			}
			if !slices.ContainsFunc(d.Effects, func(e remediation.Effect) bool { return e.Kind == remediation.EffectRead }) {
				t.Error("nobody reads AWS again")
			}
		})
	}
}

func TestAKeyWithoutAnIdWhoseDateMovedIsNeverSaidToBeGone(t *testing.T) {
	t.Parallel()
	rotated := byDate(activeKey())
	rotated.Created = start().Add(time.Hour)
	for _, state := range []remediation.State{
		remediation.Requested, remediation.Approved, remediation.AwaitingOwner, remediation.Inactive, remediation.Reactivating,
		remediation.DeleteRequested, remediation.AwaitingOwnerDelete,
	} {
		d := remediation.Decide(atState(state, byDate(activeKey())), remediation.Event{Kind: remediation.Observe, Facts: aws(start(), rotated)}, start())
		if d.Next.State != remediation.Stale || !slices.ContainsFunc(d.Effects, func(e remediation.Effect) bool { return e.Kind == remediation.EffectAlarm }) {
			t.Errorf("%s becomes %s with %v, want stale and an alarm", state, d.Next.State, d.Effects)
		}
	}
}

func TestAKeyIsTheSameByIdAndByDate(t *testing.T) {
	t.Parallel()
	other := posture.Key{ID: "AKIAEXAMPLEKEY7XQ9ZZ", Status: posture.KeyActive, Created: start().AddDate(-1, 0, 0)}
	inactive := activeKey()
	inactive.Status = posture.KeyInactive
	r := atState(remediation.Inactive, inactive, other)
	now := start().Add(time.Hour)
	d := remediation.Decide(r, remediation.Event{Kind: remediation.Observe, Facts: aws(now, byDate(inactive), byDate(other))}, now)
	if d.Next.Watched != time.Hour || d.Next.Note == remediation.NoteNewKey {
		t.Errorf("the same two keys without their ids: watched %s, note %s", d.Next.Watched, d.Next.Note)
	}
	fresh := other
	fresh.Created = now
	d = remediation.Decide(r, remediation.Event{Kind: remediation.Observe, Facts: aws(now, byDate(inactive), byDate(other), byDate(fresh))}, now)
	if d.Next.Note != remediation.NoteNewKey {
		t.Errorf("a third key is noted as %s", d.Next.Note)
	}
}

func TestAKeyThatIsAnotherOrGoneEndsItsRequest(t *testing.T) {
	t.Parallel()
	anew := inactiveKey()
	anew.Created = start()
	for _, state := range []remediation.State{remediation.Requested, remediation.Inactive, remediation.DeleteApproved} {
		for want, f := range map[remediation.State]remediation.Facts{remediation.Stale: aws(start(), anew), remediation.GoneOutside: aws(start())} {
			d := remediation.Decide(atState(state, activeKey()), remediation.Event{Kind: remediation.Observe, Facts: f}, start())
			if d.Next.State != want {
				t.Errorf("%s becomes %s, want %s", state, d.Next.State, want)
			}
		}
	}
}
