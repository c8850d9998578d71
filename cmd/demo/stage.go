package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/cmd/demo/page"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// stage is everything that the demo runs: both simulators, the page, and the bot unless it was left out.
type stage struct {
	base     string
	database string
	clock    *clock
	slack    *slacksim.Workspace
	aws      *awssim.Organization
	server   *http.Server
	dir      string
	flags    flags
	failed   chan error

	bot    *app.App
	config app.Config
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func newStage(ctx context.Context, f flags, log *slog.Logger) (*stage, error) {
	listener, err := listen(ctx, f)
	if err != nil {
		return nil, err
	}
	s := &stage{base: "http://" + listener.Addr().String(), clock: newClock(), flags: f, failed: make(chan error, 1)}
	ctx, s.stop = context.WithCancel(ctx)
	s.slack = slacksim.New(slacksim.Config{Now: s.clock.Now, BaseURL: s.base, Seed: f.Seed, Log: log})
	slacksim.Demo(s.slack)
	s.aws = awssim.New(awssim.Config{
		Now: s.clock.Now, Seed: f.Seed, Accounts: f.Accounts, Latency: f.Latency, Throttle: f.Throttle, Log: log,
	})
	s.serve(ctx, listener, log)
	if f.SimulatorsOnly {
		return s, nil
	}
	if err := s.start(ctx, log); err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

// listen refuses any address that is not loopback: the page can do everything that the people in it can.
func listen(ctx context.Context, f flags) (net.Listener, error) {
	address := f.Listen
	host, _, err := net.SplitHostPort(address)
	if err != nil || !local(host) {
		return nil, fmt.Errorf("--listen %s: write a loopback address such as 127.0.0.1:8484", address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: something else listens there; choose another port, or 127.0.0.1:0 for any (%w)", address, err)
	}
	return listener, nil
}

func (s *stage) serve(ctx context.Context, listener net.Listener, log *slog.Logger) {
	mux := http.NewServeMux()
	mux.Handle("/slack/", s.slack.API())
	s.aws.Mount(mux, "/aws")
	mux.Handle("/control/slack/", s.slack.Control())
	mux.Handle("/control/clock", guard(s.clock.serve(ctx, world{looked: s.looked, settled: s.settled})))
	if !s.flags.Headless {
		mux.Handle("/", page.Handler())
	}
	s.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	s.done.Go(func() {
		if err := s.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.fail(err)
		}
	})
}

func (s *stage) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// start runs the production bot against the simulators.
func (s *stage) start(ctx context.Context, log *slog.Logger) error {
	dir, err := os.MkdirTemp("", "rootcheck-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	s.dir, s.database = dir, filepath.Join(dir, "rootcheck.db")
	s.config, err = configure(dir, s.base, s.flags.Throttle)
	if err != nil {
		return err
	}
	s.bot, err = app.New(ctx, s.config, app.Options{Now: s.clock.Now, Wake: s.clock.wake, Log: log, Version: "demo"})
	if err != nil {
		return fmt.Errorf("start the bot: %w", err)
	}
	s.done.Go(func() {
		if err := s.bot.Run(ctx); err != nil && ctx.Err() == nil {
			s.fail(fmt.Errorf("the bot ended: %w", err))
		}
	})
	// Whoever opens the page at once should find a bot that answers.
	ready, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	waitFor(ready, func(context.Context) bool { return s.slack.Connections() > 0 })
	return nil
}

// settled reports whether everything that fell due was done: by the bot, and by what Slack has still to deliver.
func (s *stage) settled(ctx context.Context) bool {
	if !s.slack.Quiet() {
		return false
	}
	if s.bot == nil {
		return true
	}
	settled, err := s.bot.Settled(ctx)
	return err == nil && settled
}

// looked reports whether everything that reads or changes AWS has been done that fell due. Messages may still be on their
// way: Slack takes one a second.
func (s *stage) looked(ctx context.Context) bool {
	if s.bot == nil {
		return true
	}
	looked, err := s.bot.Looked(ctx)
	return err == nil && looked
}

// close ends everything. It has its own time, also when what started it was interrupted.
func (s *stage) close(ctx context.Context) {
	s.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.slack.Close()
	s.aws.Close()
	if err := s.server.Shutdown(ctx); err != nil {
		_ = s.server.Close()
	}
	s.clock.moving.Wait()
	s.done.Wait()
	if s.bot != nil {
		_ = s.bot.Close()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *stage) welcome(out io.Writer) {
	say(out, "A simulated Slack workspace and a simulated AWS organization, on loopback. Nothing reaches Slack or AWS."+"\n")
	if !s.flags.Headless {
		say(out, "\n  Open  %s/\n\n", s.base)
	}
	say(out, "  SLACK_API_URL=%s/slack/api/   SLACK_BOT_TOKEN=xoxb-demo   SLACK_APP_TOKEN=xapp-demo\n", s.base)
	say(out, "  AWS_ENDPOINT_URL=%s/aws/   AWS_REGION=us-east-1, with any made-up key\n", s.base)
	if !s.flags.Tour {
		say(out, "\nPress Ctrl-C to end it."+"\n")
	}
}

// say writes to the terminal. A terminal that takes no more is nobody's loss.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
