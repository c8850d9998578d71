package awsroot

import (
	"context"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

type clock = func() time.Time

// Auditor looks at AWS and can change nothing. It is safe for concurrent use.
type Auditor struct {
	reaches []*reach
	cfg     Config
	only    []posture.AccountID // see Only
}

// policyCache keeps what is true of a whole organization between the looks of one scan.
type policyCache struct {
	asking sync.Mutex // held while root access is asked about, so that one call answers everybody

	mu          sync.Mutex
	centralized posture.Fact[bool]
	management  posture.AccountID
	listed      time.Time // when the last inventory began
	intact      bool
	intactAt    time.Time
	intactErr   error
}

func (r *reach) remember(f posture.Fact[bool]) {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	r.cache.centralized = f
}

func (r *reach) remembered() posture.Fact[bool] {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	return r.cache.centralized
}

// central is whether root access is centralized, as the last inventory told. It asks only where nobody has asked since
// the start; a failure stands until the next inventory, or every account of a scan would ask again.
func (r *reach) central(ctx context.Context) posture.Fact[bool] {
	if f := r.remembered(); f.Known() || f.Gap != nil {
		return f
	}
	r.cache.asking.Lock()
	defer r.cache.asking.Unlock()
	if f := r.remembered(); f.Known() || f.Gap != nil {
		return f
	}
	f := r.centralized(ctx, r.cfg.Now)
	if ctx.Err() == nil {
		r.remember(f)
	}
	return f
}

// management is the management account as the last inventory named it, empty before the first.
func (r *reach) management() posture.AccountID {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	return r.cache.management
}

func (r *reach) inventoried(management posture.AccountID, began time.Time) {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	if management != "" {
		r.cache.management = management
	}
	if !began.IsZero() {
		r.cache.listed = began
	}
}

// listedLately reports whether the inventory is young enough to be believed about who is a member.
func (r *reach) listedLately() bool {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	age := r.cfg.Now().Sub(r.cache.listed)
	return !r.cache.listed.IsZero() && age >= 0 && age < listingFor
}

// listingFor is how long an inventory is believed about who is a member. A scan that takes longer asks about each account
// that denies access whether it has left; a shorter one costs no call of Organizations beyond its pages.
const listingFor = time.Minute
