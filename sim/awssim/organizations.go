package awssim

import (
	"maps"
	"net/http"
	"strings"
)

func organizationsOperations() map[string]operation {
	ops := map[string]operation{
		"DescribeOrganization":                {json: describeOrganization},
		"ListAccounts":                        {json: governing(listAccounts)},
		"DescribeAccount":                     {json: governing(describeAccount)},
		"ListTagsForResource":                 {json: governing(listTagsForResource)},
		"ListRoots":                           {json: governing(listRoots)},
		"ListParents":                         {json: governing(listParents)},
		"ListOrganizationalUnitsForParent":    {json: governing(listUnits)},
		"DescribeOrganizationalUnit":          {json: governing(describeUnit)},
		"ListAccountsForParent":               {json: governing(listAccountsForParent)},
		"ListDelegatedAdministrators":         {json: governing(listDelegatedAdministrators)},
		"ListAWSServiceAccessForOrganization": {json: governing(listServiceAccess)},
	}
	maps.Copy(ops, policyOperations())
	return ops
}

// orgFailure is an error of Organizations, which all have status 400.
func orgFailure(code, message string) error { return fail(code, http.StatusBadRequest, "%s", message) }

func errInput(reason, format string, args ...any) error {
	f := asFailure(fail("InvalidInputException", http.StatusBadRequest, format, args...))
	f.reason = reason
	return f
}

