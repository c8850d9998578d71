// Package awssim is a make-believe AWS organization on HTTP: nothing in it can reach AWS, and its only secrets are made up.
//
// It is the rig that everything which changes a root user is tested on, so it follows the wire and its denials rather
// than convenience. Its rules:
//
//   - Every service is answered at one endpoint, in its own protocol, and so is every error: a call that is not known
//     gets that protocol's own "unknown operation", never a page of HTML.
//   - Who calls is decided by the access key that signed. A key of a root user is that root user; a session that was
//     minted here is what it was minted as, until it expires; any other key is an administrator of the management account.
//   - Policies are evaluated, not imitated: the root task policies and the service control policies are held as the
//     documents that AWS publishes, and a call is denied because a statement in one of them says so.
//   - Time is an input. What elapses (sessions, eventual consistency, the age of a report) elapses on the injected clock;
//     only latency, hanging calls and request rates use real time, as they concern the connection itself.
//   - No lock is held while a call waits.
package awssim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// DefaultConsistency is how long changes of access keys take to be seen. IAM is eventually consistent
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html); three to four seconds were measured by others.
const DefaultConsistency = 3 * time.Second

// defaultCallLog is how many calls are remembered when Config does not say.
const defaultCallLog = 10_000

// Config says what organization to simulate and how well it behaves.
type Config struct {
	Now         func() time.Time // the injected clock; without one, time stands still in April 2026
	Seed        int64            // same seed, same organization
	Accounts    int              // accounts in the organization; 0 or fewer than the hand-made ones means the hand-made ones only
	Latency     time.Duration    // real time that each call takes
	Throttle    float64          // sts:AssumeRoot calls per real second, with one second's worth of burst; 0 is unlimited
	Consistency time.Duration    // clock time until a key change is seen; 0 is DefaultConsistency, negative is at once
	Log         *slog.Logger     // nil discards
	CallLog     int              // how many calls are remembered; 0 is 10,000. Counters and effects are always kept
}

// Organization is a simulated AWS organization with one account outside it. It is safe for concurrent use.
type Organization struct {
	config     Config
	log        *slog.Logger
	secret     []byte // signs what is minted, so that a session needs no memory here and survives a restart
	operations map[string]map[string]operation
	assumeRoot *rate.Limiter // nil is unlimited
	done       chan struct{}
	closing    sync.Once

	mu        sync.Mutex // guards everything below
	random    *rand.Rand
	serial    uint32 // of minted ids
	requests  uint64
	accounts  map[string]*account
	members   []*account // in the order of ListAccounts, the management account included
	root      *unit
	units     map[string]*unit
	policies  map[string]*policy
	policyIDs []string        // in the order of creation
	keys      map[string]*key // every root key there ever was, by id
	features  map[string]bool // of centralized root access
	trusted   map[string]bool // services with trusted access to the organization
	delegated map[string]bool // accounts that are IAM's delegated administrator
	scps      bool            // whether the policy type is enabled at the root
	faults    []*fault
	faultID   int
	calls     callLog
	lookups   map[string]*rate.Limiter // cloudtrail:LookupEvents, by account and region
}

// New returns an organization with its hand-made accounts and, above those, as many generated ones as asked for.
func New(c Config) *Organization {
	if c.Now == nil {
		c.Now = func() time.Time { return founded.Add(3000 * day) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Consistency == 0 {
		c.Consistency = DefaultConsistency
	}
	c.Consistency = max(c.Consistency, 0)
	if c.CallLog <= 0 {
		c.CallLog = defaultCallLog
	}
	seed := binary.BigEndian.AppendUint64([]byte("awssim"), uint64(c.Seed)) //nolint:gosec // the bits of the seed are all that matters
	secret := sha256.Sum256(seed)
	o := &Organization{
		config:    c,
		log:       c.Log,
		secret:    secret[:],
		done:      make(chan struct{}),
		random:    rand.New(rand.NewChaCha8(secret)), //nolint:gosec // a reproducible organization is the purpose
		accounts:  map[string]*account{},
		units:     map[string]*unit{},
		policies:  map[string]*policy{},
		keys:      map[string]*key{},
		features:  map[string]bool{featureCredentials: true, featureSessions: true},
		trusted:   map[string]bool{"iam.amazonaws.com": true, "account.amazonaws.com": true},
		delegated: map[string]bool{},
		scps:      true,
		calls:     newCallLog(c.CallLog),
		lookups:   map[string]*rate.Limiter{},
	}
	o.operations = o.table()
	if c.Throttle > 0 {
		o.assumeRoot = rate.NewLimiter(rate.Limit(c.Throttle), max(1, int(c.Throttle)))
	}
	o.found(c.Now())
	o.generate(c.Accounts)
	return o
}

// Close lets go of every call that is being kept waiting. Calls that come later are answered without waiting.
func (o *Organization) Close() { o.closing.Do(func() { close(o.done) }) }

// wait spends real time on a call; it reports false when the caller went away meanwhile.
func (o *Organization) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-o.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// now is the injected clock in UTC, to the second as AWS shows it.
func (o *Organization) now() time.Time { return o.config.Now().UTC().Truncate(time.Second) }
