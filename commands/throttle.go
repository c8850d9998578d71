package commands

import (
	"context"
	"sync"
)

// throttle bounds how many looks are under way. The bound begins at slowStart, grows with each answer until AWS throttles for
// the first time, and from then on by one for each round of answers. Throttling takes a quarter away; the looks that were
// under way then take away nothing more, because one moment of throttling is one reason.
type throttle struct {
	freed chan struct{} // for the one caller of enter

	mu      sync.Mutex
	most    float64
	bound   float64
	inside  int
	entered int
	slowed  int // the looks that had begun when the bound last fell
	slow    bool
}

func newThrottle(most int) *throttle {
	return &throttle{freed: make(chan struct{}, 1), most: float64(most), bound: float64(min(most, slowStart))}
}

// enter waits for room and numbers the look. It has one caller at a time.
func (t *throttle) enter(ctx context.Context) (int, error) {
	for {
		t.mu.Lock()
		if t.inside < max(1, int(t.bound)) {
			t.inside++
			t.entered++
			n := t.entered
			t.mu.Unlock()
			return n, ctx.Err()
		}
		t.mu.Unlock()
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-t.freed:
		}
	}
}

// leave makes room, and adapts the bound to the answer.
func (t *throttle) leave(look int, throttled bool) {
	t.mu.Lock()
	t.inside--
	switch {
	case throttled && look > t.slowed:
		t.slow, t.slowed, t.bound = true, t.entered, max(1, t.bound*3/4)
	case throttled:
	case t.slow:
		t.bound = min(t.most, t.bound+1/t.bound)
	default:
		t.bound = min(t.most, t.bound+1)
	}
	t.mu.Unlock()
	select {
	case t.freed <- struct{}{}:
	default:
	}
}
