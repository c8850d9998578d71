package commands_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// carded is a world with cards of so many accounts and one more that a request waits on, and nothing left to do.
func carded(t *testing.T, accounts int) (w *world, drawn func() []commands.Work) {
	t.Helper()
	w = newWorld(t, func(c *commands.Config) { c.CardsPerHour = 100 })
	w.many(accounts, func(_ int, a *account) { a.password, a.mfa = true, false })
	w.scan()
	w.asked()
	w.settle()
	before := len(w.heard(commands.KindCard))
	return w, func() []commands.Work { return w.heard(commands.KindCard)[before:] }
}

func (w *world) pause() {
	w.t.Helper()
	if err := w.s.Pause(w.t.Context(), who(approver), "looking into it"); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
}

func TestThePauseIsDrawnOnOneCardAfterTheOtherAndHoldsNothingElseUp(t *testing.T) {
	t.Parallel()
	const accounts = 40
	w, drawn := carded(t, accounts)
	w.pause()
	if got := drawn(); len(got) != 1 || got[0].Account != member {
		t.Fatalf("at once %d cards are drawn, want the one that somebody waits with", len(got))
	}
	if len(w.notices(commands.NoticePaused)) != 1 {
		t.Error("the channel is not told of the pause at once")
	}
	// Somebody acts on the card that would be the last.
	late := posture.AccountID(fmt.Sprintf("9%011d", accounts-1))
	if err := w.s.Mute(t.Context(), who(requester), "acme", late, posture.RootMFA, "being replaced", w.now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if got := drawn(); len(got) != 2 || got[1].Account != late {
		t.Errorf("the card that somebody acted on is not among the %d that are drawn", len(got))
	}
	seen := map[posture.AccountID]bool{}
	for second := 0; len(seen) < accounts+1 && second < 2*accounts; second++ {
		was := len(drawn())
		w.pass(time.Second)
		if got := len(drawn()) - was; got > 1 {
			t.Fatalf("%d cards are drawn in one second", got)
		}
		for _, d := range drawn() {
			seen[d.Account] = true
		}
	}
	if len(seen) < accounts+1 {
		t.Errorf("only %d of %d cards show the pause", len(seen), accounts+1)
	}
}

func TestCardsThatWaitForTheBotOrForSlackDoNotComeAtOnceAfterwards(t *testing.T) {
	t.Parallel()
	w, drawn := carded(t, 10)
	w.pause()
	w.at(func() { w.clock = w.clock.Add(time.Hour) }) // nobody was there
	w.boot()
	w.settle()
	if got := len(drawn()); got != 2 {
		t.Errorf("after an hour in which the bot was away %d cards are drawn, want one more", got)
	}
	// Slack is down: a card waits until it is asked again.
	if err := w.st.Put(t.Context(), commands.Item{Key: "card/acme/down", Kind: commands.KindCard, Body: []byte("{}"), Due: w.now().Add(5 * time.Minute)}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.pass(10 * time.Second)
	}
	if got := len(drawn()); got != 2 {
		t.Errorf("while a card waits for Slack %d others were added", got-2)
	}
	w.pass(5 * time.Minute)
	w.pass(2 * time.Second)
	if got := len(drawn()); got < 4 {
		t.Errorf("once Slack answers it does not go on: %d cards are drawn", got)
	}
}

func TestWhatIsLeftOfAnEarlierTurnOfTheSwitchIsNotDrawn(t *testing.T) {
	t.Parallel()
	const accounts = 10
	w, drawn := carded(t, accounts)
	w.pause()
	w.pass(2 * time.Second)
	if err := w.s.Resume(t.Context(), who(second), commands.AnyPause); err != nil {
		t.Fatal(err)
	}
	w.settle()
	was := len(drawn())
	for range 2 * accounts {
		w.pass(2 * time.Second)
	}
	// The member's card is drawn when the bot is resumed already, and the other accounts follow, with lab and management.
	if got := len(drawn()) - was; got != accounts+2 {
		t.Errorf("%d cards are drawn after the switch was turned twice, want each of the %d once", got, accounts+2)
	}
}
