package commands_test

import (
	"errors"
	"testing"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestTwelveDigitsAreAnIdWhateverAccountsAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *commands.Config) {
		c.Owners = map[posture.AccountID]string{member: ownerUser, lab: stranger}
	})
	w.accounts[lab].Name, w.accounts[lab].Alias = string(member), "2222-2222-2222"
	w.scan()
	for _, word := range []string{string(member), "2222-2222-2222"} {
		v, err := w.s.Account(t.Context(), who(requester), word)
		if err != nil || v.Look.Evidence.Account.ID != member {
			t.Errorf("%s shows %q, %v; want the account of that id", word, v.Look.Evidence.Account.ID, err)
		}
	}
	w.at(func() { delete(w.accounts, member) })
	w.scan()
	w.scan()
	var no *commands.Refusal
	if v, err := w.s.Account(t.Context(), who(requester), string(member)); !errors.As(err, &no) || no.Code != commands.UnknownAccount {
		t.Errorf("after it left, its id shows %q, %v", v.Look.Evidence.Account.ID, err)
	}
	_, err := w.s.InstructMFA(t.Context(), who(requester), string(member))
	w.wantRefusal(err, commands.UnknownAccount)
	v, err := w.s.AccountAt(t.Context(), who(requester), "acme", lab)
	if err != nil || v.Look.Evidence.Account.ID != lab {
		t.Errorf("a button shows %q, %v", v.Look.Evidence.Account.ID, err)
	}
	_, err = w.s.AccountAt(t.Context(), who(requester), "acme", member)
	w.wantRefusal(err, commands.UnknownAccount)
	if o, err := w.s.InstructMFAAt(t.Context(), who(requester), "acme", lab); err != nil || o.Account != lab || o.User != stranger {
		t.Errorf("a button wrote to the owner of %s, %s: %v", o.Account, o.User, err)
	}
}
