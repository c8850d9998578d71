package commands

import (
	"context"
	"sync"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// gate bounds how many looks are under way. The bound begins at slowStart, grows with each answer until AWS throttles for
// the first time, and from then on by one for each round of answers. Throttling takes a quarter away; the looks that were
// under way then take away nothing more, because one moment of throttling is one reason.
type gate struct {
	freed chan struct{} // for the one caller of enter

	mu      sync.Mutex
	most    float64
	bound   float64
	inside  int
	entered int
	slowed  int // the looks that had begun when the bound last fell
	slow    bool
}

func newGate(most int) *gate {
	return &gate{freed: make(chan struct{}, 1), most: float64(most), bound: float64(min(most, slowStart))}
}

// enter waits for room and numbers the look. It has one caller at a time.
func (g *gate) enter(ctx context.Context) (int, error) {
	for {
		g.mu.Lock()
		if g.inside < max(1, int(g.bound)) {
			g.inside++
			g.entered++
			n := g.entered
			g.mu.Unlock()
			return n, ctx.Err()
		}
		g.mu.Unlock()
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-g.freed:
		}
	}
}

// leave makes room, and adapts the bound to the answer.
func (g *gate) leave(look int, throttled bool) {
	g.mu.Lock()
	g.inside--
	switch {
	case throttled && look > g.slowed:
		g.slow, g.slowed, g.bound = true, g.entered, max(1, g.bound*3/4)
	case throttled:
	case g.slow:
		g.bound = min(g.most, g.bound+1/g.bound)
	default:
		g.bound = min(g.most, g.bound+1)
	}
	g.mu.Unlock()
	select {
	case g.freed <- struct{}{}:
	default:
	}
}

// gaps are the reasons for which facts of the evidence are missing.
func gaps(e posture.Evidence) []*posture.Gap {
	return []*posture.Gap{
		e.AccessKeys.Gap, e.MFA.Gap, e.Certificates.Gap, e.Password.Gap, e.Keys.Gap, e.Devices.Gap, e.CertificateList.Gap,
		e.SignIn.Gap, e.KeyUse.Gap,
	}
}

// Transient counts the facts of the evidence that are missing for a reason that may pass by itself within the minute.
func Transient(e posture.Evidence) int {
	n := 0
	for _, g := range gaps(e) {
		if g != nil && (g.Reason == posture.ReasonThrottled || g.Reason == posture.ReasonNoAnswer) {
			n++
		}
	}
	return n
}

func isThrottled(e posture.Evidence) bool {
	for _, g := range gaps(e) {
		if g != nil && g.Reason == posture.ReasonThrottled {
			return true
		}
	}
	return false
}

// told reports whether the look told anything that a later one might not.
func told(e posture.Evidence) bool { return e.AccessKeys.Known() || e.MFA.Known() }

// better is the look that lacks less for a reason that may pass, and how much it lacks. Of two alike the later one counts.
func better(before *posture.Evidence, e posture.Evidence) (*posture.Evidence, int) {
	n := Transient(e)
	if before != nil {
		if was := Transient(*before); was < n {
			return before, was
		}
	}
	return &e, n
}
