package commands_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// many adds members without anything wrong but what change makes so.
func (w *world) many(n int, change func(i int, a *account)) {
	w.at(func() {
		for i := range n {
			id := posture.AccountID(fmt.Sprintf("9%011d", i))
			a := &account{
				Account: posture.Account{ID: id, Source: "acme", Partition: "aws", Name: fmt.Sprintf("team-%03d", i), State: posture.StateActive, Role: posture.RoleMember, Unit: "/teams"},
				means:   commands.Ways{Deactivate: remediation.MeansGuided, Delete: remediation.MeansGuided}, mfa: true,
			}
			change(i, a)
			w.accounts[id] = a
		}
	})
}

func TestAScanSeesEverythingAndSaysWhatItCouldNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(10, func(i int, a *account) {
		if i < 3 {
			a.gap = &posture.Gap{Reason: posture.ReasonSCP}
		}
	})
	run := w.scan()
	if run.Listed != 13 || run.Scanned != 10 || run.Failed != 3 || len(run.Gaps) != 0 {
		t.Errorf("run is %+v", run)
	}
	l, err := w.s.List(t.Context(), who(requester), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if l.Coverage.Listed != 13 || l.Coverage.Scanned != 10 || l.Coverage.Why[posture.ReasonSCP] != 3 || l.Total != 13 || l.First {
		t.Errorf("coverage is %+v of %d", l.Coverage, l.Total)
	}
	if worst := l.Rows[0]; len(worst.Failed) == 0 || worst.Failed[0].Severity != posture.Critical {
		t.Errorf("the first row is %+v", worst)
	}
}

func TestAnAccountThatCannotBeReadAnyMoreShowsWhatWasLastReadAndCountsItForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	seen := func() commands.Look {
		t.Helper()
		v, err := w.s.View(t.Context(), "acme", member)
		if err != nil {
			t.Fatal(err)
		}
		return v.Look
	}
	was, read := seen().Evidence.AccessKeys, w.now()
	w.pass(72 * time.Hour)
	w.at(func() { w.accounts[member].gap = &posture.Gap{Reason: posture.ReasonDenied} })
	run := w.scan()
	if !was.Known() || !was.Value || run.Failed != 1 {
		t.Fatalf("%+v, then %+v", was, run)
	}
	l := seen()
	known := l.LastKnown()
	if len(known) == 0 || known[0].Control != posture.RootAccessKey || known[0].Status != posture.Failed || known[0].At.After(read) {
		t.Errorf("what was last read is %+v", known)
	}
	for _, f := range l.Findings {
		if f.Status == posture.Passed || f.Status == posture.Failed {
			t.Errorf("%s is %s of an account that could not be read", f.Control, f.Status)
		}
	}
	d, err := w.s.Digest(t.Context(), w.now())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Unread) != 1 || d.Unread[0].Account.ID != member || len(d.Unread[0].Before) == 0 || d.Coverage.Why[posture.ReasonDenied] != 1 || len(d.Coverage.Who[posture.ReasonDenied]) != 1 {
		t.Errorf("the digest tells of %+v and %+v", d.Unread, d.Coverage)
	}
}

func TestAnAccountThatWasThrottledIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() { w.accounts[lab].gap = &posture.Gap{Reason: posture.ReasonThrottled} })
	run := w.scan()
	if run.Scanned != 2 || run.Failed != 1 || w.scanned != 2+4 {
		t.Errorf("run %+v after %d looks; want four looks at the throttled account", run, w.scanned)
	}
}

// failing is how many findings of a look fail.
func failing(l commands.Look) (n int) {
	for _, f := range l.Findings {
		if f.Status == posture.Failed {
			n++
		}
	}
	return n
}

