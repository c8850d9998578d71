package posture

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// This file follows one finding over time. The rules are AWS Security Hub's, but for the last two:
//   - a control that passes, or no longer applies, resolves its finding;
//   - one that fails after it passed opens it again as New. So does an account that comes back: nothing is followed of one
//     that is gone;
//   - a suppression ends by its time, and what still fails then is New;
//   - a failure that got worse is New again: another key, one that was activated, another use. AWS compares no degrees;
//   - NotAvailable changes nothing. AWS opens a finding again when sight is lost; here the coverage says so instead, so that
//     an hour of throttling does not bring thousands of findings back.
//
// https://docs.aws.amazon.com/securityhub/latest/userguide/finding-workflow-status.html

// The errors of suppressing, and of giving a track a finding that is not its own.
var (
	ErrNotFailing   = errors.New("the finding does not fail")
	ErrNoReason     = errors.New("a suppression needs a person and a reason")
	ErrNoEnd        = errors.New("a suppression needs an end that is still to come")
	ErrOtherFinding = errors.New("the finding belongs to another track")
)

// Suppression is somebody's decision not to be told of a finding for a while.
type Suppression struct {
	By     string    `json:"by"` // the Slack user id
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`

	// What the finding failed by when it was suppressed, lowered when it gets better. Anything beyond it opens the finding.
	Degree   int    `json:"degree,omitempty"`
	Subjects string `json:"subjects,omitempty"`
}

// hides reports whether a failure is still what was suppressed, and the suppression narrowed to it.
func (s Suppression) hides(f Finding) (Suppression, bool) {
	if s.Degree > 0 && f.Degree > s.Degree || s.Subjects != "" && !covers(s.Subjects, f.Subjects) {
		return s, false
	}
	if f.Degree > 0 {
		s.Degree, s.Subjects = f.Degree, f.Subjects
	}
	return s, true
}

// Track is what is remembered of one finding between runs. Its zero value has seen nothing. Its methods return a changed
// copy and leave the receiver alone.
type Track struct {
	Last        Finding      `json:"last"`           // the latest finding, whatever its status
	Known       Finding      `json:"known,omitzero"` // the latest that was a judgement, with the keys last listed; zero while there was none
	Workflow    Workflow     `json:"workflow"`       // empty while there was no judgement
	Since       time.Time    `json:"since,omitzero"` // since when Known has the status that it has
	Suppression *Suppression `json:"suppression,omitempty"`
}

// See takes the finding of the latest run and tells what changed. Seeing the same finding twice changes nothing the second
// time. The error is ErrOtherFinding.
func (t Track) See(f Finding, now time.Time) (Track, Change, error) {
	if t.Last.Control != "" && t.Last.Key() != f.Key() {
		return t, ChangeUnknown, fmt.Errorf("follow %s of account %s: %w", f.Control, f.Account, ErrOtherFinding)
	}
	t = t.Wake(now)
	before := t.Known
	c := change(t.Last.Status, before, f)
	t.Last = f
	switch f.Status {
	case Passed, NotApplicable:
		t.Workflow, t.Suppression = WorkflowResolved, nil
	case Failed:
		t = t.failing(f, before.Status, c)
	case NotAvailable, StatusUnknown:
		return t, c, nil
	default:
		return t, c, nil
	}
	if before.Status != f.Status {
		t.Since = now
	}
	t.Known = f
	if f.Status == Failed && before.Status == Failed && f.Degree == 0 {
		// A list that could not be read this time is no reason to forget the keys that it showed before.
		t.Known.Degree, t.Known.Subjects = before.Degree, before.Subjects
	}
	return t, c, nil
}

// failing opens the finding, unless people were told of this failure before or asked not to be.
func (t Track) failing(f Finding, before Status, c Change) Track {
	if t.Workflow == WorkflowSuppressed {
		if s, hidden := t.Suppression.hides(f); hidden {
			t.Suppression = &s
			return t
		}
		return t.Unsuppress()
	}
	if before != Failed || c == Worse {
		t.Workflow = WorkflowNew
	}
	return t
}

// Notify notes that people were told. Only a New finding becomes Notified; the others stay what they are.
func (t Track) Notify() Track {
	if t.Workflow == WorkflowNew {
		t.Workflow = WorkflowNotified
	}
	return t
}

// Suppress keeps a finding that fails quiet until its end. What it fails by is suppressed as it is: another key, or one
// that was activated again, opens the finding again. The errors are ErrNotFailing, ErrNoReason and ErrNoEnd.
func (t Track) Suppress(s Suppression, now time.Time) (Track, error) {
	switch {
	case t.Known.Status != Failed:
		return t, fmt.Errorf("suppress %s: %w", t.Last.Control, ErrNotFailing)
	case s.By == "" || strings.TrimSpace(s.Reason) == "":
		return t, fmt.Errorf("suppress %s: %w", t.Last.Control, ErrNoReason)
	case !s.Until.After(now):
		return t, fmt.Errorf("suppress %s: %w", t.Last.Control, ErrNoEnd)
	}
	s.At, s.Degree, s.Subjects = now, t.Known.Degree, t.Known.Subjects
	t.Workflow, t.Suppression = WorkflowSuppressed, &s
	return t, nil
}

// Unsuppress ends a suppression at once. It does nothing to a finding that is not suppressed.
func (t Track) Unsuppress() Track {
	if t.Workflow == WorkflowSuppressed {
		t.Workflow, t.Suppression = WorkflowNew, nil
	}
	return t
}

// Wake ends a suppression whose time is over; a suppressed finding without one is woken too. A finding wakes even while it
// cannot be judged: as far as anybody knows it still fails.
func (t Track) Wake(now time.Time) Track {
	if t.Workflow == WorkflowSuppressed && (t.Suppression == nil || !now.Before(t.Suppression.Until)) {
		return t.Unsuppress()
	}
	return t
}
