package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file looks after the database, and after the channel. The rules are:
//   - Nothing here ends the bot. What is wrong is logged, told in the channel once, and stands in the heartbeat, the status
//     and each digest until it is over.
//   - What is wrong is worked out from what is there, so that it needs no table: a disk that is full could not keep one.
//   - Backups are SQLite's. Postgres has its operator's.

// The kinds of work that fall due for the database's sake.
const (
	kindBackup    = "upkeep.backup"
	kindIntegrity = "upkeep.integrity"
)

// upkeepItem is the work of an occurrence, of which one at a time is enough.
func upkeepItem(kind string, due time.Time) commands.Item {
	return commands.Item{Key: kind, Kind: kind, Body: []byte("{}"), Due: due}
}

// againAfter is how long a trouble that comes and goes is not told again.
const againAfter = 24 * time.Hour

// trouble is one that stands, or stood a while ago.
type trouble struct {
	commands.Trouble
	said  string    // in a sentence, for a terminal
	told  time.Time // in the channel; zero: not yet
	stand bool
	ill   bool // the bot is not well while it stands
}

// upkeep remembers what is wrong. It is safe for concurrent use.
type upkeep struct {
	a    *App
	mu   sync.Mutex
	seen map[commands.NoticeKind]trouble

	trying    chan error // of the write that is being tried; nil: none. It and what follows are the heartbeat's alone
	unwritten time.Time  // since when nothing could be written; zero: it can
	announced time.Time
}

func newUpkeep(a *App) *upkeep { return &upkeep{a: a, seen: map[commands.NoticeKind]trouble{}} }

// found notes a trouble. It is told in the channel when it is new, and again when it was over for a while.
func (u *upkeep) found(ctx context.Context, kind commands.NoticeKind, what, said string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now, t := u.a.o.Now(), u.seen[kind]
	if !t.stand {
		u.a.o.Log.ErrorContext(ctx, "the bot's operator is wanted", "trouble", string(kind), "said", said)
	}
	told := !t.told.IsZero() && (t.stand || now.Sub(t.told) < againAfter)
	t = trouble{Trouble: commands.Trouble{Notice: kind, What: what}, said: said, told: t.told, stand: true}
	if !told {
		inTime, stop := context.WithTimeout(ctx, writeWithin)
		defer stop()
		if err := u.a.store.Put(inTime, commands.TroubleItem(t.Trouble, now)); err == nil {
			t.told = now
		} else {
			u.a.o.Log.WarnContext(ctx, "a trouble could not be queued for the channel", "error", err)
		}
	}
	u.seen[kind] = t
}

// over notes that there is no such trouble, any more.
func (u *upkeep) over(ctx context.Context, kind commands.NoticeKind) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if t := u.seen[kind]; t.stand {
		t.stand = false
		u.seen[kind] = t
		u.a.o.Log.InfoContext(ctx, "a trouble is over", "trouble", string(kind))
	}
}

func (u *upkeep) standing() []trouble {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []trouble
	for _, kind := range slices.Sorted(maps.Keys(u.seen)) {
		if u.seen[kind].stand {
			all = append(all, u.seen[kind])
		}
	}
	return all
}

// troubles are those that stand, for the status and the digest.
func (u *upkeep) troubles() []commands.Trouble {
	var all []commands.Trouble
	for _, t := range u.standing() {
		all = append(all, t.Trouble)
	}
	return all
}

// sentences are those that stand and do not make the bot ill, for the heartbeat.
func (u *upkeep) sentences() []string {
	var all []string
	for _, t := range u.standing() {
		if !t.ill {
			all = append(all, t.said)
		}
	}
	return all
}

// illness is what stands and makes the bot ill, empty where nothing does.
func (u *upkeep) illness() string {
	for _, t := range u.standing() {
		if t.ill {
			return t.said
		}
	}
	return ""
}

