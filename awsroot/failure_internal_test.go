package awsroot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// answered is an error as the SDK returns it: of an operation, with the answer's status.
func answered(service, operation string, status int, err error) error {
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err,
	}}
}

func coded(code, message string) error { return &smithy.GenericAPIError{Code: code, Message: message} }

const hostile = "call 555-0100 <!channel> now\nhttps://evil.example"

func TestEveryAnswerHasAReasonAndAFix(t *testing.T) {
	denied := "User: arn:aws:iam::1:user/x is not authorized to perform: sts:AssumeRoot on resource: r"
	for _, c := range []struct {
		name   string
		err    error
		want   posture.Reason
		fix    bool
		change remediation.Kind // if it was a call that changes something
	}{
		{"a permission that is missing", answered("IAM", "GetAccountSummary", 403, coded("AccessDenied", denied)), posture.ReasonDenied, true, remediation.Refused},
		{"the same in the words of Organizations", answered("Organizations", "ListAccounts", 400, coded("AccessDeniedException", "You don't have permissions to access this resource.")), posture.ReasonDenied, true, remediation.Refused},
		{"a policy without the exemption", answered("IAM", "GetAccountSummary", 403, coded("AccessDenied", denied+" with an explicit deny in a service control policy")), posture.ReasonSCP, true, remediation.Refused},
		{"a task policy that does not allow it", answered("IAM", "UpdateAccessKey", 403, coded("AccessDenied", denied+" with an explicit deny in an identity-based policy")), posture.ReasonDenied, true, remediation.Refused},
		{"centralized root access off", answered("STS", "AssumeRoot", 403, coded("AccessDenied", "Root credentials management feature is not enabled for your AWS Organization.")), posture.ReasonFeatureOff, true, remediation.Refused},
		{"trusted access off", answered("IAM", "ListOrganizationsFeatures", 400, coded("ServiceAccessNotEnabledException", "Trusted Access for IAM not enabled by organization of input account 1")), posture.ReasonTrust, true, remediation.Refused},
		{"an ordinary member that asks", answered("IAM", "ListOrganizationsFeatures", 400, coded("AccountNotManagementOrDelegatedAdministratorException", "no")), posture.ReasonDenied, true, remediation.Refused},
		{"no organization, by IAM", answered("IAM", "ListOrganizationsFeatures", 400, coded("OrganizationNotFoundException", "no")), posture.ReasonNoOrganization, false, remediation.Refused},
		{"no organization, by Organizations", answered("Organizations", "ListAccounts", 400, &orgtypes.AWSOrganizationsNotInUseException{}), posture.ReasonNoOrganization, false, remediation.Refused},
		{"an organization for billing only", answered("IAM", "ListOrganizationsFeatures", 400, coded("OrganizationNotInAllFeaturesModeException", "no")), posture.ReasonFeatureOff, true, remediation.Refused},
		{"the global endpoint", answered("STS", "AssumeRoot", 400, coded("InvalidAction", "Unknown Operation")), posture.ReasonGlobalEndpoint, true, remediation.Refused},
		{"a server without the operation", answered("STS", "AssumeRoot", 400, coded("InvalidAction", "Could not find operation AssumeRoot")), posture.ReasonGarbage, true, remediation.Refused},
		{"a Region that is off", answered("STS", "AssumeRoot", 403, coded("RegionDisabledException", "no")), posture.ReasonRegionDisabled, true, remediation.Refused},
		{"an invalid key", answered("STS", "GetCallerIdentity", 403, coded("InvalidClientTokenId", "no")), posture.ReasonNoCredentials, true, remediation.Refused},
		{"an expired session", answered("IAM", "DeleteAccessKey", 403, coded("ExpiredToken", "no")), posture.ReasonNoCredentials, true, remediation.Unsure},
		{"an expired session, in JSON", answered("Organizations", "AttachPolicy", 400, coded("ExpiredTokenException", "no")), posture.ReasonNoCredentials, true, remediation.Unsure},
		{"a clock that is wrong", answered("IAM", "GetUser", 403, coded("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z")), posture.ReasonNoCredentials, true, remediation.Refused},
		{"throttling by IAM", answered("IAM", "GetUser", 400, coded("Throttling", "Rate exceeded")), posture.ReasonThrottled, true, remediation.Unsure},
		{"throttling by Organizations", answered("Organizations", "AttachPolicy", 400, &orgtypes.TooManyRequestsException{}), posture.ReasonThrottled, true, remediation.Unsure},
		{"throttling by Account", answered("Account", "GetAlternateContact", 429, &accounttypes.TooManyRequestsException{}), posture.ReasonThrottled, true, remediation.Unsure},
		{"somebody else's change under way", answered("Organizations", "AttachPolicy", 400, &orgtypes.ConcurrentModificationException{}), posture.ReasonThrottled, true, remediation.Unsure},
		{"a policy change under way", answered("Organizations", "DetachPolicy", 400, &orgtypes.PolicyChangesInProgressException{}), posture.ReasonThrottled, true, remediation.Unsure},
		{"no room for another policy", answered("Organizations", "AttachPolicy", 409, &orgtypes.ConstraintViolationException{Reason: orgtypes.ConstraintViolationExceptionReasonMaxPolicyTypeAttachmentLimitExceeded}), posture.ReasonUnknown, true, remediation.Unavailable},
		{"another constraint", answered("Organizations", "AttachPolicy", 409, &orgtypes.ConstraintViolationException{}), posture.ReasonUnknown, true, remediation.Refused},
		{"policies switched off", answered("Organizations", "AttachPolicy", 400, &orgtypes.PolicyTypeNotEnabledException{}), posture.ReasonUnknown, true, remediation.Unavailable},
		{"a policy that is not there", answered("Organizations", "AttachPolicy", 400, &orgtypes.PolicyNotFoundException{}), posture.ReasonUnknown, true, remediation.Unavailable},
		{"an account that left", answered("Organizations", "DescribeAccount", 400, &orgtypes.AccountNotFoundException{}), posture.ReasonLeft, false, remediation.Refused},
		{"a target that left", answered("Organizations", "ListTagsForResource", 400, &orgtypes.TargetNotFoundException{}), posture.ReasonLeft, false, remediation.Refused},
		{"a report that is being made", answered("IAM", "GetCredentialReport", 404, coded("ReportInProgress", "no")), posture.ReasonReportNotReady, true, remediation.Refused},
		{"no report", answered("IAM", "GetCredentialReport", 410, coded("ReportNotPresent", "no")), posture.ReasonReportNotReady, true, remediation.Refused},
		{"an old report", answered("IAM", "GetCredentialReport", 410, coded("ReportExpired", "no")), posture.ReasonReportNotReady, true, remediation.Refused},
		{"a key that is gone", answered("IAM", "DeleteAccessKey", 404, coded("NoSuchEntity", "The Access Key with id AKIA cannot be found.")), posture.ReasonUnknown, true, remediation.Unsure},
		{"a parameter that AWS does not take", answered("STS", "AssumeRoot", 400, coded("ValidationError", "Request must contain valid AWS managed task policy ARN")), posture.ReasonUnknown, true, remediation.Refused},
		{"an error of the service", answered("IAM", "GetUser", 500, coded("ServiceFailure", "no")), posture.ReasonNoAnswer, true, remediation.Unsure},
		{"a code that nobody knows", answered("IAM", "GetUser", 400, coded("Shrug", hostile)), posture.ReasonUnknown, true, remediation.Refused},
		{"a code that nobody knows, from a service that fails", answered("IAM", "GetUser", 503, coded("Shrug", hostile)), posture.ReasonNoAnswer, true, remediation.Unsure},
		{"a page of HTML", answered("IAM", "GetUser", 500, &smithy.DeserializationError{Err: errors.New(hostile)}), posture.ReasonGarbage, true, remediation.Unsure},
		{"a page of HTML that is XML", answered("IAM", "GetUser", 500, coded("UnknownError", "UnknownError")), posture.ReasonGarbage, true, remediation.Unsure},
		{"half an answer", answered("IAM", "GetUser", 200, &smithy.DeserializationError{Err: errors.New("EOF")}), posture.ReasonGarbage, true, remediation.Unsure},
		{"a call that hung", &smithy.OperationError{ServiceID: "IAM", OperationName: "GetUser", Err: context.DeadlineExceeded}, posture.ReasonNoAnswer, true, remediation.Unsure},
		{"a broken connection", &smithy.OperationError{ServiceID: "IAM", OperationName: "GetUser", Err: &smithyhttp.RequestSendError{Err: errors.New("EOF")}}, posture.ReasonNoAnswer, true, remediation.Unsure},
		{"a turn that never came", &unpacedError{cause: context.DeadlineExceeded}, posture.ReasonThrottled, true, remediation.Unsure},
		{"a role that cannot be assumed", &smithy.OperationError{ServiceID: "IAM", OperationName: "GetUser", Err: answered("STS", "AssumeRole", 403, coded("AccessDenied", denied))}, posture.ReasonUnreachableRole, true, remediation.Refused},
		{"no credentials at all", &smithy.OperationError{ServiceID: "STS", OperationName: "GetCallerIdentity", Err: fmt.Errorf("get identity: %w", &noCredentialsError{cause: errors.New("no EC2 IMDS role found")})}, posture.ReasonNoCredentials, true, remediation.Unsure},
		{"anything else", errors.New(hostile), posture.ReasonGarbage, true, remediation.Unsure},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gapOf(c.err)
			if g.Reason != c.want || (g.Fix != "") != c.fix || g.Detail == "" {
				t.Errorf("%+v, want %s", g, c.want)
			}
			if strings.Contains(g.Fix, "555") || strings.ContainsAny(g.Fix, "<\n") || strings.ContainsRune(g.Detail, '\n') {
				t.Errorf("AWS's words stand in the fix, or lines in the detail: %q %q", g.Fix, g.Detail)
			}
			if out := outcomeOf(c.err); out.Kind != c.change {
				t.Errorf("as the answer to a change it is %s (%s), want %s", out.Kind, out.Code, c.change)
			}
			if code := codeOf(c.err); strings.Contains(code, "555") || len(code) > 310 {
				t.Errorf("the code is %q", code)
			}
		})
	}
	if out := outcomeOf(nil); out.Kind != remediation.Succeeded {
		t.Errorf("no error is %s", out.Kind)
	}
}

