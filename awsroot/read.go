package awsroot

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Read makes the reading that a step decides by. A reading that failed has its Gap set, and nothing else counts.
func (a *Auditor) Read(ctx context.Context, req remediation.Request) remediation.Facts {
	now := a.cfg.Now()
	f := remediation.Facts{Source: req.Source, Account: req.Account, Begun: now, At: now}
	r, ok := find(a.reaches, req.Source)
	if !ok {
		return failed(f, posture.Gap{Reason: posture.ReasonUnknown, Fix: "Name the account's source in the settings."})
	}
	switch {
	case r.src.Account != nil && r.src.Account.RootProfile != "" && wantsRootProfile(req):
		f = r.readByRootProfile(ctx, f, a.cfg)
	default:
		f = r.keys(ctx, f)
	}
	if f.Gap != nil {
		return f
	}
	if req.Means == remediation.MeansOrganization || req.BlockHeld {
		block, told, err := r.block(ctx, r.blocks, req.Account, f.At, false)
		if err != nil {
			return failed(f, gapOf(err))
		}
		f.Block = block
		if f.AWS.IsZero() {
			f.AWS = told
		}
	}
	f.At = a.cfg.Now()
	return f
}

func failed(f remediation.Facts, g posture.Gap) remediation.Facts {
	return remediation.Facts{Source: f.Source, Account: f.Account, Begun: f.Begun, At: f.At, Gap: &g}
}

// wantsRootProfile reports whether a reading is worth a use of the root user's own key: for a step that is being asked
// about, under way or to be verified. The hourly readings of a watch go by the credential report, or the watch itself
// would be what uses the root user.
func wantsRootProfile(req remediation.Request) bool {
	return req.Version == 0 || req.State.InFlight() || req.State == remediation.Deleted
}

// member reports whether a root session is the way into the account. Nobody gets one into the management account, which
// the caller's own may be for as long as no inventory has named it.
func (r *reach) member(ctx context.Context, id posture.AccountID) bool {
	if r.src.Organization == nil {
		return false
	}
	management := r.management()
	if c := r.central(ctx); !c.Known() || !c.Value || management == id {
		return false
	}
	arn, own, err := r.who.get(ctx)
	return err == nil && !reportOnly(partitionOf(arn)) && (own != id || management != "")
}

// keys reads the root user's keys by the way that is open into the account.
func (r *reach) keys(ctx context.Context, f remediation.Facts) remediation.Facts {
	if r.member(ctx, f.Account) {
		return r.readByRootSession(ctx, f)
	}
	return r.readByRole(ctx, f, f.Account)
}

func (r *reach) readByRootSession(ctx context.Context, f remediation.Facts) remediation.Facts {
	cfg, err := r.rootSession(ctx, r.base, f.Account, r.who.partition(ctx), auditTask)
	if err != nil {
		return failed(f, gapOf(err))
	}
	keys, told, err := rootKeys(ctx, iam.NewFromConfig(cfg))
	if err != nil {
		return failed(f, gapOf(err))
	}
	f.Keys, f.KeysKnown, f.NoKeys, f.AWS = keys, true, len(keys) == 0, told
	f.KeysAt = r.cfg.Now()
	return f
}

func (r *reach) readByRole(ctx context.Context, f remediation.Facts, id posture.AccountID) remediation.Facts {
	acc := posture.Account{ID: id, Partition: r.who.partition(ctx)}
	if r.management() == id {
		acc.Role = posture.RoleManagement
	}
	cfg, _, err := r.way(ctx, acc)
	if err != nil {
		return failed(f, wayGap(err))
	}
	c := iam.NewFromConfig(cfg)
	summary, err := c.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		return failed(f, gapOf(err))
	}
	f.AWS = serverTime(summary.ResultMetadata, f.AWS)
	if flag, ok := summary.SummaryMap["AccountAccessKeysPresent"]; ok && flag == 0 && genuine(summary.SummaryMap) {
		f.NoKeys, f.KeysKnown, f.KeysAt = true, true, r.cfg.Now()
		return f
	}
	row, err := credentialReport(ctx, c, id, r.cfg.Now)
	if err != nil {
		return failed(f, gapOf(err))
	}
	f.Keys, f.KeysKnown, f.KeysAt = row.Keys, true, row.At
	return f
}

// readByRootProfile reads with the root user's own credentials, which are loaded for this reading alone.
func (r *reach) readByRootProfile(ctx context.Context, f remediation.Facts, c Config) remediation.Facts {
	cfg, err := r.rootProfile(ctx, c)
	if err != nil {
		return failed(f, gapOf(err))
	}
	keys, told, err := rootKeys(ctx, iam.NewFromConfig(cfg))
	if err != nil {
		return failed(f, gapOf(err))
	}
	f.Keys, f.KeysKnown, f.NoKeys, f.AWS, f.KeysAt = keys, true, len(keys) == 0, told, r.cfg.Now()
	return f
}

// rootProfile loads the operator's root profile. Nothing keeps it beyond the act: no cache, and no renewal.
func (r *reach) rootProfile(ctx context.Context, c Config) (aws.Config, error) {
	a := r.src.Account
	return load(ctx, a.RootProfile, a.Region, c, r.base.HTTPClient)
}
