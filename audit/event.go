package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The kinds of actor. The zero value is not one of them: an event without an actor is refused.
const (
	KindUser     = "user"     // a person in Slack; ID and Team are Slack's
	KindSystem   = "system"   // the bot itself; ID is the part that acted, such as "scheduler"
	KindOperator = "operator" // whoever runs the process, at its terminal or through its settings
)

// Actor is who did it. Slack's ids are kept and not names, because names change.
type Actor struct {
	Kind string
	ID   string
	Team string // the Slack workspace of a user; empty for the others
}

// User is a person, by the ids that Slack vouched for.
func User(id, team string) Actor { return Actor{Kind: KindUser, ID: id, Team: team} }

// System is a part of the bot that acts by itself.
func System(part string) Actor { return Actor{Kind: KindSystem, ID: part} }

// Operator is whoever runs the process.
func Operator(id string) Actor { return Actor{Kind: KindOperator, ID: id} }

// String is the actor in a log line: "user U024BE7LH (T012AB3C4)", "system scheduler".
func (a Actor) String() string {
	s := strings.TrimSpace(a.Kind + " " + a.ID)
	if a.Team != "" {
		s += " (" + a.Team + ")"
	}
	return s
}

// Outcome is how it ended. The zero value is not an outcome: an event without one is refused.
type Outcome string

// The outcomes.
const (
	OutcomeDone    Outcome = "done"    // it was done, or it was seen to be so
	OutcomeRefused Outcome = "refused" // the bot would not, and Reason says why
	OutcomeFailed  Outcome = "failed"  // it was tried, and certainly had no effect
	OutcomeAttempt Outcome = "attempt" // it is about to be tried; another record tells how it went
	OutcomeUnknown Outcome = "unknown" // it was tried, and whether it had an effect must be read from AWS
)

// Known reports whether o is one of the outcomes.
func (o Outcome) Known() bool {
	switch o {
	case OutcomeDone, OutcomeRefused, OutcomeFailed, OutcomeAttempt, OutcomeUnknown:
		return true
	}
	return false
}

// Event is one thing that happened, as the code that decided it tells it. Empty fields do not apply.
type Event struct {
	At         time.Time // by the injected clock, never earlier than the record before
	Actor      Actor
	Action     Action
	Outcome    Outcome
	Request    string            // the remediation request
	Version    int               // the request's version that this event made, or acted on
	Source     string            // the entry of the settings' aws list
	Account    string            // twelve digits
	Key        string            // the handle, "AKIA…WXYZ#fingerprint"; a whole key id is refused
	From       string            // the state before
	To         string            // the state after
	Reason     string            // a person's reason, or the reason of a refusal
	Approvers  []string          // the Slack user ids that confirmed, in the order of their confirmations
	Snapshot   string            // the hash of what was confirmed
	AWSRequest string            // AWS's own id of the call
	Detail     map[string]string // what else helps to understand the record
}

// Leaf is an event with its place in the log.
type Leaf struct {
	Seq int64 // counts from 0, as RFC 6962 counts leaves: a log of size n holds the records 0 to n-1
	Event
	Replica string // which process wrote it
	Build   string // that process's version
}

// Normal returns e as the log keeps it: the time in UTC, invalid UTF-8 replaced by U+FFFD, empty collections nil, and
// whole access key ids and Slack tokens masked wherever they stand in text, since a person may type one into a reason.
// The result shares no memory with e. Key is left alone: [Event.Check] refuses a whole id there.
func (e Event) Normal() Event {
	e.At = e.At.Round(0).UTC()
	e.Actor = Actor{Kind: clean(e.Actor.Kind), ID: clean(e.Actor.ID), Team: clean(e.Actor.Team)}
	e.Action, e.Outcome = Action(clean(string(e.Action))), Outcome(clean(string(e.Outcome)))
	e.Key = strings.ToValidUTF8(e.Key, "\uFFFD")

	for _, s := range []*string{
		&e.Request, &e.Source, &e.Account, &e.From, &e.To, &e.Reason, &e.Snapshot, &e.AWSRequest,
	} {
		*s = clean(*s)
	}

	e.Approvers = slices.Clone(e.Approvers)
	for i, id := range e.Approvers {
		e.Approvers[i] = clean(id)
	}
	if len(e.Approvers) == 0 {
		e.Approvers = nil
	}

	if e.Detail != nil {
		detail := make(map[string]string, len(e.Detail))
		// In order, so that of two keys that come out the same it is always the same one that stays.
		for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
			detail[clean(k)] = clean(e.Detail[k])
		}
		e.Detail = detail
	}
	if len(e.Detail) == 0 {
		e.Detail = nil
	}
	return e
}

// Check reports the first reason why e cannot be recorded: no time, no actor, no outcome, an action outside the
// vocabulary, or a whole access key id in Key. It returns nil for an event that can.
func (e Event) Check() error {
	if !e.Action.Known() {
		return fmt.Errorf("record event: the vocabulary has no action %q", e.Action)
	}
	return e.form()
}

// form is what holds of every record, also of one that a later version wrote with actions this version does not know.
func (e Event) form() error {
	if y := e.At.UTC().Year(); e.At.IsZero() || y < 1 || y > 9999 {
		return fmt.Errorf("record %s: no usable time", e.Action)
	}
	if !e.Action.formed() {
		return fmt.Errorf("record event: action %q is not of the form noun.past", e.Action)
	}
	switch e.Actor.Kind {
	case KindUser, KindSystem, KindOperator:
	default:
		return fmt.Errorf("record %s: unknown kind of actor %q", e.Action, e.Actor.Kind)
	}
	if !e.Outcome.Known() {
		return fmt.Errorf("record %s: unknown outcome %q", e.Action, e.Outcome)
	}
	if mask(e.Key) != e.Key {
		return fmt.Errorf("record %s: the key is whole, only its handle may be recorded", e.Action)
	}
	return nil
}
