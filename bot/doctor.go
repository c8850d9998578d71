package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file tries what the bot needs of Slack, before it runs. It posts nothing and opens no socket.

// DoctorConfig is what the doctor tries: tokens, a channel, people and user groups.
type DoctorConfig struct {
	BotToken, AppToken, APIURL, Channel string
	Users                               []string // named in the settings
	Groups                              []string
}

// Scope is a right of the bot token and the methods that need it.
type Scope struct {
	Name string
	For  string
}

// Scopes are the rights of manifest.yaml, each with what needs it. https://docs.slack.dev/reference/scopes
func Scopes() []Scope {
	return []Scope{
		{"commands", "/rootcheck"},
		{"chat:write", "chat.postMessage, chat.postEphemeral and chat.update: cards, answers and the digest"},
		{"im:write", "conversations.open: messages to account owners"},
		{"users:read", "users.info: who pressed a button, and in which language to answer"},
		{"users:read.email", "users.lookupByEmail: the owner behind an account's email"},
		{"usergroups:read", "usergroups.users.list: groups of approvers"},
		{"channels:read", "conversations.info and conversations.members: who is in the bot's channel"},
		{"groups:read", "conversations.info and conversations.members, where the channel is private"},
		{"channels:history", "conversations.history: whether a message was posted, where the answer was lost"},
		{"groups:history", "conversations.history, where the channel is private"},
	}
}

// area is what the doctor's report calls this edge.
const area = "Slack"

// Doctor tries the tokens, the scopes, the channel and the people, and tells each result as it comes.
func Doctor(ctx context.Context, c DoctorConfig, tell func(commands.Probe)) {
	options := []slack.Option{slack.OptionAppLevelToken(c.AppToken), slack.OptionHTTPClient(&http.Client{Timeout: 15 * time.Second})}
	if c.APIURL != "" {
		options = append(options, slack.OptionAPIURL(c.APIURL))
	}
	d := &doctor{cfg: c, tell: tell, api: slack.New(c.BotToken, options...)}
	d.appToken(ctx)
	if !d.botToken(ctx) {
		for _, name := range []string{"scopes", "channel", "people"} {
			d.skip(name, "without the bot token nothing can be asked")
		}
		return
	}
	d.channel(ctx)
	d.people(ctx)
}

type doctor struct {
	cfg     DoctorConfig
	api     *slack.Client
	tell    func(commands.Probe)
	granted []string
}

func (d *doctor) ok(name, detail string, args ...any) {
	d.tell(commands.Probe{Area: area, Name: name, Status: commands.ProbeOK, Detail: fmt.Sprintf(detail, args...)})
}

func (d *doctor) fail(name, detail, fix string) {
	d.tell(commands.Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: detail, Fix: fix})
}

func (d *doctor) skip(name, why string) {
	d.tell(commands.Probe{Area: area, Name: name, Status: commands.ProbeSkipped, Detail: why})
}

// appToken asks for the address of a socket, once, and does not open it: apps.connections.open has the lowest rate limit.
func (d *doctor) appToken(ctx context.Context) {
	const name = "app token"
	if d.cfg.AppToken == "" {
		d.fail(name, "SLACK_APP_TOKEN is not set", "Make an app-level token with connections:write under Basic Information, and set SLACK_APP_TOKEN to it.")
		return
	}
	_, _, err := d.api.StartSocketModeContext(ctx)
	if err == nil {
		d.ok(name, "connections:write")
		return
	}
	switch said := slackSaid(err); said {
	case "missing_scope":
		d.fail(name, said, "Make another app-level token under Basic Information, with the scope connections:write.")
	case "invalid_auth", "not_authed", "token_revoked", "account_inactive", "not_allowed_token_type":
		d.fail(name, said, "Set SLACK_APP_TOKEN to a token that begins with xapp-, from Basic Information, App-Level Tokens.")
	default:
		d.fail(name, said, "Switch Socket Mode on in the app's settings; if it is, look at the way to Slack.")
	}
}

