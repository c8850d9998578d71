package awssim

import "time"

// The accounts of the hand-made organization, and one that stands alone.
const (
	ManagementAccount = "111111111111" // acme-management: one active key, which nobody can deactivate from outside
	DelegatedAccount  = "222222222222" // acme-security: delegated administrator of IAM, without root credentials
	PaymentsAccount   = "333333333333" // acme-payments: one active key, just used
	DataAccount       = "444444444444" // acme-data: one active and one inactive key; a hardware token
	LegacyAccount     = "555555555555" // acme-legacy: one inactive key
	MarketingAccount  = "666666666666" // acme-marketing: a password and no MFA; its owner reads Korean
	MobileAccount     = "777777777777" // acme-mobile: one virtual MFA device
	VaultAccount      = "888888888888" // acme-vault: a hardware token, a passkey and a virtual device
	LabAccount        = "999999999999" // lab: outside the organization, two root keys that the operator holds
	PeopleAccount     = "121212121212" // acme-people: one passkey
	PartnersAccount   = "131313131313" // acme-partners: a signing certificate
	TowerAccount      = "141414141414" // acme-tower: an active key behind a policy without the AssumedRoot exemption
	ClinicAccount     = "151515151515" // acme-clinic: denies access to everybody
	SoldAccount       = "161616161616" // acme-sold: suspended
	ArchiveAccount    = "171717171717" // acme-archive: one active key, never used; nobody to be found who owns it
	StudioAccount     = "181818181818" // acme-studio: a password and no MFA; its owner is known by the OPERATIONS contact
)

// Credentials of the lab account. The first two sign as its root user, the last as a user who may only look.
//
//nolint:gosec // made up, and good for nothing outside the simulator
const (
	LabAccessKeyID       = "AKIA6RVFFB77627YQRS7"
	LabSecretAccessKey   = "simulatedLabRootSecretAccessKey000000001"
	LabOtherAccessKeyID  = "AKIA6RVFFB77QGW62KNL"
	LabOtherSecretKey    = "simulatedLabRootSecretAccessKey000000002"
	LabReadOnlyKeyID     = "AKIA6RVFFB77RLBFNZ6Y"
	LabReadOnlySecretKey = "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"
)

const (
	organizationID  = "o-acmedemo01"
	labReadOnlyUser = "lab-readonly"
)