func TestNoAccountsOrTooFewAreAnErrorAndLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(20, func(int, *account) {})
	w.scan()
	keep := w.accounts

	w.at(func() { w.accounts, w.clock = map[posture.AccountID]*account{}, w.clock.Add(time.Hour) })
	if run := w.scan(); len(run.Gaps) != 1 || run.Gaps[0].Source != "acme" || run.Listed != 0 {
		t.Errorf("an empty organization gave %+v", run)
	}
	w.at(func() { w.broken["inventory"], w.accounts = true, keep })
	if run := w.scan(); len(run.Gaps) != 1 {
		t.Errorf("an inventory that failed gave %+v", run)
	}
	w.at(func() { w.broken["inventory"] = false })
	l, err := w.s.List(t.Context(), who(requester), "", 0)
	if err != nil || l.Total != 23 {
		t.Fatalf("%d accounts are known, %v; want all 23", l.Total, err)
	}
	if l.Coverage.Scanned != 0 || l.Coverage.Why[posture.ReasonStale] != 23 {
		t.Errorf("of accounts that were looked at before the last run %+v counts", l.Coverage)
	}
	for control, counts := range l.Counts {
		if counts[posture.Passed]+counts[posture.Failed] > 0 {
			t.Errorf("%s is judged by what was read before the last run: %v", control, counts)
		}
	}
	v, err := w.s.View(t.Context(), "acme", member)
	if known := v.Look.LastKnown(); err != nil || len(known) == 0 || known[0].Status != posture.Failed || failing(v.Look) > 0 {
		t.Errorf("the card shows %+v and was last read as %+v, %v", v.Look.Findings, known, err)
	}
	d, err := w.s.Digest(t.Context(), w.now())
	if err != nil || len(d.Unread) != 23 || d.FailingAll != 0 || d.Coverage.Scanned != 0 {
		t.Errorf("the digest tells of %d unread and %d failing accounts, %+v, %v", len(d.Unread), d.FailingAll, d.Coverage, err)
	}
	if len(w.notices(commands.NoticeSourceGap)) != 2 {
		t.Error("the channel was not told of both")
	}
	w.at(func() {
		for i := range 10 {
			delete(w.accounts, posture.AccountID(fmt.Sprintf("9%011d", i)))
		}
	})
	if run := w.scan(); len(run.Gaps) != 1 || run.Listed != 13 {
		t.Errorf("ten fewer gave %+v", run)
	}
	if run := w.scan(); len(run.Gaps) != 0 {
		t.Errorf("ten fewer, and the same again, gave %+v; want it believed", run)
	}
	if l, err = w.s.List(t.Context(), who(requester), "", 0); err != nil || l.Total != 13 {
		t.Errorf("%d accounts are known, %v; want those that are left", l.Total, err)
	}
}

func TestALaterCallerAttachesToTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, err := w.s.CheckNow(t.Context(), who(requester))
	if err != nil {
		t.Fatal(err)
	}
	two, err := w.s.CheckNow(t.Context(), who(approver))
	if err != nil || one.ID != two.ID || one.ID == "" {
		t.Fatalf("runs %q and %q, %v; want one", one.ID, two.ID, err)
	}
	w.settle()
	if last, err := w.st.LastRun(t.Context()); err != nil || last.ID != one.ID || w.scanned != 3 {
		t.Errorf("run %q with %d looks, %v", last.ID, w.scanned, err)
	}
}

func TestARunThatWasLeftBehindIsFinishedWithoutAskingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	w.at(func() { w.clock = w.clock.Add(time.Minute) })
	run, err := w.st.StartRun(t.Context(), commands.Run{ID: "left", Trigger: commands.TriggerSchedule, Started: w.now()})
	if err != nil {
		t.Fatal(err)
	}
	look, err := w.st.Look(t.Context(), "acme", member)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.st.Save(t.Context(), run.ID, []commands.Look{look}); err != nil {
		t.Fatal(err)
	}
	before := w.scanned
	got := w.scan()
	if got.ID != "left" || got.Scanned != 3 || w.scanned-before != 2 {
		t.Errorf("run %+v after %d looks; want the run that was left, and two looks", got, w.scanned-before)
	}
}

func TestNewFindingsGetCardsWithinTheHoursLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.CardsPerHour = 5 })
	w.many(12, func(_ int, a *account) { a.password, a.mfa = true, false })
	w.scan()
	if got := len(w.heard(commands.KindNew)); got != 5 {
		t.Errorf("%d cards, want 5", got)
	}
	if got := w.notices(commands.NoticeGathered); len(got) != 1 || got[0].Count != 10 || len(got[0].Accounts) != 10 {
		t.Errorf("gathered %+v, want the other ten accounts in one message", got)
	}
	w.scan()
	if got := len(w.heard(commands.KindNew)); got != 5 {
		t.Errorf("%d cards after a second look at the same, want no more", got)
	}
	w.at(func() {
		w.clock = w.clock.Add(2 * time.Hour)
		w.accounts["900000000003"].keys = []posture.Key{{ID: "AKIANEWKEY0000000001", Status: posture.KeyActive, Created: w.clock}}
	})
	w.scan()
	if got := w.heard(commands.KindNew); len(got) != 6 || got[5].Account != "900000000003" {
		t.Errorf("cards %+v, want one more for the new key", got)
	}
}

func TestTheHoursCardsSurviveARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.CardsPerHour = 5 })
	w.scan() // three accounts with keys
	w.many(6, func(_ int, a *account) { a.password, a.mfa = true, false })
	w.at(func() { w.clock = w.clock.Add(30 * time.Minute) })
	w.boot()
	w.scan()
	if got := len(w.heard(commands.KindNew)); got != 5 {
		t.Errorf("%d cards within an hour and a restart, want 5", got)
	}
	if got := w.notices(commands.NoticeGathered); len(got) != 1 || got[0].Count != 4 {
		t.Errorf("gathered %+v, want the other four accounts", got)
	}
	w.at(func() { w.clock = w.clock.Add(31 * time.Minute) })
	w.many(8, func(_ int, a *account) { a.password, a.mfa = true, false })
	w.scan()
	if got := len(w.heard(commands.KindNew)); got != 7 {
		t.Errorf("%d cards, want two more when the first three are an hour old", got)
	}
}

func TestTheWorstComeFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) { c.CardsPerHour = 3 })
	w.many(500, func(i int, a *account) {
		a.password, a.mfa = true, false
		if i%200 == 150 {
			a.keys = []posture.Key{{ID: posture.KeyID(fmt.Sprintf("AKIAWORST%011d", i)), Status: posture.KeyActive, Created: w.clock}}
		}
	})
	w.at(func() { // what is left to be worst are the two of the many that have both
		for _, id := range []posture.AccountID{management, member, lab} {
			delete(w.accounts, id)
		}
	})
	w.scan()
	got := w.heard(commands.KindNew)
	if len(got) != 3 || got[0].Account != "900000000150" || got[1].Account != "900000000350" {
		t.Errorf("the cards are for %+v, want the accounts with a key and no MFA first", got)
	}
	if rest := w.notices(commands.NoticeGathered); len(rest) != 1 || rest[0].Count != 497 || len(rest[0].Accounts) != 10 {
		t.Errorf("gathered %+v", rest)
	}
}

func TestWhatIsMutedIsNewWhenTheMuteEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() { w.accounts[member].mfa = true })
	w.scan()
	cards := func() int {
		n := 0
		for _, c := range w.heard(commands.KindNew) {
			if c.Account == member {
				n++
			}
		}
		return n
	}
	before := cards()
	mute := func() error {
		return w.s.Mute(t.Context(), who(requester), "acme", member, posture.RootMFA, "a new phone is on its way", w.now().Add(48*time.Hour))
	}
	w.wantRefusal(mute(), commands.NotFailing)
	w.at(func() { w.accounts[member].mfa = false })
	w.scan()
	if err := mute(); err != nil {
		t.Fatal(err)
	}
	w.at(func() { w.clock = w.clock.Add(47 * time.Hour) })
	w.scan()
	if cards() != before+1 {
		t.Errorf("%d cards, want the one of before the mute", cards()-before)
	}
	w.at(func() { w.clock = w.clock.Add(2 * time.Hour) })
	w.scan()
	if cards() != before+2 {
		t.Errorf("%d cards, want another one when the mute has ended", cards()-before)
	}
	w.scan()
	if cards() != before+2 {
		t.Error("a card for what people were told")
	}
}

func TestADigestTellsOfWhatGetsNoCard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() { w.accounts[member].mfa = true })
	w.scan()
	is := func(c posture.Control, want posture.Workflow) {
		t.Helper()
		l, err := w.st.Look(t.Context(), "acme", member)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range l.Findings {
			if f.Control == c && f.Status == posture.Failed && l.Workflow[c] != want {
				t.Errorf("%s is %q, want %q", c, l.Workflow[c], want)
			}
		}
	}
	is(posture.RootAccessKey, posture.WorkflowNotified)
	is(posture.RootBackupMFA, posture.WorkflowNew)
	is(posture.RootPassword, posture.WorkflowNew)
	d, err := w.s.DrawDigest(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.DigestPosted(t.Context(), "one", d); err != nil {
		t.Fatal(err)
	}
	is(posture.RootBackupMFA, posture.WorkflowNotified)
	is(posture.RootPassword, posture.WorkflowNotified)
	w.at(func() { delete(w.accounts, lab) })
	w.scan()
	w.scan() // two of three accounts are fewer by a tenth, and believed when they come again
	if d, err = w.s.Digest(t.Context(), w.now()); err != nil {
		t.Fatal(err)
	}
	gone := 0
	for _, c := range d.Changes {
		if c.Change == posture.Gone && c.Key.Account == lab {
			gone++
		}
	}
	if gone == 0 || len(d.Changes) != gone {
		t.Errorf("the changes are %+v, want those of the account that left", d.Changes)
	}
}

func TestWordsFindAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(40, func(int, *account) {})
	w.scan()
	for query, want := range map[string]int{"team-0": 40, "billing": 1, "222222222222": 1, "root-access-key failed": 3, "nothing like it": 0} {
		l, err := w.s.List(t.Context(), who(requester), query, 0)
		if err != nil || l.Total != want {
			t.Errorf("%q finds %d, %v; want %d", query, l.Total, err, want)
		}
	}
	l, err := w.s.List(t.Context(), who(requester), "biling", 0)
	if err != nil || l.Nearest != "billing" {
		t.Errorf("nearest is %q, %v", l.Nearest, err)
	}
	l, err = w.s.List(t.Context(), who(requester), "team", 2)
	if err != nil || l.Page != 2 || l.Pages != 3 || len(l.Rows) != 10 {
		t.Errorf("page %d of %d with %d rows, %v", l.Page, l.Pages, len(l.Rows), err)
	}
	_, err = w.s.Account(t.Context(), who(requester), "biling")
	no := refusalOf(t, err)
	if no.Code != commands.UnknownAccount || no.Args["nearest"] != "billing" {
		t.Errorf("the refusal says %+v", no)
	}
	v, err := w.s.Account(t.Context(), who(requester), "2222-2222-2222")
	if err != nil || v.Look.Evidence.Account.ID != member || len(v.Keys) != 1 || v.Keys[0].Deactivate != remediation.MeansOrganization {
		t.Errorf("the view is %+v, %v", v, err)
	}
	keys, err := w.s.Keys(t.Context(), who(requester), "")
	if err != nil || len(keys.Accounts) != 3 || keys.Unread != 0 {
		t.Errorf("%d accounts with keys, %v", len(keys.Accounts), err)
	}
}

func TestLookingIsLimitedPerPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	var err error
	looks := 0
	for ; looks < 100 && err == nil; looks++ {
		_, err = w.s.Status(t.Context(), who(requester))
	}
	no := w.wantRefusal(err, commands.TooSoon)
	if no.Args["wait"] == "" || looks < 5 || looks > 30 {
		t.Errorf("refused after %d looks, wait %q", looks, no.Args["wait"])
	}
	if _, err := w.s.Status(t.Context(), who(approver)); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	w.at(func() { w.clock = w.clock.Add(time.Minute) })
	if _, err := w.s.Status(t.Context(), who(requester)); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestWhatACheckFindsWhileADigestIsPostedIsToldByTheNext(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"posted at once": false, "posted at the second try": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.at(func() { w.accounts[lab].keys = nil })
			w.scan()
			digest := func(between func()) commands.Digest {
				t.Helper()
				occurrence := w.now().Format(time.RFC3339)
				d, err := w.s.DrawDigest(t.Context(), occurrence)
				if err != nil {
					t.Fatal(err)
				}
				between()
				if again {
					if _, err = w.s.DrawDigest(t.Context(), occurrence); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 { // a crash may come before the end of its work is committed
					if _, err = w.s.DigestPosted(t.Context(), occurrence, d); err != nil {
						t.Fatal(err)
					}
					if !again {
						break
					}
					if _, err = w.s.DrawDigest(t.Context(), occurrence); err != nil {
						t.Fatal(err)
					}
				}
				w.at(func() { w.clock = w.clock.Add(24 * time.Hour) })
				return d
			}
			digest(func() {})
			digest(func() {
				w.at(func() {
					w.clock = w.clock.Add(time.Minute)
					w.accounts[lab].keys = []posture.Key{{ID: keyTwo, Status: posture.KeyActive, Created: w.clock}}
				})
				w.scan()
			})
			w.scan()
			third := digest(func() {})
			if !slices.ContainsFunc(third.Changes, func(c posture.Difference) bool {
				return c.Key.Account == lab && c.Key.Control == posture.RootAccessKey && c.Change == posture.New
			}) {
				t.Errorf("nobody is told of the key: %+v", third.Changes)
			}
		})
	}
}

