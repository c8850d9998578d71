package awsroot_test

import (
	"context"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// bin is the sink of a scan that keeps nothing.
type bin struct{}

func (bin) Named(posture.Account) (commands.Take, error)     { return commands.TakeLook, nil }
func (bin) Looked(context.Context, commands.Seen) error      { return nil }
func (bin) Ended(context.Context, commands.SourceScan) error { return nil }
func (bin) Progress(commands.Progress)                       {}

// needed is how many calls a look at a member takes: the session, the summary, a list of each kind of thing that the
// summary says is there, the last use of each key and that of the password.
func needed(a awssim.AccountView) int {
	n := 2
	if keys := len(a.Root.Keys); keys > 0 {
		n += 1 + keys
	}
	for _, there := range []bool{len(a.Root.MFA) > 0, len(a.Root.Certificates) > 0, a.Root.Password} {
		if there {
			n++
		}
	}
	return n
}

// TestAScanMakesTheCallsThatItNeedsAndNoOther counts the calls of whole scans as the organization saw them: the first, the
// second, and the third after the names of units and the tags were learned, which are what costs more and is no part of one.
func TestAScanMakesTheCallsThatItNeedsAndNoOther(t *testing.T) {
	r := newRig(t, func(c *awsroot.Config) {
		c.Sources = c.Sources[:1]
		c.Sources[0].Organization.Tags = true
	})
	for _, scan := range []string{"the first scan", "the second scan", "a scan after learning"} {
		if scan == "a scan after learning" {
			if err := r.auditor.Learn(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			if n := r.count("ListTagsForResource", ""); n != len(r.Accounts())-1 {
				t.Errorf("the tags took %d calls", n)
			}
		}
		r.ClearCalls()
		r.advance(time.Hour)
		if err := (commands.Scanner{Looker: r.auditor, Now: r.clock}).Scan(t.Context(), []string{"acme"}, 0, bin{}); err != nil {
			t.Fatal(err)
		}
		made, organizations := map[string]int{}, 0
		for _, c := range r.Calls() {
			if c.Service == "organizations" {
				organizations++
				if c.Action != "ListAccounts" {
					t.Errorf("%s: Organizations was asked to %s", scan, c.Action)
				}
				continue
			}
			made[c.Account]++
		}
		clean, most := 0, 0
		for _, id := range r.Accounts() {
			a, _ := r.Account(id)
			switch {
			case id == awssim.LabAccount && made[id] != 0, a.State != posture.StateActive && made[id] != 0:
				t.Errorf("%s: %d calls for %s, which is not to be looked at", scan, made[id], id)
			case id == awssim.LabAccount, a.State != posture.StateActive, a.Management, a.Denies, id == awssim.TowerAccount:
			case made[id] != needed(a):
				t.Errorf("%s: %d calls for %s, want %d: %+v", scan, made[id], id, needed(a), a.Root)
			case made[id] == 2:
				clean++
			default:
				most = max(most, made[id])
			}
		}
		if listed := len(r.Accounts()) - 1; organizations != (listed+19)/20+1 { // with the empty one
			t.Errorf("%s: %d pages of %d accounts, with the empty one", scan, organizations, listed)
		}
		if clean == 0 || most < 5 {
			t.Fatalf("%s: %d clean accounts, and %d calls at most for any other: this proves nothing", scan, clean, most)
		}
	}
}
