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

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
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

// childLooks makes this binary our scan of accounts that are named, like the pattern's.
const childLooks = "ROOTCHECK_SCALE_LOOKS"

// ourLooks is the engine of `bot check` and of the bot, with nothing but the list of accounts taken away: they are named on
// the command line, as the pattern's are. It writes a line for each account of which it knows everything that a root session
// can tell, the age and last use of each key included.
func ourLooks(ctx context.Context, accounts []string) error {
	auditor, _, err := awsroot.New(ctx, awsroot.Config{
		Sources: []awsroot.Source{{Name: "acme", Organization: &awsroot.Organization{}}}, Now: time.Now, Version: "scale",
	})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	scanner := commands.Scanner{Looker: given{auditor, accounts}, Now: time.Now, Concurrency: 64}
	return errors.Join(scanner.Scan(ctx, auditor.Sources(), len(accounts), lines{out}), out.Flush())
}

// given is an auditor that is told its accounts.
type given struct {
	*awsroot.Auditor

	accounts []string
}

var errBegun = errors.New("the organization has begun to tell its accounts")

// Inventory learns of the organization what it must know to look at its members: who manages it, and which ways are open.
func (g given) Inventory(ctx context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	org, err := g.Auditor.Inventory(ctx, source, func(posture.Account) error { return errBegun })
	if !errors.Is(err, errBegun) {
		return org, errors.Join(err, errors.New("the organization tells no account"))
	}
	for _, id := range g.accounts {
		a := posture.Account{ID: posture.AccountID(id), Partition: org.Partition, State: posture.StateActive, Role: posture.RoleMember}
		if a.ID == org.Management {
			a.Role = posture.RoleManagement
		}
		if err := yield(a); err != nil {
			return org, err
		}
	}
	return org, nil
}

// lines writes what a scan sees, an account a line.
type lines struct{ to *bufio.Writer }

func (lines) Named(posture.Account) (commands.Take, error)     { return commands.TakeLook, nil }
func (lines) Ended(context.Context, commands.SourceScan) error { return nil }
func (lines) Progress(commands.Progress)                       {}
func (l lines) Looked(_ context.Context, s commands.Seen) error {
	e := s.Evidence
	if !e.Password.Known() || !e.Keys.Known() || !e.Devices.Known() || !e.CertificateList.Known() || len(e.Keys.Value) > 0 && !e.KeyUse.Known() {
		return nil
	}
	_, err := fmt.Fprintln(l.to, e.Account.ID, e.Password.Value, e.Keys.Value, e.Devices.Value, e.CertificateList.Value)
	return err
}

// child is this binary as one of the two, with the accounts that it is to look at.
func child(ctx context.Context, tb testing.TB, as, url string, accounts, env []string) *exec.Cmd {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, accounts...)
	cmd.Env, cmd.Stderr = append(append(awsEnvironment(url), as+"=1"), env...), os.Stderr
	return cmd
}

// organization is how many accounts the two scan. The simulator has one more, which is in no organization.
const organization = 1000

// bundle is where Debian keeps the certificates that a machine trusts.
const bundle = "/etc/ssl/certs/ca-certificates.crt"

// BenchmarkCheckBesideThePeersPattern looks at the same thousand accounts in three ways, each a process of its own, with
// 20 ms latency: the peers' pattern, which is told the accounts; our looks, which are told them, too; and `bot check`, which
// lists them first. Its fifty pages and more lead to each other, so that it takes longer than a second whatever it does in
// the meantime. Each is run three times, and the median counts.
//
// How they compare rests on what a process may use:
//   - Nothing bounds the pattern, so it is as fast as the processor. It shakes hands with IAM for each account, as AWS is
//     reached by HTTPS only. Where the environment names a file of certificates, as networks that look into TLS make
//     everybody do, it reads that file for each account, and takes 0.7 GB.
//   - Our looks wait for the latency: 64 at a time, two calls and a half each, take 0.8 s at least.
//
// So in the clear on an idle machine the pattern is about as fast, with four times the memory; AWS would throttle it, and
// then it loses accounts. What is held to figures is what this bot is made for: HTTPS, a file of certificates, one
// processor.
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
		https        bool
		certificates string // the variable that names the file of trusted certificates
		env          []string
		held         bool
	}{
		"by HTTPS":                              {true, "SSL_CERT_FILE", nil, false},
		"by HTTPS, with a file of certificates": {true, "AWS_CA_BUNDLE", nil, false},
		"by HTTPS, with a file of certificates, on one processor": {true, "AWS_CA_BUNDLE", []string{"GOMAXPROCS=1"}, true},
		"in the clear": {false, "", nil, false},
		"in the clear, with a file of certificates": {false, "AWS_CA_BUNDLE", nil, false},
	} {
		b.Run(name, func(b *testing.B) {
			served := awssim.Config{Accounts: organization, Latency: 20 * time.Millisecond}
			org, url, trusted := serveTLS(b, served)
			if !c.https {
				org, url = serve(b, served)
			}
			env := c.env
			if c.certificates != "" {
				env = append(slices.Clone(env), c.certificates+"="+trusted)
			}
			for b.Loop() {
				var ratios [4][]float64
				for range 3 {
					checks, looks, theirs := beside(b, bot, url, org.Accounts(), env)
					for i, r := range []float64{
						theirs.Took.Seconds() / checks.Took.Seconds(), checks.Peak / theirs.Peak,
						theirs.Took.Seconds() / looks.Took.Seconds(), looks.Peak / theirs.Peak,
					} {
						ratios[i] = append(ratios[i], r)
					}
				}
				var median [4]float64
				for i, unit := range []string{"check-x-faster", "check-x-memory", "looks-x-faster", "looks-x-memory"} {
					slices.Sort(ratios[i])
					median[i] = ratios[i][1]
					b.ReportMetric(median[i], unit)
				}
				b.Logf("check is %.2f times faster with %.3f of the memory; our looks are %.2f times faster with %.3f of it", median[0], median[1], median[2], median[3])
				if c.held && (median[0] < 2 || median[1] > 0.1 || median[2] < 4 || median[3] > 0.1) {
					b.Errorf("they are held to 2 and 4 times faster, with a tenth of the memory")
				}
			}
		})
	}
}

// beside runs the three ways one after the other.
func beside(b *testing.B, bot, url string, accounts, env []string) (checks, looks, theirs measured) {
	b.Helper()
	checks = check(b, bot, url, env...)
	var report checked
	if err := json.Unmarshal(checks.Out, &report); err != nil {
		b.Fatalf("status %d: %v", checks.Status, err)
	}
	report.hold(b, organization)
	looks = measure(b, child(b.Context(), b, childLooks, url, accounts, env))
	theirs = measure(b, child(b.Context(), b, childPattern, url, accounts, env))
	if told := bytes.Count(looks.Out, []byte("\n")); told < organization-unseeable {
		b.Errorf("our looks told of %d accounts", told)
	}
	for way, m := range map[string]measured{"check": checks, "our looks": looks, "the pattern": theirs} {
		b.Logf("%s: %v, %v of the processor, %.0f MB", way, m.Took.Round(time.Millisecond), m.Busy.Round(time.Millisecond), m.Peak)
	}
	return checks, looks, theirs
}
