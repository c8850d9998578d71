package awsroot_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func TestTagsAreLearnedBesideTheScanWhereTheyAreWanted(t *testing.T) {
	r := newRig(t, func(c *awsroot.Config) { c.Sources[0].Organization.Tags = true })
	before := r.inventory(t, "acme")
	if n := r.count("ListTagsForResource", ""); n != 0 {
		t.Errorf("the inventory itself made %d calls for tags", n)
	}
	if err := r.auditor.Learn(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if n := r.count("ListTagsForResource", ""); n != len(before) {
		t.Errorf("%d calls for the tags of %d accounts", n, len(before))
	}
	tagged := 0
	for id, a := range r.inventory(t, "acme") {
		want, _ := r.Account(string(id))
		for k, v := range want.Tags {
			if a.Tags[k] != v {
				t.Errorf("%s has the tag %s=%q, shown as %q", id, k, v, a.Tags[k])
			}
			tagged++
		}
	}
	if tagged == 0 {
		t.Fatal("the organization has no tags, so this proves nothing")
	}
	r.ClearCalls()
	r.advance(time.Hour)
	if err := r.auditor.Learn(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if n := r.count("ListTagsForResource", ""); n != 0 {
		t.Errorf("an hour later %d calls were made for tags that are known", n)
	}
}

func TestTagsAreNotAskedForUnlessTheyAreWanted(t *testing.T) {
	r := newRig(t, nil)
	r.inventory(t, "acme")
	if err := r.auditor.Learn(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if a := r.inventory(t, "acme")[posture.AccountID(awssim.MarketingAccount)]; r.count("ListTagsForResource", "") != 0 || len(a.Tags) != 0 {
		t.Errorf("tags were read although nobody asked for them: %v", a.Tags)
	}
}

func withAliases(role string) func(*awsroot.Config) {
	return func(c *awsroot.Config) {
		c.Sources = c.Sources[:1]
		c.Sources[0].Organization.Aliases, c.Sources[0].Organization.MemberRole = true, role
	}
}

func TestAliasesAreLearnedByTheRoleBesideTheScanWhereTheyAreWanted(t *testing.T) {
	r := newRigAt(t, time.Now(), withAliases("reader"))
	before := r.inventory(t, "acme")
	if err := r.auditor.Learn(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	shut := 0 // accounts that the role cannot be assumed in
	for id := range before {
		switch aliases, roles := r.count("ListAccountAliases", string(id)), r.count("AssumeRole", string(id)); {
		case aliases == 0:
			shut++
		case aliases != 1 || roles != 1:
			t.Errorf("%s took %d roles and %d calls for aliases", id, roles, aliases)
		}
	}
	if shut == 0 || shut == len(before) {
		t.Errorf("of %d accounts %d are shut", len(before), shut)
	}
	named := 0
	for id, a := range r.inventory(t, "acme") {
		want, _ := r.Account(string(id))
		if a.Alias != want.Alias && r.count("ListAccountAliases", string(id)) > 0 {
			t.Errorf("%s has the alias %q, shown as %q", id, want.Alias, a.Alias)
		}
		if a.Alias != "" {
			named++
		}
	}
	if named == 0 {
		t.Fatal("no account has an alias, so this proves nothing")
	}
	// A scan costs the same as without.
	r.ClearCalls()
	r.advance(time.Hour)
	if err := (commands.Scanner{Looker: r.auditor, Now: r.clock}).Scan(t.Context(), []string{"acme"}, 0, bin{}); err != nil {
		t.Fatal(err)
	}
	bare, _ := r.Account(awssim.DelegatedAccount)
	calls := 0
	for _, c := range r.Calls() {
		if c.Account == bare.ID {
			calls++
		}
	}
	if needed(bare) != 2 || calls != 2 || r.count("ListAccountAliases", "") != 0 {
		t.Errorf("a member without credentials took %d calls, and a scan %d for aliases", calls, r.count("ListAccountAliases", ""))
	}
	if err := r.auditor.Learn(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if n := r.count("ListAccountAliases", ""); n != 0 {
		t.Errorf("an hour later %d calls were made for aliases that are known", n)
	}
}

func TestAliasesAreNotAskedForUnlessTheyAreWantedAndThereIsARole(t *testing.T) {
	for name, change := range map[string]func(*awsroot.Config){
		"not wanted": func(c *awsroot.Config) { c.Sources[0].Organization.MemberRole = "reader" }, "no role": withAliases(""),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, change)
			r.inventory(t, "acme")
			if err := r.auditor.Learn(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			if n := r.count("ListAccountAliases", "") + r.count("AssumeRole", ""); n != 0 {
				t.Errorf("%d calls were made", n)
			}
		})
	}
}
