package posture

// This file joins what several calls tell of the same thing into one fact, with the source and the age of the answer that
// decided it.

// partitionGovCloud has root users without a console: no password, no MFA, no centralized root access.
// https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-iam.html
const partitionGovCloud = "aws-us-gov"

// stamp is the source and the age of a fact, whatever its type.
type stamp Fact[struct{}]

func (f Fact[T]) stamp() stamp { return stamp{Source: f.Source, At: f.At} }

func (f Fact[T]) fromReport() bool { return f.Source == SourceReport }

// live reports whether the fact is known and was true when it was read, not when a report was made.
func (f Fact[T]) live() bool { return f.Known() && !f.fromReport() }

// partial reports whether a list of MFA devices may lack some: an ordinary role sees the virtual ones only.
func (f Fact[T]) partial() bool { return f.fromReport() || f.Source == SourceVirtualDevices }

func (f Fact[T]) gapIs(r Reason) bool { return f.Gap != nil && f.Gap.Reason == r }

// why is the gap of an unknown fact. One that was never asked for is ReasonNotOffered: this way of looking does not ask it.
func (f Fact[T]) why() Gap {
	if f.Gap != nil {
		return *f.Gap
	}
	return Gap{Reason: ReasonNotOffered}
}

// featureOff turns the gap that says "not enabled" into the answer that it is.
func featureOff(centralized Fact[bool]) Fact[bool] {
	if centralized.gapIs(ReasonFeatureOff) {
		return Told(false, "ListOrganizationsFeatures", centralized.At)
	}
	return centralized
}

// present joins the flag of the summary with the list. Live answers go before those of the credential report. A list that
// shows one proves that it exists, and so does the flag; the credential report never proves that none exists, because it
// may hide what is inactive.
func present[T any](flag Fact[bool], list Fact[[]T]) Fact[bool] {
	switch {
	case list.live() && len(list.Value) > 0:
		return Told(true, list.Source, list.At)
	case flag.live():
		return flag
	case list.live():
		return Told(false, list.Source, list.At)
	case flag.Known() && flag.Value:
		return flag
	case list.Known() && len(list.Value) > 0:
		return Told(true, list.Source, list.At)
	case flag.Gap != nil:
		return Missing[bool](flag.Source, *flag.Gap)
	default:
		return Missing[bool](list.Source, list.why())
	}
}

func (e Evidence) hasKey() Fact[bool] { return present(e.AccessKeys, e.Keys) }

// hasMFA joins the flag of the summary with the list of devices. Where two live answers contradict each other nothing is
// known: a device is being added or removed while we look.
func (e Evidence) hasMFA() Fact[bool] {
	flag, devices := e.MFA, e.Devices
	listed := devices.live() && len(devices.Value) > 0
	none := devices.live() && !devices.partial() && len(devices.Value) == 0
	switch {
	case flag.live() && (flag.Value && none || !flag.Value && listed):
		return Missing[bool](flag.Source, Gap{Reason: ReasonGarbage, Detail: "the account summary and the list of MFA devices contradict each other"})
	case flag.live():
		return flag
	case listed || none:
		return Told(listed, devices.Source, devices.At)
	case flag.Known():
		return flag
	case flag.Gap != nil:
		return Missing[bool](flag.Source, *flag.Gap)
	default:
		return Missing[bool](devices.Source, devices.why())
	}
}

// mfaMoot settles the controls of MFA where there is nothing for MFA to protect, or nothing to register it with.
func (e Evidence) mfaMoot() (verdict, bool) {
	if e.Account.Partition == partitionGovCloud || e.MFA.gapIs(ReasonPartition) {
		return notApplicable(CodeNoConsole, "The root user has no console in this AWS partition"), true
	}
	key := e.hasKey()
	if e.Password.Known() && !e.Password.Value && key.Known() && !key.Value {
		return notApplicable(CodeNoCredentials, "The root user has neither a password nor an access key", e.Password.stamp(), key.stamp()), true
	}
	return verdict{}, false
}

// noDevice settles the controls that grade or count MFA devices where there is none, or none is known of.
func (e Evidence) noDevice() (verdict, bool) {
	if v, done := e.mfaMoot(); done {
		return v, true
	}
	mfa := e.hasMFA()
	switch {
	case !mfa.Known():
		return e.unknown(CodeMFAUnknown, "Whether the root user has MFA could not be read", mfa.why()), true
	case !mfa.Value:
		return notApplicable(CodeNoDevice, "The root user has no MFA device", mfa.stamp()), true
	default:
		return verdict{}, false
	}
}

// keyExists counts the keys where they are listed. An active key weighs more than both that an account can have inactive.
func (e Evidence) keyExists(s stamp) verdict {
	if !e.Keys.live() || len(e.Keys.Value) == 0 {
		return failed(CodeKey, "A root access key exists", s)
	}
	active, total := 0, len(e.Keys.Value)
	var names []string
	for _, k := range e.Keys.Value {
		names = append(names, k.subject())
		if k.Status != KeyInactive {
			active++
		}
	}
	var v verdict
	switch {
	case total == 1 && active == 1:
		v = failed(CodeKeyActive, "An active root access key exists", s)
	case total == 1:
		v = failed(CodeKeyInactive, "An inactive root access key exists", s)
	case total > 2:
		v = failed(CodeKeysMany, "More root access keys exist than AWS allows", s)
	case active == 2:
		v = failed(CodeKeysActive, "Two active root access keys exist", s)
	case active == 1:
		v = failed(CodeKeysMixed, "Two root access keys exist, one of them active", s)
	default:
		v = failed(CodeKeysInactive, "Two inactive root access keys exist", s)
	}
	v.degree, v.by = 3*active+(total-active), names
	return v
}
