package store_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/store"
)

// childURL makes the test binary a process that writes to the database until it is killed.
const childURL = "ROOTCHECK_STORE_CHILD"

// asChild is the child. It prints each write after it was acknowledged, and never before.
func asChild() bool {
	url := os.Getenv(childURL)
	if url == "" {
		return false
	}
	if err := writeForEver(url, os.Getenv(childURL+"_NAME")); err != nil {
		fmt.Println("error", err)
		os.Exit(3)
	}
	return true
}

func writeForEver(url, name string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{URL: url, Now: newClock().Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	var out sync.Mutex
	failed := make(chan error)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s/%d/%d", name, w, i)
				if w%2 == 0 {
					err = s.Put(ctx, commands.Item{Key: key, Kind: "kept", Body: []byte(key)})
				} else {
					e := event(audit.RemediationConfirmed)
					e.Request = key
					_, err = s.Commit(ctx, commands.Change{Audit: []audit.Event{e}, Queue: []commands.Item{{Key: key, Kind: "kept"}}})
				}
				if err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println(key)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func TestKillingTheProcessLosesNothingThatWasAcknowledged(t *testing.T) {
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			kills := 12
			if testing.Short() || raceEnabled {
				kills = 3
			}
			url := d.url(t)
			acknowledged := map[string]bool{}
			for kill := range kills {
				for _, key := range killed(t, url, strconv.Itoa(kill), 40+kill*37) {
					acknowledged[key] = true
				}
				r, err := store.OpenReadOnly(t.Context(), config(t, url))
				ok(t, err)
				verify(t, r)
				ok(t, r.Close())
				s := openURL(t, url)
				verify(t, s)
				for key := range acknowledged {
					parts := strings.Split(key, "/")
					if w, failed := strconv.Atoi(parts[1]); failed != nil || w%2 == 0 {
						continue
					}
					if leaves, failed := s.Audit(t.Context(), commands.AuditQuery{Request: key, Limit: 1}); failed != nil || len(leaves) != 1 {
						t.Fatalf("kill %d: the record of %s is lost: %v", kill+1, key, failed)
					}
				}
				due, err := s.Due(t.Context(), newClock().Now())
				ok(t, err)
				if due["kept"] < len(acknowledged) {
					t.Fatalf("kill %d: %d items of %d acknowledged ones", kill+1, due["kept"], len(acknowledged))
				}
				ok(t, s.Close())
			}
			t.Logf("%d kills, %d acknowledged writes, none lost", kills, len(acknowledged))
		})
	}
}

// killed runs the child until it has acknowledged so many writes, kills it, and returns all that it acknowledged.
func killed(t *testing.T, url, name string, writes int) []string {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childURL+"="+url, childURL+"_NAME="+name)
	out, err := c.StdoutPipe()
	ok(t, err)
	ok(t, c.Start())
	var keys []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "error ") {
			t.Fatal(lines.Text())
		}
		if keys = append(keys, lines.Text()); len(keys) == writes {
			ok(t, c.Process.Kill())
		}
	}
	if err := c.Wait(); err == nil || len(keys) < writes {
		t.Fatalf("the child ended by itself after %d writes: %v", len(keys), err)
	}
	// The last line may be cut off by the kill; a whole one ends in a number of its own counting.
	return keys[:len(keys)-1]
}

func TestAFullDiskRefusesAndLosesNothing(t *testing.T) {
	dir := smallDisk(t, "3m")
	path := filepath.Join(dir, "rootcheck.db")
	s := openURL(t, path)
	body := []byte(strings.Repeat("x", 2000))
	var kept []string
	var full error
	for i, refused := 0, 0; refused < 5; i++ {
		if i == 10_000 {
			t.Fatal("the disk never filled up")
		}
		key := strconv.Itoa(i)
		e := event(audit.RemediationRequested)
		e.Request = key
		_, err := s.Commit(t.Context(), commands.Change{Audit: []audit.Event{e}, Queue: []commands.Item{{Key: key, Kind: "a", Body: body}}})
		if err != nil {
			full = err
			refused++
			continue
		}
		kept = append(kept, key)
	}
	t.Logf("full after %d changes: %v", len(kept), full)
	check := func(s *store.Store, when string) {
		if r := verify(t, s); r.Records != int64(len(kept)) {
			t.Errorf("%s: %d records of %d", when, r.Records, len(kept))
		}
		if due, err := s.Due(t.Context(), newClock().Now()); err != nil || due["a"] != len(kept) {
			t.Errorf("%s: %v items of %d, %v", when, due, len(kept), err)
		}
	}
	check(s, "while it is full")
	low, err := s.LowSpace()
	ok(t, err)
	if low == "" {
		t.Error("a full disk is worth no warning")
	}
	ok(t, s.Close())
	r, err := store.OpenReadOnly(t.Context(), config(t, path))
	ok(t, err)
	check(r, "read again")
	ok(t, r.Close())
}

// smallDisk mounts a file system of a size, where that is permitted.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := mountSmall(dir, size); err != nil {
		t.Skipf("SKIPPED: a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { ok(t, unmount(dir)) })
	return dir
}
