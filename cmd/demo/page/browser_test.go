package page_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// require is the environment variable that makes a missing Chromium a failure instead of a skip.
const require = "ROOTCHECK_REQUIRE_CHROMIUM"

// step is something done in the browser that answers nothing.
type step = chromedp.Action[chromedp.Void]

type css = chromedp.CSS

// browser starts a headless Chromium that lives as long as the test.
func browser(t *testing.T, width, height int) context.Context {
	t.Helper()
	bin := chromium()
	if bin == "" {
		if os.Getenv(require) == "1" {
			t.Fatalf("no Chromium found, and %s=1 asks for one", require)
		}
		t.Skipf("NOT TESTED IN A BROWSER: no Chromium found; install one, or set %s=1 to make this a failure", require)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(bin),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(width, height),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	// The first run starts the browser and must not carry a deadline of its own.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	go complain(ctx, t)
	ctx, done := context.WithTimeout(ctx, 75*time.Second)
	t.Cleanup(done)
	return ctx
}

// complain makes the test fail on an uncaught exception or on an error in the console, a violation of the
// Content-Security-Policy included.
func complain(ctx context.Context, t *testing.T) {
	t.Helper()
	for m, err := range chromedp.Console(ctx) {
		if err != nil {
			return
		}
		// A refused order is a 4xx, which the console notes and the page tells the person.
		if m.IsException() || m.Type == "error" && !strings.Contains(m.String(), "Failed to load resource") {
			t.Errorf("the page complains: %s", m)
		}
	}
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if bin, err := exec.LookPath(name); err == nil {
			return bin
		}
	}
	return ""
}

// shot is a place that TestScreenshots visits.
type shot struct {
	name, hash    string
	width, height int64
	before        []step
}

func shots() []shot {
	return []shot{
		{name: "channel", hash: "user=U0ANASILVA1&channel=C0AWSROOT01", width: 1280, height: 800},
		{name: "wide", hash: "user=U0ANASILVA1&channel=C0AWSROOT01&thread=1795220400.000100", width: 1600, height: 1000, before: []step{
			chromedp.Click(css(`[data-testid=account-toggle][data-account-id="222222222222"]`)),
		}},
		{name: "thread", hash: "user=U0BENOKAFOR&channel=C0AWSROOT01&guide=closed&thread=1795220400.000100", width: 1280, height: 800, before: []step{
			chromedp.Click(css(`[data-testid=aws-tab-faults]`)), chromedp.Click(css(`[data-testid=thread] [data-testid=overflow] button`)),
		}},
		{name: "all", hash: "user=U0ANASILVA1&channel=C0AWSROOT01&guide=closed&pane=closed", width: 1280, height: 2900},
		{name: "korean", hash: "user=U0KIMMINJUN&channel=messages&guide=closed", width: 1280, height: 800, before: []step{chromedp.Click(css(`[data-testid=aws-tab-calls]`))}},
		{name: "home", hash: "user=U0ANASILVA1&channel=home&guide=closed", width: 1280, height: 800, before: []step{chromedp.Click(css(`[data-testid=aws-tab-faults]`))}},
		{name: "modal", hash: "user=U0BENOKAFOR&channel=C0AWSROOT01&guide=closed", width: 1280, height: 800, before: []step{
			chromedp.Click(css(`[data-action-id="key.deactivate"]`)), chromedp.WaitVisible(css(`[data-testid=modal]`)), chromedp.Click(css(`[data-testid=modal-submit]`)),
		}},
		{name: "confirm", hash: "user=U0ANASILVA1&channel=C0AWSROOT01&guide=closed&theme=dark", width: 1280, height: 800, before: []step{
			chromedp.Click(css(`[data-action-id="key.delete"]`)), chromedp.WaitVisible(css(`[data-testid=confirm]`)),
		}},
		{name: "composer", hash: "user=U0ANASILVA1&channel=C0AWSROOT01&guide=closed&theme=dark", width: 1280, height: 800, before: []step{
			chromedp.SendKeys(css(`[data-testid=composer-input]`), "/rootcheck "),
		}},
		{name: "tablet", hash: "user=U0ANASILVA1&channel=C0AWSROOT01", width: 768, height: 1024},
		{name: "tablet-thread", hash: "user=U0ANASILVA1&channel=C0AWSROOT01&thread=1795220400.000100", width: 768, height: 1024},
		{name: "tablet-aws", hash: "user=U0ANASILVA1&channel=C0AWSROOT01&pane=open", width: 768, height: 1024},
		{name: "phone", hash: "user=U0ANASILVA1&channel=C0AWSROOT01", width: 390, height: 844},
		{name: "phone-guide", hash: "user=U0ANASILVA1&channel=C0AWSROOT01&guide=open", width: 390, height: 844},
		{name: "phone-thread", hash: "user=U0BENOKAFOR&channel=C0AWSROOT01&thread=1795220400.000100", width: 390, height: 844},
		{name: "phone-people", hash: "user=U0ANASILVA1&channel=C0AWSROOT01", width: 390, height: 844, before: []step{chromedp.Click(css(`[data-testid=side-toggle]`))}},
		{name: "phone-modal", hash: "user=U0BENOKAFOR&channel=C0AWSROOT01&theme=dark", width: 390, height: 844, before: []step{
			chromedp.Click(css(`[data-action-id="key.deactivate"]`)), chromedp.WaitVisible(css(`[data-testid=modal]`)), chromedp.Click(css(`[data-testid=modal-submit]`)),
		}},
		{name: "phone-composer", hash: "user=U0ANASILVA1&channel=C0AWSROOT01", width: 390, height: 844, before: []step{
			chromedp.SendKeys(css(`[data-testid=composer-input]`), "/rootcheck "),
		}},
		{name: "phone-aws", hash: "user=U0ANASILVA1&channel=C0AWSROOT01&pane=open", width: 390, height: 844, before: []step{
			chromedp.Click(css(`[data-testid=account-toggle][data-account-id="222222222222"]`)),
		}},
		{name: "phone-home", hash: "user=U0ANASILVA1&channel=home", width: 390, height: 844},
		{name: "phone-korean", hash: "user=U0KIMMINJUN&channel=messages", width: 390, height: 844},
	}
}

// TestScreenshots writes pictures of the canned story where ROOTCHECK_SCREENSHOTS says, for a person to look at.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("ROOTCHECK_SCREENSHOTS")
	if dir == "" {
		t.Skip("set ROOTCHECK_SCREENSHOTS to a directory to get pictures")
	}
	ctx := browser(t, 1280, 800)
	for _, s := range shots() {
		st := newStage(t)
		acts := append([]step{
			chromedp.EmulateViewport(s.width, s.height),
			chromedp.Navigate(st.URL + "/#" + s.hash),
			chromedp.WaitReady(css(`html[data-ready=true]`)),
			chromedp.Sleep(400 * time.Millisecond),
		}, s.before...)
		acts = append(acts, chromedp.Sleep(500*time.Millisecond))
		if err := chromedp.Do(ctx, acts...); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if err := os.WriteFile(dir+"/"+s.name+".png", png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
