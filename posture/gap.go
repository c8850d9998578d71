package posture

// Reasons returns every reason, so that a catalogue can prove that it has words for each. The caller owns the slice.
func Reasons() []Reason {
	return []Reason{
		ReasonUnknown, ReasonDenied, ReasonSCP, ReasonFeatureOff, ReasonTrust, ReasonGlobalEndpoint,
		ReasonRegionDisabled, ReasonThrottled, ReasonSuspended, ReasonLeft, ReasonNotOffered, ReasonNoAnswer,
		ReasonGarbage, ReasonPartition, ReasonNoCredentials, ReasonReportNotReady, ReasonNotYetScanned,
		ReasonUnreachableRole, ReasonNoOrganization, ReasonStale,
	}
}

// Phrase says the reason inside a sentence, after a colon.
func (r Reason) Phrase() string {
	switch r {
	case ReasonDenied:
		return "a permission is missing"
	case ReasonSCP:
		return "a service control policy without the AssumedRoot exemption refuses it"
	case ReasonFeatureOff:
		return "centralized root access is not enabled"
	case ReasonTrust:
		return "a trust policy or trusted access refuses it"
	case ReasonGlobalEndpoint:
		return "AssumeRoot needs a Regional STS endpoint"
	case ReasonRegionDisabled:
		return "STS is switched off in the Region"
	case ReasonThrottled:
		return "AWS kept throttling"
	case ReasonSuspended:
		return "the account is not active"
	case ReasonLeft:
		return "the account has left the organization"
	case ReasonNotOffered:
		return "this way of looking cannot tell"
	case ReasonNoAnswer:
		return "AWS did not answer"
	case ReasonGarbage:
		return "the answer makes no sense"
	case ReasonPartition:
		return "this AWS partition has no such thing"
	case ReasonNoCredentials:
		return "no AWS credentials work"
	case ReasonReportNotReady:
		return "the credential report is not ready yet"
	case ReasonNotYetScanned:
		return "no check has reached the account yet"
	case ReasonUnreachableRole:
		return "the role to look with could not be assumed"
	case ReasonNoOrganization:
		return "the account belongs to no organization"
	case ReasonStale:
		return "what was read is too old"
	case ReasonUnknown:
		return "the cause is not known"
	default:
		return "the cause is not known"
	}
}

// Fix is the general fix for the reason, for where the edge that met it knows no better one. It is empty where nobody can
// fix anything.
func (r Reason) Fix() string {
	switch r {
	case ReasonDenied:
		return "Grant the read-only permissions; `bot doctor` names the one that is missing."
	case ReasonSCP:
		return "Exempt privileged sessions in the service control policy: add the condition Null aws:AssumedRoot true."
	case ReasonFeatureOff:
		return "Enable centralized root access in the management account, or name a read-only role for the members."
	case ReasonTrust:
		return "Let the role trust the bot's identity, and keep trusted access for iam.amazonaws.com enabled."
	case ReasonGlobalEndpoint:
		return "Set a Region such as us-east-1, so that STS is reached at a Regional endpoint."
	case ReasonRegionDisabled:
		return "Activate STS in the Region, or set another Region."
	case ReasonThrottled, ReasonNoAnswer, ReasonStale:
		return "Wait for the next check."
	case ReasonGarbage:
		return "Wait for the next check; if it stays so, look at what answers in place of AWS."
	case ReasonReportNotReady:
		return "Wait for the next check; AWS makes a new credential report at most every four hours."
	case ReasonNotYetScanned:
		return "Wait for the first check to end."
	case ReasonNoCredentials:
		return "Give the bot AWS credentials: the AWS_… variables, a profile (AWS_PROFILE, or `profile` in the settings), or the role of the machine it runs on."
	case ReasonUnreachableRole:
		return "Create the role in the account, and let it trust the bot's identity."
	case ReasonNotOffered:
		return "Give the bot another way of looking: centralized root access, the credential report or CloudTrail."
	case ReasonUnknown:
		return "Run `bot doctor`."
	case ReasonSuspended, ReasonLeft, ReasonPartition, ReasonNoOrganization:
		return ""
	default:
		return "Run `bot doctor`."
	}
}
