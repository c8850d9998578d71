package awsroot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Remediator opens sessions that can make one changing call each. It holds no credentials of a root user itself.
type Remediator struct {
	reaches []*reach
	cfg     Config

	mu   sync.Mutex
	used map[int64]bool // receipts that paid for a detachment, by their place in the log
}

// once reports whether a receipt has not paid for a call yet, and takes it.
func (m *Remediator) once(receipt audit.Receipt) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used == nil {
		m.used = map[int64]bool{}
	}
	seq := receipt.Seq()
	if m.used[seq] {
		return false
	}
	m.used[seq] = true
	return true
}

// Errors of opening a session. When one of them is returned, no call was made.
var (
	// ErrNoMeans means that the settings give the act no means for the account.
	ErrNoMeans = errors.New("no means is configured for this act")
	// ErrSpent means that the session has made its one call.
	ErrSpent = errors.New("the session has made its one call")
	// ErrWrongPermit means that the permit is for something else than the session was opened for.
	ErrWrongPermit = errors.New("the permit is for something else")
)

// Open gets the credentials for one act on one account, makes the reading that the gates are asked with, and returns a
// session that can make exactly one call. The error of a reading that failed is in its facts.
func (m *Remediator) Open(ctx context.Context, req remediation.Request, act remediation.Act) (commands.Session, error) {
	r, ok := find(m.reaches, req.Source)
	if !ok {
		return nil, ErrNoMeans
	}
	means := req.Means
	if act == remediation.ActDelete {
		means = req.DeleteMeans
	}
	if r.never(req, act) {
		return nil, ErrNoMeans
	}
	s := &session{r: r, req: req, act: act, means: means, now: m.cfg.Now, facts: remediation.Facts{Source: req.Source, Account: req.Account, Begun: m.cfg.Now()}}
	var err error
	switch {
	case means == remediation.MeansRootCredentials && r.src.Account != nil && r.src.Account.RootProfile != "":
		err = s.byRootProfile(ctx, m.cfg)
	case means == remediation.MeansOrganization && act == remediation.ActDelete && r.src.Organization != nil && r.src.Organization.Delete != nil:
		err = s.byDeleteSession(ctx)
	case means == remediation.MeansOrganization && act != remediation.ActDelete && r.src.Organization != nil && r.src.Organization.Quarantine != nil:
		err = s.byQuarantine(ctx)
	default:
		return nil, ErrNoMeans
	}
	if err != nil {
		s.facts = failed(s.facts, gapOf(err))
	}
	s.facts.At = m.cfg.Now()
	return s, nil
}

// never reports what the operator's settings rule out, whatever a request says. The verbs ask too; this is the last door.
func (r *reach) never(req remediation.Request, act remediation.Act) bool {
	if r.exempt(req.Account) || !req.Account.Valid() {
		return true
	}
	if r.src.Organization == nil || act == remediation.ActDelete {
		return r.src.Organization != nil && r.management() == req.Account
	}
	q := r.src.Organization.Quarantine
	switch act {
	case remediation.ActDeactivate:
		// A service control policy never binds the management account: it would be attached and block nothing.
		return r.management() == req.Account || q != nil && slices.Contains(q.Except, req.Account)
	case remediation.ActReactivate, remediation.ActLift:
		return req.BlockFound
	case remediation.ActDelete:
		return false
	default:
		return true
	}
}

// session is one opened act. It forgets its credentials when it is closed.
type session struct {
	r     *reach
	req   remediation.Request
	act   remediation.Act
	means remediation.Means
	now   clock
	facts remediation.Facts
	call  func(ctx context.Context, k posture.KeyID) (string, error) // the one changing call; returns AWS's request id
	back  func(ctx context.Context) error                            // reads back into facts
	found bool                                                       // the block was attached already

	mu    sync.Mutex
	spent bool
}

// Facts is the reading that was made when the session was opened.
func (s *session) Facts() remediation.Facts { return s.facts }

// Close forgets the credentials. It may be called more than once.
func (s *session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spent, s.call, s.back = true, nil, nil
}

// Do makes the call that the permit allows, once, and reads back.
func (s *session) Do(ctx context.Context, p remediation.Permit) commands.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.allows(p); err != nil {
		return commands.Outcome{Kind: remediation.Refused, Code: err.Error(), Facts: s.facts}
	}
	s.spent = true
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	id, err := s.call(ctx, p.Key())
	out := outcomeOf(err)
	out.AWSID, out.Found, out.Facts = id, s.found, s.facts
	if out.Kind != remediation.Succeeded {
		return out
	}
	if err := s.back(ctx); err != nil {
		// AWS took the call; what it did is for the next reading to tell.
		return commands.Outcome{Kind: remediation.Unsure, Code: codeOf(err), AWSID: id, Found: s.found, Facts: s.facts}
	}
	s.facts.At = s.now()
	out.Facts = s.facts
	return out
}

