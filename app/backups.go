package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/store"
)

// backupTime is the time in a backup's name, in UTC, such as 20261121T033000Z. By it the names sort.
const backupTime = "20060102T150405Z"

// backupName is where the bot puts a backup of a moment.
func (c Config) backupName(at time.Time) string {
	return c.backupPrefix() + at.UTC().Format(backupTime)
}

func (c Config) backupPrefix() string {
	dir, file := filepath.Split(c.Database)
	if c.Backups.Folder != "" {
		dir = c.Backups.Folder
	}
	return filepath.Join(dir, file) + ".backup-"
}

// backups lists the bot's own backups, oldest first, and what is left of those that a crash cut short. Whatever else lies
// there is not the bot's to remove.
func (c Config) backups() (whole, parts []string, err error) {
	prefix := c.backupPrefix()
	files, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return nil, nil, err
	}
	ours := regexp.MustCompile(`^\d{8}T\d{6}Z(` + regexp.QuoteMeta(store.BackupPart) + `\d+)?$`)
	for _, f := range files {
		when, found := strings.CutPrefix(f.Name(), filepath.Base(prefix))
		switch {
		case !found || !f.Type().IsRegular() || !ours.MatchString(when):
		case strings.Contains(when, store.BackupPart):
			parts = append(parts, prefix+when)
		default:
			whole = append(whole, prefix+when)
		}
	}
	slices.Sort(whole)
	return whole, parts, nil
}

// backUp makes a backup and removes the oldest beyond those that are kept. Nothing is removed before the new one is whole.
func (c Config) backUp(ctx context.Context, s *store.Store, at time.Time) error {
	if err := s.Backup(ctx, c.backupName(at)); err != nil {
		return err
	}
	whole, parts, err := c.backups()
	if err != nil {
		return fmt.Errorf("list the backups: %w", err)
	}
	for _, old := range slices.Concat(parts, whole[:max(0, len(whole)-c.Backups.Keep)]) {
		err = errors.Join(err, os.Remove(old))
	}
	return err
}

// Backup copies the database to a file that is not there yet, beside a bot that may be running, and returns its size in
// bytes. With Postgres the error says what to use instead.
func Backup(ctx context.Context, c Config, file string, now func() time.Time) (size int64, err error) {
	if c.postgres() {
		return 0, store.ErrBackupElsewhere
	}
	s, err := store.OpenReadOnly(ctx, store.Config{URL: c.Database, Now: now})
	if err != nil {
		return 0, err
	}
	if err = errors.Join(s.Backup(ctx, file), s.Close()); err != nil {
		return 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
