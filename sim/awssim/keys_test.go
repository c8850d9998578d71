package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func statuses(t *testing.T, c *iam.Client) map[string]string {
	t.Helper()
	out := must[*iam.ListAccessKeysOutput](t)(c.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{}))
	got := map[string]string{}
	for _, k := range out.AccessKeyMetadata {
		got[*k.AccessKeyId] = string(k.Status)
	}
	return got
}

func summary(t *testing.T, c *iam.Client) map[string]int32 {
	t.Helper()
	return must[*iam.GetAccountSummaryOutput](t)(c.GetAccountSummary(t.Context(), &iam.GetAccountSummaryInput{})).SummaryMap
}

func TestADeletedKeyIsSeenAndSignsUntilTheChangeHasSpread(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	lab := iam.NewFromConfig(r.lab())
	other := r.as(awssim.LabOtherAccessKeyID, awssim.LabOtherSecretKey, "")
	remove := &iam.DeleteAccessKeyInput{AccessKeyId: aws.String(awssim.LabOtherAccessKeyID)}
	if _, err := lab.DeleteAccessKey(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(2 * time.Second)
	if got := statuses(t, lab); got[awssim.LabOtherAccessKeyID] != "Active" {
		t.Errorf("two seconds after its deletion the key is %v, want it still listed as active", got)
	}
	_, err := sts.NewFromConfig(other).GetCallerIdentity(t.Context(), nil)
	want(t, err, "ok")
	_, err = lab.DeleteAccessKey(t.Context(), remove)
	want(t, err, "NoSuchEntity")

	r.clock.Advance(2 * time.Second)
	if got := statuses(t, lab); len(got) != 1 {
		t.Errorf("four seconds after the deletion the keys are %v, want one", got)
	}
	_, err = sts.NewFromConfig(other).GetCallerIdentity(t.Context(), nil)
	want(t, err, "InvalidClientTokenId")
	if n := len(r.Effects()); n != 1 {
		t.Errorf("%d calls had an effect, want the one deletion", n)
	}
}

func TestAKeyThatDeactivatesItselfIsStranded(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	lab := iam.NewFromConfig(r.lab())
	_, err := lab.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{AccessKeyId: aws.String(awssim.LabAccessKeyID), Status: iamtypes.StatusTypeInactive})
	want(t, err, "ok")
	r.clock.Advance(4 * time.Second)
	_, err = lab.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: aws.String(awssim.LabAccessKeyID)})
	want(t, err, "InvalidClientTokenId")
	if s := summary(t, iam.NewFromConfig(r.role(t, awssim.LabAccount))); s["AccountAccessKeysPresent"] != 1 {
		t.Errorf("AccountAccessKeysPresent is %d with one active and one inactive key, want the flag 1", s["AccountAccessKeysPresent"])
	}
}

func TestARootUserHasAtMostTwoKeysInactiveOnesIncluded(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *awssim.Config) { c.Consistency = -1 })
	lab := iam.NewFromConfig(r.lab())
	_, err := lab.CreateAccessKey(t.Context(), nil)
	want(t, err, "LimitExceeded")
	_, err = lab.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{AccessKeyId: aws.String(awssim.LabOtherAccessKeyID), Status: iamtypes.StatusTypeInactive})
	want(t, err, "ok")
	_, err = lab.CreateAccessKey(t.Context(), nil)
	want(t, err, "LimitExceeded")
	_, err = lab.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: aws.String(awssim.LabOtherAccessKeyID)})
	want(t, err, "ok")
	made := must[*iam.CreateAccessKeyOutput](t)(lab.CreateAccessKey(t.Context(), nil))
	id := must[*sts.GetCallerIdentityOutput](t)(sts.NewFromConfig(r.as(*made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, "")).GetCallerIdentity(t.Context(), nil))
	if *id.Arn != "arn:aws:iam::"+awssim.LabAccount+":root" {
		t.Errorf("the new key signs as %s, want the root user", *id.Arn)
	}
}

func TestRootSessionDeletesAMembersKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.root(t, awssim.PaymentsAccount, "IAMDeleteRootUserCredentials")
	for id := range statuses(t, c) {
		used := must[*iam.GetAccessKeyLastUsedOutput](t)(c.GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: &id}))
		if *used.AccessKeyLastUsed.ServiceName != "s3" || r.clock.Now().Sub(*used.AccessKeyLastUsed.LastUsedDate) > time.Hour {
			t.Errorf("last use is %+v, want s3 within the hour", used.AccessKeyLastUsed)
		}
		_, err := c.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{AccessKeyId: &id, Status: iamtypes.StatusTypeInactive})
		want(t, err, "AccessDenied")
		_, err = c.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: &id})
		want(t, err, "ok")
	}
	r.clock.Advance(4 * time.Second)
	s := summary(t, r.root(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials"))
	if s["AccountAccessKeysPresent"] != 0 || s["AccountPasswordPresent"] != 1 || s["AccountMFAEnabled"] != 1 {
		t.Errorf("summary after the deletion: %v", s)
	}
	e := r.Effects()
	if len(e) != 1 || e[0].Action != "DeleteAccessKey" || e[0].Account != awssim.PaymentsAccount || !strings.HasSuffix(e[0].Principal, ":root") {
		t.Errorf("effects are %+v, want one DeleteAccessKey by the root user of payments", e)
	}
}

func TestAKeyThatWasNeverUsedSaysSoInAWSsWords(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.root(t, awssim.ArchiveAccount, "IAMAuditRootUserCredentials")
	for id := range statuses(t, c) {
		used := must[*iam.GetAccessKeyLastUsedOutput](t)(c.GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: &id})).AccessKeyLastUsed
		if used.LastUsedDate != nil || *used.ServiceName != "N/A" || *used.Region != "N/A" {
			t.Errorf("last use is %+v, want no date and N/A", used)
		}
	}
}

func TestARootKeyIsUsedByWhateverItSigns(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if _, err := iam.NewFromConfig(r.lab()).GetUser(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	v, _ := r.Account(awssim.LabAccount)
	if k := v.Root.Keys[0]; k.LastUsed == nil || !k.LastUsed.Equal(r.clock.Now().UTC().Truncate(time.Second)) || k.LastService != "iam" {
		t.Errorf("the key that signed reads %+v", k)
	}
	if k := v.Root.Keys[1]; k.LastService != "s3" {
		t.Errorf("the key that did not sign reads %+v", k)
	}
}

func TestTheLabsReadOnlyUserOnlyReads(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := iam.NewFromConfig(r.as(awssim.LabReadOnlyKeyID, awssim.LabReadOnlySecretKey, ""))
	_, err := c.GetAccountSummary(t.Context(), nil)
	want(t, err, "ok")
	for _, user := range []*string{nil, aws.String("root")} {
		_, err = c.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: aws.String(awssim.LabAccessKeyID), UserName: user})
		want(t, err, "AccessDenied")
	}
}

func TestUserNamesInAndOutOfRootSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.root(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials")
	user := must[*iam.GetUserOutput](t)(c.GetUser(t.Context(), nil)).User
	if user.UserName != nil || *user.UserId != awssim.PaymentsAccount || !strings.HasSuffix(*user.Arn, ":root") || user.PasswordLastUsed == nil {
		t.Errorf("the root user is %+v, want an account id, an ARN and no name", user)
	}
	_, err := c.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("acme-payments")})
	want(t, err, "AccessDenied")
	if m := message(err); !strings.Contains(m, "user/acme-payments with an explicit deny in an identity-based policy") {
		t.Errorf("message is %q", m)
	}
	_, err = iam.NewFromConfig(r.role(t, awssim.PaymentsAccount)).ListAccessKeys(t.Context(), nil)
	want(t, err, "ValidationError")
	_, err = iam.NewFromConfig(r.lab()).ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("root")})
	want(t, err, "NoSuchEntity")
	own := must[*iam.ListAccessKeysOutput](t)(iam.NewFromConfig(r.admin()).ListAccessKeys(t.Context(), nil))
	if len(own.AccessKeyMetadata) != 1 || *own.AccessKeyMetadata[0].UserName != "administrator" {
		t.Errorf("an IAM user lists %+v, want its own key and never the root user's", own.AccessKeyMetadata)
	}
	_, err = iam.NewFromConfig(r.admin()).DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE")})
	want(t, err, "NoSuchEntity")
}

