package commands_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// blindness is a way in which AWS stops telling what it told before.
type blindness struct {
	begin, end func(w *world)
	why        posture.Reason
}

func blindnesses() map[string]blindness {
	return map[string]blindness{
		"the account denies access": {
			begin: func(w *world) { w.accounts[member].gap = &posture.Gap{Reason: posture.ReasonDenied} },
			end:   func(w *world) { w.accounts[member].gap = nil },
			why:   posture.ReasonDenied,
		},
		"its source cannot be listed": {
			begin: func(w *world) {
				w.broken["inventory"] = true
				for _, a := range w.accounts {
					a.gap = &posture.Gap{Reason: posture.ReasonNoCredentials}
				}
			},
			end: func(w *world) {
				w.broken["inventory"] = false
				for _, a := range w.accounts {
					a.gap = nil
				}
			},
			why: posture.ReasonUnknown,
		},
	}
}

func TestKeysThatCannotBeReadAnyMoreAreShownWithTheirAgeAndCauseAndCountedApart(t *testing.T) {
	t.Parallel()
	for name, blind := range blindnesses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.scan()
			read := w.now()
			w.pass(72 * time.Hour)
			w.at(func() { blind.begin(w) })
			w.scan()
			list, err := w.s.Keys(t.Context(), who(requester), "")
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(list.Accounts, func(a commands.AccountView) bool { return a.Look.Evidence.Account.ID == member })
			if at < 0 || at < len(list.Accounts)-list.Unread {
				t.Fatalf("the account stands at %d of %d, of which %d cannot be read", at, len(list.Accounts), list.Unread)
			}
			if list.Coverage.Listed != 3 || list.Coverage.Scanned != 3-list.Unread {
				t.Errorf("the coverage is %+v", list.Coverage)
			}
			l := list.Accounts[at].Look
			last, gap := l.Before[posture.RootAccessKey], l.Unread(posture.RootAccessKey)
			if gap == nil || gap.Reason != blind.why || last.Status != posture.Failed || last.At.After(read) {
				t.Errorf("it was last read as %+v and cannot be read for %+v", last, gap)
			}
			for _, k := range list.Accounts[at].Keys {
				if k.AsOf.IsZero() || k.AsOf.After(read) {
					t.Errorf("key %+v is shown as of %v", k.Key, k.AsOf)
				}
			}
			one, err := w.s.Keys(t.Context(), who(requester), "billing")
			if err != nil || len(one.Accounts) != 1 || one.Unread != 1 {
				t.Errorf("asked for alone it is %+v, %v", one, err)
			}
			w.at(func() { blind.end(w) })
			w.scan()
			list, err = w.s.Keys(t.Context(), who(requester), "")
			if err != nil || len(list.Accounts) != 3 || list.Unread != 0 {
				t.Errorf("once it can be read again %d accounts have keys and %d cannot be read, %v", len(list.Accounts), list.Unread, err)
			}
			for _, a := range list.Accounts {
				if len(a.Keys) != 1 || !a.Keys[0].AsOf.IsZero() || a.Look.Unread(posture.RootAccessKey) != nil {
					t.Errorf("%s is still shown as old: %+v", a.Look.Evidence.Account.ID, a.Keys)
				}
			}
		})
	}
}

func TestNoOwnerIsChasedForWhatCannotBeReadAnyMore(t *testing.T) {
	t.Parallel()
	for name, blind := range blindnesses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := owned(t)
			w.scan()
			if _, err := w.s.ReleaseOwners(t.Context(), who(approver)); err != nil {
				t.Fatal(err)
			}
			w.settle()
			w.at(func() { blind.begin(w) })
			w.scan()
			w.pass(6 * 24 * time.Hour)
			if got := len(w.heard(commands.KindOwner)); got != 1 {
				t.Errorf("%d messages went to the owner of an account that cannot be read", got)
			}
			// That nobody answers is told all the same, once, and with what is not known.
			if got := w.notices(commands.NoticeEscalated); len(got) != 0 {
				t.Errorf("the channel was told %+v as if it were known", got)
			}
			if got := w.notices(commands.NoticeEscalatedUnread); len(got) != 1 || got[0].User != ownerUser || got[0].What == "" && blind.why != "" {
				t.Errorf("the channel was told %+v", got)
			}
			w.at(func() { blind.end(w) })
			w.pass(30 * time.Hour)
			if got := len(w.heard(commands.KindOwner)); got < 2 {
				t.Error("once it can be read again, and still lacks MFA, nobody is reminded")
			}
		})
	}
}

func TestAnOwnerWhoIsDoneIsNotRemindedThoughNoScanHasSeenIt(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.scan()
	if _, err := w.s.ReleaseOwners(t.Context(), who(approver)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.at(func() { w.accounts[member].mfa = true })
	w.pass(26 * time.Hour)
	if got := len(w.heard(commands.KindOwner)); got != 1 {
		t.Errorf("%d messages to somebody who is done", got)
	}
	if o := w.owner(member); o.Stage != commands.OwnerFinished {
		t.Errorf("the owner is %+v", o)
	}
}

func TestAnOwnerWhoIsHeldIsNotWrittenToWhileTheAccountCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, blind := range blindnesses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := owned(t)
			w.scan()
			w.pass(6 * time.Hour)
			w.at(func() { blind.begin(w) })
			w.scan()
			if n, err := w.s.ReleaseOwners(t.Context(), who(approver)); err != nil || n != 0 {
				t.Errorf("%d were written to, %v", n, err)
			}
			w.scan()
			if got := w.heard(commands.KindOwner); len(got) != 0 {
				t.Errorf("the owner was written to: %+v", got)
			}
			w.at(func() { blind.end(w) })
			w.scan()
			told := slices.ContainsFunc(w.audit(commands.AuditQuery{}), func(l audit.Leaf) bool { return l.Action == audit.OwnerInstructed })
			if got := w.heard(commands.KindOwner); len(got) != 1 || !told {
				t.Errorf("once it can be read again the owner was written to %d times", len(got))
			}
		})
	}
}
