package store_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/rootcheck-bot/rootcheck/internal/pgtest"
)

// postgres is the server of all tests of the package. It syncs to the disk as a server does that keeps what it promised.
var postgres = &pgtest.Server{
	Address:  os.Getenv("ROOTCHECK_TEST_POSTGRES"),
	Required: os.Getenv("ROOTCHECK_REQUIRE_POSTGRES") == "1",
	Settings: []string{"synchronous_commit=on"},
}

func TestMain(m *testing.M) {
	if asChild() {
		return
	}
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
