package remediation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// rootStory is a key that the bot deactivates with the root user's own credentials; the step is under way.
func rootStory(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, r: opened(remediation.MeansRootCredentials, remediation.MeansRootCredentials), now: start()}
	s.on(remediation.Event{Kind: remediation.Confirm, By: ben()})
	s.on(remediation.Event{Kind: remediation.Begin})
	return s
}

func (s *story) undo(ask remediation.Kind) {
	s.t.Helper()
	s.on(remediation.Event{Kind: ask, By: ana(), Reason: "production needs it"})
	s.on(remediation.Event{Kind: remediation.Confirm, By: ben()})
	s.on(remediation.Event{Kind: remediation.Begin})
}

func TestAYesFromAWSCountsOnlyOnceAReadingAgrees(t *testing.T) {
	t.Parallel()
	unread := remediation.Facts{Source: "acme", Account: account, Gap: &posture.Gap{Reason: posture.ReasonNoAnswer}}
	altered := blocked(aws(start(), activeKey()))
	altered.Block.Intact = false
	unknown := blocked(aws(start(), activeKey()))
	unknown.Block.Known = false
	for name, c := range map[string]struct {
		story func(*testing.T) *story
		shows remediation.Facts
	}{
		"the key is still active":          {rootStory, aws(start(), activeKey())},
		"the key could not be read":        {rootStory, unread},
		"the block is not there yet":       {beginBlock, aws(start(), activeKey())},
		"the block is not the shipped one": {beginBlock, altered},
		"the block could not be read":      {beginBlock, unread},
		"nobody knows of the block":        {beginBlock, unknown},
		"the block is still there":         {beginUndo(remediation.AskReactivate), blocked(aws(start(), activeKey()))},
		"the lift is not there yet":        {beginUndo(remediation.AskLift), blocked(aws(start(), activeKey()))},
		"the key to be activated is gone":  {undoOfRoot, aws(start())},
		"the lift could not be read":       {beginUndo(remediation.AskLift), unread},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.story(t)
			doing := s.r.State
			s.on(remediation.Event{Kind: remediation.Succeeded, Facts: c.shows})
			s.is(doing)
			if s.r.Note != remediation.NoteUnsure || !slices.Contains(s.did, remediation.EffectRead) {
				t.Errorf("it is noted as %s with %v", s.r.Note, s.did)
			}
		})
	}
}

func beginBlock(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, r: opened(remediation.MeansOrganization, remediation.MeansOrganization), now: start()}
	s.on(remediation.Event{Kind: remediation.Confirm, By: ben()})
	s.on(remediation.Event{Kind: remediation.Begin})
	return s
}

func undoOfRoot(t *testing.T) *story {
	t.Helper()
	s := rootStory(t)
	s.on(remediation.Event{Kind: remediation.Succeeded, Facts: aws(s.now, inactiveKey())})
	s.undo(remediation.AskReactivate)
	return s
}

func beginUndo(ask remediation.Kind) func(*testing.T) *story {
	return func(t *testing.T) *story {
		t.Helper()
		s := blockedStory(t)
		s.undo(ask)
		return s
	}
}

func TestAStepThatCameToNothingGoesOnBeingWatched(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]remediation.Event{
		"AWS said no":            {Kind: remediation.Refused, Code: "AccessDenied"},
		"the key is still there": {Kind: remediation.Observe, Facts: aws(start(), inactiveKey())},
		"a gate closed":          {Kind: remediation.GateShut, Gate: remediation.GatePaused},
	} {
		r := atState(remediation.Deleting, inactiveKey())
		r.DeleteMeans, r.Attempt, r.ActedOn = remediation.MeansRootCredentials, r.Policy.Attempts, true
		r.Approvals = []remediation.Approval{{By: ben(), At: start()}}
		s := &story{t: t, r: r, now: start()}
		s.on(e)
		s.is(remediation.Inactive)
		if !slices.Contains(s.did, remediation.EffectRead) || len(s.r.Approvals) != 0 {
			t.Errorf("%s: %v, with %d approvals left", name, s.did, len(s.r.Approvals))
		}
	}
}

