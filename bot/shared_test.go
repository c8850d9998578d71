package bot_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/bot"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

func TestAChannelThatBecomesSharedIsNoticed(t *testing.T) {
	now := time.Now()
	sim := slacksim.New(slacksim.Config{Now: time.Now, Seed: 1, DisableRateLimits: true})
	slacksim.Demo(sim)
	mux := http.NewServeMux()
	mux.Handle("/slack/", sim.API())
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer sim.Close()
	sim.SetBaseURL(srv.URL)
	hc := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
	defer hc.CloseIdleConnections()
	space, err := bot.Connect(t.Context(), bot.Config{
		BotToken: "xoxb-demo", AppToken: "xapp-demo", APIURL: srv.URL + "/slack/api", Channel: room, HTTP: hc,
		Now: func() time.Time { return now }, NewID: func() string { return "t" },
	})
	if err != nil {
		t.Fatal(err)
	}
	if shared, err := space.Shared(t.Context()); err != nil || shared {
		t.Fatalf("at first it is shared: %t, %v", shared, err)
	}
	share := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/control/slack/channel", strings.NewReader(`{"channel":"#aws-root","shared":true}`))
	share.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	sim.Control().ServeHTTP(answer, share)
	if answer.Code != http.StatusOK {
		t.Fatalf("sharing the channel: %d %s", answer.Code, answer.Body)
	}
	now = now.Add(time.Minute)
	if shared, err := space.Shared(t.Context()); err != nil || !shared {
		t.Errorf("a minute after it was shared: %t, %v", shared, err)
	}
	now = now.Add(time.Minute)
	if err := sim.Inject(slacksim.Fault{Kind: "error", Method: "conversations.info", Code: "not_authed", For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if _, err := space.Shared(t.Context()); err == nil {
		t.Error("no answer was taken for one")
	}
}
