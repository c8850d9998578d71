package awsroot

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// The ways of looking into an account.
const (
	viaAssumeRoot = "assume-root"
	viaRole       = "role"
	viaOwn        = "own"
)

// lookFor is how long the looks at one account take at most, from when the way into it is open: many times what a slow
// answer takes, and an end for an account whose every answer comes just before it is given up.
const lookFor = 2 * time.Minute

// Inspect looks into one account by the way that is open for it. It never fails: what could not be read is a gap.
func (a *Auditor) Inspect(ctx context.Context, acc posture.Account) posture.Evidence {
	e := posture.Evidence{Account: acc}
	r, ok := find(a.reaches, acc.Source)
	if !ok {
		return a.blind(e, posture.Gap{Reason: posture.ReasonUnknown, Fix: "Name the account's source in the settings."})
	}
	if r.src.Organization != nil {
		e.Centralized = r.central(ctx)
	}
	if acc.State != posture.StateActive {
		return a.blind(e, posture.StateGap(acc.State))
	}
	cfg, via, err := r.way(ctx, acc)
	e.Via = via
	if err != nil {
		return a.blind(e, r.still(ctx, acc, wayGap(err)))
	}
	ctx, stop := context.WithTimeout(ctx, lookFor)
	defer stop()
	look := &look{cfg: cfg, c: iam.NewFromConfig(cfg), now: a.cfg.Now, e: &e}
	if err := look.summary(ctx); err != nil {
		return a.blind(e, r.still(ctx, acc, gapOf(err)))
	}
	if via == viaAssumeRoot {
		look.byRootSession(ctx)
	} else {
		look.byReadOnlyRole(ctx)
		if r.cloudTrail() && !reportOnly(acc.Partition) {
			look.byTrail(ctx, r)
		}
	}
	e.At = a.cfg.Now()
	return e
}

// still asks of an account that denied access whether it is a member and active at all: AWS says the same of one that left
// after it was listed.
func (r *reach) still(ctx context.Context, acc posture.Account, g posture.Gap) posture.Gap {
	denied := g.Reason == posture.ReasonDenied || g.Reason == posture.ReasonUnreachableRole
	if r.src.Organization == nil || !denied || r.listedLately() {
		return g
	}
	now, unread := r.asMember(ctx, acc)
	switch {
	case unread != nil && unread.Reason == posture.ReasonLeft:
		return *unread
	case unread == nil && now.State != posture.StateActive && now.State != posture.StateUntold:
		return posture.StateGap(now.State)
	default:
		return g // that the account denied access is all that is known
	}
}

// Member asks Organizations about one account that an inventory named once, and returns it as it is now. A gap of
// ReasonLeft means that it is no member any more, and every other gap that AWS did not tell. An entry that is one account
// has no other.
func (a *Auditor) Member(ctx context.Context, acc posture.Account) (posture.Account, *posture.Gap) {
	r, ok := find(a.reaches, acc.Source)
	if !ok {
		return acc, &posture.Gap{Reason: posture.ReasonUnknown, Fix: "Name the account's source in the settings."}
	}
	if r.src.Organization != nil {
		return r.asMember(ctx, acc)
	}
	_, id, err := r.who.get(ctx)
	switch {
	case err != nil:
		g := gapOf(err)
		return acc, &g
	case id != acc.ID:
		return acc, &posture.Gap{Reason: posture.ReasonLeft, Detail: "the entry's credentials belong to another account now"}
	default:
		return acc, nil
	}
}

func (r *reach) asMember(ctx context.Context, acc posture.Account) (posture.Account, *posture.Gap) {
	out, err := organizations.NewFromConfig(r.base).DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: aws.String(string(acc.ID))})
	switch {
	case err != nil && reasonOf(err) == posture.ReasonLeft:
		return acc, &posture.Gap{Reason: posture.ReasonLeft, Detail: "the account was a member when it was listed"}
	case err != nil:
		g := gapOf(err)
		return acc, &g
	case out.Account == nil || aws.ToString(out.Account.Id) != string(acc.ID):
		return acc, &posture.Gap{Reason: posture.ReasonGarbage, Detail: errNoAccount.Error(), Fix: posture.ReasonGarbage.Fix()}
	default:
		return r.account(*out.Account, &commands.Organization{Partition: acc.Partition}), nil
	}
}

