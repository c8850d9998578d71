package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// View is everything that an account's card shows, from the store. ErrNotFound: no run has listed the account.
func (s *Service) View(ctx context.Context, source string, account posture.AccountID) (AccountView, error) {
	l, err := s.d.Estate.Look(ctx, source, account)
	if err != nil {
		return AccountView{}, fmt.Errorf("read account %s: %w", account, err)
	}
	return s.view(ctx, l)
}

// Request is one request as the store has it. ErrNotFound: there was never one with this id.
func (s *Service) Request(ctx context.Context, id remediation.RequestID) (remediation.Request, error) {
	return s.request(ctx, id)
}

func (s *Service) view(ctx context.Context, l Look) (AccountView, error) {
	g, err := s.sight(ctx)
	if err != nil {
		return AccountView{}, err
	}
	l = g.now(l)
	a := l.Evidence.Account
	v := AccountView{Look: l, DryRun: s.cfg.DryRun, Ways: s.d.Inspector.Ways(ctx, a)}
	v.Ways.Exempt = v.Ways.Exempt || s.exempt(a.ID)
	all, err := s.requests(ctx, RequestQuery{Source: a.Source, Account: a.ID})
	if err != nil {
		return v, fmt.Errorf("read the requests of %s: %w", a.ID, err)
	}
	v.Keys, v.Ended = keyViews(l, all, v.Ways)
	for i, k := range v.Keys {
		v.Keys[i].InUse = s.inUse(k.Key, k.Open)
	}
	if v.Block, err = s.d.Ledger.Block(ctx, a.Source, a.ID); err != nil {
		return v, fmt.Errorf("read the block of %s: %w", a.ID, err)
	}
	if v.Owner, err = s.owner(ctx, a.Source, a.ID); err != nil {
		return v, err
	}
	if v.Paused, err = s.d.Ledger.Switch(ctx); err != nil {
		return v, fmt.Errorf("read the pause switch: %w", err)
	}
	mutes, err := s.d.Ledger.Mutes(ctx)
	if err != nil {
		return v, fmt.Errorf("read the mutes: %w", err)
	}
	for _, m := range mutes {
		if m.Source == a.Source && m.Account == a.ID && l.Workflow[m.Control] == posture.WorkflowSuppressed {
			v.Mutes = append(v.Mutes, m)
		}
	}
	return v, nil
}

// keyViews joins the keys with their requests. A request whose key is not listed any more stays in sight until it ends. Of
// an account whose keys cannot be read now each key is as of when it could last be.
func keyViews(l Look, all []remediation.Request, ways Ways) (views []KeyView, ended []remediation.Request) {
	unread := l.Unread(posture.RootAccessKey) != nil
	for _, k := range listed(l.Evidence) {
		d, x := ways.For(k.ID)
		v := KeyView{Key: k, Deactivate: d, Delete: x}
		if unread {
			v.AsOf = listedAt(l.Evidence)
		}
		views = append(views, v)
	}
	told := map[string]bool{}
	for i := range all { // newest first
		r := all[i]
		name := KeyName(r.Key)
		if r.State.Ended() {
			if !told[name] {
				ended = append(ended, r)
			}
			told[name] = true
			continue
		}
		at := slices.IndexFunc(views, func(v KeyView) bool { return KeyName(v.Key) == name })
		if at < 0 {
			views = append(views, KeyView{Key: r.Key})
			at = len(views) - 1
			if unread {
				views[at].AsOf = r.ReadAt
			}
		}
		views[at].Open, views[at].Deactivate, views[at].Delete = &r, r.Means, r.DeleteMeans
	}
	return views, ended
}

// inUse reports whether a key signed a request within the guard period, of its request where there is one.
func (s *Service) inUse(k posture.Key, r *remediation.Request) bool {
	p := s.policy()
	if r != nil {
		p = r.Policy
	}
	return !k.LastUsed.IsZero() && s.d.Now().Sub(k.LastUsed) < p.Guard
}

