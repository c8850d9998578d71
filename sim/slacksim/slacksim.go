// Package slacksim is a Slack workspace in memory that speaks Slack's wire and enforces Slack's
// limits, so that a bot can be run, tested and shown without reaching Slack.
//
// The rules are:
//   - It speaks the protocol, not a library: it imports no Slack client and nothing of the app.
//   - What Slack refuses it refuses, with Slack's own error names; what Slack leaves unsaid is
//     marked in a comment as a choice of the simulator.
//   - Time that a person could notice (trigger expiry, response URLs, rate limits, retries a minute
//     away) is read from the injected clock. Time of the wire (pings, the 3 s acknowledgement,
//     the warning before a refresh) uses timers, because the clients at the other end do.
//   - A person does nothing that the screen would not let them do, unless the request says force.
//   - It never calls out. It listens where its handlers are mounted and holds no real secret.
package slacksim

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fixed identities of the workspace and of the one app installed in it.
const (
	TeamID     = "T0ROOTDEMO"
	TeamDomain = "rootcheck-demo"
	TeamName   = "rootcheck demo"
	AppID      = "A0ROOTCHECK"
	BotID      = "B0ROOTCHECK"
	BotUserID  = "U0ROOTCHECK"
)

// slackbotID is who speaks for Slack itself, the same in every workspace. It is nobody that an app meets.
const slackbotID = "USLACKBOT"

// Config says how a Workspace behaves. Only Now is required.
type Config struct {
	// Now is the workspace's clock. Trigger ids, response URLs, rate limits, retries of events and
	// message timestamps are counted on it, so a test that moves it moves them.
	Now func() time.Time
	// BaseURL is where API is served, without a trailing slash. WebSocket, response and upload
	// addresses derive from it. While it is empty the Host of the request in hand is used.
	BaseURL string
	// BotToken and AppToken are the only tokens accepted; "xoxb-demo" and "xapp-demo" when empty.
	BotToken, AppToken string
	// BotScopes are the scopes granted to BotToken; DefaultBotScopes when nil.
	BotScopes []string
	// Events are the event types the app is subscribed to; DefaultEvents when nil. An event is
	// delivered only if BotScopes also grant it, as in Slack.
	Events []string
	// Commands are the slash commands the app declares; DefaultCommands when nil. Slackbot answers any other, and
	// the app never hears of it.
	Commands []string
	// KeepCommandText leaves "@ana" in the text of a command as it was typed, as for an app whose
	// manifest does not say should_escape.
	KeepCommandText bool
	// MessagesTabDisabled refuses direct messages with messages_tab_disabled, as for an app whose
	// manifest does not enable its Messages tab.
	MessagesTabDisabled bool
	// Latency is added to each Web API call.
	Latency time.Duration
	// DisableRateLimits switches off method tiers and the one message per second per channel.
	DisableRateLimits bool
	// AckTimeout replaces Slack's 3 s wait for an acknowledgement, for tests.
	AckTimeout time.Duration
	// PingInterval replaces the 3 s between WebSocket pings, for tests.
	PingInterval time.Duration
	// Log receives what the workspace notices; nothing is logged when it is nil.
	Log *slog.Logger
	// Seed makes ids and the choice of a socket the same in every run.
	Seed int64
}

// DefaultBotScopes are the bot scopes of the project's manifest.
func DefaultBotScopes() []string {
	return []string{
		"commands", "chat:write", "im:write", "users:read", "users:read.email",
		"usergroups:read", "channels:read", "groups:read", "channels:history", "groups:history",
	}
}

// DefaultEvents are the event types that the project's manifest subscribes to.
func DefaultEvents() []string { return []string{"app_home_opened"} }

// DefaultCommands are the slash commands of the project's manifest.
func DefaultCommands() []string { return []string{"/rootcheck"} }

// Workspace is one simulated Slack workspace. It is safe for concurrent use.
type Workspace struct {
	cfg     Config
	log     *slog.Logger
	methods map[string]method

	done chan struct{}
	wg   sync.WaitGroup
	wake chan struct{} // tells the retry loop that something became due or pending

	mu      sync.Mutex
	closed  bool
	baseURL string
	rng     *rand.Rand
	rev     uint64
	changed chan struct{}
	lastTS  int64
	serial  int64

	users        map[string]*User
	userOrder    []string
	channels     map[string]*channel
	channelOrder []string
	groups       map[string]*Group
	groupOrder   []string
	dms          map[string]string

	views    map[string]*view
	stacks   map[string][]*view
	homes    map[string]*view
	external map[string]string

	triggers     map[string]*trigger
	triggerOrder []string
	hooks        map[string]*hook
	hookOrder    []string
	files        map[string]*file

	sockets   []*socket
	tickets   map[string]struct{}
	envelopes map[string]*envelope
	settled   []string
	retries   []*envelope
	waiting   int

	faults []fault
	limits map[string]*bucket
	acks   []AckRecord
	calls  []CallRecord
	errors []UserError
}

