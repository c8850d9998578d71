package remediation_test

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file tells the rules of one key's remediation a second time, for the property test. It shares nothing with the
// machine: no state, no table, no gate. It knows who asked and confirmed, what readings of AWS showed, and which calls
// were made, and says what was wrong with one.

// terms are what one request was made under.
type terms struct {
	twoPerson, breakGlass, dry   bool
	approvals, attempts          int
	watch, spread, guard         time.Duration
	pending, young, skew, oneDay time.Duration
}

// model is what may be done to one key, by the rules alone.
type model struct {
	terms
	step      string // what was asked for last: deactivate, reactivate, lift or delete; "" once it was taken back
	requester string
	override  bool
	asked     time.Time
	confirmed time.Time // the last confirmation
	approvers []string
	done      bool // the step needs no more confirmations
	calls     map[string]int

	watching  bool
	counts    time.Time     // use after this counts
	watched   time.Duration // covered by readings since whatever voided the watch
	ours, aws time.Time     // of the last reading that counted
	lastUse   time.Time     // the latest that a reading showed
	known     []string      // the account's other keys
	sighted   bool          // a reading showed the key after the last deletion that was sent
	gone      bool          // a deletion had its effect
}

// sight is what one reading showed.
type sight struct {
	known, present, shut, block bool
	lastUse, ours, aws          time.Time
	others                      []string
}

// ask notes a step that the bot agreed to put to the approvers.
func (m *model) ask(step, who string, override bool, now time.Time) error {
	if step == "delete" && m.watched < m.watch {
		return fmt.Errorf("a deletion may be asked for after %s of %s", m.watched, m.watch)
	}
	m.step, m.requester, m.override, m.asked = step, who, override, now
	m.approvers, m.done, m.confirmed, m.calls = nil, m.breakGlass && step == "deactivate", now, map[string]int{}
	return nil
}

// confirm notes a confirmation that the bot accepted.
func (m *model) confirm(who string, entitled bool, now time.Time) error {
	switch {
	case m.step == "" || m.done:
		return fmt.Errorf("%s confirms nothing that is pending", who)
	case !entitled:
		return fmt.Errorf("%s confirms and may not", who)
	case m.twoPerson && who == m.requester:
		return fmt.Errorf("%s confirms what %s asked for", who, m.requester)
	case slices.Contains(m.approvers, who):
		return fmt.Errorf("%s confirms twice", who)
	case now.Sub(m.asked) >= m.pending:
		return fmt.Errorf("%s confirms after the time for it", who)
	}
	m.approvers, m.confirmed = append(m.approvers, who), now
	m.done = len(m.approvers) >= m.wanted()
	return nil
}

func (m *model) wanted() int {
	if m.step == "delete" {
		return max(1, m.approvals)
	}
	return 1
}

// void notes that whatever was asked for is off.
func (m *model) void() { m.step, m.approvers, m.done = "", nil, false }

// voidDeletion notes that something happened that voids a deletion, and leaves an undo alone.
func (m *model) voidDeletion() {
	if m.step == "delete" {
		m.void()
	}
}

// read notes what a reading showed.
func (m *model) read(s sight) {
	if !s.known {
		return
	}
	m.sighted = m.sighted || s.present
	if !s.present || !s.shut {
		m.watching, m.watched = false, 0
		m.voidDeletion()
		return
	}
	stranger := slices.ContainsFunc(s.others, func(k string) bool { return !slices.Contains(m.known, k) })
	used := s.lastUse.After(m.lastUse) && (s.lastUse.After(m.counts) || m.step == "delete")
	switch {
	case !m.watching:
		m.watching, m.watched, m.counts, m.ours, m.aws = true, 0, s.ours, s.ours, s.aws
		if s.block {
			m.counts = s.ours.Add(m.spread)
		}
	case used || stranger:
		m.watched, m.counts, m.ours, m.aws = 0, later(m.counts, s.ours), s.ours, s.aws
		m.voidDeletion()
	default:
		m.watched += min(max(0, min(s.ours.Sub(m.ours), s.aws.Sub(m.aws))), m.oneDay)
	}
	for _, k := range s.others {
		if !slices.Contains(m.known, k) {
			m.known = append(m.known, k)
		}
	}
	m.lastUse, m.ours, m.aws = later(m.lastUse, s.lastUse), later(m.ours, s.ours), later(m.aws, s.aws)
}

