// Command mutants takes every gate and guard away, one at a time, and runs the tests that ought to notice.
//
// The rules are:
//   - It finds the gates and guards by itself, in the syntax tree: a new one cannot be forgotten.
//   - It never writes to the tree: each mutant is laid over it by go test -overlay.
//   - The tests must pass on the tree as it is: tests that always fail would kill every mutant and prove nothing.
//   - A mutant that no test notices is a gate that nothing holds in place: the command names it and exits with 1.
//
// Usage, from the module's root:
//
//	go run ./internal/mutants [-short] [-only remediation/gates.go] [-parallel 2] [-list]
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// fewest is how many mutants there must be at least: fewer means that the search has gone blind.
const fewest = 25

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	short := flags.Bool("short", false, "take whole gates and guards away, not their single conditions")
	only := flags.String("only", "", "only mutants whose place contains this")
	parallel := flags.Int("parallel", 2, "how many are tried at once")
	list := flags.Bool("list", false, "name the mutants and try none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var all []mutant
	for _, t := range targets() {
		found, err := t.search()
		if err != nil {
			return fmt.Errorf("search %s: %w", t.file, err)
		}
		all = append(all, found...)
	}
	if len(all) < fewest {
		return fmt.Errorf("only %d gates and guards were found, of at least %d", len(all), fewest)
	}
	chosen := all[:0:0]
	for _, m := range all {
		if (!*short || m.whole) && strings.Contains(m.String(), *only) {
			chosen = append(chosen, m)
		}
	}
	if *list {
		for _, m := range chosen {
			if _, err := fmt.Fprintln(out, m); err != nil {
				return fmt.Errorf("list the mutants: %w", err)
			}
		}
		return nil
	}
	if err := sound(ctx, chosen); err != nil {
		return err
	}
	return try(ctx, chosen, max(1, *parallel), out)
}

// sound runs the tests of the mutants on the tree as it is.
func sound(ctx context.Context, chosen []mutant) error {
	tried := map[string]bool{}
	for _, m := range chosen {
		tests := strings.Join(append([]string{m.target.tests}, m.target.flags...), " ")
		if tried[tests] {
			continue
		}
		tried[tests] = true
		var err error
		if m.source, err = os.ReadFile(m.target.file); err != nil {
			return fmt.Errorf("read %s: %w", m.target.file, err)
		}
		switch v := m.try(ctx); {
		case v.err != nil:
			return fmt.Errorf("test %s as it is: %w", m.target.tests, v.err)
		case v.killed:
			return fmt.Errorf("test %s as it is: %s fails without any mutant", tests, v.by)
		}
	}
	return nil
}

// verdict is what became of a mutant.
type verdict struct {
	mutant mutant
	killed bool
	by     string // the first test that noticed
	err    error
	took   time.Duration
}

func try(ctx context.Context, all []mutant, parallel int, out io.Writer) error {
	work, done := make(chan mutant), make(chan verdict)
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for m := range work {
				done <- m.try(ctx)
			}
		})
	}
	go func() {
		defer close(done)
		defer wg.Wait()
		defer close(work)
		for _, m := range all {
			select {
			case work <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	begun, tried, survived := time.Now(), 0, []mutant{}
	var broken []error
	var unsaid error
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(out, format, args...); err != nil {
			unsaid = err
		}
	}
	for v := range done {
		tried++
		switch {
		case v.err != nil:
			broken = append(broken, fmt.Errorf("%s: %w", v.mutant, v.err))
			say("broken    %s\n", v.mutant)
		case v.killed:
			say("killed    %s  by %s in %s\n", v.mutant, v.by, v.took.Round(time.Millisecond))
		default:
			survived = append(survived, v.mutant)
			say("SURVIVED  %s\n", v.mutant)
		}
	}
	say("%d of %d mutants killed in %s\n", tried-len(survived)-len(broken), len(all), time.Since(begun).Round(time.Second))
	switch {
	case len(survived) > 0:
		return fmt.Errorf("%d gates or guards are held in place by no test", len(survived))
	case len(broken) > 0:
		return errors.Join(broken...)
	case tried < len(all):
		return ctx.Err()
	case unsaid != nil:
		return fmt.Errorf("write the verdicts: %w", unsaid)
	}
	return nil
}

// patience is how long the tests of one mutant may take. One that hangs them is noticed as well.
const patience = 4 * time.Minute

// try runs the tests on the tree with the mutant laid over it.
func (m mutant) try(ctx context.Context) verdict {
	v := verdict{mutant: m}
	begun := time.Now()
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		v.err = err
		return v
	}
	defer os.RemoveAll(dir) //nolint:errcheck // What stays behind lies in the folder for temporary files and decides nothing.
	overlay, err := m.overlay(dir)
	if err != nil {
		v.err = err
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := append([]string{"test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast", m.target.tests}, m.target.flags...)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // The arguments are this file's own.
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Run()
	v.took = time.Since(begun)
	switch text := said.String(); {
	case err == nil:
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"):
		v.err = fmt.Errorf("it does not compile:\n%s", text)
	default:
		v.killed, v.by = true, first(text)
	}
	return v
}

func first(said string) string {
	for line := range strings.Lines(said) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			name, _, _ = strings.Cut(name, " ")
			return name
		}
	}
	return "the test binary"
}

// overlay writes the mutant beside a description of which file it stands for.
func (m mutant) overlay(dir string) (string, error) {
	path, err := filepath.Abs(m.target.file)
	if err != nil {
		return "", err
	}
	mutated := filepath.Join(dir, "mutant.go")
	if err = os.WriteFile(mutated, m.source, 0o600); err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutated}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, body, 0o600)
}
