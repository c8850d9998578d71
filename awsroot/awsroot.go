// Package awsroot is the AWS edge: it looks at root users, and makes the few calls that change something.
//
// The rules are:
//   - An [Auditor] can only read. A [Remediator] makes one changing call per permit. They are separate types with separate
//     clients, sessions and task policies, so that code that looks cannot hold a value that deletes.
//   - A changing call is made with one attempt. Whoever wants another one asks the gates anew.
//   - What could not be read is a gap with its cause and its fix, never a guess. An answer that cannot be AWS's makes
//     nothing pass.
//   - Root sessions name no user: AWS infers the root user from the credentials, and refuses a UserName.
//   - A limiter stands in front of the SDK. The SDK's own retry quota is off, because it drops whole accounts.
package awsroot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// Config is what the operator set for AWS.
type Config struct {
	Sources        []Source
	AssumeRootRate float64 // calls per second to sts:AssumeRoot, of which AWS publishes no figure; 0: as many as AWS takes
	OwnerTag       string  // the account tag that names the owner
	Now            func() time.Time
	Log            *slog.Logger
	Version        string // for the user agent, so that CloudTrail names the bot
}

// Source is one entry of the settings: either an organization or a single account.
type Source struct {
	Name         string
	NeverActOn   []posture.AccountID
	Organization *Organization
	Account      *Account
}

// Organization is how to look into an organization. Delete and Quarantine are off unless set, and so is CloudTrail.
type Organization struct {
	Profile, RoleARN, ExternalID, Region string
	// SourceIdentity is set on the roles that are assumed, and CloudTrail shows it with each call that follows, root
	// sessions included. A role must allow sts:SetSourceIdentity in its trust policy, or it cannot be assumed any more.
	SourceIdentity string
	MemberRole     string // the name of a read-only role in the members
	// CloudTrail lets the root user's activity be read from the event history too, where a role or the own identity
	// looks: at least three calls per account.
	CloudTrail bool
	Tags       bool // learn the accounts' tags beside the scan: one call per account and day
	Aliases    bool // learn the accounts' aliases by MemberRole beside the scan: two calls per account and day
	Delete     *Delete
	Quarantine *Quarantine
}

// Delete switches deletion on. An empty RoleARN uses the identity that looks.
type Delete struct{ RoleARN string }

// Quarantine switches blocking on. An empty RoleARN uses the identity that looks. The root users of Except are never
// blocked.
type Quarantine struct {
	RoleARN, PolicyID string
	Except            []posture.AccountID
}

// Account is how to look into a single account. RootProfile is off unless set.
type Account struct {
	Profile, RoleARN, ExternalID, Region string
	SourceIdentity                       string // see Organization
	CloudTrail                           bool   // see Organization
	RootProfile                          string // an AWS profile that is the account's root user
}

// Guards that the edge offers what the verbs ask for.
var (
	_ commands.Inspector = (*Auditor)(nil)
	_ commands.Executor  = (*Remediator)(nil)
)

// New prepares both halves. It reads the AWS configuration and asks nothing of AWS.
func New(ctx context.Context, c Config) (*Auditor, *Remediator, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	client := httpClient()
	reaches := make([]*reach, 0, len(c.Sources))
	for _, s := range c.Sources {
		r, err := newReach(ctx, c, s, client)
		if err != nil {
			return nil, nil, err
		}
		reaches = append(reaches, r)
	}
	return &Auditor{reaches: reaches, cfg: c}, &Remediator{reaches: reaches, cfg: c}, nil
}

func httpClient() aws.HTTPClient {
	return awshttp.NewBuildableClient().WithTimeout(callTimeout).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 128
	})
}

const (
	// One attempt of one call takes no longer than callTimeout.
	callTimeout = 10 * time.Second
	// A root session lives for sessionSeconds. AWS allows up to 900; shorter is better.
	sessionSeconds = 300
	defaultRegion  = "us-east-1"
)

// NoProfileError is a source whose AWS profile does not exist.
type NoProfileError struct {
	Source  Source
	Profile string
}

// Error says which profile is not there.
func (e *NoProfileError) Error() string { return "there is no AWS profile " + e.Profile }

// reach is the way to one source: its credentials and its limiters.
type reach struct {
	src     Source
	cfg     Config
	plain   aws.Config // as it was loaded, before any role
	base    aws.Config // the identity that looks
	blocks  aws.Config // the identity that reads the quarantine policy, where one is set
	pace    *pace
	who     *identity
	mints   mints
	cache   policyCache
	units   unitNames
	tags    book[map[string]string]
	aliases book[string]
}

