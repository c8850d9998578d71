package scale_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// childPattern makes this binary a scanner of the peers' pattern.
const childPattern = "ROOTCHECK_SCALE_PATTERN"

// peersPattern is how others scan, as a process of its own: the accounts are named on the command line, a goroutine for
// each of them loads the configuration anew and makes a client and connections of its own, and makes five calls one after
// the other. One client for STS is shared, with ten attempts and the SDK's retry quota. It writes a line for each account
// that it could read: whether there is a password, and the ids of keys, devices and certificates. How old a key is and
// when it was last used it does not ask.
func peersPattern(ctx context.Context, accounts []string) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	if _, err = iam.NewFromConfig(cfg).ListOrganizationsFeatures(ctx, &iam.ListOrganizationsFeaturesInput{}); err != nil {
		return err
	}
	patient, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 10, 30*time.Second })
	}))
	if err != nil {
		return err
	}
	shared, lines := sts.NewFromConfig(patient), make([]string, len(accounts))
	var wg sync.WaitGroup
	for i, account := range accounts {
		wg.Go(func() {
			if line, failed := fiveCalls(ctx, shared, account); failed == nil {
				lines[i] = line
			}
		})
	}
	wg.Wait()
	out := bufio.NewWriter(os.Stdout)
	for _, line := range lines {
		if line != "" {
			fmt.Fprintln(out, line)
		}
	}
	return out.Flush()
}

func fiveCalls(ctx context.Context, shared *sts.Client, account string) (string, error) {
	session, err := shared.AssumeRoot(ctx, &sts.AssumeRootInput{
		TargetPrincipal: &account, DurationSeconds: aws.Int32(60),
		TaskPolicyArn: &ststypes.PolicyDescriptorType{Arn: aws.String("arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials")},
	})
	if err != nil {
		return "", err
	}
	got := session.Credentials
	cfg, err := config.LoadDefaultConfig(ctx, config.WithCredentialsProvider(
		credentials.NewStaticCredentialsProvider(*got.AccessKeyId, *got.SecretAccessKey, *got.SessionToken)))
	if err != nil {
		return "", err
	}
	c, said := iam.NewFromConfig(cfg), []string{account, "password"}
	var none *iamtypes.NoSuchEntityException
	if _, err = c.GetLoginProfile(ctx, &iam.GetLoginProfileInput{}); errors.As(err, &none) {
		said[1] = "no password"
	} else if err != nil {
		return "", err
	}
	keys, err := c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{})
	if err != nil {
		return "", err
	}
	for _, k := range keys.AccessKeyMetadata {
		said = append(said, *k.AccessKeyId)
	}
	devices, err := c.ListMFADevices(ctx, &iam.ListMFADevicesInput{})
	if err != nil {
		return "", err
	}
	for _, d := range devices.MFADevices {
		said = append(said, *d.SerialNumber)
	}
	certificates, err := c.ListSigningCertificates(ctx, &iam.ListSigningCertificatesInput{})
	if err != nil {
		return "", err
	}
	for _, s := range certificates.Certificates {
		said = append(said, *s.CertificateId)
	}
	return strings.Join(said, " "), nil
}

// patternAt is the child that scans by the peers' pattern.
func patternAt(ctx context.Context, tb testing.TB, url string, accounts []string) *exec.Cmd {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, accounts...)
	cmd.Env, cmd.Stderr = append(awsEnvironment(url), childPattern+"=1"), os.Stderr
	return cmd
}

// organization is how many accounts the two scan. The simulator has one more, which is in no organization.
const organization = 1000

// bundle is where Debian keeps the certificates that a machine trusts.
const bundle = "/etc/ssl/certs/ca-certificates.crt"

// BenchmarkCheckBesideThePeersPattern runs `bot check` and the peers' pattern one after the other, each as a process of its
// own against the same thousand accounts with 20 ms latency: three times, of which the median counts. The accounts of the
// pattern are on its command line; `bot check` lists its own, and the fifty pages that lead to each other are a second of
// its time at least.
//
// How the two compare rests on whether the environment names a file of certificates, as networks that look into TLS make
// everybody do. The pattern reads it again for each account, and takes 0.7 GB and all of the processor. Without one it
// takes a quarter of that and is as fast as the machine, because nothing bounds it: it asks about everybody at once. AWS
// throttles that, and then it loses accounts.
//
// To run it by hand: start `go run ./cmd/demo --simulators-only --accounts 1000 --latency 20ms`, or any endpoint that
// answers as AWS does, set AWS_ENDPOINT_URL and made-up AWS credentials as it says, and time
//
//	bot check --json --config rootcheck.yaml           with `aws: [{name: acme, organization: {}}]` in rootcheck.yaml
//	aws-root-manager audit --accounts ID,ID,…          with the ids that the first one printed
//
// with `/usr/bin/time -v`, which tells the peak memory of each.
func BenchmarkCheckBesideThePeersPattern(b *testing.B) {
	bot := binary(b)
	for name, c := range map[string]struct {
		env           []string
		speed, memory float64
	}{
		"with a file of certificates":    {[]string{"AWS_CA_BUNDLE=" + bundle}, 1.2, 0.1},
		"without a file of certificates": {nil, 0, 0.4},
	} {
		b.Run(name, func(b *testing.B) {
			if _, err := os.Stat(bundle); c.env != nil && err != nil {
				b.Skip(err)
			}
			org, url := serve(b, awssim.Config{Accounts: organization, Latency: 20 * time.Millisecond})
			for b.Loop() {
				var faster, lighter []float64
				for range 3 {
					ours, theirs := beside(b, bot, url, org.Accounts(), c.env)
					faster = append(faster, theirs.Took.Seconds()/ours.Took.Seconds())
					lighter = append(lighter, ours.Peak/theirs.Peak)
				}
				slices.Sort(faster)
				slices.Sort(lighter)
				b.ReportMetric(faster[1], "x-faster")
				b.ReportMetric(lighter[1], "x-memory")
				b.Logf("%.2f times faster (%.2f to %.2f) with %.3f of the memory", faster[1], faster[0], faster[2], lighter[1])
				if faster[1] < c.speed || lighter[1] > c.memory {
					b.Errorf("%.2f times faster with %.3f of the memory", faster[1], lighter[1])
				}
			}
		})
	}
}

func beside(b *testing.B, bot, url string, accounts, env []string) (ours, theirs measured) {
	b.Helper()
	ours = check(b, bot, url, env...)
	pattern := patternAt(b.Context(), b, url, accounts)
	pattern.Env = append(pattern.Env, env...)
	theirs = measure(b, pattern)
	var report checked
	if err := json.Unmarshal(ours.Out, &report); err != nil {
		b.Fatalf("status %d: %v", ours.Status, err)
	}
	report.hold(b, organization)
	b.Logf("check: %d accounts with the age and last use of each key in %v, %.1f MB; the pattern: %d in %v, %.1f MB", report.Coverage.Scanned,
		ours.Took.Round(time.Millisecond), ours.Peak, bytes.Count(theirs.Out, []byte("\n")), theirs.Took.Round(time.Millisecond), theirs.Peak)
	return ours, theirs
}
