package proof_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rootcheck-bot/rootcheck/internal/pgtest"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// postgres does not sync to the disk: what is proven here is what the bot does between two commits. That a commit
// survives the loss of power is Postgres's own promise.
var postgres = &pgtest.Server{
	Address:  os.Getenv("ROOTCHECK_TEST_POSTGRES"),
	Required: os.Getenv("ROOTCHECK_REQUIRE_POSTGRES") == "1",
	Settings: []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=256MB", "max_connections=800", "autovacuum=off"},
	Memory:   true,
}

func TestMain(m *testing.M) {
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
	if err = flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	theCloud.server.Close()
	if err = os.RemoveAll(theCloud.dir); err != nil {
		fmt.Fprintln(os.Stderr, "remove the profiles:", err)
		code = 1
	}
	if err = postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