// Status answers /rootcheck status.
func (s *Service) Status(ctx context.Context, a Actor) (Status, error) {
	if err := s.look(ctx, a, looking()); err != nil {
		return Status{}, err
	}
	e, err := s.estate(ctx, func(Look, posture.Posture) {})
	if err != nil {
		return Status{}, err
	}
	st := Status{
		Version: s.cfg.Version, Coverage: e.coverage, Running: e.running, DryRun: s.cfg.DryRun,
		TwoPerson: s.cfg.Policy.TwoPerson, Unreadable: s.unreadable(ctx), Sources: s.d.Inspector.Sources(), Troubles: s.troubles(),
	}
	if s.d.Next != nil {
		st.Next = s.d.Next()
	}
	if st.Open, err = s.requests(ctx, RequestQuery{Open: true}); err != nil {
		return st, fmt.Errorf("read the open requests: %w", err)
	}
	if st.Paused, err = s.d.Ledger.Switch(ctx); err != nil {
		return st, fmt.Errorf("read the pause switch: %w", err)
	}
	if st.AuditHead, err = s.d.Ledger.Head(ctx); err != nil {
		return st, fmt.Errorf("read the audit log's head: %w", err)
	}
	if st.Queue, err = s.d.Queue.Due(ctx, s.d.Now()); err != nil {
		return st, fmt.Errorf("read the queue: %w", err)
	}
	if s.d.Parked != nil {
		if st.Parked, err = s.d.Parked(ctx); err != nil {
			return st, fmt.Errorf("count what was put aside: %w", err)
		}
	}
	return st, nil
}

// Requests answers /rootcheck requests: the open ones, or the newest hundred.
func (s *Service) Requests(ctx context.Context, a Actor, all bool) ([]remediation.Request, error) {
	if err := s.look(ctx, a, looking()); err != nil {
		return nil, err
	}
	list, err := s.requests(ctx, RequestQuery{Open: !all, Limit: 100})
	if err != nil {
		return nil, fmt.Errorf("read the requests: %w", err)
	}
	return list, nil
}

// trailLimit is how many records an answer about the audit log holds, and trailSearch how many are looked through for one
// of several `aws` entries that list an account.
const (
	trailLimit  = 100
	trailSearch = 2000
)

// AuditTrail answers /rootcheck audit: the newest records of a request, or of an account as [Service.Account] finds it. An
// account's id alone means whatever entry lists it, also one that has left.
func (s *Service) AuditTrail(ctx context.Context, a Actor, word string) ([]audit.Leaf, error) {
	if err := s.look(ctx, a, looking()); err != nil {
		return nil, err
	}
	q, source := AuditQuery{Limit: trailLimit}, ""
	word = strings.TrimSpace(word)
	_, err := s.request(ctx, remediation.RequestID(word))
	switch {
	case err == nil && word != "":
		q.Request = word
	case err != nil && !errors.Is(err, ErrNotFound):
		return nil, fmt.Errorf("find request %s: %w", word, err)
	case posture.AccountID(word).Valid():
		q.Account = word // also of an account that has left
	default:
		l, unknown := s.one(ctx, word)
		if unknown != nil {
			return nil, s.record(ctx, a, subject{act: "audit"}, unknown)
		}
		q.Account = string(l.Evidence.Account.ID)
		q.Limit, source = trailSearch, l.Evidence.Account.Source
	}
	leaves, err := s.d.Ledger.Audit(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	if source != "" {
		leaves = slices.DeleteFunc(leaves, func(l audit.Leaf) bool { return l.Source != source })
	}
	return leaves[:min(len(leaves), trailLimit)], nil
}

// DigestNow queues a digest of its own.
func (s *Service) DigestNow(ctx context.Context, a Actor) error {
	if _, no := s.permitCounted(ctx, a, ActRequest, ""); no != nil {
		return s.refused(ctx, a, subject{act: "digest"}, no)
	}
	now := s.d.Now()
	if err := s.d.Queue.Put(ctx, DigestItem("now/"+s.d.NewID(), now)); err != nil {
		return fmt.Errorf("queue a digest: %w", err)
	}
	return nil
}

// DigestItem is the work of one digest. The occurrence names it.
func DigestItem(occurrence string, due time.Time) Item {
	return item("digest/"+occurrence, KindDigest, Work{Occurrence: occurrence}, due)
}
