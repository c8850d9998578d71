package awsroot

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// Contacts gives what may lead to the account's owner, in the order of the search. What could not be read is left out and
// returned as one error beside what could: a missing permission for contacts must not hide a tag.
func (a *Auditor) Contacts(ctx context.Context, acc posture.Account) ([]commands.Contact, error) {
	r, ok := find(a.reaches, acc.Source)
	if !ok {
		return nil, &GapError{Source: acc.Source, Gap: posture.Gap{Reason: posture.ReasonUnknown, Fix: "Name the account's source in the settings."}}
	}
	var found []commands.Contact
	var failures []error
	if r.src.Organization != nil && a.cfg.OwnerTag != "" {
		value, err := r.tag(ctx, acc.ID, a.cfg.OwnerTag)
		failures = append(failures, err)
		if value != "" {
			found = append(found, commands.Contact{How: commands.OwnerByTag, Value: value})
		}
	}
	if acc.Email != "" {
		found = append(found, commands.Contact{How: commands.OwnerByEmail, Value: acc.Email})
	}
	for _, kind := range []struct {
		how  commands.OwnerHow
		kind accounttypes.AlternateContactType
	}{
		{commands.OwnerBySecurity, accounttypes.AlternateContactTypeSecurity},
		{commands.OwnerByOperations, accounttypes.AlternateContactTypeOperations},
	} {
		email, err := r.alternate(ctx, acc, kind.kind)
		failures = append(failures, err)
		if email != "" {
			found = append(found, commands.Contact{How: kind.how, Value: email})
		}
	}
	return found, errors.Join(failures...)
}

func (r *reach) tag(ctx context.Context, id posture.AccountID, name string) (string, error) {
	pages := organizations.NewListTagsForResourcePaginator(organizations.NewFromConfig(r.base), &organizations.ListTagsForResourceInput{ResourceId: aws.String(string(id))})
	value := ""
	if err := turned(ctx, pages, func(page *organizations.ListTagsForResourceOutput) error {
		for _, t := range page.Tags {
			if aws.ToString(t.Key) == name {
				value = aws.ToString(t.Value)
			}
		}
		return nil
	}); err != nil {
		return "", fmt.Errorf("read the tags of %s: %w", id, err)
	}
	return value, nil
}

// alternate reads one alternate contact's email, empty where none is set. An account that asks about itself names no
// account: the management account may not name its own.
func (r *reach) alternate(ctx context.Context, acc posture.Account, kind accounttypes.AlternateContactType) (string, error) {
	in := &account.GetAlternateContactInput{AlternateContactType: kind}
	if _, own, err := r.who.get(ctx); err != nil || own != acc.ID {
		in.AccountId = aws.String(string(acc.ID))
	}
	out, err := account.NewFromConfig(r.base).GetAlternateContact(ctx, in)
	var none *accounttypes.ResourceNotFoundException
	switch {
	case errors.As(err, &none):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read the %s contact of %s: %w", kind, acc.ID, err)
	case out.AlternateContact == nil:
		return "", nil
	default:
		return aws.ToString(out.AlternateContact.EmailAddress), nil
	}
}
