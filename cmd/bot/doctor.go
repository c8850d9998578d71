package main

import (
	"context"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/cmd/bot/report"
)

// doctorCommand tries everything that the bot needs, and changes nothing.
type doctorCommand struct {
	JSON   bool     `name:"json" help:"Print one JSON object."`
	Source []string `help:"Only this entry of aws in the settings. May be repeated." placeholder:"NAME"`
}

// Run tries, and prints each line as it is known. Its status is 0 when nothing failed, else 1.
func (d *doctorCommand) Run(ctx context.Context, g *grammar, p process) error {
	c, err := app.Load(g.Config, p.Env)
	if err != nil {
		return err
	}
	show := report.NewDoctor(p.Out, p.terminal(p.Out), d.JSON)
	failed, err := app.Doctor(ctx, c, app.DoctorOptions{
		Sources: d.Source, Now: p.Now, Version: p.version(), Tell: show.Probe,
	})
	if err != nil {
		return err
	}
	if err := show.End(); err != nil {
		return err
	}
	if failed > 0 {
		return exit(statusFailed)
	}
	return nil
}
