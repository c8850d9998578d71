package main

import (
	"context"
	"fmt"

	"github.com/rootcheck-bot/rootcheck/app"
)

// backupCommand copies the database.
type backupCommand struct {
	File string `arg:"" help:"The file to write; it must not be there yet." type:"path"`
}

// Run copies and checks the copy. Its status is 0 when the copy is whole, else 2, and then there is no file.
func (b *backupCommand) Run(ctx context.Context, g *grammar, p process) error {
	c, err := app.Load(g.Config, p.Env)
	if err != nil {
		return err
	}
	size, err := app.Backup(ctx, c, b.File, p.Now)
	if err != nil {
		return failure{statusUsage, err}
	}
	_, err = fmt.Fprintf(p.Out, "%.1f MB written to %s and checked. It holds whole access key ids: keep it as you keep the database, with the audit log's key file beside it.\n",
		float64(size)/(1<<20), b.File)
	return err
}
