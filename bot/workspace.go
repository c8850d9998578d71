package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/time/rate"
)

// Identity is who the bot is, as auth.test says.
type Identity struct {
	Team   string
	User   string
	Bot    string
	Scopes []string // as Slack grants them to the bot token; empty where the server does not tell
}

// Workspace is the Web API of one workspace, seen from one channel. It is safe for concurrent use.
type Workspace struct {
	cfg Config
	api *slack.Client
	log *slog.Logger
	who Identity

	mu      sync.Mutex
	pace    map[string]*rate.Limiter // by channel
	members map[string]bool          // of the channel
	asOf    time.Time
	dms     map[string]string // by user

	shared     bool // the channel, with another company
	sharedAsOf time.Time
	down       downtime
}

// Connect checks the settings and who the bot is. What is wrong with a setting comes back as a [SetupError].
func Connect(ctx context.Context, c Config) (*Workspace, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	w := &Workspace{
		cfg: c, log: c.Log, pace: map[string]*rate.Limiter{}, dms: map[string]string{},
		api: slack.New(c.BotToken, slack.OptionAPIURL(c.APIURL), slack.OptionHTTPClient(c.HTTP)),
	}
	var said *slack.AuthTestResponse
	err := w.again(ctx, func(ctx context.Context) (err error) {
		said, err = w.api.AuthTestContext(ctx)
		return err
	})
	if err != nil {
		if s, fatal := fatalSentence(code(err), "SLACK_BOT_TOKEN"); fatal {
			return nil, &SetupError{s}
		}
		return nil, fmt.Errorf("ask Slack who the bot is: %w", err)
	}
	w.who = Identity{Team: said.TeamID, User: said.UserID, Bot: said.BotID}
	for s := range strings.SplitSeq(said.Header.Get("X-OAuth-Scopes"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			w.who.Scopes = append(w.who.Scopes, s)
		}
	}
	return w, w.checkChannel(ctx)
}

// Identity is who the bot is.
func (w *Workspace) Identity() Identity { return w.who }

// checkChannel refuses a channel in which approvals would be seen and clicked by another company, or in which the bot
// cannot post. A look-up that fails for another reason refuses nothing: posting will tell.
func (w *Workspace) checkChannel(ctx context.Context) error {
	ch, err := w.channel(ctx)
	switch {
	case code(err) == "channel_not_found":
		return &SetupError{"channel " + w.cfg.Channel + " cannot be seen: check the id and invite the bot into the channel"}
	case err != nil:
		w.log.WarnContext(ctx, "channel could not be looked at", "channel", w.cfg.Channel, "error", err)
		return nil
	case ch.IsExtShared:
		return &SetupError{"channel " + w.cfg.Channel + " is shared with another company by Slack Connect: choose a channel of your own workspace"}
	case ch.IsArchived:
		return &SetupError{"channel " + w.cfg.Channel + " is archived: choose another or unarchive it"}
	}
	return nil
}

// turn waits until the channel may be posted to: Slack takes about one message per second and channel.
// https://docs.slack.dev/apis/web-api/rate-limits
func (w *Workspace) turn(ctx context.Context, channel string) error {
	w.mu.Lock()
	l := w.pace[channel]
	if l == nil {
		l = rate.NewLimiter(rate.Every(time.Second), 1)
		w.pace[channel] = l
	}
	w.mu.Unlock()
	return l.Wait(ctx)
}

const metadataType = "rootcheck_item"

// metadata names what a message shows, by which [Workspace.find] knows it again. It holds nothing else, because every app
// that reads the message reads it too.
func metadata(key string) slack.MsgOption {
	return slack.MsgOptionMetadata(slack.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"key": key}})
}

func (m message) options() []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

// post writes a message and returns where it stands.
func (w *Workspace) post(ctx context.Context, channel, thread, key string, m message) (string, error) {
	options := append(m.options(), metadata(key))
	if thread != "" {
		options = append(options, slack.MsgOptionTS(thread))
	}
	var ts string
	err := w.once(ctx, func(ctx context.Context) (err error) {
		if err = w.turn(ctx, channel); err == nil {
			_, ts, err = w.api.PostMessageContext(ctx, channel, options...)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("post %s: %w", key, err)
	}
	w.up()
	return ts, nil
}

// find looks for a message that may have been posted although nobody heard the answer, by its metadata. It looks only in
// the bot's own channel, and "" means that none was found among the newest.
func (w *Workspace) find(ctx context.Context, thread, key string) (string, error) {
	const newest = 100
	var found []slack.Message
	err := w.again(ctx, func(ctx context.Context) error {
		if thread != "" {
			replies, _, _, err := w.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
				ChannelID: w.cfg.Channel, Timestamp: thread, Limit: newest, IncludeAllMetadata: true,
			})
			found = replies
			return err
		}
		page, err := w.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: w.cfg.Channel, Limit: newest, IncludeAllMetadata: true,
		})
		if err == nil {
			found = page.Messages
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for message %s: %w", key, err)
	}
	for _, m := range found {
		if m.Metadata.EventType == metadataType && m.Metadata.EventPayload["key"] == key {
			return m.Timestamp, nil
		}
	}
	return "", nil
}

