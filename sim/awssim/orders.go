package awssim

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Use is what came of a request that somebody signed with a root key.
type Use struct {
	KeyID    string     `json:"key_id"`
	Account  string     `json:"account"`
	Denied   bool       `json:"denied"`
	Because  string     `json:"because,omitempty"` // the error that the signer got
	Counted  bool       `json:"counted"`           // whether the key's last use moved
	LastUsed *time.Time `json:"last_used"`         // null is never
}

// UseKey signs a request with a root key, as somebody outside would. A key that is inactive or gone is not used. Under a
// service control policy the request is denied; whether AWS counts such a denied request as a use is not documented, so
// countDenied says.
func (o *Organization) UseKey(keyID string, countDenied bool) (Use, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.use(keyID, "s3", "us-east-1", countDenied)
}

func (o *Organization) use(keyID, service, region string, countDenied bool) (Use, error) {
	k, ok := o.keys[keyID]
	if !ok {
		return Use{}, refuse("no key %q", keyID)
	}
	now, u := o.now(), Use{KeyID: keyID, Account: k.account.id}
	record := map[string]any{
		"eventType": "AwsApiCall", "eventSource": service + ".amazonaws.com", "eventName": "ListBuckets", "sourceIPAddress": "192.0.2.30",
		"userIdentity": map[string]any{"type": "Root", "principalId": u.Account, "arn": k.account.rootARN(), "accountId": u.Account, "accessKeyId": keyID},
	}
	switch {
	case k.at(now) != statusActive || k.account.state != stateActive:
		u.Denied, u.Because = true, "InvalidClientTokenId"
	case o.blocked(k.account):
		u.Denied, u.Because, u.Counted = true, "AccessDenied", countDenied
		record["errorCode"] = "AccessDenied"
	default:
		u.Counted = true
	}
	if u.Counted {
		k.used, k.usedService, k.usedRegion = now, service, region
	}
	if u.Because != "InvalidClientTokenId" {
		o.record(k.account, event{name: "ListBuckets", source: service + ".amazonaws.com", region: region, at: now, username: "root", keyID: keyID, readOnly: true}, record)
	}
	u.LastUsed = optional(k.used)
	return u, nil
}

func (o *Organization) orderUse(d order) (any, error) {
	return o.use(d.KeyID, cmp.Or(d.Service, "s3"), cmp.Or(d.Region, "us-east-1"), d.CountDenied)
}

// orderKey does to a key what the owner does in the console; it spreads as slowly as any change.
func (o *Organization) orderKey(d order) (any, error) {
	a, err := o.ordered(d)
	if err != nil {
		return nil, err
	}
	if d.Do == "create" {
		if len(a.root.latestKeys()) >= keysPerUser {
			return nil, refuse("account %s has %d keys already", a.id, keysPerUser)
		}
		return o.keyView(o.createKey(a)), nil
	}
	k, ok := a.key(d.KeyID)
	if !ok {
		return nil, refuse("account %s has no key %q", a.id, d.KeyID)
	}
	status, ok := map[string]string{"activate": statusActive, "deactivate": statusInactive, "delete": statusGone}[d.Do]
	if !ok {
		return nil, refuse("do %q: want create, activate, deactivate or delete", d.Do)
	}
	o.setKey(k, status)
	return o.keyView(k), nil
}

func (o *Organization) orderMFA(d order) (any, error) {
	a, err := o.ordered(d)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"virtual", "passkey", "hardware"}, d.Kind) && d.Serial == "" {
		return nil, refuse("kind %q: want virtual, passkey or hardware", d.Kind)
	}
	switch d.Do {
	case "add":
		if len(a.root.devices) >= devicesPerUser {
			return nil, refuse("account %s has %d devices already", a.id, devicesPerUser)
		}
		added := o.device(a, d.Kind)
		a.root.devices[len(a.root.devices)-1].enabled = o.now()
		return DeviceView{Serial: added.serial, Kind: added.kind(), Enabled: o.now()}, nil
	case "remove":
		for _, e := range a.root.devices {
			if e.serial == d.Serial || d.Serial == "" && e.kind() == d.Kind {
				remove(&a.root.devices, func(x device) bool { return x.serial == e.serial })
				return DeviceView{Serial: e.serial, Kind: e.kind(), Enabled: e.enabled}, nil
			}
		}
		return nil, refuse("account %s has no such device", a.id)
	default:
		return nil, refuse("do %q: want add or remove", d.Do)
	}
}

// orderSignIn signs in to the console as root. A service control policy does not keep anybody from signing in; it denies
// what is done afterwards.
func (o *Organization) orderSignIn(d order) (any, error) {
	a, err := o.ordered(d)
	if err != nil {
		return nil, err
	}
	if !a.root.password || a.state != stateActive {
		return nil, refuse("the root user of %s cannot sign in", a.id)
	}
	a.root.passwordUsed = o.now()
	o.recordSignIn(a, cmp.Or(d.Region, "us-east-1"), d.MFA || len(a.root.devices) > 0)
	return fields{"account": a.id, "at": a.root.passwordUsed, "mfa": d.MFA || len(a.root.devices) > 0, "blocked": o.blocked(a)}, nil
}

func (o *Organization) orderPassword(d order) (any, error) {
	a, err := o.ordered(d)
	if err != nil {
		return nil, err
	}
	if d.Do != "set" && d.Do != "remove" {
		return nil, refuse("do %q: want set or remove", d.Do)
	}
	a.root.password, a.root.passwordChanged = d.Do == "set", o.now()
	return o.view(a), nil
}

