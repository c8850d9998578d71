package awsroot

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// GapError is an inventory that could not be made, with its cause and its fix.
type GapError struct {
	Source string
	Gap    posture.Gap
}

// Error names the source, the cause and the fix.
func (e *GapError) Error() string {
	return "list the accounts of " + e.Source + ": " + e.Gap.Reason.Phrase() + " (" + e.Gap.Detail + "): " + e.Gap.Fix
}

// Why is the gap itself, for whoever shows it.
func (e *GapError) Why() posture.Gap { return e.Gap }

// Sources names the entries in the order of the settings.
func (a *Auditor) Sources() []string {
	names := make([]string, 0, len(a.reaches))
	for _, r := range a.reaches {
		names = append(names, r.src.Name)
	}
	return names
}

// Inventory lists the accounts of a source. Its error is a [GapError], or what yield returned. What was listed before an
// error was listed: the caller knows that the list is not whole.
func (a *Auditor) Inventory(ctx context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	r, ok := find(a.reaches, source)
	if !ok {
		return commands.Organization{}, &GapError{Source: source, Gap: posture.Gap{Reason: posture.ReasonUnknown, Fix: "Name the source in the settings."}}
	}
	if r.src.Organization == nil {
		return a.single(ctx, r, yield)
	}
	r.inventoried("", a.cfg.Now())
	r.tags.begin()
	r.aliases.begin()
	ctx, stop := context.WithCancel(ctx)
	pages := r.named(ctx, a.only)
	defer func() {
		stop()
		for range pages { // The page that was under way ends with the context.
		}
	}()
	org := commands.Organization{Source: source, Partition: r.who.partition(ctx)}
	if reportOnly(org.Partition) {
		org.Centralized = posture.Missing[bool]("ListOrganizationsFeatures", posture.Gap{Reason: posture.ReasonPartition})
	} else {
		org.Centralized = r.centralized(ctx, a.cfg.Now)
	}
	if ctx.Err() == nil {
		r.remember(org.Centralized)
	}
	err := r.turn(pages, func(acc orgtypes.Account) error { return yield(r.account(acc, &org)) })
	if err == nil {
		r.inventoried(org.Management, time.Time{})
	}
	return org, err
}

// named asks for the accounts of an organization: for these, or for all.
func (r *reach) named(ctx context.Context, only []posture.AccountID) <-chan listing {
	if len(only) > 0 {
		return r.described(ctx, only)
	}
	return r.listed(ctx)
}

// listing is one page of ListAccounts, or why there is none.
type listing struct {
	*organizations.ListAccountsOutput
	err error
}

// listed asks for the pages of ListAccounts, one ahead of whoever takes them: each leads to the next, so that the fifty
// pages of a thousand accounts are what a scan waits for longest. It ends with the last page, an error or the context.
func (r *reach) listed(ctx context.Context) <-chan listing {
	pages := make(chan listing)
	go func() {
		defer close(pages)
		r.list(ctx, pages)
	}()
	return pages
}

func (r *reach) list(ctx context.Context, pages chan<- listing) {
	c, in := organizations.NewFromConfig(r.base), &organizations.ListAccountsInput{MaxResults: aws.Int32(20)}
	for {
		out, err := c.ListAccounts(ctx, in)
		if !give(ctx, pages, listing{out, err}) || err != nil || aws.ToString(out.NextToken) == "" {
			return
		}
		in.NextToken = out.NextToken
	}
}

// give hands a page over, and reports whether somebody took it before the context ended.
func give(ctx context.Context, to chan<- listing, page listing) bool {
	select {
	case <-ctx.Done():
		return false
	case to <- page:
		return true
	}
}

