package awssim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// form sends a call of the query protocol straight to the handler, signed as far as the simulator looks.
func form(ctx context.Context, h http.Handler, service, keyID, token, body string) string {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+keyID+"/20261121/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	if token != "" {
		r.Header.Set("X-Amz-Security-Token", token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.String()
}

// BenchmarkScan is a whole organization of ten thousand accounts, looked at with the two calls that each needs.
func BenchmarkScan(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	o := awssim.New(awssim.Config{Now: time.Now, Accounts: 10_000})
	defer o.Close()
	runtime.GC()
	runtime.ReadMemStats(&after)
	h, ids := o.API(), o.Accounts()
	credentials := regexp.MustCompile(`<AccessKeyId>(.*)</AccessKeyId>.*<SessionToken>(.*)</SessionToken>`)
	calls := 0
	for b.Loop() {
		for _, id := range ids {
			calls++
			c := credentials.FindStringSubmatch(form(b.Context(), h, "sts", "AKIAIOSFODNN7EXAMPLE", "",
				"Action=AssumeRoot&Version=2011-06-15&TargetPrincipal="+id+"&TaskPolicyArn.arn="+tasks+"IAMAuditRootUserCredentials"))
			if c != nil {
				calls++
				form(b.Context(), h, "iam", c[1], c[2], "Action=GetAccountSummary&Version=2010-05-08")
			}
		}
	}
	b.ReportMetric(float64(calls)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB-at-rest")
}

func TestALargeOrganizationIsWhatItSays(t *testing.T) {
	t.Parallel()
	o := awssim.New(awssim.Config{Accounts: 10_000, Seed: 3})
	seen, withKeys, noMFA := map[string]bool{}, 0, 0
	for _, id := range o.Accounts() {
		v, ok := o.Account(id)
		if !ok || seen[id] || len(id) != 12 {
			t.Fatalf("account %q is missing, double or malformed", id)
		}
		seen[id] = true
		if len(v.Root.Keys) > 0 {
			withKeys++
		}
		if v.Root.Password && len(v.Root.MFA) == 0 {
			noMFA++
		}
	}
	if len(seen) != 10_001 || withKeys < 300 || withKeys > 800 || noMFA < 150 || noMFA > 500 {
		t.Errorf("%d accounts, %d with keys, %d without MFA", len(seen), withKeys, noMFA)
	}
}

func TestLatencyIsEachCallsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := awssim.New(awssim.Config{Now: time.Now, Latency: time.Hour})
		h, start := o.API(), time.Now()
		var work sync.WaitGroup
		for range 50 {
			work.Go(func() {
				if body := form(t.Context(), h, "sts", "AKIAIOSFODNN7EXAMPLE", "", "Action=GetCallerIdentity&Version=2011-06-15"); !strings.Contains(body, "administrator") {
					t.Error(body)
				}
			})
		}
		work.Wait()
		if took := time.Since(start); took != time.Hour {
			t.Errorf("fifty calls of an hour each took %v together, want one hour", took)
		}
	})
}

// Other tools audit with sessions of 60 seconds and four lists, then delete everything in one session, the password
// first; nothing of that may depend on the bot's own order.
func TestACallerWithAnotherOrderOfCallsFindsTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	session := func(task string) *iam.Client {
		out := must[*sts.AssumeRootOutput](t)(sts.NewFromConfig(r.admin()).AssumeRoot(t.Context(), &sts.AssumeRootInput{
			TargetPrincipal: aws.String(awssim.PartnersAccount), DurationSeconds: aws.Int32(60), TaskPolicyArn: &ststypes.PolicyDescriptorType{Arn: aws.String(tasks + task)},
		}))
		return iam.NewFromConfig(r.session(out.Credentials))
	}
	features := must[*iam.ListOrganizationsFeaturesOutput](t)(iam.NewFromConfig(r.admin()).ListOrganizationsFeatures(t.Context(), nil))
	c := session("IAMAuditRootUserCredentials")
	_, err := c.GetLoginProfile(t.Context(), nil)
	want(t, err, "ok")
	keys := must[*iam.ListAccessKeysOutput](t)(c.ListAccessKeys(t.Context(), nil)).AccessKeyMetadata
	devices := must[*iam.ListMFADevicesOutput](t)(c.ListMFADevices(t.Context(), nil)).MFADevices
	certificates := must[*iam.ListSigningCertificatesOutput](t)(c.ListSigningCertificates(t.Context(), nil)).Certificates
	if got := fmt.Sprint(len(features.EnabledFeatures), len(keys), len(devices), len(certificates)); got != "2 0 2 1" {
		t.Errorf("features, keys, devices, certificates: %s", got)
	}
	c = session("IAMDeleteRootUserCredentials")
	_, err = c.DeleteLoginProfile(t.Context(), nil)
	want(t, err, "ok")
	for _, d := range devices {
		_, err = c.DeactivateMFADevice(t.Context(), &iam.DeactivateMFADeviceInput{SerialNumber: d.SerialNumber})
		want(t, err, "ok")
	}
	for _, x := range certificates {
		_, err = c.DeleteSigningCertificate(t.Context(), &iam.DeleteSigningCertificateInput{CertificateId: x.CertificateId})
		want(t, err, "ok")
	}
	v, _ := r.Account(awssim.PartnersAccount)
	if v.Root.Password || len(v.Root.MFA)+len(v.Root.Keys)+len(v.Root.Certificates) > 0 {
		t.Errorf("what is left of the root user: %+v", v.Root)
	}
	r.clock.Advance(time.Minute)
	_, err = c.ListAccessKeys(t.Context(), nil)
	want(t, err, "ExpiredToken")
}
