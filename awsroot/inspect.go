package awsroot

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// The ways of looking into an account.
const (
	viaAssumeRoot = "assume-root"
	viaRole       = "role"
	viaOwn        = "own"
)

// Inspect looks into one account by the way that is open for it. It never fails: what could not be read is a gap.
func (a *Auditor) Inspect(ctx context.Context, acc posture.Account) posture.Evidence {
	e := posture.Evidence{Account: acc}
	defer func() { e.At = a.cfg.Now() }()
	r, ok := find(a.reaches, acc.Source)
	if !ok {
		return a.blind(e, posture.Gap{Reason: posture.ReasonUnknown, Fix: "Name the account's source in the settings."})
	}
	if r.src.Organization != nil {
		e.Centralized = r.remembered()
	}
	if acc.State != posture.StateActive {
		return a.blind(e, posture.Gap{Reason: posture.ReasonSuspended, Detail: acc.State})
	}
	cfg, via, err := r.way(ctx, acc)
	e.Via = via
	if err != nil {
		return a.blind(e, wayGap(via, err))
	}
	look := &look{cfg: cfg, c: iam.NewFromConfig(cfg), now: a.cfg.Now, e: &e}
	look.summary(ctx)
	if via == viaAssumeRoot {
		look.byRootSession(ctx)
	} else {
		look.byReadOnlyRole(ctx)
	}
	e.At = a.cfg.Now()
	return e
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
		cfg, err := assumeRoot(ctx, r.base, acc.ID, partition(acc), auditTask)
		return cfg, viaAssumeRoot, err
	}
	if _, own, err := r.who.get(ctx); err == nil && own == acc.ID {
		return r.base, viaOwn, nil
	}
	if o.MemberRole != "" {
		role := fmt.Sprintf("arn:%s:iam::%s:role/%s", partition(acc), acc.ID, strings.TrimPrefix(o.MemberRole, "/"))
		return assume(r.base, role, "", "rootcheck-look"), viaRole, nil
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

func wayGap(via string, err error) posture.Gap {
	if c, ok := err.(*closedWay); ok { //nolint:errorlint // It is made a few lines above and never wrapped.
		return c.gap()
	}
	g := gapOf(err)
	if via == viaRole && g.Reason == posture.ReasonDenied {
		g.Reason = posture.ReasonUnreachableRole
		g.Fix = g.Reason.Fix()
	}
	return g
}

// blind makes every fact unknown for one reason.
func (a *Auditor) blind(e posture.Evidence, g posture.Gap) posture.Evidence {
	const source = posture.SourceSummary
	e.AccessKeys, e.MFA = posture.Missing[bool](source, g), posture.Missing[bool](source, g)
	e.Certificates, e.Password = posture.Missing[bool](source, g), posture.Missing[bool](source, g)
	e.Keys, e.Devices = posture.Missing[[]posture.Key]("ListAccessKeys", g), posture.Missing[[]posture.Device]("ListMFADevices", g)
	e.CertificateList = posture.Missing[[]posture.Certificate]("ListSigningCertificates", g)
	e.SignIn, e.KeyUse = posture.Missing[posture.Use]("GetUser", g), posture.Missing[posture.Use]("GetAccessKeyLastUsed", g)
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

// summary reads the four flags of the root user. A flag that is missing from the answer is unknown, not false: older
// endpoints do not know AccountPasswordPresent.
func (l *look) summary(ctx context.Context) {
	const source = posture.SourceSummary
	out, err := l.c.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	flag := func(name string) posture.Fact[bool] {
		if err != nil {
			return posture.Missing[bool](source, roleGap(l.e.Via, err))
		}
		v, ok := out.SummaryMap[name]
		switch {
		case !ok:
			return posture.Missing[bool](source, posture.Gap{Reason: posture.ReasonNotOffered, Detail: "the answer has no " + name})
		case v < 0:
			return posture.Missing[bool](source, posture.Gap{Reason: posture.ReasonGarbage, Detail: "a negative " + name})
		default:
			return posture.Told(v > 0, source, l.now())
		}
	}
	l.e.AccessKeys, l.e.MFA = flag("AccountAccessKeysPresent"), flag("AccountMFAEnabled")
	l.e.Certificates, l.e.Password = flag("AccountSigningCertificatesPresent"), flag("AccountPasswordPresent")
}

// roleGap tells a role that cannot be assumed from one that lacks a permission.
func roleGap(via string, err error) posture.Gap {
	g := gapOf(err)
	if via == viaRole && strings.Contains(err.Error(), "AssumeRole") {
		g.Reason = posture.ReasonUnreachableRole
		g.Fix = g.Reason.Fix()
	}
	return g
}

// wants reports whether a flag says that there is something to list. An unknown flag does: then the list is what tells.
func wants(f posture.Fact[bool]) bool {
	if f.Known() {
		return f.Value
	}
	return f.Gap != nil && f.Gap.Reason == posture.ReasonNotOffered
}

// byRootSession lists what the summary says is there, with the root user's own privileged session.
func (l *look) byRootSession(ctx context.Context) {
	if l.e.AccessKeys.Gap != nil && l.e.AccessKeys.Gap.Reason != posture.ReasonNotOffered {
		l.same(*l.e.AccessKeys.Gap)
		return
	}
	l.keys(ctx)
	l.devices(ctx)
	l.certificates(ctx)
	l.signIn(ctx)
}

// same makes every list unknown for the reason for which the summary was: asking on would only be refused again.
func (l *look) same(g posture.Gap) {
	l.e.Keys, l.e.Devices = posture.Missing[[]posture.Key]("ListAccessKeys", g), posture.Missing[[]posture.Device]("ListMFADevices", g)
	l.e.CertificateList = posture.Missing[[]posture.Certificate]("ListSigningCertificates", g)
	l.e.SignIn, l.e.KeyUse = posture.Missing[posture.Use]("GetUser", g), posture.Missing[posture.Use]("GetAccessKeyLastUsed", g)
}

func (l *look) keys(ctx context.Context) {
	const source, use = "ListAccessKeys", "GetAccessKeyLastUsed"
	if !wants(l.e.AccessKeys) {
		l.e.Keys = posture.Told([]posture.Key{}, posture.SourceSummary, l.now())
		l.e.KeyUse = posture.Told(posture.Use{}, posture.SourceSummary, l.now())
		return
	}
	keys, _, err := rootKeys(ctx, l.c)
	if err != nil {
		l.e.Keys, l.e.KeyUse = posture.Missing[[]posture.Key](source, gapOf(err)), posture.Missing[posture.Use](use, gapOf(err))
		return
	}
	l.e.Keys = posture.Told(keys, source, l.now())
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
		l.e.Devices = posture.Told([]posture.Device{}, posture.SourceSummary, l.now())
		return
	}
	devices := []posture.Device{}
	pages := iam.NewListMFADevicesPaginator(l.c, &iam.ListMFADevicesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			l.e.Devices = posture.Missing[[]posture.Device](source, gapOf(err))
			return
		}
		for _, d := range page.MFADevices {
			serial := aws.ToString(d.SerialNumber)
			devices = append(devices, posture.Device{Serial: serial, Kind: posture.GradeDevice(serial), Enabled: aws.ToTime(d.EnableDate).UTC()})
		}
	}
	l.e.Devices = posture.Told(devices, source, l.now())
}

