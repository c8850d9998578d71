package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// said are the troubles that were announced past the database.
type said struct{ all []commands.Trouble }

func (s *said) announce(_ context.Context, t commands.Trouble) error {
	s.all = append(s.all, t)
	return nil
}

func TestADatabaseThatCannotBeWrittenIsSaidPastItAndAgainWhenItCan(t *testing.T) {
	t.Parallel()
	k := keeps(t)
	var log bytes.Buffer
	k.o.Log = slog.New(slog.NewTextHandler(&log, nil))
	var s said
	ill := errors.New("write to the database: commit: disk I/O error (778)")
	fails := func(context.Context) error { return ill }
	began := k.now
	for range 3 {
		k.upkeep.writable(t.Context(), fails, s.announce)
		k.now = k.now.Add(HeartbeatInterval)
	}
	for _, want := range []string{"disk I/O error", minute(began), "make room or mend it"} {
		if got := k.upkeep.illness(); !strings.Contains(got, want) {
			t.Errorf("the heartbeat says %q, without %q", got, want)
		}
	}
	if got := k.upkeep.troubles(); len(got) != 1 || got[0].Notice != commands.NoticeUnwritable || !strings.Contains(got[0].What, minute(began)) {
		t.Errorf("the status shows %+v", got)
	}
	if len(s.all) != 1 || strings.Count(log.String(), "level=ERROR") != 1 {
		t.Errorf("the channel heard %+v, and the log says\n%s", s.all, &log)
	}
	k.upkeep.writable(t.Context(), k.store.TryWrite, s.announce)
	if k.upkeep.illness() != "" || len(k.upkeep.troubles()) != 0 || !strings.Contains(log.String(), "the database can be written again") {
		t.Errorf("once writes work again it says %q, and the log\n%s", k.upkeep.illness(), &log)
	}
	if told := k.notices(t); !slices.Equal(told, []commands.NoticeKind{commands.NoticeWritable}) {
		t.Errorf("the channel is told %v", told)
	}
	// A disk that comes and goes fills no channel.
	for range 5 {
		k.upkeep.writable(t.Context(), fails, s.announce)
		k.now = k.now.Add(HeartbeatInterval)
		k.upkeep.writable(t.Context(), k.store.TryWrite, s.announce)
	}
	if told := k.notices(t); len(s.all) != 1 || len(told) != 0 {
		t.Errorf("the channel heard %d announcements and %v", len(s.all), told)
	}
}

func TestWhatCouldNotBeSaidInTheChannelIsTriedAgain(t *testing.T) {
	t.Parallel()
	k := keeps(t)
	tries := 0
	for range 3 {
		k.upkeep.writable(t.Context(), func(context.Context) error { return errors.New("no") }, func(context.Context, commands.Trouble) error {
			if tries++; tries < 2 {
				return errors.New("Slack does not answer")
			}
			return nil
		})
	}
	if tries != 2 {
		t.Errorf("it was tried %d times", tries)
	}
}

func TestADiskThatHangsHoldsUpNoHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &App{o: Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
		u, hang := newUpkeep(a), make(chan error)
		var tries atomic.Int32
		var s said
		for range 3 {
			began := time.Now()
			u.writable(t.Context(), func(context.Context) error { tries.Add(1); return <-hang }, s.announce)
			if time.Since(began) > writeWithin {
				t.Errorf("the heartbeat waited for %s", time.Since(began))
			}
		}
		if tries.Load() != 1 || !strings.Contains(u.illness(), errHangs.Error()) {
			t.Errorf("%d writes hang, and it says %q", tries.Load(), u.illness())
		}
		hang <- fmt.Errorf("write to the database: %w", errors.New("disk I/O error"))
		u.writable(t.Context(), nil, s.announce)
		if !strings.Contains(u.illness(), "disk I/O error") {
			t.Errorf("it says %q", u.illness())
		}
	})
}

func TestTheHeartbeatNeedsNoSpace(t *testing.T) {
	t.Parallel()
	h := NewHeartbeat(filepath.Join(t.TempDir(), "health"), time.Now)
	if err := h.Beat(true, "", strings.Repeat("w", 300)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.file+".next", 0o700); err != nil { // no other file can be written
		t.Fatal(err)
	}
	for _, why := range []string{"the disk is full", strings.Repeat("long ", 200), "short"} {
		if err := h.Beat(false, why); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Check(); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("it says %v", err)
		}
	}
}
