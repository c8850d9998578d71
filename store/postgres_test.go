package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// This file starts one PostgreSQL server for all tests of the package, on a socket in a folder of its own. The rules are:
//   - ROOTCHECK_TEST_POSTGRES, a postgres:// address whose user may create databases, is used instead where it is set.
//   - Without either the tests are skipped loudly; with ROOTCHECK_REQUIRE_POSTGRES=1 they fail.
//   - Each test has a database of its own.

type server struct {
	url  string // of a database to create others from
	why  string // why there is none
	stop func() error
}

var postgresServer = sync.OnceValue(startPostgres)

func TestMain(m *testing.M) {
	if asChild() {
		return
	}
	code := m.Run()
	if stopPostgres != nil {
		if err := stopPostgres(); err != nil {
			fmt.Fprintln(os.Stderr, "stop postgres:", err)
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var stopPostgres func() error

// postgres is the address of an empty database.
func postgres(tb testing.TB) string {
	tb.Helper()
	s := postgresServer()
	if s.why != "" {
		if os.Getenv("ROOTCHECK_REQUIRE_POSTGRES") == "1" {
			tb.Fatal("Postgres is required and not there: " + s.why)
		}
		tb.Skip("SKIPPED, NOT TESTED ON POSTGRES: " + s.why)
	}
	return newDatabase(tb, s.url)
}

func newDatabase(tb testing.TB, server string) string {
	tb.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		tb.Fatal(err)
	}
	name := "t" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if _, err = db.ExecContext(tb.Context(), "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_, failed := db.ExecContext(context.WithoutCancel(tb.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		if failed = errors.Join(failed, db.Close()); failed != nil {
			tb.Error(failed)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func startPostgres() server {
	if u := os.Getenv("ROOTCHECK_TEST_POSTGRES"); u != "" {
		return server{url: u}
	}
	initdb := findPostgres("initdb")
	if initdb == "" {
		return server{why: "no initdb on this machine; install postgresql, or set ROOTCHECK_TEST_POSTGRES"}
	}
	s, err := runPostgres(filepath.Dir(initdb))
	if err != nil {
		return server{why: "PostgreSQL did not start: " + err.Error()}
	}
	stopPostgres = s.stop
	return s
}

func findPostgres(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

func runPostgres(bin string) (server, error) {
	// Not in the usual temporary folder of a test: the path of a socket must be short, and its user another.
	dir, err := os.MkdirTemp("/tmp", "rootcheck-pg")
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
	make := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"), "-D", data, "-U", "rootcheck", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	make.SysProcAttr, make.Dir, make.Stdout, make.Stderr = as, dir, &said, &said
	if err := make.Run(); err != nil {
		return server{}, errors.Join(fmt.Errorf("initdb: %w: %s", err, said.String()), remove())
	}
	run := exec.CommandContext(context.Background(), filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=300",
		"-c", "synchronous_commit=on", "-c", "log_min_messages=fatal")
	run.SysProcAttr, run.Dir, run.Stderr = as, dir, &said
	if err := run.Start(); err != nil {
		return server{}, errors.Join(err, remove())
	}
	stop := func() error {
		_ = run.Process.Signal(syscall.SIGINT)
		_ = run.Wait()
		return remove()
	}
	s := server{url: "postgres://rootcheck@/postgres?host=" + url.QueryEscape(dir), stop: stop}
	if err := ready(s.url); err != nil {
		return server{}, errors.Join(fmt.Errorf("%w: %s", err, said.String()), stop())
	}
	return s, nil
}

func ready(address string) error {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer db.Close()
	for range 300 {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
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
