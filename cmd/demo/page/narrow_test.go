package page_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// within holds where an element lies inside the screen from left to right, and from top to bottom.
func within(sel string) string {
	return fmt.Sprintf(`(e => { if (!e) return false; const r = e.getBoundingClientRect(); return r.width > 0 && r.left >= -1 && r.right <= innerWidth + 1 && r.top >= -1 && r.bottom <= innerHeight + 1 })(document.querySelector(%q))`, sel)
}

// seen holds where an element can be read in the list that it stands in: whole, or from its beginning if it is taller.
func seen(sel string) string {
	return fmt.Sprintf(`(e => { if (!e) return false; const l = e.closest(".scroll").getBoundingClientRect(), r = e.getBoundingClientRect(); return r.top >= l.top - 1 && r.top < l.bottom && (r.bottom <= l.bottom + 1 || r.height > l.height - 20) })([...document.querySelectorAll(%q)].at(-1))`, sel)
}

// sticksOut names what of the page reaches over the right edge of the screen, except inside of what scrolls by itself.
const sticksOut = `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().width > 0 && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".table-wrap, .bk-carousel, .sr-only") && getComputedStyle(e).visibility !== "hidden").map(e => e.tagName + "." + e.className).join(" ")`

func (s *scene) fits(where string) {
	s.t.Helper()
	out, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](sticksOut))
	if err != nil {
		s.t.Fatalf("measure %s: %v", where, err)
	}
	if out != "" {
		s.t.Errorf("%s: over the right edge reach %s", where, out)
	}
}

// on gives the screen a size for the length of a test.
func on(ctx context.Context, t *testing.T, width, height int64) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatal(err)
	}
}

func TestThePageOnSmallScreens(t *testing.T) {
	ctx := browser(t, 1280, 800)
	for _, size := range []struct{ width, height int64 }{{390, 844}, {768, 1024}} {
		t.Run(fmt.Sprintf("the channel, a thread, a modal and AWS fit into %d pixels", size.width), func(t *testing.T) {
			on(ctx, t, size.width, size.height)
			s := enter(ctx, t, "user="+ana+"&channel="+root)
			s.fits("the channel")
			s.until("the composer", within(`[data-testid=composer-input]`))
			s.until("what this is", within(`[data-testid=banner]`))

			s.do(chromedp.SendKeys(input, "/rootcheck "))
			s.until("the list of commands", within(`.hints`))
			s.fits("the list of commands")
			s.do(chromedp.KeyEvent(kb.Escape), chromedp.WaitNotPresent(css(`.hints`)))

			s.do(chromedp.Click(css(`[data-testid=open-thread]`)))
			s.until("the thread", within(`[data-testid=thread-input]`)+" && "+within(`[data-testid=close-thread]`))
			s.fits("the thread")
			s.do(chromedp.Click(css(`[data-testid=close-thread]`)), chromedp.WaitNotPresent(css(`[data-testid=thread]`)))

			s.do(chromedp.Click(css(`[data-action-id="key.deactivate"]`)), chromedp.WaitVisible(css(`[data-testid=modal]`)))
			s.until("the modal", within(`[data-testid=modal-submit]`)+" && "+within(`[data-testid=modal-x]`))
			s.fits("the modal")
			s.do(chromedp.KeyEvent(kb.Escape), chromedp.WaitNotPresent(css(`[data-testid=modal]`)))

			if n := s.count(`[data-testid=aws-pane]`); n != 0 {
				t.Error("AWS lies over the channel before anybody asked for it")
			}
			s.do(chromedp.Click(css(`[data-testid=aws-toggle]`)))
			s.until("AWS", within(`[data-testid=clock-168h]`))
			s.fits("AWS")
			s.do(chromedp.Click(css(`[data-testid=aws-toggle]`)), chromedp.WaitNotPresent(css(`[data-testid=aws-pane]`)))
		})
	}

	t.Run("on a phone the sidebar comes when it is asked for, and goes when somebody was picked", func(t *testing.T) {
		on(ctx, t, 390, 844)
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		const away = `getComputedStyle(document.querySelector("[data-testid=user-switcher]")).visibility === "hidden"`
		s.until("no sidebar", away)
		s.do(chromedp.Click(css(`[data-testid=side-toggle]`)))
		person := `[data-testid=user][data-user-id=` + ben + `]`
		s.until("the people", within(person))
		s.do(chromedp.Click(css(person)))
		s.until("no sidebar again", away)
		s.until("Ben looks", `document.querySelector("[data-testid=side-toggle]").innerText.includes("Ben")`)
	})

	t.Run("on a phone an answer in the channel is not left behind the thread", func(t *testing.T) {
		on(ctx, t, 390, 844)
		s := enter(ctx, t, "user="+ana+"&channel="+root+"&thread=1795220400.000100")
		s.do(chromedp.Click(css(`[data-testid=thread] [data-testid=overflow] button`)), chromedp.Click(css(`[data-testid=thread] [data-testid=overflow-option]`)))
		s.wait("/control/slack/click", 1)
		s.change(func(_, _ doc) {
			s.say(root, doc{"user": "U0ROOTCHECK", "text": "only for Ana", "ephemeral_to": ana})
		})
		s.until("the answer", seen(`[data-testid=messages] [data-ephemeral=true]`)+` && !document.querySelector("[data-testid=thread]")`)
	})
}

