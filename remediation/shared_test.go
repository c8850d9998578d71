package remediation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// with is how a block came off with another request: cho asked for it, and ben confirmed.
func with(lift bool) remediation.Off {
	step := remediation.Step{Act: remediation.ActReactivate, By: cho(), Approvals: []remediation.Approval{{By: ben(), At: start()}}}
	return remediation.Off{With: "r2", Lift: lift, Step: step}
}

func TestABlockThatIsOffMeansWhatTheRecordSays(t *testing.T) {
	t.Parallel()
	altered := blocked(aws(start(), activeKey()))
	altered.Block.Intact = false
	off := aws(start(), activeKey())
	for name, c := range map[string]struct {
		facts      remediation.Facts
		off        remediation.Off
		over, soon bool
		state      remediation.State
		note       remediation.Note
		alarm      bool
	}{
		"nobody of ours took it off":         {off, remediation.Off{}, false, false, remediation.Reactivated, remediation.NoteDetached, true},
		"it is there, and was altered":       {altered, remediation.Off{}, false, false, remediation.Reactivated, remediation.NoteDetached, true},
		"another one is there, and altered":  {altered, with(false), false, false, remediation.Reactivated, remediation.NoteDetached, true},
		"it was undone with another request": {off, with(false), true, false, remediation.Restored, remediation.NoteRestoredWith, false},
		"it is lifted for a while":           {off, with(true), false, false, remediation.Lifted, remediation.NoteLiftedWith, false},
		"it was lifted, and is not put back": {off, with(true), true, false, remediation.Reactivated, remediation.NoteNotPutBack, true},
	} {
		for _, state := range []remediation.State{
			remediation.Inactive, remediation.ReactivateRequested, remediation.LiftRequested, remediation.DeleteRequested,
			remediation.DeleteApproved, remediation.Deleting, remediation.AwaitingOwnerDelete,
		} {
			s := blockedStory(t)
			s.r.State, s.r.Watched = state, 48*time.Hour
			s.on(remediation.Event{Kind: remediation.Observe, Facts: c.facts, Off: c.off, OffOver: c.over, OffSoon: c.soon})
			if s.r.State != c.state || s.r.Note != c.note || slices.Contains(s.did, remediation.EffectAlarm) != c.alarm {
				t.Errorf("%s, in %s: it is %s (%s) with %v; want %s (%s), alarm %v", name, state, s.r.State, s.r.Note, s.did, c.state, c.note, c.alarm)
			}
			if !s.r.State.Ended() && (s.r.Watched != 0 || s.r.BlockHeld || !slices.Contains(s.did, remediation.EffectRead)) {
				t.Errorf("%s, in %s: watched %s, block held %v, %v", name, state, s.r.Watched, s.r.BlockHeld, s.did)
			}
		}
	}
}

func TestABlockThatIsOnItsWayOffIsNoAlarmAndNoWatch(t *testing.T) {
	t.Parallel()
	s := blockedStory(t)
	s.r.Watched = s.r.Policy.Watch
	s.on(remediation.Event{Kind: remediation.Observe, Facts: aws(s.now, activeKey()), OffSoon: true})
	s.is(remediation.Inactive)
	if s.r.Watched != 0 || slices.Contains(s.did, remediation.EffectAlarm) || !slices.Contains(s.did, remediation.EffectRead) {
		t.Errorf("watched %s with %v; want nothing concluded but that the window begins anew", s.r.Watched, s.did)
	}
	s.on(remediation.Event{Kind: remediation.Observe, Facts: aws(s.now, activeKey()), Off: with(false)})
	s.is(remediation.Restored)
}

