package slacksim

import "time"

// bucket is a token bucket on the workspace's clock.
type bucket struct {
	tokens float64
	last   time.Time
}

// take spends one token of a bucket that holds burst and refills at rate per second, or returns
// how long until one is there. The caller holds mu.
func (w *Workspace) take(key string, rate, burst float64) time.Duration {
	now := w.cfg.Now()
	b := w.limits[key]
	if b == nil {
		b = &bucket{tokens: burst, last: now}
		w.limits[key] = b
	}
	// A clock that was set back must not leave the bucket empty until it catches up.
	if elapsed := now.Sub(b.last).Seconds(); elapsed > 0 {
		b.tokens = min(burst, b.tokens+elapsed*rate)
	}
	b.last = now
	if b.tokens >= 1 {
		b.tokens--
		return 0
	}
	return max(time.Duration((1-b.tokens)/rate*float64(time.Second)), time.Millisecond)
}

// limited returns how long the client must wait before this call, 0 when it may go ahead. The
// caller holds mu.
//
// Posting is limited to one message per second per channel and several hundred per minute per
// workspace, taken here to be 300 (https://docs.slack.dev/apis/web-api/rate-limits).
func (w *Workspace) limited(name string, m method, c *call) time.Duration {
	if wait := w.faultWait(name); wait > 0 {
		return wait
	}
	if w.cfg.DisableRateLimits {
		return 0
	}
	if name == "chat.postMessage" {
		const perMinute = 300
		key := c.str("channel")
		if ch := w.findChannel(key); ch != nil {
			key = ch.ID
		} else if id, ok := w.dms[key]; ok {
			key = id
		}
		if wait := w.take("post:"+key, 1, 1); wait > 0 {
			return wait
		}
		return w.take("post", perMinute/60.0, perMinute)
	}
	if m.perMinute == 0 {
		return 0
	}
	n := float64(m.perMinute)
	return w.take("method:"+name, n/60, n)
}
