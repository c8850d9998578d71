package awssim_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// attempts is every action that the published table of the task policies names, as a call without a UserName. Each is
// made on an account where it would find nothing, so that a call which is let through changes nothing.
func attempts(keyID string) map[string]func(context.Context, *iam.Client) error {
	none := aws.String("NOSUCHTHINGANYWHERE0")
	return map[string]func(context.Context, *iam.Client) error{
		"ListAccessKeys": func(ctx context.Context, c *iam.Client) error {
			_, err := c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{})
			return err
		},
		"GetAccessKeyLastUsed": func(ctx context.Context, c *iam.Client) error {
			_, err := c.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &keyID})
			return err
		},
		"ListMFADevices": func(ctx context.Context, c *iam.Client) error {
			_, err := c.ListMFADevices(ctx, &iam.ListMFADevicesInput{})
			return err
		},
		"GetLoginProfile": func(ctx context.Context, c *iam.Client) error {
			_, err := c.GetLoginProfile(ctx, &iam.GetLoginProfileInput{})
			return err
		},
		"ListSigningCertificates": func(ctx context.Context, c *iam.Client) error {
			_, err := c.ListSigningCertificates(ctx, &iam.ListSigningCertificatesInput{})
			return err
		},
		"GetUser": func(ctx context.Context, c *iam.Client) error {
			_, err := c.GetUser(ctx, &iam.GetUserInput{})
			return err
		},
		"GetAccountSummary": func(ctx context.Context, c *iam.Client) error {
			_, err := c.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
			return err
		},
		"UpdateAccessKey": func(ctx context.Context, c *iam.Client) error {
			_, err := c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: none, Status: iamtypes.StatusTypeInactive})
			return err
		},
		"DeleteAccessKey": func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{AccessKeyId: none})
			return err
		},
		"DeactivateMFADevice": func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{SerialNumber: none})
			return err
		},
		"DeleteLoginProfile": func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{})
			return err
		},
		"DeleteSigningCertificate": func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteSigningCertificate(ctx, &iam.DeleteSigningCertificateInput{CertificateId: aws.String("NOSUCHCERTIFICATEANYWHERE")})
			return err
		},
		"CreateAccessKey": func(ctx context.Context, c *iam.Client) error {
			_, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{})
			return err
		},
		"CreateLoginProfile": func(ctx context.Context, c *iam.Client) error {
			_, err := c.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{})
			return err
		},
		"ListVirtualMFADevices": func(ctx context.Context, c *iam.Client) error {
			_, err := c.ListVirtualMFADevices(ctx, &iam.ListVirtualMFADevicesInput{})
			return err
		},
		"GenerateCredentialReport": func(ctx context.Context, c *iam.Client) error {
			_, err := c.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
			return err
		},
		"GetCredentialReport": func(ctx context.Context, c *iam.Client) error {
			_, err := c.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
			return err
		},
		"ListAccountAliases": func(ctx context.Context, c *iam.Client) error {
			_, err := c.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
			return err
		},
		"ListOrganizationsFeatures": func(ctx context.Context, c *iam.Client) error {
			_, err := c.ListOrganizationsFeatures(ctx, &iam.ListOrganizationsFeaturesInput{})
			return err
		},
	}
}

func TestTaskPoliciesAreEnforcedActionByAction(t *testing.T) {
	t.Parallel()
	const audit = "ListAccessKeys GetAccessKeyLastUsed ListMFADevices GetLoginProfile ListSigningCertificates GetUser GetAccountSummary"
	const remove = "ListAccessKeys GetAccessKeyLastUsed ListMFADevices GetLoginProfile ListSigningCertificates GetUser " +
		"DeleteAccessKey DeactivateMFADevice DeleteLoginProfile DeleteSigningCertificate"
	r := newRig(t, nil)
	keys := must[*iam.ListAccessKeysOutput](t)(r.root(t, awssim.ArchiveAccount, "IAMAuditRootUserCredentials").ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{}))
	keyID := *keys.AccessKeyMetadata[0].AccessKeyId
	for task, allowed := range map[string]string{
		"IAMAuditRootUserCredentials":  audit,
		"IAMDeleteRootUserCredentials": remove,
		"IAMCreateRootUserPassword":    "GetLoginProfile CreateLoginProfile",
		"S3UnlockBucketPolicy":         "",
		"SQSUnlockQueuePolicy":         "",
	} {
		client := r.root(t, awssim.ArchiveAccount, task)
		for action, attempt := range attempts(keyID) {
			if task == "IAMDeleteRootUserCredentials" && action == "DeleteLoginProfile" {
				continue // there is a password here; its deletion has a test of its own
			}
			err := attempt(t.Context(), client)
			denied := code(err) == "AccessDenied" && strings.Contains(message(err), "explicit deny")
			if may := strings.Contains(" "+allowed+" ", " "+action+" "); may == denied {
				t.Errorf("%s in a session of %s: got %v, want it allowed: %t", action, task, err, may)
			}
		}
	}
}
