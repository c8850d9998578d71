// Package posture says what is known of an AWS root user, and whether that is good.
//
// The rules are:
//   - It is pure: no clock, no network, no storage. Evidence comes in, findings go out.
//   - A fact that could not be read is a [Gap] with its reason and its fix. Nothing unknown ever passes.
//   - Whole access key ids do not leave the process by accident: a [KeyID] prints and marshals masked.
package posture

import "strings"

// AccountID is the twelve-digit id of an AWS account.
type AccountID string

// Valid reports whether the id has the form that AWS gives accounts: twelve digits.
func (id AccountID) Valid() bool {
	if len(id) != 12 {
		return false
	}
	return strings.Trim(string(id), "0123456789") == ""
}

// Role is the place of an account in its organization. It decides what AWS lets anybody else do to its root user.
type Role string

// The roles. The zero value means that the role is not known.
const (
	RoleUnknown    Role = ""
	RoleManagement Role = "management"
	RoleMember     Role = "member"
	RoleStandalone Role = "standalone"
)

// StateActive is the only account state in which a root user can be looked at. The others are
// PENDING_ACTIVATION, SUSPENDED, PENDING_CLOSURE and CLOSED.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
const StateActive = "ACTIVE"

// StateUntold is the state of an account whose inventory told none. AWS always tells one.
const StateUntold = "UNKNOWN"

// StateGap is why the root user of an account that is not known to be active was not looked at.
func StateGap(state string) Gap {
	if state == "" || state == StateUntold {
		return Gap{Reason: ReasonGarbage, Detail: "the inventory did not tell the account's state", Fix: ReasonGarbage.Fix()}
	}
	return Gap{Reason: ReasonSuspended, Detail: state}
}

// Account is one AWS account as its inventory names it. Name, Alias, Email, Unit and tags are written by whoever
// administers the account: they are untrusted text, good for showing and searching, never for authority.
type Account struct {
	ID        AccountID         `json:"id"`
	Source    string            `json:"source"` // the `aws` entry of the settings that the account came from
	Partition string            `json:"partition,omitempty"`
	Name      string            `json:"name,omitempty"`
	Alias     string            `json:"alias,omitempty"`
	Email     string            `json:"email,omitempty"` // the root user's email; empty where no API tells it
	Unit      string            `json:"unit,omitempty"`  // the path of organizational units, "/" at the root
	State     string            `json:"state,omitempty"`
	Role      Role              `json:"role,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// Label is the name a person knows the account by: its name, else its alias, else its id.
func (a Account) Label() string {
	switch {
	case a.Name != "":
		return a.Name
	case a.Alias != "":
		return a.Alias
	default:
		return string(a.ID)
	}
}
