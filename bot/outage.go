package bot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file parts Slack's troubles from those of what is said. The rules are:
//   - While Slack is down, limits us or cannot be reached, no message has failed: each waits, and none is given up.
//   - Slack is asked less and less often, and as late as it wishes.
//   - What Slack refuses for what it is has failed, and is counted by the worker.

// The waits while Slack is down.
const (
	firstPatience   = 5 * time.Second
	longestPatience = 5 * time.Minute
)

// outage is an error that lies with Slack, or with the way to it.
type outage struct {
	error
	wait time.Duration // as Slack asks; 0: it does not say
}

func (o *outage) Unwrap() error { return o.error }

// blame makes an outage of an error that lies with Slack. Where the caller gave up, nobody knows with whom it lies.
func blame(ctx context.Context, err error) error {
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	var broken net.Error
	var garbled *json.SyntaxError // a proxy's page in place of an answer
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.As(err, &limited):
		return &outage{err, limited.RetryAfter}
	case errors.As(err, &status) && status.Code >= 500, errors.As(err, &broken), errors.As(err, &garbled),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), code(err) == "service_unavailable", code(err) == "ratelimited":
		return &outage{err, 0}
	}
	return err
}

// downtime is how long Slack has not taken what was to be said, and how long it is left alone now.
type downtime struct {
	since, until time.Time
	wait         time.Duration
}

// later asks the worker for an item again when Slack may be back. Every other error is the item's own and stays as it is.
func (w *Workspace) later(err error) error {
	var o *outage
	if !errors.As(err, &o) {
		return err
	}
	now := w.cfg.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down.since.IsZero() {
		w.down.since = now
	}
	switch {
	case o.wait > 0:
		w.down.until = now.Add(o.wait)
	case !now.Before(w.down.until):
		w.down.wait = min(max(2*w.down.wait, firstPatience), longestPatience)
		w.down.until = now.Add(w.down.wait)
	}
	return commands.Later(w.down.until, err)
}

// up notes that Slack took a message.
func (w *Workspace) up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = downtime{}
}

// silent is since when Slack has taken nothing of what was to be said; zero while it does. What nobody has tried again for
// a while is not waited for any more.
func (w *Workspace) silent() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.Now().After(w.down.until.Add(2 * longestPatience)) {
		return time.Time{}
	}
	return w.down.since
}
