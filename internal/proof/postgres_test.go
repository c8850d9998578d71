package proof_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// This file starts one PostgreSQL server for the package, on a socket in a folder of its own. The rules are:
//   - ROOTCHECK_TEST_POSTGRES, a postgres:// address whose user may create databases, is used instead where it is set.
//   - Without either the proofs on Postgres are skipped loudly; with ROOTCHECK_REQUIRE_POSTGRES=1 they fail.
//   - The server does not sync to the disk: what is proven here is what the bot does between two commits. That a commit
//     survives the loss of power is Postgres's own promise.

type server struct {
	url string // of a database to create others from
	why string // why there is none
}

var (
	postgresServer = sync.OnceValue(startPostgres)
	stopPostgres   func() error
	databaseNumber atomic.Int64
)

func TestMain(m *testing.M) {
	if code, child := asChild(); child {
		os.Exit(code)
	}
	var err error
	theCloud, err = startCloud(map[string][2]string{
		"operator":   {"AKIAIOSFODNN7EXAMPLE", "made-up"},
		"lab-root":   {awssim.LabAccessKeyID, awssim.LabSecretAccessKey},
		"lab-reader": {awssim.LabReadOnlyKeyID, awssim.LabReadOnlySecretKey},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the simulated cloud:", err)
		os.Exit(1)
	}
	// The proofs wait for Slack's one message a second and for AWS's reports more than they compute.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	theCloud.server.Close()
	if err := os.RemoveAll(theCloud.dir); err != nil {
		fmt.Fprintln(os.Stderr, "remove the profiles:", err)
		code = 1
	}
	if stopPostgres != nil {
		if err := stopPostgres(); err != nil {
			fmt.Fprintln(os.Stderr, "stop postgres:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// postgres is the address of an empty database, or of a copy of another.
func postgres(t testing.TB, template string) string {
	t.Helper()
	s := postgresServer()
	if s.why != "" {
		if os.Getenv("ROOTCHECK_REQUIRE_POSTGRES") == "1" {
			t.Fatal("Postgres is required and not there: " + s.why)
		}
		t.Skip("SKIPPED, NOT PROVEN ON POSTGRES: " + s.why)
	}
	db := must[*sql.DB](t)(sql.Open("pgx", s.url))
	name := fmt.Sprintf("proof%d_%d", os.Getpid(), databaseNumber.Add(1))
	create := "CREATE DATABASE " + name
	if template != "" {
		from := must[*url.URL](t)(url.Parse(template))
		create += " TEMPLATE " + from.Path[1:]
	}
	_, err := db.ExecContext(t.Context(), create)
	ok(t, err)
	t.Cleanup(func() {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		if err := errors.Join(err, db.Close()); err != nil {
			t.Error(err)
		}
	})
	u := must[*url.URL](t)(url.Parse(s.url))
	u.Path = "/" + name
	return u.String()
}

func startPostgres() server {
	if u := os.Getenv("ROOTCHECK_TEST_POSTGRES"); u != "" {
		return server{url: u}
	}
	if !slices.Contains(sql.Drivers(), "pgx") {
		return server{why: "this build has no Postgres"}
	}
	bin := binaries()
	if bin == "" {
		return server{why: "no initdb on this machine; install postgresql, or set ROOTCHECK_TEST_POSTGRES"}
	}
	s, err := runPostgres(bin)
	if err != nil {
		return server{why: "PostgreSQL did not start: " + err.Error()}
	}
	return s
}

func binaries() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

func runPostgres(bin string) (server, error) {
	// Not in the usual temporary folder of a test: the path of a socket must be short, and its user another.
	dir, err := os.MkdirTemp("/tmp", "rootcheck-proof-pg")
	if err != nil {
		return server{}, err
	}
	remove := func() error { return os.RemoveAll(dir) }
	as, err := unprivileged(dir)
	if err != nil {
		return server{}, errors.Join(err, remove())
	}
	data := filepath.Join(dir, "data")
	var said bytes.Buffer
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "rootcheck", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	initdb.SysProcAttr, initdb.Dir, initdb.Stdout, initdb.Stderr = as, dir, &said, &said
	if err := initdb.Run(); err != nil {
		return server{}, errors.Join(fmt.Errorf("initdb: %w: %s", err, said.String()), remove())
	}
	run := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=400",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "log_min_messages=fatal")
	run.SysProcAttr, run.Dir, run.Stderr = as, dir, &said
	if err := run.Start(); err != nil {
		return server{}, errors.Join(err, remove())
	}
	stopPostgres = func() error {
		err := run.Process.Signal(syscall.SIGINT)
		_ = run.Wait() // it ends by our signal, which is no failure
		return errors.Join(err, remove())
	}
	s := server{url: "postgres://rootcheck@/postgres?host=" + url.QueryEscape(dir)}
	return s, answering(s.url)
}

// answering waits until the server takes connections.
func answering(address string) error {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer db.Close()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for range 1000 {
		if err = db.PingContext(context.Background()); err == nil { //nolint:usetesting // no test has begun yet
			return nil
		}
		<-poll.C
	}
	return err
}

// unprivileged is how to run a server that refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, int(uid), int(gid))
}
