package awssim

import (
	"net/http"
	"slices"
	"strconv"
)

func iamOperations() map[string]operation {
	return map[string]operation{
		"ListAccessKeys":          {query: listAccessKeys, resource: userResource},
		"GetAccessKeyLastUsed":    {query: getAccessKeyLastUsed, resource: keyResource},
		"UpdateAccessKey":         {query: updateAccessKey, resource: userResource, bare: true},
		"DeleteAccessKey":         {query: deleteAccessKey, resource: userResource, bare: true},
		"CreateAccessKey":         {query: createAccessKey, resource: userResource},
		"GetUser":                 {query: getUser, resource: userResource},
		"GetAccountSummary":       {query: getAccountSummary},
		"ListAccountAliases":      {query: listAccountAliases},
		"GetLoginProfile":         {query: getLoginProfile, resource: userResource},
		"CreateLoginProfile":      {query: createLoginProfile, resource: userResource},
		"DeleteLoginProfile":      {query: deleteLoginProfile, resource: userResource, bare: true},
		"ListMFADevices":          {query: listMFADevices, resource: userResource},
		"ListVirtualMFADevices":   {query: listVirtualMFADevices},
		"GetMFADevice":            {query: getMFADevice, resource: userResource},
		"DeactivateMFADevice":     {query: deactivateMFADevice, resource: userResource, bare: true},
		"DeleteVirtualMFADevice":  {query: deleteVirtualMFADevice, resource: func(c *call) string { return c.str("SerialNumber") }, bare: true},
		"ListSigningCertificates": {query: listSigningCertificates, resource: userResource},
		"DeleteSigningCertificate": {
			query: deleteSigningCertificate, resource: userResource, bare: true,
		},
		"GenerateCredentialReport":                     {query: generateCredentialReport},
		"GetCredentialReport":                          {query: getCredentialReport},
		"ListOrganizationsFeatures":                    {query: listOrganizationsFeatures},
		"EnableOrganizationsRootCredentialsManagement": {query: enableFeature(featureCredentials)},
		"EnableOrganizationsRootSessions":              {query: enableFeature(featureSessions)},
		"DisableOrganizationsRootCredentialsManagement": {
			query: disableFeature(featureCredentials),
		},
		"DisableOrganizationsRootSessions": {query: disableFeature(featureSessions)},
	}
}

// userResource is the user that a call is about: the one it names, or the one who signed.
func userResource(c *call) string {
	if name := c.str("UserName"); name != "" {
		return "arn:aws:iam::" + c.account.id + ":user/" + name
	}
	if c.isRoot() {
		return c.account.rootARN()
	}
	return c.arn()
}

// keyResource is the owner of the key that a call asks about.
func keyResource(c *call) string {
	if k, ok := c.o.keys[c.str("AccessKeyId")]; ok && k.account == c.account {
		return c.account.rootARN()
	}
	return "arn:aws:iam::" + c.account.id + ":user/unknown"
}

// rootOnly lets a call through that is about the root user: one that a root user signed and that names no user. Of
// other users the simulator knows nothing but the caller's own name; that caller's own things are never the root user's.
func rootOnly(c *call) error {
	name := c.str("UserName")
	switch {
	case name == "" && c.isRoot():
		return nil
	case name == "" && c.kind == roleSession:
		return errValidation("Must specify userName when calling with non-User credentials")
	case name == "" || name == c.name && c.kind == userKey || name == c.account.user && name != "":
		return errOther
	default:
		return errNoSuchEntity("The user with name %s cannot be found.", name)
	}
}

// errOther says that a call is about an IAM user who exists, which is nobody's business here: lists are empty, and what
// is looked for does not exist.
var errOther = errNoSuchEntity("The entity cannot be found.")

// about runs a call on the root user, and answers with nothing when it is about another user who exists.
func about(c *call, empty []element, run func(*account) ([]element, error)) ([]element, error) {
	if err := rootOnly(c); err == errOther && empty != nil { //nolint:errorlint // never wrapped
		return empty, nil
	} else if err != nil {
		return nil, err
	}
	return run(c.account)
}