// founded is when the organization's accounts were made; its oldest key is younger for as long as clocks are after 2024.
var founded = time.Date(2018, time.February, 5, 9, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a date, never changed

const day = 24 * time.Hour

// found builds the hand-made organization. Only what is called recent depends on the clock.
func (o *Organization) found(now time.Time) {
	now = now.UTC().Truncate(time.Second)
	o.root = &unit{id: "r-acme", name: "Root"}
	o.units[o.root.id] = o.root
	full, _ := parseDocument(fullAccessDocument)
	quarantine, _ := parseDocument(QuarantineDocument)
	denyRoot, _ := parseDocument(denyRootDocument)
	o.addPolicy(&policy{id: FullAccessPolicyID, name: "FullAWSAccess", description: "Allows access to every operation", content: fullAccessDocument, managed: true, document: full})
	o.addPolicy(&policy{id: QuarantinePolicyID, name: "rootcheck-quarantine", description: "Blocks a root user's long-term credentials", content: QuarantineDocument, document: quarantine})
	o.addPolicy(&policy{id: DenyRootPolicyID, name: "deny-root-users", description: "Denies everything to root users", content: denyRootDocument, document: denyRoot})
	o.attach(o.root.id, &o.root.policies, o.policies[FullAccessPolicyID])

	security := o.addUnit(o.root, "ou-acme-security", "Security")
	workloads := o.addUnit(o.root, "ou-acme-workload", "Workloads")
	production := o.addUnit(workloads, "ou-acme-producti", "Production")
	legacy := o.addUnit(o.root, "ou-acme-legacy00", "Legacy")

	m := o.addAccount(o.root, ManagementAccount, "acme-management", "aws-root@acme.example")
	m.management = true
	m.contacts = map[string]contact{"SECURITY": {"Olivia Owner", "olivia.owner@example.com", "+15550100", "Head of Security"}}
	m.password(now.Add(-40 * day))
	o.device(m, "virtual")
	o.oldKey(m, statusActive, 1100*day, now.Add(-9*day), "ec2", "eu-west-1")

	o.addAccount(security, DelegatedAccount, "acme-security", "aws-security@acme.example")
	o.delegated[DelegatedAccount] = true

	a := o.addAccount(production, PaymentsAccount, "acme-payments", "aws-payments@acme.example")
	a.alias, a.tags = "acme-payments", []tag{{"owner", "olivia.owner@example.com"}, {"cost-center", "4711"}}
	a.password(now.Add(-200 * day))
	o.device(a, "virtual")
	o.oldKey(a, statusActive, 900*day, now.Add(-12*time.Minute), "s3", "us-east-1")

	a = o.addAccount(production, DataAccount, "acme-data", "ana.silva@example.com")
	a.alias = "acme-data"
	a.password(time.Time{})
	o.device(a, "hardware")
	o.oldKey(a, statusActive, 700*day, now.Add(-33*day), "dynamodb", "eu-central-1")
	o.oldKey(a, statusInactive, 1400*day, now.Add(-410*day), "iam", "us-east-1")

	a = o.addAccount(legacy, LegacyAccount, "acme-legacy", "aws-legacy@acme.example")
	a.contacts = map[string]contact{"SECURITY": {"Ben Okafor", "ben.okafor@example.com", "+15550101", "Engineer"}}
	a.password(time.Time{})
	o.device(a, "virtual")
	o.device(a, "passkey")
	o.oldKey(a, statusInactive, 1800*day, now.Add(-900*day), "s3", "us-west-2")

	a = o.addAccount(workloads, MarketingAccount, "acme-marketing", "minjun.kim@example.com")
	a.user = "rootless"
	a.password(now.Add(-3 * day))
	o.foundMore(production, workloads, legacy, now)
	o.foundLab(now)
}

func (o *Organization) foundMore(production, workloads, legacy *unit, now time.Time) {
	a := o.addAccount(workloads, MobileAccount, "acme-mobile", "aws-mobile@acme.example")
	a.tags = []tag{{"owner", "yuna.cho@example.com"}}
	a.password(time.Time{})
	o.device(a, "virtual")

	a = o.addAccount(production, VaultAccount, "acme-vault", "aws-vault@acme.example")
	a.tags = []tag{{"owner", "U061F7AUR"}}
	a.password(time.Time{})
	o.device(a, "hardware")
	o.device(a, "passkey")
	o.device(a, "virtual")

	a = o.addAccount(workloads, PeopleAccount, "acme-people", "ben.okafor@example.com")
	a.password(time.Time{})
	o.device(a, "passkey")

	a = o.addAccount(legacy, PartnersAccount, "acme-partners", "aws-partners@acme.example")
	a.tags = []tag{{"owner", "ana.silva@example.com"}}
	a.password(time.Time{})
	o.device(a, "passkey")
	o.device(a, "hardware")
	a.root.certificates = []certificate{{id: "4TUPAEHGYKD2VSIPLE5NMRQ3XWCBZ7FJ", uploaded: founded.Add(30 * day)}}

	a = o.addAccount(legacy, TowerAccount, "acme-tower", "aws-tower@acme.example")
	o.attach(a.id, &a.policies, o.policies[DenyRootPolicyID])
	a.password(time.Time{})
	o.oldKey(a, statusActive, 800*day, now.Add(-500*day), "cloudformation", "us-east-1")

	a = o.addAccount(legacy, ClinicAccount, "acme-clinic", "aws-clinic@acme.example")
	a.denies = true
	a.password(time.Time{})

	a = o.addAccount(legacy, SoldAccount, "acme-sold", "aws-sold@acme.example")
	a.state = stateSuspended
	a.password(time.Time{})

	a = o.addAccount(legacy, ArchiveAccount, "acme-archive", "archive-2019@acme.example")
	a.password(time.Time{})
	o.device(a, "hardware")
	o.device(a, "passkey")
	o.oldKey(a, statusActive, 2100*day, time.Time{}, "", "")

	a = o.addAccount(workloads, StudioAccount, "acme-studio", "aws-studio@acme.example")
	a.contacts = map[string]contact{"OPERATIONS": {"Yuna Cho", "yuna.cho@example.com", "+15550102", "Operations"}}
	a.password(time.Time{})

	for _, clean := range []struct{ id, name string }{
		{"191919191919", "acme-network"},
		{"202020202020", "acme-logs"},
		{"212121212121", "acme-staging"},
		{"232323232323", "acme-sandbox"},
		{"242424242424", "acme-shared"},
		{"252525252525", "acme-research"},
	} {
		o.addAccount(production, clean.id, clean.name, clean.name+"@acme.example")
	}
}

func (o *Organization) foundLab(now time.Time) {
	a := &account{id: LabAccount, name: "lab", email: "ben.okafor@example.com", state: stateActive, created: founded, alias: "acme-lab"}
	a.contacts = map[string]contact{"SECURITY": {"Ben Okafor", "ben.okafor@example.com", "+15550101", "Engineer"}}
	o.accounts[a.id] = a
	a.password(now.Add(-20 * day))
	o.device(a, "virtual")
	for i, k := range []struct{ id, secret string }{{LabAccessKeyID, LabSecretAccessKey}, {LabOtherAccessKeyID, LabOtherSecretKey}} {
		created := now.Add(-time.Duration(i*300+100) * day)
		added := &key{id: k.id, secret: k.secret, account: a, created: created}
		added.become(statusActive, created)
		if i == 1 {
			added.used, added.usedService, added.usedRegion = now.Add(-120*day), "s3", "us-east-1"
		}
		a.root.keys = append(a.root.keys, added)
		o.keys[k.id] = added
	}
}

func (o *Organization) addUnit(parent *unit, id, name string) *unit {
	u := &unit{id: id, name: name, parent: parent}
	parent.units = append(parent.units, u)
	o.units[id] = u
	o.attach(id, &u.policies, o.policies[FullAccessPolicyID])
	return u
}

func (o *Organization) addAccount(parent *unit, id, name, email string) *account {
	a := &account{id: id, name: name, email: email, state: stateActive, created: founded, member: true, parent: parent}
	parent.accounts = append(parent.accounts, a)
	o.accounts[id] = a
	o.members = append(o.members, a)
	o.attach(id, &a.policies, o.policies[FullAccessPolicyID])
	return a
}

// password gives the root user a password that was last used then; a zero time is never.
func (a *account) password(used time.Time) {
	a.root.password, a.root.passwordChanged, a.root.passwordUsed = true, a.created.Add(day), used
}

// oldKey gives the root user a key of that age, of which everybody knows.
func (o *Organization) oldKey(a *account, status string, age time.Duration, used time.Time, service, region string) {
	id := o.mintID("AKIA", a.id)
	created := o.now().Add(-age)
	k := &key{id: id, secret: o.secretFor(id), account: a, created: created, used: used, usedService: service, usedRegion: region}
	k.become(status, created)
	a.root.keys = append(a.root.keys, k)
	o.keys[id] = k
}