// The SDK wraps what a provider says on its way to the caller. This holds an upgrade of it to letting the cause through.
func TestTheSDKLetsThroughThatThereAreNoCredentials(t *testing.T) {
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no EC2 IMDS role found")
	})
	cfg := aws.Config{Region: defaultRegion, Credentials: signing{aws.NewCredentialsCache(none)}}
	_, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	if g := gapOf(err); g.Reason != posture.ReasonNoCredentials {
		t.Errorf("%+v of %v", g, err)
	}
	role := cfg.Copy()
	role.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), "arn:aws:iam::111122223333:role/reader"))
	_, err = sts.NewFromConfig(role).GetCallerIdentity(t.Context(), nil)
	if credentialless(err) || !throughRole(err) {
		t.Errorf("the failure of a role is taken for that of the call: %v", err)
	}
}

func TestAHangIsNotWaitedForTwiceAndRubbishIsAskedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want aws.Ternary
	}{
		"a call that hung":       {&smithyhttp.RequestSendError{Err: &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}}, aws.FalseTernary},
		"half an answer":         {answered("IAM", "GetUser", 200, &smithy.DeserializationError{Err: errors.New("EOF")}), aws.TrueTernary},
		"what the SDK judges by": {answered("IAM", "GetUser", 400, coded("Throttling", "")), aws.UnknownTernary},
	} {
		if got := retryable(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for attempt := range 70 {
		if d, err := backoff(attempt, nil); err != nil || d <= 0 || d > 3*time.Second {
			t.Errorf("attempt %d waits %v, %v", attempt, d, err)
		}
	}
}

func TestAPolicyIsTheShippedOneOnlyIfEveryReaderReadsItSo(t *testing.T) {
	shipped := QuarantinePolicy()
	for _, c := range []struct {
		name, theirs string
		want         bool
	}{
		{"the shipped text", shipped, true},
		{"the same without white space", strings.Join(strings.Fields(shipped), ""), true},
		{"a field that is there twice", strings.Replace(shipped, `"Effect": "Deny"`, `"Effect": "Allow", "Effect": "Deny"`, 1), false},
		{"a second document after it", shipped + shipped, false},
		{"another effect", strings.Replace(shipped, "Deny\"", "Allow\"", 1), false},
		{"without the exemption", strings.Replace(shipped, `,
        "Null": {"aws:AssumedRoot": "true"}`, "", 1), false},
		{"one more statement", strings.Replace(shipped, "\n  ]", `,{"Effect":"Deny","Action":"*","Resource":"*"}]`, 1), false},
		{"text that is no JSON", "<html>", false},
		{"half of it", shipped[:len(shipped)/2], false},
		{"nothing", "", false},
	} {
		if got := equal(shipped, c.theirs); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestOnlyTheRootUserOfTheAccountIsOne(t *testing.T) {
	const id = posture.AccountID("333333333333")
	for arn, want := range map[string]bool{
		"arn:aws:iam::333333333333:root":                       true,
		"arn:aws-us-gov:iam::333333333333:root":                true,
		"arn:aws:iam::444444444444:root":                       false,
		"arn:aws:sts::333333333333:assumed-role/x/:root":       false,
		"arn:aws:iam::333333333333:user/root":                  false,
		"arn:aws:sts::333333333333:assumed-role/assumed-root/": false,
		"root": false, "": false,
	} {
		if got := rootARN(arn, id); got != want {
			t.Errorf("%s: %v", arn, got)
		}
	}
}
