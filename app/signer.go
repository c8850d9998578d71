package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// signerName stands in every signed head.
const signerName = "rootcheck"

// loadSigner reads the audit log's signing key, and makes it on the first run. It lies outside the database: whoever can
// rewrite the one cannot sign for it with the other.
func loadSigner(file string) (audit.Signer, error) {
	setting := func(fix string, err error) error { return &SettingError{Setting: "audit.key_file", Fix: fix, Err: err} }
	b, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	if errors.Is(err, fs.ErrNotExist) {
		return makeSigner(file)
	}
	if err != nil {
		return audit.Signer{}, setting("make "+file+" readable for this user", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return audit.Signer{}, setting("make "+file+" readable for this user", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return audit.Signer{}, setting("take the rights of others away: chmod 600 "+file, nil)
	}
	s, err := audit.ParseSigner(string(b))
	if err != nil {
		return s, setting(file+" is not a signing key: put back the one that was there, or move it away so that a new one is made", err)
	}
	return s, nil
}

func makeSigner(file string) (audit.Signer, error) {
	s, err := audit.NewSigner(signerName, rand.Reader)
	if err != nil {
		return s, fmt.Errorf("make the audit log's signing key: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // The operator names the file.
	if err != nil {
		return s, &SettingError{Setting: "audit.key_file", Fix: "name a file that this user may create", Err: err}
	}
	if _, err := f.WriteString(s.Marshal() + "\n"); err != nil {
		return s, errors.Join(fmt.Errorf("write %s: %w", file, err), f.Close(), os.Remove(file))
	}
	return s, errors.Join(f.Sync(), f.Close())
}
