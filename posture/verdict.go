package posture

import (
	"slices"
	"strings"
	"time"
)

// Code names the sentence of a finding, so that it can be said in another language: one code, one sentence, which the
// finding's Gap, Used, AsOf and Blocked complete. Codes are stable.
type Code string

// The codes, by control.
const (
	CodeKey                Code = "key"
	CodeNoKey              Code = "no_key"
	CodeKeyUnknown         Code = "key_unknown"
	CodeKeyActive          Code = "key_active"
	CodeKeyInactive        Code = "key_inactive"
	CodeKeysActive         Code = "keys_active"
	CodeKeysMixed          Code = "keys_mixed"
	CodeKeysInactive       Code = "keys_inactive"
	CodeKeysMany           Code = "keys_many"
	CodeMFA                Code = "mfa"
	CodeNoMFA              Code = "no_mfa"
	CodeNoDevice           Code = "no_device"
	CodeNoConsole          Code = "no_console"
	CodeNoSignIn           Code = "no_sign_in"
	CodeNoCredentials      Code = "no_credentials"
	CodeMFAUnknown         Code = "mfa_unknown"
	CodeCredentialsUnknown Code = "credentials_unknown"
	CodeSignInUncertain    Code = "sign_in_uncertain"
	CodePasswordUnknown    Code = "password_unknown"
	CodeStrongMFA          Code = "strong_mfa"
	CodeVirtualOnly        Code = "virtual_only"
	CodeKindsUnknown       Code = "kinds_unknown"
	CodeKindUngraded       Code = "kind_ungraded"
	CodeCountUnknown       Code = "count_unknown"
	CodeNoSerial           Code = "no_serial"
	CodeBackupMFA          Code = "backup_mfa"
	CodeOneDevice          Code = "one_device"
	CodeSignIn             Code = "sign_in"
	CodeKeyUse             Code = "key_use"
	CodeSignInAndKeyUse    Code = "sign_in_and_key_use"
	CodeNoActivity         Code = "no_activity"
	CodeSignInUnknown      Code = "sign_in_unknown"
	CodeKeyUseUnknown      Code = "key_use_unknown"
	CodeActivityStale      Code = "activity_stale"
	CodeCertificate        Code = "certificate"
	CodeNoCertificate      Code = "no_certificate"
	CodeCertificateUnknown Code = "certificate_unknown"
	CodePassword           Code = "password"
	CodeNoPassword         Code = "no_password"
	CodeNotMember          Code = "not_member"
	CodeRoleUnknown        Code = "role_unknown"
	CodeCentralized        Code = "centralized"
	CodeNotCentralized     Code = "not_centralized"
	CodeCentralizedUnknown Code = "centralized_unknown"
	CodeNoOrganization     Code = "no_organization"
	CodePartition          Code = "partition"
	CodeNotActive          Code = "not_active"
	CodeNoSuchControl      Code = "no_such_control"
)

// Codes returns every code, so that a catalogue can prove that it has a sentence for each. The caller owns the slice.
func Codes() []Code {
	return []Code{
		CodeKey, CodeNoKey, CodeKeyUnknown, CodeKeyActive, CodeKeyInactive, CodeKeysActive, CodeKeysMixed,
		CodeKeysInactive, CodeKeysMany, CodeMFA, CodeNoMFA, CodeNoDevice, CodeNoConsole, CodeNoSignIn,
		CodeNoCredentials, CodeMFAUnknown, CodeCredentialsUnknown, CodeSignInUncertain, CodePasswordUnknown,
		CodeStrongMFA, CodeVirtualOnly, CodeKindsUnknown, CodeKindUngraded, CodeCountUnknown, CodeNoSerial,
		CodeBackupMFA, CodeOneDevice, CodeSignIn, CodeKeyUse, CodeSignInAndKeyUse, CodeNoActivity,
		CodeSignInUnknown, CodeKeyUseUnknown, CodeActivityStale, CodeCertificate, CodeNoCertificate,
		CodeCertificateUnknown, CodePassword, CodeNoPassword, CodeNotMember, CodeRoleUnknown, CodeCentralized,
		CodeNotCentralized, CodeCentralizedUnknown, CodeNoOrganization, CodePartition, CodeNotActive,
		CodeNoSuchControl,
	}
}

// verdict is a judgement before it is tied to an account. Its text is a sentence without its full stop.
type verdict struct {
	status  Status
	code    Code
	text    string
	blocked bool
	used    time.Time
	told    time.Time
	degree  int
	by      []string
	gap     *Gap
	stamps  []stamp // what the verdict rests on
	weighed []stamp // what was looked at besides, and only ages it
}

func passed(c Code, text string, s ...stamp) verdict {
	return verdict{status: Passed, code: c, text: text, stamps: s}
}

func failed(c Code, text string, s ...stamp) verdict {
	return verdict{status: Failed, code: c, text: text, stamps: s}
}

func notApplicable(c Code, text string, s ...stamp) verdict {
	return verdict{status: NotApplicable, code: c, text: text, stamps: s}
}

// unknown is NotAvailable with its gap. Every gap leaves here with a fix if anybody can fix it.
func unknown(c Code, text string, g Gap) verdict {
	if g.Fix == "" {
		g.Fix = g.Reason.Fix()
	}
	return verdict{status: NotAvailable, code: c, text: text + ": " + g.Reason.Phrase(), gap: &g}
}

// unknown is NotAvailable for a fact that is missing. Before the first look nothing was asked yet, and the gap says so.
func (e Evidence) unknown(c Code, text string, g Gap) verdict {
	if g.Reason == ReasonNotOffered && e.At.IsZero() {
		g.Reason = ReasonNotYetScanned
	}
	return unknown(c, text, g)
}

// noteBlock says that the root user is blocked. It changes no status: AWS says so too, the credential is still there.
func (e Evidence) noteBlock(v verdict) verdict {
	if e.Blocked.Known() && e.Blocked.Value {
		v.blocked = true
	}
	return v
}

// finding ties the verdict to its control. Its time is that of the oldest fact, or of the look where it rests on none.
func (v verdict) finding(c ControlInfo, looked, now time.Time) Finding {
	f := Finding{
		Control: c.Slug, Severity: c.Severity, Status: v.status, Code: v.code, Gap: v.gap, Reason: v.text,
		Used: v.used, Told: v.told, Degree: v.degree, Subjects: subjects(v.by), Blocked: v.blocked, At: looked,
	}
	if looked.IsZero() {
		f.At = now
	}
	for i, s := range slices.Concat(v.stamps, v.weighed) {
		if i == 0 || s.At.Before(f.At) {
			f.At = s.At
		}
	}
	for _, s := range v.stamps {
		if s.Source == SourceReport {
			f.AsOf = s.At
			f.Reason += ", as of the credential report of " + clock(s.At, now)
			break
		}
	}
	f.Reason += "."
	if v.blocked {
		f.Reason += " The root user is blocked meanwhile."
	}
	return f
}

// subjects joins names into one comparable string, the same whatever order they were listed in.
func subjects(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

// clock says a time for people, with the day unless it is today in UTC.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04 UTC")
	}
	return t.Format("2006-01-02 15:04 UTC")
}
