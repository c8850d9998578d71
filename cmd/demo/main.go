// Command demo is rootcheck between a simulated Slack workspace and a simulated AWS organization, on loopback, with a page
// to try it in.
//
// The rules are:
//   - It reads no AWS or Slack setting from its environment or any profile, and uses made-up keys.
//   - It listens and dials on loopback only.
//   - The bot in it is the production bot, pointed at the simulators by the settings that point it anywhere.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

type flags struct {
	Listen         string        `help:"Loopback address of the page and of both simulators." default:"127.0.0.1:8484"`
	Accounts       int           `help:"Accounts in the organization; the hand-made ones come first." default:"0"`
	Latency        time.Duration `help:"Time that each AWS call takes." default:"0s"`
	Throttle       float64       `help:"Calls per second that sts:AssumeRoot allows; 0: any." default:"0"`
	Seed           int64         `help:"The same seed makes the same organization." default:"1"`
	SimulatorsOnly bool          `help:"No bot: point your own at the simulators."`
	Headless       bool          `help:"No page to look at, for scripts."`
	Tour           bool          `help:"Play every story, print each step, and exit 0 only if every step held."`
	Only           string        `help:"With --tour: only the stories whose name contains this."`
	Verbose        bool          `help:"Show the bot's log."`
}

func main() {
	var f flags
	kong.Parse(&f, kong.Name("demo"), kong.Description("rootcheck in a simulated Slack workspace, beside a simulated AWS organization."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, f); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) error {
	level := slog.LevelError
	if f.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	s, err := newStage(ctx, f, log)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	s.welcome(os.Stdout)
	if f.Tour {
		return s.tour(ctx, os.Stdout)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}
