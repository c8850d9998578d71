package slacksim_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// Slack's own SDKs are the judge of the wire: nobody here wrote them.
func TestSlacksOwnSDKsWorkAgainstTheWorkspace(t *testing.T) {
	required := os.Getenv("ROOTCHECK_REQUIRE_NODE") == "1"
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node is not installed"
	} else if _, err := os.Stat("strangers/node_modules/@slack/bolt"); err != nil {
		missing = "strangers/node_modules is absent; run npm ci in sim/slacksim/strangers"
	}
	switch {
	case missing != "" && required:
		t.Fatalf("ROOTCHECK_REQUIRE_NODE=1 and %s", missing)
	case missing != "":
		t.Skipf("SKIPPED: @slack/bolt, @slack/socket-mode and @slack/web-api were NOT run: %s", missing)
	}
	r := newRig(t, func(c *slacksim.Config) { c.DisableRateLimits = false })
	cmd := exec.CommandContext(t.Context(), "node", "drive.mjs", r.url)
	cmd.Dir = "strangers"
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("drive.mjs: %v\n%s", err, out)
	}
	if n := strings.Count(string(out), "ok - "); n < 12 {
		t.Errorf("only %d steps held:\n%s", n, out)
	}
	t.Logf("\n%s", out)
}
