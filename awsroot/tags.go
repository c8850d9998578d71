package awsroot

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// tagsFor is how long an account's tags are believed.
const tagsFor = 24 * time.Hour

// tagBook keeps the accounts' tags of one organization. An inventory tells none.
type tagBook struct {
	learning sync.Mutex // held while they are read

	mu     sync.Mutex
	listed []posture.AccountID // by the last inventory
	known  map[posture.AccountID]tagged
}

type tagged struct {
	tags map[string]string
	at   time.Time
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

// begin forgets which accounts were listed: an inventory begins.
func (b *tagBook) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listed = nil
}

// list notes that an inventory saw the account, and returns its tags as far as they are known. The caller owns them.
func (b *tagBook) list(id posture.AccountID) map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listed = append(b.listed, id)
	return maps.Clone(b.known[id].tags)
}

func (b *tagBook) due(now time.Time) []posture.AccountID {
	b.mu.Lock()
	defer b.mu.Unlock()
	var due []posture.AccountID
	for _, id := range b.listed {
		if t, ok := b.known[id]; !ok || now.Sub(t.at) >= tagsFor {
			due = append(due, id)
		}
	}
	return due
}

func (b *tagBook) learned(id posture.AccountID, tags map[string]string, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = map[posture.AccountID]tagged{}
	}
	b.known[id] = tagged{tags: tags, at: at}
}
