package remediation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// deletable is a request whose every gate stands open, with what they look at.
func deletable() (remediation.Request, remediation.Facts, remediation.Surroundings, time.Time) {
	now := start().Add(8 * 24 * time.Hour)
	key := activeKey()
	key.Status = posture.KeyInactive
	r := opened(remediation.MeansRootCredentials, remediation.MeansRootCredentials)
	r.State, r.Key.Status = remediation.DeleteApproved, posture.KeyInactive
	r.WatchFrom, r.Watched = start(), r.Policy.Watch
	r.Approvals = []remediation.Approval{{By: ben(), At: now.Add(-time.Minute)}}
	s := remediation.Surroundings{On: true, LastAudit: now.Add(-time.Second), Asker: true, Entitled: map[string]bool{"UBEN": true}, Recorded: map[string]bool{"UBEN": true}, DailyCap: 5}
	return r, aws(now, key), s, now
}

func TestADeletionPassesWhenEveryGateIsOpen(t *testing.T) {
	t.Parallel()
	r, f, s, now := deletable()
	a, err := remediation.Start(r, f, s, now)
	if err != nil {
		t.Fatal(err)
	}
	if a.Act() != remediation.ActDelete {
		t.Errorf("the attempt is to %s", a.Act())
	}
}

func TestEachGateAloneStopsADeletion(t *testing.T) {
	t.Parallel()
	type all struct {
		r   *remediation.Request
		f   *remediation.Facts
		s   *remediation.Surroundings
		now *time.Time
	}
	for name, c := range map[string]struct {
		gate remediation.Gate
		shut func(all)
	}{
		"it is switched off":                {remediation.GateOff, func(a all) { a.s.On = false }},
		"the bot runs dry":                  {remediation.GateDryRun, func(a all) { a.s.DryRun = true }},
		"the request was made dry":          {remediation.GateDryRun, func(a all) { a.r.Policy.DryRun = true }},
		"it is paused":                      {remediation.GatePaused, func(a all) { a.s.Paused = true }},
		"our clock is ahead of AWS's":       {remediation.GateClock, func(a all) { a.f.AWS = a.f.At.Add(-6 * time.Minute) }},
		"our clock is behind AWS's":         {remediation.GateClock, func(a all) { a.f.AWS = a.f.At.Add(6 * time.Minute) }},
		"AWS told no time":                  {remediation.GateClock, func(a all) { a.f.AWS = time.Time{} }},
		"our clock is behind the audit log": {remediation.GateClock, func(a all) { a.s.LastAudit = a.now.Add(time.Second) }},
		"nothing was confirmed":             {remediation.GateState, func(a all) { a.r.State = remediation.DeleteRequested }},
		"nobody confirmed":                  {remediation.GateApprovals, func(a all) { a.r.Approvals = nil }},
		"the requester confirmed":           {remediation.GateApprovals, func(a all) { a.r.Approvals[0].By = ana() }},
		"one of two confirmed":              {remediation.GateApprovals, func(a all) { a.r.Policy.DeleteApprovals = 2 }},
		"one confirmed twice":               {remediation.GateApprovals, func(a all) { a.r.Approvals = append(a.r.Approvals, a.r.Approvals[0]) }},
		"the approver was revoked":          {remediation.GateEntitled, func(a all) { a.s.Entitled = map[string]bool{"UBEN": false} }},
		"nobody could tell":                 {remediation.GateEntitled, func(a all) { a.s.Entitled = nil }},
		"whoever asked was let go":          {remediation.GateAsker, func(a all) { a.s.Asker = false }},
		"a confirmation is not on record":   {remediation.GateRecorded, func(a all) { a.s.Recorded = nil }},
		"one of two is not on record": {remediation.GateRecorded, func(a all) {
			a.r.Approvals = append(a.r.Approvals, remediation.Approval{By: cho(), At: *a.now})
			a.s.Entitled["UCHO"] = true
		}},
		"the confirmation is old":           {remediation.GateConfirmed, func(a all) { a.r.Approvals[0].At = a.now.Add(-24 * time.Hour) }},
		"the watch is not over":             {remediation.GateWatch, func(a all) { a.r.Watched-- }},
		"the account is exempt":             {remediation.GateExempt, func(a all) { a.s.Exempt = true }},
		"the day is used up":                {remediation.GateCap, func(a all) { a.s.DeletedToday = 5 }},
		"the step is the owner's":           {remediation.GateMeans, func(a all) { a.r.DeleteMeans = remediation.MeansGuided }},
		"there are no means":                {remediation.GateMeans, func(a all) { a.r.DeleteMeans = remediation.MeansNone }},
		"AWS could not be read":             {remediation.GateReading, func(a all) { a.f.Gap = &posture.Gap{Reason: posture.ReasonDenied} }},
		"the reading is of another account": {remediation.GateReading, func(a all) { a.f.Account = "333333333333" }},
		"the reading is of another source":  {remediation.GateReading, func(a all) { a.f.Source = "other" }},
		"the key is known by its mask":      {remediation.GateKey, func(a all) { a.r.Key.ID = posture.KeyID(keyID.Mask() + "#" + keyID.Fingerprint()) }},
		"a use in the watch was overridden": {remediation.GateUnused, func(a all) {
			a.r.Override = "really"
			a.r.Key.LastUsed = a.r.WatchFrom.Add(time.Hour)
			a.f.Keys[0].LastUsed = a.r.Key.LastUsed
		}},
		"the caller is not root":       {remediation.GateIdentity, func(a all) { a.f.RootSession = false }},
		"the caller is another root":   {remediation.GateIdentity, func(a all) { a.f.CallerOf = "333333333333" }},
		"the key is gone":              {remediation.GateKey, func(a all) { a.f.Keys = nil; a.f.NoKeys = true }},
		"the key is another account's": {remediation.GateKey, func(a all) { a.f.KeyAccount = "333333333333" }},
		"the keys could not be listed": {remediation.GateKey, func(a all) { a.f.KeysKnown = false }},
		"the key id is not known":      {remediation.GateKey, func(a all) { a.r.Key.ID = "AKIA…X2AB#00" }},
		"the key was made anew":        {remediation.GateCreated, func(a all) { a.f.Keys[0].Created = *a.now }},
		"the key is active":            {remediation.GateInactive, func(a all) { a.f.Keys[0].Status = posture.KeyActive }},
		"the key was used since":       {remediation.GateUnused, func(a all) { a.f.Keys[0].LastUsed = a.r.WatchFrom.Add(time.Hour) }},
		"the key was used shortly before": {remediation.GateInUse, func(a all) {
			a.f.Keys[0].LastUsed, a.r.Key.LastUsed = a.r.WatchFrom.Add(-time.Hour), a.r.WatchFrom.Add(-time.Hour)
		}},
		"a use came to light since":         {remediation.GateUnused, func(a all) { a.f.Keys[0].LastUsed = a.r.WatchFrom.Add(-time.Hour) }},
		"the confirmation is of the future": {remediation.GateConfirmed, func(a all) { a.r.Approvals[0].At = a.now.Add(6 * time.Minute) }},
		"the block is off":                  {remediation.GateInactive, func(a all) { a.r.Means = remediation.MeansOrganization; a.f.Keys[0].Status = posture.KeyActive }},
		"the block is not the shipped one": {remediation.GateInactive, func(a all) {
			a.r.Means, a.f.Block.Attached, a.f.Block.Intact, a.f.Keys[0].Status = remediation.MeansOrganization, true, false, posture.KeyActive
		}},
		"nobody knows of the block": {remediation.GateInactive, func(a all) {
			a.r.Means, a.f.Block, a.f.Keys[0].Status = remediation.MeansOrganization, remediation.BlockFacts{Attached: true, Intact: true}, posture.KeyActive
		}},
		"an emergency wants to delete by itself":    {remediation.GateBreakGlass, func(a all) { a.r.BreakGlass = true; a.r.Approvals = nil }},
		"the zero surroundings open nothing at all": {remediation.GateOff, func(a all) { *a.s = remediation.Surroundings{} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, f, s, now := deletable()
			c.shut(all{&r, &f, &s, &now})
			_, err := remediation.Start(r, f, s, now)
			var shut *remediation.GateError
			if !errors.As(err, &shut) || shut.Gate != c.gate {
				t.Errorf("got %v, want the gate %s", err, c.gate)
			}
		})
	}
}

