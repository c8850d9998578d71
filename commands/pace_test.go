package commands_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// often does something over and over until it is refused for being too often, and returns how often it was done.
func often(t *testing.T, most int, do func(i int) error) int {
	t.Helper()
	for i := range most {
		err := do(i)
		var no *commands.Refusal
		switch {
		case errors.As(err, &no) && no.Code == commands.TooSoon:
			return i
		case err != nil:
			t.Fatal(err)
		}
	}
	return most
}

func TestNobodyFillsTheQueueAlone(t *testing.T) {
	t.Parallel()
	many := func(n int) posture.AccountID { return posture.AccountID(fmt.Sprintf("5%011d", n)) }
	for name, do := range map[string]func(w *world, i int) error{
		"by naming owners": func(w *world, i int) error {
			_, err := w.s.AssignOwner(w.t.Context(), who(ownerUser), "acme", many(i), approver)
			return err
		},
		"by asking and cancelling": func(w *world, _ int) error {
			r, err := w.s.RequestDeactivate(w.t.Context(), who(requester), ask(member, keyOne))
			if err == nil {
				_, err = w.s.Cancel(w.t.Context(), who(requester), r.ID, r.Version)
			}
			return err
		},
		"by muting and unmuting": func(w *world, i int) error {
			if i%2 == 1 {
				return w.s.Unmute(w.t.Context(), who(requester), "acme", member, posture.RootAccessKey)
			}
			return w.s.Mute(w.t.Context(), who(requester), "acme", member, posture.RootAccessKey, "known", w.now().Add(time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for i := range 100 {
				id := many(i)
				w.accounts[id] = &account{
					Account: posture.Account{ID: id, Source: "acme", Partition: "aws", Name: fmt.Sprint("x", i), State: posture.StateActive, Role: posture.RoleMember},
					means:   commands.Ways{Deactivate: remediation.MeansOrganization, Delete: remediation.MeansOrganization}, mfa: true, password: true, intact: true,
				}
			}
			w.scan()
			if n := often(t, 100, func(i int) error { return do(w, i) }); n < 20 || n > 60 {
				t.Errorf("one person did it %d times at once", n)
			}
			if err := w.s.Pause(t.Context(), who(approver), "a flood"); err != nil {
				t.Errorf("an approver cannot pause meanwhile: %v", err)
			}
		})
	}
}

func TestHowOftenIsCountedByTheInjectedClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	look := func(int) error {
		_, err := w.s.Account(t.Context(), who(requester), string(member))
		return err
	}
	if n := often(t, 100, look); n != 20 {
		t.Errorf("%d looks at once, want 20", n)
	}
	w.at(func() { w.clock = w.clock.Add(24 * time.Second) })
	if n := often(t, 100, look); n != 2 {
		t.Errorf("%d looks after 24 seconds, want 2", n)
	}
	if _, err := w.s.Account(t.Context(), who(approver), string(member)); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

func TestAClaimThatWaitsIsReplacedByNobodyWhoMerelyLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	if _, err := w.s.ClaimOwner(t.Context(), who(ownerUser), "acme", member); err != nil {
		t.Fatal(err)
	}
	_, err := w.s.AssignOwner(t.Context(), who(requester), "acme", member, second)
	if no := w.wantRefusal(err, commands.ClaimWaits); no.Args["owner"] != ownerUser || no.Args["by"] != ownerUser {
		t.Errorf("the refusal names %v, want who claimed", no.Args)
	}
	if o, err := w.st.Owner(t.Context(), "acme", member); err != nil || o.Claim != ownerUser {
		t.Errorf("the claim is %q, %v", o.Claim, err)
	}
	if o, err := w.s.AssignOwner(t.Context(), who(approver), "acme", member, second); err != nil || o.Claim != second {
		t.Errorf("an approver named %q, %v", o.Claim, err)
	}
	if o, err := w.s.AssignOwner(t.Context(), who(approver), "acme", member, ownerUser); err != nil || o.Claim != ownerUser {
		t.Errorf("who made the claim changed it to %q, %v", o.Claim, err)
	}
}

func TestAnOwnerIsWrittenToOnceAnHourAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.Owners = map[posture.AccountID]string{member: ownerUser} })
	w.scan()
	first := w.now()
	if _, err := w.s.InstructMFA(t.Context(), who(requester), string(member)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.at(func() { w.clock = w.clock.Add(5 * time.Minute) })
		_, err := w.s.InstructMFA(t.Context(), who(approver), string(member))
		if no := w.wantRefusal(err, commands.ToldAlready); no.Args["when"] != first.UTC().Format("2006-01-02 15:04 UTC") {
			t.Errorf("it says that the owner was written to at %q", no.Args["when"])
		}
	}
	w.settle()
	if n := len(w.heard(commands.KindOwner)); n != 1 {
		t.Errorf("%d messages within the hour", n)
	}
	w.at(func() { w.clock = w.clock.Add(10 * time.Minute) })
	if _, err := w.s.InstructMFA(t.Context(), who(requester), string(member)); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}
