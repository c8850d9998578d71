package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// The people's way through the demo, clicked on the page in a real browser with the production bot behind it. What is
// clicked are the page's own controls; what came of it is read through /control.

// required makes a missing Chromium a failure instead of a skip, and pictures is where the pictures of the walk go.
const (
	required = "ROOTCHECK_REQUIRE_CHROMIUM"
	pictures = "ROOTCHECK_SCREENSHOTS"
)

type css = chromedp.CSS

// walk is one browser tab that looks at a running demo.
type walk struct {
	*script

	t     *testing.T
	ctx   context.Context
	stage *stage
	shots string
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if bin, err := exec.LookPath(name); err == nil {
			return bin
		}
	}
	if os.Getenv(required) == "1" {
		t.Fatalf("no Chromium found, and %s=1 asks for one", required)
	}
	t.Skipf("NOT TESTED IN A BROWSER: no Chromium found; install one, or set %s=1 to make this a failure", required)
	return ""
}

// enter starts the demo and opens its page.
func enter(t *testing.T) *walk {
	t.Helper()
	bin, shots := chromium(t), os.Getenv(pictures)
	for _, name := range []string{required, pictures} {
		t.Setenv(name, os.Getenv(name)) // the demo clears its environment; the next test wants it back
	}
	s, err := newStage(t.Context(), flags{Listen: "127.0.0.1:0", Seed: 1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("start the demo: %v", err)
	}
	t.Cleanup(func() { s.close(t.Context()) })
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	// The first run starts the browser and must not carry a deadline of its own.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800)); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	ctx, done := context.WithTimeout(ctx, 140*time.Second)
	t.Cleanup(done)
	w := &walk{
		script: &script{base: s.base, client: &http.Client{Timeout: 30 * time.Second}}, t: t, ctx: ctx, stage: s, shots: shots,
	}
	go w.complain()
	w.must("open the page", chromedp.Do(ctx, chromedp.Navigate(s.base+"/#guide=closed"), chromedp.WaitReady(css(`html[data-ready=true]`))))
	return w
}

// complain makes the test fail on an uncaught exception or on an error in the console.
func (w *walk) complain() {
	for m, err := range chromedp.Console(w.ctx) {
		if err != nil {
			return
		}
		if m.IsException() || m.Type == "error" && !strings.Contains(m.String(), "Failed to load resource") {
			w.t.Errorf("the page complains: %s", m)
		}
	}
}

func (w *walk) must(what string, err error) {
	w.t.Helper()
	if err == nil {
		return
	}
	if w.shots != "" {
		w.shot("failed")
	}
	w.t.Fatalf("%s: %v", what, err)
}

// holds reports whether a JavaScript condition holds on the page.
func (w *walk) holds(js string) bool {
	ok, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool]("!!("+js+")"))
	return err == nil && ok
}

// appears waits for a JavaScript condition.
func (w *walk) appears(what, js string) {
	w.t.Helper()
	w.must(what, w.until(w.ctx, what, func(context.Context) (bool, error) { return w.holds(js), nil }))
}

// click presses what matches until the page shows what it should come to.
func (w *walk) click(sel, then string) {
	w.t.Helper()
	w.press(sel, then, func() bool { return w.holds(then) })
}

// press presses what matches until something is so. A card may move under the pointer when a message arrives above it,
// which a person would notice, and press again.
func (w *walk) press(sel, what string, so func() bool) {
	w.t.Helper()
	err := w.until(w.ctx, "pressing "+sel+" comes to "+what, func(context.Context) (bool, error) {
		if so() {
			return true, nil
		}
		ctx, stop := context.WithTimeout(w.ctx, 3*time.Second)
		defer stop()
		if err := chromedp.Do(ctx, chromedp.Click(css(sel))); err != nil {
			return false, fmt.Errorf("press %s: %w", sel, err)
		}
		for range 30 {
			if so() {
				return true, nil
			}
			w.pause()
		}
		return so(), nil
	})
	w.must("press", err)
}

func (w *walk) pause() {
	w.t.Helper()
	w.must("wait", chromedp.Do(w.ctx, chromedp.Sleep(100*time.Millisecond)))
}

