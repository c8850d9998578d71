package awsroot_test

import (
	"errors"
	"testing"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func TestAnAccountThatIsAskedForByItsIDIsNotLookedForInTheListOfAll(t *testing.T) {
	r := newRig(t, nil)
	all := r.inventory(t, "acme")
	only := r.auditor.Only(awssim.PaymentsAccount, awssim.ManagementAccount, "999999999999")
	named := func() (map[posture.AccountID]posture.Account, error) {
		r.ClearCalls()
		found := map[posture.AccountID]posture.Account{}
		_, err := only.Inventory(t.Context(), "acme", func(a posture.Account) error { found[a.ID] = a; return nil })
		return found, err
	}
	found, err := named()
	if err != nil || len(found) != 2 || r.count("ListAccounts", "") != 0 || r.count("DescribeAccount", "") != 3 {
		t.Errorf("%d accounts in %d pages and %d calls, %v", len(found), r.count("ListAccounts", ""), r.count("DescribeAccount", ""), err)
	}
	for id, a := range found {
		if want := all[id]; a.Name != want.Name || a.Email != want.Email || a.State != want.State || a.Role != want.Role {
			t.Errorf("by itself it is %+v, in the list %+v", a, want)
		}
	}
	if e := only.Inspect(t.Context(), found[awssim.PaymentsAccount]); !e.Keys.Known() || len(e.Keys.Value) != 1 {
		t.Errorf("its keys are %+v", e.Keys)
	}

	r.order(t, "fault", `{"action":"DescribeAccount","kind":"deny","for":"30s"}`)
	if found, err = named(); err != nil || len(found) != len(all) {
		t.Errorf("an identity that may not ask about one account: %d of %d are listed, %v", len(found), len(all), err)
	}
}

func TestAnAnswerAboutOneAccountThatIsNoneIsAReason(t *testing.T) {
	auditor := newForeign(t, &foreign{}, awsroot.Source{Name: "acme", Organization: &awsroot.Organization{}}).Only(foreignMember)
	_, err := auditor.Inventory(t.Context(), "acme", func(posture.Account) error { t.Error("an account was named"); return nil })
	var gap *awsroot.GapError
	if !errors.As(err, &gap) || gap.Gap.Reason != posture.ReasonGarbage {
		t.Errorf("the inventory ends with %v", err)
	}
}
