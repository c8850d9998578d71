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

// longest is the most that the clock is moved at once: a watch window needs a reading for each of its days.
const longest = 400 * 24 * time.Hour

// serve answers POST /control/clock when the work that fell due has settled, or after five seconds.
func (c *clock) serve(settled func(context.Context) bool) http.HandlerFunc {
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
		c.advance(d)
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		answer(w, http.StatusOK, map[string]any{"now": c.Now().UTC(), "settled": waitFor(ctx, settled)})
	}
}

// waitFor polls until a condition has held twice in a row, so that work which is just being handed on is not missed.
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
