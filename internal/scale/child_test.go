package scale_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// childSetting makes this binary the bot's scanner: it names the database.
const (
	childSetting = "ROOTCHECK_SCALE_DATABASE"
	childAhead   = "ROOTCHECK_SCALE_AHEAD" // how far the child's clock is ahead
)

func TestMain(m *testing.M) {
	if database := os.Getenv(childSetting); database != "" {
		if err := scanner(database); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	for setting, child := range map[string]func(context.Context, []string) error{childPattern: peersPattern, childLooks: ourLooks} {
		if os.Getenv(setting) == "" {
			continue
		}
		if err := child(context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// nobody is a directory that knows nobody: a scan asks about no person.
type nobody struct{}

func (nobody) Person(context.Context, string) (commands.Person, error) {
	return commands.Person{}, commands.ErrNotFound
}
func (nobody) Group(context.Context, string) ([]string, error) { return nil, commands.ErrNotFound }
func (nobody) Shared(context.Context) (bool, error)            { return false, commands.ErrNotFound }

func (nobody) InChannel(context.Context, string) (bool, error) { return false, commands.ErrNotFound }
func (nobody) ByEmail(context.Context, string) (string, error) { return "", commands.ErrNotFound }

// scanner is the bot without Slack: the real store, the real verbs and the real AWS edge. It scans once, or goes on with
// the scan that was killed, does what follows from it, and writes the run to standard output.
func scanner(database string) error {
	ctx := context.Background()
	ahead, err := time.ParseDuration(os.Getenv(childAhead))
	if err != nil {
		return err
	}
	now := func() time.Time { return time.Now().Add(ahead) }
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	st, err := store.Open(ctx, store.Config{URL: database, Now: now, Replica: "child", Log: log})
	if err != nil {
		return err
	}
	auditor, remediator, err := awsroot.New(ctx, awsroot.Config{
		Sources: []awsroot.Source{{Name: "acme", Organization: &awsroot.Organization{}}}, Now: now, Log: log, Version: "scale",
	})
	if err != nil {
		return err
	}
	verbs, err := commands.New(commands.Config{Team: "T1"}, commands.Deps{
		Ledger: st, Queue: st, Estate: st, Inspector: auditor, Executor: remediator, Directory: nobody{}, Now: now, Log: log,
		NewID: func() string { return "run-" + strconv.FormatInt(time.Now().UnixNano(), 36) },
	})
	if err != nil {
		return err
	}
	handlers := map[string]commands.Handler{commands.KindScan: verbs.Handlers()[commands.KindScan]}
	if err = st.Put(ctx, commands.ScanItem(commands.TriggerStart, now())); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	worker := commands.NewWorker(st, st, handlers, now, log)
	go func() { ended <- worker.Run(working) }()
	settled := worker.Settled(ctx)
	stop()
	if err = <-ended; err != nil || !settled {
		return errors.Join(err, errors.New("the scan did not settle"))
	}
	run, err := st.LastRun(ctx)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(os.Stdout).Encode(run), st.Close())
}

// serve is an organization on loopback, by plain HTTP.
func serve(tb testing.TB, c awssim.Config) (*awssim.Organization, string) {
	tb.Helper()
	org, server := endpoint(tb, c)
	server.Start()
	return org, server.URL + "/aws/"
}

// serveTLS is an organization on loopback as AWS is reached: by HTTPS, one request at a time on a connection. Trusted is a
// file with the certificates that a machine trusts, and the endpoint's.
func serveTLS(tb testing.TB, c awssim.Config) (org *awssim.Organization, url, trusted string) {
	tb.Helper()
	org, server := endpoint(tb, c)
	server.StartTLS()
	all, err := os.ReadFile(bundle)
	if err != nil {
		tb.Skip(err)
	}
	all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})...)
	trusted = filepath.Join(tb.TempDir(), "trusted.pem")
	if err := os.WriteFile(trusted, all, 0o600); err != nil {
		tb.Fatal(err)
	}
	return org, server.URL + "/aws/", trusted
}

func endpoint(tb testing.TB, c awssim.Config) (*awssim.Organization, *httptest.Server) {
	tb.Helper()
	c.Now = time.Now
	org := awssim.New(c)
	mux := http.NewServeMux()
	org.Mount(mux, "/aws")
	server := httptest.NewUnstartedServer(mux)
	tb.Cleanup(func() {
		org.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return org, server
}

// awsEnvironment is the environment of a process whose AWS is the one at the address.
func awsEnvironment(url string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "SLACK_") && !strings.HasPrefix(v, "ROOTCHECK_") {
			env = append(env, v)
		}
	}
	return append(env, "AWS_ENDPOINT_URL="+url, "AWS_ACCESS_KEY_ID=AKIASCALEEXAMPLE0001", "AWS_SECRET_ACCESS_KEY=example",
		"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}

// measured is what a process took.
type measured struct {
	Out    []byte
	Took   time.Duration
	Busy   time.Duration // of the processor
	Peak   float64       // MB of memory at most, as the operating system counts them
	Status int
}

// highWater is the most memory that a running process has held so far, in MB. The usage that the system reports of a
// process that has ended would not do: it counts what the process held that began it.
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func highWater(pid int) (float64, bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		var kB float64
		if n, err := fmt.Sscanf(line, "VmHWM: %f kB", &kB); err == nil && n == 1 {
			return kB * 1024 / 1e6, true
		}
	}
	return 0, false
}

// scannerAt is the child that scans into a database.
func scannerAt(ctx context.Context, tb testing.TB, database, url string, ahead time.Duration) *exec.Cmd {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(awsEnvironment(url), childSetting+"="+database, childAhead+"="+ahead.String())
	cmd.Stderr = os.Stderr
	return cmd
}

// measure runs a process to its end, and looks at its memory all the while.
func measure(tb testing.TB, cmd *exec.Cmd) measured {
	tb.Helper()
	var out bytes.Buffer
	cmd.Stdout = &out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	if _, ok := highWater(cmd.Process.Pid); !ok {
		tb.Log("this system does not tell the peak memory of a process")
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	m := measured{}
	for {
		select {
		case <-tick.C:
			if peak, ok := highWater(cmd.Process.Pid); ok {
				m.Peak = max(m.Peak, peak)
			}
			continue
		case err := <-ended:
			var status *exec.ExitError
			if err != nil && !errors.As(err, &status) {
				tb.Fatal(err)
			}
		}
		m.Out, m.Took, m.Status = out.Bytes(), time.Since(began), cmd.ProcessState.ExitCode()
		m.Busy = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		return m
	}
}

// binary builds cmd/bot.
func binary(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "bot")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-o", path, "github.com/rootcheck-bot/rootcheck/cmd/bot")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build cmd/bot: %v\n%s", err, out)
	}
	return path
}

// check runs `bot check --json` of the binary.
func check(tb testing.TB, bot, url string, env ...string) measured {
	tb.Helper()
	settings := filepath.Join(tb.TempDir(), "rootcheck.yaml")
	if err := os.WriteFile(settings, []byte("aws: [{name: acme, organization: {}}]\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), bot, "check", "--json", "--log-level", "error", "--config", settings)
	cmd.Env, cmd.Stderr = append(awsEnvironment(url), env...), os.Stderr
	return measure(tb, cmd)
}
