package awssim

// The orders of the control API for tests in Go. Each returns an error when the order makes no sense: an account, key or
// policy that does not exist, or a limit of AWS that would be broken.

// Key does to a root key what its owner does in the console: "create", "activate", "deactivate" or "delete".
func (o *Organization) Key(account, keyID, do string) (KeyView, error) {
	return ordering[KeyView](o, o.orderKey, order{Account: account, KeyID: keyID, Do: do})
}

// MFA does "add" or "remove" with a root user's device of a kind: "virtual", "passkey" or "hardware".
func (o *Organization) MFA(account, kind, do string) (DeviceView, error) {
	return ordering[DeviceView](o, o.orderMFA, order{Account: account, Kind: kind, Do: do})
}

// SignIn signs in to the console as an account's root user, in us-east-1.
func (o *Organization) SignIn(account string) error {
	_, err := ordering[fields](o, o.orderSignIn, order{Account: account})
	return err
}

// Policy does "attach" or "detach" with a service control policy and an account or unit.
func (o *Organization) Policy(policyID, target, do string) error {
	_, err := ordering[fields](o, o.orderPolicy, order{PolicyID: policyID, Target: target, Do: do})
	return err
}

// Rename gives an account another name.
func (o *Organization) Rename(account, name string) error {
	_, err := ordering[AccountView](o, o.orderAccount, order{Account: account, Name: &name})
	return err
}

// Feature switches "RootCredentialsManagement", "RootSessions", trusted access of "iam.amazonaws.com" or
// "account.amazonaws.com", or the policy type "SERVICE_CONTROL_POLICY".
func (o *Organization) Feature(name string, enabled bool) error {
	_, err := ordering[fields](o, o.orderFeature, order{Feature: name, Enabled: enabled})
	return err
}

func ordering[T any](o *Organization, run func(order) (any, error), d order) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var made T
	result, err := run(d)
	if err != nil {
		return made, err
	}
	made, ok := result.(T)
	if !ok {
		return made, refuse("the order made a %T", result)
	}
	return made, nil
}
