package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// clock is real time plus what was added to it. Both simulators and the bot read it.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
	wake  chan struct{}

	passing sync.Mutex // one move at a time
	moving  sync.WaitGroup
}

func newClock() *clock { return &clock{wake: make(chan struct{}, 1)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead).Round(0)
}

// advance moves the clock on and wakes whoever waits for time to pass. It never goes back.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.ahead += d
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// The bounds of moving the clock.
const (
	longest  = 400 * 24 * time.Hour // at once
	stride   = 24 * time.Hour       // a watch window needs a reading for each of its days
	answerIn = 5 * time.Second
)

// world is what has to keep up with the clock.
type world struct {
	looked  func(context.Context) bool // what reads AWS has done what fell due
	settled func(context.Context) bool // so has everything else
}

// pass lets time pass as it would: day by day, so that what is read every hour is read on each of them. It goes on when
// whoever asked does not wait for it.
func (c *clock) pass(ctx context.Context, d time.Duration, w world) {
	c.passing.Lock()
	defer c.passing.Unlock()
	for d > 0 && ctx.Err() == nil {
		step := min(d, stride)
		d -= step
		c.advance(step)
		soon, cancel := context.WithTimeout(ctx, 2*answerIn)
		waitFor(soon, w.looked)
		cancel()
	}
}

// serve answers POST /control/clock when the work that fell due has settled, or after five seconds. A clock that is still
// being moved then goes on; asking for "0s" tells when it has settled.
func (c *clock) serve(ctx context.Context, world world) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			answer(w, http.StatusOK, map[string]any{"now": c.Now().UTC()})
			return
		}
		var order struct {
			Advance string `json:"advance"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&order); err != nil {
			answer(w, http.StatusBadRequest, map[string]any{"error": `send {"advance": "24h"}`})
			return
		}
		d, err := time.ParseDuration(order.Advance)
		if err != nil || d < 0 || d > longest {
			answer(w, http.StatusBadRequest, map[string]any{"error": fmt.Sprintf("advance is a time from 0s to %s, such as 24h", longest)})
			return
		}
		passed := make(chan struct{})
		c.moving.Go(func() { // the clock goes on when whoever asked does not wait for it
			defer close(passed)
			c.pass(ctx, d, world)
		})
		wait, cancel := context.WithTimeout(r.Context(), answerIn)
		defer cancel()
		settled := false
		select {
		case <-passed:
			settled = waitFor(wait, world.settled) //nolint:contextcheck // it is whoever asked that waits, and not the demo
		case <-wait.Done():
		}
		answer(w, http.StatusOK, map[string]any{"now": c.Now().UTC(), "settled": settled})
	}
}

// waitFor polls until a condition has held three times in a row, so that work which is just being handed on is not missed.
func waitFor(ctx context.Context, holds func(context.Context) bool) bool {
	inRow := 0
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		if holds(ctx) {
			inRow++
		} else {
			inRow = 0
		}
		if inRow == 3 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