func TestADigestThatIsPostedLetsGoOfWhatOlderOnesWereDrawnWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	draw := func() (string, commands.Digest) {
		t.Helper()
		w.at(func() { w.clock = w.clock.Add(24 * time.Hour) })
		occurrence := w.now().Format(time.RFC3339)
		d, err := w.s.DrawDigest(t.Context(), occurrence)
		if err != nil {
			t.Fatal(err)
		}
		return occurrence, d
	}
	marked := func(mark string) time.Time {
		t.Helper()
		at, _, err := w.st.Marked(t.Context(), mark)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	lost, late := draw()
	posted, d := draw()
	if _, err := w.s.DigestPosted(t.Context(), posted, d); err != nil {
		t.Fatal(err)
	}
	if !marked("drawn/" + lost).IsZero() {
		t.Error("what the lost digest was drawn with is kept")
	}
	told := marked("digest")
	// It comes at last, as after a restart.
	if _, err := w.s.DrawDigest(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.DigestPosted(t.Context(), lost, late); err != nil {
		t.Fatal(err)
	}
	if !marked("digest").Equal(told) || told.IsZero() {
		t.Errorf("the next digest counts from %v, and counted from %v", marked("digest"), told)
	}
	waiting, _ := draw()
	if marked("drawn/" + waiting).IsZero() {
		t.Error("the digest that is about to be posted has lost what it was drawn with")
	}
}

func TestADigestTellsWhatChangedSinceTheLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	first, err := w.s.DrawDigest(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if !first.Since.IsZero() || first.FailingAll != 3 || first.Coverage.Listed != 3 || first.Head == "" || !first.TwoPerson {
		t.Errorf("the first digest is %+v", first)
	}
	if _, err = w.s.DigestPosted(t.Context(), "one", first); err != nil {
		t.Fatal(err)
	}
	watched := w.deactivated(lab, keyTwo)
	r, err := w.s.RequestDeactivate(t.Context(), who(requester), ask(member, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	if err = w.s.Mute(t.Context(), who(requester), "acme", member, posture.RootMFA, "hardware is on its way", w.now().Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.at(func() {
		w.clock = w.clock.Add(time.Hour)
		w.accounts[management].mfa, w.accounts[lab].keys = true, append(w.accounts[lab].keys, posture.Key{ID: "AKIANEWKEY0000000001", Status: posture.KeyActive, Created: w.clock})
	})
	w.scan()
	d, err := w.s.Digest(t.Context(), w.now())
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]posture.Change{}
	for _, c := range d.Changes {
		changes[string(c.Key.Account)+" "+string(c.Key.Control)] = c.Change
	}
	if changes[string(management)+" root-mfa"] != posture.Resolved || changes[string(lab)+" root-access-key"] != posture.Worse {
		t.Errorf("changes are %v", changes)
	}
	if len(d.Pending) != 1 || d.Pending[0].ID != r.ID || len(d.Watching) != 1 || d.Watching[0].ID != watched || d.Muted != 1 {
		t.Errorf("pending %v, watching %v, %d muted", d.Pending, d.Watching, d.Muted)
	}
	if err = w.s.Unmute(t.Context(), who(requester), "acme", member, posture.RootMFA); err != nil {
		t.Fatal(err)
	}
	w.wantRefusal(w.s.Unmute(t.Context(), who(requester), "acme", member, posture.RootMFA), commands.AlreadySo)
	if d, err = w.s.Digest(t.Context(), w.now()); err != nil || d.Muted != 0 {
		t.Errorf("%d muted, %v", d.Muted, err)
	}
	_, waiting, err := w.s.Home(t.Context(), who(approver))
	if err != nil || !slices.ContainsFunc(waiting, func(x remediation.Request) bool { return x.ID == r.ID }) {
		t.Errorf("the approver's home waits for %v, %v", waiting, err)
	}
}

func TestALookBesideARunIsNotLetGoByIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	run, err := w.st.StartRun(t.Context(), commands.Run{ID: "beside", Started: w.now()})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = w.s.MFADone(t.Context(), who(requester), "acme", member); err != nil {
		t.Fatal(err)
	}
	gone, err := w.st.Retire(t.Context(), run.ID, "acme")
	if err != nil || slices.ContainsFunc(gone, func(a posture.Account) bool { return a.ID == member }) {
		t.Errorf("let go of %v, %v", gone, err)
	}
}
