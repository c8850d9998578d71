package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
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
	Own       int    // heads from outside the database: those that the auditor brought, and the one kept beside the key
	Unchecked string // why the published heads were not checked, where they were not
	Shorter   string // a sentence, where the log does not reach a head that was published
	KeyDoubt  string // a sentence, where the key file holds another key than the log names
}

// OK reports whether nothing is wrong.
func (v Verified) OK() bool { return v.Report.OK() && v.KeyDoubt == "" }

// VerifyAudit reads the whole audit log, beside a bot that may be running, and holds it against its tree, against the
// heads that were published and against those that the auditor kept. A log that was tampered with is no error.
func VerifyAudit(ctx context.Context, c Config, o VerifyOptions) (Verified, error) {
	own, err := ownHeads(o.Heads)
	if err != nil {
		return Verified{}, err
	}
	for _, v := range o.Verifiers {
		if err = audit.CheckVerifier(v); err != nil {
			return Verified{}, &SettingError{Setting: "--verifier", Fix: "give the public key that `bot doctor` shows as \"signs as\"", Err: err}
		}
	}
	if o.Export != "" {
		return verifyExport(ctx, o, own)
	}
	s, err := store.OpenReadOnly(ctx, store.Config{URL: c.Database, Now: o.Now})
	if err != nil {
		return Verified{}, err
	}
	if kept, ok, unread := keptHead(c.witnessFile()); unread == nil && ok {
		own = append(own, kept)
	}
	v, err := verifyStore(ctx, s, c, o, own)
	return v, errors.Join(err, s.Close())
}

func verifyStore(ctx context.Context, s *store.Store, c Config, o VerifyOptions, own []audit.SignedHead) (v Verified, err error) {
	err = s.ReadLog(ctx, func(l store.Log) error {
		v = Verified{Published: len(l.Heads), Own: len(own)}
		check := audit.Check{Records: l.Records, Stored: l.Hashes, Heads: l.Heads, Verifiers: o.Verifiers, Own: bare(own)}
		if len(o.Verifiers) == 0 {
			mine, unread := c.verifier()
			check.Verifiers = l.Keys
			switch {
			case unread == nil:
				check.Verifiers = append(slices.Clone(l.Keys), mine)
				v.KeyDoubt = doubt(l.Keys, mine, c.keyFile())
			case len(l.Keys) == 0:
				v.Unchecked, check.Heads = unread.Error(), nil
			}
		}
		v.Report, err = audit.Verify(ctx, check)
		v.Shorter = reached(v.Records, own)
		return err
	})
	return v, err
}

// doubt says in a sentence that the key file holds another key than the one that signs by the log's word.
func doubt(named []string, mine, file string) string {
	if len(named) == 0 || named[len(named)-1] == mine {
		return ""
	}
	return "The log says that it is signed with " + named[len(named)-1] + ", and " + file + " holds " + mine +
		": put the right key file back, or ask who ran `bot audit rotate-key`."
}

func bare(all []audit.SignedHead) []audit.Head {
	heads := make([]audit.Head, 0, len(all))
	for _, h := range all {
		heads = append(heads, h.Head)
	}
	return heads
}

// reached says in a sentence that a head is over more records than the log has.
func reached(records int64, own []audit.SignedHead) string {
	for _, h := range own {
		if h.Size > records && !h.At.IsZero() {
			return shorter(records, h)
		}
	}
	return ""
}

func verifyExport(ctx context.Context, o VerifyOptions, own []audit.SignedHead) (v Verified, err error) {
	f, err := os.Open(o.Export)
	if err != nil {
		return v, &SettingError{Setting: "--export", Fix: readable(o.Export, err), Err: err}
	}
	v.Own = len(own)
	v.Report, err = audit.Verify(ctx, audit.Check{Records: audit.ReadJSONL(f), Own: bare(own)})
	v.Shorter = reached(v.Records, own)
	return v, errors.Join(err, f.Close())
}

// verifier is the public key of the key file.
func (c Config) verifier() (string, error) {
	b, err := os.ReadFile(c.keyFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the signing key is not in %s; give the public key with --verifier", c.keyFile())
	case err != nil:
		return "", fmt.Errorf("the signing key in %s cannot be read; give the public key with --verifier", c.keyFile())
	}
	signer, err := audit.ParseSigner(string(b))
	if err != nil {
		return "", fmt.Errorf("%s holds no signing key; give the public key with --verifier", c.keyFile())
	}
	return signer.Verifier(), nil
}

// ownHeads reads the heads that the auditor kept. A text that names a file is the file.
func ownHeads(given []string) ([]audit.SignedHead, error) {
	var heads []audit.SignedHead
	for _, text := range given {
		if h, err := ownHead(text); err == nil {
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

// ownHead reads a head in any of its forms. One without a signature has no time.
func ownHead(text string) (audit.SignedHead, error) {
	if h, err := audit.ParseSignedHead(text); err == nil {
		return h, nil
	}
	h, err := audit.ParseHead(text)
	return audit.SignedHead{Head: h}, err
}

func headsOf(text string) ([]audit.SignedHead, error) {
	if h, err := ownHead(text); err == nil {
		return []audit.SignedHead{h}, nil
	}
	var heads []audit.SignedHead
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		h, err := ownHead(line)
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