// space looks at the disk.
func (u *upkeep) space(ctx context.Context) {
	low, err := u.a.store.LowSpace()
	switch {
	case err != nil:
		u.a.o.Log.WarnContext(ctx, "the free space could not be measured", "error", err)
	case low == "":
		u.over(ctx, commands.NoticeLowSpace)
	default:
		u.found(ctx, commands.NoticeLowSpace, low, lowSpace(low))
	}
}

// channel looks whether another company sees the channel. It may be shared at any time, and nobody tells the bot.
func (u *upkeep) channel(ctx context.Context, shared func(context.Context) (bool, error)) {
	ctx, stop := context.WithTimeout(ctx, 5*time.Second) // the heartbeat waits for it
	defer stop()
	yes, err := shared(ctx)
	switch {
	case err != nil:
		u.a.o.Log.DebugContext(ctx, "whether the channel is shared could not be read", "error", err)
	case !yes:
		u.over(ctx, commands.NoticeShared)
	default:
		u.found(ctx, commands.NoticeShared, u.a.config.Channel, "Another company sees the channel "+u.a.config.Channel+
			": nothing can be asked or confirmed. Stop sharing it, or set channel to another.")
	}
}

// lowSpace says in a sentence that so much is left.
func lowSpace(left string) string {
	return "Only " + left + " are free where the database lies: without space nothing can be requested or confirmed. Make room."
}

// backup makes the backup of an occurrence. One that fails is told, and is tried again at the next.
func (u *upkeep) backup(ctx context.Context, _ commands.Lease) (commands.Change, error) {
	if !u.a.config.backsUp() {
		return commands.Change{}, nil
	}
	if err := u.a.config.backUp(ctx, u.a.store, u.a.o.Now()); err != nil {
		u.found(ctx, commands.NoticeBackup, err.Error(), fmt.Sprintf("The database could not be backed up: %v.", err))
		return commands.Change{}, nil
	}
	u.over(ctx, commands.NoticeBackup)
	return commands.Change{}, nil
}

// integrity reads the whole database and the whole audit log.
func (u *upkeep) integrity(ctx context.Context, _ commands.Lease) (commands.Change, error) {
	damage, err := u.a.store.Integrity(ctx)
	if err != nil {
		return commands.Change{}, err
	}
	if damage == "" {
		found, err := verifyStore(ctx, u.a.store, u.a.config, VerifyOptions{}, nil)
		if err != nil {
			return commands.Change{}, fmt.Errorf("verify the audit log: %w", err)
		}
		if !found.OK() {
			damage = "the audit log was tampered with"
			if len(found.Findings) > 0 {
				damage += ": " + found.Findings[0].String()
			}
		}
	}
	if damage == "" {
		u.over(ctx, commands.NoticeDamaged)
		return commands.Change{}, nil
	}
	u.found(ctx, commands.NoticeDamaged, damage, "The weekly check found damage: "+damage+
		". Stop the bot, keep the database as it is, and restore a backup; `bot audit verify` tells more.")
	return commands.Change{}, nil
}

// restored looks whether an older copy of the database was put back: then the audit log does not reach the head that was
// published last. It is on record from here on, and the heads that follow count.
func (u *upkeep) restored(ctx context.Context) error {
	published, ok, err := keptHead(u.a.config.witnessFile())
	if err != nil || !ok {
		return err
	}
	said, err := agrees(ctx, u.a.store, published)
	if err != nil || said == "" {
		return err
	}
	now, err := u.a.store.Head(ctx)
	if err != nil {
		return err
	}
	if now.Size >= published.Size {
		u.found(ctx, commands.NoticeRewritten, minute(published.At), said+" Run `bot audit verify`.")
		return nil
	}
	u.found(ctx, commands.NoticeShorter, minute(published.At), said)
	_, err = u.a.store.Commit(ctx, commands.Change{Audit: []audit.Event{{
		At: u.a.o.Now(), Actor: audit.System("start"), Action: audit.DatabaseRestored, Outcome: audit.OutcomeDone,
		Detail: map[string]string{"published": published.String()},
	}}})
	if err != nil {
		return err
	}
	if now, err = u.a.store.Head(ctx); err != nil {
		return err
	}
	u.a.sign(ctx, now)
	return nil
}