// turn reads the pages to their end. A page may be empty and still lead to another one; a token that comes back, or page
// after page without an account that is new, is an answer that would never end.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
func (r *reach) turn(pages <-chan listing, each func(orgtypes.Account) error) error {
	garbage := func(detail string) error { return &GapError{Source: r.src.Name, Gap: odd(detail)} }
	var bad error // It hides none of the accounts that follow.
	tokens, known, barren := map[[sha256.Size]byte]bool{}, map[uint64]struct{}{}, 0
	for page := range pages {
		if page.err != nil {
			return &GapError{Source: r.src.Name, Gap: gapOf(page.err)}
		}
		before := len(known)
		for _, acc := range page.Accounts {
			id := aws.ToString(acc.Id)
			number, err := strconv.ParseUint(id, 10, 64)
			if err != nil || !posture.AccountID(id).Valid() {
				bad = garbage("an account without an id")
				continue
			}
			known[number] = struct{}{}
			if err := each(acc); err != nil {
				return err
			}
		}
		if barren++; len(known) > before {
			barren = 0
		}
		token := sha256.Sum256([]byte(aws.ToString(page.NextToken))) // which may be of any length
		switch {
		case aws.ToString(page.NextToken) == "":
			return bad
		case tokens[token]:
			return garbage("the same page came twice")
		case barren == mostPages, len(known) > mostAccounts:
			return garbage(string(errEndless))
		default:
			tokens[token] = true
		}
	}
	return &GapError{Source: r.src.Name, Gap: gapOf(context.Canceled)}
}

// account reads one row of ListAccounts. The ARN names the management account, which spares DescribeOrganization:
// arn:aws:organizations::<management>:account/<organization>/<account>.
func (r *reach) account(acc orgtypes.Account, org *commands.Organization) posture.Account {
	id := posture.AccountID(aws.ToString(acc.Id))
	out := posture.Account{
		ID: id, Source: r.src.Name, Partition: org.Partition, Name: text(acc.Name), Email: text(acc.Email),
		State: text((*string)(&acc.State)), Role: posture.RoleMember, Unit: r.units.path(acc.Paths),
	}
	if parsed, err := arn.Parse(aws.ToString(acc.Arn)); err == nil {
		if manager := posture.AccountID(parsed.AccountID); manager.Valid() {
			org.Management = manager
		}
		if parts := strings.Split(parsed.Resource, "/"); len(parts) == 3 {
			org.ID = text(&parts[1])
		}
	}
	switch {
	case out.State == "" && acc.Status != "":
		// AWS retired Status on 2026-09-09. A server that still knows only it is believed about what it says.
		out.State = text((*string)(&acc.Status))
	case out.State == "":
		out.State = posture.StateUntold
	}
	if id == org.Management {
		out.Role = posture.RoleManagement
	}
	return r.noted(out)
}

// single is the inventory of an entry that is one account. Whether it belongs to an organization does not matter to it.
func (a *Auditor) single(ctx context.Context, r *reach, yield func(posture.Account) error) (commands.Organization, error) {
	callerARN, id, err := r.who.get(ctx)
	org := commands.Organization{Source: r.src.Name}
	if err != nil {
		return org, &GapError{Source: r.src.Name, Gap: gapOf(err)}
	}
	org.Partition = partitionOf(callerARN)
	if !id.Valid() {
		return org, &GapError{Source: r.src.Name, Gap: odd("the caller has no account")}
	}
	account := posture.Account{
		ID: id, Source: r.src.Name, Partition: org.Partition, State: posture.StateActive, Role: posture.RoleStandalone,
		Name: r.src.Name, Alias: alias(ctx, iam.NewFromConfig(r.base)),
	}
	return org, yield(account)
}

// alias is the account's alias, or nothing: it only makes the account easier to recognise.
func alias(ctx context.Context, c *iam.Client) string {
	out, err := c.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
	if err != nil || len(out.AccountAliases) == 0 {
		return ""
	}
	return text(&out.AccountAliases[0])
}

// centralized asks whether root access is centralized. RootCredentialsManagement alone is what looking and deleting need.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-enable-root-access.html
func (r *reach) centralized(ctx context.Context, now clock) posture.Fact[bool] {
	const source = "ListOrganizationsFeatures"
	out, err := iam.NewFromConfig(r.base).ListOrganizationsFeatures(ctx, &iam.ListOrganizationsFeaturesInput{})
	if err != nil {
		return posture.Missing[bool](source, gapOf(err))
	}
	return posture.Told(slices.Contains(out.EnabledFeatures, iamtypes.FeatureTypeRootCredentialsManagement), source, now())
}

// reportOnly reports whether the partition has no root user to act on from outside: GovCloud's has no console and is not
// centrally managed, China's has none at all.
func reportOnly(partition string) bool { return partition == "aws-us-gov" || partition == "aws-cn" }