// way opens the way into an account: a root session where root access is centralized, else the account's own identity or
// a read-only role. The management account can never be the target of AssumeRoot.
func (r *reach) way(ctx context.Context, acc posture.Account) (aws.Config, string, error) {
	o := r.src.Organization
	if o == nil {
		return r.base, viaOwn, nil
	}
	centralized := r.remembered()
	if acc.Role == posture.RoleMember && centralized.Known() && centralized.Value && !reportOnly(acc.Partition) {
		cfg, err := r.rootSession(ctx, r.base, acc.ID, partition(acc), auditTask)
		return cfg, viaAssumeRoot, err
	}
	if _, own, err := r.who.get(ctx); err == nil && own == acc.ID {
		return r.base, viaOwn, nil
	}
	if o.MemberRole != "" {
		return r.as(r.base, r.memberRole(partition(acc), acc.ID), "rootcheck-look"), viaRole, nil
	}
	return aws.Config{}, "", &closedWay{acc: acc, centralized: centralized}
}

func partition(acc posture.Account) string {
	if acc.Partition == "" {
		return "aws"
	}
	return acc.Partition
}

// closedWay is an account that no configured way leads into.
type closedWay struct {
	acc         posture.Account
	centralized posture.Fact[bool]
}

func (c *closedWay) Error() string { return "no way of looking is configured for " + string(c.acc.ID) }

func (c *closedWay) gap() posture.Gap {
	switch {
	case c.acc.Role == posture.RoleManagement:
		return posture.Gap{
			Reason: posture.ReasonNotOffered, Detail: "sts:AssumeRoot cannot target the management account",
			Fix: "Run the bot with an identity in the management account, or set member_role to a read-only role that exists there.",
		}
	case reportOnly(c.acc.Partition):
		return posture.Gap{Reason: posture.ReasonPartition, Fix: "Set member_role to a read-only role: this partition has no privileged root sessions."}
	case c.centralized.Gap != nil:
		return *c.centralized.Gap
	default:
		return posture.Gap{Reason: posture.ReasonFeatureOff, Fix: posture.ReasonFeatureOff.Fix()}
	}
}

func wayGap(err error) posture.Gap {
	if c, ok := errors.AsType[*closedWay](err); ok {
		return c.gap()
	}
	return gapOf(err)
}

// blind makes every fact unknown for one reason.
func (a *Auditor) blind(e posture.Evidence, g posture.Gap) posture.Evidence {
	e = posture.Unread(e, g)
	e.At = a.cfg.Now()
	return e
}

// look is one look in progress.
type look struct {
	cfg aws.Config
	c   *iam.Client
	now clock
	e   *posture.Evidence
}

// summary reads the four flags of the root user, and returns the error of a call that failed.
//
// AWS has sent AccountPasswordPresent since November 2024. An answer without it comes from something else, which may well
// have fixed zeros for the rest: its ones are believed, its zeros are not. A single other flag that is missing is
// unknown, not false.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
func (l *look) summary(ctx context.Context) error {
	const source = posture.SourceSummary
	out, err := l.c.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		return err
	}
	flag := func(name string) posture.Fact[bool] {
		v, ok := out.SummaryMap[name]
		switch {
		case v > 0:
			return posture.Told(true, source, l.now())
		case !genuine(out.SummaryMap):
			return posture.Missing[bool](source, foreign())
		case !ok:
			return posture.Missing[bool](source, posture.Gap{Reason: posture.ReasonNotOffered, Detail: "the answer has no " + name, Fix: posture.ReasonNotOffered.Fix()})
		case v < 0:
			return posture.Missing[bool](source, odd("a negative "+name))
		default:
			return posture.Told(false, source, l.now())
		}
	}
	l.e.AccessKeys, l.e.MFA = flag("AccountAccessKeysPresent"), flag("AccountMFAEnabled")
	l.e.Certificates, l.e.Password = flag("AccountSigningCertificatesPresent"), flag("AccountPasswordPresent")
	return nil
}

