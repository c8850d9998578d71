package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

// look reads the store beside the running bot.
func (s *stage) look(ctx context.Context, f func(*store.Store) error) error {
	db, err := store.OpenReadOnly(ctx, store.Config{URL: s.database, Now: s.clock.Now})
	if err != nil {
		return err
	}
	return errors.Join(f(db), db.Close())
}

func (s *stage) count(sc *script, user string, n *int) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		*n, err = sc.whispers(ctx, user)
		return err
	}
}

// tryConfirm presses Confirm and whatever follows from it, expecting to be refused somewhere on the way.
func (s *stage) tryConfirm(sc *script, user, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := sc.press(ctx, user, "remediation.confirm", account); err != nil {
			return err
		}
		return sc.leave(ctx, user)
	}
}

// own goes the whole way of confirming one's own request: the button, and the form if one opens.
func (s *stage) own(sc *script, user, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := sc.press(ctx, user, "remediation.confirm", account); err != nil {
			return err
		}
		soon, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if _, err := sc.form(soon, user); err == nil {
			if _, err := sc.fill(ctx, user, nil); err != nil {
				return err
			}
		}
		return sc.leave(ctx, user)
	}
}

func (s *stage) remember(sc *script, c *control, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, "a confirmation is asked for", func(ctx context.Context) (bool, error) {
			st, err := sc.slack(ctx)
			if err != nil {
				return false, err
			}
			var ok bool
			*c, ok = st.find(ben, "remediation.confirm", account)
			return ok, nil
		})
	}
}

func (s *stage) again(sc *script, user string, c *control) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := sc.click(ctx, user, *c, true); err != nil {
			return err
		}
		return sc.leave(ctx, user)
	}
}

func (s *stage) refusedAny(sc *script, user string, reasons ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, "the audit log says that "+user+" was refused", func(ctx context.Context) (bool, error) {
			leaves, err := s.records(ctx, commands.AuditQuery{Limit: 5})
			for _, l := range leaves {
				if l.Outcome == audit.OutcomeRefused && l.Actor.ID == user && slices.Contains(reasons, l.Reason) {
					return true, nil
				}
			}
			return false, err
		})
	}
}

// tap presses a button that opens no form.
func (s *stage) tap(sc *script, user, action, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.press(ctx, user, action, account)
	}
}

func (s *stage) lever(sc *script, path string, order map[string]string) func(context.Context) error {
	return func(ctx context.Context) error { return sc.post(ctx, path, order, nil) }
}

func (s *stage) keyLever(sc *script, account, key, do string) func(context.Context) error {
	return s.lever(sc, "/control/aws/key", map[string]string{"account": account, "key_id": key, "do": do})
}

// askKey asks for one of several keys of an account. The scan knows them by their creation date only; the form, which
// reads AWS, by their ids.
func (s *stage) askKey(sc *script, user, account, key string) func(context.Context) error {
	return func(ctx context.Context) error {
		a, ok := s.aws.Account(account)
		if !ok {
			return fmt.Errorf("there is no account %s", account)
		}
		created := ""
		for _, k := range a.Root.Keys {
			if k.ID == key {
				created = k.Created.UTC().Format("2006-01-02")
			}
		}
		if err := sc.pressOn(ctx, user, "the card names the key of "+created, func(st slackState) (control, bool) {
			return st.keyControl(account, created)
		}); err != nil {
			return err
		}
		wrong, err := sc.fill(ctx, user, map[string]string{"reason": "Not needed any more.", "key": last4(key), "account": account})
		if err == nil && len(wrong) > 0 {
			err = fmt.Errorf("the form says %v", wrong)
		}
		return err
	}
}

