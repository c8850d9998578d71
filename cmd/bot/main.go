// Command bot is rootcheck in production: the Slack bot, and beside it a check, a preflight and the audit log's tools for the
// terminal. Flags, environment, signals and exit codes are here, and nothing else.
//
// Exit statuses: 0 well, 1 something is wrong or was found, 2 it could not be done or the settings are bad.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], process{
		Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Now: time.Now, Version: version,
	})
	stop()
	os.Exit(status)
}