// genuine reports whether a summary can be AWS's.
func genuine(summary map[string]int32) bool {
	_, ok := summary["AccountPasswordPresent"]
	return ok
}

func foreign() posture.Gap {
	return odd("the account summary has no AccountPasswordPresent, so it does not come from AWS and its zeros tell nothing")
}

// wants reports whether there is something to list: the flag says so, or it is missing and the list is what tells.
func wants(f posture.Fact[bool]) bool {
	if f.Known() {
		return f.Value
	}
	return f.Gap != nil && f.Gap.Reason == posture.ReasonNotOffered
}

// unlisted is the list behind a flag that gave no reason to ask for it: empty where the flag says so, unknown where the
// flag is. An endpoint that answers the flag with rubbish would answer the list with rubbish too.
func unlisted[T any](flag posture.Fact[bool], source string, now time.Time) posture.Fact[[]T] {
	if flag.Known() {
		return posture.Told([]T{}, posture.SourceSummary, now)
	}
	return posture.Missing[[]T](source, *flag.Gap)
}

// byRootSession lists what the summary says is there, with the root user's own privileged session: all of it at once, as
// no list waits for another. Each writes its own facts; what needs no call is settled without a goroutine.
func (l *look) byRootSession(ctx context.Context) {
	var lists sync.WaitGroup
	for _, list := range []struct {
		flag posture.Fact[bool]
		read func(context.Context)
	}{{l.e.AccessKeys, l.keys}, {l.e.MFA, l.devices}, {l.e.Certificates, l.certificates}, {l.e.Password, l.signIn}} {
		if wants(list.flag) {
			lists.Go(func() { list.read(ctx) })
		} else {
			list.read(ctx)
		}
	}
	lists.Wait()
}

// noTrace is the gap of a use whose credential no longer exists: its history went with it. It may have been used this
// morning and removed at noon.
func noTrace(what string) posture.Gap {
	return posture.Gap{
		Reason: posture.ReasonNotOffered, Fix: posture.ReasonNotOffered.Fix(),
		Detail: "the root user has no " + what + " now, and a summary cannot tell of use before it was removed",
	}
}

func (l *look) keys(ctx context.Context) {
	const source, use = "ListAccessKeys", "GetAccessKeyLastUsed"
	if !wants(l.e.AccessKeys) {
		l.e.Keys = unlisted[posture.Key](l.e.AccessKeys, source, l.now())
		l.e.KeyUse = posture.Missing[posture.Use](use, useGap(l.e.AccessKeys, "access key"))
		return
	}
	keys, _, err := rootKeys(ctx, l.c)
	if err != nil {
		l.e.Keys, l.e.KeyUse = posture.Missing[[]posture.Key](source, gapOf(err)), posture.Missing[posture.Use](use, gapOf(err))
		return
	}
	l.e.Keys = posture.Told(keys, source, l.now())
	if len(keys) == 0 {
		l.e.KeyUse = posture.Missing[posture.Use](use, noTrace("access key"))
		return
	}
	latest := posture.Use{}
	for _, k := range keys {
		if k.LastUsed.After(latest.At) {
			latest = posture.Use{At: k.LastUsed, Service: k.UsedService, Region: k.UsedRegion}
		}
	}
	l.e.KeyUse = posture.Told(latest, use, l.now())
}

func (l *look) devices(ctx context.Context) {
	const source = "ListMFADevices"
	if !wants(l.e.MFA) {
		l.e.Devices = unlisted[posture.Device](l.e.MFA, source, l.now())
		return
	}
	devices := []posture.Device{}
	if err := turned(ctx, iam.NewListMFADevicesPaginator(l.c, &iam.ListMFADevicesInput{}), func(page *iam.ListMFADevicesOutput) error {
		for _, d := range page.MFADevices {
			serial := text(d.SerialNumber)
			devices = append(devices, posture.Device{Serial: serial, Kind: posture.GradeDevice(serial), Enabled: dated(d.EnableDate)})
		}
		return given(page.MFADevices, len(devices))
	}); err != nil {
		l.e.Devices = posture.Missing[[]posture.Device](source, gapOf(err))
		return
	}
	l.e.Devices = posture.Told(devices, source, l.now())
}

