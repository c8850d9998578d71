package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func TestTheHelpersDoWhatTheControlAPIDoes(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	k := must[awssim.KeyView](t)(r.Key(awssim.LabAccount, awssim.LabOtherAccessKeyID, "deactivate"))
	if k.Status != "Inactive" || k.Visible != "Active" {
		t.Errorf("a key just deactivated reads %+v, want it inactive and seen as active", k)
	}
	d := must[awssim.DeviceView](t)(r.MFA(awssim.MarketingAccount, "passkey", "add"))
	if d.Kind != "passkey" {
		t.Errorf("the device is %+v", d)
	}
	for _, err := range []error{
		r.Policy(awssim.QuarantinePolicyID, awssim.DataAccount, "attach"),
		r.Rename(awssim.DataAccount, "<!channel>"),
		r.SignIn(awssim.DataAccount),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	v, _ := r.Account(awssim.DataAccount)
	if !v.Quarantined || v.Name != "<!channel>" || v.Root.PasswordUsed == nil || v.Unit != "Workloads/Production" {
		t.Errorf("the account is %+v", v)
	}
	if _, err := r.Key("0", "", "create"); err == nil {
		t.Error("an account that is not there got a key")
	}
	if _, ok := r.Account("0"); ok {
		t.Error("an account that is not there was found")
	}
}

func TestGetAccessKeyInfoReadsTheAccountOutOfAnID(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := sts.NewFromConfig(r.admin())
	session, err := r.assumeRoot(t, awssim.DataAccount, "IAMAuditRootUserCredentials")
	if err != nil {
		t.Fatal(err)
	}
	kept := must[aws.Credentials](t)(session.Credentials.Retrieve(t.Context()))
	info := must[*sts.GetAccessKeyInfoOutput](t)(c.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &kept.AccessKeyID}))
	if *info.Account != awssim.DataAccount {
		t.Errorf("the session's key belongs to %s", *info.Account)
	}
	for _, id := range []string{"AKIA000000000000000!", "AKIA"} {
		_, err := c.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &id})
		want(t, err, "ValidationError")
	}
}

func TestRarerCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	lab := iam.NewFromConfig(r.lab())
	devices := must[*iam.ListMFADevicesOutput](t)(lab.ListMFADevices(t.Context(), nil)).MFADevices
	_, err := lab.GetMFADevice(t.Context(), &iam.GetMFADeviceInput{SerialNumber: devices[0].SerialNumber})
	want(t, err, "NoSuchEntity")
	added := must[awssim.DeviceView](t)(r.MFA(awssim.LabAccount, "passkey", "add"))
	got := must[*iam.GetMFADeviceOutput](t)(lab.GetMFADevice(t.Context(), &iam.GetMFADeviceInput{SerialNumber: &added.Serial}))
	if *got.SerialNumber != added.Serial {
		t.Errorf("device %s", *got.SerialNumber)
	}
	_, err = lab.DeleteVirtualMFADevice(t.Context(), &iam.DeleteVirtualMFADeviceInput{SerialNumber: devices[0].SerialNumber})
	want(t, err, "DeleteConflict")
	_, err = lab.DeleteVirtualMFADevice(t.Context(), &iam.DeleteVirtualMFADeviceInput{SerialNumber: &added.Serial})
	want(t, err, "NoSuchEntity")

	o := r.orgs()
	access := must[*organizations.ListAWSServiceAccessForOrganizationOutput](t)(o.ListAWSServiceAccessForOrganization(t.Context(), nil))
	if len(access.EnabledServicePrincipals) != 2 {
		t.Errorf("trusted access: %+v", access.EnabledServicePrincipals)
	}
	_, err = o.UpdatePolicy(t.Context(), &organizations.UpdatePolicyInput{PolicyId: aws.String(awssim.FullAccessPolicyID), Content: aws.String(awssim.QuarantineDocument)})
	want(t, err, "InvalidInputException")
	_, err = o.UpdatePolicy(t.Context(), &organizations.UpdatePolicyInput{
		PolicyId: aws.String(awssim.DenyRootPolicyID), Content: aws.String(awssim.QuarantineDocument),
	})
	want(t, err, "ok")
	if summary(t, r.root(t, awssim.TowerAccount, "IAMAuditRootUserCredentials"))["AccountAccessKeysPresent"] != 1 {
		t.Error("the tower's policy has the exemption now, and its summary is still not what it is")
	}
	other := must[*organizations.ListPoliciesForTargetOutput](t)(o.ListPoliciesForTarget(t.Context(), &organizations.ListPoliciesForTargetInput{Filter: orgtypes.PolicyTypeTagPolicy, TargetId: aws.String(awssim.DataAccount)}))
	if len(other.Policies) != 0 {
		t.Errorf("tag policies: %+v", other.Policies)
	}
}

func TestClearingFaultsPutsBackWhatTheyChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, f := range []awssim.Fault{{Kind: awssim.FaultSuspend, Account: awssim.DataAccount}, {Kind: awssim.FaultFeatureOff}, {Kind: awssim.FaultDeny}} {
		if err := r.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	if v, _ := r.Account(awssim.DataAccount); v.State != "SUSPENDED" {
		t.Errorf("state is %s", v.State)
	}
	r.ClearFaults()
	_, err := r.assumeRoot(t, awssim.DataAccount, "IAMAuditRootUserCredentials")
	want(t, err, "ok")
}

func TestAnAccountThatLeftIsNoMember(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if status := r.order(t, "POST", "account", `{"account":"`+awssim.DataAccount+`","do":"leave"}`, nil); status != 200 {
		t.Fatal(status)
	}
	_, err := r.assumeRoot(t, awssim.DataAccount, "IAMAuditRootUserCredentials")
	want(t, err, "AccessDenied")
	_, err = r.orgs().DescribeAccount(t.Context(), &organizations.DescribeAccountInput{AccountId: aws.String(awssim.DataAccount)})
	want(t, err, "AccountNotFoundException")
	_, err = organizations.NewFromConfig(r.role(t, awssim.DataAccount)).DescribeOrganization(t.Context(), nil)
	want(t, err, "AWSOrganizationsNotInUseException")
	if ids := r.Accounts(); ids[len(ids)-1] != awssim.DataAccount {
		t.Errorf("the account is not among those outside: %v", ids)
	}
}
