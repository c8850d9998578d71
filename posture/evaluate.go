package posture

import (
	"time"
)

// This file turns evidence into findings. The rules are:
//   - NotApplicable needs proof, as Passed and Failed do. Where it is unknown whether a control applies, and the answer
//     would change what is said, the finding is NotAvailable.
//   - One proof that something dangerous exists is enough to fail. That it does not exist must be told by a source that
//     would show it, and nothing may contradict it.
//   - What the root user is kept from by a block does not count as repaired: the block can be lifted.

// defaultActivityWindow is how far back use counts when the policy says nothing.
const defaultActivityWindow = 24 * time.Hour

// activityLag is how old evidence of use may be and still show that there was none: four hours, which is the longest that
// AWS keeps a credential report, and two for a scan that was interrupted and resumed.
const activityLag = 6 * time.Hour

// Policy is what the operator may decide about judgement.
type Policy struct {
	// ActivityWindow is how long a use of the root user fails root-activity, whatever was told before. Zero or less is 24
	// hours.
	ActivityWindow time.Duration
	// Since is the age of the activity evidence in the last digest. It is not when the digest was posted: a use between the
	// two would never be reported. Zero means that there was no digest yet. See [Finding.ToldUntil].
	Since time.Time
}

// start is the moment from which on use counts: the earlier of the last digest's evidence and the window's beginning.
func (p Policy) start(now time.Time) time.Time {
	window := p.ActivityWindow
	if window <= 0 {
		window = defaultActivityWindow
	}
	start := now.Add(-window)
	if !p.Since.IsZero() && p.Since.Before(start) {
		return p.Since
	}
	return start
}

// Evaluate judges one account: one finding for each control that is not organization-wide, in the order of [Controls].
// It is a pure function; the findings share nothing with the evidence.
func Evaluate(e Evidence, p Policy, now time.Time) []Finding {
	var findings []Finding
	for _, c := range Controls() {
		if c.OrganizationWide {
			continue
		}
		v := e.judge(c.Slug, p, now)
		f := v.finding(c, e.At, now)
		f.Account, f.Source = e.Account.ID, e.Account.Source
		findings = append(findings, f)
	}
	return findings
}

// EvaluateOrganization judges centralized-root-access for the organization behind one `aws` entry. The finding names no
// account. It is NotApplicable only when the gap says that there is no organization, or a partition without the feature.
func EvaluateOrganization(source string, centralized Fact[bool], now time.Time) Finding {
	c, _ := LookUp(CentralizedRootAccess)
	f := judgeCentralized(centralized).finding(c, now, now)
	f.Source = source
	return f
}

func judgeCentralized(centralized Fact[bool]) verdict {
	centralized = featureOff(centralized)
	switch {
	case centralized.gapIs(ReasonNoOrganization):
		return notApplicable(CodeNoOrganization, "There is no organization")
	case centralized.gapIs(ReasonPartition):
		return notApplicable(CodePartition, "This AWS partition has no centralized root access")
	case !centralized.Known():
		return unknown(CodeCentralizedUnknown, "Whether root access is centralized could not be read", centralized.why())
	case centralized.Value:
		return passed(CodeCentralized, "Root access is centralized", centralized.stamp())
	default:
		return failed(CodeNotCentralized, "Root access is not centralized", centralized.stamp())
	}
}

// judge judges one control. An account that is not active is not judged at all: AWS closes the ways of looking, so what
// was read before may no longer hold. An empty state is that of an account nobody lists, and is judged by its evidence.
func (e Evidence) judge(c Control, p Policy, now time.Time) verdict {
	if s := e.Account.State; s != "" && s != StateActive {
		return unknown(CodeNotActive, "The root user could not be looked at", StateGap(s))
	}
	switch c {
	case RootAccessKey:
		return e.judgeAccessKey()
	case RootMFA:
		return e.judgeMFA()
	case RootHardwareMFA:
		return e.judgeHardwareMFA()
	case RootBackupMFA:
		return e.judgeBackupMFA()
	case RootActivity:
		return e.judgeActivity(p, now)
	case RootCertificate:
		return e.judgeCertificate()
	case RootPassword:
		return e.judgePassword()
	case CentralizedRootAccess:
		return judgeCentralized(e.Centralized)
	default:
		return unknown(CodeNoSuchControl, "There is no such control", Gap{})
	}
}

func (e Evidence) judgeAccessKey() verdict {
	key := e.hasKey()
	switch {
	case !key.Known():
		return e.unknown(CodeKeyUnknown, "Whether a root access key exists could not be read", key.why())
	case !key.Value:
		return passed(CodeNoKey, "No root access key exists", key.stamp())
	}
	return e.noteBlock(e.keyExists(key.stamp()))
}