// typeIn writes into a field of the modal, and sees to it that it stands there.
func (w *walk) typeIn(field, text string) {
	w.t.Helper()
	sel := `[data-testid=modal][data-top=true] [data-block-id=` + field + `] :is(input, textarea)`
	w.appears("the field "+field, fmt.Sprintf("(f => f && (f.focus(), f.select(), true))(document.querySelector(%q))", sel))
	w.must("type into "+field, chromedp.Do(w.ctx, chromedp.SendKeys(css(sel), text)))
	quoted, err := json.Marshal(text)
	w.must("quote", err)
	w.appears(field+" holds what was typed", fmt.Sprintf("document.querySelector(%q)?.value === %s", sel, quoted))
}

// lookAs switches to another person.
func (w *walk) lookAs(user string) {
	w.t.Helper()
	w.click(`[data-testid=user][data-user-id=`+user+`]`, `document.querySelector('[data-user-id=`+user+`][aria-pressed=true]')`)
}

// inChannel switches to another person, and to the bot's channel.
func (w *walk) inChannel(user string) {
	w.t.Helper()
	w.lookAs(user)
	w.click(`[data-testid=channel][data-channel-id=`+room+`]`, `document.querySelector('[data-testid=channel][data-channel-id=`+room+`][aria-current=page]')`)
}

// onCard waits for a button on an account's card and opens the modal that it leads to, with AWS's facts of the moment.
func (w *walk) onCard(user, action, account string) {
	w.t.Helper()
	w.click(w.button(user, action, account), `document.querySelector("[data-testid=modal][data-top=true] [data-testid=modal-submit]")`)
	_, err := w.form(w.ctx, user)
	w.must("the form reads AWS", err)
	w.settle()
}

// button waits for a control of an account, and says where it stands on the page.
func (w *walk) button(user, action, account string) string {
	w.t.Helper()
	var c control
	w.must("find the button", w.until(w.ctx, fmt.Sprintf("%s sees %s for %s", user, action, account), func(ctx context.Context) (bool, error) {
		st, err := w.slack(ctx)
		if err != nil {
			return false, err
		}
		var ok bool
		c, ok = st.find(user, action, account)
		return ok, nil
	}))
	return fmt.Sprintf(`[data-testid=messages] [data-ts="%s"] [data-action-id=%q]`, c.TS, c.Action)
}

const (
	noModal = `!document.querySelector("[data-testid=modal]")`
	notice  = `document.querySelector("[data-testid=modal][data-callback-id='form.notice']")`
)

// submit sends the open modal and closes the one that says that it was recorded.
func (w *walk) submit() {
	w.t.Helper()
	w.click(`[data-testid=modal][data-top=true] [data-testid=modal-submit]`, noModal+" || "+notice)
	w.click(`[data-testid=modal][data-top=true] [data-testid=modal-close]`, noModal)
}

// settle waits until everything that fell due is done and the page shows it.
func (w *walk) settle() {
	w.t.Helper()
	w.must("the work settles", w.advance(w.ctx, 0))
	const rev = `Number(document.documentElement.dataset.rev)`
	before, err := chromedp.Run(w.ctx, chromedp.Evaluate[int](rev))
	w.must("read the page", err)
	// The page looks twice a second, and draws when there is anything new.
	for range 12 {
		if w.holds(fmt.Sprintf("%s > %d", rev, before)) {
			return
		}
		w.pause()
	}
}

// lever moves the clock by one of the page's levers.
func (w *walk) lever(by string) {
	w.t.Helper()
	before := w.stage.clock.Now()
	w.press(`[data-testid=clock-`+by+`]`, "a later time", func() bool { return w.stage.clock.Now().Sub(before) > 30*time.Minute })
	w.must("the work settles", w.advance(w.ctx, 0))
}

// inAWS waits until something of an account is so in AWS.
func (w *walk) inAWS(account, what string, holds func(awsAccount) bool) {
	w.t.Helper()
	w.must(what, w.aws(account, what, holds)(w.ctx))
}

