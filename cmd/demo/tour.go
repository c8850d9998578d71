package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// The people of the tour.
const (
	ana  = slacksim.UserAna // asks
	ben  = slacksim.UserBen // confirms
	yuna = slacksim.UserCho // confirms, by the user group
	kim  = slacksim.UserKim // owns an account, reads Korean
	gabi = slacksim.UserGuest
	room = slacksim.ChannelRoot
)

// step is one line of a story: what happens, and whether it did.
type step struct {
	says string
	does func(context.Context) error
}

type story struct {
	name  string
	steps []step
}

// tour plays every story and prints each step. Its error is the first step that did not hold.
func (s *stage) tour(ctx context.Context, out io.Writer) error {
	sc := &script{base: s.base, client: &http.Client{Timeout: 30 * time.Second}, out: out}
	began := time.Now()
	steps := 0
	if err := sc.sees(ana, "remediation.deactivate", member)(ctx); err != nil {
		return fmt.Errorf("the first check never ended: %w", err)
	}
	for _, st := range []story{
		s.lookStory(sc), s.memberStory(sc), s.guidedStory(sc), s.labStory(sc), s.managementStory(sc), s.mfaStory(sc), s.endStory(sc),
	} {
		if !strings.Contains(st.name, s.flags.Only) {
			continue
		}
		say(out, "\n%s\n", st.name)
		for _, step := range st.steps {
			if err := step.does(ctx); err != nil {
				say(out, "  NO   %s\n", step.says)
				s.lastRecords(ctx, out)
				return fmt.Errorf("%s: %s: %w", st.name, step.says, err)
			}
			say(out, "  ok   %s\n", step.says)
			steps++
		}
	}
	say(out, "\nEvery step held: %d steps in %s.\n", steps, time.Since(began).Round(time.Second))
	return nil
}

// records reads the audit log beside the running bot, as an auditor does.
func (s *stage) records(ctx context.Context, q commands.AuditQuery) ([]audit.Leaf, error) {
	db, err := store.OpenReadOnly(ctx, store.Config{URL: s.database, Now: s.clock.Now})
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // It was only read.
	return db.Audit(ctx, q)
}

// lastRecords shows what the audit log says of the moments before a step did not hold.
func (s *stage) lastRecords(ctx context.Context, out io.Writer) {
	leaves, err := s.records(ctx, commands.AuditQuery{Limit: 12})
	if err != nil {
		say(out, "       the audit log could not be read: %v\n", err)
	}
	_ = s.look(ctx, func(db *store.Store) error {
		open, err := db.Requests(ctx, commands.RequestQuery{Open: true})
		for _, r := range open {
			say(out, "       request on %s: %s, watched %s of %s, read %s\n", r.Account, r.State, r.Watched, r.Policy.Watch, r.ReadAt.Format(time.RFC3339))
		}
		return err
	})
	for _, l := range leaves {
		say(out, "       %4d %s %s %s %s %s>%s %s %v\n", l.Seq, l.At.Format(time.RFC3339), l.Actor, l.Action, l.Outcome, l.From, l.To, l.Reason, l.Detail)
	}
}

// refused asserts that a refusal is on record, by whom and why.
func (s *stage) refused(sc *script, user, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, fmt.Sprintf("the audit log says that %s was refused (%s)", user, reason), func(ctx context.Context) (bool, error) {
			leaves, err := s.records(ctx, commands.AuditQuery{Limit: 50})
			for _, l := range leaves {
				if l.Outcome == audit.OutcomeRefused && l.Actor.ID == user && l.Reason == reason {
					return true, nil
				}
			}
			return false, err
		})
	}
}

// all runs several things as one step.
func all(fs ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, f := range fs {
			if err := f(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func (sc *script) types(user, text string) func(context.Context) error {
	return func(ctx context.Context) error { return sc.command(ctx, user, room, text) }
}

func (sc *script) wait(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error { return sc.advance(ctx, d) }
}

func (sc *script) week(ctx context.Context) error { return sc.days(ctx, 9) }

// sees asserts that a message stands where the user can see it: in the channel or a DM, or to them alone.
func (sc *script) sees(user, action, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, fmt.Sprintf("%s sees %s for %s", user, action, account), func(ctx context.Context) (bool, error) {
			st, err := sc.slack(ctx)
			if err != nil {
				return false, err
			}
			_, ok := st.find(user, action, account)
			return ok, nil
		})
	}
}

// told asserts that the user got an answer that only they see since a moment.
func (sc *script) told(user string, before *int) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, user+" is told why", func(ctx context.Context) (bool, error) {
			n, err := sc.whispers(ctx, user)
			return n > *before, err
		})
	}
}