func (l *look) certificates(ctx context.Context) {
	const source = "ListSigningCertificates"
	if !wants(l.e.Certificates) {
		l.e.CertificateList = posture.Told([]posture.Certificate{}, posture.SourceSummary, l.now())
		return
	}
	out, err := l.c.ListSigningCertificates(ctx, &iam.ListSigningCertificatesInput{})
	if err != nil {
		l.e.CertificateList = posture.Missing[[]posture.Certificate](source, gapOf(err))
		return
	}
	certificates := []posture.Certificate{}
	for _, c := range out.Certificates {
		certificates = append(certificates, posture.Certificate{
			ID: aws.ToString(c.CertificateId), Status: string(c.Status), Created: aws.ToTime(c.UploadDate).UTC(),
		})
	}
	l.e.CertificateList = posture.Told(certificates, source, l.now())
}

// signIn asks GetUser for the last use of the password. Without a password there is nothing to ask; what was signed in
// before it was deleted leaves no trace that IAM would tell.
func (l *look) signIn(ctx context.Context) {
	const source = "GetUser"
	if !wants(l.e.Password) {
		l.e.SignIn = posture.Told(posture.Use{}, posture.SourceSummary, l.now())
		return
	}
	out, err := l.c.GetUser(ctx, &iam.GetUserInput{})
	switch {
	case err != nil:
		l.e.SignIn = posture.Missing[posture.Use](source, gapOf(err))
	case out.User == nil:
		l.e.SignIn = posture.Missing[posture.Use](source, posture.Gap{Reason: posture.ReasonGarbage, Detail: "an answer without a user"})
	default:
		l.e.SignIn = posture.Told(posture.Use{At: aws.ToTime(out.User.PasswordLastUsed).UTC()}, source, l.now())
	}
	if l.e.SignIn.Known() && out.User.PasswordLastUsed == nil {
		l.e.SignIn.Value = posture.Use{}
	}
}

// byReadOnlyRole adds what an ordinary role can tell: the credential report, and which MFA devices are virtual. The ids of
// root keys are out of its reach.
func (l *look) byReadOnlyRole(ctx context.Context) {
	if l.e.AccessKeys.Gap != nil && l.e.AccessKeys.Gap.Reason != posture.ReasonNotOffered {
		l.same(*l.e.AccessKeys.Gap)
		return
	}
	l.report(ctx)
	l.virtualDevices(ctx)
	notOffered := posture.Gap{Reason: posture.ReasonNotOffered, Detail: "a role cannot list the root user's certificates"}
	l.e.CertificateList = posture.Missing[[]posture.Certificate]("ListSigningCertificates", notOffered)
}

// virtualDevices finds the root user's virtual device. It says nothing about other kinds, so the list is never whole.
func (l *look) virtualDevices(ctx context.Context) {
	if !wants(l.e.MFA) {
		l.e.Devices = posture.Told([]posture.Device{}, posture.SourceSummary, l.now())
		return
	}
	devices := []posture.Device{}
	pages := iam.NewListVirtualMFADevicesPaginator(l.c, &iam.ListVirtualMFADevicesInput{AssignmentStatus: iamtypes.AssignmentStatusTypeAssigned})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			l.e.Devices = posture.Missing[[]posture.Device](posture.SourceVirtualDevices, gapOf(err))
			return
		}
		for _, d := range page.VirtualMFADevices {
			// A user may be called "rootless", and a device may have any name: only the ARN tells.
			if d.User == nil || !strings.HasSuffix(aws.ToString(d.User.Arn), ":root") {
				continue
			}
			devices = append(devices, posture.Device{Serial: aws.ToString(d.SerialNumber), Kind: posture.DeviceVirtual, Enabled: aws.ToTime(d.EnableDate).UTC()})
		}
	}
	l.e.Devices = posture.Told(devices, posture.SourceVirtualDevices, l.now())
}