func (w *walk) shot(name string) {
	w.t.Helper()
	if w.shots == "" {
		return
	}
	raw, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = pack(raw, filepath.Join(w.shots, name+".png"))
	}
	if err != nil {
		w.t.Errorf("take the picture %s: %v", name, err)
	}
}

// pack writes a picture with the colors of a palette, which is a third of what the browser makes of it.
func pack(raw []byte, file string) error {
	full, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("read the picture: %w", err)
	}
	size := full.Bounds()
	at := func(x, y int) color.RGBA {
		c, _ := color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)
		return c
	}
	exact, coarse := map[color.RGBA]int{}, map[color.RGBA]int{}
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			exact[at(x, y)]++
		}
	}
	often := func(count map[color.RGBA]int, n int) []color.RGBA {
		all := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return count[b] - count[a] })
		return all[:min(len(all), n)]
	}
	colors := make(color.Palette, 0, 256)
	for _, c := range often(exact, 192) {
		colors = append(colors, c)
		delete(exact, c)
	}
	for c, n := range exact { // what is rare, such as a gradient, is still near one of these
		coarse[color.RGBA{R: c.R&^15 | 8, G: c.G&^15 | 8, B: c.B&^15 | 8, A: 255}] += n
	}
	for _, c := range often(coarse, 64) {
		colors = append(colors, c)
	}
	small := image.NewPaletted(size, colors)
	nearest := map[color.RGBA]uint8{}
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			c := at(x, y)
			n, known := nearest[c]
			if !known {
				n = uint8(colors.Index(c))
				nearest[c] = n
			}
			small.SetColorIndex(x, y, n)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		return fmt.Errorf("encode the picture: %w", err)
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}

// show brings the message that holds an element to the top of what is seen, and takes a picture.
func (w *walk) show(name, element string) {
	w.t.Helper()
	if w.shots == "" {
		return
	}
	w.settle()
	w.appears("the message to show", fmt.Sprintf(`(e => e && (document.activeElement.blur(), e.closest("[data-testid=message]").scrollIntoView({block: "start"}), true))(%s)`, element))
	w.must("wait", chromedp.Do(w.ctx, chromedp.Sleep(400*time.Millisecond)))
	w.shot(name)
}

func TestTheStoryOfAKeyOnThePage(t *testing.T) {
	w := enter(t)
	account := awssim.ArchiveAccount
	a, err := w.account(t.Context(), account)
	w.must("look at the account", err)
	key := a.Root.Keys[0].ID

	w.inChannel(ana)
	w.onCard(ana, "remediation.deactivate", account)
	w.typeIn("reason", "Left over from a migration in 2021; nobody knows what it is for.")
	w.typeIn("key", last4(key))
	w.shot("deactivate")
	w.submit()
	w.inAWS(account, "nothing happens before the second confirmation", func(a awsAccount) bool { return !a.Quarantined })

	w.inChannel(yuna)
	w.onCard(yuna, "remediation.confirm", account)
	w.shot("confirm")
	w.submit()
	w.inAWS(account, "the root user is blocked", func(a awsAccount) bool { return a.Quarantined && a.key("Active").ID == key })

	w.lever("1h")
	w.button(yuna, "remediation.reactivate", account)
	for day := 1; ; day++ {
		st, err := w.slack(w.ctx)
		w.must("look at the channel", err)
		if _, ok := st.find(ana, "remediation.delete", account); ok {
			break
		}
		if day > 12 {
			w.must("watch", fmt.Errorf("after %d days the key cannot be deleted", day-1))
		}
		w.lever("24h")
		if day == 3 {
			w.show("watch", fmt.Sprintf("document.querySelector(%q)", w.button(yuna, "remediation.reactivate", account)))
		}
	}

	w.inChannel(ana)
	w.onCard(ana, "remediation.delete", account)
	w.typeIn("reason", "Watched for a week, and nothing tried it.")
	w.typeIn("key", key)
	w.shot("delete")
	w.submit()
	w.inAWS(account, "nothing is deleted before the second confirmation", func(a awsAccount) bool { return len(a.Root.Keys) == 1 })

	w.inChannel(ben)
	w.click(`[data-testid=app-home]`, `document.querySelector("[data-testid=home] [data-action-id='remediation.confirm']")`)
	w.shot("home")
	w.inChannel(ben)
	w.onCard(ben, "remediation.confirm", account)
	w.submit()
	w.inAWS(account, "the key is gone", func(a awsAccount) bool { return len(a.Root.Keys) == 0 })
	w.must("deleted once", w.stage.deletedOnce(account)(w.ctx))

	// The second reading comes seconds later by itself; the lever spares the wait.
	w.lever("1h")
	w.inAWS(account, "the block is lifted", func(a awsAccount) bool { return !a.Quarantined })
	w.must("verified", w.stage.verified(w.script, account)(w.ctx))
	w.must("nobody saw anything go wrong", w.nothingWrong())

	w.inChannel(ana)
	w.must("write", chromedp.Do(w.ctx, chromedp.SendKeys(css(`[data-testid=composer-input]`), "/rootcheck digest")))
	w.click(`[data-testid=send]`, `document.querySelector("[data-testid=composer-input]").value === ""`)
	const digest = `[...document.querySelectorAll("[data-testid=messages] [data-block-type=header]")].findLast(h => /accounts/.test(h.innerText))`
	w.appears("the digest", digest)
	if w.shots != "" {
		w.must("wait for the new message's color to fade", chromedp.Do(w.ctx, chromedp.Sleep(4*time.Second)))
	}
	w.show("digest", digest)
}

