package awsroot_test

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
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
