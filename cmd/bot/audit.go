package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/cmd/bot/report"
)

// auditCommand holds what can be done with the audit log. Verify and export read beside a bot that runs.
type auditCommand struct {
	Verify verifyCommand `cmd:"" help:"Find out whether the log is the one that was written, and name each record that was tampered with."`
	Export exportCommand `cmd:"" help:"Write the whole log out."`
	Rotate rotateCommand `cmd:"" name:"rotate-key" help:"Let the key in audit.key_file sign from here on, and make one where there is none. It is on record."`
}

// verifyCommand verifies the log.
type verifyCommand struct {
	Head     []string `help:"A head that you kept, as it was published, or a file that holds some, one a line." placeholder:"TEXT|FILE" sep:"none"`
	Verifier []string `help:"The public key that signs heads; otherwise those that the key file and the log tell." placeholder:"KEY" sep:"none"`
	Export   string   `help:"Verify an export in JSON lines in place of the database." placeholder:"FILE" type:"path"`
}

// Run verifies and says what was found: status 0 for a log that is whole, else 1.
func (v *verifyCommand) Run(ctx context.Context, g *grammar, p process) error {
	c, err := app.Load(g.Config, p.Env)
	if err != nil {
		return err
	}
	found, err := app.VerifyAudit(ctx, c, app.VerifyOptions{Heads: v.Head, Verifiers: v.Verifier, Export: v.Export, Now: p.Now})
	if err != nil {
		return failure{statusUsage, err}
	}
	if err := report.Audit(p.Out, found); err != nil {
		return err
	}
	if !found.OK() {
		return exit(statusFailed)
	}
	return nil
}

// exportCommand writes the log out.
type exportCommand struct {
	Format string `help:"${enum}: jsonl can be verified by itself, csv is to be read." enum:"jsonl,csv" default:"jsonl"`
	Out    string `help:"The file to write; standard output otherwise." placeholder:"FILE" type:"path"`
}

// Run exports. A file appears only when all of it was written.
func (e *exportCommand) Run(ctx context.Context, g *grammar, p process) error {
	c, err := app.Load(g.Config, p.Env)
	if err != nil {
		return err
	}
	if e.Out == "" {
		if _, err = app.ExportAudit(ctx, c, e.Format, p.Out, p.Now); err != nil {
			return failure{statusUsage, err}
		}
		return nil
	}
	var n int64
	err = whole(e.Out, func(w io.Writer) (werr error) {
		n, werr = app.ExportAudit(ctx, c, e.Format, w, p.Now)
		return werr
	})
	if err != nil {
		return failure{statusUsage, err}
	}
	_, err = fmt.Fprintf(p.Err, "%d records written to %s.\n", n, e.Out)
	return err
}

// rotateCommand changes the key that signs.
type rotateCommand struct{}

// Run rotates, and prints both public keys.
func (rotateCommand) Run(ctx context.Context, g *grammar, p process) error {
	c, err := app.Load(g.Config, p.Env)
	if err != nil {
		return err
	}
	r, err := app.RotateKey(ctx, c, app.Options{Now: p.Now, Log: g.logger(p), Version: p.version()})
	switch {
	case err != nil:
		return failure{statusUsage, err}
	case r.Before == r.Now:
		_, err = fmt.Fprintf(p.Out, "Nothing was changed: %s signs already. To rotate, move %s to a safe place first.\n", r.Now, r.File)
	case r.Before == "":
		_, err = fmt.Fprintf(p.Out, "Signs from here on: %s\n", r.Now)
	default:
		_, err = fmt.Fprintf(p.Out, "Signs from here on: %s\nSigned before:      %s\nGive every replica the same %s and start it again.\n", r.Now, r.Before, r.File)
	}
	return err
}

// whole writes a file that is there either as a whole or not at all. Only its owner may read it.
func whole(name string, write func(io.Writer) error) error {
	next := name + ".part"
	refused := func(err error) error {
		if path, ok := errors.AsType[*os.PathError](err); ok {
			err = path.Err // without the name of the part, which would only puzzle
		}
		return fmt.Errorf("cannot write %s (%w): name a file in a folder that is there and that this user may write to", name, err)
	}
	f, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // The operator names the file.
	if err != nil {
		return refused(err)
	}
	err = write(f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = refused(cerr)
	}
	if err == nil {
		if err = os.Rename(next, name); err != nil {
			err = refused(err)
		}
	}
	if err != nil {
		_ = os.Remove(next) // The first error is the one to tell.
	}
	return err
}
