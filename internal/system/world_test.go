package system_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/bot"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// clock is real time, set off by what the test says. Both simulators and a bot in the test's own process read it; a bot in a
// process of its own has real time only, so the test brings the two together before it starts one.
type clock struct {
	mu   sync.Mutex
	off  time.Duration
	wake chan struct{}
}

func newClock(off time.Duration) *clock { return &clock{off: off, wake: make(chan struct{}, 1)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off).Round(0)
}

func (c *clock) set(off time.Duration) {
	c.mu.Lock()
	c.off = off
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// world is both simulators on loopback, and a folder for the bot.
type world struct {
	t        testing.TB
	clock    *clock
	slack    *slacksim.Workspace
	aws      *awssim.Organization
	base     string
	database string
	settings string
	anchor   string // a message of the bot's to click on
	env      map[string]string
}

// newWorld serves the simulators. The environment of the test's process leads to them and nowhere else, so a test that
// builds a world cannot be parallel.
func newWorld(tb testing.TB, c *clock, organization awssim.Config, settings string) *world {
	tb.Helper()
	dir := tb.TempDir()
	w := &world{t: tb, clock: c, database: filepath.Join(dir, "rootcheck.db"), settings: filepath.Join(dir, "rootcheck.yaml")}
	organization.Now = c.Now
	var scopes []string
	for _, s := range bot.Scopes() {
		scopes = append(scopes, s.Name)
	}
	w.aws = awssim.New(organization)
	w.slack = slacksim.New(slacksim.Config{Now: c.Now, DisableRateLimits: true, BotScopes: scopes})
	slacksim.Demo(w.slack)
	mux := http.NewServeMux()
	w.aws.Mount(mux, "/aws")
	mux.Handle("/slack/", w.slack.API())
	mux.Handle("/control/slack/", w.slack.Control())
	server := httptest.NewServer(mux)
	w.base = server.URL
	w.slack.SetBaseURL(server.URL)
	tb.Cleanup(func() {
		w.slack.Close()
		w.aws.Close()
		server.CloseClientConnections()
		server.Close()
	})
	w.point(dir, server.URL+"/slack/api/", server.URL+"/aws/", settings)
	return w
}

// point writes the settings and leads the environment to a Slack and an AWS.
func (w *world) point(dir, slackURL, awsURL, settings string) {
	w.t.Helper()
	ok(w.t, os.WriteFile(w.settings, []byte(settings), 0o600))
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "SLACK_") || strings.HasPrefix(name, "ROOTCHECK_") && name != "ROOTCHECK_PROOF" ||
			strings.HasSuffix(strings.ToLower(name), "_proxy") {
			w.t.Setenv(name, "")
			ok(w.t, os.Unsetenv(name))
		}
	}
	w.env = map[string]string{
		"AWS_ENDPOINT_URL": awsURL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIADEMODEMODEMODEMO",
		"AWS_SECRET_ACCESS_KEY": "made-up", "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "none"),
		"AWS_CONFIG_FILE": filepath.Join(dir, "none"), "AWS_EC2_METADATA_DISABLED": "true",
		"SLACK_API_URL": slackURL, "SLACK_BOT_TOKEN": "xoxb-demo", "SLACK_APP_TOKEN": "xapp-demo",
		"ROOTCHECK_DATABASE": w.database, "ROOTCHECK_CONFIG": w.settings,
	}
	for name, value := range w.env {
		w.t.Setenv(name, value)
	}
}

// play runs the bot in this process, on the world's clock, until f returns.
func (w *world) play(f func(*app.App)) {
	w.t.Helper()
	c, err := app.Load(w.settings, os.Getenv)
	ok(w.t, err)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	a, err := app.New(ctx, c, app.Options{Now: w.clock.Now, Wake: w.clock.wake, Version: "test"})
	ok(w.t, err)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Errorf("the bot ended: %v", err)
		}
		ok(w.t, a.Close())
	}()
	w.until(time.Minute, "a socket is open", func() bool { return w.slack.Connections() > 0 })
	f(a)
}

// look reads the store beside whoever writes to it.
func (w *world) look(f func(context.Context, *store.Store) error) error {
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	db, err := store.OpenReadOnly(ctx, store.Config{URL: w.database, Now: w.clock.Now})
	if err != nil {
		return err
	}
	err = f(ctx, db)
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

// state is what stands on the screens, each conversation with its newest messages.
func (w *world) state(newest int) screens {
	w.t.Helper()
	answer := httptest.NewRecorder()
	path := fmt.Sprintf("http://localhost/control/slack/state?messages=%d", newest)
	w.slack.Control().ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
	var s screens
	if err := json.Unmarshal(answer.Body.Bytes(), &s); err != nil {
		w.t.Errorf("read the state of Slack: %v", err)
	}
	return s
}

type screens struct {
	Channels []struct {
		ID       string    `json:"id"`
		IsIM     bool      `json:"is_im"`
		User     string    `json:"user"`
		Messages []message `json:"messages"`
	} `json:"channels"`
	Views []view          `json:"views"`
	Homes map[string]view `json:"homes"`
}

type message struct {
	TS        string           `json:"ts"`
	User      string           `json:"user"`
	Text      string           `json:"text"`
	Blocks    []map[string]any `json:"blocks"`
	Ephemeral string           `json:"ephemeral_to"`
	Pings     []any            `json:"pings"`
}

type view struct {
	ID       string           `json:"id"`
	User     string           `json:"user"`
	Callback string           `json:"callback_id"`
	Top      bool             `json:"top"`
	Blocks   []map[string]any `json:"blocks"`
	Submit   map[string]any   `json:"submit"`
	Metadata string           `json:"private_metadata"`
}

func (v view) has(field string) bool {
	for _, b := range v.Blocks {
		if b["block_id"] == field {
			return true
		}
	}
	return false
}

// until waits for something to become so.
func (w *world) until(patience time.Duration, what string, holds func() bool) {
	w.t.Helper()
	if !soon(patience, holds) {
		w.t.Fatalf("it never came to be that %s", what)
	}
}

// soon looks less and less often: many of the looks open the bot's database.
func soon(patience time.Duration, holds func() bool) bool {
	end := time.NewTimer(patience)
	defer end.Stop()
	pause := 20 * time.Millisecond
	for !holds() {
		again := time.NewTimer(pause)
		select {
		case <-end.C:
			again.Stop()
			return holds()
		case <-again.C:
		}
		pause = min(pause*5/4, 250*time.Millisecond)
	}
	return true
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// full reports whether the whole proof was asked for.
func full() bool { return os.Getenv("ROOTCHECK_PROOF") != "" }
