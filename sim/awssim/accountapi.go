package awssim

import (
	"net/http"
	"strings"
	"time"
)

// This file is the Account Management service, which knows who to write to about an account.

func accountOperations() map[string]operation {
	return map[string]operation{
		"GetAlternateContact":   {json: getAlternateContact},
		"GetPrimaryEmail":       {json: getPrimaryEmail},
		"GetAccountInformation": {json: getAccountInformation},
	}
}

// named is the account that a call names, or the caller's own where it may name none. Naming one takes the management
// account, or a delegated administrator, and trusted access; the management account may not name itself
// (https://docs.aws.amazon.com/accounts/latest/reference/API_GetAlternateContact.html).
func named(c *call, mayOmit bool) (*account, error) {
	id := c.str("AccountId")
	if id == "" {
		if mayOmit {
			return c.account, nil
		}
		return nil, errValidation("AccountId is required")
	}
	if len(id) != 12 || strings.Trim(id, "0123456789") != "" {
		return nil, errValidation("1 validation error detected: Value at 'accountId' failed to satisfy constraint: Member must satisfy regular expression pattern: \\d{12}")
	}
	a, ok := c.o.accounts[id]
	governs := c.account.management || c.o.delegated[c.account.id]
	if !ok || !governs || !a.member || a.management || !c.o.trusted["account.amazonaws.com"] {
		return nil, errDenied("User: %s is not authorized to perform: account:%s", c.arn(), c.action)
	}
	return a, nil
}

func getAlternateContact(c *call) (fields, error) {
	a, err := named(c, true)
	if err != nil {
		return nil, err
	}
	kind := c.str("AlternateContactType")
	if kind != "BILLING" && kind != "OPERATIONS" && kind != "SECURITY" {
		return nil, errDenied("User: %s is not authorized to perform: account:GetAlternateContact", c.arn())
	}
	found, ok := a.contacts[kind]
	if !ok {
		return nil, fail("ResourceNotFoundException", http.StatusNotFound, "No contact of the inputted alternate contact type found.")
	}
	return fields{"AlternateContact": fields{
		"AlternateContactType": kind, "EmailAddress": found.email, "Name": found.name, "PhoneNumber": found.phone, "Title": found.title,
	}}, nil
}

func getPrimaryEmail(c *call) (fields, error) {
	a, err := named(c, false)
	if err != nil {
		return nil, err
	}
	return fields{"PrimaryEmail": a.email}, nil
}

func getAccountInformation(c *call) (fields, error) {
	a, err := named(c, true)
	if err != nil {
		return nil, err
	}
	return fields{"AccountId": a.id, "AccountName": a.name, "AccountCreatedDate": a.created.Format(time.RFC3339), "AccountState": a.state}, nil
}
