package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Pause stops every changing call but undos, until somebody else resumes. One approver may do it alone.
func (s *Service) Pause(ctx context.Context, a Actor, reason string) error {
	reason = tidy(reason)
	return s.flip(ctx, a, ActPause, reason, func(_ remediation.Person, sw Switch) (Switch, *Refusal) {
		switch {
		case sw.Paused:
			return sw, &Refusal{Code: AlreadySo, Args: map[string]string{"by": sw.By, "when": when(sw.At)}}
		case reason == "":
			return sw, &Refusal{Code: ReasonWanted, Field: "reason"}
		}
		return Switch{Paused: true, By: a.User, Reason: reason}, nil
	})
}

// AnyPause is the version by which [Service.Resume] ends whatever pause there is.
const AnyPause = 0

// Resume ends the pause of a version of the switch: whoever presses a button of an earlier pause has not seen why it is
// paused now. Under the two-person rule it takes an approver who is not the one who paused.
func (s *Service) Resume(ctx context.Context, a Actor, version int) error {
	return s.flip(ctx, a, ActResume, "", func(by remediation.Person, sw Switch) (Switch, *Refusal) {
		switch {
		case !sw.Paused:
			return sw, &Refusal{Code: AlreadySo, Args: map[string]string{"by": sw.By, "when": when(sw.At)}}
		case version != AnyPause && version != sw.Version:
			return sw, &Refusal{Code: RefusalCode(remediation.RefuseOutdated)}
		}
		if s.cfg.Policy.TwoPerson {
			switch same, no := s.sameAs(ctx, by, sw.By); {
			case no != nil:
				return sw, no
			case same:
				return sw, &Refusal{Code: OwnPause, Args: map[string]string{"by": sw.By, "who": s.others(by.User, sw.By)}}
			}
		}
		return Switch{By: a.User}, nil
	})
}

func (s *Service) flip(ctx context.Context, a Actor, act, reason string, decide func(remediation.Person, Switch) (Switch, *Refusal)) error {
	by, no := s.permit(ctx, a, act, "")
	if no != nil {
		return s.refused(ctx, a, subject{act: act}, no)
	}
	for range rounds {
		was, err := s.d.Ledger.Switch(ctx)
		if err != nil {
			return fmt.Errorf("read the pause switch: %w", err)
		}
		next, no := decide(by, was)
		if no != nil {
			return s.refused(ctx, a, subject{act: act}, no)
		}
		next.Version, next.At = was.Version+1, s.d.Now()
		c, err := s.flipped(ctx, a, next, reason)
		if err != nil {
			return err
		}
		_, err = s.d.Ledger.Commit(ctx, c)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("commit the pause switch: %w", err)
		}
		return nil
	}
	return fmt.Errorf("turn the pause switch: %w", ErrConflict)
}

