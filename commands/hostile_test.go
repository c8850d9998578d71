package commands_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
)

func TestPeopleBeginNoMoreChecksThanAllOfThemMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := []commands.Actor{who(requester), who(approver), who(ownerUser)}
	began := often(t, 60, func(i int) error {
		_, err := w.s.CheckNow(t.Context(), people[i%len(people)])
		if err == nil {
			w.settle()
		}
		return err
	})
	if began < 5 || began > 20 {
		t.Errorf("%d checks were begun one after the other", began)
	}
	w.at(func() { w.clock = w.clock.Add(6 * time.Minute) })
	run, err := w.s.CheckNow(t.Context(), who(requester))
	if err != nil || run.ID == "" {
		t.Fatalf("six minutes later: %v", err)
	}
	for _, a := range people {
		if again, err := w.s.CheckNow(t.Context(), a); err != nil || again.ID != run.ID {
			t.Errorf("whoever comes later attaches: %q, %v", again.ID, err)
		}
	}
}

func TestTurningPagesIsCountedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	if n := often(t, 300, func(i int) error {
		_, err := w.s.List(t.Context(), who(requester), "", i+1)
		return err
	}); n < 20 || n > 100 {
		t.Errorf("%d pages were turned at once", n)
	}
	w.at(func() { w.clock = w.clock.Add(time.Minute) })
	if n := often(t, 300, func(int) error { _, _, err := w.s.Home(t.Context(), who(approver)); return err }); n < 20 || n > 100 {
		t.Errorf("the Home tab was opened %d times at once", n)
	}
	for _, page := range []int{math.MaxInt, math.MaxInt - 1, -1, math.MinInt} { // a forged button
		if l, err := w.s.List(t.Context(), who(requester), "", page); err != nil || len(l.Rows) == 0 || l.Page < 0 || l.Page >= l.Pages {
			t.Errorf("page %d: %d of %d with %d rows, %v", page, l.Page, l.Pages, len(l.Rows), err)
		}
	}
}

func TestAnInventoryThatStaysBrokenIsNewsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	fail := func(broken bool) {
		w.at(func() { w.broken["inventory"], w.clock = broken, w.clock.Add(time.Hour) })
		w.scan()
	}
	for range 24 {
		fail(true)
	}
	if n := len(w.notices(commands.NoticeSourceGap)); n != 1 {
		t.Errorf("the channel was told %d times in a day that the same accounts cannot be listed", n)
	}
	fail(false)
	fail(true)
	if n := len(w.notices(commands.NoticeSourceGap)); n != 2 {
		t.Errorf("%d notices; one that breaks again is news again", n)
	}
	d, err := w.s.Digest(t.Context(), w.now())
	if err != nil || len(d.Coverage.Gaps) != 1 {
		t.Errorf("the digest says %+v, %v", d.Coverage.Gaps, err)
	}
}

func TestNobodyMutesForEverOrWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	for name, c := range map[string]struct {
		user  string
		until time.Duration
		code  commands.RefusalCode
	}{
		"by somebody who only looks": {ownerUser, time.Hour, commands.NotRequester},
		"for ever":                   {requester, math.MaxInt64, commands.AlreadySo},
		"until it was":               {requester, -time.Hour, commands.AlreadySo},
	} {
		err := w.s.Mute(t.Context(), who(c.user), "acme", member, "root-access-key", "r", w.now().Add(c.until))
		var no *commands.Refusal
		if !errors.As(err, &no) || no.Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
