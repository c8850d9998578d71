package awssim_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestStrangersClients runs AWS's own JavaScript clients through every call that the bot makes. They are not part of
// this repository: `npm ci` in the folder strangers fetches the pinned ones.
func TestStrangersClients(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("strangers", "node_modules"))
	}
	if err != nil {
		if os.Getenv("ROOTCHECK_REQUIRE_NODE") == "1" {
			t.Fatalf("ROOTCHECK_REQUIRE_NODE=1, but AWS's JavaScript clients are not here: %v; run `npm ci` in sim/awssim/strangers", err)
		}
		t.Skipf("SKIPPED: NO STRANGER HAS TRIED THE SIMULATOR: %v; run `npm ci` in sim/awssim/strangers, or set ROOTCHECK_REQUIRE_NODE=1 to fail here", err)
	}
	r := newRig(t, nil)
	c := exec.CommandContext(t.Context(), node, "calls.mjs")
	c.Dir = "strangers"
	c.Env = []string{"AWS_ENDPOINT_URL=" + r.url + "/aws", "CONTROL_URL=" + r.url + "/control/aws", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("AWS's JavaScript clients disagree: %v", err)
	}
}
