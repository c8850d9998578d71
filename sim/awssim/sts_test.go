package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func TestAssumeRootRefusals(t *testing.T) {
	t.Parallel()
	const audit = tasks + "IAMAuditRootUserCredentials"
	for _, tt := range []struct {
		name, target, task, code, says string
		seconds                        int32
		as                             func(*testing.T, *rig) aws.Config
		before                         func(*rig) error
	}{
		{name: "a member is let in", target: awssim.PaymentsAccount, code: "ok"},
		{name: "so is its root ARN", target: "arn:aws:iam::" + awssim.PaymentsAccount + ":root", code: "ok"},
		{name: "the delegated administrator may call", target: awssim.PaymentsAccount, code: "ok", as: func(t *testing.T, r *rig) aws.Config { t.Helper(); return r.role(t, awssim.DelegatedAccount) }},
		{name: "900 seconds is the longest", target: awssim.PaymentsAccount, seconds: 900, code: "ok"},
		{name: "901 is too long", target: awssim.PaymentsAccount, seconds: 901, code: "ValidationError"},
		{name: "the management account cannot be a target", target: awssim.ManagementAccount, code: "AccessDenied"},
		{name: "nor an account outside the organization", target: awssim.LabAccount, code: "AccessDenied"},
		{name: "nor one that is suspended", target: awssim.SoldAccount, code: "AccessDenied"},
		{name: "nor one that denies access", target: awssim.ClinicAccount, code: "AccessDenied"},
		{name: "nor one that does not exist", target: "000000000001", code: "AccessDenied"},
		{name: "a user's ARN is no root user", target: "arn:aws:iam::" + awssim.PaymentsAccount + ":user/x", code: "ValidationError"},
		{name: "any other policy is refused", target: awssim.PaymentsAccount, task: "arn:aws:iam::aws:policy/ReadOnlyAccess", code: "ValidationError", says: "Request must contain valid AWS managed task policy ARN"},
		{name: "an ordinary member may not call", target: awssim.PaymentsAccount, code: "AccessDenied", as: func(t *testing.T, r *rig) aws.Config { t.Helper(); return r.role(t, awssim.DataAccount) }},
		{name: "a root user may not call", target: awssim.PaymentsAccount, code: "AccessDenied", as: func(_ *testing.T, r *rig) aws.Config { return r.lab() }},
		{name: "the global endpoint does not know the call", target: awssim.PaymentsAccount, code: "InvalidAction", as: func(_ *testing.T, r *rig) aws.Config {
			c := r.admin()
			c.Region = "aws-global"
			return c
		}},
		{
			name: "without the feature nobody is let in", target: awssim.PaymentsAccount, code: "AccessDenied", says: "Root credentials management feature is not enabled for your AWS Organization.",
			before: func(r *rig) error { return r.Feature("RootCredentialsManagement", false) },
		},
		{name: "the other feature is not needed", target: awssim.PaymentsAccount, code: "ok", before: func(r *rig) error { return r.Feature("RootSessions", false) }},
		{
			name: "unlocking needs the other feature", target: awssim.PaymentsAccount, task: tasks + "S3UnlockBucketPolicy", code: "AccessDenied",
			before: func(r *rig) error { return r.Feature("RootSessions", false) },
		},
		{name: "without trusted access nobody is let in", target: awssim.PaymentsAccount, code: "AccessDenied", before: func(r *rig) error { return r.Feature("iam.amazonaws.com", false) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			if tt.before != nil {
				if err := tt.before(r); err != nil {
					t.Fatal(err)
				}
			}
			as := r.admin()
			if tt.as != nil {
				as = tt.as(t, r)
			}
			task := audit
			if tt.task != "" {
				task = tt.task
			}
			in := &sts.AssumeRootInput{TargetPrincipal: &tt.target, TaskPolicyArn: &ststypes.PolicyDescriptorType{Arn: &task}}
			if tt.seconds > 0 {
				in.DurationSeconds = &tt.seconds
			}
			_, err := sts.NewFromConfig(as).AssumeRoot(t.Context(), in)
			want(t, err, tt.code)
			if !strings.Contains(message(err), tt.says) {
				t.Errorf("message is %q, want %q in it", message(err), tt.says)
			}
		})
	}
}

func TestARootSessionIsTheRootUserUntilItExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c, err := r.assumeRoot(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials")
	if err != nil {
		t.Fatal(err)
	}
	who := must[*sts.GetCallerIdentityOutput](t)(sts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil))
	if *who.Account != awssim.PaymentsAccount || *who.Arn != "arn:aws:iam::"+awssim.PaymentsAccount+":root" {
		t.Errorf("the session is %s in %s", *who.Arn, *who.Account)
	}
	_, err = sts.NewFromConfig(c).GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: aws.String(awssim.LabAccessKeyID)})
	want(t, err, "AccessDenied")
	info := must[*sts.GetAccessKeyInfoOutput](t)(sts.NewFromConfig(r.admin()).GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: aws.String(awssim.LabAccessKeyID)}))
	if *info.Account != awssim.LabAccount {
		t.Errorf("the lab's key belongs to %s", *info.Account)
	}

	kept := must[aws.Credentials](t)(c.Credentials.Retrieve(t.Context()))
	_, err = iam.NewFromConfig(r.as(kept.AccessKeyID, kept.SecretAccessKey, "")).GetUser(t.Context(), nil)
	want(t, err, "InvalidClientTokenId")
	_, err = iam.NewFromConfig(r.as("ASIAIOSFODNN7EXAMPLE", "x", kept.SessionToken)).GetUser(t.Context(), nil)
	want(t, err, "InvalidClientTokenId")
	r.clock.Advance(15 * time.Minute)
	_, err = iam.NewFromConfig(c).GetUser(t.Context(), nil)
	want(t, err, "ExpiredToken")
}

func TestASessionSurvivesARestartAndNotAnotherOrganization(t *testing.T) {
	t.Parallel()
	first := newRig(t, nil)
	c, err := first.assumeRoot(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials")
	if err != nil {
		t.Fatal(err)
	}
	kept := must[aws.Credentials](t)(c.Credentials.Retrieve(t.Context()))
	again := newRig(t, nil)
	_, err = iam.NewFromConfig(again.as(kept.AccessKeyID, kept.SecretAccessKey, kept.SessionToken)).GetUser(t.Context(), nil)
	want(t, err, "ok")
	other := newRig(t, func(c *awssim.Config) { c.Seed = 7 })
	_, err = iam.NewFromConfig(other.as(kept.AccessKeyID, kept.SecretAccessKey, kept.SessionToken)).GetUser(t.Context(), nil)
	if code(err) == "ok" && len(other.Calls()) > 0 && strings.HasSuffix(other.Calls()[0].Principal, ":root") {
		t.Error("a session of one organization is a root user in another")
	}
}

func TestWhoASignerIs(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, tt := range []struct {
		name, want string
		as         aws.Config
	}{
		{"a stranger's key is an administrator of the management account", "arn:aws:iam::111111111111:user/administrator", r.admin()},
		{"a stranger's session is too", "arn:aws:sts::111111111111:assumed-role/administrator/stranger", r.as("ASIAIOSFODNN7EXAMPLE", "x", "y")},
		{"a root user's key is that root user", "arn:aws:iam::999999999999:root", r.lab()},
		{"the lab's other principal is a user", "arn:aws:iam::999999999999:user/lab-readonly", r.as(awssim.LabReadOnlyKeyID, awssim.LabReadOnlySecretKey, "")},
		{"a role's account is its own", "arn:aws:sts::444444444444:assumed-role/RootPostureReadOnly/test", r.role(t, awssim.DataAccount)},
	} {
		who := must[*sts.GetCallerIdentityOutput](t)(sts.NewFromConfig(tt.as).GetCallerIdentity(t.Context(), nil))
		if *who.Arn != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, *who.Arn, tt.want)
		}
	}
	role := "arn:aws:iam::" + awssim.DataAccount + ":role/x"
	_, err := sts.NewFromConfig(r.lab()).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("test")})
	want(t, err, "AccessDenied")
	token := must[*sts.GetSessionTokenOutput](t)(sts.NewFromConfig(r.lab()).GetSessionToken(t.Context(), nil))
	_, err = iam.NewFromConfig(r.session(token.Credentials)).ListAccessKeys(t.Context(), nil)
	want(t, err, "InvalidClientTokenId")
}

func TestAssumeRootIsThrottledAsConfigured(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *awssim.Config) { c.Throttle = 0.001 })
	got := map[string]int{}
	for range 6 {
		_, err := r.assumeRoot(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials")
		got[code(err)]++
	}
	if got["ok"] != 1 || got["Throttling"] != 5 {
		t.Errorf("six calls under one in a thousand seconds: %v", got)
	}
}
