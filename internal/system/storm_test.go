package system_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the raw baseline, without anything of ours around it

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// What an acknowledgement may take. Slack waits three seconds and then shows an error.
const (
	slackWaits   = 3 * time.Second
	stormP99     = 1500 * time.Millisecond
	sustainedP99 = 100 * time.Millisecond
)

// BenchmarkTenThousandClicksAtOnce sends ten thousand clicks over two sockets at once. Each is committed before it is
// acknowledged; all are refused afterwards, each with a record, while others are still being taken in.
func BenchmarkTenThousandClicksAtOnce(b *testing.B) {
	const clicks = 10_000
	for b.Loop() {
		raw := rawGroupCommit(b, clicks)
		storming(b, func(w *world) {
			acks := w.clicks(clicks, 0)
			report(b, acks, raw, stormP99)
			w.refusals(clicks)
		})
	}
}

// BenchmarkFiveHundredClicksASecond holds that rate for twenty seconds.
func BenchmarkFiveHundredClicksASecond(b *testing.B) {
	const clicks = 10_000
	for b.Loop() {
		raw := rawGroupCommit(b, 500)
		storming(b, func(w *world) {
			acks := w.clicks(clicks, 2*time.Millisecond)
			report(b, acks, raw, sustainedP99)
			w.refusals(clicks)
		})
	}
}

// storming runs a bot that has nothing else to do.
func storming(b *testing.B, f func(*world)) {
	b.Helper()
	w := newWorld(b, newClock(0), awssim.Config{}, killSettings)
	w.play(func(a *app.App) {
		w.anchored()
		w.until(10*time.Second, "both sockets are open", func() bool { return w.slack.Connections() == 2 })
		w.until(90*time.Second, "the first check and its cards are done", func() bool {
			ctx, stop := context.WithTimeout(b.Context(), time.Second)
			defer stop()
			settled, err := a.Settled(ctx)
			return err == nil && settled
		})
		b.Logf("each click carries a message of %d bytes", w.smallest())
		w.slack.ForgetAcks()
		f(w)
	})
}

// smallest makes the clicks be on the smallest of the bot's messages that has a button, and returns its size. Half of what a
// click costs here is spent by the simulator and the library on the message that it carries.
func (w *world) smallest() int {
	best := 1 << 20
	for _, c := range w.state(1000).Channels {
		for _, m := range c.Messages {
			blocks, err := json.Marshal(m.Blocks)
			ok(w.t, err)
			known := c.ID == slacksim.ChannelRoot && m.User == slacksim.BotUserID && m.Ephemeral == ""
			if known && len(blocks) < best && bytes.Contains(blocks, []byte(`"action_id"`)) {
				best, w.anchor = len(blocks), m.TS
			}
		}
	}
	return best
}

// clicks presses a button many times, all at once or one at each tick, and returns the acknowledgements.
func (w *world) clicks(n int, every time.Duration) []slacksim.AckRecord {
	w.t.Helper()
	raw, err := json.Marshal("no-such-request|1")
	ok(w.t, err)
	var pressing sync.WaitGroup
	start := make(chan struct{})
	press := func() {
		_, err := w.slack.Click(slacksim.ClickRequest{
			User: ben, Channel: slacksim.ChannelRoot, TS: w.anchor, ActionID: "remediation.cancel", BlockID: "b", Value: raw, Force: true,
		})
		if err != nil {
			w.t.Error(err)
		}
	}
	if every == 0 {
		for range n {
			pressing.Go(func() { <-start; press() })
		}
		close(start)
	} else {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for range n {
			<-tick.C
			pressing.Go(press)
		}
	}
	pressing.Wait()
	return w.slack.Acks()
}

// report prints what the acknowledgements took, beside what the disk allows at best, and fails where that is too long.
func report(b *testing.B, acks []slacksim.AckRecord, raw, limit time.Duration) {
	b.Helper()
	took := make([]float64, 0, len(acks))
	late := 0
	for _, a := range acks {
		if a.Kind != "interactive" {
			continue
		}
		if a.Outcome != "acked" || a.Millis > float64(slackWaits.Milliseconds()) {
			late++
		}
		took = append(took, a.Millis)
	}
	slices.Sort(took)
	p50, p99, last := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	b.Logf("%d clicks: p50 %.1f ms, p99 %.1f ms, the last %.1f ms, %d not acknowledged within 3 s; the raw group commit's p99 %s",
		len(took), p50, p99, last, late, raw)
	b.ReportMetric(p99, "p99-ms")
	b.ReportMetric(float64(raw.Microseconds())/1000, "raw-p99-ms")
	b.ReportMetric(float64(late), "late")
	b.ReportMetric(0, "ns/op")
	if late > 0 {
		b.Errorf("%d clicks were not acknowledged within 3 s", late)
	}
	if p99 > float64(limit.Milliseconds()) {
		b.Errorf("p99 %.0f ms, want less than %s", p99, limit)
	}
}

// refusals waits until each click has its record, and no click has two.
func (w *world) refusals(want int) {
	w.t.Helper()
	got := 0
	held := soon(3*time.Minute, func() bool {
		err := w.look(func(ctx context.Context, db *store.Store) error {
			leaves, err := db.Audit(ctx, commands.AuditQuery{Limit: 1 << 20})
			got = 0
			for _, l := range leaves {
				if l.Actor.ID == ben && l.Outcome == audit.OutcomeRefused {
					got++
				}
			}
			return err
		})
		return err == nil && got >= want
	})
	if !held || got != want {
		w.t.Errorf("%d clicks have %d records", want, got)
	}
}

// commitAll inserts one row for each key, and commits them at once.
func commitAll(ctx context.Context, db *sql.DB, insert *sql.Stmt, keys []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	into := tx.StmtContext(ctx, insert)
	defer into.Close()
	for _, key := range keys {
		if _, err = into.ExecContext(ctx, key, make([]byte, 2000)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// rawGroupCommit is the least that a durable inbox can do: one goroutine, one prepared insert, one commit for all that
// wait. It returns the 99th percentile of so many at once, on the disk that the bot's database is on.
func rawGroupCommit(b *testing.B, n int) time.Duration {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "raw.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	ok(b, err)
	defer db.Close()
	ctx := b.Context()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `CREATE TABLE inbox (key TEXT PRIMARY KEY, body BLOB)`)
	ok(b, err)
	insert, err := db.PrepareContext(ctx, `INSERT INTO inbox VALUES (?, ?)`)
	ok(b, err)
	defer insert.Close()
	type put struct {
		key  string
		done chan error
	}
	puts := make(chan put, n)
	go func() {
		for first := range puts {
			batch := []put{first}
			for len(batch) < 512 && len(puts) > 0 {
				batch = append(batch, <-puts)
			}
			keys := make([]string, 0, len(batch))
			for _, p := range batch {
				keys = append(keys, p.key)
			}
			err := commitAll(ctx, db, insert, keys)
			for _, p := range batch {
				p.done <- err
			}
		}
	}()
	took := make([]time.Duration, n)
	var putting sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		putting.Go(func() {
			<-start
			begun := time.Now()
			p := put{fmt.Sprint("click/", i), make(chan error, 1)}
			puts <- p
			if err := <-p.done; err != nil {
				b.Error(err)
			}
			took[i] = time.Since(begun)
		})
	}
	close(start)
	putting.Wait()
	close(puts)
	slices.Sort(took)
	return took[n*99/100].Round(10 * time.Microsecond)
}
