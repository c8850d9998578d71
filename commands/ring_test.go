package commands_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// asked opens a request for the member's key.
func (w *world) asked() remediation.Request {
	w.t.Helper()
	r, err := w.s.RequestDeactivate(w.t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) ring(id remediation.RequestID) commands.Ring {
	w.t.Helper()
	g, err := w.s.Ring(w.t.Context(), w.request(id))
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// join adds people to the workspace, and returns their ids.
func (w *world) join(people ...commands.Person) []string {
	var ids []string
	w.at(func() {
		for _, p := range people {
			if p.Team == "" {
				p.Team = team
			}
			w.people[p.User] = p
			ids = append(ids, p.User)
		}
	})
	return ids
}

func crowd(n int) []commands.Person {
	var all []commands.Person
	for i := range n {
		all = append(all, commands.Person{User: fmt.Sprintf("U0CROWD%02d", i), Email: fmt.Sprintf("crowd%02d@example.com", i)})
	}
	return all
}

func TestExactlyThoseWhoMayConfirmAreCalled(t *testing.T) {
	t.Parallel()
	users := func(ids ...string) commands.Ring { return commands.Ring{Open: true, Users: ids} }
	for name, c := range map[string]struct {
		approvers commands.People
		change    func(*world)
		policy    func(*remediation.Policy)
		want      commands.Ring
	}{
		"the approvers, and not the approver who asked": {
			approvers: commands.People{Users: []string{approver, requester, second}}, want: users(approver, second),
		},
		"the members of a group, once each": {
			approvers: commands.People{Users: []string{second}, Groups: []string{groupID}},
			change:    func(w *world) { w.groups[groupID] = []string{requester, second, approver} }, want: users(second, approver),
		},
		"no guest, nobody who left, no bot, nobody of another company and nobody unknown": {
			approvers: commands.People{Users: []string{guest, "U0GONE", "U0ROBOT", "U0OTHER", "U0UNKNOWN", approver}},
			change: func(w *world) {
				for _, p := range []commands.Person{
					{User: "U0GONE", Team: team, Deleted: true}, {User: "U0ROBOT", Team: team, Bot: true}, {User: "U0OTHER", Team: "T0000ELSE"},
				} {
					w.people[p.User] = p
				}
			},
			want: users(approver),
		},
		"no second account of whoever asked": {
			approvers: commands.People{Users: []string{"U0REQUEST2", approver}},
			change: func(w *world) {
				w.people["U0REQUEST2"] = commands.Person{User: "U0REQUEST2", Team: team, Email: "u0request@EXAMPLE.com"}
			},
			want: users(approver),
		},
		"nobody where the one approver asked": {
			approvers: commands.People{Users: []string{requester}}, want: commands.Ring{Open: true},
		},
		"nobody where the one approver asked and may confirm alone": {
			approvers: commands.People{Users: []string{requester}}, policy: func(p *remediation.Policy) { p.TwoPerson = false }, want: commands.Ring{Open: true},
		},
		"the one approver, where somebody else asked": {
			approvers: commands.People{Users: []string{approver}}, policy: func(p *remediation.Policy) { p.TwoPerson = false }, want: users(approver),
		},
		"nobody in a channel that another company sees": {
			approvers: commands.People{Users: []string{approver}}, change: func(w *world) { w.broken["channel"] = true }, want: commands.Ring{Open: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(cfg *commands.Config) {
				cfg.Approvers, cfg.Requesters = c.approvers, commands.People{Users: []string{requester}}
				if c.policy != nil {
					c.policy(&cfg.Policy)
				}
			})
			w.scan()
			r := w.asked()
			if c.change != nil {
				w.at(func() { c.change(w) })
			}
			if diff := cmp.Diff(c.want, w.ring(r.ID)); diff != "" {
				t.Errorf("called (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoConfirmedIsNotCalledToTheSameStepAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.Policy.DeleteApprovals = 2 })
	w.scan()
	id := w.deactivated(member, keyOne)
	w.pass(8 * 24 * time.Hour)
	r := w.deleteAsked(id, keyOne)
	if got := w.ring(id).Users; !slices.Equal(got, []string{approver, second}) {
		t.Errorf("%v are called to the deletion, want both approvers", got)
	}
	if _, err := w.s.Confirm(t.Context(), who(approver), id, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	if got := w.ring(id).Users; !slices.Equal(got, []string{second}) {
		t.Errorf("after one confirmation %v are called, want the other approver", got)
	}
}

func TestNobodyIsCalledToWhatCannotBeConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r := w.asked()
	if err := w.s.Pause(t.Context(), who(approver), "looking into it"); err != nil {
		t.Fatal(err)
	}
	if got := w.ring(r.ID); !got.Held || got.Open || !got.Nobody() {
		t.Errorf("during a pause %+v are called", got)
	}
	if err := w.s.Resume(t.Context(), who(second), commands.AnyPause); err != nil {
		t.Fatal(err)
	}
	if got := w.ring(r.ID); got.Held || len(got.Users) != 2 {
		t.Errorf("after the pause %+v are called", got)
	}
	if _, err := w.s.Confirm(t.Context(), who(approver), r.ID, r.Version, ""); err != nil {
		t.Fatal(err)
	}
	if got := w.ring(r.ID); got.Open || got.Held || !got.Nobody() {
		t.Errorf("to what is confirmed %+v are called", got)
	}
}

func TestAnUndoIsCalledForDuringAPauseToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	id := w.deactivated(member, keyOne)
	if _, err := w.s.RequestLift(t.Context(), who(requester), id, w.request(id).Version, "the owner must sign in"); err != nil {
		t.Fatal(err)
	}
	if err := w.s.Pause(t.Context(), who(approver), "looking into it"); err != nil {
		t.Fatal(err)
	}
	if got := w.ring(id); got.Held || len(got.Users) != 2 {
		t.Errorf("%+v are called, want both approvers", got)
	}
}

func TestAsManyAreCalledAsCanBeNamedAndALargeGroupAsAWhole(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, p := range crowd(40) {
		ids = append(ids, p.User)
	}
	many := newWorld(t, func(c *commands.Config) { c.Approvers = commands.People{Users: append(slices.Clone(ids), requester)} })
	many.join(crowd(40)...)
	many.scan()
	if got := many.ring(many.asked().ID); !slices.Equal(got.Users, ids[:10]) || got.More != 30 {
		t.Errorf("%v and %d more are called, want the first ten of forty", got.Users, got.More)
	}

	group := newWorld(t, func(c *commands.Config) {
		c.Approvers = commands.People{Users: []string{approver}, Groups: []string{groupID}}
	})
	members := group.join(crowd(11)...)
	group.at(func() { group.groups[groupID] = members })
	group.scan()
	if diff := cmp.Diff(commands.Ring{Open: true, Users: []string{approver}, Groups: []string{groupID}}, group.ring(group.asked().ID)); diff != "" {
		t.Errorf("called (-want +got):\n%s", diff)
	}
}

func TestWhoCannotBeLookedUpIsMissingAndSaidToBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) {
		c.Approvers = commands.People{Users: []string{approver}, Groups: []string{groupID}}
	})
	w.scan()
	r := w.asked()
	w.at(func() { w.broken["groups"] = true; w.groups[groupID] = []string{second} })
	if got := w.ring(r.ID); !slices.Equal(got.Users, []string{approver}) || got.Unasked == nil {
		t.Errorf("%+v are called, want the named approver, and word of the group", got)
	}
	w.at(func() { w.broken["groups"] = false; w.clock = w.clock.Add(15 * time.Second) })
	if got := w.ring(r.ID); !slices.Equal(got.Users, []string{approver, second}) || got.Unasked != nil {
		t.Errorf("once the group can be read %+v are called", got)
	}
}

func TestAStormOfRequestsLooksTheApproversUpOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r := w.asked()
	looked := 0
	w.boundary = func(name string) {
		if name == "directory.person" {
			looked++
		}
	}
	for range 50 {
		w.ring(r.ID)
	}
	if looked != 2 {
		t.Errorf("%d look-ups for fifty calls, want one for each approver", looked)
	}
	w.at(func() {
		w.people[second] = commands.Person{User: second, Team: team, Deleted: true}
		w.clock = w.clock.Add(time.Minute)
	})
	if got := w.ring(r.ID).Users; !slices.Equal(got, []string{approver}) {
		t.Errorf("a minute after one of them left %v are called", got)
	}
	w.at(func() {
		w.people[approver] = commands.Person{User: approver, Team: team, Guest: true}
		w.clock = w.clock.Add(-time.Hour)
	})
	if got := w.ring(r.ID); !got.Nobody() {
		t.Errorf("after the clock was set back %v are called, who was an approver an hour from now", got.Users)
	}
}

func TestAStepThatAPauseHeldBackIsToldOfAgainOnceTheBotIsResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	r := w.asked()
	if err := w.s.Pause(t.Context(), who(approver), "looking into it"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	before := len(w.heard(commands.KindTell))
	if err := w.s.Resume(t.Context(), who(second), commands.AnyPause); err != nil {
		t.Fatal(err)
	}
	w.settle()
	told := w.heard(commands.KindTell)
	if len(told) != before+1 || told[before].Note != remediation.NoteRequested || told[before].Request != r.ID {
		t.Errorf("after the pause the thread is told %+v, want the step again", told[before:])
	}
	if first, again := told[0], told[before]; first.Version != again.Version {
		t.Errorf("it was version %d and is told as %d: that is another line, which calls a second time", first.Version, again.Version)
	}
}

func TestAKeyThatWasUsedLatelyIsShownInUseBeforeAndAfterAWSIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() { w.accounts[member].keys[0].LastUsed = w.clock.Add(-16 * time.Minute) })
	w.scan()
	for account, want := range map[posture.AccountID]bool{member: true, lab: false} {
		view, err := w.s.View(t.Context(), "acme", account)
		if err != nil || len(view.Keys) != 1 || view.Keys[0].InUse != want {
			t.Errorf("the key of %s is in use: %+v, %v; want %t", account, view.Keys, err, want)
		}
		p, err := w.s.Preview(t.Context(), who(approver), "acme", account, "", "")
		if err != nil || p.InUse != want {
			t.Errorf("once AWS was read, the key of %s is in use: %t, %v; want %t", account, p.InUse, err, want)
		}
	}
}
