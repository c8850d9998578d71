// Package bot is the edge to Slack: whatever a person does in Slack becomes a call of a verb here, and whatever the
// verbs answer becomes a message, and nothing that Slack sends is believed beyond who clicked and what they typed.
//
// The rules are:
//   - A click is a claim. Its value names a request or an account; the verbs look everything else up.
//   - Acknowledged means committed, and every click gets an answer.
//   - Slack is a view. Each message can be drawn again from the store, and losing one loses nothing.
//   - Text from outside reaches Slack through one constructor, and every sentence stands in the catalogues.
//   - Nothing else imports a Slack client.
package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Verbs are what people can do and see. [commands.Service] has them.
type Verbs interface {
	Looking
	Drawing
	Keys
	Switches
	Owners
}

// Looking are the verbs that only answer. Each checks that the actor may look.
type Looking interface {
	List(ctx context.Context, a commands.Actor, query string, page int) (commands.List, error)
	Find(ctx context.Context, a commands.Actor, words string) (commands.Found, error)
	AccountAt(ctx context.Context, a commands.Actor, source string, account posture.AccountID) (commands.AccountView, error)
	Keys(ctx context.Context, a commands.Actor, word string) (commands.KeyList, error)
	Status(ctx context.Context, a commands.Actor) (commands.Status, error)
	Requests(ctx context.Context, a commands.Actor, all bool) ([]remediation.Request, error)
	AuditTrail(ctx context.Context, a commands.Actor, word string) ([]audit.Leaf, error)
	CheckNow(ctx context.Context, a commands.Actor) (commands.Run, error)
	DigestNow(ctx context.Context, a commands.Actor) error
	Home(ctx context.Context, a commands.Actor) (commands.List, []remediation.Request, error)
	May(ctx context.Context, a commands.Actor, act string) error
	MayStep(ctx context.Context, a commands.Actor, id remediation.RequestID, version int, k remediation.Kind) error
	Refuse(ctx context.Context, a commands.Actor, act string, code commands.RefusalCode) error
	Preview(ctx context.Context, a commands.Actor, source string, account posture.AccountID, key string, id remediation.RequestID) (commands.Preview, error)
}

// Drawing is what messages are drawn from. Nobody asked, so nobody is checked.
type Drawing interface {
	View(ctx context.Context, source string, account posture.AccountID) (commands.AccountView, error)
	Request(ctx context.Context, id remediation.RequestID) (remediation.Request, error)
	Ring(ctx context.Context, r remediation.Request) (commands.Ring, error)
	SignedHead(ctx context.Context) (string, error)
	Digest(ctx context.Context, at time.Time) (commands.Digest, error)
	DrawDigest(ctx context.Context, occurrence string) (commands.Digest, error)
	DigestPosted(ctx context.Context, occurrence string, d commands.Digest) (commands.Change, error)
}

// Keys are the steps of a root access key.
type Keys interface {
	RequestDeactivate(ctx context.Context, a commands.Actor, q commands.Ask) (remediation.Request, error)
	BreakGlass(ctx context.Context, a commands.Actor, q commands.Ask) (remediation.Request, error)
	RequestDelete(ctx context.Context, a commands.Actor, id remediation.RequestID, version int, q commands.Ask) (remediation.Request, error)
	RequestReactivate(ctx context.Context, a commands.Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error)
	RequestLift(ctx context.Context, a commands.Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error)
	Confirm(ctx context.Context, a commands.Actor, id remediation.RequestID, version int, typedKey string) (remediation.Request, error)
	Reject(ctx context.Context, a commands.Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error)
	Cancel(ctx context.Context, a commands.Actor, id remediation.RequestID, version int) (remediation.Request, error)
	KeyStepDone(ctx context.Context, a commands.Actor, id remediation.RequestID) (remediation.Request, error)
}

// Switches are the pause switch and the mutes.
type Switches interface {
	Pause(ctx context.Context, a commands.Actor, reason string) error
	Resume(ctx context.Context, a commands.Actor, version int) error
	Mute(ctx context.Context, a commands.Actor, source string, account posture.AccountID, control posture.Control, reason string, until time.Time) error
	Unmute(ctx context.Context, a commands.Actor, source string, account posture.AccountID, control posture.Control) error
}

// Owners is what is done with and by the owners of accounts.
type Owners interface {
	InstructMFA(ctx context.Context, a commands.Actor, word string) (commands.Owner, error)
	InstructMFAAt(ctx context.Context, a commands.Actor, source string, account posture.AccountID) (commands.Owner, error)
	ReleaseOwners(ctx context.Context, a commands.Actor) (int, error)
	ClaimOwner(ctx context.Context, a commands.Actor, source string, account posture.AccountID) (commands.Owner, error)
	AssignOwner(ctx context.Context, a commands.Actor, source string, account posture.AccountID, user string) (commands.Owner, error)
	ConfirmOwner(ctx context.Context, a commands.Actor, source string, account posture.AccountID, user string) (commands.Owner, error)
	DeclineOwner(ctx context.Context, a commands.Actor, source string, account posture.AccountID) (commands.Owner, error)
	ChooseDevice(ctx context.Context, a commands.Actor, source string, account posture.AccountID, device, system string) (commands.Owner, error)
	MFADone(ctx context.Context, a commands.Actor, source string, account posture.AccountID) (posture.Evidence, commands.Owner, error)
	RemindTomorrow(ctx context.Context, a commands.Actor, source string, account posture.AccountID) (commands.Owner, error)
}

var _ Verbs = (*commands.Service)(nil)