func newReach(ctx context.Context, c Config, s Source, client aws.HTTPClient) (*reach, error) {
	r := &reach{src: s, cfg: c, pace: newPace(c.AssumeRootRate)}
	profile, role, region := "", "", ""
	if o := s.Organization; o != nil {
		profile, role, region = o.Profile, o.RoleARN, o.Region
	} else if a := s.Account; a != nil {
		profile, role, region = a.Profile, a.RoleARN, a.Region
	}
	base, err := load(ctx, profile, region, c, client)
	if _, missing := errors.AsType[config.SharedConfigProfileNotExistError](err); missing && profile != "" {
		return nil, &NoProfileError{Source: s, Profile: profile}
	}
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration of %s: %w", s.Name, err)
	}
	base.APIOptions = append(slices.Clone(base.APIOptions), r.pace.middleware)
	r.plain = renewing(base)
	r.base = r.as(r.plain, role, "rootcheck-look")
	if o := s.Organization; o != nil && o.Quarantine != nil {
		r.blocks = r.as(r.base, o.Quarantine.RoleARN, "rootcheck-quarantine")
	}
	r.who = &identity{sts: sts.NewFromConfig(r.base)}
	return r, nil
}

// as gives the configuration of a role of this source, with the source's external id and source identity, or the same
// configuration where no role is named.
func (r *reach) as(from aws.Config, role, session string) aws.Config {
	if role == "" {
		return from
	}
	external, identity := "", ""
	if o := r.src.Organization; o != nil {
		external, identity = o.ExternalID, o.SourceIdentity
	} else if a := r.src.Account; a != nil {
		external, identity = a.ExternalID, a.SourceIdentity
	}
	cfg := unrenewed(from)
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(from), role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = session
		if external != "" {
			o.ExternalID = &external
		}
		if identity != "" {
			o.SourceIdentity = &identity
		}
	}))
	return renewing(cfg)
}

// cloudTrail reports whether the event history may be read.
func (r *reach) cloudTrail() bool {
	if o := r.src.Organization; o != nil {
		return o.CloudTrail
	}
	return r.src.Account != nil && r.src.Account.CloudTrail
}

func load(ctx context.Context, profile, region string, c Config, client aws.HTTPClient) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client),
		config.WithAppID("rootcheck-" + c.Version),
		config.WithLogger(logging.LoggerFunc(func(level logging.Classification, format string, v ...any) {
			// What matters of it comes back as an error. Left alone, the SDK would write to standard error by itself.
			c.Log.DebugContext(ctx, "the SDK says", "class", string(level), "said", clip(fmt.Sprintf(format, v...)))
		})),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				// The client-wide retry quota would fail every account of a scan that is throttled for a while.
				o.RateLimiter = ratelimit.None
				o.MaxAttempts, o.Backoff = 5, retry.BackoffDelayerFunc(backoff)
				o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(retryable)}, o.Retryables...)
			})
		}),
	}
	if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, err
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	cfg.APIOptions = append(cfg.APIOptions, guard)
	if cache, ok := cfg.Credentials.(*aws.CredentialsCache); ok {
		cfg.Credentials = signing{cache}
	}
	return cfg, nil
}

// backoff waits longer after throttling, where the limiter slows down as well, than after a failure of a moment.
func backoff(attempt int, err error) (time.Duration, error) {
	const most = 3 * time.Second
	base := 100 * time.Millisecond
	if throttled(err) {
		base = 500 * time.Millisecond
	}
	d := min(base<<min(max(attempt-1, 0), 6), most)
	return d/2 + rand.N(d/2), nil //nolint:gosec // Only so that callers do not come back at once.
}

// retryable adds to the SDK's judgement. A call that hung once would hold a worker for each attempt: whoever asked asks
// again when the rest is done. Rubbish in place of an answer is mostly a moment's.
func retryable(err error) aws.Ternary {
	var timeout net.Error
	var unread *smithy.DeserializationError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return aws.FalseTernary
	case errors.As(err, &unread):
		return aws.TrueTernary
	default:
		return aws.UnknownTernary
	}
}

// sessionName names a role session after what it is for, so that CloudTrail shows it. AWS allows 64 of some characters.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func sessionName(purpose, of string) string {
	const most = 64
	name := []byte("rootcheck-" + purpose + "-" + of)
	for i, c := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@-_", rune(c)) {
			name[i] = '-'
		}
	}
	return string(name[:min(len(name), most)])
}

// once switches retries off, and the renewal of credentials with them: for calls that change something.
func once(cfg aws.Config) aws.Config {
	cfg = unrenewed(cfg)
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return cfg
}

// exempt reports whether the operator wants the account never to be acted on.
func (r *reach) exempt(id posture.AccountID) bool {
	return slices.Contains(r.src.NeverActOn, id)
}

func find(reaches []*reach, source string) (*reach, bool) {
	for _, r := range reaches {
		if r.src.Name == source {
			return r, true
		}
	}
	return nil, false
}

// partitionOf is the partition of an ARN, "aws" where it has none.
func partitionOf(s string) string {
	a, err := arn.Parse(s)
	if err != nil || a.Partition == "" {
		return "aws"
	}
	return a.Partition
}
