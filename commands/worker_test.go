package commands_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// working runs a worker with one handler over the world's queue until f returns.
func (w *world) working(kind string, h commands.Handler, f func(*commands.Worker)) {
	w.t.Helper()
	all := map[string]commands.Handler{kind: h}
	if kind != commands.KindNotice {
		all[commands.KindNotice] = w.handlers()[commands.KindNotice]
	}
	ctx, stop := context.WithCancel(w.t.Context())
	worker := commands.NewWorker(w.st, w.st, all, w.now, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	f(worker)
	stop()
	if err := <-ended; err != nil {
		w.t.Error(err)
	}
}

func (w *world) put(key, kind string) {
	w.t.Helper()
	if err := w.st.Put(w.t.Context(), commands.Item{Key: key, Kind: kind, Body: []byte("{}"), Due: w.now()}); err != nil {
		w.t.Fatal(err)
	}
}

func TestAnItemThatFailsComesBackAndIsPutAsideAtLast(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"an error": func() error { return errDown },
		"a panic":  func() error { panic("on purpose") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var tried []time.Time
			h := func(context.Context, commands.Lease) (commands.Change, error) {
				now := w.now()
				w.at(func() { tried = append(tried, now) })
				return commands.Change{}, fail()
			}
			w.put("scan", commands.KindScan)
			w.working(commands.KindScan, h, func(worker *commands.Worker) {
				for range 20 {
					if !worker.Settled(t.Context()) {
						t.Fatal("did not settle")
					}
					w.at(func() { w.clock = w.clock.Add(11 * time.Minute) })
				}
			})
			if len(tried) != 8 {
				t.Errorf("tried %d times, want 8", len(tried))
			}
			if got := w.notices(commands.NoticeParked); len(got) != 1 || got[0].What != commands.KindScan {
				t.Errorf("the channel heard %+v, want the parked item", got)
			}
		})
	}
}

func TestAWaitGrowsFromTryToTry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tries := 0
	h := func(context.Context, commands.Lease) (commands.Change, error) {
		w.at(func() { tries++ })
		return commands.Change{}, errDown
	}
	w.put("scan", commands.KindScan)
	w.working(commands.KindScan, h, func(worker *commands.Worker) {
		var at []int
		for range 40 {
			worker.Settled(t.Context())
			w.at(func() {
				at = append(at, tries)
				w.clock = w.clock.Add(time.Second)
			})
		}
		// 1, 2, 4, 8 and 16 seconds: five tries in the first half minute.
		if at[0] != 1 || at[1] != 2 || at[3] != 3 || at[7] != 4 || at[30] != 5 {
			t.Errorf("tries by the second: %v", at)
		}
	})
}

func TestLaterIsNoFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var attempts []int
	h := func(_ context.Context, l commands.Lease) (commands.Change, error) {
		var n int
		w.at(func() {
			attempts = append(attempts, l.Attempts)
			n = len(attempts)
		})
		switch {
		case n <= 10:
			return commands.Change{}, fmt.Errorf("say it: %w", commands.Later(w.now().Add(time.Hour), errDown))
		case n == 11:
			return commands.Change{}, errDown
		}
		return commands.Change{}, nil
	}
	w.put("card", commands.KindCard)
	w.working(commands.KindCard, h, func(worker *commands.Worker) {
		for i := range 11 {
			worker.Settled(t.Context())
			w.at(func() { w.clock = w.clock.Add(59 * time.Minute) })
			worker.Settled(t.Context())
			if len(attempts) != min(i+1, 12) && i < 10 {
				t.Fatalf("after %d hours it was tried %d times: it came back before its time", i, len(attempts))
			}
			w.at(func() { w.clock = w.clock.Add(time.Minute) })
		}
		worker.Settled(t.Context())
	})
	if want := []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}; !slices.Equal(attempts, want) {
		t.Errorf("tried as attempt %v, want %v: ten times later, one failure, and done", attempts, want)
	}
	if parked, err := w.st.Parked(t.Context()); err != nil || len(parked) != 0 {
		t.Errorf("parked %v, %v", parked, err)
	}
}

// outlasts lets an item fail for a while, and reports whether it was done once nothing was in its way any more.
func (w *world) outlasts(kind string, outage time.Duration) bool {
	w.t.Helper()
	var down, done bool
	down = true
	h := func(context.Context, commands.Lease) (commands.Change, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if down {
			return commands.Change{}, errDown
		}
		done = true
		return commands.Change{}, nil
	}
	w.put("it", kind)
	w.working(kind, h, func(worker *commands.Worker) {
		for range outage / (10 * time.Minute) {
			worker.Settled(w.t.Context())
			w.at(func() { w.clock = w.clock.Add(10 * time.Minute) })
		}
		worker.Settled(w.t.Context())
		w.at(func() { down, w.clock = false, w.clock.Add(10*time.Minute) })
		worker.Settled(w.t.Context())
	})
	return done
}