func TestAUseOrANewKeyDuringADeletionIsAlarmedAbout(t *testing.T) {
	t.Parallel()
	used := inactiveKey()
	used.LastUsed = start().Add(time.Hour)
	second := posture.Key{ID: "AKIAEXAMPLEKEY7XQ9ZZ", Status: posture.KeyActive, Created: start().Add(time.Hour)}
	for name, f := range map[string]remediation.Facts{"used": aws(start(), used), "new_key": aws(start(), inactiveKey(), second)} {
		for _, state := range []remediation.State{remediation.Deleting, remediation.AwaitingOwnerDelete} {
			r := atState(state, inactiveKey())
			r.Watched = r.Policy.Watch
			s := &story{t: t, r: r, now: start().Add(2 * time.Hour)}
			s.observe(f)
			s.is(remediation.Inactive)
			if string(s.r.Note) != name || s.r.Watched != 0 || !slices.Contains(s.did, remediation.EffectAlarm) {
				t.Errorf("%s during %s: noted as %s, watched %s, %v", name, state, s.r.Note, s.r.Watched, s.did)
			}
		}
	}
}

func TestALiftWhoseOutcomeCannotBeReadIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	s := beginUndo(remediation.AskLift)(t)
	f := aws(s.now)
	f.Gap = &posture.Gap{Reason: posture.ReasonNoAnswer}
	s.observe(f)
	if s.is(remediation.Lifting); slices.Contains(s.did, remediation.EffectAct) || !slices.Contains(s.did, remediation.EffectRead) {
		t.Errorf("it goes on with %v", s.did)
	}
}

func TestAnUndoThatWasBegunIsSettledByReadingAndNotByTheClock(t *testing.T) {
	t.Parallel()
	for _, ask := range []remediation.Kind{remediation.AskReactivate, remediation.AskLift} {
		s := beginUndo(ask)(t)
		d := remediation.Decide(s.r, remediation.Event{Kind: remediation.Lapse}, s.now.Add(48*time.Hour))
		if d.Refusal == nil || d.Refusal.Code != remediation.RefuseEarly {
			t.Errorf("%s lapses to %s while its call is under way", ask, d.Next.State)
		}
	}
}

func TestAnOwnerHasAsLongToUndoAsToAct(t *testing.T) {
	t.Parallel()
	s := &story{t: t, r: atState(remediation.Inactive, inactiveKey()), now: start()}
	s.undo(remediation.AskReactivate)
	if want := start().Add(14 * 24 * time.Hour); !s.r.Deadline.Equal(want) {
		t.Errorf("the owner has until %s, want %s", s.r.Deadline, want)
	}
	s.on(remediation.Event{Kind: remediation.OwnerDone, By: cho()})
	s.observe(aws(s.now, activeKey()))
	s.is(remediation.Restored)
}

func TestNobodySaysDoneToAStepThatIsTheBots(t *testing.T) {
	t.Parallel()
	s := beginUndo(remediation.AskReactivate)(t)
	d := remediation.Decide(s.r, remediation.Event{Kind: remediation.OwnerDone, By: cho()}, s.now)
	if d.Refusal == nil || d.Refusal.Code != remediation.RefuseNotNow {
		t.Errorf("it is answered with %+v", d.Refusal)
	}
}

func TestOnlyABlockOfOursIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*remediation.Request){
		"it was found there":         func(r *remediation.Request) { r.BlockFound = true },
		"the request holds no block": func(r *remediation.Request) { r.BlockHeld = false },
	} {
		for _, ask := range []remediation.Kind{remediation.AskReactivate, remediation.AskLift} {
			s := blockedStory(t)
			change(&s.r)
			d := remediation.Decide(s.r, remediation.Event{Kind: ask, By: ana(), Reason: "why", Version: s.r.Version}, s.now)
			if d.Refusal == nil || d.Refusal.Code != remediation.RefuseNoMeans {
				t.Errorf("%s, %s: %s, %+v", name, ask, d.Next.State, d.Refusal)
			}
		}
	}
}

