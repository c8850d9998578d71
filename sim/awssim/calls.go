package awssim

import (
	"cmp"
	"slices"
	"time"
)

// Call is one call as the log remembers it.
type Call struct {
	At        time.Time `json:"at"`        // of the injected clock, not rounded
	Principal string    `json:"principal"` // ARN of the caller; empty when it was not known
	KeyID     string    `json:"key_id"`    // that signed
	Account   string    `json:"account"`   // that the call is about
	Service   string    `json:"service"`
	Action    string    `json:"action"`
	Outcome   string    `json:"outcome"` // "ok", or the code of the error, or the kind of rubbish
	Effect    bool      `json:"effect"`  // whether something changed
	Fault     string    `json:"fault,omitempty"`
	Target    string    `json:"target,omitempty"` // the key, device, policy… that was named
	Region    string    `json:"region,omitempty"`
	RequestID string    `json:"request_id"`
}

// Count is how often a call had an outcome.
type Count struct {
	Service string `json:"service"`
	Action  string `json:"action"`
	Account string `json:"account"`
	Outcome string `json:"outcome"`
	Calls   int    `json:"calls"`
}

// callLog keeps the latest calls, every call that changed something, and a counter of each kind.
type callLog struct {
	size    int
	ring    []Call
	next    int
	effects []Call
	counts  map[Count]int // with Calls zero
}

func newCallLog(size int) callLog { return callLog{size: size, counts: map[Count]int{}} }

func (l *callLog) add(c Call) {
	if len(l.ring) < l.size {
		l.ring = append(l.ring, c)
	} else {
		l.ring[l.next] = c
		l.next = (l.next + 1) % l.size
	}
	if c.Effect {
		l.effects = append(l.effects, c)
	}
	l.counts[Count{Service: c.Service, Action: c.Action, Account: c.Account, Outcome: c.Outcome}]++
}

func (l *callLog) list() []Call {
	return append(slices.Clone(l.ring[l.next:]), l.ring[:l.next]...)
}

// note remembers a call and what came of it.
func (o *Organization) note(c *call, now time.Time, err error, s spoil) {
	n := Call{
		At: o.config.Now().UTC(), KeyID: c.credential.keyID, Service: c.service, Action: c.action, Outcome: "ok", Effect: c.effect,
		Fault: s.kind, Region: c.credential.region, RequestID: c.id, Account: c.target,
	}
	for _, name := range []string{"AccessKeyId", "SerialNumber", "CertificateId", "PolicyId", "TaskPolicyArn.arn", "RoleArn"} {
		n.Target = cmp.Or(n.Target, c.str(name))
	}
	if c.principal != nil {
		n.Principal = c.arn()
	}
	if err != nil {
		f := asFailure(err)
		n.Outcome = f.code
		if c.protocol != protocolQuery {
			n.Outcome, _ = spelling(c.service, f)
		}
	} else if s.status != 0 {
		n.Outcome = s.kind
	}
	o.calls.add(n)
	o.trace(c, now, err)
	o.log.Debug("call", "service", n.Service, "action", n.Action, "account", n.Account, "outcome", n.Outcome, "effect", n.Effect)
}

// Calls returns the calls that are remembered, oldest first.
func (o *Organization) Calls() []Call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls.list()
}

// Effects returns every call that changed something since the log was emptied, oldest first.
func (o *Organization) Effects() []Call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.calls.effects)
}

// Counts returns how often each call had each outcome since the log was emptied, in order of service, action, account
// and outcome.
func (o *Organization) Counts() []Count {
	o.mu.Lock()
	defer o.mu.Unlock()
	counts := make([]Count, 0, len(o.calls.counts))
	for c, n := range o.calls.counts {
		c.Calls = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Action, b.Action),
			cmp.Compare(a.Account, b.Account), cmp.Compare(a.Outcome, b.Outcome))
	})
	return counts
}

// ClearCalls empties the log, the effects and the counters.
func (o *Organization) ClearCalls() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = newCallLog(o.config.CallLog)
}
