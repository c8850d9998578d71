package main

import (
	"context"
	"errors"
	"io"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/cmd/bot/report"
)

// checkCommand looks at every account once.
type checkCommand struct {
	JSON    bool     `name:"json" help:"Print one JSON object; its accounts are a list." xor:"form"`
	CSV     bool     `name:"csv" help:"Print a table of one line for each account and control." xor:"form"`
	HTML    string   `name:"html" help:"Write one self-contained page for an auditor." placeholder:"FILE" type:"path"`
	Strict  bool     `help:"End with status 2 also for what no way of looking that is open can tell."`
	Account []string `help:"Only this account, by id, name or alias. May be repeated." placeholder:"ACCOUNT"`
	Source  []string `help:"Only this entry of aws in the settings. May be repeated." placeholder:"NAME"`
}

// Run checks and reports. Its status is 0 when all pass, 1 with findings, 2 when something could not be checked.
func (k *checkCommand) Run(ctx context.Context, g *grammar, p process) error {
	c, err := g.settings(p, false)
	if err != nil {
		return err
	}
	progress := report.NewProgress(p.Err, p.terminal(p.Err), p.Now)
	found, err := app.Check(ctx, c, app.CheckOptions{
		Sources: k.Source, Accounts: k.Account, Now: p.Now, Log: g.logger(p), Version: p.version(), Progress: progress.Show, Strict: k.Strict,
	})
	progress.End()
	var nothing *app.NoAccountsError
	if err != nil && !errors.As(err, &nothing) {
		return failure{statusUsage, err}
	}
	werr := k.write(found, p)
	if cerr := found.Rows.Close(); werr == nil {
		werr = cerr
	}
	switch {
	case err != nil:
		return failure{statusUsage, err}
	case werr != nil:
		return failure{statusUsage, werr}
	case found.Status() != app.AllPass:
		return exit(found.Status())
	default:
		return nil
	}
}

func (k *checkCommand) write(found *app.Checked, p process) error {
	if k.HTML != "" {
		if err := whole(k.HTML, func(w io.Writer) error { return report.HTML(w, found) }); err != nil {
			return err
		}
	}
	switch {
	case k.JSON:
		return report.JSON(p.Out, found)
	case k.CSV:
		return report.CSV(p.Out, found)
	default:
		return report.Table(p.Out, found, p.terminal(p.Out))
	}
}
