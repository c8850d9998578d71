//go:build unix

// Package pgtest gives tests a PostgreSQL, so that nothing is claimed of Postgres that did not run on it.
//
// The rules are:
//   - One server serves all tests of a package, on a socket in a folder of its own. It starts when a test first asks.
//   - A server that is there already is used instead where the tests are given its address.
//   - Each test has a database of its own, which is dropped at its end.
//   - Without a server the tests are skipped loudly, or fail where one is required.
package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is the PostgreSQL of one package's tests. Its fields are set before the first database is asked for.
type Server struct {
	// Address is the postgres:// address of a server that runs, whose user may create databases. Empty starts one.
	Address string
	// Required lets tests fail, rather than be skipped, where there is no PostgreSQL.
	Required bool
	// Settings are settings of the server that is started, such as "fsync=off".
	Settings []string
	// Memory keeps the files of the server that is started in memory, where there is room for them: a database is made
	// and dropped in a tenth of the time. It is for a server of which nobody wants that it outlives a loss of power.
	Memory bool

	once sync.Once
	url  string // of a database to create others from
	copy string // how a database is copied fastest
	why  string // why there is none
	stop func() error
}

// Database returns the address of an empty database.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	return s.create(tb, "")
}

// Copy returns the address of a copy of a database of this server, which nobody may be connected to.
func (s *Server) Copy(tb testing.TB, address string) string {
	tb.Helper()
	from, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return s.create(tb, strings.TrimPrefix(from.Path, "/"))
}

// Stop ends the server that was started, and removes what it left. It does nothing where none was.
func (s *Server) Stop() error {
	if s.stop == nil {
		return nil
	}
	if err := s.stop(); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	return nil
}

func (s *Server) create(tb testing.TB, template string) string {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context()) // the server outlives the test that starts it, and so does the clean-up
	s.once.Do(func() { s.begin(ctx) })
	if s.why != "" {
		if s.Required {
			tb.Fatal("Postgres is required and not there: " + s.why)
		}
		tb.Skip("SKIPPED, NOT TESTED ON POSTGRES: " + s.why)
	}
	u, err := url.Parse(s.url)
	if err != nil {
		tb.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	create := "CREATE DATABASE " + name
	if template != "" {
		create += " TEMPLATE " + pgx.Identifier{template}.Sanitize() + s.copy
	}
	if err = do(ctx, s.url, create); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if dropped := do(ctx, s.url, "DROP DATABASE "+name+" WITH (FORCE)"); dropped != nil {
			tb.Error(dropped)
		}
	})
	u.Path = "/" + name
	return u.String()
}

func do(ctx context.Context, address, statement string) error {
	db, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, statement)
	return errors.Join(err, db.Close(ctx))
}

func (s *Server) begin(ctx context.Context) {
	if s.url = s.Address; s.url == "" {
		bin := binaries()
		if bin == "" {
			s.why = "no initdb on this machine; install postgresql, or set ROOTCHECK_TEST_POSTGRES"
			return
		}
		if err := s.run(ctx, bin); err != nil {
			s.why = "PostgreSQL did not start: " + err.Error()
			return
		}
	}
	if err := s.learn(ctx); err != nil {
		s.why = "PostgreSQL does not tell its version: " + err.Error()
	}
}

// learn finds out how a database is copied fastest. Copying its files, which versions before 15 do without being told,
// takes a fifth of the time of writing each block to the log.
func (s *Server) learn(ctx context.Context) error {
	db, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	var chooses bool
	err = db.QueryRow(ctx, "SELECT current_setting('server_version_num')::int >= 150000").Scan(&chooses)
	if chooses {
		s.copy = " STRATEGY FILE_COPY"
	}
	return errors.Join(err, db.Close(ctx))
}

// Program returns the path of a program that comes with the server, such as pg_dump, or just its name where no server is
// installed.
func Program(name string) string { return filepath.Join(binaries(), name) }

// binaries is the folder of the server's programs, which Debian keeps out of the path, or empty.
func binaries() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

func (s *Server) run(ctx context.Context, bin string) error {
	// Not in the usual temporary folder of a test: the path of a socket must be short, and its user another.
	dir, err := os.MkdirTemp(s.folder(), "rootcheck-pg")
	if err != nil {
		return err
	}
	remove := func() error { return os.RemoveAll(dir) }
	as, err := unprivileged(dir)
	if err != nil {
		return errors.Join(err, remove())
	}
	data := filepath.Join(dir, "data")
	var said bytes.Buffer
	program := func(name string, args ...string) *exec.Cmd {
		c := exec.CommandContext(ctx, filepath.Join(bin, name), append([]string{"-D", data}, args...)...) //nolint:gosec // the folder is where PostgreSQL is installed
		c.SysProcAttr, c.Dir, c.Stdout, c.Stderr = as, dir, &said, &said
		return c
	}
	if err = program("initdb", "-U", "rootcheck", "-A", "trust", "-E", "UTF8", "--locale=C", "-N").Run(); err != nil {
		return errors.Join(fmt.Errorf("initdb: %w: %s", err, said.String()), remove())
	}
	args := []string{"-k", dir}
	for _, set := range append([]string{"listen_addresses=", "max_connections=400", "log_min_messages=fatal"}, s.Settings...) {
		args = append(args, "-c", set)
	}
	server := program("postgres", args...)
	if err = server.Start(); err != nil {
		return errors.Join(err, remove())
	}
	stop := func() error {
		signalled := server.Process.Signal(syscall.SIGINT)
		_ = server.Wait() // it ends by our signal, which is no failure
		return errors.Join(signalled, remove())
	}
	s.url = "postgres://rootcheck@/postgres?host=" + url.QueryEscape(dir)
	if err = answering(ctx, s.url); err != nil {
		err = errors.Join(err, stop()) // what it said is read after it has ended
		return fmt.Errorf("%w: %s", err, said.String())
	}
	s.stop = stop
	return nil
}

// answering waits until the server takes connections, for 20 seconds at most.
func answering(ctx context.Context, address string) (err error) {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for range 1000 {
		if err = do(ctx, address, "SELECT 1"); err == nil {
			return nil
		}
		<-poll.C
	}
	return err
}

// folder is where the server's files go.
func (s *Server) folder() string {
	const memory, room = "/dev/shm", 2 << 30
	var free syscall.Statfs_t
	if s.Memory && syscall.Statfs(memory, &free) == nil && uint64(free.Bavail)*uint64(free.Bsize) > room { //nolint:gosec,unconvert // the sizes differ between systems
		return memory
	}
	return "/tmp"
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