func (sc *script) whispers(ctx context.Context, user string) (int, error) {
	st, err := sc.slack(ctx)
	n := 0
	for _, ch := range st.Channels {
		for _, m := range ch.Messages {
			if m.Ephemeral == user {
				n++
			}
		}
	}
	for _, v := range st.Views {
		if v.User == user {
			n++ // a modal that says why counts as an answer
		}
	}
	return n, err
}

// ask presses a button on the account's card and fills in the form that opens.
func (sc *script) ask(user, action, account string, fields map[string]string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := sc.press(ctx, user, action, account); err != nil {
			return err
		}
		wrong, err := sc.fill(ctx, user, fields)
		if err != nil {
			return err
		}
		if len(wrong) > 0 {
			return fmt.Errorf("the form says %v", wrong)
		}
		return nil
	}
}

// wrong fills in the open form and asserts that a field is refused.
func (sc *script) wrong(user, field string, fields map[string]string) func(context.Context) error {
	return func(ctx context.Context) error {
		errs, err := sc.fill(ctx, user, fields)
		if err != nil {
			return err
		}
		if errs[field] == "" {
			return fmt.Errorf("the field %s was not refused: %v", field, errs)
		}
		return nil
	}
}

func (sc *script) confirm(user, account string) func(context.Context) error {
	return sc.ask(user, "remediation.confirm", account, nil)
}

// aws asserts something of an account in AWS.
func (sc *script) aws(account, what string, holds func(awsAccount) bool) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, what, func(ctx context.Context) (bool, error) {
			a, err := sc.account(ctx, account)
			return err == nil && holds(a), err
		})
	}
}

// deletedOnce asserts that one deletion of a root key has had an effect in an account, by AWS's own record.
func (s *stage) deletedOnce(account string) func(context.Context) error {
	return func(context.Context) error {
		got := 0
		for _, c := range s.aws.Effects() {
			if c.Action == "DeleteAccessKey" && c.Account == account {
				got++
			}
		}
		if got != 1 {
			return fmt.Errorf("AWS counts %d deletions in %s, want one", got, account)
		}
		return nil
	}
}

func (s *stage) lookStory(sc *script) story {
	return story{"Looking", []step{
		{"the first check ends and cards stand in the channel", sc.sees(ana, "remediation.deactivate", awssim.PaymentsAccount)},
		{"Ana asks /rootcheck and sees every account, what fails first", sc.types(ana, "")},
		{"Ana asks for one account by name", sc.types(ana, "acme-payments")},
		{"Ana asks for the keys", sc.types(ana, "keys")},
		{"Ana asks for a guide", sc.types(ana, "guide rotation")},
		{"Ana misspells a word and is told the nearest", sc.types(ana, "digset")},
		{"Ana asks for the status", sc.types(ana, "status")},
		{"a guest asks and is refused", all(sc.types(gabi, ""), s.refused(sc, gabi, "guest"))},
		{"the digest is posted on request", sc.types(ana, "digest")},
	}}
}

const (
	member     = awssim.PaymentsAccount
	unblocked  = awssim.DataAccount
	lab        = awssim.LabAccount
	management = awssim.ManagementAccount
	noMFA      = awssim.MarketingAccount
)

func last4(id string) string { return id[len(id)-4:] }