func (s *session) allows(p remediation.Permit) error {
	switch {
	case s.spent || s.call == nil:
		return ErrSpent
	case p.Act() != s.act, p.Means() != s.means, p.Account() != s.req.Account, p.Source() != s.req.Source, p.Request() != s.req.ID, p.Key() != s.req.Key.ID:
		return ErrWrongPermit
	default:
		return nil
	}
}

// outcomeOf tells a definite answer from an unknown outcome. What is not a definite no is settled by a reading and, if that
// shows nothing done, tried again under the same confirmation: so is a no that only means "not now", since the machine,
// and not the SDK, repeats what changes something. NoSuchEntity is no success: it says that somebody else was first.
func outcomeOf(err error) commands.Outcome {
	if err == nil {
		return commands.Outcome{Kind: remediation.Succeeded}
	}
	out := commands.Outcome{Kind: remediation.Unsure, Code: codeOf(err)}
	status := statusCode(err)
	definite := status >= http.StatusBadRequest && status < http.StatusInternalServerError && !garbledCode(err) && !throttled(err)
	switch out.Code {
	case "NoSuchEntity", "ExpiredToken", "ExpiredTokenException", "RequestTimeout", "RequestExpired", "RequestTimeTooSkewed",
		"ConcurrentModificationException", "ConcurrentModification", "PolicyChangesInProgressException", "FinalizingOrganizationException",
		"LimitExceeded":
	case "PolicyTypeNotEnabledException", "PolicyNotFoundException":
		out.Kind = remediation.Unavailable
	case "ConstraintViolationException":
		out.Kind = remediation.Refused
		if full := (*orgtypes.ConstraintViolationException)(nil); errors.As(err, &full) && full.Reason == orgtypes.ConstraintViolationExceptionReasonMaxPolicyTypeAttachmentLimitExceeded {
			out.Kind = remediation.Unavailable
		}
	default:
		if definite {
			out.Kind = remediation.Refused
		}
	}
	return out
}

// garbledCode reports whether an error has no code of AWS's.
func garbledCode(err error) bool {
	var api smithy.APIError
	return !errors.As(err, &api) || api.ErrorCode() == "" || api.ErrorCode() == unknownCode
}

// byRootProfile opens with the operator's root profile, which is loaded for this act alone. The credentials that were
// looked at are the ones that are used: a profile that changes meanwhile changes nothing here.
func (s *session) byRootProfile(ctx context.Context, c Config) error {
	cfg, err := s.r.rootProfile(ctx, c)
	if err != nil {
		return err
	}
	signs, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("read the root profile: %w", err)
	}
	if s.req.Key.ID.Same(posture.KeyID(signs.AccessKeyID)) {
		return fmt.Errorf("%w: the key is the one that the root profile signs with", ErrNoMeans)
	}
	cfg.Credentials = credentials.NewStaticCredentialsProvider(signs.AccessKeyID, signs.SecretAccessKey, signs.SessionToken)
	if err := s.identify(ctx, cfg, s.r.base); err != nil {
		return err
	}
	if err := s.list(ctx, cfg); err != nil {
		return err
	}
	writer := iam.NewFromConfig(once(cfg))
	s.back = func(ctx context.Context) error { return s.list(ctx, cfg) }
	switch s.act {
	case remediation.ActDeactivate:
		s.call = updateKey(writer, false)
	case remediation.ActReactivate:
		s.call = updateKey(writer, true)
	case remediation.ActDelete:
		s.call = deleteKey(writer)
	case remediation.ActLift:
		return ErrNoMeans
	default:
		return ErrNoMeans
	}
	return nil
}

// byDeleteSession opens a root session whose task policy allows DeleteAccessKey, in the confirmed account.
func (s *session) byDeleteSession(ctx context.Context) error {
	o := s.r.src.Organization
	role := s.r.as(s.r.base, o.Delete.RoleARN, sessionName("delete", string(s.req.ID)))
	cfg, err := s.r.rootSession(ctx, role, s.req.Account, s.r.who.partition(ctx), deleteTask)
	if err != nil {
		return err
	}
	if err := s.identify(ctx, cfg, role); err != nil {
		return err
	}
	if err := s.list(ctx, cfg); err != nil {
		return err
	}
	if err := s.readBlock(ctx, s.r.blocks); err != nil {
		return err
	}
	s.call = deleteKey(iam.NewFromConfig(once(cfg)))
	s.back = func(ctx context.Context) error { return s.list(ctx, cfg) }
	return nil
}

