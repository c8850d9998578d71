package awssim

import (
	"net/http"
	"time"
)

// A Fault is something that goes wrong on order. Without Account and Action it concerns every call.
type Fault struct {
	Kind    string        // one of the Fault… constants
	Account string        // calls made in this account or about it
	Action  string        // "AssumeRoot" or "sts:AssumeRoot"
	For     time.Duration // of the injected clock; 0 is until ClearFaults
	Times   int           // how many calls it hits; 0 is all
	Rate    float64       // the share of calls it hits, at random by the seed; 0 is all
	Delay   time.Duration // of FaultSlow, real time; 0 is two minutes
}

// The kinds of faults. The last three change the organization and change it back when their time is over.
const (
	FaultDeny       = "deny"                    // AccessDenied, as from an identity policy
	FaultSCPDeny    = "scp_deny"                // AccessDenied, as from a service control policy
	FaultThrottle   = "throttle"                // the service's own throttling error
	FaultHTTP500    = "http_500"                // a page of HTML with status 500
	FaultGarbage    = "garbage"                 // status 200 and an answer cut short
	FaultSlow       = "slow"                    // the call has its effect at once and is answered after Delay
	FaultConflict   = "concurrent_modification" // Organizations' ConcurrentModificationException
	FaultLostAnswer = "lost_answer"             // the call has its effect, the connection breaks before the answer
	FaultSuspend    = "suspend"                 // Account is suspended
	FaultDetachSCP  = "detach_scp"              // the quarantine policy is detached from Account
	FaultFeatureOff = "feature_off"             // RootCredentialsManagement is switched off
)

// hang is how long a slow call takes when the fault does not say.
const hang = 2 * time.Minute

type fault struct {
	Fault

	id    int
	until time.Time // zero is for ever
	hits  int
	undo  func()
}

// spoil is what happens to an answer on its way.
type spoil struct {
	kind   string
	hang   time.Duration
	status int // of rubbish in place of the answer
	body   string
	drop   bool
}

// spoil applies the faults to a call: an error in place of its result, rubbish in place of any answer (ruled: the call
// does not take place), or a delay or a lost answer beside the normal result.
func (o *Organization) spoil(c *call) (s spoil, ruled bool, err error) {
	for _, f := range o.faults {
		if !f.concerns(c) || f.Rate > 0 && o.random.Float64() >= f.Rate {
			continue
		}
		f.hits++
		s.kind = f.Kind
		switch f.Kind {
		case FaultDeny:
			return s, false, deniedBecause(c.principal, c.service+":"+c.action, c.resourceARN(), "")
		case FaultSCPDeny:
			return s, false, deniedBecause(c.principal, c.service+":"+c.action, c.resourceARN(), becauseSCP)
		case FaultThrottle:
			return s, false, errThrottled()
		case FaultConflict:
			return s, false, fail("ConcurrentModificationException", http.StatusBadRequest, "The target of the operation is currently being modified by a different request. Try again later.")
		case FaultHTTP500:
			s.status, s.body = http.StatusInternalServerError, "<!doctype html><html lang=en><title>500 Internal Server Error</title><h1>Internal Server Error</h1></html>"
			return s, true, nil
		case FaultGarbage:
			s.status, s.body = http.StatusOK, "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap><ent"
			return s, true, nil
		case FaultSlow:
			s.hang = f.Delay
			if s.hang <= 0 {
				s.hang = hang
			}
		case FaultLostAnswer:
			s.drop = true
		}
	}
	return s, false, nil
}

func (c *call) resourceARN() string { return "arn:aws:iam::" + c.target + ":root" }

func (f *fault) concerns(c *call) bool {
	if f.undo != nil || f.Times > 0 && f.hits >= f.Times {
		return false
	}
	if f.Account != "" && f.Account != c.target && f.Account != c.account.id {
		return false
	}
	return f.Action == "" || f.Action == c.action || f.Action == c.service+":"+c.action
}

// expireFaults drops what is over and puts back what it had changed.
func (o *Organization) expireFaults(now time.Time) {
	kept := o.faults[:0]
	for _, f := range o.faults {
		if f.until.IsZero() || now.Before(f.until) {
			kept = append(kept, f)
		} else if f.undo != nil {
			f.undo()
		}
	}
	clear(o.faults[len(kept):])
	o.faults = kept
}

// Inject orders a fault. It returns an error for a kind that does not exist, an account that does not, or a kind that
// needs an account and has none.
func (o *Organization) Inject(f Fault) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := o.inject(f)
	return err
}

func (o *Organization) inject(ordered Fault) (*fault, error) {
	now := o.now()
	o.expireFaults(now)
	o.faultID++
	f := &fault{Fault: ordered, id: o.faultID}
	if f.For > 0 {
		f.until = now.Add(f.For)
	}
	a, known := o.accounts[f.Account]
	if f.Account != "" && !known {
		return nil, refuse("no account %q", f.Account)
	}
	switch f.Kind {
	case FaultDeny, FaultSCPDeny, FaultThrottle, FaultHTTP500, FaultGarbage, FaultSlow, FaultConflict, FaultLostAnswer:
	case FaultSuspend, FaultDetachSCP:
		if !known {
			return nil, refuse("%s needs an account", f.Kind)
		}
		f.undo = o.upset(a, f.Kind)
		if f.Kind == FaultDetachSCP && f.For <= 0 {
			return f, nil // it happened; there is nothing to end
		}
	case FaultFeatureOff:
		before := o.features[featureCredentials]
		o.features[featureCredentials] = false
		f.undo = func() { o.features[featureCredentials] = before }
	default:
		return nil, refuse("no fault %q", f.Kind)
	}
	o.faults = append(o.faults, f)
	return f, nil
}

// upset changes an account and returns what puts it back.
func (o *Organization) upset(a *account, kind string) func() {
	if kind == FaultSuspend {
		before := a.state
		a.state = stateSuspended
		return func() { a.state = before }
	}
	if !a.quarantined() {
		return func() {}
	}
	o.detach(a.id, &a.policies, o.policies[QuarantinePolicyID])
	return func() {
		if !a.quarantined() {
			o.attach(a.id, &a.policies, o.policies[QuarantinePolicyID])
		}
	}
}

// ClearFaults ends every fault and puts back what they had changed.
func (o *Organization) ClearFaults() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.faults {
		if f.undo != nil {
			f.undo()
		}
	}
	o.faults = nil
}
