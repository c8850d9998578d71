package app_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
)

func TestTheHeartbeatTellsHowTheBotIs(t *testing.T) {
	t.Parallel()
	beat := time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ok    bool
		why   string
		after time.Duration
		want  string // in the error; empty: well
	}{
		"a fresh beat is well":                       {true, "", 10 * time.Second, ""},
		"just below the limit is well":               {true, "", app.HeartbeatLimit - time.Second, ""},
		"at the limit it is not":                     {true, "", app.HeartbeatLimit, "stopped or hangs"},
		"a beat that says so is not well":            {false, "no socket to Slack is open", time.Second, "no socket to Slack is open"},
		"a beat that gives no reason is not well":    {false, "", time.Second, "not well"},
		"a beat from the future is not believed":     {true, "", -time.Hour, "set back"},
		"a clock that is a little behind is nothing": {true, "", -time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "health")
			if err := app.NewHeartbeat(file, func() time.Time { return beat }).Beat(c.ok, c.why); err != nil {
				t.Fatal(err)
			}
			_, _, err := app.NewHeartbeat(file, func() time.Time { return beat.Add(c.after) }).Check()
			switch {
			case c.want == "" && err != nil:
				t.Errorf("it is not well: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("the error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestTheHeartbeatTellsWhatTheOperatorMustMend(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC) }
	h := app.NewHeartbeat(filepath.Join(t.TempDir(), "health"), now)
	for _, well := range []bool{true, false} {
		if err := h.Beat(well, "", "Only 3 MB are free."); err != nil {
			t.Fatal(err)
		}
		_, warn, err := h.Check()
		if len(warn) != 1 || warn[0] != "Only 3 MB are free." || (err == nil) != well {
			t.Errorf("well %v: it warns of %v, %v", well, warn, err)
		}
	}
}
