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

// The messages that are clicked: the smallest that has a button, and an ordinary card. Slack sends the whole message along
// with each click.
const (
	smallMessage = 0
	card         = 4000
)

// BenchmarkTenThousandClicksAtOnce sends ten thousand clicks over two sockets at once. Each is committed before it is
// acknowledged; all are refused afterwards, each with a record. The bot and the simulator share this process.
func BenchmarkTenThousandClicksAtOnce(b *testing.B) {
	b.Run("on a small message", func(b *testing.B) { stormOfClicks(b, 10_000, 0, smallMessage, stormP99, inProcess) })
	b.Run("on a card", func(b *testing.B) { stormOfClicks(b, 10_000, 0, card, stormP99, inProcess) })
}

// BenchmarkTenThousandClicksAtOnceOnTheBinary does the same with the real binary in a process of its own.
func BenchmarkTenThousandClicksAtOnceOnTheBinary(b *testing.B) {
	stormOfClicks(b, 10_000, 0, card, stormP99, byItself)
}

// BenchmarkFiveHundredClicksASecond holds that rate for twenty seconds.
func BenchmarkFiveHundredClicksASecond(b *testing.B) {
	stormOfClicks(b, 10_000, 2*time.Millisecond, card, sustainedP99, inProcess)
}

// stormOfClicks prints what the acknowledgements took beside a raw group commit of the same run, and fails where that is
// too long or where a click has no record.
func stormOfClicks(b *testing.B, clicks int, every time.Duration, message int, limit time.Duration, run func(*world, func())) {
	b.Helper()
	for b.Loop() {
		size := 500
		if every == 0 {
			size = clicks
		}
		raw := rawGroupCommit(b, size)
		w := newWorld(b, newClock(0), awssim.Config{}, killSettings)
		run(w, func() {
			w.anchored()
			w.until(time.Minute, "both sockets are open", func() bool { return w.slack.Connections() == 2 })
			w.until(90*time.Second, "the first check and its cards are done", w.idle(3*time.Second))
			b.Logf("each click carries a message of %d bytes", w.near(message))
			w.slack.ForgetAcks()
			acks := w.clicks(clicks, every)
			report(b, acks, raw, limit)
			w.refusals(clicks)
		})
	}
}

// TestASignalInAStormLosesNothingThatWasAcknowledged ends the real binary while thousands of clicks are on their way.
func TestASignalInAStormLosesNothingThatWasAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the real binary")
	}
	const clicks = 3000
	w := newWorld(t, newClock(0), awssim.Config{}, killSettings)
	first := w.start("run")
	w.until(time.Minute, "both sockets are open", func() bool { return w.slack.Connections() == 2 || !first.alive() })
	w.anchored()
	w.slack.ForgetAcks()
	storm := make(chan []slacksim.AckRecord, 1)
	go func() { storm <- w.clicks(clicks, 0) }()
	acked := func(acks []slacksim.AckRecord) (n int) {
		for _, a := range acks {
			if a.Outcome == "acked" && a.Kind == "interactive" {
				n++
			}
		}
		return n
	}
	w.until(time.Minute, "some clicks are acknowledged", func() bool { return acked(w.slack.Acks()) > 0 })
	took := first.term(t)
	told := acked(<-storm)
	t.Logf("ended %s after SIGTERM; %d of %d clicks were acknowledged, %d of them on record by then", took.Round(time.Millisecond), told, clicks, w.refused(ben))
	if took > 10*time.Second || first.status != 0 {
		t.Errorf("it took %s and ended with status %d:\n%s", took, first.status, first.out.String())
	}
	first.clean(t)
	second := w.start("run")
	soon(60*time.Second, func() bool { return w.refused(ben) >= told })
	second.term(t)
	if got := w.refused(ben); got < told || got > clicks {
		t.Errorf("%d clicks were acknowledged and %d are on record", told, got)
	}
}

// inProcess runs the bot in the test's own process.
func inProcess(w *world, f func()) { w.play(func(*app.App) { f() }) }

// byItself runs the real binary.
func byItself(w *world, f func()) {
	p := w.start("run")
	w.until(time.Minute, "a socket is open", func() bool { return w.slack.Connections() > 0 || !p.alive() })
	f()
	if p.term(w.t); p.status != 0 {
		w.t.Errorf("the bot ended with status %d:\n%s", p.status, p.out.String())
	}
	p.clean(w.t)
}

// idle reports whether the bot has called nothing in Slack for so long.
func (w *world) idle(d time.Duration) func() bool {
	calls, since := -1, time.Now()
	return func() bool {
		if n := len(w.slack.Calls()); n != calls {
			calls, since = n, time.Now()
		}
		return time.Since(since) > d
	}
}

// near makes the clicks be on that of the bot's messages with a button whose size is nearest, and returns its size.
func (w *world) near(size int) int {
	best, off := 0, 1<<20
	for _, c := range w.state(1000).Channels {
		for _, m := range c.Messages {
			blocks, err := json.Marshal(m.Blocks)
			ok(w.t, err)
			known := c.ID == slacksim.ChannelRoot && m.User == slacksim.BotUserID && m.Ephemeral == ""
			by := max(len(blocks)-size, size-len(blocks))
			if known && by < off && bytes.Contains(blocks, []byte(`"action_id"`)) {
				best, off, w.anchor = len(blocks), by, m.TS
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
