package awssim

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// AccountView is an account as the control API shows it: what is so, whether or not AWS's readers can see it yet.
type AccountView struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Email       string            `json:"email"`
	Alias       string            `json:"alias,omitempty"`
	State       string            `json:"state"`
	Management  bool              `json:"management"`
	Member      bool              `json:"member"`
	Denies      bool              `json:"denies"`
	Unit        string            `json:"unit"` // names from the root down, "Workloads/Production"
	Tags        map[string]string `json:"tags"`
	Contacts    map[string]string `json:"contacts"` // email by type
	Policies    []string          `json:"policies"` // attached to the account itself
	Quarantined bool              `json:"quarantined"`
	Blocked     bool              `json:"blocked"` // a policy denies the root user's own credentials
	Root        RootView          `json:"root"`
}

// RootView is an account's root user.
type RootView struct {
	Password     bool         `json:"password"`
	PasswordUsed *time.Time   `json:"password_last_used"`
	MFA          []DeviceView `json:"mfa"`
	Keys         []KeyView    `json:"keys"`
	Certificates []string     `json:"certificates"`
}

// DeviceView is an MFA device of a root user; Kind is virtual, passkey or hardware.
type DeviceView struct {
	Serial  string    `json:"serial"`
	Kind    string    `json:"kind"`
	Enabled time.Time `json:"enabled"`
}

// KeyView is an access key of a root user.
type KeyView struct {
	ID          string     `json:"id"`
	Status      string     `json:"status"`         // Active, Inactive, or Deleted in the answer to its deletion
	Visible     string     `json:"visible_status"` // what AWS's readers see now; empty is nothing
	Created     time.Time  `json:"created"`
	LastUsed    *time.Time `json:"last_used"` // null is never
	LastService string     `json:"last_used_service,omitempty"`
	LastRegion  string     `json:"last_used_region,omitempty"`
}

// Account returns an account by its id, and false when there is none.
func (o *Organization) Account(id string) (AccountView, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expireFaults(o.now())
	a, ok := o.accounts[id]
	if !ok {
		return AccountView{}, false
	}
	return o.view(a), true
}

// Accounts returns the ids of all accounts: those of the organization in the order of ListAccounts, then those outside,
// the lab's first.
func (o *Organization) Accounts() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := make([]string, 0, len(o.accounts))
	for _, a := range o.members {
		ids = append(ids, a.id)
	}
	ids = append(ids, LabAccount)
	if len(o.accounts) > len(ids) {
		outside := []string{}
		for id, a := range o.accounts {
			if !a.member && id != LabAccount {
				outside = append(outside, id)
			}
		}
		slices.Sort(outside)
		ids = append(ids, outside...)
	}
	return ids
}

func (o *Organization) view(a *account) AccountView {
	v := AccountView{
		ID: a.id, Name: a.name, Email: a.email, Alias: a.alias, State: a.state, Management: a.management, Member: a.member, Denies: a.denies,
		Tags: map[string]string{}, Contacts: map[string]string{}, Policies: append([]string{}, a.policies...),
		Quarantined: a.quarantined(), Blocked: o.blocked(a),
		Root: RootView{
			Password: a.root.password, PasswordUsed: optional(a.root.passwordUsed),
			MFA: []DeviceView{}, Keys: []KeyView{}, Certificates: []string{},
		},
	}
	for u := a.parent; u != nil && u.parent != nil; u = u.parent {
		if v.Unit != "" {
			v.Unit = "/" + v.Unit
		}
		v.Unit = u.name + v.Unit
	}
	for _, t := range a.tags {
		v.Tags[t.key] = t.value
	}
	for kind, c := range a.contacts {
		v.Contacts[kind] = c.email
	}
	for _, d := range a.root.devices {
		v.Root.MFA = append(v.Root.MFA, DeviceView{Serial: d.serial, Kind: d.kind(), Enabled: d.enabled})
	}
	for _, k := range a.root.latestKeys() {
		v.Root.Keys = append(v.Root.Keys, o.keyView(k))
	}
	for _, c := range a.root.certificates {
		v.Root.Certificates = append(v.Root.Certificates, c.id)
	}
	return v
}

func (o *Organization) keyView(k *key) KeyView {
	v := KeyView{
		ID: k.id, Status: k.latest(), Visible: k.at(o.now()), Created: k.created, LastUsed: optional(k.used),
		LastService: k.usedService, LastRegion: k.usedRegion,
	}
	if v.Status == statusGone {
		v.Status = "Deleted"
	}
	return v
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// getState shows the organization and its accounts. In a large one "limit" and "offset" page through them, "next" in
// the answer being the next offset; "account" shows one.
func (o *Organization) getState(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	ids := o.Accounts()
	total := len(ids)
	if id := query.Get("account"); id != "" {
		ids = []string{id}
	}
	offset, limit := 0, len(ids)
	for name, to := range map[string]*int{"offset": &offset, "limit": &limit} {
		if query.Get(name) == "" {
			continue
		}
		n, err := strconv.Atoi(query.Get(name))
		if err != nil || n < 0 {
			respond(w, http.StatusBadRequest, fields{"error": name + " is not a number"})
			return
		}
		*to = min(n, len(ids))
	}
	end := min(offset+limit, len(ids))
	accounts := make([]AccountView, 0, end-offset)
	for _, id := range ids[offset:end] {
		if v, ok := o.Account(id); ok {
			accounts = append(accounts, v)
		}
	}
	state := fields{"clock": o.now(), "organization": o.overview(), "accounts": accounts, "total": total, "next": nil}
	if end < len(ids) {
		state["next"] = end
	}
	respond(w, http.StatusOK, state)
}

func (o *Organization) overview() fields {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expireFaults(o.now())
	policies := make([]fields, 0, len(o.policyIDs))
	for _, id := range o.policyIDs {
		policies = append(policies, fields{"id": id, "name": o.policies[id].name, "targets": len(o.policies[id].targets)})
	}
	faults := make([]fields, 0, len(o.faults))
	for _, f := range o.faults {
		faults = append(faults, fields{"id": f.id, "kind": f.Kind, "account": f.Account, "action": f.Action, "hits": f.hits, "until": optional(f.until)})
	}
	return fields{
		"id": organizationID, "management_account": ManagementAccount, "accounts": len(o.members), "quarantine_policy": QuarantinePolicyID,
		"features": maps.Clone(o.features), "trusted_access": maps.Clone(o.trusted), "service_control_policies": o.scps, "policies": policies, "faults": faults,
	}
}
