package system_test

import (
	"context"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

// judge holds what AWS saw and what the audit log says against the books of the people.
func (k *killing) judge() {
	k.t.Helper()
	deeds := k.books.all()
	var log []audit.Leaf
	ok(k.t, k.look(func(ctx context.Context, db *store.Store) (err error) {
		log, err = db.Audit(ctx, commands.AuditQuery{Limit: 1 << 20})
		return err
	}))
	slices.Reverse(log)
	acked, lost := k.lost(deeds, log)
	deleted := k.approved(deeds)
	k.t.Logf("%d decisions were sent, %d acknowledged, %d lost; %d of %d keys deleted; %d audit records",
		len(deeds), acked, lost, deleted, len(k.keys), len(log))
	if deleted < len(k.keys)*3/4 || acked < 5*len(k.keys) {
		k.t.Error("so few deletions and decisions prove little")
	}
	list, err := k.requests()
	ok(k.t, err)
	gone := 0
	for _, r := range list {
		if r.State == remediation.Verified || r.State == remediation.VerifiedWithAlarm {
			gone++
		}
	}
	if gone != deleted {
		k.t.Errorf("AWS deleted %d keys and the bot knows of %d", deleted, gone)
	}
}

// lost counts the acknowledged decisions for which no record stands in the log, neither of what was granted nor of a refusal.
// A record answers for one decision only.
func (k *killing) lost(deeds []deed, log []audit.Leaf) (acked, lost int) {
	taken := map[int64]bool{}
	answered := make([]bool, len(deeds))
	for _, granted := range []bool{true, false} { // a record of what was granted names its deed; one of a refusal the person, the act and the account
		for i, d := range deeds {
			if !d.acked || answered[i] {
				continue
			}
			n := slices.IndexFunc(log, func(l audit.Leaf) bool { return !taken[l.Seq] && d.answeredBy(l, granted) })
			if n >= 0 {
				taken[log[n].Seq], answered[i] = true, true
			}
		}
	}
	for i, d := range deeds {
		if !d.acked {
			continue
		}
		if acked++; !answered[i] && !d.refused {
			lost++
			k.t.Errorf("lost: %s of request %s by %s at %s (%s); the answer was %.1500s", d.action, d.request, d.user, d.sent.Format(time.RFC3339Nano), d.reason, d.answer)
		}
	}
	return acked, lost
}

// answeredBy reports whether a record is that of the deed: granted, or refused to this person for this act on this account.
func (d deed) answeredBy(l audit.Leaf, granted bool) bool {
	switch {
	case l.Actor.ID != d.user || l.Account != d.account || l.At.Before(d.sent.Add(-time.Millisecond)):
		return false
	case !granted:
		return l.Outcome == audit.OutcomeRefused && slices.Contains(d.acts(), l.Detail["act"])
	case d.reason != "":
		return l.Action == d.action && l.Reason == d.reason
	default: // a decision moves the request on by one version
		return l.Action == d.action && l.Request == string(d.request) && l.Version == d.version+1
	}
}

// acts are the names under which the deed is refused.
func (d deed) acts() []string {
	return map[audit.Action][]string{
		audit.RemediationRequested: {"deactivate", "delete"}, audit.RemediationConfirmed: {"confirm"},
		audit.RemediationRejected: {"reject"}, audit.RemediationCancelled: {"cancel"},
	}[d.action]
}

// approved holds every deletion in AWS against the books: a key of ours, once, after one person asked for it and another
// confirmed. It returns how many there were. Nothing else may have changed but the blocks.
func (k *killing) approved(deeds []deed) int {
	k.t.Helper()
	deleted := map[string]int{}
	for _, c := range k.aws.Effects() {
		switch c.Action {
		case "DeleteAccessKey":
			deleted[c.Target]++
			s, ours := k.keys[c.Account]
			if !ours || s.id != c.Target {
				k.t.Errorf("the key %s of %s was deleted, and nobody asked for that", last4(c.Target), c.Account)
				continue
			}
			if !confirmed(deeds, c.Account, c.At) {
				k.t.Errorf("the key %s of %s was deleted without a second person's confirmation", last4(c.Target), c.Account)
			}
		case "AttachPolicy", "DetachPolicy", "AssumeRoot", "AssumeRole", "GenerateCredentialReport":
		default:
			k.t.Errorf("AWS was changed by %s in %s", c.Action, c.Account)
		}
	}
	for id, n := range deleted {
		if n > 1 {
			k.t.Errorf("the key %s was deleted %d times", last4(id), n)
		}
	}
	return len(deleted)
}

// confirmed reports whether somebody asked to delete and somebody else confirmed after that, both before a time.
func confirmed(deeds []deed, account string, before time.Time) bool {
	for _, asked := range deeds {
		if asked.account != account || asked.action != audit.RemediationRequested || asked.request == "" || asked.sent.After(before) {
			continue
		}
		for _, yes := range deeds {
			if yes.account == account && yes.action == audit.RemediationConfirmed && yes.user != asked.user &&
				yes.sent.After(asked.sent) && yes.sent.Before(before) {
				return true
			}
		}
	}
	return false
}
