package awssim_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// rig is an organization behind a real HTTP server, mounted below a prefix, and a clock that a test moves.
type rig struct {
	*awssim.Organization
	url   string
	clock *clock
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newRig(t *testing.T, change func(*awssim.Config)) *rig {
	t.Helper()
	c := &clock{now: time.Now()}
	config := awssim.Config{Now: c.Now}
	if change != nil {
		change(&config)
	}
	o := awssim.New(config)
	mux := http.NewServeMux()
	o.Mount(mux, "/aws")
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		o.Close()
		s.Close()
	})
	return &rig{Organization: o, url: s.URL, clock: c}
}

// as is a client configuration that signs with a key and does not try twice, unless its own transport closed the connection
// under the answer: that says nothing of the simulator.
func (r *rig) as(keyID, secret, token string) aws.Config {
	closed := retry.IsErrorRetryableFunc(func(err error) aws.Ternary { return aws.BoolTernary(errors.Is(err, net.ErrClosed)) })
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(r.url + "/aws/"),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.Retryables = 2, []retry.IsErrorRetryable{closed} })
		},
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, token),
	}
}

func (r *rig) admin() aws.Config { return r.as("AKIAIOSFODNN7EXAMPLE", "secret", "") }

func (r *rig) lab() aws.Config {
	return r.as(awssim.LabAccessKeyID, awssim.LabSecretAccessKey, "")
}

func (r *rig) session(c *ststypes.Credentials) aws.Config {
	return r.as(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

const tasks = "arn:aws:iam::aws:policy/root-task/"

func (r *rig) assumeRoot(t *testing.T, target, task string) (aws.Config, error) {
	t.Helper()
	out, err := sts.NewFromConfig(r.admin()).AssumeRoot(t.Context(), &sts.AssumeRootInput{
		TargetPrincipal: &target, TaskPolicyArn: &ststypes.PolicyDescriptorType{Arn: aws.String(tasks + task)},
	})
	if err != nil {
		return aws.Config{}, err
	}
	return r.session(out.Credentials), nil
}

func (r *rig) root(t *testing.T, target, task string) *iam.Client {
	t.Helper()
	c, err := r.assumeRoot(t, target, task)
	if err != nil {
		t.Fatalf("assume root of %s: %v", target, err)
	}
	return iam.NewFromConfig(c)
}

func (r *rig) role(t *testing.T, accountID string) aws.Config {
	t.Helper()
	out, err := sts.NewFromConfig(r.admin()).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + accountID + ":role/RootPostureReadOnly"), RoleSessionName: aws.String("test"),
	})
	if err != nil {
		t.Fatalf("assume a role in %s: %v", accountID, err)
	}
	return r.session(out.Credentials)
}

func (r *rig) orgs() *organizations.Client { return organizations.NewFromConfig(r.admin()) }

func (r *rig) contacts() *account.Client { return account.NewFromConfig(r.admin()) }

func trailOf(c aws.Config) *cloudtrail.Client { return cloudtrail.NewFromConfig(c) }

// code is what AWS calls the error, "ok" for none, and the error's text for one that no service answered.
func code(err error) string {
	if err == nil {
		return "ok"
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return err.Error()
}

func message(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorMessage()
	}
	return ""
}

// want fails the test unless the error is the one of that code.
func want(t *testing.T, err error, wanted string) {
	t.Helper()
	if got := code(err); got != wanted {
		t.Errorf("got %s (%v), want %s", got, err, wanted)
	}
}

// do sends a request and returns the status, the header and the whole body of the answer.
func do(t *testing.T, req *http.Request) (int, http.Header, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
