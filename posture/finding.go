package posture

import "time"

// Control is the stable slug of one thing that is checked. Benchmark numbers are references that drift; slugs do not.
type Control string

// The controls.
const (
	RootAccessKey         Control = "root-access-key"
	RootMFA               Control = "root-mfa"
	RootHardwareMFA       Control = "root-hardware-mfa"
	RootBackupMFA         Control = "root-backup-mfa"
	RootActivity          Control = "root-activity"
	RootCertificate       Control = "root-certificate"
	RootPassword          Control = "root-password"
	CentralizedRootAccess Control = "centralized-root-access"
)

// Status is the judgement of one control on one account. The zero value is StatusUnknown, which no evaluation returns
// and which nothing shows as good.
type Status string

// The statuses, by the names of the AWS Security Finding Format and AWS Config.
const (
	StatusUnknown Status = ""
	Passed        Status = "Passed"
	Failed        Status = "Failed"
	NotApplicable Status = "NotApplicable"
	NotAvailable  Status = "NotAvailable"
)

// Severity is how much a failed control matters.
type Severity string

// The severities, from the worst.
const (
	Critical      Severity = "Critical"
	High          Severity = "High"
	Medium        Severity = "Medium"
	Low           Severity = "Low"
	Informational Severity = "Informational"
)

// Workflow is what people have done about a finding, by the names of the AWS Security Finding Format.
// https://docs.aws.amazon.com/securityhub/latest/userguide/finding-workflow-status.html
type Workflow string

// The workflow states.
const (
	WorkflowNew        Workflow = "New"
	WorkflowNotified   Workflow = "Notified"
	WorkflowSuppressed Workflow = "Suppressed"
	WorkflowResolved   Workflow = "Resolved"
)

// Finding is the judgement of one control on one account, at one time.
type Finding struct {
	Control  Control   `json:"control"`
	Account  AccountID `json:"account"`
	Source   string    `json:"source"` // the `aws` entry; with Account it names the account
	Status   Status    `json:"status"`
	Severity Severity  `json:"severity"`
	Code     Code      `json:"code"`               // which sentence Reason is, for catalogues in other languages
	Reason   string    `json:"reason"`             // a sentence: what was seen, or why it could not be
	Gap      *Gap      `json:"gap,omitempty"`      // only with NotAvailable
	Used     time.Time `json:"used,omitzero"`      // root-activity: the latest use that fails it
	Told     time.Time `json:"told,omitzero"`      // root-activity with NotAvailable: see [Finding.ToldUntil]
	AsOf     time.Time `json:"as_of,omitzero"`     // when the credential report was made that the judgement rests on
	Subjects string    `json:"subjects,omitempty"` // what it fails by, such as the fingerprints of keys, sorted, with a space between
	Degree   int       `json:"degree,omitempty"`   // how badly it fails, against the same control and account at another time; 0: not told
	Blocked  bool      `json:"blocked,omitempty"`  // the root user is blocked: the credential exists and cannot be used
	At       time.Time `json:"at"`                 // the oldest fact that was weighed; where nothing was known, the look
}
