package awsroot_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func TestContactsComeInTheOrderOfTheSearch(t *testing.T) {
	r := newRig(t, nil)
	r.order(t, "contact", `{"account":"`+awssim.PaymentsAccount+`","type":"OPERATIONS","email":"ops@example.com"}`)
	r.order(t, "contact", `{"account":"`+awssim.PaymentsAccount+`","type":"SECURITY","email":"sec@example.com"}`)
	acme, lab := r.inventory(t, "acme"), r.inventory(t, "lab")
	for _, c := range []struct {
		name    string
		account posture.Account
		want    []commands.Contact
	}{
		{"everything there is", acme[awssim.PaymentsAccount], []commands.Contact{
			{How: commands.OwnerByTag, Value: "olivia.owner@example.com"},
			{How: commands.OwnerByEmail, Value: "aws-payments@acme.example"},
			{How: commands.OwnerBySecurity, Value: "sec@example.com"},
			{How: commands.OwnerByOperations, Value: "ops@example.com"},
		}},
		{"a tag with a Slack id", acme[awssim.VaultAccount], []commands.Contact{
			{How: commands.OwnerByTag, Value: "U061F7AUR"}, {How: commands.OwnerByEmail, Value: "aws-vault@acme.example"},
		}},
		{"an operations contact alone", acme[awssim.StudioAccount], []commands.Contact{
			{How: commands.OwnerByEmail, Value: "aws-studio@acme.example"}, {How: commands.OwnerByOperations, Value: "yuna.cho@example.com"},
		}},
		{"the management account, which asks about itself without naming itself", acme[awssim.ManagementAccount], []commands.Contact{
			{How: commands.OwnerByEmail, Value: "aws-root@acme.example"}, {How: commands.OwnerBySecurity, Value: "olivia.owner@example.com"},
		}},
		{"a single account, whose email no API tells", lab[awssim.LabAccount], []commands.Contact{
			{How: commands.OwnerBySecurity, Value: "ben.okafor@example.com"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := r.auditor.Contacts(t.Context(), c.account)
			if err != nil {
				t.Error(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatCannotBeReadHidesNoOtherContact(t *testing.T) {
	r := newRig(t, nil)
	payments := r.inventory(t, "acme")[awssim.PaymentsAccount]
	r.fault(t, awssim.FaultDeny, "GetAlternateContact")
	got, err := r.auditor.Contacts(t.Context(), payments)
	if len(got) != 2 || err == nil || !strings.Contains(err.Error(), "SECURITY") {
		t.Errorf("without permission for contacts: %+v, %v", got, err)
	}
	r.fault(t, awssim.FaultDeny, "ListTagsForResource")
	if got, err = r.auditor.Contacts(t.Context(), payments); len(got) != 1 || err == nil || !strings.Contains(err.Error(), "tags") {
		t.Errorf("nor for tags: %+v, %v", got, err)
	}
	if got, err := r.auditor.Contacts(t.Context(), posture.Account{Source: "nobody"}); err == nil || got != nil {
		t.Errorf("a source that does not exist: %+v, %v", got, err)
	}
}
