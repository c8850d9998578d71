package posture

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Posture is every finding of one account, at one time.
type Posture struct {
	Account  Account   `json:"account"`
	At       time.Time `json:"at"`            // when the look ended
	Via      string    `json:"via,omitempty"` // the way of looking, as in [Evidence]
	Findings []Finding `json:"findings"`
}

// Judge evaluates the evidence into a posture; see [Evaluate]. Nothing here relies on the number of findings, so a posture
// that an older version stored, with fewer of them, can still be read.
func Judge(e Evidence, p Policy, now time.Time) Posture {
	return Posture{Account: e.Account, At: e.At, Via: e.Via, Findings: Evaluate(e, p, now)}
}

// Finding returns the finding of one control, and false where the posture has none.
func (p Posture) Finding(c Control) (Finding, bool) {
	i := slices.IndexFunc(p.Findings, func(f Finding) bool { return f.Control == c })
	if i < 0 {
		return Finding{}, false
	}
	return p.Findings[i], true
}

// Failing returns the failed findings, worst first. The caller owns the slice.
func (p Posture) Failing() []Finding { return p.with(Failed) }

// Blind returns the findings that are NotAvailable, worst first. The caller owns the slice.
func (p Posture) Blind() []Finding { return p.with(NotAvailable) }

func (p Posture) with(s Status) []Finding {
	var found []Finding
	for _, f := range p.Findings {
		if f.Status == s {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, Finding.Compare)
	return found
}

// Grade is how safe the root user of an account is, in one word.
type Grade string

// The grades. The zero value means that a critical control could not be judged, so nothing better may be said.
const (
	GradeUnknown       Grade = ""
	GradeExposed       Grade = "exposed"        // a critical or high control fails
	GradeWeak          Grade = "weak"           // something else fails
	GradeUnclear       Grade = "unclear"        // nothing fails, and something could not be judged
	GradeSound         Grade = "sound"          // nothing fails, and everything was judged
	GradeNoCredentials Grade = "no_credentials" // no password, no key, no certificate: nothing is left to steal
)

// Rank orders grades: 0 is the worst. An account that nobody can judge comes before one that is known to be weak.
func (g Grade) Rank() int {
	order := [...]Grade{GradeExposed, GradeUnknown, GradeWeak, GradeUnclear, GradeSound, GradeNoCredentials}
	if i := slices.Index(order[:], g); i >= 0 {
		return i
	}
	return 1
}

// Grade grades the account. The best grade asks only that no credential is left: what such a root user did before cannot
// always be read, and no longer endangers the account.
func (p Posture) Grade() Grade {
	failing, blind := p.Failing(), p.Blind()
	certificate, _ := p.Finding(RootCertificate)
	mfa, _ := p.Finding(RootMFA)
	switch {
	case len(failing) > 0 && failing[0].Severity.Rank() <= High.Rank():
		return GradeExposed
	case !p.judged(RootAccessKey) || !p.judged(RootMFA):
		return GradeUnknown
	case len(failing) > 0:
		return GradeWeak
	case mfa.Code == CodeNoCredentials && certificate.Status == Passed:
		return GradeNoCredentials
	case len(blind) > 0:
		return GradeUnclear
	default:
		return GradeSound
	}
}

func (p Posture) judged(c Control) bool {
	f, ok := p.Finding(c)
	return ok && f.Status != NotAvailable && f.Status != StatusUnknown
}

// Scanned reports whether the account counts as scanned: the controls that matter most were judged. The reason why not is
// that of the first of them that was not, and ReasonUnknown where the finding names none.
func (p Posture) Scanned() (Reason, bool) {
	for _, c := range []Control{RootAccessKey, RootMFA} {
		if p.judged(c) {
			continue
		}
		if f, _ := p.Finding(c); f.Gap != nil {
			return f.Gap.Reason, false
		}
		return ReasonUnknown, false
	}
	return ReasonUnknown, true
}

// Standing is the place of a posture among others, without the posture: a list of thousands is sorted by it without holding
// what they are made of.
type Standing struct {
	Source  string
	Account AccountID

	grade, worst, failing int16
	label                 string
}

// Standing works the place out.
func (p Posture) Standing() Standing {
	failing := p.Failing()
	s := Standing{
		Source: p.Account.Source, Account: p.Account.ID, grade: int16(p.Grade().Rank()), //nolint:gosec // Ranks and findings are few.
		worst: int16(Severity("").Rank()), failing: int16(min(len(failing), 1000)), label: strings.ToLower(p.Account.Label()), //nolint:gosec // See above.
	}
	if len(failing) > 0 {
		s.worst = int16(failing[0].Severity.Rank()) //nolint:gosec // See above.
	}
	return s
}

// Compare orders standings worst first: by grade, then by the worst finding, then by how many fail, then by name and id, so
// that the order is the same each time.
func (s Standing) Compare(o Standing) int {
	return cmp.Or(
		cmp.Compare(s.grade, o.grade),
		cmp.Compare(s.worst, o.worst),
		cmp.Compare(o.failing, s.failing),
		cmp.Compare(s.label, o.label),
		cmp.Compare(s.Source, o.Source),
		cmp.Compare(s.Account, o.Account),
	)
}

// Rank orders statuses: failures first, then what could not be judged, then the rest.
func (s Status) Rank() int {
	order := [...]Status{Failed, NotAvailable, StatusUnknown, Passed, NotApplicable}
	if i := slices.Index(order[:], s); i >= 0 {
		return i
	}
	return len(order)
}

// Compare orders findings worst first: by status, severity, the order of [Controls], and the account.
func (f Finding) Compare(o Finding) int {
	return cmp.Or(
		cmp.Compare(f.Status.Rank(), o.Status.Rank()),
		cmp.Compare(f.Severity.Rank(), o.Severity.Rank()),
		cmp.Compare(f.Control.rank(), o.Control.rank()),
		cmp.Compare(f.Source, o.Source),
		cmp.Compare(f.Account, o.Account),
	)
}

func (c Control) rank() int {
	order := [...]Control{
		RootAccessKey, RootMFA, RootActivity, RootCertificate, RootHardwareMFA, CentralizedRootAccess, RootBackupMFA, RootPassword,
	}
	if i := slices.Index(order[:], c); i >= 0 {
		return i
	}
	return len(order)
}
