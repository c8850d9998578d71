package awsroot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// unitsFor is how long the names of organizational units are believed.
const unitsFor = 24 * time.Hour

// unitNames are the names of one organization's units. An inventory tells only their ids.
type unitNames struct {
	learning sync.Mutex // held while they are read

	mu    sync.Mutex
	roots []string // as the last inventory showed them
	names map[string]string
	at    time.Time
}

// Learn reads what an inventory does not tell: the names of organizational units, and tags and aliases where they are wanted.
func (a *Auditor) Learn(ctx context.Context, source string) error {
	return errors.Join(a.LearnUnits(ctx, source), a.LearnTags(ctx, source), a.LearnAliases(ctx, source))
}

// LearnUnits reads the names of a source's organizational units, so that the inventories that follow show
// /Workloads/Production in place of ids. It is no part of a scan, which asks Organizations for nothing but its pages:
// whoever wants names calls this after an inventory, as often as it likes, and AWS is asked at most once a day. It takes
// one call per unit, and organizations:ListOrganizationalUnitsForParent. Its error is a [GapError].
func (a *Auditor) LearnUnits(ctx context.Context, source string) error {
	r, ok := find(a.reaches, source)
	if !ok {
		return &GapError{Source: source, Gap: posture.Gap{Reason: posture.ReasonUnknown, Fix: "Name the source in the settings."}}
	}
	r.units.learning.Lock()
	defer r.units.learning.Unlock()
	ahead, due := r.units.due(a.cfg.Now())
	if !due {
		return nil
	}
	c, names := organizations.NewFromConfig(r.base), map[string]string{}
	for len(ahead) > 0 {
		parent := ahead[0]
		ahead = ahead[1:]
		pages := organizations.NewListOrganizationalUnitsForParentPaginator(c, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &parent})
		if err := turned(ctx, pages, func(page *organizations.ListOrganizationalUnitsForParentOutput) error {
			for _, u := range page.OrganizationalUnits {
				id := aws.ToString(u.Id)
				if _, seen := names[id]; seen || id == "" {
					continue
				}
				names[id], ahead = text(u.Name), append(ahead, id)
			}
			return nil
		}); err != nil {
			return &GapError{Source: source, Gap: gapOf(err)}
		}
		if len(names) > mostUnits {
			return &GapError{Source: source, Gap: gapOf(errEndless)}
		}
	}
	r.units.learned(names, a.cfg.Now())
	return nil
}

// due gives where to begin, and false where nothing is to be asked: no inventory has shown a root yet, or the names are
// young.
func (u *unitNames) due(now time.Time) ([]string, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.roots) == 0 || !u.at.IsZero() && now.Sub(u.at) < unitsFor {
		return nil, false
	}
	return slices.Clone(u.roots), true
}

func (u *unitNames) learned(names map[string]string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.names, u.at = names, at
}

// path shortens o-…/r-…/ou-…/<account>/ to the organizational units in it, by name where it is known and by id where it
// is not; "/" at the root, and nothing where AWS told no path.
func (u *unitNames) path(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	units := []string{}
	for part := range strings.SplitSeq(strings.Trim(text(&paths[0]), "/"), "/") {
		switch {
		case strings.HasPrefix(part, "r-") && len(u.roots) < mostListed && !slices.Contains(u.roots, part):
			u.roots = append(u.roots, part)
		case strings.HasPrefix(part, "ou-") && u.names[part] != "":
			units = append(units, u.names[part])
		case strings.HasPrefix(part, "ou-"):
			units = append(units, part)
		}
	}
	return "/" + strings.Join(units, "/")
}