func errNoOrganization() error {
	return orgFailure("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
}

// governing lets only the management account and delegated administrators look at the organization.
func governing(run func(*call) (fields, error)) func(*call) (fields, error) {
	return func(c *call) (fields, error) {
		if !c.account.member {
			return nil, errNoOrganization()
		}
		if !c.account.management && !c.o.delegated[c.account.id] {
			return nil, errDenied("You don't have permissions to access this resource.")
		}
		return run(c)
	}
}

func describeOrganization(c *call) (fields, error) {
	if !c.account.member {
		return nil, errNoOrganization()
	}
	m := c.o.accounts[ManagementAccount]
	return fields{"Organization": fields{
		"Id": organizationID, "Arn": "arn:aws:organizations::" + m.id + ":organization/" + organizationID, "FeatureSet": "ALL",
		"MasterAccountArn": m.arn(), "MasterAccountId": m.id, "MasterAccountEmail": m.email,
		"AvailablePolicyTypes": []fields{{"Type": scpType, "Status": "ENABLED"}},
	}}, nil
}

// describe is an account as Organizations shows it: with State, and without Status, which was retired in September 2026.
func (a *account) describe() fields {
	method := "CREATED"
	if a.management {
		method = "INVITED"
	}
	return fields{
		"Id": a.id, "Arn": a.arn(), "Name": a.name, "Email": a.email, "State": a.state,
		"JoinedMethod": method, "JoinedTimestamp": epoch(a.created), "Paths": []string{a.parent.path() + a.id + "/"},
	}
}

// emptyTurn marks a token whose empty page has been served.
const emptyTurn = "turn-"

// listAccounts pages through the accounts. Before every fourth page, the second being the first of them, there is an
// empty one that only carries a token, as AWS says that any page may be
// (https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html).
func listAccounts(c *call) (fields, error) {
	size, ok := c.number("MaxResults", 20)
	if !ok || size < 1 || size > 20 {
		return nil, errInput("MAX_VALUE_EXCEEDED", "You provided a value for MaxResults that is not between 1 and 20.")
	}
	token, served := strings.CutPrefix(c.str("NextToken"), emptyTurn)
	accounts, next, ok := page(c.o.members, token, size)
	if !ok {
		return nil, errInput("INVALID_NEXT_TOKEN", "You specified an invalid NextToken.")
	}
	if token != "" && !served && len(accounts) > 0 && c.o.turn(token, size)%4 == 1 {
		return fields{"Accounts": []fields{}, "NextToken": emptyTurn + token}, nil
	}
	return accountPage(accounts, next), nil
}

// turn is the number of the page that a token stands for, from zero.
func (o *Organization) turn(token string, size int) int {
	rest, _, ok := page(o.members, token, len(o.members))
	if !ok {
		return 0
	}
	return (len(o.members) - len(rest)) / size
}

func accountPage(accounts []*account, next string) fields {
	shown := make([]fields, 0, len(accounts))
	for _, a := range accounts {
		shown = append(shown, a.describe())
	}
	return paged("Accounts", shown, next)
}

func paged(name string, list any, next string) fields {
	f := fields{name: list}
	if next != "" {
		f["NextToken"] = next
	}
	return f
}

func describeAccount(c *call) (fields, error) {
	a, err := c.memberNamed("AccountId")
	if err != nil {
		return nil, err
	}
	return fields{"Account": a.describe()}, nil
}

// memberNamed is the account of the organization that a parameter names.
func (c *call) memberNamed(parameter string) (*account, error) {
	a, ok := c.o.accounts[c.str(parameter)]
	if !ok || !a.member {
		return nil, orgFailure("AccountNotFoundException", "You specified an account that doesn't exist.")
	}
	return a, nil
}

func listTagsForResource(c *call) (fields, error) {
	a, ok := c.o.accounts[c.str("ResourceId")]
	if !ok || !a.member {
		return nil, orgFailure("TargetNotFoundException", "You specified a target that doesn't exist.")
	}
	tags := make([]fields, 0, len(a.tags))
	for _, t := range a.tags {
		tags = append(tags, fields{"Key": t.key, "Value": t.value})
	}
	return fields{"Tags": tags}, nil
}

func listRoots(c *call) (fields, error) {
	types := []fields{}
	if c.o.scps {
		types = append(types, fields{"Type": scpType, "Status": "ENABLED"})
	}
	r := c.o.root
	return fields{"Roots": []fields{{"Id": r.id, "Arn": r.arn(), "Name": r.name, "PolicyTypes": types}}}, nil
}

func listParents(c *call) (fields, error) {
	id := c.str("ChildId")
	var parent *unit
	if a, ok := c.o.accounts[id]; ok && a.member {
		parent = a.parent
	} else if u, ok := c.o.units[id]; ok && u.parent != nil {
		parent = u.parent
	} else {
		return nil, orgFailure("ChildNotFoundException", "We can't find an organizational unit (OU) or AWS account with the ChildId that you specified.")
	}
	kind := "ORGANIZATIONAL_UNIT"
	if parent.parent == nil {
		kind = "ROOT"
	}
	return fields{"Parents": []fields{{"Id": parent.id, "Type": kind}}}, nil
}

func (c *call) parentNamed() (*unit, error) {
	u, ok := c.o.units[c.str("ParentId")]
	if !ok {
		return nil, orgFailure("ParentNotFoundException", "You specified a parent that doesn't exist.")
	}
	return u, nil
}

func (u *unit) describe() fields {
	return fields{"Id": u.id, "Arn": u.arn(), "Name": u.name, "Path": u.path()}
}

// pageSize is how much the lists of Organizations show at once when they are not asked for less.
const pageSize = 20

func (c *call) pageSize() (int, error) {
	size, ok := c.number("MaxResults", pageSize)
	if !ok || size < 1 || size > pageSize {
		return 0, errInput("MAX_VALUE_EXCEEDED", "You provided a value for MaxResults that is not between 1 and %d.", pageSize)
	}
	return size, nil
}

// listing is one page of a list, each item shown by a function.
func listing[T any](c *call, name string, all []T, show func(T) fields) (fields, error) {
	size, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	part, next, ok := page(all, c.str("NextToken"), size)
	if !ok {
		return nil, errInput("INVALID_NEXT_TOKEN", "You specified an invalid NextToken.")
	}
	shown := make([]fields, 0, len(part))
	for _, item := range part {
		shown = append(shown, show(item))
	}
	return paged(name, shown, next), nil
}

func listUnits(c *call) (fields, error) {
	u, err := c.parentNamed()
	if err != nil {
		return nil, err
	}
	return listing(c, "OrganizationalUnits", u.units, (*unit).describe)
}

func describeUnit(c *call) (fields, error) {
	u, ok := c.o.units[c.str("OrganizationalUnitId")]
	if !ok || u.parent == nil {
		return nil, orgFailure("OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist.")
	}
	return fields{"OrganizationalUnit": u.describe()}, nil
}

func listAccountsForParent(c *call) (fields, error) {
	u, err := c.parentNamed()
	if err != nil {
		return nil, err
	}
	return listing(c, "Accounts", u.accounts, (*account).describe)
}

func listDelegatedAdministrators(c *call) (fields, error) {
	all := []*account{}
	if s := c.str("ServicePrincipal"); s == "" || s == "iam.amazonaws.com" {
		for _, a := range c.o.members {
			if len(all) < len(c.o.delegated) && c.o.delegated[a.id] {
				all = append(all, a)
			}
		}
	}
	return listing(c, "DelegatedAdministrators", all, func(a *account) fields {
		f := a.describe()
		delete(f, "Paths")
		f["DelegationEnabledDate"] = epoch(a.created)
		return f
	})
}

func listServiceAccess(c *call) (fields, error) {
	all := []fields{}
	for _, s := range []string{"account.amazonaws.com", "iam.amazonaws.com"} {
		if c.o.trusted[s] {
			all = append(all, fields{"ServicePrincipal": s, "DateEnabled": epoch(founded)})
		}
	}
	return fields{"EnabledServicePrincipals": all}, nil
}
