package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/store"
)

// VerifyOptions say what an audit log is held against.
type VerifyOptions struct {
	Heads     []string // an auditor's own heads: their text, or a file that holds one a line
	Verifiers []string // public keys that sign heads; empty: that of the bot's own key file
	Export    string   // an export in JSON lines to verify in place of the database
	Now       func() time.Time
}

// Verified is the outcome of a verification.
type Verified struct {
	audit.Report
	Published int    // heads that the store remembers to have published
	Own       int    // heads that the auditor brought
	Unchecked string // why the published heads were not checked, where they were not
}

// VerifyAudit reads the whole audit log, beside a bot that may be running, and holds it against its tree, against the
// heads that were published and against those that the auditor kept. A log that was tampered with is no error.
func VerifyAudit(ctx context.Context, c Config, o VerifyOptions) (Verified, error) {
	own, err := ownHeads(o.Heads)
	if err != nil {
		return Verified{}, err
	}
	if o.Export != "" {
		return verifyExport(ctx, o, own)
	}
	s, err := store.OpenReadOnly(ctx, store.Config{URL: c.Database, Now: o.Now})
	if err != nil {
		return Verified{}, err
	}
	v, err := verifyStore(ctx, s, c, o, own)
	return v, errors.Join(err, s.Close())
}

func verifyStore(ctx context.Context, s *store.Store, c Config, o VerifyOptions, own []audit.Head) (v Verified, err error) {
	err = s.ReadLog(ctx, func(l store.Log) error {
		v = Verified{Published: len(l.Heads), Own: len(own)}
		heads := l.Heads
		verifiers, kerr := c.verifiers(o.Verifiers)
		if kerr != nil {
			v.Unchecked, heads = kerr.Error(), nil
		}
		v.Report, err = audit.Verify(ctx, audit.Check{
			Records: l.Records, Stored: l.Hashes, Heads: heads, Verifiers: verifiers, Own: own,
		})
		return err
	})
	return v, err
}

func verifyExport(ctx context.Context, o VerifyOptions, own []audit.Head) (v Verified, err error) {
	f, err := os.Open(o.Export)
	if err != nil {
		return v, fmt.Errorf("open the export: %w", err)
	}
	v.Own = len(own)
	v.Report, err = audit.Verify(ctx, audit.Check{Records: audit.ReadJSONL(f), Own: own})
	return v, errors.Join(err, f.Close())
}

// verifiers are the public keys that sign heads: those that were given, or that of the key file.
func (c Config) verifiers(given []string) ([]string, error) {
	if len(given) > 0 {
		return given, nil
	}
	b, err := os.ReadFile(c.keyFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the signing key is not in %s; give the public key with --verifier", c.keyFile())
	case err != nil:
		return nil, fmt.Errorf("the signing key in %s cannot be read; give the public key with --verifier", c.keyFile())
	}
	signer, err := audit.ParseSigner(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s holds no signing key; give the public key with --verifier", c.keyFile())
	}
	return []string{signer.Verifier()}, nil
}

// ownHeads reads the heads that the auditor kept. A text that names a file is the file.
func ownHeads(given []string) ([]audit.Head, error) {
	var heads []audit.Head
	for _, text := range given {
		if h, err := audit.ParseHead(text); err == nil {
			heads = append(heads, h)
			continue
		}
		b, err := os.ReadFile(text) //nolint:gosec // The auditor names the file.
		if err != nil {
			return nil, &SettingError{Setting: "--head", Fix: `give a head as it was published ("size 1234 · hash …"), or a file that holds one`}
		}
		inFile, err := headsOf(string(b))
		if err != nil {
			return nil, &SettingError{Setting: "--head", Fix: "write heads as they were published into " + text + ", one a line", Err: err}
		}
		heads = append(heads, inFile...)
	}
	return heads, nil
}

func headsOf(text string) ([]audit.Head, error) {
	if h, err := audit.ParseHead(text); err == nil {
		return []audit.Head{h}, nil
	}
	var heads []audit.Head
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		h, err := audit.ParseHead(line)
		if err != nil {
			return nil, err
		}
		heads = append(heads, h)
	}
	if len(heads) == 0 {
		return nil, errors.New("the file is empty")
	}
	return heads, nil
}

// ExportAudit writes the whole audit log, as it lies in the store, in a format: "jsonl", which can be verified, or "csv",
// which can be read. It returns how many records there are.
func ExportAudit(ctx context.Context, c Config, format string, w io.Writer, now func() time.Time) (int64, error) {
	s, err := store.OpenReadOnly(ctx, store.Config{URL: c.Database, Now: now})
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.ReadLog(ctx, func(l store.Log) error {
		write := audit.WriteJSONL
		if format == "csv" {
			write = audit.WriteCSV
		}
		n, err = write(w, l.Records)
		return err
	})
	return n, errors.Join(err, s.Close())
}
