package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/store"
)

// This file keeps the newest published head beside the signing key, outside the database. An older copy of the database that
// is put back is whole in itself, and only a head that it does not reach tells.

// witnessFile is where the newest published head lies.
func (c Config) witnessFile() string { return c.keyFile() + ".head" }

// keepHead replaces the head beside the key, as a whole.
func keepHead(file string, h audit.SignedHead) error {
	next := file + ".next"
	if err := os.WriteFile(next, []byte(h.String()+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the published head: %w", err)
	}
	if err := os.Rename(next, file); err != nil {
		return fmt.Errorf("keep the published head: %w", err)
	}
	return nil
}

// keptHead reads the head beside the key. Without a file, or with one that holds no head, ok is false.
func keptHead(file string) (h audit.SignedHead, ok bool, err error) {
	b, err := os.ReadFile(file) //nolint:gosec // It lies beside the operator's key file.
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err != nil {
		return h, false, fmt.Errorf("read the head that was published last: %w", err)
	}
	h, err = audit.ParseSignedHead(strings.TrimSpace(string(b)))
	return h, err == nil, err
}

// agrees tells in a sentence how the log contradicts a head that was published, and is empty where it does not.
func agrees(ctx context.Context, s *store.Store, published audit.SignedHead) (string, error) {
	now, err := s.Head(ctx)
	if err != nil {
		return "", err
	}
	if now.Size < published.Size {
		return shorter(now.Size, published), nil
	}
	then, err := s.HeadAt(ctx, published.Size)
	if err != nil || then == published.Head {
		return "", err
	}
	return fmt.Sprintf("The audit log does not agree with the head that was published at %s: its first %d records are others.",
		minute(published.At), published.Size), nil
}

func shorter(size int64, published audit.SignedHead) string {
	return fmt.Sprintf("The audit log is shorter than the head that was published at %s: %d of its %d records are there. "+
		"An older copy of the database was put back, or the end was cut off.", minute(published.At), size, published.Size)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