func (l *look) certificates(ctx context.Context) {
	const source = "ListSigningCertificates"
	if !wants(l.e.Certificates) {
		l.e.CertificateList = unlisted[posture.Certificate](l.e.Certificates, source, l.now())
		return
	}
	certificates := []posture.Certificate{}
	pages := iam.NewListSigningCertificatesPaginator(l.c, &iam.ListSigningCertificatesInput{})
	if err := turned(ctx, pages, func(page *iam.ListSigningCertificatesOutput) error {
		for _, c := range page.Certificates {
			certificates = append(certificates, posture.Certificate{ID: text(c.CertificateId), Status: text((*string)(&c.Status)), Created: dated(c.UploadDate)})
		}
		return given(page.Certificates, len(certificates))
	}); err != nil {
		l.e.CertificateList = posture.Missing[[]posture.Certificate](source, gapOf(err))
		return
	}
	l.e.CertificateList = posture.Told(certificates, source, l.now())
}

// useGap is why nothing is known of the use of a credential that was not listed.
func useGap(flag posture.Fact[bool], what string) posture.Gap {
	if flag.Known() {
		return noTrace(what)
	}
	return *flag.Gap
}

// signIn asks GetUser for the last use of the password. Without a password there is nothing to ask.
func (l *look) signIn(ctx context.Context) {
	const source = "GetUser"
	if !wants(l.e.Password) {
		l.e.SignIn = posture.Missing[posture.Use](source, useGap(l.e.Password, "password"))
		return
	}
	out, err := l.c.GetUser(ctx, &iam.GetUserInput{})
	switch {
	case err != nil:
		l.e.SignIn = posture.Missing[posture.Use](source, gapOf(err))
	case out.User == nil:
		l.e.SignIn = posture.Missing[posture.Use](source, odd("an answer without a user"))
	case !rootOf(l.e.Account.ID, aws.ToString(out.User.Arn)):
		l.e.SignIn = posture.Missing[posture.Use](source, odd("an answer about another user"))
	default:
		l.e.SignIn = posture.Told(posture.Use{At: dated(out.User.PasswordLastUsed)}, source, l.now())
	}
}

// byReadOnlyRole adds what an ordinary role can tell: the credential report, and which MFA devices are virtual. The ids of
// root keys are out of its reach.
func (l *look) byReadOnlyRole(ctx context.Context) {
	l.report(ctx)
	l.virtualDevices(ctx)
	notOffered := posture.Gap{Reason: posture.ReasonNotOffered, Detail: "a role cannot list the root user's certificates", Fix: posture.ReasonNotOffered.Fix()}
	l.e.CertificateList = posture.Missing[[]posture.Certificate]("ListSigningCertificates", notOffered)
}

// virtualDevices finds the root user's virtual device. It says nothing about other kinds, so the list is never whole.
func (l *look) virtualDevices(ctx context.Context) {
	if !wants(l.e.MFA) {
		l.e.Devices = unlisted[posture.Device](l.e.MFA, posture.SourceVirtualDevices, l.now())
		return
	}
	devices := []posture.Device{}
	pages := iam.NewListVirtualMFADevicesPaginator(l.c, &iam.ListVirtualMFADevicesInput{AssignmentStatus: iamtypes.AssignmentStatusTypeAssigned})
	if err := turned(ctx, pages, func(page *iam.ListVirtualMFADevicesOutput) error {
		for _, d := range page.VirtualMFADevices {
			// A user may be called "rootless", and a device may have any name: only the ARN tells.
			if d.User == nil || !rootOf(l.e.Account.ID, aws.ToString(d.User.Arn)) {
				continue
			}
			devices = append(devices, posture.Device{Serial: text(d.SerialNumber), Kind: posture.DeviceVirtual, Enabled: dated(d.EnableDate)})
		}
		return given(page.VirtualMFADevices, len(devices))
	}); err != nil {
		l.e.Devices = posture.Missing[[]posture.Device](posture.SourceVirtualDevices, gapOf(err))
		return
	}
	l.e.Devices = posture.Told(devices, posture.SourceVirtualDevices, l.now())
}
