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

// trouble is something that a disk can have.
type trouble struct {
	name  string
	disk  func(t *testing.T) (dir string, begin func() (end func()))
	warns bool // of the space that is left
}

func troubles() []trouble {
	ill := func(with illness) func(t *testing.T) (string, func() func()) {
		return func(t *testing.T) (string, func() func()) {
			t.Helper()
			dir, is := theWard.disk(t)
			return dir, func() func() { is(with); return func() { is(healthy) } }
		}
	}
	return []trouble{
		{"a full disk", func(t *testing.T) (string, func() func()) {
			t.Helper()
			dir := small(t, "12m")
			return dir, func() func() { return fill(t, dir) }
		}, true},
		{"a disk that does not write", ill(cannotWrite), false},
		{"a disk that does not sync", ill(cannotSync), false},
	}
}

// TestADiskInTroubleRefusesAndTheLifeGoesOn breaks the disk at each step of a key's life. Nothing may be said to be done that
// is not kept, nothing may be sent to AWS, and what is there stays readable. When the trouble is over the same process goes
// on, and the life comes to its end.
func TestADiskInTroubleRefusesAndTheLifeGoesOn(t *testing.T) {
	t.Parallel()
	scanned := template(t, databases()[0])
	for _, tr := range troubles() {
		for _, at := range []remediation.State{"", remediation.Requested, remediation.Approved, remediation.DeleteRequested, remediation.DeleteApproved} {
			name := string(at)
			if name == "" {
				name = "nothing is asked yet"
			}
			t.Run(tr.name+", "+name, func(t *testing.T) {
				t.Parallel()
				inTrouble(t, tr, at, scanned)
			})
		}
	}
}

func inTrouble(t *testing.T, tr trouble, at remediation.State, scanned string) {
	t.Helper()
	l, begin := lifeOn(t, tr, scanned)
	p := l.until(at)
	next := l.next(p, at)
	before, heads := len(l.org.Effects()), must[int](t)(records(l.world, p.st))
	end := begin()
	if next() == nil {
		t.Error("something was done, and it could not be kept")
	}
	if after := must[int](t)(records(l.world, p.st)); after != heads || len(l.org.Effects()) != before {
		t.Errorf("in trouble %d records were added and %d calls had an effect", after-heads, len(l.org.Effects())-before)
	}
	stillRead(t, p)
	if s, err := p.st.LowSpace(); tr.warns && (err != nil || s == "") {
		t.Errorf("a full disk is worth no warning: %q, %v", s, err)
	}
	end()
	l.goesOn(p, heads)
}

// TestADiskThatFailsDuringTheCallIsSettledByReading breaks the disk when the changing call is at AWS: it has its effect, and
// nobody can write that down. The step stays open, is settled by reading when the disk is well, and is not made again.
func TestADiskThatFailsDuringTheCallIsSettledByReading(t *testing.T) {
	t.Parallel()
	scanned := template(t, databases()[0])
	for _, tr := range troubles() {
		for _, at := range []remediation.State{remediation.Approved, remediation.DeleteApproved} {
			t.Run(tr.name+", "+string(at), func(t *testing.T) {
				t.Parallel()
				l, begin := lifeOn(t, tr, scanned)
				p := l.until(at)
				next := l.next(p, at)
				before, heads := len(l.org.Effects()), must[int](t)(records(l.world, p.st))
				end := func() {}
				theCloud.before(l.place, func(action string) {
					if changing[action] {
						end = begin()
					}
				})
				if next() == nil {
					t.Error("a step has ended whose outcome could not be kept")
				}
				theCloud.before(l.place, nil)
				if after := must[int](t)(records(l.world, p.st)); after != heads+1 || len(l.org.Effects()) != before+1 {
					t.Errorf("%d records were added and %d calls had an effect, want the attempt and one call", after-heads, len(l.org.Effects())-before)
				}
				stillRead(t, p)
				end()
				l.goesOn(p, heads+1)
				sent := 0
				for _, c := range l.org.Calls()[l.begun:] {
					if c.Action == "AttachPolicy" || c.Action == "DeleteAccessKey" {
						sent++
					}
				}
				if sent != 2 {
					t.Errorf("the block and the deletion took %d calls, want one each", sent)
				}
			})
		}
	}
}

// lifeOn is a life whose database lies on a disk that can get into trouble.
func lifeOn(t *testing.T, tr trouble, scanned string) (l *life, begin func() (end func())) {
	t.Helper()
	dir, begin := tr.disk(t)
	path := filepath.Join(dir, "rootcheck.db")
	ok(t, os.WriteFile(path, must[[]byte](t)(os.ReadFile(scanned)), 0o600))
	return newLife(newWorld(t, path), plans()[0]), begin
}

// next is what comes next at a state: what a person does, or the step that the worker has taken up already.
func (l *life) next(p *process, at remediation.State) func() error {
	l.t.Helper()
	if at != remediation.Approved && at != remediation.DeleteApproved {
		return func() error { return l.press(p) }
	}
	lease := must[commands.Lease](l.t)(p.st.Claim(l.t.Context(), commands.KindAct))
	return func() error {
		_, err := p.handlers[commands.KindAct](l.t.Context(), lease)
		return err
	}
}

// goesOn lets the same process go on, which must put something on record, and another one come to the end.
func (l *life) goesOn(p *process, heads int) {
	l.t.Helper()
	ok(l.t, l.sql(`UPDATE item SET leased_until = 0`)) // two minutes later
	ok(l.t, l.press(p))
	p.settle()
	if after := must[int](l.t)(records(l.world, p.st)); after <= heads {
		l.t.Error("with the trouble over, the same process put nothing on record")
	}
	p.end()
	l.live()
}

// until lets the life come to a state, and begins a new process there: the write-ahead log is in the file then, and gives
// no space back later.
func (l *life) until(at remediation.State) *process {
	l.t.Helper()
	p := l.start(point{}, 0)
	state := func() remediation.State {
		all := must[[]remediation.Request](l.t)(p.st.Requests(l.t.Context(), commands.RequestQuery{}))
		if len(all) == 0 {
			return ""
		}
		return all[0].State
	}
	for steps := 0; state() != at; steps++ {
		if steps == 50 {
			l.t.Fatalf("%s was never reached", at)
		}
		ok(l.t, l.press(p))
		if state() != at {
			p.settle()
		}
	}
	p.end()
	return l.start(point{}, 0)
}

// stillRead wants what people look at to be there.
func stillRead(t *testing.T, p *process) {
	t.Helper()
	list, err := p.s.List(t.Context(), who(requester), "", 0)
	if err != nil || list.Total == 0 {
		t.Errorf("in trouble %d accounts are listed, %v", list.Total, err)
	}
	if _, err := p.s.Requests(t.Context(), who(requester), true); err != nil {
		t.Errorf("in trouble the requests cannot be listed: %v", err)
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