// Bot runs one process's part of the Slack edge. It is safe for concurrent use; Run may be called once.
type Bot struct {
	ws    *Workspace
	verbs Verbs
	queue commands.Queue
	board commands.Board
	say   *catalogue
	log   *slog.Logger

	inbox   inbox
	taking  sync.WaitGroup
	flying  atomic.Int64        // envelopes between their socket and their acknowledgement
	coming  atomic.Int64        // of them, those that are not committed yet
	room    *semaphore.Weighted // for their bytes
	kicks   chan struct{}
	sockets *sockets
	drawing [64]sync.Mutex // by message, so that one card is not posted twice at once

	mu      sync.Mutex
	tongues map[string]tongue // by user
}

// tongue is a person's locale and name, and until when they are believed.
type tongue struct {
	locale, name string
	until        time.Time
}

// New puts the edge together. The workspace is also the [commands.Directory] that the verbs ask.
func New(w *Workspace, v Verbs, q commands.Queue, board commands.Board) (*Bot, error) {
	c, err := newCatalogue()
	if err != nil {
		return nil, err
	}
	if w == nil || v == nil || q == nil || board == nil {
		return nil, errors.New("build the Slack edge: a workspace, verbs, a queue and a board are needed")
	}
	return &Bot{
		ws: w, verbs: v, queue: q, board: board, say: c, log: w.log, tongues: map[string]tongue{},
		inbox: inbox{known: map[string]*delivery{}}, room: semaphore.NewWeighted(mostComing), kicks: make(chan struct{}, w.cfg.Workers),
		sockets: &sockets{cfg: w.cfg, alive: map[*socket]time.Time{}},
	}, nil
}

// drainFor is how long Run waits for what was begun when its context has ended.
const drainFor = 8 * time.Second

// Run keeps the sockets open and handles envelopes until the context ends; then it ends what it has begun, within ten
// seconds, and returns nil. It returns a [SetupError] when Slack refuses the app for good. Envelopes that were committed
// before are handled first thing by whichever process claims them.
func (b *Bot) Run(ctx context.Context) error {
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	b.sockets.receive = func(s *socket, f frame) { b.receive(base, s, f) }

	working, idle := context.WithCancel(base)
	defer idle()
	var workers sync.WaitGroup
	for range b.ws.cfg.Workers {
		workers.Go(func() { b.work(working) })
	}
	workers.Go(func() { b.poll(working) })
	open, closing := context.WithCancel(base)
	defer closing()
	go func() {
		select {
		case <-ctx.Done():
			b.quiet(base)
		case <-open.Done():
		}
		closing()
	}()
	err := b.sockets.run(open)
	closing()
	idle()

	done := make(chan struct{})
	go func() {
		defer close(done)
		b.taking.Wait()
		workers.Wait()
	}()
	t := time.NewTimer(drainFor)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		b.log.WarnContext(ctx, "what is still being handled is left to the next process")
		stop()
	}
	if err != nil {
		return fmt.Errorf("keep the Slack sockets open: %w", err)
	}
	return nil
}

// quietFor is how long the sockets stay open at the end, so that what is being decided is acknowledged.
const quietFor = 2500 * time.Millisecond

// quiet waits until no envelope is on its way between its socket and its acknowledgement.
func (b *Bot) quiet(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, quietFor)
	defer stop()
	for b.flying.Load() > 0 {
		if pause(ctx, 10*time.Millisecond) != nil {
			return
		}
	}
}

// Health is how many sockets are open, and when the last of them was opened. None for long means that nobody can click.
func (b *Bot) Health() (open int, last time.Time) { return b.sockets.health() }

// Silent is since when Slack has not taken what was to be said, as far as this process has tried; zero while it does.
func (b *Bot) Silent() time.Time { return b.ws.silent() }

// recovered keeps a defect in one envelope from ending the process.
func (b *Bot) recovered(ctx context.Context, what string) {
	if r := recover(); r != nil {
		b.log.ErrorContext(ctx, "panic", "while", what, "panic", fmt.Sprint(r))
	}
}

// voice is the one for a locale; the channel's for an empty one.
func (b *Bot) voice(locale string) voice {
	return b.say.speak(cmp.Or(locale, b.ws.cfg.Locale), b.ws.cfg.Now())
}

// tongueFor is how long a person's locale and name are believed.
const tongueFor = 10 * time.Minute

// voiceOf is the voice in a person's own language. Where Slack does not tell, it is the channel's.
func (b *Bot) voiceOf(ctx context.Context, user string) voice {
	return b.voice(b.tongueOf(ctx, user).locale)
}

// naming is the voice with the names of people whom it is to name without ringing them.
func (b *Bot) naming(ctx context.Context, v voice, users ...string) voice {
	v.names = map[string]string{}
	for _, u := range users {
		if u != "" {
			v.names[u] = b.tongueOf(ctx, u).name
		}
	}
	return v
}

// cardIn draws an account's card in a voice. Its owner is named, and not rung each time that the card is posted.
func (b *Bot) cardIn(ctx context.Context, v voice, a commands.AccountView) message {
	return card(b.naming(ctx, v, a.Owner.User), a)
}

func (b *Bot) tongueOf(ctx context.Context, user string) tongue {
	now := b.ws.cfg.Now()
	b.mu.Lock()
	t, ok := b.tongues[user]
	b.mu.Unlock()
	if ok && now.Before(t.until) {
		return t
	}
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	p, err := b.ws.Person(ctx, user)
	if err != nil {
		return t
	}
	t = tongue{locale: p.Locale, name: p.Name, until: now.Add(tongueFor)}
	b.mu.Lock()
	if len(b.tongues) > 10_000 {
		clear(b.tongues)
	}
	b.tongues[user] = t
	b.mu.Unlock()
	return t
}

// lock makes whoever draws the same message wait for each other.
func (b *Bot) lock(key string) func() {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	m := &b.drawing[h.Sum32()%uint32(len(b.drawing))]
	m.Lock()
	return m.Unlock
}