// flipped is the commit of the switch: everybody sees it in the channel, and on the cards that stand there. What is on its
// way to AWS cannot be called back, and is told of.
func (s *Service) flipped(ctx context.Context, a Actor, sw Switch, reason string) (Change, error) {
	action, kind := audit.SwitchResumed, NoticeResumed
	if sw.Paused {
		action, kind = audit.SwitchPaused, NoticePaused
	}
	c := Change{
		Switch: &sw,
		Audit: []audit.Event{{
			At: sw.At, Actor: audit.User(a.User, a.Team), Action: action, Outcome: audit.OutcomeDone, Reason: reason,
		}},
	}
	open, err := s.requests(ctx, RequestQuery{Open: true})
	if err != nil {
		return c, fmt.Errorf("read the open requests: %w", err)
	}
	notice := Work{Notice: kind, Version: sw.Version, By: a.User, Reason: reason}
	var cards []Place
	seen := map[Place]bool{}
	stands := func(p Place) {
		if !seen[p] {
			cards, seen[p] = append(cards, p), true
		}
	}
	for _, r := range open {
		stands(Place{Source: r.Source, Account: r.Account})
		if sw.Paused && (r.State == remediation.Deactivating || r.State == remediation.Deleting) {
			notice.Count++
		}
		if held, ok := heldBack(r, sw.At); ok && !sw.Paused {
			c.Queue = append(c.Queue, held)
		}
	}
	err = s.d.Estate.Each(ctx, func(l Look) error {
		for _, f := range l.Findings {
			if f.Status == posture.Failed && l.Workflow[f.Control] == posture.WorkflowNotified && urgent(f) {
				stands(Place{Source: f.Source, Account: f.Account})
			}
		}
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("read which cards there are: %w", err)
	}
	c.Queue = append(c.Queue, item("notice/switch/"+strconv.Itoa(sw.Version), KindNotice, notice, sw.At))
	c.Queue = append(c.Queue, redrawItem(sw, cards, sw.At))
	return c, nil
}

// heldBack is the line of a step that could not be confirmed during the pause, so that nobody was called to it. It is said
// again; where it did call people before the pause, it calls them no second time.
func heldBack(r remediation.Request, at time.Time) (Item, bool) {
	notes := map[remediation.State]remediation.Note{
		remediation.Requested: remediation.NoteRequested, remediation.DeleteRequested: remediation.NoteDeleteAsked,
	}
	n, ok := notes[r.State]
	if !ok || len(r.Approvals) > 0 {
		return Item{}, false
	}
	return tellItem(r, r.Shown, n, at), true
}

// longestMute is how long a finding may be muted. Whoever means for ever has to mean it again each year.
const longestMute = 366 * 24 * time.Hour

// Mute keeps a failing finding quiet until a time. It stands in each digest.
func (s *Service) Mute(ctx context.Context, a Actor, source string, account posture.AccountID, control posture.Control, reason string, until time.Time) error {
	reason = tidy(reason)
	return s.setMute(ctx, a, "mute", source, account, control, func(m Mute, f posture.Finding, now time.Time) (Mute, audit.Action, *Refusal) {
		switch {
		case f.Status != posture.Failed:
			return m, "", &Refusal{Code: NotFailing}
		case reason == "":
			return m, "", &Refusal{Code: ReasonWanted, Field: "reason"}
		case !until.After(now) || until.Sub(now) > longestMute:
			return m, "", &Refusal{Code: AlreadySo, Field: "until"}
		case m.Until.Equal(until) && m.Reason == reason:
			return m, "", &Refusal{Code: AlreadySo, Args: map[string]string{"by": m.By}}
		}
		m.By, m.Reason, m.Until = a.User, reason, until
		return m, audit.FindingMuted, nil
	})
}

// Unmute ends a mute at once.
func (s *Service) Unmute(ctx context.Context, a Actor, source string, account posture.AccountID, control posture.Control) error {
	return s.setMute(ctx, a, "unmute", source, account, control, func(m Mute, _ posture.Finding, now time.Time) (Mute, audit.Action, *Refusal) {
		if !now.Before(m.Until) {
			return m, "", &Refusal{Code: AlreadySo}
		}
		m.Until = now
		return m, audit.FindingUnmuted, nil
	})
}

func (s *Service) setMute(ctx context.Context, a Actor, act, source string, account posture.AccountID, control posture.Control, change func(Mute, posture.Finding, time.Time) (Mute, audit.Action, *Refusal)) error {
	about := subject{act: act, source: source, account: account}
	if _, no := s.permitCounted(ctx, a, ActRequest, source); no != nil {
		return s.refused(ctx, a, about, no)
	}
	_, known := posture.LookUp(control)
	l, err := s.d.Estate.Look(ctx, source, account)
	if errors.Is(err, ErrNotFound) || err == nil && !known {
		return s.refused(ctx, a, about, &Refusal{Code: UnknownAccount})
	}
	if err != nil {
		return fmt.Errorf("read account %s: %w", account, err)
	}
	f, _ := postureOf(l).Finding(control)
	for range rounds {
		m, err := s.d.Ledger.Mute(ctx, source, account, control)
		if errors.Is(err, ErrNotFound) {
			m, err = Mute{Source: source, Account: account, Control: control}, nil
		}
		if err != nil {
			return fmt.Errorf("read the mute of %s: %w", control, err)
		}
		now := s.d.Now()
		next, action, no := change(m, f, now)
		if no != nil {
			return s.refused(ctx, a, about, no)
		}
		next.Version++
		e := audit.Event{
			At: now, Actor: audit.User(a.User, a.Team), Action: action, Outcome: audit.OutcomeDone, Source: source,
			Account: string(account), Reason: next.Reason, Detail: map[string]string{"control": string(control), "until": clock(next.Until)},
		}
		_, err = s.d.Ledger.Commit(ctx, Change{Mute: &next, Audit: []audit.Event{e}, Queue: []Item{cardItem(source, account, now)}})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("commit the mute of %s: %w", control, err)
		}
		return nil
	}
	return fmt.Errorf("mute %s: %w", control, ErrConflict)
}