func TestARequestWaitsForTheBlockThatAnotherOneLifted(t *testing.T) {
	t.Parallel()
	lifted := func() *story {
		s := blockedStory(t)
		s.on(remediation.Event{Kind: remediation.Observe, Facts: aws(s.now, activeKey()), Off: with(true)})
		s.is(remediation.Lifted)
		s.now = s.now.Add(10 * time.Minute)
		return s
	}
	silent := aws(start(), activeKey())
	silent.Gap = &posture.Gap{Reason: posture.ReasonNoAnswer}
	blind := aws(start(), activeKey())
	blind.Block = remediation.BlockFacts{}
	for name, c := range map[string]struct {
		facts remediation.Facts
		off   remediation.Off
		over  bool
		state remediation.State
		note  remediation.Note
	}{
		"it is still lifted":              {aws(start(), activeKey()), with(true), false, remediation.Lifted, remediation.NoteLiftedWith},
		"AWS does not answer":             {silent, remediation.Off{}, false, remediation.Lifted, remediation.NoteReadingMissing},
		"the block cannot be read":        {blind, remediation.Off{}, false, remediation.Lifted, remediation.NoteLiftedWith},
		"it is back":                      {blocked(aws(start(), activeKey())), remediation.Off{}, false, remediation.Inactive, remediation.NoteInactive},
		"it is said to be back, and not":  {aws(start(), activeKey()), remediation.Off{}, false, remediation.Reactivated, remediation.NoteDetached},
		"it is undone for good meanwhile": {aws(start(), activeKey()), with(false), true, remediation.Restored, remediation.NoteRestoredWith},
		"nothing puts it back":            {aws(start(), activeKey()), with(true), true, remediation.Reactivated, remediation.NoteNotPutBack},
		"the key is gone":                 {aws(start()), with(true), false, remediation.GoneOutside, remediation.NoteGone},
	} {
		s := lifted()
		c.facts.Begun, c.facts.At, c.facts.AWS, c.facts.KeysAt = s.now, s.now, s.now, s.now
		s.on(remediation.Event{Kind: remediation.Observe, Facts: c.facts, Off: c.off, OffOver: c.over})
		if s.r.State != c.state || s.r.Note != c.note {
			t.Errorf("%s: it is %s (%s), want %s (%s)", name, s.r.State, s.r.Note, c.state, c.note)
		}
		if !s.r.State.Ended() && !slices.Contains(s.did, remediation.EffectRead) {
			t.Errorf("%s: nobody looks again: %v", name, s.did)
		}
		if s.r.State == remediation.Inactive && (s.r.Watched != 0 || !s.r.BlockHeld || s.r.WatchFrom.Before(s.now)) {
			t.Errorf("%s: watched %s from %s, block held %v", name, s.r.Watched, s.r.WatchFrom, s.r.BlockHeld)
		}
		if alarm := slices.Contains(s.did, remediation.EffectAlarm); c.state == remediation.GoneOutside && !alarm {
			t.Errorf("%s: a watched key that went is no alarm", name)
		}
	}
	s := lifted()
	d := remediation.Decide(s.r, remediation.Event{Kind: remediation.Lapse}, s.now.Add(48*time.Hour))
	if d.Refusal == nil || d.Refusal.Code != remediation.RefuseEarly {
		t.Errorf("a request that waits for another one's block lapses to %s", d.Next.State)
	}
}

func TestABlockThatOthersPutInThePlaceOfOursIsNotOurs(t *testing.T) {
	t.Parallel()
	s := blockedStory(t)
	s.on(remediation.Event{Kind: remediation.Observe, Facts: blocked(aws(s.now, activeKey())), Off: with(false)})
	s.is(remediation.Inactive)
	d := remediation.Decide(s.r, remediation.Event{Kind: remediation.AskReactivate, By: ana(), Reason: "why", Version: s.r.Version}, s.now)
	if !s.r.BlockFound || d.Refusal == nil || d.Refusal.Code != remediation.RefuseNoMeans {
		t.Errorf("found %v, and to take it away answers %+v", s.r.BlockFound, d.Refusal)
	}
	b := remediation.Block{Origin: remediation.OriginOurs, Attached: true, Holders: []remediation.RequestID{"r1", "r2"}}
	if !b.Undoable("r1") || b.Undoable("r3") || b.Undone(s.r, s.now).Undoable("r2") {
		t.Errorf("a block is undone by whoever does not hold it: %+v", b)
	}
}
