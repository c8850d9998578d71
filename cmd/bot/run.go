package main

import (
	"context"
	"errors"
	"strings"

	"github.com/rootcheck-bot/rootcheck/app"
)

// runCommand runs the bot.
type runCommand struct{}

// Run runs until a signal ends it, or until nothing could bring it back: then the error is one sentence.
func (runCommand) Run(ctx context.Context, g *grammar, p process) error {
	c, err := g.settings(p, true)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, c, app.Options{
		Now: p.Now, Log: g.logger(p), Version: p.version(), Health: c.HealthFile(p.Env), Audit: p.Out,
	})
	if err != nil {
		// The store begins each sentence about its opening with the name of the setting.
		if strings.HasPrefix(err.Error(), "database: ") {
			return failure{statusUsage, err}
		}
		return err
	}
	return errors.Join(a.Run(ctx), a.Close())
}
