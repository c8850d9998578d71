package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
)

func TestSlackIsAskedLessAndLessOftenAndAsLateAsItWishes(t *testing.T) {
	t.Parallel()
	now := noon()
	w := &Workspace{cfg: Config{Now: func() time.Time { return now }}}
	until := func(err error) time.Duration {
		t.Helper()
		said := w.later(fmt.Errorf("post: %w", blame(t.Context(), err))).Error()
		at, err := time.Parse(time.RFC3339, strings.SplitN(strings.TrimPrefix(said, "not before "), ": ", 2)[0])
		if err != nil {
			t.Fatalf("%q: %v", said, err)
		}
		return at.Sub(now)
	}
	if got := until(&slack.RateLimitedError{RetryAfter: time.Hour}); got != time.Hour {
		t.Errorf("limited for an hour, it waits %s", got)
	}
	now = now.Add(time.Hour)
	down := slack.StatusCodeError{Code: 503}
	for _, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute, 5 * time.Minute} {
		if got := until(down); got != want {
			t.Errorf("it waits %s, want %s", got, want)
		}
		now = now.Add(time.Second)
		if got := until(down); got != want-time.Second {
			t.Errorf("a second message that fails meanwhile waits %s, want %s", got, want-time.Second)
		}
		now = now.Add(want)
	}
	if since := w.silent(); !since.Equal(noon()) {
		t.Errorf("silent since %s, want since noon", since)
	}
	if now = now.Add(time.Hour); !w.silent().IsZero() {
		t.Error("what nobody has tried for an hour is still waited for")
	}
	w.up()
	if got := until(down); got != 5*time.Second {
		t.Errorf("after a message that was taken it waits %s", got)
	}
}

func TestWhoGaveUpBlamesNobody(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, blamed := errors.AsType[*outage](blame(ctx, slack.StatusCodeError{Code: 503})); blamed {
		t.Error("an outage was seen by somebody who had given up")
	}
}
