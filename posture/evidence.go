package posture

import (
	"strings"
	"time"
)

// Gap is why something could not be read. It is the opposite of a guess.
type Gap struct {
	Reason Reason `json:"reason"`
	Detail string `json:"detail,omitempty"` // what AWS said, for the operator; never shown in a channel
	Fix    string `json:"fix,omitempty"`    // one sentence: what to change so that it can be read
}

// Reason is the kind of a [Gap].
type Reason string

// The reasons. ReasonUnknown is the zero value and is never a pass.
const (
	ReasonUnknown         Reason = ""
	ReasonDenied          Reason = "denied"            // a permission is missing
	ReasonSCP             Reason = "scp"               // a service control policy without the AssumedRoot exemption
	ReasonFeatureOff      Reason = "feature_off"       // centralized root access is not enabled
	ReasonTrust           Reason = "trust"             // the role's trust policy, or trusted access, refuses us
	ReasonGlobalEndpoint  Reason = "global_endpoint"   // AssumeRoot needs a Regional STS endpoint
	ReasonRegionDisabled  Reason = "region_disabled"   // STS is switched off in the Region
	ReasonThrottled       Reason = "throttled"         // still throttled after all passes
	ReasonSuspended       Reason = "suspended"         // the account is not ACTIVE
	ReasonLeft            Reason = "left_organization" // the account left during the scan
	ReasonNotOffered      Reason = "not_offered"       // this way of looking cannot tell it
	ReasonNoAnswer        Reason = "no_answer"         // a time-out or a broken connection
	ReasonGarbage         Reason = "garbage"           // AWS, or what stands in for it, answered what AWS does not answer
	ReasonPartition       Reason = "partition"         // the partition has no such thing (GovCloud, China)
	ReasonNoCredentials   Reason = "no_credentials"    // the process has no AWS credentials that work
	ReasonReportNotReady  Reason = "report_not_ready"  // the credential report is still being made
	ReasonNotYetScanned   Reason = "not_yet_scanned"   // no scan has reached the account
	ReasonUnreachableRole Reason = "unreachable_role"  // the role to look with could not be assumed
	ReasonNoOrganization  Reason = "no_organization"   // the account belongs to no organization
	ReasonStale           Reason = "stale"             // what was read is too old to tell
)

// The sources that judgement must tell apart, as [Fact.Source] names them. The credential report is up to four hours old
// and shows an inactive key or certificate only sometimes; ListVirtualMFADevices shows some of the MFA devices.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
const (
	SourceSummary        = "GetAccountSummary"
	SourceReport         = "GetCredentialReport"
	SourceKeys           = "ListAccessKeys"
	SourceVirtualDevices = "ListVirtualMFADevices"
)

// Fact is one thing that AWS told, with where and when. Its zero value is unknown and was never asked.
type Fact[T any] struct {
	Value  T         `json:"value"`
	Source string    `json:"source,omitempty"` // the call, such as "GetAccountSummary"
	At     time.Time `json:"at,omitzero"`      // when it was true: the read, or the credential report's GeneratedTime
	Gap    *Gap      `json:"gap,omitempty"`
}

// Known reports whether the value may be relied on.
func (f Fact[T]) Known() bool { return f.Gap == nil && f.Source != "" }

// Told makes a known fact.
func Told[T any](v T, source string, at time.Time) Fact[T] {
	return Fact[T]{Value: v, Source: source, At: at}
}

// Missing makes an unknown fact with its reason.
func Missing[T any](source string, g Gap) Fact[T] { return Fact[T]{Source: source, Gap: &g} }

// DeviceKind grades an MFA device by its serial number.
type DeviceKind string

// The kinds of MFA device, from the weakest to the strongest.
const (
	DeviceUnknown  DeviceKind = ""
	DeviceVirtual  DeviceKind = "virtual"  // an authenticator app
	DeviceHardware DeviceKind = "hardware" // a hardware TOTP token
	DevicePasskey  DeviceKind = "passkey"  // a passkey or a security key (FIDO2)
)

// Device is one MFA device of the root user.
type Device struct {
	Serial  string     `json:"serial"`
	Kind    DeviceKind `json:"kind"`
	Enabled time.Time  `json:"enabled,omitzero"`
}