// keyControl finds the button of one key among several by what its label for screen readers says.
func (st slackState) keyControl(account, created string) (control, bool) {
	for _, ch := range st.Channels {
		for _, m := range slices.Backward(ch.Messages) {
			if m.Ephemeral != "" || !m.names(account) {
				continue
			}
			for _, b := range m.Blocks {
				for _, e := range elements(b) {
					c := control{slackMessage: m}
					c.Action, _ = e["action_id"].(string)
					c.Block, _ = b["block_id"].(string)
					c.Value, _ = e["value"].(string)
					label, _ := e["accessibility_label"].(string)
					c.channel = ch.ID
					if strings.HasPrefix(c.Action, "remediation.deactivate") && containsAll(label, created) && containsAll(c.Value, account) {
						return c, true
					}
				}
			}
		}
	}
	return control{}, false
}

func (s *stage) verified(sc *script, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, "the request on "+account+" is verified", func(ctx context.Context) (held bool, err error) {
			err = s.look(ctx, func(db *store.Store) error {
				requests, unread := db.Requests(ctx, commands.RequestQuery{Account: posture.AccountID(account), Limit: 1})
				held = unread == nil && len(requests) == 1 && requests[0].State == remediation.Verified
				return unread
			})
			return held, err
		})
	}
}

// answered waits until a Done is on record, which it is after AWS was read for it: what is registered after it must not
// answer it.
func (s *stage) answered(sc *script, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, "Done on "+account+" was answered", func(ctx context.Context) (bool, error) {
			leaves, err := s.records(ctx, commands.AuditQuery{Account: account, Limit: 20})
			return slices.ContainsFunc(leaves, func(l audit.Leaf) bool {
				return l.Action == audit.OwnerConfirmed && l.Detail["what"] == "mfa_done"
			}), err
		})
	}
}

// finished asserts that root-mfa passes in the store, which every card is drawn from.
func (s *stage) finished(sc *script, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, "root-mfa passes for "+account, func(ctx context.Context) (held bool, err error) {
			err = s.look(ctx, func(db *store.Store) error {
				l, unread := db.Look(ctx, "", posture.AccountID(account))
				for _, f := range l.Findings {
					held = held || f.Control == posture.RootMFA && f.Status == posture.Passed
				}
				return unread
			})
			return held, err
		})
	}
}

func (s *stage) endStory(sc *script) story {
	return story{"In the end", []step{
		{"no channel and no group was pinged, and nobody saw an error", func(ctx context.Context) error { return sc.quiet(ctx) }},
		{"the audit log verifies from its first record to its last", s.verify},
	}}
}

func (sc *script) quiet(ctx context.Context) error {
	st, err := sc.slack(ctx)
	if err != nil {
		return err
	}
	for _, e := range st.Errors {
		return fmt.Errorf("%s saw %q", e.User, e.What)
	}
	for _, ch := range st.Channels {
		for _, m := range ch.Messages {
			for _, who := range m.Pings {
				if m.Ephemeral == "" && strings.HasPrefix(fmt.Sprint(who), "<!") {
					return fmt.Errorf("a message pings %s: %q", who, m.Text)
				}
			}
		}
	}
	return nil
}

// calls asserts that a line in the thread of an account's card notifies the user of something, and nobody else.
func (sc *script) calls(account, user string) func(context.Context) error {
	return func(ctx context.Context) error {
		return sc.until(ctx, user+" alone is called for "+account, func(ctx context.Context) (bool, error) {
			st, err := sc.slack(ctx)
			for _, ch := range st.Channels {
				for _, m := range ch.Messages {
					if m.ThreadTS != "" && m.names(account) && len(m.Pings) == 1 && m.Pings[0] == "<@"+user+">" {
						return true, nil
					}
				}
			}
			return false, err
		})
	}
}

func (s *stage) verify(ctx context.Context) error {
	found, err := app.VerifyAudit(ctx, s.config, app.VerifyOptions{Now: s.clock.Now})
	switch {
	case err != nil:
		return err
	case !found.OK() || found.Records == 0 || found.Published == 0 || found.Unchecked != "":
		return fmt.Errorf("of %d records and %d published heads: %v %s", found.Records, found.Published, found.Findings, found.Unchecked)
	default:
		return nil
	}
}

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if p == "" || !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
