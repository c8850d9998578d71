package remediation

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
)

func TestATransitionThatItsRowDoesNotNameIsRefused(t *testing.T) {
	t.Parallel()
	r := Request{ID: "r1", Version: 3, State: DeleteRequested}
	rule := Rule{
		From: DeleteRequested, On: Observe, To: []State{Inactive},
		do: func(s *step) { s.to(Deleting, NoteBegun, audit.RemediationAttempted) },
	}
	d := rule.decide(r, Event{Kind: Observe}, time.Unix(1e9, 0))
	if d.Refusal == nil || d.Changed || d.Next.State != DeleteRequested || len(d.Effects) != 0 {
		t.Errorf("a row that leads astray becomes %s with %v", d.Next.State, d.Effects)
	}
}