func (s *stage) memberStory(sc *script) story {
	a, _ := s.aws.Account(member)
	key := a.Root.Keys[0].ID
	var told int
	var old control
	blocked := sc.aws(member, "the root user is blocked", func(a awsAccount) bool { return a.Quarantined })
	free := sc.aws(member, "the root user is free", func(a awsAccount) bool { return !a.Quarantined })
	request := sc.ask(ben, "remediation.deactivate", member, map[string]string{"reason": "Left over from a migration.", "key": last4(key)})
	return story{"A member account: block, watch, reactivate, block again, watch, delete", []step{
		{"Ana asks to block the root user; the wrong last four are refused", all(
			func(ctx context.Context) error {
				return sc.press(ctx, ana, "remediation.deactivate", member)
			},
			sc.wrong(ana, "key", map[string]string{"reason": "Left over from a migration.", "key": "ZZZZ"}),
			func(ctx context.Context) error { return sc.leave(ctx, ana) }, s.refused(sc, ana, "wrong_key"))},
		{"with the right ones it waits for a second person", all(request, sc.sees(yuna, "remediation.confirm", member))},
		{"Yuna is called to it in the card's thread, and nobody else", sc.calls(member, yuna)},
		{"Ben may not confirm his own request", all(s.count(sc, ben, &told), s.own(sc, ben, member), s.refused(sc, ben, "own"))},
		{"Ana, who may ask, may not confirm", all(s.count(sc, ana, &told), s.own(sc, ana, member), sc.told(ana, &told), s.refused(sc, ana, "not_approver"))},
		{"a guest may not confirm it", all(s.tryConfirm(sc, gabi, member), s.refused(sc, gabi, "guest"))},
		{"nothing has happened in AWS", free},
		{"Yuna confirms, and the root user is blocked", all(s.remember(sc, &old, member), sc.confirm(yuna, member), blocked, sc.sees(ana, "remediation.reactivate", member))},
		{"Yuna's second click on the same button is answered, and changes nothing", all(s.again(sc, yuna, &old), s.refused(sc, yuna, "outdated"))},
		{"Ben's click on the outdated card is answered, and changes nothing", all(s.again(sc, ben, &old), s.refused(sc, ben, "outdated"))},
		{"the watch begins; AWS still says that the key is active", all(sc.wait(time.Hour), sc.aws(member, "the key is active", func(a awsAccount) bool { return a.key("Active").ID == key }))},
		{"after two days Ana asks to lift the block for good, and Yuna confirms", all(
			func(ctx context.Context) error { return sc.days(ctx, 2) },
			sc.ask(ana, "remediation.reactivate", member, map[string]string{"reason": "A nightly job used it after all."}), sc.confirm(yuna, member), free)},
		{"Ben blocks it again", all(sc.sees(ben, "remediation.deactivate", member), request, sc.confirm(yuna, member), blocked, sc.sees(ana, "remediation.reactivate", member))},
		{"the watch runs for its window", sc.week},
		{"the deletion wants the whole key id", all(
			func(ctx context.Context) error {
				return sc.press(ctx, ana, "remediation.delete", member)
			},
			sc.wrong(ana, "key", map[string]string{"reason": "Unused for a week.", "key": last4(key), "override": "The job that used it was moved to a role."}),
			func(ctx context.Context) error { return sc.leave(ctx, ana) })},
		{"a deletion that nobody confirms expires", all(
			sc.ask(ana, "remediation.delete", member, map[string]string{"reason": "Unused for a week.", "key": key, "override": "The job that used it was moved to a role."}),
			s.remember(sc, &old, member), sc.wait(25*time.Hour), s.again(sc, ben, &old), s.refusedAny(sc, ben, "expired", "outdated", "not_now"))},
		{"with it typed and Yuna's confirmation the key is deleted", all(
			sc.ask(ana, "remediation.delete", member, map[string]string{"reason": "Unused for a week.", "key": key, "override": "The job that used it was moved to a role."}),
			sc.confirm(yuna, member), sc.aws(member, "there is no key", func(a awsAccount) bool { return len(a.Root.Keys) == 0 }), s.deletedOnce(member))},
		{"two clean readings verify it, and the block is lifted", all(sc.wait(20*time.Second), sc.wait(20*time.Second), free)},
	}}
}

func (s *stage) guidedStory(sc *script) story {
	a, _ := s.aws.Account(unblocked)
	key := ""
	for _, k := range a.Root.Keys {
		if k.Status == "Active" {
			key = k.ID
		}
	}
	return story{"A member account that is never blocked: the owner deactivates, the bot deletes", []step{
		{"Ana asks, Ben confirms, and nothing in AWS changes by itself", all(
			sc.ask(ana, "remediation.deactivate", unblocked, map[string]string{"reason": "Nobody knows what it is for.", "key": last4(key)}),
			sc.confirm(ben, unblocked), sc.sees(ana, "remediation.done", unblocked),
			sc.aws(unblocked, "the key is active", func(a awsAccount) bool { return a.key("Active").ID == key }))},
		{"the owner deactivates it in the console and says Done", all(
			s.keyLever(sc, unblocked, key, "deactivate"), sc.wait(5*time.Second), s.tap(sc, ana, "remediation.done", unblocked))},
		{"the bot sees it inactive and watches it", all(sc.week, sc.sees(ana, "remediation.delete", unblocked))},
		{"deleted by a privileged session, with the whole key id and Ben's confirmation", all(
			sc.ask(ana, "remediation.delete", unblocked, map[string]string{"reason": "Unused for a week.", "key": key}),
			sc.confirm(ben, unblocked),
			sc.aws(unblocked, "the key is gone", func(a awsAccount) bool { return len(a.Root.Keys) == 1 && a.Root.Keys[0].ID != key }), s.deletedOnce(unblocked))},
		{"two clean readings verify it", all(sc.wait(20*time.Second), sc.wait(20*time.Second))},
	}}
}

