package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file notices a database that cannot be written. The rules are:
//   - It is tried with every heartbeat, because a quiet bot writes nothing for an hour.
//   - Nothing about it can be kept, so it is said past the database: in the log, in the heartbeat, in the status and in the
//     channel, once a day at most.
//   - When writes work again that is said, too: what people pressed meanwhile was not taken.

// writeWithin is how long a write may take. A disk that hangs answers nobody.
const writeWithin = 5 * time.Second

var errHangs = errors.New("a write does not end")

// writable tries a write. One that hangs stays under way, and no second one is begun beside it.
func (u *upkeep) writable(ctx context.Context, try func(context.Context) error, announce func(context.Context, commands.Trouble) error) {
	if u.trying == nil {
		ended := make(chan error, 1)
		u.trying = ended
		go func() { ended <- try(ctx) }()
	}
	patience := time.NewTimer(writeWithin)
	defer patience.Stop()
	err := errHangs
	select {
	case err = <-u.trying:
		u.trying = nil
	case <-patience.C:
	case <-ctx.Done():
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		u.unwritable(ctx, err, announce)
	case !u.unwritten.IsZero():
		u.written(ctx)
	}
}

// unwritable notes that nothing can be written.
func (u *upkeep) unwritable(ctx context.Context, err error, announce func(context.Context, commands.Trouble) error) {
	now := u.a.o.Now()
	if u.unwritten.IsZero() {
		u.unwritten = now
	}
	what := minute(u.unwritten) + " · " + cause(err)
	said := "the database cannot be written since " + minute(u.unwritten) + " (" + cause(err) + "): nothing is taken, acknowledged or changed. Look at its disk, make room or mend it; the bot goes on by itself"
	t := commands.Trouble{Notice: commands.NoticeUnwritable, What: what}
	u.mu.Lock()
	fresh := !u.seen[t.Notice].stand
	u.seen[t.Notice] = trouble{Trouble: t, said: said, stand: true, ill: true}
	u.mu.Unlock()
	if fresh {
		u.a.o.Log.ErrorContext(ctx, "the database cannot be written", "since", u.unwritten, "error", err, "fix", "look at its disk, make room or mend it")
	}
	if !u.announced.IsZero() && now.Sub(u.announced) < againAfter {
		return
	}
	ctx, stop := context.WithTimeout(ctx, writeWithin)
	defer stop()
	if failed := announce(ctx, t); failed != nil {
		u.a.o.Log.WarnContext(ctx, "that the database cannot be written could not be said in the channel", "error", failed)
		return
	}
	u.announced = now
}

// written notes that writes work again. The channel hears of it where it heard of the trouble.
func (u *upkeep) written(ctx context.Context) {
	since, now := u.unwritten, u.a.o.Now()
	u.unwritten = time.Time{}
	u.over(ctx, commands.NoticeUnwritable)
	u.a.o.Log.InfoContext(ctx, "the database can be written again", "since", since, "for", now.Sub(since))
	if u.announced.Before(since) {
		return
	}
	t := commands.Trouble{Notice: commands.NoticeWritable, What: minute(since) + " – " + minute(now)}
	if err := u.a.store.Put(ctx, commands.TroubleItem(t, now)); err != nil {
		u.a.o.Log.WarnContext(ctx, "that the database can be written again could not be queued for the channel", "error", err)
	}
}

// cause is the error's own last words, in one short line.
func cause(err error) string {
	said, _, _ := strings.Cut(err.Error(), "\n")
	if at := strings.LastIndex(said, ": "); at >= 0 {
		said = said[at+2:]
	}
	const most = 80
	if r := []rune(said); len(r) > most {
		said = string(r[:most]) + "…"
	}
	return said
}
