package proof_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

// small mounts a file system of a size, where that is permitted.
func small(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("SKIPPED: a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { ok(t, syscall.Unmount(dir, 0)) })
	return dir
}

// fill takes all space that is left, and returns how to give it back.
func fill(t *testing.T, dir string) func() {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f := must[*os.File](t)(os.Create(path))
	for _, size := range []int{1 << 16, 1 << 12, 1} {
		for block := make([]byte, size); ; {
			if _, err := f.Write(block); err != nil {
				break
			}
		}
	}
	ok(t, f.Close())
	return func() { ok(t, os.Remove(path)) }
}

// TestAFullDiskRefusesAndTheLifeGoesOn fills the disk at each step of a key's life. Nothing may be said to be done that is
// not kept, nothing may be sent to AWS, what is there stays readable, and with space again the life goes on to its end.
func TestAFullDiskRefusesAndTheLifeGoesOn(t *testing.T) {
	t.Parallel()
	scanned := template(t, databases()[0])
	for _, at := range []remediation.State{"", remediation.Requested, remediation.Approved, remediation.DeleteRequested, remediation.DeleteApproved} {
		name := string(at)
		if name == "" {
			name = "nothing is asked yet"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := small(t, "12m")
			path := filepath.Join(dir, "rootcheck.db")
			ok(t, os.WriteFile(path, must[[]byte](t)(os.ReadFile(scanned)), 0o600))
			w := newWorld(t, path)
			l := newLife(w, plans()[0])
			p := w.start(point{}, 0)
			state := func() remediation.State {
				all := must[[]remediation.Request](t)(p.st.Requests(t.Context(), commands.RequestQuery{}))
				if len(all) == 0 {
					return ""
				}
				return all[0].State
			}
			for steps := 0; state() != at; steps++ {
				if steps == 50 {
					t.Fatalf("%s was never reached", at)
				}
				ok(t, l.press(p))
				if state() != at {
					p.settle()
				}
			}
			p.end() // the write-ahead log is moved into the file now, and gives no space back later
			p = w.start(point{}, 0)
			before, heads := len(w.org.Effects()), must[int](t)(records(w, p.st))
			makeRoom := fill(t, dir)
			refusedFull(t, l, p, at)
			if after := must[int](t)(records(w, p.st)); after != heads || len(w.org.Effects()) != before {
				t.Errorf("with a full disk %d records were added and %d calls had an effect", after-heads, len(w.org.Effects())-before)
			}
			if s, err := p.st.LowSpace(); err != nil || s == "" {
				t.Errorf("a full disk is worth no warning: %q, %v", s, err)
			}
			makeRoom()
			p.end()
			l.live()
		})
	}
}

// refusedFull presses, or lets the worker act, on a full disk. It must fail, and what is there must be readable.
func refusedFull(t *testing.T, l *life, p *process, at remediation.State) {
	t.Helper()
	if at == remediation.Approved || at == remediation.DeleteApproved {
		lease, err := p.st.Claim(t.Context(), commands.KindAct)
		if err == nil {
			_, err = p.handlers[commands.KindAct](t.Context(), lease)
		}
		if err == nil {
			t.Error("a step was taken that could not be put on record")
		}
	} else if err := l.press(p); err == nil {
		t.Error("somebody was told that it is done, and it could not be kept")
	}
	list, err := p.s.List(t.Context(), who(requester), "", 0)
	if err != nil || list.Total == 0 {
		t.Errorf("with a full disk %d accounts are listed, %v", list.Total, err)
	}
	if _, err := p.s.Requests(t.Context(), who(requester), true); err != nil {
		t.Errorf("with a full disk the requests cannot be listed: %v", err)
	}
}

func records(w *world, st *store.Store) (int, error) {
	r := w.verify(st)
	if !r.OK() {
		return 0, errors.New("the audit log does not verify")
	}
	return int(r.Records), nil
}

func TestAReadOnlyDiskIsRefusedInOneSentence(t *testing.T) {
	t.Parallel()
	scanned := template(t, databases()[0])
	dir := small(t, "12m")
	path := filepath.Join(dir, "rootcheck.db")
	ok(t, os.WriteFile(path, must[[]byte](t)(os.ReadFile(scanned)), 0o600))
	ok(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	s, err := store.Open(t.Context(), store.Config{URL: path, Now: newClock().Now})
	if err == nil {
		t.Fatal("it was opened", s.Close())
	}
	if text := err.Error(); !strings.HasPrefix(text, "database: ") || !strings.Contains(text, "cannot be written") || strings.Contains(text, "\n") {
		t.Errorf("it is refused with %q", text)
	}
	s, err = store.OpenReadOnly(t.Context(), store.Config{URL: path, Now: newClock().Now})
	t.Logf("to read: %v", err)
	if err == nil {
		ok(t, s.Close())
	}
}
