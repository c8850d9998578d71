package awsroot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// childSetting makes this binary an organization on its own, so that a benchmark measures the scanner and not what it
// scans.
const childSetting = "AWSROOT_TEST_ORGANIZATION"

func TestMain(m *testing.M) {
	if order := os.Getenv(childSetting); order != "" {
		if err := serveOrganization(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

type childOrder struct {
	Accounts int
	Latency  time.Duration
	Throttle float64
}

// serveOrganization prints its address and serves until its input ends.
func serveOrganization(order string) error {
	var o childOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	org := awssim.New(awssim.Config{Now: time.Now, Accounts: o.Accounts, Latency: o.Latency, Throttle: o.Throttle, CallLog: 200_000})
	mux := http.NewServeMux()
	org.Mount(mux, "/aws")
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return (&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}).Serve(l)
}