func TestWhatAPersonCausesComesIntoView(t *testing.T) {
	ctx := browser(t, 1280, 800)
	on(ctx, t, 1280, 800)
	const (
		list   = `[data-testid=messages]`
		top    = `document.querySelector("[data-testid=messages]").scrollTop`
		newest = list + ` [data-ephemeral=true]`
	)
	up := chromedp.Evaluate[int](top + ` = 0`)
	climb := func(s *scene) {
		if _, err := chromedp.Run(ctx, up); err != nil {
			t.Fatal(err)
		}
		s.until("the list at its beginning", top+` < 5`)
	}

	t.Run("the answer to a command that was typed far above the end", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		climb(s)
		s.do(chromedp.SendKeys(input, "/rootcheck status"+kb.Enter))
		s.until("the answer", `document.querySelector("[data-testid=messages]").innerText.includes("You asked: status") && `+seen(newest))
	})

	t.Run("an answer that is taller than the list, from its beginning", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.Click(css(`[data-action-id=tick] [data-value=phone]`)))
		s.wait("/control/slack/click", 1)
		var lines []any
		for i := range 40 {
			lines = append(lines, doc{"type": "section", "block_id": fmt.Sprint("l", i), "text": doc{"type": "mrkdwn", "text": fmt.Sprint("account ", i)}})
		}
		s.change(func(_, _ doc) {
			s.say(root, doc{"user": "U0ROOTCHECK", "text": "many", "blocks": lines, "ephemeral_to": ana})
		})
		s.until("the answer", `document.querySelector("[data-block-id=l39]") && `+seen(newest))
	})

	t.Run("not for somebody who has scrolled since", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.Click(css(`[data-action-id=tick] [data-value=phone]`)))
		s.wait("/control/slack/click", 1)
		climb(s)
		s.until("the wheel", `document.querySelector("[data-testid=messages]").dispatchEvent(new WheelEvent("wheel"))`)
		s.change(func(_, _ doc) {
			s.say(root, doc{"user": "U0ROOTCHECK", "text": "only for Ana", "ephemeral_to": ana})
		})
		s.until("the answer", `document.querySelector("[data-testid=messages]").innerText.includes("only for Ana")`)
		s.until("where they look", top+` < 5`)
	})

	t.Run("not what somebody else has said", func(t *testing.T) {
		s := enter(ctx, t, "user="+ana+"&channel="+root)
		s.do(chromedp.Click(css(`[data-action-id=tick] [data-value=phone]`)))
		s.wait("/control/slack/click", 1)
		climb(s)
		s.change(func(_, _ doc) { s.say(root, doc{"user": ben, "text": "by the way"}) })
		s.until("what Ben said", `document.querySelector("[data-testid=messages]").innerText.includes("by the way")`)
		s.until("where Ana looks", top+` < 5`)
	})

	t.Run("a reply in the thread that is open", func(t *testing.T) {
		const thread = "1795220400.000100"
		s := enter(ctx, t, "user="+ana+"&channel="+root+"&thread="+thread)
		s.change(func(_, _ doc) {
			for i := range 30 {
				s.say(root, doc{"user": ben, "text": fmt.Sprint("reply ", i), "thread_ts": thread})
			}
		})
		s.until("a long thread", `document.querySelector("[data-testid=thread]").innerText.includes("reply 29")`)
		s.until("its beginning", `(l => { l.scrollTop = 0; l.dispatchEvent(new WheelEvent("wheel")); return true })(document.querySelector("[data-testid=thread] .scroll"))`)
		s.do(chromedp.Click(css(`[data-testid=thread] [data-testid=overflow] button`)), chromedp.Click(css(`[data-testid=thread] [data-testid=overflow-option]`)))
		s.wait("/control/slack/click", 1)
		s.change(func(_, _ doc) {
			s.say(root, doc{"user": "U0ROOTCHECK", "text": "it is done", "thread_ts": thread})
		})
		s.until("the reply", `document.querySelector("[data-testid=thread]").innerText.includes("it is done") && `+seen(`[data-testid=thread] [data-testid=message]`))
	})
}
