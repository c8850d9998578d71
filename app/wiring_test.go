package app

import "testing"

func TestEverySourceIsReachedWithItsOwnSourceIdentity(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.AWS = []Source{
		{Name: "acme", Organization: &Organization{ExternalID: "a", SourceIdentity: "rootcheck-acme"}},
		{Name: "lab", Account: &Account{ExternalID: "b", SourceIdentity: "rootcheck-lab"}},
	}
	out := c.awsroot(Options{})
	if o := out.Sources[0].Organization; o.SourceIdentity != "rootcheck-acme" || o.ExternalID != "a" {
		t.Errorf("the organization is reached as %+v", o)
	}
	if a := out.Sources[1].Account; a.SourceIdentity != "rootcheck-lab" || a.ExternalID != "b" {
		t.Errorf("the account is reached as %+v", a)
	}
}