// judgeMFA fails only where the root user is known to be able to sign in, which takes a password. With MFA known to be
// off and the password unknown, the truth is either the worst (whoever owns the mailbox gets in) or nothing at all (no
// credentials), so neither is claimed. A device is a pass whatever the password is; that nobody can sign in is a pass only
// where everything else is known, or a missing answer would look like a device.
func (e Evidence) judgeMFA() verdict {
	if v, done := e.mfaMoot(); done {
		return v
	}
	mfa, password, key := e.hasMFA(), e.Password, e.hasKey()
	switch {
	case !mfa.Known():
		return e.unknown(CodeMFAUnknown, "Whether the root user has MFA could not be read", mfa.why())
	case mfa.Value:
		return passed(CodeMFA, "The root user has an MFA device", mfa.stamp())
	case !password.Known():
		return e.unknown(CodeSignInUncertain, "The root user has no MFA, and whether it can sign in could not be read", password.why())
	case password.Value:
		return e.noteBlock(failed(CodeNoMFA, "The root user can sign in without MFA", mfa.stamp(), password.stamp()))
	case !key.Known():
		return e.unknown(CodeCredentialsUnknown, "Whether the root user has any credentials could not be read", key.why())
	default:
		return passed(CodeNoSignIn, "The root user has no password, so it cannot sign in", mfa.stamp(), password.stamp(), key.stamp())
	}
}

// judgeHardwareMFA grades every device by its serial number. That no virtual device is listed proves nothing, and the
// flag of the summary does not tell the kind.
func (e Evidence) judgeHardwareMFA() verdict {
	if v, done := e.noDevice(); done {
		return v
	}
	devices := e.Devices
	if !devices.Known() || devices.partial() {
		return e.unknown(CodeKindsUnknown, "The kinds of the MFA devices could not be read", devices.why())
	}
	ungraded := false
	for _, d := range devices.Value {
		switch d.Grade() {
		case DevicePasskey, DeviceHardware:
			return passed(CodeStrongMFA, "The root user has a security key, passkey or hardware token", devices.stamp())
		case DeviceUnknown:
			ungraded = true
		case DeviceVirtual:
		default:
			ungraded = true
		}
	}
	if ungraded {
		return unknown(CodeKindUngraded, "The kind of an MFA device cannot be told from its serial number", Gap{Reason: ReasonGarbage})
	}
	return failed(CodeVirtualOnly, "Every MFA device of the root user is an authenticator app", devices.stamp())
}

// judgeBackupMFA counts serial numbers, so that a device that was listed twice is not its own backup.
func (e Evidence) judgeBackupMFA() verdict {
	if v, done := e.noDevice(); done {
		return v
	}
	devices := e.Devices
	serials, unnamed := map[string]bool{}, false
	for _, d := range devices.Value {
		serials[d.Serial] = true
		unnamed = unnamed || d.Serial == ""
	}
	delete(serials, "")
	switch {
	case devices.Known() && len(serials) > 1:
		return passed(CodeBackupMFA, "The root user has more than one MFA device", devices.stamp())
	case !devices.Known() || devices.partial():
		return e.unknown(CodeCountUnknown, "The number of MFA devices could not be read", devices.why())
	case unnamed:
		return unknown(CodeNoSerial, "An MFA device was listed without a serial number", Gap{Reason: ReasonGarbage})
	default:
		return failed(CodeOneDevice, "The root user has only one MFA device", devices.stamp())
	}
}

func (e Evidence) judgeCertificate() verdict {
	cert := present(e.Certificates, e.CertificateList)
	switch {
	case !cert.Known():
		return e.unknown(CodeCertificateUnknown, "Whether a root signing certificate exists could not be read", cert.why())
	case cert.Value:
		v := failed(CodeCertificate, "A root signing certificate exists", cert.stamp())
		for _, c := range e.CertificateList.Value {
			v.by = append(v.by, c.ID)
		}
		return v
	default:
		return passed(CodeNoCertificate, "No root signing certificate exists", cert.stamp())
	}
}

// judgePassword asks nothing of accounts that root access cannot be centralized for: only members can do without.
func (e Evidence) judgePassword() verdict {
	central := featureOff(e.Centralized)
	switch {
	case e.Account.Role == RoleManagement || e.Account.Role == RoleStandalone:
		return notApplicable(CodeNotMember, "Only member accounts can do without a root password")
	case e.Account.Partition == partitionGovCloud || central.gapIs(ReasonPartition):
		return notApplicable(CodePartition, "This AWS partition has no centralized root access")
	case central.gapIs(ReasonNoOrganization):
		return notApplicable(CodeNoOrganization, "There is no organization")
	case central.Known() && !central.Value:
		return notApplicable(CodeNotCentralized, "Root access is not centralized", central.stamp())
	case !central.Known():
		return e.unknown(CodeCentralizedUnknown, "Whether root access is centralized could not be read", central.why())
	case e.Account.Role != RoleMember:
		return unknown(CodeRoleUnknown, "Whether the account is a member of the organization could not be read", Gap{})
	case !e.Password.Known():
		return e.unknown(CodePasswordUnknown, "Whether the root user has a password could not be read", e.Password.why())
	case e.Password.Value:
		return failed(CodePassword, "The root user has a password, though root access is centralized", e.Password.stamp(), central.stamp())
	default:
		return passed(CodeNoPassword, "The root user has no password", e.Password.stamp(), central.stamp())
	}
}
