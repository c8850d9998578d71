package awssim_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	listKeys := func(t *testing.T, r *rig) error {
		t.Helper()
		c, err := r.assumeRoot(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials")
		if err != nil {
			return err
		}
		_, err = iam.NewFromConfig(c).ListAccessKeys(t.Context(), nil)
		return err
	}
	listAccounts := func(t *testing.T, r *rig) error {
		t.Helper()
		_, err := r.orgs().ListAccounts(t.Context(), nil)
		return err
	}
	lookup := func(t *testing.T, r *rig) error {
		t.Helper()
		_, err := trailOf(r.lab()).LookupEvents(t.Context(), nil)
		return err
	}
	for _, tt := range []struct {
		name  string
		fault awssim.Fault
		call  func(*testing.T, *rig) error
		want  string
	}{
		{"a denied action", awssim.Fault{Kind: awssim.FaultDeny, Action: "ListAccessKeys"}, listKeys, "AccessDenied"},
		{"a denied account", awssim.Fault{Kind: awssim.FaultDeny, Account: awssim.PaymentsAccount}, listKeys, "AccessDenied"},
		{"another account denied", awssim.Fault{Kind: awssim.FaultDeny, Account: awssim.DataAccount}, listKeys, "ok"},
		{"a policy denies", awssim.Fault{Kind: awssim.FaultSCPDeny, Action: "iam:ListAccessKeys"}, listKeys, "AccessDenied"},
		{"STS throttles in the words of the query protocol", awssim.Fault{Kind: awssim.FaultThrottle, Action: "sts:AssumeRoot"}, listKeys, "Throttling"},
		{"Organizations throttles in its own", awssim.Fault{Kind: awssim.FaultThrottle, Action: "ListAccounts"}, listAccounts, "TooManyRequestsException"},
		{"CloudTrail in its own", awssim.Fault{Kind: awssim.FaultThrottle}, lookup, "ThrottlingException"},
		{"Organizations denies in its own", awssim.Fault{Kind: awssim.FaultDeny}, listAccounts, "AccessDeniedException"},
		{"the organization is being modified", awssim.Fault{Kind: awssim.FaultConflict, Action: "ListAccounts"}, listAccounts, "ConcurrentModificationException"},
		{"the account is suspended", awssim.Fault{Kind: awssim.FaultSuspend, Account: awssim.PaymentsAccount}, listKeys, "AccessDenied"},
		{"the feature is off", awssim.Fault{Kind: awssim.FaultFeatureOff}, listKeys, "AccessDenied"},
		{"no call is hit", awssim.Fault{Kind: awssim.FaultDeny, Rate: 0.000001}, listKeys, "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			tt.fault.For = time.Minute
			if err := r.Inject(tt.fault); err != nil {
				t.Fatal(err)
			}
			want(t, tt.call(t, r), tt.want)
			r.clock.Advance(time.Minute)
			want(t, tt.call(t, r), "ok")
		})
	}
}

func TestRubbishIsNoAnswerOfAnyService(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, kind := range []string{awssim.FaultHTTP500, awssim.FaultGarbage} {
		if err := r.Inject(awssim.Fault{Kind: kind, Action: "DeleteAccessKey", Times: 1}); err != nil {
			t.Fatal(err)
		}
		c := iam.NewFromConfig(r.lab())
		_, err := c.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: aws.String(awssim.LabOtherAccessKeyID)})
		if kind == awssim.FaultHTTP500 {
			if _, ok := errors.AsType[*smithy.OperationError](err); !ok {
				t.Errorf("%s: got %v", kind, err)
			}
		}
	}
	if e := r.Effects(); len(e) != 0 {
		t.Errorf("calls answered with rubbish had effects: %+v", e)
	}
}

func TestALostAnswerLeavesItsEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if err := r.Inject(awssim.Fault{Kind: awssim.FaultLostAnswer, Action: "DeleteAccessKey", Times: 1}); err != nil {
		t.Fatal(err)
	}
	_, err := iam.NewFromConfig(r.lab()).DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: aws.String(awssim.LabOtherAccessKeyID)})
	if err == nil || code(err) == "NoSuchEntity" {
		t.Errorf("got %v, want a broken connection", err)
	}
	if e := r.Effects(); len(e) != 1 || e[0].Fault != awssim.FaultLostAnswer {
		t.Errorf("effects are %+v, want the one deletion", e)
	}
}