func (s *stage) labStory(sc *script) story {
	other, signs := awssim.LabOtherAccessKeyID, awssim.LabAccessKeyID
	has := func(id, status string) func(awsAccount) bool {
		return func(a awsAccount) bool {
			for _, k := range a.Root.Keys {
				if k.ID == id {
					return k.Status == status
				}
			}
			return status == ""
		}
	}
	return story{"A single account with root credentials: the other key is deleted, the one that signs is its owner's", []step{
		{"Ana asks to deactivate the other key, Yuna confirms, and it is inactive", all(
			s.askKey(sc, ana, lab, other), sc.confirm(yuna, lab), sc.aws(lab, "the other key is inactive", has(other, "Inactive")), sc.sees(ana, "remediation.reactivate", lab))},
		{"the watch runs for its window", all(sc.wait(5*time.Hour), sc.week)},
		{"it is deleted with the whole key id and Ben's confirmation", all(
			sc.ask(ana, "remediation.delete", lab, map[string]string{"reason": "Unused for a week.", "key": other}),
			sc.confirm(ben, lab), sc.aws(lab, "the other key is gone", has(other, "")), s.deletedOnce(lab))},
		{"two clean readings verify it", all(sc.wait(20*time.Second), sc.wait(20*time.Second), sc.wait(time.Hour))},
		{"the key that signs is guided: it could strand itself", all(
			s.askKey(sc, ana, lab, signs), sc.confirm(ben, lab), sc.sees(ana, "remediation.done", lab),
			sc.aws(lab, "the signing key is active", has(signs, "Active")))},
	}}
}

func (s *stage) managementStory(sc *script) story {
	a, _ := s.aws.Account(management)
	key := a.Root.Keys[0].ID
	return story{"The management account: guided throughout", []step{
		{"Ana asks by typing the account id, Ben confirms, the owner is asked", all(
			sc.ask(ana, "remediation.deactivate", management, map[string]string{"reason": "No key belongs here.", "account": management}),
			sc.confirm(ben, management), sc.sees(ana, "remediation.done", management))},
		{"the owner deactivates it in the console and says Done", all(
			s.keyLever(sc, management, key, "deactivate"), sc.wait(5*time.Second), s.tap(sc, ana, "remediation.done", management))},
		{"the bot sees it in the next credential report, hours later, and watches", all(sc.wait(5*time.Hour), sc.week, sc.sees(ana, "remediation.delete", management))},
		{"Ana asks to delete, Yuna confirms, the owner is asked", all(
			sc.ask(ana, "remediation.delete", management, map[string]string{"reason": "Unused for a week.", "account": management}),
			sc.confirm(yuna, management), sc.sees(ana, "remediation.done", management))},
		{"the owner deletes it in the console and says Done; the flag turns 0 and it is verified", all(
			s.keyLever(sc, management, key, "delete"), sc.wait(5*time.Second), s.tap(sc, ana, "remediation.done", management),
			sc.wait(20*time.Second), sc.wait(20*time.Second), s.verified(sc, management))},
	}}
}

func (s *stage) mfaStory(sc *script) story {
	return story{"A missing MFA: the owner is guided in Korean", []step{
		{"Ana sends the owner the steps", all(sc.types(ana, "mfa "+noMFA), sc.sees(kim, "owner.device", noMFA))},
		{"the owner picks a passkey and gets the console's steps", all(s.tap(sc, kim, "owner.device", noMFA), sc.sees(kim, "owner.done", noMFA))},
		{"Done before anything was registered is answered, and resolves nothing", all(s.tap(sc, kim, "owner.done", noMFA), s.answered(sc, noMFA))},
		{"the owner registers a passkey in the console", s.lever(sc, "/control/aws/mfa", map[string]string{"account": noMFA, "kind": "passkey", "do": "add"})},
		{"Done is answered within seconds, and the finding is resolved", all(s.tap(sc, kim, "owner.done", noMFA), s.finished(sc, noMFA))},
	}}
}