func TestWhatWarnsPeopleAndWhatRequestsNeedOutlastsAnyOutage(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{
		commands.KindAlarm, commands.KindNotice, commands.KindRelease, commands.KindAct, commands.KindRead, commands.KindLapse,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if !w.outlasts(kind, 6*time.Hour) {
				t.Errorf("%s was given up after six hours of failures", kind)
			}
			if got := w.notices(commands.NoticeFailing); strings.HasPrefix(kind, "slack.") != (len(got) == 0) || len(got) > 1 {
				t.Errorf("the channel heard %+v, want one notice of what is not about Slack", got)
			}
		})
	}
}

func TestAlarmsWaitBehindNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 600 {
		w.put("notice/"+strconv.Itoa(i), commands.KindNotice)
	}
	w.put("alarm", commands.KindAlarm)
	hold := make(chan struct{})
	alarmed := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	worker := commands.NewWorker(w.st, w.st, map[string]commands.Handler{
		commands.KindNotice: func(ctx context.Context, _ commands.Lease) (commands.Change, error) {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return commands.Change{}, ctx.Err()
		},
		commands.KindAlarm: func(context.Context, commands.Lease) (commands.Change, error) {
			close(alarmed)
			return commands.Change{}, nil
		},
	}, w.now, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	select {
	case <-alarmed:
	case <-time.After(time.Minute):
		t.Error("the alarm waited behind six hundred notices")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheLinesOfAThreadAreToldInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	told := map[string][]int{}
	h := func(_ context.Context, l commands.Lease) (commands.Change, error) {
		work, err := l.Work()
		if err != nil {
			return commands.Change{}, err
		}
		if work.Version == 0 {
			// The first line is slow: whoever does not wait for it is told before it.
			slow := time.NewTimer(30 * time.Millisecond)
			defer slow.Stop()
			<-slow.C
		}
		mu.Lock()
		defer mu.Unlock()
		told[string(work.Request)] = append(told[string(work.Request)], work.Version)
		return commands.Change{}, nil
	}
	for v := range 30 {
		for _, r := range []string{"a", "b"} {
			body := []byte(`{"request":"` + r + `","version":` + strconv.Itoa(v) + `}`)
			i := commands.Item{Key: "tell/" + r + "/" + strconv.Itoa(v) + "/x", Kind: commands.KindTell, Body: body, Due: w.now()}
			if err := w.st.Put(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.working(commands.KindTell, h, func(worker *commands.Worker) { worker.Settled(t.Context()) })
	for r, versions := range told {
		if len(versions) != 30 || !slices.IsSorted(versions) {
			t.Errorf("thread %s was told %v", r, versions)
		}
	}
}

func TestTheEndOfTheProcessHandsWorkBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := make(chan struct{})
	h := func(ctx context.Context, _ commands.Lease) (commands.Change, error) {
		close(began)
		<-ctx.Done()
		return commands.Change{}, ctx.Err()
	}
	w.put("scan", commands.KindScan)
	w.working(commands.KindScan, h, func(*commands.Worker) { <-began })
	l, err := w.st.Claim(t.Context(), commands.KindScan)
	if err != nil || l.Key != "scan" || l.Attempts != 1 {
		t.Errorf("the item is %+v, %v; want it free at once, and the end of the process counted against nobody", l, err)
	}
}

func TestSettledTellsWhenItCannot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	h := func(ctx context.Context, _ commands.Lease) (commands.Change, error) {
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return commands.Change{}, errors.New("stopped")
	}
	w.put("scan", commands.KindScan)
	w.working(commands.KindScan, h, func(worker *commands.Worker) {
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stop()
		if worker.Settled(ctx) {
			t.Error("settled while an item was being handled")
		}
		close(hold)
	})
}

func TestWhatWaitsForSlackKeepsNothingInAWSWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 40 {
		w.put("slack/"+strconv.Itoa(i), commands.KindNew)
	}
	w.put("act", commands.KindAct)
	ctx, stop := context.WithCancel(t.Context())
	acted := make(chan struct{})
	worker := commands.NewWorker(w.st, w.st, map[string]commands.Handler{
		commands.KindNew: func(ctx context.Context, _ commands.Lease) (commands.Change, error) {
			<-ctx.Done() // a Slack that hangs
			return commands.Change{}, ctx.Err()
		},
		commands.KindAct: func(context.Context, commands.Lease) (commands.Change, error) {
			close(acted)
			return commands.Change{}, nil
		},
	}, w.now, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	select {
	case <-acted:
	case <-time.After(time.Minute):
		t.Error("the step in AWS waited behind the messages")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