// nothingWrong fails with what a person in the workspace would have seen go wrong.
func (w *walk) nothingWrong() error {
	st, err := w.slack(w.ctx)
	if err == nil && len(st.Errors) > 0 {
		err = fmt.Errorf("people saw %v", st.Errors)
	}
	return err
}

func TestTheKoreanOwnerOnThePage(t *testing.T) {
	w := enter(t)
	account := awssim.MarketingAccount

	w.inChannel(ana)
	w.press(w.button(ana, "owner.tell", account), "a message to the owner", func() bool {
		st, err := w.slack(w.ctx)
		_, ok := st.find(kim, "owner.device", account)
		return err == nil && ok
	})

	w.lookAs(kim)
	w.click(`[data-testid=app-messages]`, `document.querySelector("[data-testid=messages] [data-action-id='owner.device:passkey']")`)
	w.click(`[data-testid=messages] [data-action-id='owner.device:passkey']`, `document.querySelector("[data-testid=messages] [data-action-id='owner.done']")`)
	w.settle()
	w.shot("mfa-ko")
	text := w.dm()
	for _, want := range []string{"패스키", "루트 사용자", "AWS 로그인"} {
		if !strings.Contains(text, want) {
			t.Errorf("the Korean steps do not say %q:\n%s", want, text)
		}
	}

	w.click(`[data-testid=account-toggle][data-account-id="`+account+`"]`, `document.querySelector("[data-testid=account][data-account-id='`+account+`'] [data-testid=mfa-add-passkey]")`)
	w.press(`[data-testid=account][data-account-id="`+account+`"] [data-testid=mfa-add-passkey]`, "a passkey in AWS", func() bool {
		a, err := w.account(w.ctx, account)
		return err == nil && len(a.Root.MFA) > 0
	})
	w.click(`[data-testid=messages] [data-action-id='owner.done']`, `!document.querySelector("[data-testid=messages] [data-action-id='owner.done']")`)
	w.must("the finding is resolved", w.stage.finished(w.script, account)(w.ctx))
	if text := w.dm(); !strings.Contains(text, "완료되었습니다") {
		t.Errorf("the owner is not told that it is done:\n%s", text)
	}
	w.must("nobody saw anything go wrong", w.nothingWrong())
}

// dm is what the app has written to the owner.
func (w *walk) dm() string {
	w.t.Helper()
	st, err := w.slack(w.ctx)
	w.must("look at the messages", err)
	var said []string
	for _, c := range st.Channels {
		if c.IsIM && c.User == kim {
			for _, m := range c.Messages {
				said = append(said, m.Text)
			}
		}
	}
	return strings.Join(said, "\n")
}