// identify asks who the credentials are, and which account the key belongs to.
func (s *session) identify(ctx context.Context, cfg, role aws.Config) error {
	who, account, err := rootCaller(ctx, cfg)
	if err != nil {
		return err
	}
	s.facts.Caller, s.facts.CallerOf = who, account
	s.facts.RootSession = rootARN(who, account)
	if !s.req.Key.ID.Whole() {
		return nil
	}
	s.facts.KeyAccount, err = accountOf(ctx, role, s.req.Key.ID)
	return err
}

// rootARN reports whether an ARN is that of the account's root user, or of a privileged session of it.
func rootARN(s string, account posture.AccountID) bool {
	a, err := arn.Parse(s)
	if err != nil || a.AccountID != string(account) || !account.Valid() {
		return false
	}
	return a.Service == "iam" && a.Resource == "root" || a.Service == "sts" && strings.HasPrefix(a.Resource, "assumed-root")
}

// list reads the root user's keys into the facts.
func (s *session) list(ctx context.Context, cfg aws.Config) error {
	keys, told, err := rootKeys(ctx, iam.NewFromConfig(cfg))
	if err != nil {
		return err
	}
	s.facts.Keys, s.facts.KeysKnown, s.facts.NoKeys = keys, true, len(keys) == 0
	s.facts.AWS, s.facts.KeysAt = told, s.now()
	return nil
}

func (s *session) readBlock(ctx context.Context, cfg aws.Config) error {
	block, _, err := s.r.block(ctx, cfg, s.req.Account, s.now(), true)
	if err != nil {
		return err
	}
	s.facts.Block = block
	return nil
}

// errNoRequestID is an answer that is fine and does not say which request it answers.
var errNoRequestID = errors.New("the answer has no request id")

// vouched is AWS's request id of a change. The SDK reads nothing of such an answer but its status, so anything with 200,
// such as a proxy's page, would pass for AWS's yes: without a request id nobody knows what happened.
func vouched(m middleware.Metadata) (string, error) {
	id := requestID(m)
	if id == "" {
		return "", errNoRequestID
	}
	return id, nil
}

// updateKey names no user: the root user's own credentials make the call.
func updateKey(c *iam.Client, active bool) func(context.Context, posture.KeyID) (string, error) {
	return func(ctx context.Context, k posture.KeyID) (string, error) {
		out, err := c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: aws.String(string(k)), Status: statusFor(active)})
		if err != nil {
			return "", err
		}
		return vouched(out.ResultMetadata)
	}
}

// deleteKey is the one call that cannot be undone. It names no user: the root session makes the call.
func deleteKey(c *iam.Client) func(context.Context, posture.KeyID) (string, error) {
	return func(ctx context.Context, k posture.KeyID) (string, error) {
		out, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{AccessKeyId: aws.String(string(k))})
		if err != nil {
			return "", err
		}
		return vouched(out.ResultMetadata)
	}
}

// Detach takes our quarantine policy off an account that nobody holds any more. The receipt must be of the committed
// record of this detachment.
func (m *Remediator) Detach(ctx context.Context, source string, account posture.AccountID, receipt audit.Receipt) commands.Outcome {
	e := receipt.Event()
	r, ok := find(m.reaches, source)
	switch {
	case !receipt.Valid() || e.Action != audit.BlockDetached || e.Outcome != audit.OutcomeAttempt || e.Account != string(account) || e.Source != source:
		return commands.Outcome{Kind: remediation.Refused, Code: ErrWrongPermit.Error()}
	case !ok || r.src.Organization == nil || r.src.Organization.Quarantine == nil || r.exempt(account):
		return commands.Outcome{Kind: remediation.Refused, Code: ErrNoMeans.Error()}
	}
	if !m.once(receipt) {
		return commands.Outcome{Kind: remediation.Refused, Code: ErrSpent.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout+2*time.Second)
	defer cancel()
	cfg := r.quarantinerFor(sessionName("release", string(account)))
	id, err := r.detach(ctx, cfg, account)
	out := outcomeOf(err)
	out.AWSID = id
	if out.Kind != remediation.Succeeded {
		return out
	}
	block, told, err := r.block(ctx, cfg, account, m.cfg.Now(), false)
	if err != nil || block.Attached {
		return commands.Outcome{Kind: remediation.Unsure, Code: "not read back", AWSID: id}
	}
	out.Facts = remediation.Facts{Source: source, Account: account, At: m.cfg.Now(), AWS: told, Block: block}
	return out
}
