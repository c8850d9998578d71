package awsroot

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// notesFor is how long an account's tags and its alias are believed.
const notesFor = 24 * time.Hour

// book keeps what the inventories of one organization do not tell of its accounts.
type book[T any] struct {
	learning sync.Mutex // held while it is read

	mu     sync.Mutex
	listed []posture.AccountID // by the last inventory
	known  map[posture.AccountID]noted[T]
}

type noted[T any] struct {
	value T
	at    time.Time
}

// LearnTags reads the tags of a source's accounts, so that the inventories that follow show them and people can search by
// them. It is off unless the settings ask for it, and no part of a scan: it takes one call per account and day, and AWS
// allows ten a second. What was read before an error is kept, and the next call goes on from there. Its error is a
// [GapError].
func (a *Auditor) LearnTags(ctx context.Context, source string) error {
	r, ok := find(a.reaches, source)
	if !ok || r.src.Organization == nil || !r.src.Organization.Tags {
		return nil
	}
	r.tags.learning.Lock()
	defer r.tags.learning.Unlock()
	c := organizations.NewFromConfig(r.base)
	for _, id := range r.tags.due(a.cfg.Now()) {
		tags := map[string]string{}
		pages := organizations.NewListTagsForResourcePaginator(c, &organizations.ListTagsForResourceInput{ResourceId: aws.String(string(id))})
		if err := turned(ctx, pages, func(page *organizations.ListTagsForResourceOutput) error {
			for _, t := range page.Tags {
				tags[text(t.Key)] = text(t.Value)
			}
			if len(tags) > mostTags {
				return errEndless
			}
			return nil
		}); err != nil {
			return &GapError{Source: source, Gap: gapOf(err)}
		}
		r.tags.learned(id, tags, a.cfg.Now())
	}
	return nil
}

// LearnAliases reads the aliases of an organization's accounts, as LearnTags reads tags. A privileged root session may not:
// its task policy lacks iam:ListAccountAliases. So it goes by the read-only role of the settings, and takes two calls per
// account and day. An account that does not let the role in has no alias until the next day, and one that answers with
// something else is asked again with the next scan. Its error is the last such [GapError].
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user-privileged-task.html
func (a *Auditor) LearnAliases(ctx context.Context, source string) error {
	r, ok := find(a.reaches, source)
	if !ok || !r.wantsAliases() {
		return nil
	}
	r.aliases.learning.Lock()
	defer r.aliases.learning.Unlock()
	partition := r.who.partition(ctx)
	var failed error
	for _, id := range r.aliases.due(a.cfg.Now()) {
		out, err := iam.NewFromConfig(r.as(r.base, r.memberRole(partition, id), "rootcheck-look")).
			ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
		switch reason := reasonOf(err); {
		case err == nil && len(out.AccountAliases) > 0:
			r.aliases.learned(id, text(&out.AccountAliases[0]), a.cfg.Now())
		case err == nil, reason == posture.ReasonDenied, reason == posture.ReasonUnreachableRole, reason == posture.ReasonSCP:
			r.aliases.learned(id, "", a.cfg.Now())
		default:
			failed = &GapError{Source: source, Gap: gapOf(err)}
			if ctx.Err() != nil || reason == posture.ReasonThrottled {
				return failed
			}
		}
	}
	return failed
}

// memberRole is the ARN of the read-only role in one account.
func (r *reach) memberRole(partition string, id posture.AccountID) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, id, strings.TrimPrefix(r.src.Organization.MemberRole, "/"))
}

// wantsAliases reports whether aliases are to be learned, and can be.
func (r *reach) wantsAliases() bool {
	o := r.src.Organization
	return o != nil && o.Aliases && o.MemberRole != ""
}

// noted adds what the books hold of an account that an inventory saw, and notes that it was seen. A book that nobody wants
// stays empty: a list of fifty thousand accounts is megabytes.
func (r *reach) noted(a posture.Account) posture.Account {
	if r.src.Organization.Tags {
		a.Tags = maps.Clone(r.tags.list(a.ID)) // the caller owns them
	}
	if r.wantsAliases() {
		a.Alias = r.aliases.list(a.ID)
	}
	return a
}

// begin forgets which accounts were listed: an inventory begins.
func (b *book[T]) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listed = nil
}

// list notes that an inventory saw the account, and returns what is known of it.
func (b *book[T]) list(id posture.AccountID) T {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listed = append(b.listed, id)
	return b.known[id].value
}

func (b *book[T]) due(now time.Time) []posture.AccountID {
	b.mu.Lock()
	defer b.mu.Unlock()
	var due []posture.AccountID
	for _, id := range b.listed {
		if n, ok := b.known[id]; !ok || now.Sub(n.at) >= notesFor {
			due = append(due, id)
		}
	}
	return due
}

func (b *book[T]) learned(id posture.AccountID, value T, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = map[posture.AccountID]noted[T]{}
	}
	b.known[id] = noted[T]{value: value, at: at}
}