func TestLoginProfileOfTheRootUser(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	_, err := r.root(t, awssim.DelegatedAccount, "IAMAuditRootUserCredentials").GetLoginProfile(t.Context(), nil)
	want(t, err, "NoSuchEntity")
	if m := message(err); m != "Login Profile for User null cannot be found." {
		t.Errorf("message is %q", m)
	}
	c := r.root(t, awssim.MobileAccount, "IAMDeleteRootUserCredentials")
	_, err = c.DeleteLoginProfile(t.Context(), nil)
	want(t, err, "ok")
	_, err = c.GetLoginProfile(t.Context(), nil)
	want(t, err, "NoSuchEntity")
	if s := summary(t, r.root(t, awssim.MobileAccount, "IAMAuditRootUserCredentials")); s["AccountPasswordPresent"] != 0 {
		t.Error("AccountPasswordPresent does not follow a deleted password at once")
	}
	_, err = r.root(t, awssim.MobileAccount, "IAMCreateRootUserPassword").CreateLoginProfile(t.Context(), nil)
	want(t, err, "ok")
}

func TestDevicesAndCertificates(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	audit := r.root(t, awssim.VaultAccount, "IAMAuditRootUserCredentials")
	remove := r.root(t, awssim.VaultAccount, "IAMDeleteRootUserCredentials")
	out := must[*iam.ListMFADevicesOutput](t)(audit.ListMFADevices(t.Context(), nil))
	kinds := ""
	for _, d := range out.MFADevices {
		switch s := *d.SerialNumber; {
		case strings.Contains(s, ":u2f/root-account/"):
			kinds += "passkey "
		case strings.Contains(s, ":mfa/"):
			kinds += "virtual "
		case strings.HasPrefix(s, "GAHT"):
			kinds += "hardware "
		}
		_, err := remove.DeactivateMFADevice(t.Context(), &iam.DeactivateMFADeviceInput{SerialNumber: d.SerialNumber})
		want(t, err, "ok")
	}
	if kinds != "hardware passkey virtual " {
		t.Errorf("kinds are %q", kinds)
	}
	if s := summary(t, audit); s["AccountMFAEnabled"] != 0 {
		t.Error("AccountMFAEnabled is still 1 without devices")
	}

	c := r.root(t, awssim.PartnersAccount, "IAMDeleteRootUserCredentials")
	certs := must[*iam.ListSigningCertificatesOutput](t)(c.ListSigningCertificates(t.Context(), nil)).Certificates
	if len(certs) != 1 {
		t.Fatalf("%d certificates, want 1", len(certs))
	}
	_, err := c.DeleteSigningCertificate(t.Context(), &iam.DeleteSigningCertificateInput{CertificateId: certs[0].CertificateId})
	want(t, err, "ok")

	role := iam.NewFromConfig(r.role(t, awssim.MarketingAccount))
	virtual := must[*iam.ListVirtualMFADevicesOutput](t)(role.ListVirtualMFADevices(t.Context(), nil)).VirtualMFADevices
	if len(virtual) != 1 || strings.HasSuffix(*virtual[0].User.Arn, ":root") {
		t.Errorf("the account without root MFA lists %+v, want the device of a user called rootless", virtual)
	}
}
