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

// code is the error that Slack named, or "".
func code(err error) string {
	if named, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return named.Err
	}
	return ""
}

// again makes a call that does no harm twice: it waits as long as Slack asks, and tries again what broke on the way.
func (w *Workspace) again(ctx context.Context, call func(context.Context) error) error {
	const tries = 4
	for i := 1; ; i++ {
		err := call(ctx)
		wait, retry := retryAfter(err, i)
		if !retry || i == tries {
			return blame(ctx, err)
		}
		if e := pause(ctx, wait); e != nil {
			return errors.Join(err, e)
		}
	}
}

// once makes a call whose effect would be seen twice. Only an answer that says that nothing was done is tried again.
func (w *Workspace) once(ctx context.Context, call func(context.Context) error) error {
	for i := 1; ; i++ {
		err := call(ctx)
		var limited *slack.RateLimitedError
		if !errors.As(err, &limited) || i == 3 || limited.RetryAfter > maxPatience {
			return blame(ctx, err)
		}
		if e := pause(ctx, limited.RetryAfter); e != nil {
			return errors.Join(err, e)
		}
	}
}

// maxPatience is how long a call waits for Slack's limit in place. What must wait longer goes back to the queue.
const maxPatience = 30 * time.Second

func retryAfter(err error, try int) (time.Duration, bool) {
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	var broken net.Error
	backOff := time.Duration(1<<try) * 100 * time.Millisecond
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return 0, false
	case errors.As(err, &limited):
		return limited.RetryAfter, limited.RetryAfter <= maxPatience
	case errors.As(err, &status):
		return backOff, status.Code >= 500
	case errors.As(err, &broken):
		return backOff, true
	case code(err) != "":
		return backOff, code(err) == "internal_error" || code(err) == "fatal_error" || code(err) == "service_unavailable"
	default:
		return backOff, true // a body that is no JSON
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
