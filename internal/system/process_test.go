package system_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is cmd/bot as the Dockerfile builds it. The test's own process builds it once.
func binary(tb testing.TB) string {
	tb.Helper()
	path, err := built()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaries, "bot")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=system-test", "-o", path,
		"github.com/rootcheck-bot/rootcheck/cmd/bot")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New("build the bot: " + string(out))
	}
	return path, nil
})

// binaries is the folder of what the tests build.
var binaries string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rootcheck-system-")
	if err != nil {
		panic(err)
	}
	binaries = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// process is one run of the binary.
type process struct {
	cmd    *exec.Cmd
	out    buffer
	ended  chan struct{}
	status int
}

// buffer is what a process wrote.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start starts the real binary in the world. Its environment holds nothing but the world's.
func (w *world) start(args ...string) *process {
	w.t.Helper()
	forever := context.WithoutCancel(w.t.Context()) // it ends by a signal, as a process does
	p := &process{cmd: exec.CommandContext(forever, binary(w.t), args...), ended: make(chan struct{})}
	for name, value := range w.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Dir = filepath.Dir(w.settings)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	ok(w.t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
		p.status = p.cmd.ProcessState.ExitCode()
	}()
	w.t.Cleanup(p.kill)
	return p
}

// kill ends the process as the kernel does, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.ended
}

// alive reports whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// term ends the process politely and returns how long that took.
func (p *process) term(tb testing.TB) time.Duration {
	tb.Helper()
	begun := time.Now()
	ok(tb, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.kill()
		tb.Fatalf("the bot did not end within a minute of SIGTERM:\n%s", p.out.String())
	}
	return time.Since(begun)
}

// bad are words that no run may write.
func (p *process) clean(tb testing.TB) {
	tb.Helper()
	for _, word := range []string{"panic", "goroutine ", "xoxb-demo", "xapp-demo", "made-up"} {
		if strings.Contains(p.out.String(), word) {
			tb.Errorf("the bot wrote %q:\n%s", word, p.out.String())
			return
		}
	}
}