func listAccessKeys(c *call) ([]element, error) {
	none := []element{list("AccessKeyMetadata"), truth("IsTruncated", false)}
	if c.kind == userKey && c.str("UserName") == "" {
		own := []element{text("UserName", c.name), text("AccessKeyId", c.keyID), text("Status", statusActive), moment("CreateDate", c.account.created)}
		none = []element{list("AccessKeyMetadata", own), truth("IsTruncated", false)}
	}
	return about(c, none, func(a *account) ([]element, error) {
		now := c.o.now()
		size, ok := c.number("MaxItems", 100)
		if !ok || size < 1 {
			return nil, errValidation("MaxItems must be at least 1")
		}
		keys, next, ok := page(a.root.visibleKeys(now), c.str("Marker"), size)
		if !ok {
			return nil, errValidation("Invalid Marker")
		}
		var items [][]element
		for _, k := range keys {
			items = append(items, []element{text("AccessKeyId", k.id), text("Status", k.at(now)), moment("CreateDate", k.created)})
		}
		result := []element{list("AccessKeyMetadata", items...), truth("IsTruncated", next != "")}
		if next != "" {
			result = append(result, text("Marker", next))
		}
		return result, nil
	})
}

// getAccessKeyLastUsed answers a root user about the root user's keys. Whether an ordinary role may ask about one is not
// documented; it is denied here, so that nothing comes to rely on it.
func getAccessKeyLastUsed(c *call) ([]element, error) {
	k, ok := c.o.keys[c.str("AccessKeyId")]
	if !ok || !c.isRoot() || k.account != c.account || k.at(c.o.now()) == statusGone {
		return nil, deniedBecause(c.principal, "iam:GetAccessKeyLastUsed", "access key "+c.str("AccessKeyId"), "")
	}
	used := []element{text("Region", "N/A"), text("ServiceName", "N/A")}
	if !k.used.IsZero() {
		used = []element{moment("LastUsedDate", k.used), text("Region", k.usedRegion), text("ServiceName", k.usedService)}
	}
	return []element{group("AccessKeyLastUsed", used...)}, nil
}

// ownKey is the root key that a call names, if it really exists.
func ownKey(c *call, a *account) (*key, error) {
	k, ok := a.key(c.str("AccessKeyId"))
	if !ok {
		return nil, errNoSuchEntity("The Access Key with id %s cannot be found.", c.str("AccessKeyId"))
	}
	return k, nil
}

func updateAccessKey(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		status := c.str("Status")
		if status != statusActive && status != statusInactive {
			return nil, errValidation("1 validation error detected: Value '%s' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive, Expired]", status)
		}
		k, err := ownKey(c, a)
		if err != nil {
			return nil, err
		}
		if k.latest() != status {
			c.o.setKey(k, status)
			c.effect = true
		}
		return nil, nil
	})
}

func deleteAccessKey(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		k, err := ownKey(c, a)
		if err != nil {
			return nil, err
		}
		c.o.setKey(k, statusGone)
		c.effect = true
		return nil, nil
	})
}

func createAccessKey(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		if len(a.root.latestKeys()) >= keysPerUser {
			return nil, fail("LimitExceeded", http.StatusConflict, "Cannot exceed quota for AccessKeysPerUser: %d", keysPerUser)
		}
		k := c.o.createKey(a)
		c.effect = true
		return []element{group("AccessKey",
			text("UserName", ""), text("AccessKeyId", k.id), text("Status", statusActive),
			text("SecretAccessKey", k.secret), moment("CreateDate", k.created))}, nil
	})
}