// errMessageGone means that the message is no longer there or can no longer be changed, so that it is posted anew.
var errMessageGone = errors.New("message is gone")

func (w *Workspace) update(ctx context.Context, channel, ts string, m message) error {
	err := w.again(ctx, func(ctx context.Context) error {
		_, _, _, err := w.api.UpdateMessageContext(ctx, channel, ts, m.options()...)
		return err
	})
	switch code(err) {
	case "message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_inactive":
		return fmt.Errorf("update message: %w: %s", errMessageGone, code(err))
	}
	if err != nil {
		return fmt.Errorf("update message: %w", err)
	}
	w.up()
	return nil
}

func (w *Workspace) whisper(ctx context.Context, channel, user string, m message) error {
	err := w.once(ctx, func(ctx context.Context) error {
		_, err := w.api.PostEphemeralContext(ctx, channel, user, m.options()...)
		return err
	})
	if err != nil {
		return fmt.Errorf("whisper: %w", err)
	}
	return nil
}

// direct is the direct message channel with a user, in the app's Messages tab.
func (w *Workspace) direct(ctx context.Context, user string) (string, error) {
	w.mu.Lock()
	id := w.dms[user]
	w.mu.Unlock()
	if id != "" {
		return id, nil
	}
	err := w.again(ctx, func(ctx context.Context) error {
		ch, _, _, err := w.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}, ReturnIM: true})
		if err == nil {
			id = ch.ID
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("open a direct message: %w", err)
	}
	w.mu.Lock()
	w.dms[user] = id
	w.mu.Unlock()
	return id, nil
}

// open opens a modal. The trigger is good for three seconds and one use, so nothing is tried twice.
func (w *Workspace) open(ctx context.Context, trigger string, v slack.ModalViewRequest) (id, hash string, err error) {
	said, err := w.api.OpenViewContext(ctx, trigger, v)
	if err != nil {
		return "", "", fmt.Errorf("open a modal: %w", err)
	}
	return said.ID, said.Hash, nil
}

// redraw replaces an open modal. With a hash it gives way to whoever redrew it first.
func (w *Workspace) redraw(ctx context.Context, id, hash string, v slack.ModalViewRequest) error {
	err := w.again(ctx, func(ctx context.Context) error {
		_, err := w.api.UpdateViewContext(ctx, v, "", hash, id)
		return err
	})
	if c := code(err); c == "hash_conflict" || c == "not_found" || c == "view_not_found" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("redraw a modal: %w", err)
	}
	return nil
}

func (w *Workspace) publish(ctx context.Context, user string, v slack.HomeTabViewRequest) error {
	err := w.again(ctx, func(ctx context.Context) error {
		_, err := w.api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: v})
		return err
	})
	if err != nil {
		return fmt.Errorf("publish the Home tab: %w", err)
	}
	return nil
}

// respond answers through a response_url, which came with the payload and is used on Slack's host or the configured
// API's only: anything else would make the bot call wherever a payload says.
func (w *Workspace) respond(ctx context.Context, to string, m *slack.WebhookMessage) error {
	if !w.trusted(to) {
		return errors.New("respond: the address is not Slack's")
	}
	err := w.once(ctx, func(ctx context.Context) error {
		return slack.PostWebhookCustomHTTPContext(ctx, to, w.cfg.HTTP, m)
	})
	if err != nil {
		// The address is a secret for half an hour, and a transport's error names it.
		return fmt.Errorf("respond: %w", withoutURL(err))
	}
	return nil
}

func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func (w *Workspace) trusted(to string) bool {
	u, err := url.Parse(to)
	if err != nil || u.User != nil || u.Host == "" {
		return false
	}
	if u.Scheme == "https" && u.Host == "hooks.slack.com" {
		return true
	}
	api, err := url.Parse(w.cfg.APIURL)
	return err == nil && w.cfg.APIURL != slack.APIURL && u.Host == api.Host && u.Scheme == api.Scheme
}