func TestAnUndoIsNeverStoppedByPauseOrDryRun(t *testing.T) {
	t.Parallel()
	r, f, s, now := deletable()
	r.State, s.Paused, s.DryRun = remediation.Reactivating, true, true
	if _, err := remediation.Start(r, f, s, now); err != nil {
		t.Errorf("an undo under pause: %v", err)
	}
}

func TestAPermitNeedsTheReceiptOfItsOwnAttempt(t *testing.T) {
	t.Parallel()
	r, f, s, now := deletable()
	r.State, r.Version = remediation.Deleting, 9
	a, err := remediation.Start(r, f, s, now)
	if err != nil {
		t.Fatal(err)
	}
	event := audit.Event{
		At: now, Actor: audit.Actor{Kind: audit.KindSystem, ID: "worker"}, Action: audit.RemediationAttempted,
		Outcome: audit.OutcomeAttempt, Request: "r1", Version: 9,
	}
	head := audit.Head{Size: 5}
	for name, change := range map[string]func(*audit.Event){
		"of another request": func(e *audit.Event) { e.Request = "r2" },
		"of another version": func(e *audit.Event) { e.Version = 8 },
		"of another action":  func(e *audit.Event) { e.Action = audit.RemediationConfirmed },
	} {
		e := event
		change(&e)
		if _, err = a.Permit(audit.Sealed(audit.Leaf{Seq: 4, Event: e}, head)); err == nil {
			t.Errorf("a receipt %s gave a permit", name)
		}
	}
	if _, err = a.Permit(audit.Receipt{}); err == nil {
		t.Error("the zero receipt gave a permit")
	}
	p, err := a.Permit(audit.Sealed(audit.Leaf{Seq: 4, Event: event}, head))
	if err != nil {
		t.Fatal(err)
	}
	if p.Act() != remediation.ActDelete || p.Account() != account || p.Key() != keyID || p.AuditSeq() != 4 {
		t.Errorf("the permit is for %s on %s of %s", p.Act(), p.Key(), p.Account())
	}
	event.Request, event.Version = "", 0
	if _, err := (remediation.Attempt{}).Permit(audit.Sealed(audit.Leaf{Seq: 4, Event: event}, head)); err == nil {
		t.Error("the zero attempt gave a permit")
	}
}

