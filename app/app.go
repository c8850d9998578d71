// Package app is the process as a value: settings in, a running bot out.
//
// The rules are:
//   - [Load] and [Config.Validate] find what is wrong with the settings before anything starts, one sentence each.
//   - [New] wires, [App.Run] runs, [App.Close] ends. Signals, flags and exit codes belong to cmd.
//   - There is no branch for the demo or for tests: they point the same wiring elsewhere by the same settings.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/bot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/scheduler"
	"github.com/rootcheck-bot/rootcheck/store"
)

// Options are what a process brings besides its settings.
type Options struct {
	Now     func() time.Time // the clock of everything that people read; time.Now when nil
	Wake    <-chan struct{}  // receives when the clock was moved by hand
	Log     *slog.Logger
	Version string
	Health  string // the heartbeat's file; empty: none
	// Audit receives a copy of each audit record as a JSON line, where the settings ask for it.
	Audit io.Writer
}

// App is one running bot.
type App struct {
	o         Options
	config    Config
	upkeep    *upkeep
	workspace *bot.Workspace
	signer    audit.Signer
	store     *store.Store
	service   *commands.Service
	bot       *bot.Bot
	worker    *commands.Worker
	scheduler *scheduler.Scheduler
}

// New checks the settings and connects to the database and to Slack. What is wrong with a setting is a [SettingError] or
// another error of one sentence; nothing is left open then.
func New(ctx context.Context, c Config, o Options) (*App, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := c.Validate(true); err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, c.store(o))
	if err != nil {
		return nil, err
	}
	a := &App{o: o, config: c, store: st}
	a.upkeep = newUpkeep(a)
	if err := a.wire(ctx, c); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return a, nil
}

// store says to the SQL edge what the operator set.
func (c Config) store(o Options) store.Config {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return store.Config{URL: c.Database, Now: o.Now, Replica: host, Build: o.Version, Copy: c.auditCopy(o), Log: o.Log}
}

func (a *App) wire(ctx context.Context, c Config) (err error) {
	if a.signer, err = c.signer(ctx, a.store); err != nil {
		return err
	}
	auditor, remediator, err := awsroot.New(ctx, c.awsroot(a.o))
	if err != nil {
		return awsSetting(err)
	}
	workspace, err := bot.Connect(ctx, bot.Config{
		BotToken: c.BotToken.Reveal(), AppToken: c.AppToken.Reveal(), APIURL: c.SlackAPI, Channel: c.Channel,
		Locale: c.Locale, Now: a.o.Now, NewID: rand.Text, Log: a.o.Log,
	})
	a.workspace = workspace
	if unreached, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("cannot reach Slack (%w): open the way to slack.com on port 443, or correct SLACK_API_URL or the proxy", unreached.Err)
	}
	if err != nil {
		return err
	}
	calendars, err := c.calendars()
	if err != nil {
		return err
	}
	a.scheduler = scheduler.New(scheduler.Config{
		Schedules: calendars, Table: store.Occurrences{Store: a.store}, Now: a.o.Now, Wake: a.o.Wake, Log: a.o.Log,
	})
	a.service, err = commands.New(c.commands(workspace.Identity().Team, a.o.Version), commands.Deps{
		Ledger: a.store, Queue: a.store, Estate: a.store, Inspector: auditor, Executor: remediator, Directory: workspace,
		Now: a.o.Now, NewID: rand.Text, Log: a.o.Log, Next: a.scheduler.Next, SignHead: a.sign, Troubles: a.upkeep.troubles,
		Learn: auditor.Learn, Parked: func(ctx context.Context) (int, error) {
			list, unread := a.store.Parked(ctx)
			return len(list), unread
		},
	})
	if err != nil {
		return err
	}
	a.bot, err = bot.New(workspace, a.service, a.store, a.store)
	if err != nil {
		return err
	}
	handlers := a.service.Handlers()
	maps.Copy(handlers, a.bot.Handlers())
	handlers[kindBackup], handlers[kindIntegrity] = a.upkeep.backup, a.upkeep.integrity
	a.worker = commands.NewWorker(a.store, a.store, handlers, a.o.Now, a.o.Log)
	return nil
}

// awsSetting is an AWS configuration that cannot be read.
func awsSetting(err error) error {
	if missing, ok := errors.AsType[*awsroot.NoProfileError](err); ok {
		kind := "account"
		if missing.Source.Organization != nil {
			kind = "organization"
		}
		return &SettingError{
			Setting: fmt.Sprintf("aws[%s].%s.profile", missing.Source.Name, kind),
			Fix:     missing.Error() + "; add it to ~/.aws/config, or take the entry out",
		}
	}
	return &SettingError{Setting: "aws", Fix: "give the profile and Region names that your AWS configuration has", Err: err}
}

