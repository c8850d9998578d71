package audit

import "fmt"

// Confirmed is whose word for a request's present step is in the log. Its zero value is that of a request that nobody asked
// for. It is told the request's events in their order.
type Confirmed struct {
	people   map[string]bool
	declared bool // an emergency, which whoever declared it confirmed
}

// Heed takes in an event of the request. Each asking begins anew: what was confirmed before it counts for nothing after.
func (c *Confirmed) Heed(e Event) {
	switch {
	case e.Action == RemediationRequested:
		c.people, c.declared = map[string]bool{}, false
	case e.Action == BreakglassDeclared:
		c.people, c.declared = map[string]bool{e.Actor.ID: true}, true
	case e.Action == RemediationConfirmed && e.Actor.Kind == KindUser && c.people != nil:
		c.people[e.Actor.ID] = true
	}
}

// People are those who confirmed, or declared an emergency, by their Slack ids.
func (c *Confirmed) People() map[string]bool { return c.people }

// missing says what an attempt rests on that is not in the log, or nothing.
func (c *Confirmed) missing(e Event) string {
	for _, who := range e.Approvers {
		if !c.people[who] {
			return fmt.Sprintf("it rests on a confirmation by %s that is not in the log", who)
		}
	}
	if len(e.Approvers) == 0 && !c.declared {
		return "it rests on no confirmation at all"
	}
	return ""
}
