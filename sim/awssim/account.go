package awssim

import (
	"slices"
	"strings"
	"time"
)

// The states of an account that the simulator uses, by the names of Organizations.
const (
	stateActive    = "ACTIVE"
	stateSuspended = "SUSPENDED"
)

// Key statuses on the wire. A key that is gone has no status.
const (
	statusActive   = "Active"
	statusInactive = "Inactive"
	statusGone     = ""
)

// keysPerUser is how many access keys one user may have, inactive ones included
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html). Eight is the limit for MFA devices.
const (
	keysPerUser    = 2
	devicesPerUser = 8
)

type account struct {
	id, name, email, alias string
	state                  string
	created                time.Time
	management, member     bool
	denies                 bool // nobody may assume anything in it
	parent                 *unit
	policies               []string // attached to the account itself
	tags                   []tag
	contacts               map[string]contact // by type
	root                   rootUser
	user                   string // an ordinary IAM user with a virtual MFA device; empty for none
	report                 report
	trail                  []event
}

type tag struct{ key, value string }

type contact struct{ name, email, phone, title string }

type rootUser struct {
	password        bool
	passwordChanged time.Time
	passwordUsed    time.Time // zero is never
	keys            []*key
	devices         []device
	certificates    []certificate
}

type device struct {
	serial  string
	enabled time.Time
}

type certificate struct {
	id       string
	uploaded time.Time
}

// unit is an organizational unit, or the root of the tree when it has no parent.
type unit struct {
	id, name string
	parent   *unit
	units    []*unit
	accounts []*account
	policies []string
}

func (a *account) rootARN() string { return "arn:aws:iam::" + a.id + ":root" }

func (a *account) arn() string {
	if !a.member {
		return "arn:aws:organizations::" + a.id + ":account/" + a.id
	}
	return "arn:aws:organizations::" + ManagementAccount + ":account/" + organizationID + "/" + a.id
}

func (u *unit) arn() string {
	kind := "ou"
	if u.parent == nil {
		kind = "root"
	}
	return "arn:aws:organizations::" + ManagementAccount + ":" + kind + "/" + organizationID + "/" + u.id
}

// path is the place in the tree as Organizations writes it: o-…/r-…/ou-…/.
func (u *unit) path() string {
	if u.parent == nil {
		return organizationID + "/" + u.id + "/"
	}
	return u.parent.path() + u.id + "/"
}

// kind tells a device by its serial number, as a client has to.
func (d device) kind() string {
	switch {
	case strings.Contains(d.serial, ":mfa/"):
		return "virtual"
	case strings.Contains(d.serial, ":u2f/"):
		return "passkey"
	default:
		return "hardware"
	}
}

// key is a root user's access key, with what it was at each time: readers and signers see a change late.
type key struct {
	id, secret  string
	account     *account
	created     time.Time
	used        time.Time // zero is never
	usedService string
	usedRegion  string
	history     []keyState // oldest first, never empty
}

type keyState struct {
	from   time.Time
	status string
}

// latest is what the key is, whether or not readers can see it yet.
func (k *key) latest() string { return k.history[len(k.history)-1].status }

// at is what readers and signers see at that time.
func (k *key) at(t time.Time) string {
	for _, s := range slices.Backward(k.history) {
		if !s.from.After(t) {
			return s.status
		}
	}
	return statusGone
}

// become makes the key something else, seen from then on.
func (k *key) become(status string, seen time.Time) {
	k.history = append(k.history, keyState{from: seen, status: status})
}

// visibleKeys are the keys that a reader is shown at that time.
func (r *rootUser) visibleKeys(t time.Time) []*key {
	var keys []*key
	for _, k := range r.keys {
		if k.at(t) != statusGone {
			keys = append(keys, k)
		}
	}
	return keys
}

// latestKeys are the keys that really exist.
func (r *rootUser) latestKeys() []*key {
	var keys []*key
	for _, k := range r.keys {
		if k.latest() != statusGone {
			keys = append(keys, k)
		}
	}
	return keys
}

// key returns the root key with that id if it really exists.
func (a *account) key(id string) (*key, bool) {
	for _, k := range a.root.latestKeys() {
		if k.id == id {
			return k, true
		}
	}
	return nil, false
}

// setKey changes what a key is; readers see it when the change has spread.
func (o *Organization) setKey(k *key, status string) {
	k.become(status, o.now().Add(o.config.Consistency))
}

// createKey gives the root user one more key, which signs and is seen when the change has spread.
func (o *Organization) createKey(a *account) *key {
	id := o.mintID("AKIA", a.id)
	now := o.now()
	k := &key{id: id, secret: o.secretFor(id), account: a, created: now}
	k.become(statusActive, now.Add(o.config.Consistency))
	a.root.keys = append(a.root.keys, k)
	o.keys[id] = k
	return k
}
