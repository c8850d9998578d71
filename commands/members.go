package commands

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file tells an account that left, or was closed, from one that only seems so. An organization changes while it is
// scanned: an account that left after it was listed denies access as one whose permissions are wrong does, and a list that
// is read page by page may pass over an account that is still there. The rules are:
//   - AWS is asked about such an account by itself, and only where something changed since the last run. An organization
//     that stays as it is costs no call beyond the pages of its list.
//   - Few are asked about. Where many deny access or are missing at once, that is no coming and going.

// mostAsked is how many accounts of one run AWS is asked about by themselves for each of the two reasons, and of each source.
const mostAsked = 50

// doubtful is an inspector that does not take the word of an account which denies access, and did not when it was last
// looked at.
type doubtful struct {
	Inspector
	known Estate
	asked atomic.Int32
}

// Inspect looks into one account, and where it denies access now whether it is still an active member.
func (d *doubtful) Inspect(ctx context.Context, a posture.Account) posture.Evidence {
	e := d.Inspector.Inspect(ctx, a)
	g := e.AccessKeys.Gap
	if g == nil || g.Reason != posture.ReasonDenied && g.Reason != posture.ReasonUnreachableRole {
		return e
	}
	was, err := d.known.Look(ctx, a.Source, a.ID)
	if err != nil {
		return e // it was never seen before, or cannot be read now: that it denies access is all that is known
	}
	if _, scanned := postureOf(was).Scanned(); !scanned || d.asked.Add(1) > mostAsked {
		return e
	}
	now, gap := d.Member(ctx, a)
	switch {
	case gap != nil && gap.Reason == posture.ReasonLeft:
		return posture.Unread(e, *gap)
	case gap == nil && now.State != posture.StateActive && now.State != posture.StateUntold:
		e.Account = now
		return posture.Unread(e, posture.StateGap(now.State))
	default:
		return e
	}
}

// letGo forgets the accounts of a source that left. One that the list passed over is looked at after all, and one that AWS
// does not tell of now is kept, as one that cannot be read.
func (k *keeper) letGo(ctx context.Context, source string) error {
	missing, err := k.s.d.Estate.Unlisted(ctx, k.run.ID, source, mostAsked+1)
	if err != nil {
		return fmt.Errorf("find the accounts of %s that left: %w", source, err)
	}
	if len(missing) > mostAsked {
		missing = nil
	}
	for _, a := range missing {
		e, stays := k.missed(ctx, a)
		if err = ctx.Err(); err != nil {
			return err
		}
		if !stays {
			continue
		}
		k.run.Listed++
		if err = k.Looked(ctx, Seen{Evidence: e, Pass: 1}); err != nil {
			return err
		}
	}
	if err = k.flush(ctx); err != nil {
		return err
	}
	_, err = k.s.d.Estate.Retire(ctx, k.run.ID, source)
	return err
}

// missed looks at an account that the list did not name, and reports whether it stays. Where the bot may not ask about one
// account the list is all there is to believe.
func (k *keeper) missed(ctx context.Context, a posture.Account) (e posture.Evidence, stays bool) {
	now, gap := k.s.d.Inspector.Member(ctx, a)
	switch {
	case gap == nil:
		k.s.d.Log.WarnContext(ctx, "an account is a member and was not listed", "aws_entry", a.Source, "account", string(a.ID))
		if e = k.s.d.Inspector.Inspect(ctx, now); e.Account.ID == "" {
			e.Account = now
		}
		return e, true
	case gap.Reason == posture.ReasonLeft || gap.Reason == posture.ReasonDenied:
		return e, false
	default:
		return posture.Unread(posture.Evidence{Account: a, At: k.s.d.Now()}, *gap), true
	}
}
