package awsroot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// The task policies that a root session can have. No other is possible, and none of them can deactivate a key.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/security-iam-awsmanpol.html
const (
	auditTask  = "IAMAuditRootUserCredentials"
	deleteTask = "IAMDeleteRootUserCredentials"
)

// assumeRoot opens a privileged session in a member account, with one of the task policies.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoot.html
func assumeRoot(ctx context.Context, from aws.Config, account posture.AccountID, partition, task string) (aws.Config, error) {
	policy := "arn:" + partition + ":iam::aws:policy/root-task/" + task
	out, err := sts.NewFromConfig(from).AssumeRoot(ctx, &sts.AssumeRootInput{
		TargetPrincipal: aws.String(string(account)),
		TaskPolicyArn:   &ststypes.PolicyDescriptorType{Arn: &policy},
		DurationSeconds: aws.Int32(sessionSeconds),
	})
	if err != nil {
		return aws.Config{}, err
	}
	c := out.Credentials
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" {
		return aws.Config{}, errNoCredentials
	}
	cfg := unrenewed(from)
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, aws.ToString(c.SessionToken))
	return cfg, nil
}

// rootSession is assumeRoot, and remembers whose session it is where the event history is going to be read.
func (r *reach) rootSession(ctx context.Context, from aws.Config, account posture.AccountID, partition, task string) (aws.Config, error) {
	cfg, err := assumeRoot(ctx, from, account, partition, task)
	if err != nil || !r.cloudTrail() {
		return cfg, err
	}
	if c, err := cfg.Credentials.Retrieve(ctx); err == nil {
		r.mints.add(c.AccessKeyID, r.cfg.Now())
	}
	return cfg, nil
}

// mints are the ids of the keys of the root sessions that this process opened, so that the event history can tell them
// from sessions that others opened. Nothing else in an event would do: a name or a source identity can be copied. After a
// restart our own older sessions count as activity for as long as the policy looks back, which errs on the loud side.
type mints struct {
	mu    sync.Mutex
	at    map[string]time.Time
	swept time.Time
}

// mintsKept is longer than a session lives (15 minutes at most) plus the time that an event takes to be delivered.
const mintsKept = 2 * time.Hour

func (m *mints) add(id string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == nil {
		m.at = map[string]time.Time{}
	}
	if now.Sub(m.swept) > mintsKept/4 {
		for k, at := range m.at {
			if now.Sub(at) > mintsKept {
				delete(m.at, k)
			}
		}
		m.swept = now
	}
	m.at[id] = now
}

func (m *mints) ours(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.at[id]
	return ok
}

var errNoCredentials = errors.New("the answer to AssumeRoot holds no credentials")

// rootKeys lists the root user's keys with their last use, and tells AWS's time when it began to. The session's
// credentials are the root user's: no UserName.
func rootKeys(ctx context.Context, c *iam.Client) (keys []posture.Key, told time.Time, err error) {
	if err := turned(ctx, iam.NewListAccessKeysPaginator(c, &iam.ListAccessKeysInput{}), func(page *iam.ListAccessKeysOutput) error {
		if told.IsZero() {
			told = serverTime(page.ResultMetadata, told)
		}
		for _, k := range page.AccessKeyMetadata {
			keys = withKey(keys, posture.Key{ID: posture.KeyID(text(k.AccessKeyId)), Status: statusOf(k.Status), Created: dated(k.CreateDate)})
		}
		return given(page.AccessKeyMetadata, len(keys))
	}); err != nil {
		return nil, told, err
	}
	for i := range keys {
		used, err := c.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String(string(keys[i].ID))})
		if err != nil {
			return nil, told, err
		}
		u := used.AccessKeyLastUsed
		if u == nil { // AWS tells of a key that was never used, too
			return nil, told, errNoUse
		}
		if u.LastUsedDate != nil {
			keys[i].LastUsed = dated(u.LastUsedDate)
			keys[i].UsedService, keys[i].UsedRegion = known(u.ServiceName), known(u.Region)
		}
	}
	return keys, told, nil
}

// withKey adds a key that is not there yet. Of two answers about one key the worse counts.
func withKey(keys []posture.Key, k posture.Key) []posture.Key {
	at := slices.IndexFunc(keys, func(was posture.Key) bool { return was.ID.Same(k.ID) })
	if at < 0 {
		return append(keys, k)
	}
	if k.Status == posture.KeyActive {
		keys[at].Status = k.Status
	}
	return keys
}

// statusOf reads a key's status. What is neither Active nor Inactive is taken for Active: nothing may rest on it.
func statusOf(s iamtypes.StatusType) posture.KeyStatus {
	if s == iamtypes.StatusTypeInactive {
		return posture.KeyInactive
	}
	return posture.KeyActive
}

func known(s *string) string {
	if v := text(s); v != "N/A" {
		return v
	}
	return ""
}

// serverTime is AWS's own clock, by the Date header of its answer. It is what a watch window is measured against.
func serverTime(m middleware.Metadata, otherwise time.Time) time.Time {
	if t, ok := awsmiddleware.GetServerTime(m); ok && !t.IsZero() {
		return t.UTC()
	}
	return otherwise
}

func requestID(m middleware.Metadata) string {
	id, _ := awsmiddleware.GetRequestIDMetadata(m)
	return id
}
