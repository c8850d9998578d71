package report

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// required makes a missing Chromium a failure instead of a skip.
const required = "ROOTCHECK_REQUIRE_CHROMIUM"

func TestThePageFitsAPhoneAndAPrinter(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	at := time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC)
	worst := posture.Evidence{ // everything that a row can say, so that its column has much to hold
		At: at, AccessKeys: posture.Told(true, posture.SourceSummary, at), MFA: posture.Told(false, posture.SourceSummary, at),
		Certificates: posture.Told(true, posture.SourceSummary, at), Password: posture.Told(true, posture.SourceSummary, at),
		Keys: posture.Told([]posture.Key{{ID: "AKIAIOSFODNN7EXAMPLE", Status: posture.KeyActive, Created: at.AddDate(-3, 0, 0)}}, "ListAccessKeys", at),
	}
	found, err := app.Check(t.Context(), app.DefaultConfig(), app.CheckOptions{Now: func() time.Time { return at }, Looker: fleet{looker{worst}, 100, 10}})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err = HTML(&text, found); err != nil {
		t.Fatal(err)
	}
	if err = found.Rows.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err = os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err = chromedp.Do(ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate("file://"+file)); err != nil {
		t.Fatalf("open the page: %v", err)
	}
	size, err := chromedp.Run(ctx, chromedp.Evaluate[[]int]("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"))
	if err != nil {
		t.Fatalf("measure the page: %v", err)
	}
	paper, err := chromedp.Run(ctx, printed)
	if err != nil {
		t.Fatalf("print the page: %v", err)
	}
	if size[0] > 390 || size[1] > 100*500 {
		t.Errorf("a hundred accounts take %d by %d pixels on a phone 390 pixels wide", size[0], size[1])
	}
	if pages := bytes.Count(paper, []byte("/Type /Page\n")); pages == 0 || pages > 30 {
		t.Errorf("a hundred accounts are printed on %d pages", pages)
	}
}

// printed is the page as a PDF on A4.
func printed(ctx context.Context, tab *chromedp.Target) ([]byte, error) {
	var result struct {
		Data []byte `json:"data"`
	}
	err := tab.Call(ctx, "Page.printToPDF", map[string]float64{"paperWidth": 8.27, "paperHeight": 11.69}, &result) // inches
	return result.Data, err
}

// browser is a tab of a Chromium that the test's end closes.
func browser(t *testing.T) context.Context {
	t.Helper()
	bin := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			bin = found
			break
		}
	}
	switch {
	case bin == "" && os.Getenv(required) == "1":
		t.Fatalf("no Chromium found, and %s=1 asks for one", required)
	case bin == "":
		t.Skipf("NOT TESTED IN A BROWSER: no Chromium found; install one, or set %s=1 to make this a failure", required)
	}
	alloc, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(bin), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // starts the browser, and must not have a deadline of its own
		t.Fatalf("start the browser: %v", err)
	}
	ctx, giveUp := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(giveUp)
	return ctx
}
