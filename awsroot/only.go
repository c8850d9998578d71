package awsroot

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/smithy-go"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// OnlyMost is for how many accounts at most it is cheaper to ask about each than to list an organization page by page.
const OnlyMost = 20

// Only is the same auditor with inventories that name no account of an organization but these. Each is asked about by
// itself: the list of ten thousand accounts has five hundred pages, of which AWS answers eight in a second. An account that
// is in none of the organizations is in none of the inventories. Where the identity may not ask about one account all of
// them are listed.
func (a *Auditor) Only(ids ...posture.AccountID) *Auditor {
	return &Auditor{reaches: a.reaches, cfg: a.cfg, only: ids}
}

var errNoAccount = oddError("the answer to DescribeAccount does not hold the account")

// described asks about each of the accounts, and gives them as one page. It falls back to the list of all.
func (r *reach) described(ctx context.Context, ids []posture.AccountID) <-chan listing {
	pages := make(chan listing)
	go func() {
		defer close(pages)
		c, found := organizations.NewFromConfig(r.base), []orgtypes.Account{}
		for _, id := range ids {
			out, err := c.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: aws.String(string(id))})
			switch {
			case err == nil && (out.Account == nil || aws.ToString(out.Account.Id) != string(id)):
				give(ctx, pages, listing{err: &smithy.DeserializationError{Err: errNoAccount}})
				return
			case err == nil:
				found = append(found, *out.Account)
			case reasonOf(err) == posture.ReasonLeft: // It is another organization's, or nobody's.
			case reasonOf(err) == posture.ReasonDenied:
				r.list(ctx, pages)
				return
			default:
				give(ctx, pages, listing{err: err})
				return
			}
		}
		give(ctx, pages, listing{ListAccountsOutput: &organizations.ListAccountsOutput{Accounts: found}})
	}()
	return pages
}