func TestACallThatHangsHoldsUpNobodyElseAndEndsWithTheOrganization(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if err := r.Inject(awssim.Fault{Kind: awssim.FaultSlow, Account: awssim.PaymentsAccount}); err != nil {
		t.Fatal(err)
	}
	impatient, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, err := sts.NewFromConfig(r.admin()).AssumeRole(impatient, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + awssim.PaymentsAccount + ":role/x"), RoleSessionName: aws.String("test")})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline", err)
	}
	done := make(chan error)
	go func() {
		_, slow := sts.NewFromConfig(r.admin()).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + awssim.PaymentsAccount + ":role/x"), RoleSessionName: aws.String("test")})
		done <- slow
	}()
	_, err = sts.NewFromConfig(r.admin()).GetCallerIdentity(t.Context(), nil)
	want(t, err, "ok")
	r.Close()
	want(t, <-done, "ok")
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, f := range []awssim.Fault{{Kind: "flood"}, {Kind: awssim.FaultSuspend}, {Kind: awssim.FaultDeny, Account: "1"}} {
		if err := r.Inject(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func TestAPolicyIsDetachedBehindOurBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	attach, _ := quarantine(awssim.PaymentsAccount)
	must[*organizations.AttachPolicyOutput](t)(r.orgs().AttachPolicy(t.Context(), attach))
	if err := r.Inject(awssim.Fault{Kind: awssim.FaultDetachSCP, Account: awssim.PaymentsAccount}); err != nil {
		t.Fatal(err)
	}
	r.ClearFaults()
	if v, _ := r.Account(awssim.PaymentsAccount); v.Quarantined || v.Blocked {
		t.Error("the quarantine is still there")
	}
}

// raw sends a signed request that no SDK would.
func (r *rig) raw(t *testing.T, service, path, contentType, target, body string) (int, string) {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/aws"+path, strings.NewReader(body)))
	req.Header.Set("Content-Type", contentType)
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	if service != "" {
		c := must[aws.Credentials](t)(credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "s", "").Retrieve(t.Context()))
		if err := v4.NewSigner().SignHTTP(t.Context(), c, req, "hash", service, "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	status, _, answer := do(t, req)
	return status, answer
}

func TestUnknownCallsGetTheErrorOfTheirProtocol(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	const form, json = "application/x-www-form-urlencoded", "application/x-amz-json-1.1"
	for _, tt := range []struct {
		name, service, path, kind, target, body string
		status                                  int
		says                                    string
	}{
		{"an action that IAM does not have", "iam", "/", form, "", "Action=Nonsense&Version=2010-05-08", 400, "<Code>InvalidAction</Code>"},
		{"an action of another version", "iam", "/", form, "", "Action=ListAccessKeys&Version=2011-06-15", 400, "<Code>InvalidAction</Code>"},
		{"the mount point without its slash", "iam", "", form, "", "Action=Nonsense&Version=2010-05-08", 400, "<Code>InvalidAction</Code>"},
		{"no action at all", "sts", "/", form, "", "", 400, "<Code>MissingAction</Code>"},
		{"an action of a service that is not here", "ec2", "/", form, "", "Action=DescribeInstances&Version=2016-11-15", 400, "<Code>InvalidAction</Code>"},
		{"a target that Organizations does not have", "organizations", "/", json, "AWSOrganizationsV20161128.Nonsense", "{}", 400, `"__type":"UnknownOperationException"`},
		{"a target of a service that is not here", "dynamodb", "/", json, "DynamoDB_20120810.ListTables", "{}", 400, `"__type":"UnknownOperationException"`},
		{"no target", "organizations", "/", json, "", "{}", 400, `"__type":"UnknownOperationException"`},
		{"a path that Account Management does not have", "account", "/nonsense", "application/json", "", "{}", 404, `"message"`},
		{"a body that is no JSON", "organizations", "/", json, "AWSOrganizationsV20161128.ListAccounts", "{", 400, `SerializationException`},
		{"no signature, to IAM", "", "/", form, "", "Action=GetUser&Version=2010-05-08", 403, "<Code>MissingAuthenticationToken</Code>"},
		{"no signature, to Organizations", "", "/", json, "AWSOrganizationsV20161128.ListAccounts", "{}", 400, `MissingAuthenticationTokenException`},
	} {
		status, body := r.raw(t, tt.service, tt.path, tt.kind, tt.target, tt.body)
		if status != tt.status || !strings.Contains(body, tt.says) || strings.Contains(strings.ToLower(body), "<html") {
			t.Errorf("%s: %d %s, want %d with %s", tt.name, status, body, tt.status, tt.says)
		}
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *awssim.Config) { c.Accounts = 60; c.CallLog = 50 })
	var work sync.WaitGroup
	for _, id := range r.Accounts() {
		work.Go(func() {
			c, err := r.assumeRoot(t, id, "IAMDeleteRootUserCredentials")
			if err != nil {
				return
			}
			client := iam.NewFromConfig(c)
			out, err := client.ListAccessKeys(t.Context(), nil)
			if err != nil {
				return
			}
			for _, k := range out.AccessKeyMetadata {
				_, err = client.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{AccessKeyId: k.AccessKeyId})
				want(t, err, "ok")
			}
			attach, _ := quarantine(id)
			_, err = r.orgs().AttachPolicy(t.Context(), attach)
			want(t, err, "ok")
			r.Account(id)
		})
	}
	work.Wait()
	if n := len(r.Calls()); n != 50 {
		t.Errorf("%d calls are remembered, want 50", n)
	}
	total := 0
	for _, c := range r.Counts() {
		total += c.Calls
	}
	if total < 150 || len(r.Effects()) < 50 {
		t.Errorf("%d calls counted, %d effects", total, len(r.Effects()))
	}
}