// botToken asks auth.test, whose header names the scopes that were granted.
func (d *doctor) botToken(ctx context.Context) bool {
	const name = "bot token"
	if d.cfg.BotToken == "" {
		d.fail(name, "SLACK_BOT_TOKEN is not set", "Install the app and set SLACK_BOT_TOKEN to its bot token, which begins with xoxb-.")
		return false
	}
	who, err := d.api.AuthTestContext(ctx)
	if err != nil {
		fix := "Look at the way to Slack, and at SLACK_API_URL where it is set."
		if said := slackSaid(err); slices.Contains([]string{"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "not_allowed_token_type"}, said) {
			fix = "Install the app again and set SLACK_BOT_TOKEN to its bot token, which begins with xoxb- (OAuth & Permissions)."
		}
		d.fail(name, slackSaid(err), fix)
		return false
	}
	if who.BotID == "" {
		d.fail(name, "the token is a person's, not the bot's", "Set SLACK_BOT_TOKEN to the token that begins with xoxb- (OAuth & Permissions).")
		return false
	}
	d.ok(name, "@%s in %s", who.User, who.Team)
	d.scopes(who.Header.Get("X-OAuth-Scopes"))
	return true
}

func (d *doctor) scopes(header string) {
	if header == "" {
		d.skip("scopes", "the server does not say which scopes the token has")
		d.granted = nil
		return
	}
	for s := range strings.SplitSeq(header, ",") {
		d.granted = append(d.granted, strings.TrimSpace(s))
	}
	for _, s := range Scopes() {
		if slices.Contains(d.granted, s.Name) {
			d.ok("scope "+s.Name, "")
			continue
		}
		d.fail("scope "+s.Name, "needed by "+s.For, "Paste manifest.yaml into the app's settings again (App Manifest), and install the app again.")
	}
}

func (d *doctor) has(scope string) bool {
	return d.granted == nil || slices.Contains(d.granted, scope)
}

func (d *doctor) channel(ctx context.Context) {
	const name = "channel"
	if d.cfg.Channel == "" {
		d.fail(name, "no channel is set", "Set channel, or ROOTCHECK_CHANNEL, to the channel's id (its details in Slack, at the very bottom).")
		return
	}
	c, err := d.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: d.cfg.Channel})
	switch said := slackSaid(err); {
	case err != nil && said == "channel_not_found":
		d.fail(name, d.cfg.Channel+" does not exist, or is private and the bot is no member", "In the channel type /invite @rootcheck, and check the id.")
	case err != nil && said == "missing_scope":
		d.fail(name, "it cannot be read: "+said, "Grant channels:read and groups:read as above.")
	case err != nil:
		d.fail(name, said, "Look at the way to Slack, and try again.")
	case c.IsArchived:
		d.fail(name, "#"+c.Name+" is archived", "Unarchive it, or set channel to another.")
	case !c.IsMember:
		d.fail(name, "the bot is not a member of #"+c.Name, "In the channel type /invite @rootcheck.")
	case c.IsExtShared || c.IsPendingExtShared:
		d.fail(name, "#"+c.Name+" is shared with another company", "Use a channel of your own workspace: what stands in it tells where you are weak.")
	default:
		kind := "public"
		if c.IsPrivate {
			kind = "private"
		}
		d.ok(name, "#%s, %s", c.Name, kind)
	}
}

// people tries that everybody whom the settings name exists and may act, and that each group can be read.
func (d *doctor) people(ctx context.Context) {
	if len(d.cfg.Users)+len(d.cfg.Groups) == 0 {
		d.skip("people", "the settings name no approver, so nobody can confirm anything")
		return
	}
	for _, id := range d.cfg.Users {
		name := "person " + id
		if !d.has("users:read") {
			d.skip(name, "without users:read nobody can be looked up")
			continue
		}
		u, err := d.api.GetUserInfoContext(ctx, id)
		switch {
		case err != nil:
			d.fail(name, slackSaid(err), "Write the id of a member of this workspace (their profile, the three dots, Copy member ID).")
		case u.Deleted:
			d.fail(name, "is deactivated", "Take the person out of the settings.")
		case u.IsBot:
			d.fail(name, "is a bot", "Name a person: bots confirm nothing.")
		case u.IsRestricted || u.IsUltraRestricted:
			d.fail(name, "is a guest", "Name a member of the workspace: guests may do nothing.")
		case u.IsStranger:
			d.fail(name, "is of another workspace", "Name a member of your own workspace.")
		default:
			d.ok(name, "%s", u.RealName)
		}
	}
	for _, id := range d.cfg.Groups {
		name := "group " + id
		members, err := d.api.GetUserGroupMembersContext(ctx, id)
		switch {
		case err != nil:
			d.fail(name, slackSaid(err), "Write the id of a user group that exists, and grant usergroups:read: a group that cannot be read counts as empty.")
		case len(members) == 0:
			d.fail(name, "has no members", "Put people into the group, or name another.")
		default:
			d.ok(name, "%d members", len(members))
		}
	}
}

// slackSaid is Slack's own word for an error, or that there was no answer: an error of the connection could hold an
// address with a token in it.
func slackSaid(err error) string {
	var said slack.SlackErrorResponse
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &said):
		return said.Err
	case errors.As(err, &limited):
		return "Slack asks to wait " + limited.RetryAfter.String()
	case errors.As(err, &status):
		return "the answer was HTTP " + strconv.Itoa(status.Code)
	default:
		return "no usable answer"
	}
}
