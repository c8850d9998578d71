package posture

import "slices"

// ControlInfo is what people are told of a control, whatever account it is judged on.
type ControlInfo struct {
	Slug     Control
	Severity Severity
	Title    string // a noun phrase without a full stop
	Why      string // one sentence: why a failure matters
	Docs     string // the page of AWS's documentation that says what to do
	// OrganizationWide controls have one finding per organization, and their finding names no account.
	OrganizationWide bool
	References       []Reference
}

// Reference names a control in somebody else's catalogue. The numbers of benchmarks move from version to version.
type Reference struct {
	Catalogue string // such as "CIS AWS Foundations 5.0.0", "Security Hub", "AWS Config"
	ID        string
}

// Controls returns every control, the worst severity first. The caller owns the slice.
//
// The references are those of AWS Security Hub's controls, the AWS Config managed rules and the CIS AWS Foundations
// Benchmark. https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html
func Controls() []ControlInfo {
	return []ControlInfo{
		{
			Slug: RootAccessKey, Severity: Critical,
			Title:      "No root access key",
			Why:        "Whoever holds a root access key can do everything in the account, and no policy inside the account can stop it.",
			Docs:       "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user_manage_delete-key.html",
			References: references("IAM.4", "iam-root-access-key-check", "2.4", "2.3", "1.3", "1.4", "1.12"),
		},
		{
			Slug: RootMFA, Severity: Critical,
			Title:      "MFA for the root user",
			Why:        "Without MFA, the root user's password or its mailbox alone opens the whole account.",
			Docs:       "https://docs.aws.amazon.com/IAM/latest/UserGuide/enable-mfa-for-root.html",
			References: references("IAM.9", "root-account-mfa-enabled", "2.5", "2.4", "1.4", "1.5", "1.13"),
		},
		{
			Slug: RootActivity, Severity: High,
			Title:      "Root user not used",
			Why:        "Almost no task needs the root user, so each use is either a habit to end or an intruder.",
			Docs:       "https://docs.aws.amazon.com/IAM/latest/UserGuide/root-user-tasks.html",
			References: references("CloudWatch.1", "", "2.7", "2.6", "1.6", "1.7", "1.1"),
		},
		{
			Slug: RootCertificate, Severity: High,
			Title: "No root signing certificate",
			Why:   "A signing certificate is one more long-term credential of the root user, and hardly anything needs it today.",
			Docs:  "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user.html",
		},
		{
			Slug: RootHardwareMFA, Severity: Medium,
			Title:      "Strong MFA device for the root user",
			Why:        "A security key, passkey or hardware token cannot be copied or phished as easily as the secret of an authenticator app.",
			Docs:       "https://docs.aws.amazon.com/IAM/latest/UserGuide/enable-fido-mfa-for-root.html",
			References: references("IAM.6", "root-account-hardware-mfa-enabled", "2.6", "2.5", "1.5", "1.6", "1.14"),
		},
		{
			Slug: CentralizedRootAccess, Severity: Medium, OrganizationWide: true,
			Title:      "Centralized root access",
			Why:        "With centralized root access, member accounts need no root credentials at all, and none can be stolen.",
			Docs:       "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-enable-root-access.html",
			References: []Reference{{Catalogue: "CIS AWS Foundations 7.0.0", ID: "2.1.1"}},
		},
		{
			Slug: RootBackupMFA, Severity: Low,
			Title: "Second MFA device for the root user",
			Why:   "When the only MFA device is lost, the way back into the account leads through AWS Support.",
			Docs:  "https://docs.aws.amazon.com/IAM/latest/UserGuide/root-user-best-practices.html",
		},
		{
			Slug: RootPassword, Severity: Low,
			Title: "No root password where root access is centralized",
			Why:   "Under centralized root access a member account needs no root password, and one that is left can still be stolen.",
			Docs:  "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user-privileged-task.html",
		},
	}
}

// LookUp returns what is known of one control, and false for a slug that is no control.
func LookUp(c Control) (ControlInfo, bool) {
	all := Controls()
	i := slices.IndexFunc(all, func(i ControlInfo) bool { return i.Slug == c })
	if i < 0 {
		return ControlInfo{}, false
	}
	return all[i], true
}

// references lists a control in the catalogues that know it: Security Hub, AWS Config (empty where there is no rule) and
// the CIS benchmark in versions 7.0.0, 6.0.0, 5.0.0, 4.0.1 (with 3.0.0 and 1.4.0, which agree) and 1.2.0.
func references(hub, config, v7, v6, v5, v4, v1 string) []Reference {
	refs := []Reference{{Catalogue: "Security Hub", ID: hub}}
	if config != "" {
		refs = append(refs, Reference{Catalogue: "AWS Config", ID: config})
	}
	return append(refs,
		Reference{Catalogue: "CIS AWS Foundations 7.0.0", ID: v7},
		Reference{Catalogue: "CIS AWS Foundations 6.0.0", ID: v6},
		Reference{Catalogue: "CIS AWS Foundations 5.0.0", ID: v5},
		Reference{Catalogue: "CIS AWS Foundations 4.0.1", ID: v4},
		Reference{Catalogue: "CIS AWS Foundations 3.0.0", ID: v4},
		Reference{Catalogue: "CIS AWS Foundations 1.4.0", ID: v4},
		Reference{Catalogue: "CIS AWS Foundations 1.2.0", ID: v1},
	)
}

// Rank orders severities: 0 is the worst, and whatever is no severity comes last.
func (s Severity) Rank() int {
	order := [...]Severity{Critical, High, Medium, Low, Informational}
	if i := slices.Index(order[:], s); i >= 0 {
		return i
	}
	return len(order)
}