// sign signs a head and keeps it among those that were published. A head that cannot be signed is shown unsigned, so that a
// reader sees that something is wrong.
func (a *App) sign(ctx context.Context, h audit.Head) string {
	signed, err := a.signer.SignHead(h, a.o.Now())
	if err == nil {
		err = a.store.SaveHead(ctx, signed)
	}
	if err != nil {
		a.o.Log.ErrorContext(ctx, "sign the audit log's head", "error", err)
		return h.String()
	}
	if err := keepHead(a.config.witnessFile(), signed); err != nil {
		// A key that is mounted to be read has no place beside it. The head in Slack is the one that counts.
		a.o.Log.InfoContext(ctx, "the published head is not kept beside the signing key", "error", err)
	}
	return signed.String()
}

// Run runs until the context ends or something ends that the bot cannot do without. It returns after what was begun has
// ended.
func (a *App) Run(ctx context.Context) error {
	if err := a.begin(ctx); err != nil {
		return err
	}
	if err := a.upkeep.restored(ctx); err != nil {
		a.o.Log.WarnContext(ctx, "the head that was published last could not be compared", "error", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.bot.Run(ctx) })
	group.Go(func() error { return a.worker.Run(ctx) })
	group.Go(func() error { return a.scheduler.Run(ctx) })
	group.Go(func() error { return a.beat(ctx) })
	return group.Wait()
}

// begin queues what every start begins with: what was put aside, the release of blocks that nobody needs, and a look at everything, unless one was made within the
// hour.
func (a *App) begin(ctx context.Context) error {
	back, err := a.store.Unpark(ctx)
	if err != nil {
		return err
	}
	if back > 0 {
		a.o.Log.InfoContext(ctx, "items that had been put aside are tried again", "count", back)
	}
	if err = a.service.Sweep(ctx); err != nil {
		return err
	}
	last, err := a.store.LastRun(ctx)
	if err != nil && !errors.Is(err, commands.ErrNotFound) {
		return fmt.Errorf("read the last check: %w", err)
	}
	if err == nil && a.o.Now().Sub(last.Finished) < time.Hour {
		return nil
	}
	return a.store.Put(ctx, commands.ScanItem(commands.TriggerStart, a.o.Now()))
}

// beat looks at the database and its disk, and writes the heartbeat that the container's health check reads.
func (a *App) beat(ctx context.Context) error {
	h := NewHeartbeat(a.o.Health, time.Now)
	tick := time.NewTicker(HeartbeatInterval)
	defer tick.Stop()
	for {
		a.upkeep.writable(ctx, a.store.TryWrite, a.bot.Announce)
		a.upkeep.space(ctx)
		a.upkeep.channel(ctx, a.workspace.Shared)
		if a.o.Health != "" {
			ok, why := a.well(ctx)
			if err := h.Beat(ok, why, a.upkeep.sentences()...); err != nil {
				a.o.Log.WarnContext(ctx, "heartbeat", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *App) well(ctx context.Context) (bool, string) {
	if err := a.store.Ping(ctx); err != nil {
		return false, "the database does not answer"
	}
	if said := a.upkeep.illness(); said != "" {
		return false, said
	}
	if open, _ := a.bot.Health(); open == 0 {
		return false, "no socket to Slack is open"
	}
	if since := a.bot.Silent(); !since.IsZero() && a.o.Now().Sub(since) >= silentFor {
		return false, "Slack has taken no message since " + since.UTC().Format(time.RFC3339) + ", and what was to be said waits"
	}
	failing, err := a.store.Failing(ctx)
	if err != nil {
		return false, "the queue cannot be read"
	}
	if len(failing) > 0 {
		return false, "work keeps failing, and the log says why: " + kinds(failing)
	}
	return true, ""
}

// silentFor is how long Slack may take no message before the bot is not well. What waits is in the database meanwhile, and is
// said when Slack is back.
const silentFor = 2 * time.Minute

func kinds(counts map[string]int) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s (%d)", k, counts[k]))
	}
	return strings.Join(words, ", ")
}

// Settled reports whether nothing is due: no item, no occurrence.
func (a *App) Settled(ctx context.Context) (bool, error) {
	due, err := a.scheduler.Due(ctx)
	if err != nil || due {
		return false, err
	}
	return a.worker.Settled(ctx), nil
}

// Looked reports whether nothing is due that reads AWS or changes it. Messages to Slack may still be.
func (a *App) Looked(ctx context.Context) (bool, error) {
	due, err := a.scheduler.Due(ctx)
	if err != nil || due {
		return false, err
	}
	a.worker.Nudge()
	items, err := a.store.Due(ctx, a.o.Now())
	if err != nil {
		return false, err
	}
	for _, kind := range []string{
		commands.KindAct, commands.KindRead, commands.KindRelease, commands.KindLapse, commands.KindScan, commands.KindRescan,
	} {
		if items[kind] > 0 {
			return false, nil
		}
	}
	return true, nil
}

// Close closes the database. Run has returned before.
func (a *App) Close() error { return a.store.Close() }