func (o *Organization) orderCertificate(d order) (any, error) {
	a, err := o.ordered(d)
	if err != nil {
		return nil, err
	}
	switch d.Do {
	case "add":
		a.root.certificates = append(a.root.certificates, certificate{id: "CERT" + o.mintID("", a.id), uploaded: o.now()})
	case "remove":
		a.root.certificates = nil
	default:
		return nil, refuse("do %q: want add or remove", d.Do)
	}
	return o.view(a), nil
}

// orderPolicy attaches or detaches a policy behind everybody's back, or rewrites one.
func (o *Organization) orderPolicy(d order) (any, error) {
	p, ok := o.policies[d.PolicyID]
	if !ok {
		return nil, refuse("no policy %q", d.PolicyID)
	}
	if d.Do == "write" {
		written, err := parseDocument(d.Content)
		if err != nil {
			return nil, refuse("the content is no policy: %v", err)
		}
		p.content, p.document = d.Content, written
		return fields{"policy_id": p.id, "content": p.content}, nil
	}
	target := cmp.Or(d.Target, d.Account)
	ids, ok := o.attached(target)
	if !ok {
		return nil, refuse("no account or unit %q", target)
	}
	switch has := slices.Contains(*ids, p.id); {
	case d.Do == "attach" && !has:
		o.attach(target, ids, p)
	case d.Do == "detach" && has:
		o.detach(target, ids, p)
	case d.Do != "attach" && d.Do != "detach":
		return nil, refuse("do %q: want attach, detach or write", d.Do)
	}
	return fields{"policy_id": p.id, "target": target, "attached": *ids}, nil
}

// orderAccount renames, suspends, … an account, or has it join or leave the organization.
func (o *Organization) orderAccount(d order) (any, error) {
	if d.Do == "join" {
		return o.join(d)
	}
	a, err := o.ordered(d)
	if err != nil {
		return nil, err
	}
	switch d.Do {
	case "":
	case "leave":
		return o.leave(a)
	case "move":
		return o.move(a, d.Target)
	default:
		return nil, refuse("do %q: want join, leave, move or nothing", d.Do)
	}
	for to, value := range map[*string]*string{&a.name: d.Name, &a.email: d.Email, &a.alias: d.Alias, &a.state: d.State} {
		if value != nil {
			*to = *value
		}
	}
	if d.Denies != nil {
		a.denies = *d.Denies
	}
	return o.view(a), nil
}

// join makes an account in the organization, without root credentials.
func (o *Organization) join(d order) (any, error) {
	if _, exists := o.accounts[d.Account]; exists || len(d.Account) != 12 || strings.Trim(d.Account, "0123456789") != "" {
		return nil, refuse("account %q is taken or is not twelve digits", d.Account)
	}
	name, email := "account "+d.Account, d.Account+"@acme.example"
	if d.Name != nil {
		name = *d.Name
	}
	if d.Email != nil {
		email = *d.Email
	}
	a := o.addAccount(o.root, d.Account, name, email)
	a.created = o.now()
	return o.view(a), nil
}

// move takes an account to another unit, or to the root.
func (o *Organization) move(a *account, target string) (any, error) {
	to, ok := o.units[target]
	if !ok || !a.member {
		return nil, refuse("account %s cannot move to %q", a.id, target)
	}
	remove(&a.parent.accounts, func(b *account) bool { return a == b })
	a.parent = to
	to.accounts = append(to.accounts, a)
	return o.view(a), nil
}

// leave takes an account out of the organization, which goes on as an account of its own.
func (o *Organization) leave(a *account) (any, error) {
	if !a.member || a.management {
		return nil, refuse("account %s cannot leave", a.id)
	}
	for _, id := range slices.Clone(a.policies) {
		o.detach(a.id, &a.policies, o.policies[id])
	}
	same := func(b *account) bool { return a == b }
	remove(&o.members, same)
	remove(&a.parent.accounts, same)
	delete(o.delegated, a.id)
	a.member, a.parent = false, nil
	return o.view(a), nil
}

func (o *Organization) orderTag(d order) (any, error) {
	a, err := o.ordered(d)
	if err != nil {
		return nil, err
	}
	if d.Key == "" {
		return nil, refuse("a tag needs a key")
	}
	remove(&a.tags, func(t tag) bool { return t.key == d.Key })
	if d.Value != nil {
		a.tags = append(a.tags, tag{d.Key, *d.Value})
	}
	return o.view(a), nil
}

func (o *Organization) orderContact(d order) (any, error) {
	a, err := o.ordered(d)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"SECURITY", "OPERATIONS", "BILLING"}, d.Type) {
		return nil, refuse("type %q: want SECURITY, OPERATIONS or BILLING", d.Type)
	}
	if a.contacts == nil {
		a.contacts = map[string]contact{}
	}
	delete(a.contacts, d.Type)
	if d.Email != nil {
		c := contact{email: *d.Email, phone: "+15550199", title: "Contact"}
		if d.Name != nil {
			c.name = *d.Name
		}
		a.contacts[d.Type] = c
	}
	return o.view(a), nil
}

// orderFeature switches a feature of centralized root access, trusted access of a service, or the policy type.
func (o *Organization) orderFeature(d order) (any, error) {
	switch d.Feature {
	case featureCredentials, featureSessions:
		o.features[d.Feature] = d.Enabled
	case "iam.amazonaws.com", "account.amazonaws.com":
		o.trusted[d.Feature] = d.Enabled
	case scpType:
		o.scps = d.Enabled
	default:
		return nil, refuse("no feature %q", d.Feature)
	}
	return fields{"feature": d.Feature, "enabled": d.Enabled}, nil
}
