package remediation

import (
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// Attempt is a changing call that passed every gate. It can do nothing yet: the record comes first.
type Attempt struct {
	act     Act
	request Request
}

// Act is what the attempt is about.
func (a Attempt) Act() Act { return a.act }

// Permit turns the attempt into the right to make its one call. The receipt must be of the committed audit record of
// this very attempt: this request, this version. Anything else is refused with [GateAudit].
func (a Attempt) Permit(r audit.Receipt) (Permit, error) {
	if a.act == "" || !r.For(audit.RemediationAttempted, string(a.request.ID), a.request.Version) {
		return Permit{}, &GateError{Gate: GateAudit}
	}
	return Permit{act: a.act, request: a.request, seq: r.Seq()}, nil
}

// Permit is the right to make one changing call on one key of one account. Its fields are out of reach, so that nothing
// but [Attempt.Permit] can make one; what AWS is asked comes from here and from nothing that Slack sent.
type Permit struct {
	act     Act
	request Request
	seq     int64
}

// Act is the only kind of call that the permit allows. The zero Permit allows none.
func (p Permit) Act() Act { return p.act }

// Means is how the call is to be made.
func (p Permit) Means() Means {
	if p.act == ActDelete {
		return p.request.DeleteMeans
	}
	return p.request.Means
}

// Source is the `aws` entry that the account came from.
func (p Permit) Source() string { return p.request.Source }

// Account is the account to be changed.
func (p Permit) Account() posture.AccountID { return p.request.Account }

// Key is the key to be changed.
func (p Permit) Key() posture.KeyID { return p.request.Key.ID }

// Request is the request that the call belongs to.
func (p Permit) Request() RequestID { return p.request.ID }

// AuditSeq is the sequence number of the attempt's audit record.
func (p Permit) AuditSeq() int64 { return p.seq }
