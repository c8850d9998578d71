package bot

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// Config says which workspace and channel, and how to reach them.
type Config struct {
	BotToken string // xoxb-…
	AppToken string // xapp-…, with connections:write
	APIURL   string // empty: Slack's own; otherwise the base of another server, such as http://127.0.0.1:8484/slack/api/
	Channel  string // id of the channel in which the cards stand
	Locale   string // of what is said in the channel, such as "ko-KR"; empty: English

	Sockets int           // open at the same time; 0: two
	Stagger time.Duration // between the first openings of two sockets; 0: a second
	Workers int           // envelopes handled at the same time; 0: eight
	HTTP    *http.Client  // nil: one with a time-out of 15 s

	Now   func() time.Time // the clock that people read
	NewID func() string    // for the ids by which a person's trouble is found in the log
	Log   *slog.Logger
}

// SetupError is a setting or a right that is missing. Its text is one sentence that names the fix and holds no secret.
type SetupError struct{ Sentence string }

func (e *SetupError) Error() string { return e.Sentence }

func (c *Config) fill() error {
	if !strings.HasPrefix(c.BotToken, "xoxb-") {
		return &SetupError{"SLACK_BOT_TOKEN is not a bot token: copy the one that begins with xoxb- from OAuth & Permissions"}
	}
	if !strings.HasPrefix(c.AppToken, "xapp-") {
		return &SetupError{"SLACK_APP_TOKEN is not an app-level token: create one that begins with xapp- under Basic Information, with the scope connections:write"}
	}
	if !slackID(c.Channel, "CG") {
		return &SetupError{"channel is not the id of a channel: copy it from the channel's details, it begins with C"}
	}
	if c.Now == nil || c.NewID == nil {
		return errors.New("build the Slack edge: no clock or no source of ids was given")
	}
	if c.APIURL == "" {
		c.APIURL = slack.APIURL
	}
	if u, err := url.Parse(c.APIURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return &SetupError{"SLACK_API_URL is not an address: it looks like https://slack.com/api/"}
	}
	if !strings.HasSuffix(c.APIURL, "/") {
		c.APIURL += "/"
	}
	c.Sockets = cmp.Or(c.Sockets, 2)
	c.Stagger = cmp.Or(c.Stagger, time.Second)
	c.Workers = cmp.Or(c.Workers, 8)
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: 15 * time.Second}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
