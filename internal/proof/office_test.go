package proof_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// The tokens of the whole bot. They are canaries too: nothing may repeat them.
const (
	botToken = "xoxb-771100-proofcanarybot"
	appToken = "xapp-1-A77-proofcanaryapp"
)

// office is the whole bot as it runs in production, between the two simulators.
type office struct {
	t      *testing.T
	clock  *clock
	org    *awssim.Organization
	slack  *slacksim.Workspace
	app    *app.App
	dir    string
	url    string // of the database
	log    *lockedBuffer
	seen   *store.Store // beside the bot, to look and never to write
	number int          // of what was entered
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// newOffice opens with these people. The bot logs everything that it ever logs.
func newOffice(t *testing.T, users []slacksim.User, groups []slacksim.Group, change func(*app.Config)) *office {
	t.Helper()
	return newOfficeHeard(t, users, groups, change, &canaries{found: map[string]string{}})
}

// newOfficeHeard is an office in which somebody notes the secrets on the wire.
func newOfficeHeard(t *testing.T, users []slacksim.User, groups []slacksim.Group, change func(*app.Config), heard *canaries) *office {
	t.Helper()
	o := &office{t: t, clock: newClock(), dir: memoryDir(t), log: &lockedBuffer{}}
	o.slack = slacksim.New(slacksim.Config{Now: o.clock.Now, BotToken: botToken, AppToken: appToken, DisableRateLimits: true})
	members := []string{slacksim.BotUserID}
	for _, u := range users {
		o.slack.AddUser(u)
		members = append(members, u.ID)
	}
	for _, g := range groups {
		o.slack.AddGroup(g)
	}
	o.slack.AddChannel(slacksim.Channel{ID: channel, Name: "aws-root", Members: members})
	server := httptest.NewServer(heard.listenToSlack(o.slack.API()))
	o.slack.SetBaseURL(server.URL)
	o.org = awssim.New(awssim.Config{Now: o.clock.Now})
	place := theCloud.occupy(t, heard.listenToAWS(o.org.API()))

	c := app.DefaultConfig()
	c.Channel, c.Database, c.SlackAPI = channel, filepath.Join(o.dir, "rootcheck.db"), server.URL+"/slack/api/"
	c.BotToken, c.AppToken = app.NewSecret(botToken), app.NewSecret(appToken)
	c.Watch, c.Audit.KeyFile = app.Span(48*time.Hour), filepath.Join(o.dir, "audit.key")
	c.AWS = []app.Source{{Name: "acme", Organization: &app.Organization{
		Profile: profile(place, "operator"), Delete: &app.Delete{}, Quarantine: &app.Quarantine{PolicyID: awssim.QuarantinePolicyID},
	}}}
	change(&c)
	o.url = c.Database
	log := slog.New(slog.NewJSONHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	o.app, err = app.New(t.Context(), c, app.Options{Now: o.clock.Now, Log: log, Version: "proof"})
	ok(t, err)
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.app.Run(running) }()
	o.seen = must[*store.Store](t)(store.OpenReadOnly(t.Context(), store.Config{URL: c.Database, Now: o.clock.Now}))
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the bot ended with: %v", err)
		}
		for _, err := range []error{o.seen.Close(), o.app.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
		o.slack.Close()
		server.Close()
		o.org.Close()
	})
	o.until("two sockets are open", func() bool { return o.slack.Connections() >= 2 })
	o.settle()
	return o
}

// until polls, and fails the test when it takes longer than a minute.
func (o *office) until(what string, is func() bool) {
	o.t.Helper()
	ctx, stop := context.WithTimeout(o.t.Context(), time.Minute)
	defer stop()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			o.t.Fatalf("not within a minute: %s", what)
		case <-poll.C:
		}
	}
}

// settle waits until nothing is due and no envelope waits.
func (o *office) settle() {
	o.t.Helper()
	o.until("everything that is due is done", func() bool {
		due, err := o.seen.Due(o.t.Context(), o.clock.Now())
		if err != nil || due["slack.envelope"] > 0 {
			return false
		}
		ctx, stop := context.WithTimeout(o.t.Context(), 30*time.Second)
		defer stop()
		settled, err := o.app.Settled(ctx)
		return err == nil && settled
	})
}

// act waits until nothing is due that concerns AWS or a request. What is to be said in Slack may still wait for Slack's
// one message a second.
func (o *office) act() {
	o.t.Helper()
	o.until("all steps that are due are done", func() bool {
		due, err := o.seen.Due(o.t.Context(), o.clock.Now())
		for _, kind := range slackKinds {
			delete(due, kind)
		}
		return err == nil && len(due) == 0
	})
}