// getUser answers about the root user without a UserName, as AWS does in a root session: whoever feeds one back fails.
func getUser(c *call) ([]element, error) {
	if rootOnly(c) == errOther { //nolint:errorlint // never wrapped
		name := c.str("UserName")
		if name == "" {
			name = c.name
		}
		return []element{group("User",
			text("Path", "/"), text("UserName", name), text("UserId", "AIDAQQQQ"+c.account.id),
			text("Arn", "arn:aws:iam::"+c.account.id+":user/"+name), moment("CreateDate", c.account.created))}, nil
	}
	return about(c, nil, func(a *account) ([]element, error) {
		user := []element{text("Path", "/"), text("UserId", a.id), text("Arn", a.rootARN()), moment("CreateDate", a.created)}
		if !a.root.passwordUsed.IsZero() {
			user = append(user, moment("PasswordLastUsed", a.root.passwordUsed))
		}
		return []element{group("User", user...)}, nil
	})
}

// getAccountSummary counts nothing about the root user: its four entries are flags, and an inactive key is a key.
func getAccountSummary(c *call) ([]element, error) {
	r := &c.account.root
	entries := []struct {
		name  string
		value int
	}{
		{"AccountAccessKeysPresent", flag(len(r.visibleKeys(c.o.now())) > 0)},
		{"AccountMFAEnabled", flag(len(r.devices) > 0)},
		{"AccountPasswordPresent", flag(r.password)},
		{"AccountSigningCertificatesPresent", flag(len(r.certificates) > 0)},
		{"AccessKeysPerUserQuota", keysPerUser},
		{"MFADevices", len(r.devices) + flag(c.account.user != "")},
		{"MFADevicesInUse", len(r.devices) + flag(c.account.user != "")},
		{"SigningCertificatesPerUserQuota", 2},
		{"Users", flag(c.account.user != "")},
		{"UsersQuota", 5000},
		{"Roles", 3},
		{"RolesQuota", 1000},
	}
	m := element{name: "SummaryMap"}
	for _, e := range entries {
		m.children = append(m.children, group("entry", text("key", e.name), text("value", strconv.Itoa(e.value))))
	}
	return []element{m}, nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func listAccountAliases(c *call) ([]element, error) {
	aliases := element{name: "AccountAliases"}
	if c.account.alias != "" {
		aliases.children = []element{text("member", c.account.alias)}
	}
	return []element{truth("IsTruncated", false), aliases}, nil
}

// listOrganizationsFeatures says what of centralized root access is switched on.
func listOrganizationsFeatures(c *call) ([]element, error) {
	if err := governs(c); err != nil {
		return nil, err
	}
	return c.o.featureList(), nil
}

func (o *Organization) featureList() []element {
	enabled := element{name: "EnabledFeatures"}
	for _, f := range []string{featureSessions, featureCredentials} {
		if o.features[f] {
			enabled.children = append(enabled.children, text("member", f))
		}
	}
	return []element{text("OrganizationId", organizationID), enabled}
}

// governs holds what IAM asks of a caller who looks at the features of the organization.
func governs(c *call) error {
	switch {
	case !c.account.member:
		return fail("OrganizationNotFoundException", http.StatusBadRequest, "The request was rejected because no organization is associated with your account.")
	case !c.account.management && !c.o.delegated[c.account.id]:
		return fail("AccountNotManagementOrDelegatedAdministratorException", http.StatusBadRequest,
			"The request was rejected because the account making the request is not the management account or delegated administrator account for centralized root access.")
	case !c.o.trusted["iam.amazonaws.com"]:
		return fail("ServiceAccessNotEnabledException", http.StatusBadRequest, "Trusted Access for IAM not enabled by organization of input account %s", c.account.id)
	default:
		return nil
	}
}

func enableFeature(name string) func(*call) ([]element, error) { return setFeature(name, true) }

func disableFeature(name string) func(*call) ([]element, error) { return setFeature(name, false) }

func setFeature(name string, on bool) func(*call) ([]element, error) {
	return func(c *call) ([]element, error) {
		if err := governs(c); err != nil {
			return nil, err
		}
		c.effect = c.o.features[name] != on
		c.o.features[name] = on
		return c.o.featureList(), nil
	}
}

// remove takes the first match out of a list and reports whether there was one.
func remove[T any](s *[]T, match func(T) bool) bool {
	i := slices.IndexFunc(*s, match)
	if i < 0 {
		return false
	}
	*s = slices.Delete(*s, i, i+1)
	return true
}
