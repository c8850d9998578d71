package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/store"
)

// This file keeps the audit log's signing key. The rules are:
//   - It lies outside the database: whoever can rewrite the one cannot sign for it with the other.
//   - The log names the public key that signs it. A process that has another key, such as a replica that was not given the
//     key file, does not start. Only [RotateKey] changes that, and is on record.
//   - A key is made only where none was ever used: a lost key is not replaced by chance.

// signerName stands in every signed head.
const signerName = "rootcheck"

// signer gives the key that signs this database's heads, and makes it on the first run.
func (c Config) signer(ctx context.Context, s *store.Store) (audit.Signer, error) {
	file := c.keyFile()
	signer, err := loadSigner(file)
	if errors.Is(err, fs.ErrNotExist) {
		var signs string
		if signs, err = s.SigningKey(ctx); err != nil {
			return signer, err
		}
		if signs != "" {
			return signer, keySetting(file+" is not there, and the audit log is signed with the key "+signs+remedy(file), nil)
		}
		signer, err = makeSigner(file)
	}
	if err != nil {
		return signer, err
	}
	err = s.UseSigningKey(ctx, signer.Verifier())
	if other, ok := errors.AsType[*store.OtherKeyError](err); ok {
		return signer, keySetting(file+" holds "+signer.Verifier()+", and "+other.Error()+remedy(file), nil)
	}
	return signer, err
}

func remedy(file string) string {
	return ": copy the key file of a bot that runs, or of a backup, to " + file +
		"; if no copy is left, run `bot audit rotate-key`"
}

func keySetting(fix string, err error) error {
	return &SettingError{Setting: "audit.key_file", Fix: fix, Err: err}
}

// loadSigner reads the key. The error wraps [fs.ErrNotExist] where there is no file.
func loadSigner(file string) (audit.Signer, error) {
	b, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	if err != nil {
		return audit.Signer{}, keySetting("make "+file+" readable for this user", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return audit.Signer{}, keySetting("make "+file+" readable for this user", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return audit.Signer{}, keySetting("take the rights of others away: chmod 600 "+file, nil)
	}
	s, err := audit.ParseSigner(string(b))
	if err != nil {
		return s, keySetting(file+" is not a signing key: put back the one that was there, or if it is lost move the file away and run `bot audit rotate-key`", err)
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
		return s, keySetting("name a file that this user may create", err)
	}
	if _, err := f.WriteString(s.Marshal() + "\n"); err != nil {
		return s, errors.Join(fmt.Errorf("write %s: %w", file, err), f.Close(), os.Remove(file))
	}
	return s, errors.Join(f.Sync(), f.Close())
}

// Rotated is what a rotation of the signing key did.
type Rotated struct {
	File   string // the key file
	Before string // the public key of before; empty where the log named none
	Now    string // the public key that signs from here on; the same as Before where nothing was to be done
}

// RotateKey lets the key of the key file sign from here on, and makes one where there is no file. It is on record in the
// audit log. With SQLite no bot may be running; with Postgres all replicas are to be started again with the new file. A
// SQLite database that does not exist is an error, and nothing is made.
func RotateKey(ctx context.Context, c Config, o Options) (r Rotated, err error) {
	if _, missing := os.Stat(c.Database); !c.postgres() && errors.Is(missing, fs.ErrNotExist) {
		return r, fmt.Errorf("database: %s does not exist; start the bot once, or name the file that it uses", c.Database)
	}
	s, err := store.Open(ctx, c.store(o))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r.File = c.keyFile()
	if r.Before, err = s.SigningKey(ctx); err != nil {
		return r, err
	}
	signer, err := loadSigner(r.File)
	if errors.Is(err, fs.ErrNotExist) {
		signer, err = makeSigner(r.File)
	}
	if err != nil {
		return r, err
	}
	r.Now = signer.Verifier()
	return r, s.RotateSigningKey(ctx, r.Now)
}