// pass lets time go by, and what falls due be done.
func (o *office) pass(d time.Duration) {
	o.t.Helper()
	o.clock.advance(d)
	o.act()
}

// object is JSON whose shape is Slack's.
type object = map[string]any

// enter sends an envelope that claims to be of a person, and waits until it was handled.
func (o *office) enter(kind string, payload object) slacksim.Outcome {
	o.t.Helper()
	o.clock.advance(time.Second) // so that what is newest can be told
	out := o.slack.Emit(kind, must[[]byte](o.t)(json.Marshal(payload)))
	o.until("the envelope is handled", func() bool {
		due, err := o.seen.Due(o.t.Context(), o.clock.Now())
		return err == nil && due["slack.envelope"] == 0
	})
	return out
}

// claim is who an envelope says to be from.
type claim struct{ user, team string }

// command is /rootcheck with words.
func (o *office) command(by claim, text string) slacksim.Outcome {
	o.t.Helper()
	o.number++
	return o.enter("slash_commands", object{
		"command": "/rootcheck", "text": text, "user_id": by.user, "team_id": by.team, "channel_id": channel, "api_app_id": slacksim.AppID,
		"trigger_id": fmt.Sprintf("%d.2.3", o.number), "response_url": "",
	})
}

// submit is a modal that was sent.
func (o *office) submit(by claim, form string, reference object, fields map[string]string) slacksim.Outcome {
	o.t.Helper()
	values := object{}
	for block, text := range fields {
		values[block] = object{"value": object{"type": "plain_text_input", "value": text}}
	}
	o.number++
	return o.enter("interactive", object{
		"type": "view_submission", "team": object{"id": by.team}, "user": object{"id": by.user, "team_id": by.team}, "api_app_id": slacksim.AppID,
		"trigger_id": fmt.Sprintf("%d.2.3", o.number),
		"view": object{
			"id": fmt.Sprintf("V%09d", o.number), "type": "modal", "callback_id": form, "hash": strconv.Itoa(o.number),
			"private_metadata": string(must[[]byte](o.t)(json.Marshal(reference))), "state": object{"values": values},
		},
	})
}

// press is a click on a button that only the person can see.
func (o *office) press(by claim, action, value string) slacksim.Outcome {
	o.t.Helper()
	o.number++
	return o.enter("interactive", object{
		"type": "block_actions", "team": object{"id": by.team}, "user": object{"id": by.user, "team_id": by.team}, "api_app_id": slacksim.AppID,
		"trigger_id": fmt.Sprintf("%d.2.3", o.number), "channel": object{"id": channel}, "response_url": "",
		"container": object{"type": "message", "channel_id": channel, "message_ts": fmt.Sprintf("%d.000100", o.number), "is_ephemeral": true},
		"actions":   []object{{"type": "button", "block_id": "b", "action_id": action, "value": value, "action_ts": fmt.Sprintf("%d.000200", o.number)}},
	})
}

// latest is the newest request on an account.
func (o *office) latest(account posture.AccountID) remediation.Request {
	o.t.Helper()
	all := must[[]remediation.Request](o.t)(o.seen.Requests(o.t.Context(), commands.RequestQuery{Account: account, Limit: 1}))
	if len(all) == 0 {
		return remediation.Request{}
	}
	return all[0]
}

// records are the audit records of a person, newest first.
func (o *office) records(user string) []audit.Leaf {
	o.t.Helper()
	var found []audit.Leaf
	for _, l := range must[[]audit.Leaf](o.t)(o.seen.Audit(o.t.Context(), commands.AuditQuery{})) {
		if l.Actor.ID == user {
			found = append(found, l)
		}
	}
	return found
}

// keyOf is the id of a root key of an account by its status.
func (o *office) keyOf(account, status string) string {
	o.t.Helper()
	view, _ := o.org.Account(account)
	for _, k := range view.Root.Keys {
		if k.Status == status {
			return k.ID
		}
	}
	o.t.Fatalf("account %s has no %s key", account, status)
	return ""
}

func (o *office) files() map[string][]byte {
	o.t.Helper()
	found := map[string][]byte{}
	for _, f := range must[[]os.DirEntry](o.t)(os.ReadDir(o.dir)) {
		found[f.Name()] = must[[]byte](o.t)(os.ReadFile(filepath.Join(o.dir, f.Name())))
	}
	return found
}
