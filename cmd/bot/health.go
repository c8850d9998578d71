package main

import (
	"errors"
	"fmt"

	"github.com/rootcheck-bot/rootcheck/app"
)

// healthCommand is the container's health check: it reads one small file and opens neither port nor database.
type healthCommand struct{}

// Run says how the running bot is. A setting that is bad does not matter here: the bot itself would not have started.
func (healthCommand) Run(g *grammar, p process) error {
	c := app.DefaultConfig()
	if loaded, err := app.Load(g.Config, p.Env); err == nil {
		c = loaded
	}
	age, warn, err := app.NewHeartbeat(c.HealthFile(p.Env), p.Now).Check()
	if err == nil {
		_, err = fmt.Fprintf(p.Out, "The bot is well, as of %s ago.\n", age)
	}
	for _, w := range warn {
		_, werr := fmt.Fprintln(p.Out, "Warning: "+w)
		err = errors.Join(err, werr)
	}
	return err
}