func TestABlockThatIsNotPutBackIsAlarmedAbout(t *testing.T) {
	t.Parallel()
	again := func() *story {
		s := beginUndo(remediation.AskLift)(t)
		s.on(remediation.Event{Kind: remediation.Succeeded, Facts: aws(s.now, activeKey())})
		s.is(remediation.Lifted)
		s.now = s.now.Add(time.Hour)
		s.on(remediation.Event{Kind: remediation.Lapse})
		s.is(remediation.Approved)
		return s
	}
	for name, c := range map[string]struct {
		events []remediation.Event
		note   remediation.Note
	}{
		"paused":   {[]remediation.Event{{Kind: remediation.GateShut, Gate: remediation.GatePaused}}, remediation.NoteGate},
		"too late": {[]remediation.Event{{Kind: remediation.Lapse}}, remediation.NoteBlockOff},
		"given up by its owner": {[]remediation.Event{
			{Kind: remediation.Begin}, {Kind: remediation.Unavailable}, {Kind: remediation.Cancel, By: ben()},
		}, remediation.NoteBlockOff},
	} {
		s := again()
		s.now = s.now.Add(24 * time.Hour)
		for _, e := range c.events {
			s.on(e)
		}
		if !s.r.State.Ended() || s.r.Note != c.note || !slices.Contains(s.did, remediation.EffectAlarm) {
			t.Errorf("%s: it is %s (%s) with %v", name, s.r.State, s.r.Note, s.did)
		}
		if s.r.Means == remediation.MeansOrganization && !slices.Contains(s.did, remediation.EffectRelease) {
			t.Errorf("%s: the block is not let go of", name)
		}
	}
}

func TestAWatchOfWhatOthersDidCanBeEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*remediation.Request)
		ends   bool
	}{
		"others made it inactive":  {func(*remediation.Request) {}, true},
		"a dry run did nothing":    {func(r *remediation.Request) { r.Policy.DryRun = true }, true},
		"the bot made it inactive": {func(r *remediation.Request) { r.ActedOn = true }, false},
		"a block is held":          {func(r *remediation.Request) { r.BlockHeld = true }, false},
	} {
		r := atState(remediation.Inactive, inactiveKey())
		c.change(&r)
		d := remediation.Decide(r, remediation.Event{Kind: remediation.Cancel, By: ana(), Version: r.Version}, start())
		if ends := d.Refusal == nil && d.Next.State == remediation.Cancelled && d.Next.Note == remediation.NoteUnwatched; ends != c.ends {
			t.Errorf("%s: %s, %v", name, d.Next.State, d.Refusal)
		}
	}
}

func TestNobodyAloneLeavesALiftedBlockOff(t *testing.T) {
	t.Parallel()
	for _, kind := range []remediation.Kind{remediation.Cancel, remediation.Reject} {
		s := beginUndo(remediation.AskLift)(t)
		s.on(remediation.Event{Kind: remediation.Succeeded, Facts: aws(s.now, activeKey())})
		s.now = s.now.Add(time.Hour)
		s.on(remediation.Event{Kind: remediation.Lapse})
		d := remediation.Decide(s.r, remediation.Event{Kind: kind, By: ben(), Version: s.r.Version}, s.now)
		if d.Refusal == nil || d.Refusal.Code != remediation.RefuseBlockAgain {
			t.Errorf("%s: %s, %v", kind, d.Next.State, d.Refusal)
		}
		s.on(remediation.Event{Kind: remediation.Begin})
		s.on(remediation.Event{Kind: remediation.Succeeded, Facts: blocked(aws(s.now, activeKey()))})
		if s.is(remediation.Inactive); s.r.Again {
			t.Error("a block that is back is to be put back")
		}
	}
}

func TestADeletionIsVerifiedByTwoReadingsAlsoWhereOneOfThemAlarms(t *testing.T) {
	t.Parallel()
	second := posture.Key{ID: "AKIAEXAMPLEKEY7XQ9ZZ", Status: posture.KeyActive, Created: start().Add(time.Hour)}
	s := &story{t: t, r: atState(remediation.Deleting, inactiveKey()), now: start()}
	s.on(remediation.Event{Kind: remediation.Succeeded, Facts: aws(s.now)})
	s.now = s.now.Add(remediation.SettleAfter)
	s.observe(aws(s.now, second))
	s.is(remediation.Deleted)
	if s.r.Note != remediation.NoteNewKey || !slices.Contains(s.did, remediation.EffectAlarm) || !slices.Contains(s.did, remediation.EffectRead) {
		t.Errorf("a second key is noted as %s with %v", s.r.Note, s.did)
	}
	s.now = s.now.Add(14 * time.Second)
	s.observe(aws(s.now, second))
	s.is(remediation.Deleted)
	s.now = s.now.Add(time.Second)
	s.observe(aws(s.now, second))
	s.is(remediation.VerifiedWithAlarm)
}

