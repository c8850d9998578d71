package system_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// hostile are pieces of names that mean something to Slack, to a terminal or to the eye.
func hostile() []string {
	return []string{
		"<!channel> ", "<!here|x>", "<@" + slacksim.UserBen + ">", "<!subteam^" + slacksim.GroupApprovers + ">", "*bold* ", "_i_ ", "~s~", "`code` ", "```block```",
		"<https://evil.example|acme-payments>", "&lt;!everyone&gt;", "\n> quote\n", "\u202eevil\u202c ", "\u2066\u2067", "\u200b\u200d\ufeff", "👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿", "مرحبا ", "{{.Name}} %s %!d(MISSING)", "\x1b[31m", "\u0000\u0007", ":fire: ", "@here #general ", "|", "</b>", "e\u0301\u0301\u0301\u0301",
	}
}

// hostileName is two hundred characters of them, another choice for each account.
func hostileName(i int) string {
	parts := hostile()
	var name []rune
	for k := 0; len(name) < 200; k++ {
		name = append(name, []rune(parts[(i+k*(1+i%7))%len(parts)])...)
	}
	return string(name[:200])
}

// TestAnEstateOfHostileNamesIsShownAndNothingIsRefusedOrPinged runs the bot over accounts whose names try everything, and
// opens every place where a name can stand.
func TestAnEstateOfHostileNamesIsShownAndNothingIsRefusedOrPinged(t *testing.T) {
	if !full() {
		t.Skip("SKIPPED: shows ten thousand accounts one message a second for minutes; set ROOTCHECK_PROOF=full")
	}
	const accounts = 10_000
	for _, locale := range []string{"ko", "en"} {
		t.Run(locale, func(t *testing.T) { hostileEstate(t, locale, accounts) })
	}
}

func hostileEstate(t *testing.T, locale string, accounts int) {
	t.Helper()
	w := newWorld(t, newClock(0), awssim.Config{Accounts: accounts, Seed: 3}, killSettings+"locale: "+locale+"\n")
	for i, id := range w.aws.Accounts() {
		name := hostileName(i)
		w.order("account", map[string]string{"account": id, "name": name, "email": fmt.Sprintf("<!channel>*%d*@example.com", i)}, nil)
		w.order("tag", map[string]string{"account": id, "key": "owner", "value": name}, nil)
	}
	begun := time.Now()
	w.play(func(*app.App) {
		w.until(5*time.Minute, "the first check has ended", func() bool {
			return w.look(func(ctx context.Context, db *store.Store) error { _, err := db.LastRun(ctx); return err }) == nil
		})
		t.Logf("%d accounts scanned in %s", accounts, time.Since(begun).Round(time.Millisecond))
		w.anchored()
		w.everyPlace(awssim.PaymentsAccount)
		w.settledDown()
		w.unharmed()
	})
}

// everyPlace goes wherever a name is shown.
func (w *world) everyPlace(account string) {
	a, _ := w.aws.Account(account)
	for _, text := range []string{
		"", account, a.Name, "keys", "keys " + account, "mfa " + account, "status", "requests", "requests all", "audit " + account, "guide", "guide rotation",
		"help", "digest", "acme " + a.Name[:20],
	} {
		for _, user := range []string{ben, ana} {
			if _, err := w.slack.Command(slacksim.CommandRequest{User: user, Channel: slacksim.ChannelRoot, Command: "/rootcheck", Text: text}); err != nil {
				w.t.Errorf("/rootcheck %q: %v", text, err)
			}
		}
	}
	for _, user := range []string{ana, ben, slacksim.UserKim} {
		if _, err := w.slack.OpenHome(user); err != nil {
			w.t.Error(err)
		}
	}
	place := "acme/" + account + "/"
	for _, press := range [][2]string{
		{"finding.mute", place + string(posture.RootMFA)},
		{"owner.assign", place},
		{"account.show", place},
		{"owner.tell", place},
		{"owner.claim", place},
		{"list.page", "all|2"},
		{"guide.topic", "rotation"},
	} {
		if o := w.click(ben, press[0], press[1]); !o.OK {
			w.t.Errorf("%s: %+v", press[0], o)
		}
		w.leave(ben)
	}
	w.settledDown() // a form wants its three seconds
	w.everyForm(account, a.Root.Keys[0].ID)
}