// Grade is the kind of the device: what its serial number tells, and Kind only where there is no serial number.
func (d Device) Grade() DeviceKind {
	if d.Serial == "" {
		return d.Kind
	}
	return GradeDevice(d.Serial)
}

// GradeDevice tells the kind of a device from its serial number: `arn:…:mfa/…` is virtual, `arn:…:u2f/…` a passkey or
// security key, and a serial that is no ARN a hardware token. Only the resource part of the ARN counts: names are free
// text, and a virtual device that calls itself u2f stays virtual. Anything else is DeviceUnknown.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetMFADevice.html
func GradeDevice(serial string) DeviceKind {
	if !strings.HasPrefix(serial, "arn:") {
		if serial == "" || strings.ContainsFunc(serial, notInSerial) {
			return DeviceUnknown
		}
		return DeviceHardware
	}
	parts := strings.SplitN(serial, ":", 6)
	switch {
	case len(parts) < 6 || parts[2] != "iam":
		return DeviceUnknown
	case strings.HasPrefix(parts[5], "u2f/"):
		return DevicePasskey
	case strings.HasPrefix(parts[5], "mfa/"):
		return DeviceVirtual
	default:
		return DeviceUnknown
	}
}

// notInSerial reports what AWS allows in no serial number of a hardware token: its pattern is [\w+=/:,.@-]+, and a colon
// only comes with an ARN.
func notInSerial(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	default:
		return !strings.ContainsRune("_+=/,.@-", r)
	}
}

// Certificate is one signing certificate of the root user.
type Certificate struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"`
	Created time.Time `json:"created,omitzero"`
}

// Use is the latest use of something by the root user. A zero At means never, as far as the source reaches back.
type Use struct {
	At      time.Time `json:"at,omitzero"`
	Service string    `json:"service,omitempty"`
	Region  string    `json:"region,omitempty"`
}

// Evidence is everything that was read of one account's root user in one look, before any judgement.
type Evidence struct {
	Account Account   `json:"account"`
	At      time.Time `json:"at"`  // when the look ended
	Via     string    `json:"via"` // the way of looking: "assume-root", "role" or "own"

	// From GetAccountSummary, live. AccessKeys is a flag, not a count: inactive keys count too.
	AccessKeys   Fact[bool] `json:"access_keys"`
	MFA          Fact[bool] `json:"mfa"`
	Certificates Fact[bool] `json:"certificates"`
	Password     Fact[bool] `json:"password"`

	Keys            Fact[[]Key]         `json:"keys"`
	Devices         Fact[[]Device]      `json:"devices"`
	CertificateList Fact[[]Certificate] `json:"certificate_list"`

	// Uses are told only by a source that speaks of use: the credential report, GetUser, GetAccessKeyLastUsed of every
	// key, CloudTrail. That no key exists now is no evidence of use: a deleted key takes its history with it.
	SignIn Fact[Use] `json:"sign_in"` // latest use of the password
	KeyUse Fact[Use] `json:"key_use"` // latest use of any root key

	Centralized Fact[bool] `json:"centralized"` // the organization has centralized root access; unknown and never asked without one
	Blocked     Fact[bool] `json:"blocked"`     // the quarantine policy is attached to the account
}

// Unread is the evidence of a look that told nothing of the root user: every fact is unknown for one reason. What is known
// of the account itself, of its organization and its block stays.
func Unread(e Evidence, g Gap) Evidence {
	e.AccessKeys, e.MFA = Missing[bool](SourceSummary, g), Missing[bool](SourceSummary, g)
	e.Certificates, e.Password = Missing[bool](SourceSummary, g), Missing[bool](SourceSummary, g)
	e.Keys, e.Devices = Missing[[]Key](SourceKeys, g), Missing[[]Device]("ListMFADevices", g)
	e.CertificateList = Missing[[]Certificate]("ListSigningCertificates", g)
	e.SignIn, e.KeyUse = Missing[Use]("GetUser", g), Missing[Use]("GetAccessKeyLastUsed", g)
	return e
}