func TestTheGatesOfTheOtherActs(t *testing.T) {
	t.Parallel()
	step := func(state remediation.State, means remediation.Means) (remediation.Request, remediation.Facts, remediation.Surroundings, time.Time) {
		r, f, s, now := deletable()
		r.State, r.Means, r.BlockHeld = state, means, state != remediation.Approved && means == remediation.MeansOrganization
		return r, f, s, now
	}
	for name, c := range map[string]struct {
		state remediation.State
		means remediation.Means
		shut  func(*remediation.Request, *remediation.Facts)
		gate  remediation.Gate
	}{
		"a key that AWS says is another account's": {remediation.Approved, remediation.MeansRootCredentials, func(_ *remediation.Request, f *remediation.Facts) { f.KeyAccount = "" }, remediation.GateKey},
		"credentials that are not the root user's": {remediation.Approved, remediation.MeansRootCredentials, func(_ *remediation.Request, f *remediation.Facts) { f.RootSession = false }, remediation.GateIdentity},
		"a policy that is not the shipped one":     {remediation.Approved, remediation.MeansOrganization, func(_ *remediation.Request, f *remediation.Facts) { f.Block.Intact = false }, remediation.GateBlock},
		"a policy that could not be read":          {remediation.Approved, remediation.MeansOrganization, func(_ *remediation.Request, f *remediation.Facts) { f.Block.Known = false }, remediation.GateBlock},
		"a block that was found there":             {remediation.Reactivating, remediation.MeansOrganization, func(r *remediation.Request, _ *remediation.Facts) { r.BlockFound = true }, remediation.GateBlock},
		"a lift of a block that was found there":   {remediation.Lifting, remediation.MeansOrganization, func(r *remediation.Request, _ *remediation.Facts) { r.BlockFound = true }, remediation.GateBlock},
		"a block that the request does not hold":   {remediation.Reactivating, remediation.MeansOrganization, func(r *remediation.Request, _ *remediation.Facts) { r.BlockHeld = false }, remediation.GateBlock},
		"an undo that nobody confirmed":            {remediation.Reactivating, remediation.MeansOrganization, func(r *remediation.Request, _ *remediation.Facts) { r.Approvals = nil }, remediation.GateApprovals},
		"an emergency by somebody no longer listed": {remediation.Approved, remediation.MeansOrganization, func(r *remediation.Request, _ *remediation.Facts) {
			r.BreakGlass, r.Approvals, r.OpenedAt = true, nil, start().Add(8*24*time.Hour)
		}, remediation.GateEntitled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, f, s, now := step(c.state, c.means)
			if _, err := remediation.Start(r, f, s, now); err != nil {
				t.Fatalf("before anything is wrong: %v", err)
			}
			c.shut(&r, &f)
			_, err := remediation.Start(r, f, s, now)
			var shut *remediation.GateError
			if !errors.As(err, &shut) || shut.Gate != c.gate {
				t.Errorf("got %v, want the gate %s", err, c.gate)
			}
		})
	}
}

func TestTheSecondGatesOpenOnTheReadingOfTheFirst(t *testing.T) {
	t.Parallel()
	r, f, s, now := deletable()
	d := remediation.Decide(r, remediation.Event{Kind: remediation.Begin}, now.Add(50*time.Millisecond))
	if d.Next.State != remediation.Deleting {
		t.Fatalf("begun: %s, %v", d.Next.State, d.Refusal)
	}
	if _, err := remediation.Start(d.Next, f, s, now.Add(100*time.Millisecond)); err != nil {
		t.Errorf("a reading from a moment before the attempt was committed: %v", err)
	}
	f.KeysAt = f.KeysAt.Add(-time.Minute)
	if _, err := remediation.Start(d.Next, f, s, now.Add(100*time.Millisecond)); err == nil {
		t.Error("a list from before the attempt opens the gates")
	}
}
