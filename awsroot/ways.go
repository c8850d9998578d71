package awsroot

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Ways tells by which means the keys of an account can be changed, from its settings and from what the last inventory
// told. Before the first inventory of a process it asks AWS whether root access is centralized: a restart must not shut
// the way of a deletion that was confirmed before it.
func (a *Auditor) Ways(ctx context.Context, acc posture.Account) commands.Ways {
	r, ok := find(a.reaches, acc.Source)
	if !ok {
		return commands.Ways{
			Deactivate: remediation.MeansNone, Delete: remediation.MeansNone,
			Why: "The account's source is not in the settings any more.", WhyDelete: "The account's source is not in the settings any more.",
		}
	}
	w := commands.Ways{Exempt: r.exempt(acc.ID)}
	switch {
	case acc.State == posture.StateUntold:
		none(&w, "The inventory did not tell whether the account is active.")
	case acc.State != posture.StateActive:
		none(&w, "The account is not active, and AWS lets nobody change it.")
	case reportOnly(acc.Partition):
		guided(&w, "This AWS partition has no privileged root sessions: whoever holds the root user does it.")
	case r.src.Account != nil:
		r.waysOfSingle(ctx, &w)
	case acc.Role == posture.RoleManagement:
		guided(&w, "Nobody but its root user can change a root key of the management account: its owner does it in the console.")
	default:
		r.waysOfMember(ctx, acc.ID, &w)
	}
	return w
}

func none(w *commands.Ways, why string) {
	w.Deactivate, w.Delete, w.Why, w.WhyDelete = remediation.MeansNone, remediation.MeansNone, why, why
}

func guided(w *commands.Ways, why string) {
	w.Deactivate, w.Delete, w.Why, w.WhyDelete = remediation.MeansGuided, remediation.MeansGuided, why, why
}

func (r *reach) waysOfSingle(ctx context.Context, w *commands.Ways) {
	if r.src.Account.RootProfile == "" {
		guided(w, "Nobody but its root user can change a root key of this account: its owner does it in the console.")
		return
	}
	signs, err := r.rootKey(ctx)
	if err != nil {
		guided(w, "The root profile of this account does not work: its owner does it in the console.")
		return
	}
	w.Deactivate, w.Delete, w.SelfSigned = remediation.MeansRootCredentials, remediation.MeansRootCredentials, signs
	w.Why = "The bot uses the root profile that the operator named, for the one call. The key that this profile signs with is left to its owner."
	w.WhyDelete = w.Why
}

func (r *reach) waysOfMember(ctx context.Context, id posture.AccountID, w *commands.Ways) {
	centralized := r.central(ctx)
	switch o := r.src.Organization; {
	case o.Quarantine != nil && slices.Contains(o.Quarantine.Except, id):
		w.Deactivate = remediation.MeansGuided
		w.Why = "AWS lets nobody but the root user deactivate a root key, and this account is never to be blocked: the owner does it in the console."
	case o.Quarantine != nil:
		w.Deactivate = remediation.MeansOrganization
		w.Why = "The root user is blocked by the quarantine policy: every root key and the console, until it is lifted. The key itself stays active."
	default:
		w.Deactivate = remediation.MeansGuided
		w.Why = "AWS lets nobody but the root user deactivate a root key, and no quarantine policy is set: the owner does it in the console."
	}
	switch o := r.src.Organization; {
	case o.Delete == nil:
		w.Delete, w.WhyDelete = remediation.MeansGuided, "Deletion by the bot is not switched on: the owner deletes the key in the console."
	case centralized.Known() && !centralized.Value:
		w.Delete = remediation.MeansNone
		w.WhyDelete = "Centralized root access is not enabled in this organization, so nobody but the root user can delete its keys. " + posture.ReasonFeatureOff.Fix()
	case !centralized.Known():
		w.Delete, w.WhyDelete = remediation.MeansNone, "Whether root access is centralized could not be read, so the bot deletes nothing."
		if g := centralized.Gap; g != nil {
			w.WhyDelete = "Whether root access is centralized could not be read: " + g.Reason.Phrase() + ". " + g.Fix
		}
	default:
		w.Delete = remediation.MeansOrganization
		w.WhyDelete = "The key is deleted in a privileged root session whose task policy allows little else."
	}
}

// rootKey is the id of the key that the root profile signs with. It reads the profile and asks AWS nothing.
func (r *reach) rootKey(ctx context.Context) (posture.KeyID, error) {
	cfg, err := r.rootProfile(ctx, r.cfg)
	if err != nil {
		return "", err
	}
	c, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return "", fmt.Errorf("read the root profile: %w", err)
	}
	return posture.KeyID(c.AccessKeyID), nil
}

// rootCaller asks AWS whose credentials these are, with the very same credentials.
func rootCaller(ctx context.Context, cfg aws.Config) (arn string, account posture.AccountID, err error) {
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", "", err
	}
	return aws.ToString(out.Arn), posture.AccountID(aws.ToString(out.Account)), nil
}

// accountOf asks AWS which account a key belongs to. The root session's task policy denies it, so the role that opened
// the session asks.
func accountOf(ctx context.Context, cfg aws.Config, k posture.KeyID) (posture.AccountID, error) {
	out, err := sts.NewFromConfig(cfg).GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: aws.String(string(k))})
	if err != nil {
		return "", err
	}
	return posture.AccountID(aws.ToString(out.Account)), nil
}