// New returns an empty workspace that knows its bot and nobody else. Close releases it.
func New(cfg Config) *Workspace {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.BotToken == "" {
		cfg.BotToken = "xoxb-demo"
	}
	if cfg.AppToken == "" {
		cfg.AppToken = "xapp-demo"
	}
	if cfg.BotScopes == nil {
		cfg.BotScopes = DefaultBotScopes()
	}
	if cfg.Events == nil {
		cfg.Events = DefaultEvents()
	}
	if cfg.Commands == nil {
		cfg.Commands = DefaultCommands()
	}
	if cfg.AckTimeout <= 0 {
		cfg.AckTimeout = 3 * time.Second
	}
	if cfg.PingInterval <= 0 {
		cfg.PingInterval = 3 * time.Second
	}
	seed := uint64(cfg.Seed) //nolint:gosec // only the bit pattern of the seed matters
	w := &Workspace{
		cfg: cfg, log: cfg.Log, baseURL: cfg.BaseURL,
		done: make(chan struct{}), wake: make(chan struct{}, 1), changed: make(chan struct{}),
		rng:   rand.New(rand.NewPCG(seed, 0x5eed)), //nolint:gosec // ids of a simulator must repeat, not resist guessing
		users: map[string]*User{}, channels: map[string]*channel{}, groups: map[string]*Group{}, dms: map[string]string{},
		views: map[string]*view{}, stacks: map[string][]*view{}, homes: map[string]*view{}, external: map[string]string{},
		triggers: map[string]*trigger{}, hooks: map[string]*hook{}, files: map[string]*file{},
		tickets: map[string]struct{}{}, envelopes: map[string]*envelope{}, limits: map[string]*bucket{},
	}
	w.methods = w.methodTable()
	w.AddUser(User{ID: BotUserID, Name: "rootcheck", RealName: "rootcheck", Bot: true})
	w.wg.Go(w.retryLoop)
	return w
}

// SetBaseURL changes where the workspace says it is served. It serves tests that learn their
// port after New.
func (w *Workspace) SetBaseURL(u string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.baseURL = u
}

// SetBotScopes replaces the scopes granted to the bot token, as reinstalling the app would.
func (w *Workspace) SetBotScopes(scopes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cfg.BotScopes = slices.Clone(scopes)
}

// Quiet reports whether no envelope waits for an acknowledgement or for another attempt.
func (w *Workspace) Quiet() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting == 0 && len(w.retries) == 0
}

// Close disconnects every client, drops what was waiting and returns when no goroutine of the
// workspace is left. It may be called twice.
func (w *Workspace) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.done)
		for _, e := range w.envelopes {
			e.stop()
		}
		for _, s := range w.sockets {
			s.abort()
		}
		w.touch()
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// API serves everything that a Slack app talks to, under /slack/.
func (w *Workspace) API() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/slack/api/{method}", w.serveMethod)
	mux.HandleFunc("GET /slack/link/", w.serveLink)
	mux.HandleFunc("POST /slack/hooks/{kind}/{team}/{token}", w.serveHook)
	mux.HandleFunc("/slack/upload/{id}", w.serveUpload)
	return mux
}

// touch records that something a person could see has changed. The caller holds mu.
func (w *Workspace) touch() {
	w.rev++
	close(w.changed)
	w.changed = make(chan struct{})
}

// newID returns a fresh Slack-like id. The caller holds mu.
func (w *Workspace) newID(prefix string) string {
	w.serial++
	return fmt.Sprintf("%s%02dX%06d", prefix, w.rng.IntN(90)+10, w.serial)
}

// token returns n pseudo-random characters. The caller holds mu.
func (w *Workspace) token(n int) string {
	const letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	out := make([]byte, n)
	for i := range out {
		out[i] = letters[w.rng.IntN(len(letters))]
	}
	return string(out)
}

// uuid returns a random identifier in the form Slack gives to envelopes. The caller holds mu.
func (w *Workspace) uuid() string {
	a, b := w.rng.Uint64(), w.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// nextTS returns a message timestamp, unique in the workspace even when the clock stands still
// or is set back. The caller holds mu.
func (w *Workspace) nextTS() string {
	now := w.cfg.Now().UnixMicro()
	w.lastTS = max(now, w.lastTS+1)
	return fmt.Sprintf("%d.%06d", w.lastTS/1e6, w.lastTS%1e6)
}

// userSees records what a person would have seen go wrong. The caller holds mu.
func (w *Workspace) userSees(user, what string) {
	const keep = 10_000
	w.errors = append(w.errors, UserError{At: w.cfg.Now(), User: user, What: what})
	if len(w.errors) > keep {
		w.errors = slices.Delete(w.errors, 0, len(w.errors)-keep)
	}
	w.touch()
}