// everyForm opens the form of each step of a key.
func (w *world) everyForm(account, id string) {
	var name string
	ok(w.t, w.look(func(ctx context.Context, db *store.Store) error {
		l, err := db.Look(ctx, "acme", posture.AccountID(account))
		for _, key := range l.Evidence.Keys.Value {
			name = commands.KeyName(key)
		}
		return err
	}))
	open := func(user, action, value string) {
		for range 5 { // a click that waits behind lists of ten thousand accounts comes too late for its form
			w.click(user, action, value)
			_, opened := w.form(user)
			w.leave(user)
			if opened {
				return
			}
		}
		w.t.Errorf("%s opened no form", action)
	}
	reason := hostileName(5)
	open(ben, "remediation.break_glass", "acme/"+account+"/"+name)
	b := &books{}
	d := w.decide(b, deed{user: ana, account: account, reason: reason}, "remediation.deactivate", "acme/"+account+"/"+name, map[string]string{"key": last4(id)})
	if !d.acked || d.refused {
		w.t.Fatalf("the request was not taken: %+v", d)
	}
	r := w.request(account, remediation.Requested)
	open(ben, "remediation.reject", step(r))
	open(cho, "remediation.confirm", step(r))
	w.decide(b, deed{user: ben, account: account}, "remediation.confirm", step(r), map[string]string{})
	r = w.request(account, remediation.Inactive)
	open(ana, "remediation.lift", step(r))
	w.decide(b, deed{user: ana, account: account, reason: reason}, "remediation.reactivate", step(r), map[string]string{})
	r = w.request(account, remediation.ReactivateRequested)
	open(ben, "remediation.confirm", step(r))
	w.decide(b, deed{user: ben, account: account, reason: reason}, "remediation.reject", step(r), map[string]string{})
}

// request waits until the account's request is in a state.
func (w *world) request(account string, s remediation.State) (found remediation.Request) {
	w.t.Helper()
	var seen []remediation.State
	if !soon(40*time.Second, func() bool {
		seen = nil
		_ = w.look(func(ctx context.Context, db *store.Store) error {
			list, err := db.Requests(ctx, commands.RequestQuery{Account: posture.AccountID(account), Open: true})
			for _, r := range list {
				seen = append(seen, r.State)
				if r.State == s {
					found = r
				}
			}
			return err
		})
		return found.ID != ""
	}) {
		w.t.Fatalf("the request on %s is %v and never %s", account, seen, s)
	}
	return found
}

// settledDown waits until the bot, which posts one message a second, has said nothing for three.
func (w *world) settledDown() {
	before, since := -1, time.Now()
	soon(15*time.Second, func() bool {
		if n := len(w.slack.Calls()); n != before {
			before, since = n, time.Now()
		}
		return time.Since(since) > 3*time.Second && w.slack.Quiet()
	})
}

// unharmed holds that Slack refused nothing, that nobody was pinged by a name, and that no character reached the screen
// that changes how others are read.
func (w *world) unharmed() {
	w.t.Helper()
	outcomes := map[string]int{}
	for _, c := range w.slack.Calls() {
		outcomes[c.Method+" "+c.Outcome]++
		if !slices.Contains([]string{"ok", "users_not_found", "expired_trigger_id"}, c.Outcome) {
			w.t.Errorf("Slack answered %s to %s", c.Outcome, c.Method)
		}
	}
	late := outcomes["views.open expired_trigger_id"]
	if late > 20 {
		w.t.Errorf("%d forms were opened too late", late)
	}
	for _, e := range w.slack.Errors() {
		w.t.Errorf("%s saw %q", e.User, e.What)
	}
	state, _ := w.slack.State()
	var s screens
	ok(w.t, json.Unmarshal(state, &s))
	messages := 0
	for _, c := range s.Channels {
		for _, m := range c.Messages {
			if m.User != slacksim.BotUserID {
				continue
			}
			messages++
			for _, p := range m.Pings {
				if who := fmt.Sprint(p); strings.HasPrefix(who, "<!") {
					w.t.Errorf("a message pings %s: %s", who, m.Text)
				}
			}
			w.readable(m.Text)
			for _, b := range m.Blocks {
				w.readable(b)
			}
		}
	}
	for _, home := range s.Homes {
		for _, b := range home.Blocks {
			w.readable(b)
		}
	}
	if messages < 10 || len(s.Homes) < 2 {
		w.t.Errorf("only %d messages and %d Home tabs were looked at", messages, len(s.Homes))
	}
	w.t.Logf("%d messages; calls: %v", messages, outcomes)
}

// readable fails on what hides or turns text, and on a mention that nobody wrote on purpose.
func (w *world) readable(shown any) {
	w.t.Helper()
	switch v := shown.(type) {
	case map[string]any:
		for _, inner := range v {
			w.readable(inner)
		}
	case []any:
		for _, inner := range v {
			w.readable(inner)
		}
	case string:
		for _, word := range []string{
			"<!channel", "<!here", "<!everyone", "<!subteam", "<https://evil", "\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u200b", "\ufeff",
			"\x1b", "\x00", "\x07",
		} {
			if strings.Contains(v, word) {
				w.t.Errorf("%q stands in %.300q", word, v)
			}
		}
	}
}