// scene is the world at the moment of a changing call.
type scene struct {
	on, paused, dryRun, exempt, recorded bool
	asker                                bool // who asked may still ask
	entitled                             map[string]bool
	ours, aws, audit                     time.Time
	sameAccount, sameKey                 bool // the call names the account and the key that were asked about
	present, shut, rightBlock, foreign   bool
	lastUse                              time.Time
	deleted, daily                       int
}

// call judges one changing call at the moment when it reaches AWS.
func (m *model) call(act string, s scene) error {
	m.calls[act]++
	undo := act == "reactivate" || act == "lift"
	again := act == "deactivate" && m.step == "lift" // a lift ends by blocking again: that is what was confirmed
	switch {
	case m.step != act && !again:
		return fmt.Errorf("what was asked for is %q", m.step)
	case !m.done || len(m.approvers) < m.wanted() && (!m.breakGlass || act != "deactivate"):
		return fmt.Errorf("%d of %d confirmed", len(m.approvers), m.wanted())
	case m.twoPerson && slices.Contains(m.approvers, m.requester):
		return fmt.Errorf("%s confirmed their own", m.requester)
	case slices.ContainsFunc(m.approvers, func(u string) bool { return !s.entitled[u] }):
		return fmt.Errorf("somebody of %v may not confirm any more", m.approvers)
	case len(m.approvers) == 0 && !s.entitled[m.requester], len(m.approvers) > 0 && !s.asker && !again:
		return fmt.Errorf("%s may not ask for it any more", m.requester)
	case s.ours.Sub(m.confirmed) >= m.young:
		return fmt.Errorf("the confirmation is %s old", s.ours.Sub(m.confirmed))
	case m.calls[act] > m.attempts:
		return fmt.Errorf("%d calls under one confirmation", m.calls[act])
	case !s.recorded:
		return errors.New("the attempt is not on record")
	case !s.on || s.exempt || m.dry || (s.paused || s.dryRun) && !undo:
		return fmt.Errorf("it is off, paused, dry or exempt: %+v", s)
	case !s.sameAccount || !s.sameKey || !s.present:
		return fmt.Errorf("the call is about something else: %+v", s)
	case undo && s.foreign:
		return errors.New("the block was found there")
	case act == "deactivate" && !s.rightBlock:
		return errors.New("the policy is not the shipped one")
	case act == "delete":
		return m.delete(s)
	}
	return nil
}

// delete judges what a deletion needs beyond every other call.
func (m *model) delete(s scene) error {
	switch {
	case m.gone:
		return errors.New("the key was deleted before")
	case m.calls["delete"] > 1 && !m.sighted:
		return errors.New("sent again without a look")
	case m.watched < m.watch:
		return fmt.Errorf("watched for %s of %s", m.watched, m.watch)
	case !s.shut:
		return errors.New("the key is neither inactive nor blocked")
	case s.lastUse.After(m.lastUse):
		return fmt.Errorf("used at %s, which nobody was shown", s.lastUse)
	case s.ours.Sub(s.lastUse) < m.guard && !m.override:
		return fmt.Errorf("used %s ago, without an override", s.ours.Sub(s.lastUse))
	case s.ours.Sub(s.aws).Abs() > m.skew || s.ours.Before(s.audit):
		return fmt.Errorf("the clocks disagree: %s, %s, %s", s.ours, s.aws, s.audit)
	case s.deleted >= s.daily:
		return fmt.Errorf("%d deletions today", s.deleted)
	}
	m.sighted = false
	return nil
}
