package awsroot

import (
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

type clock = func() time.Time

// Auditor looks at AWS and can change nothing. It is safe for concurrent use.
type Auditor struct {
	reaches []*reach
	cfg     Config
}

// policyCache keeps what is true of a whole organization between the looks of one scan.
type policyCache struct {
	mu          sync.Mutex
	centralized posture.Fact[bool]
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