func TestAnUndoThatCameToNothingStartsTheWatchAgain(t *testing.T) {
	t.Parallel()
	s := &story{t: t, r: atState(remediation.Inactive, inactiveKey()), now: start()}
	s.r.Watched = s.r.Policy.Watch
	s.undo(remediation.AskReactivate)
	s.now = s.now.Add(15 * 24 * time.Hour)
	s.on(remediation.Event{Kind: remediation.Lapse})
	s.is(remediation.Inactive)
	s.now = s.now.Add(time.Hour)
	s.observe(aws(s.now, inactiveKey()))
	if s.r.Watched != 0 {
		t.Errorf("%s of a watch that nobody kept", s.r.Watched)
	}
	s.now = s.now.Add(time.Hour)
	s.observe(aws(s.now, inactiveKey()))
	if s.r.Watched != time.Hour {
		t.Errorf("watched %s, want 1h", s.r.Watched)
	}
}

func TestWhatCannotBeReadSettlesNothing(t *testing.T) {
	t.Parallel()
	silent := aws(start(), activeKey())
	silent.Gap = &posture.Gap{Reason: posture.ReasonNoAnswer}
	blind := aws(start(), activeKey())
	blind.Block = remediation.BlockFacts{}
	for _, state := range []remediation.State{
		remediation.Deactivating, remediation.Inactive, remediation.DeleteApproved, remediation.Reactivating, remediation.Lifting,
		remediation.Deleting, remediation.Deleted,
	} {
		for name, f := range map[string]remediation.Facts{"AWS": silent, "the block": blind} {
			if state == remediation.Deleted && name == "the block" {
				continue // a deletion is verified by the list of keys alone
			}
			r := atState(state, activeKey())
			r.Means, r.DeleteMeans = remediation.MeansOrganization, remediation.MeansOrganization
			s := &story{t: t, r: r, now: start()}
			s.observe(f)
			if s.r.State != state || slices.Contains(s.did, remediation.EffectAct) || !slices.Contains(s.did, remediation.EffectRead) {
				t.Errorf("%s without %s becomes %s with %v", state, name, s.r.State, s.did)
			}
		}
	}
	for _, means := range []remediation.Means{remediation.MeansRootCredentials, remediation.MeansGuided} {
		r := atState(remediation.Reactivating, inactiveKey())
		r.Means = means
		s := &story{t: t, r: r, now: start()}
		if s.observe(silent); s.r.State != remediation.Reactivating || slices.Contains(s.did, remediation.EffectAct) || s.r.Note != remediation.NoteReadingMissing {
			t.Errorf("an undo by %s without AWS becomes %s, noted %s, with %v", means, s.r.State, s.r.Note, s.did)
		}
	}
}

func TestAKeyThatIsStillListedIsAlarmedAboutOnce(t *testing.T) {
	t.Parallel()
	s := &story{t: t, r: atState(remediation.Deleting, inactiveKey()), now: start()}
	s.on(remediation.Event{Kind: remediation.Succeeded, Facts: aws(s.now, inactiveKey())})
	alarms := 0
	for range 60 {
		s.now = s.now.Add(15 * time.Second)
		s.observe(aws(s.now, inactiveKey()))
		s.is(remediation.Deleted)
		if slices.Contains(s.did, remediation.EffectAlarm) {
			alarms++
			if after := s.now.Sub(start()); after < 10*time.Minute {
				t.Errorf("an alarm after %s", after)
			}
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms in a quarter of an hour", alarms)
	}
}

func TestAKeyThatWorksAgainEndsItsDeletion(t *testing.T) {
	t.Parallel()
	for _, state := range []remediation.State{remediation.Deleting, remediation.AwaitingOwnerDelete} {
		s := &story{t: t, r: atState(state, inactiveKey()), now: start()}
		s.observe(aws(s.now, activeKey()))
		s.is(remediation.Reactivated)
		if !slices.Contains(s.did, remediation.EffectAlarm) {
			t.Errorf("%s: %v", state, s.did)
		}
	}
}
