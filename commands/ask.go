package commands

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Ask is what a person filled in. Key names the key as [KeyName] does; what was typed is compared with the truth before
// anything else happens, and its comparison takes the same time whatever is wrong.
type Ask struct {
	Source       string
	Account      posture.AccountID
	Key          string // empty where AWS lists no key, or only one
	TypedAccount string
	TypedKey     string // the last four to deactivate, the whole id to delete and in an emergency
	Reason       string
	Override     string // why a key in use is deleted all the same
}

// KeyName names a key without telling its id: by its fingerprint, or where AWS shows no id by its creation date.
func KeyName(k posture.Key) string {
	if k.ID != "" {
		return k.ID.Fingerprint()
	}
	return clock(k.Created)
}

// bounds of what people type, in bytes: a Slack input holds 3,000 characters.
const maxReason = 3000

func (q Ask) tidy() Ask {
	q.TypedAccount = strings.ReplaceAll(strings.TrimSpace(q.TypedAccount), "-", "")
	q.TypedKey = strings.Map(upper, strings.TrimSpace(q.TypedKey))
	q.Reason, q.Override = tidy(q.Reason), tidy(q.Override)
	return q
}

// upper knows ASCII alone: no other letter becomes one of a key id.
func upper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// tidy is free text as it is kept and said: somebody may have pasted the key into the reason.
func tidy(s string) string {
	s = audit.Mask(strings.TrimSpace(s))
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// typedLast4 checks the last four characters of the key, or the account id where no key id is known.
func (q Ask) typedLast4(k posture.Key) *Refusal {
	if k.ID == "" {
		return q.typedAccount()
	}
	if !same(q.TypedKey, k.ID.Last4()) && !same(posture.KeyID(q.TypedKey).Fingerprint(), k.ID.Fingerprint()) {
		return &Refusal{Code: WrongKey, Field: "key"}
	}
	return nil
}

// keyLength is how many characters the id of a root access key has.
const keyLength = 20

// typedWhole checks the whole key id, or the account id where no key id is known.
func (q Ask) typedWhole(k posture.Key) *Refusal {
	if k.ID == "" {
		return q.typedAccount()
	}
	if len(q.TypedKey) < keyLength {
		return &Refusal{Code: KeyNotWhole, Field: "key"}
	}
	if !same(typedFingerprint(q.TypedKey), k.ID.Fingerprint()) {
		return &Refusal{Code: WrongKey, Field: "key"}
	}
	return nil
}

// typedFingerprint is the fingerprint of a typed id. A handle is no id: a person who types one has not read the key.
func typedFingerprint(typed string) string {
	k := posture.KeyID(typed)
	if !k.Whole() || strings.Contains(typed, "#") {
		return "-"
	}
	return k.Fingerprint()
}

func (q Ask) typedAccount() *Refusal {
	if !same(q.TypedAccount, string(q.Account)) {
		return &Refusal{Code: WrongAccount, Field: "account"}
	}
	return nil
}

// target is what an opening request is about, as the store and AWS know it.
type target struct {
	look  Look
	key   posture.Key // as AWS shows it now
	facts remediation.Facts
	ways  Ways
	means remediation.Means
	del   remediation.Means
}

// find reads the account from the store and the key from AWS. What the person typed is compared with what the
// store knows, before AWS is asked; where the store knows no id, with what AWS shows.
func (s *Service) find(ctx context.Context, q Ask, typed func(posture.Key) *Refusal) (target, error) {
	var t target
	var err error
	t.look, err = s.d.Estate.Look(ctx, q.Source, q.Account)
	if errors.Is(err, ErrNotFound) {
		return t, &Refusal{Code: UnknownAccount, Field: "account"}
	}
	if err != nil {
		return t, fmt.Errorf("read account %s: %w", q.Account, err)
	}
	known, ok := pick(listed(t.look.Evidence), q.Key)
	if !ok {
		return t, &Refusal{Code: UnknownKey, Field: "key"}
	}
	if known.ID != "" {
		if r := typed(known); r != nil {
			return t, r
		}
	}
	account := t.look.Evidence.Account
	if s.exempt(account.ID) {
		return t, &Refusal{Code: NeverActOn}
	}
	t.ways = s.d.Inspector.Ways(ctx, account)
	if t.ways.Exempt {
		return t, &Refusal{Code: NeverActOn}
	}
	probe := remediation.Request{Source: account.Source, Account: account.ID, Key: known, Means: t.ways.Deactivate, DeleteMeans: t.ways.Delete}
	t.facts = s.d.Inspector.Read(ctx, probe)
	if g := t.facts.Gap; g != nil {
		return t, &Refusal{Code: Unreadable, Args: map[string]string{"reason": string(g.Reason)}}
	}
	t.facts.Source, t.facts.Account = account.Source, account.ID
	if t.key, ok = t.now(known); !ok {
		return t, &Refusal{Code: UnknownKey, Field: "key"}
	}
	if known.ID == "" {
		// Only this reading tells whether the key has an id, and so what the form asked the person to type.
		if r := typed(t.key); r != nil {
			return t, r
		}
	}
	t.means, t.del = t.ways.For(t.key.ID)
	return t, nil
}

// now is the key as AWS shows it now. Where AWS lists no key at all, only that one exists, the store's word stands.
func (t target) now(known posture.Key) (posture.Key, bool) {
	switch {
	case t.facts.NoKeys:
		return known, false
	case !t.facts.KeysKnown:
		return known, known.ID == ""
	}
	return pick(t.facts.Keys, KeyName(known))
}

// listed are the keys of the evidence. Where AWS only tells that there is one, it is a key without a name.
func listed(e posture.Evidence) []posture.Key {
	if e.Keys.Known() {
		return e.Keys.Value
	}
	if e.AccessKeys.Known() && e.AccessKeys.Value {
		return []posture.Key{{}}
	}
	return nil
}

// listedAt is when the keys that [listed] gives were so.
func listedAt(e posture.Evidence) time.Time {
	if e.Keys.Known() {
		return e.Keys.At
	}
	return e.AccessKeys.At
}

// pick finds a key by its name. An empty name means the only one. A key whose id the scan did not see is named by its
// creation date, also where a better reading shows the id; two of one date are nobody's.
func pick(keys []posture.Key, name string) (posture.Key, bool) {
	if name == "" && len(keys) == 1 {
		return keys[0], true
	}
	var found []posture.Key
	for _, k := range keys {
		if name != "" && (KeyName(k) == name || clock(k.Created) == name) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return posture.Key{}, false
	}
	return found[0], true
}

// exempt asks every entry: an account that is never to be acted on is so by whatever entry it is reached.
func (s *Service) exempt(account posture.AccountID) bool {
	for _, c := range s.cfg.Sources {
		if slices.Contains(c.NeverActOn, account) {
			return true
		}
	}
	return false
}

// policy is what a new request is made under. A request made in a dry run stays dry for ever.
func (s *Service) policy() remediation.Policy {
	p := s.cfg.Policy
	p.DryRun = p.DryRun || s.cfg.DryRun
	return p
}

// notPaused refuses while the pause switch is on. An undo does not ask it.
func (s *Service) notPaused(ctx context.Context) error {
	sw, err := s.d.Ledger.Switch(ctx)
	if err != nil {
		return fmt.Errorf("read the pause switch: %w", err)
	}
	if sw.Paused {
		return &Refusal{Code: IsPaused, Args: map[string]string{"by": sw.By, "when": when(sw.At)}}
	}
	return nil
}

// RequestDeactivate opens a request for a key. Nothing is changed in AWS before a second person has confirmed it.
func (s *Service) RequestDeactivate(ctx context.Context, a Actor, q Ask) (remediation.Request, error) {
	q = q.tidy()
	by, no := s.permitCounted(ctx, a, ActRequest, q.Source)
	if no != nil {
		return remediation.Request{}, s.refused(ctx, a, q.subject("deactivate"), no)
	}
	t, err := s.ready(ctx, q, func(k posture.Key) *Refusal { return q.typedLast4(k) })
	if err == nil {
		r := remediation.Open(remediation.RequestID(s.d.NewID()), by, q.Reason, t.facts, t.key, t.means, t.del, s.policy(), s.d.Now())
		err = s.open(ctx, a, r, audit.RemediationRequested, nil, nil)
		if err == nil {
			return r, nil
		}
	}
	return remediation.Request{}, s.record(ctx, a, q.subject("deactivate"), err)
}

// ready checks everything that can be checked before a request is opened.
func (s *Service) ready(ctx context.Context, q Ask, typed func(posture.Key) *Refusal) (target, error) {
	if q.TypedAccount != "" {
		if r := q.typedAccount(); r != nil {
			return target{}, r
		}
	}
	t, err := s.find(ctx, q, typed)
	switch {
	case err != nil:
		return t, err
	case q.Reason == "":
		return t, &Refusal{Code: ReasonWanted, Field: "reason"}
	case t.means == remediation.MeansNone || t.means == "":
		return t, &Refusal{Code: NoMeans, Args: map[string]string{"why": t.ways.Why}}
	}
	if err := s.notPaused(ctx); err != nil {
		return t, err
	}
	return t, s.notOpen(ctx, q.Account, t.key)
}

// notOpen refuses a second request on a key, by whatever name and entry it is known. The store refuses it too; this one
// says whose the first is.
func (s *Service) notOpen(ctx context.Context, account posture.AccountID, key posture.Key) error {
	open, err := s.requests(ctx, RequestQuery{Account: account, Open: true})
	if err != nil {
		return fmt.Errorf("read the open requests of %s: %w", account, err)
	}
	for _, r := range open {
		if r.Key.MayBe(key) {
			return &Refusal{Code: AlreadyOpen, Args: map[string]string{
				"request": string(r.ID), "by": r.Requester.User, "when": when(r.OpenedAt), "state": string(r.State),
			}}
		}
	}
	return nil
}

// open commits a new request with what follows from it.
func (s *Service) open(ctx context.Context, a Actor, r remediation.Request, action audit.Action, sw *Switch, more []Item) error {
	now := r.OpenedAt
	items, err := s.queueing(ctx, r, remediation.Opening(r, now))
	if err != nil {
		return err
	}
	e := record(audit.User(a.User, a.Team), now, "", r, remediation.Event{Reason: r.Reason}, action)
	e.Detail["event"] = "open"
	c := Change{Request: &r, Switch: sw, Audit: []audit.Event{e}, Queue: append(items, more...)}
	_, err = s.d.Ledger.Commit(ctx, c)
	if errors.Is(err, ErrConflict) {
		if taken := s.notOpen(ctx, r.Account, r.Key); taken != nil {
			return taken
		}
	}
	if err != nil {
		return fmt.Errorf("commit request %s: %w", r.ID, err)
	}
	return nil
}

func (q Ask) subject(act string) subject {
	return subject{act: act, source: q.Source, account: q.Account}
}

// record puts a refusal on record. A failure is returned as it is.
func (s *Service) record(ctx context.Context, a Actor, about subject, err error) error {
	if r := refusal(err); r != nil {
		return s.refused(ctx, a, about, r)
	}
	return err
}

const (
	emergencies   = 3 // break-glass declarations in any 24 hours
	emergencySpan = 24 * time.Hour
)

// BreakGlass opens a request that acts at once: one approver alone, on deactivate only, with the account id and the whole
// key id typed. Everybody in the channel is told, and the next digest says it again.
func (s *Service) BreakGlass(ctx context.Context, a Actor, q Ask) (remediation.Request, error) {
	q = q.tidy()
	about := q.subject(ActBreakGlass)
	by, no := s.permit(ctx, a, ActBreakGlass, q.Source)
	if no == nil {
		no = q.typedAccount()
	}
	if no != nil {
		return remediation.Request{}, s.refused(ctx, a, about, no)
	}
	t, err := s.ready(ctx, q, func(k posture.Key) *Refusal { return q.typedWhole(k) })
	switch {
	case err == nil && t.key.Status == posture.KeyInactive:
		err = &Refusal{Code: AlreadySo}
	case err == nil && t.means == remediation.MeansGuided:
		err = &Refusal{Code: NoMeans, Args: map[string]string{"why": "emergency_guided"}}
	}
	if err != nil {
		return remediation.Request{}, s.record(ctx, a, about, inTheWay(err))
	}
	for range rounds {
		r := remediation.OpenBreakGlass(remediation.RequestID(s.d.NewID()), by, q.Reason, t.facts, t.key, t.means, t.del, s.policy(), s.d.Now())
		notice := item("notice/break_glass/"+string(r.ID), KindNotice, Work{
			Notice: NoticeBreakGlass, Request: r.ID, Source: r.Source, Account: r.Account, By: a.User, Reason: q.Reason,
		}, r.OpenedAt)
		sw, err := s.emergencies(ctx, r.OpenedAt)
		if err == nil {
			err = s.open(ctx, a, r, audit.BreakglassDeclared, &sw, []Item{notice})
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return remediation.Request{}, s.record(ctx, a, about, inTheWay(err))
		}
		return r, nil
	}
	return remediation.Request{}, fmt.Errorf("declare an emergency on %s: %w", q.Account, ErrConflict)
}

// inTheWay tells whoever declares an emergency to take back the request that keeps them from it, where that can be done.
func inTheWay(err error) error {
	no := refusal(err)
	waits := []remediation.State{remediation.Requested, remediation.Approved, remediation.AwaitingOwner}
	if no == nil || no.Code != AlreadyOpen || !slices.Contains(waits, remediation.State(no.Args["state"])) {
		return err
	}
	return &Refusal{Code: EmergencyOpen, Args: no.Args}
}

// emergencies counts the declarations of the last day. The switch that it returns, unchanged but for its version, is
// written with the next one: two declarations at once cannot both be the third, and none passes a pause.
func (s *Service) emergencies(ctx context.Context, now time.Time) (Switch, error) {
	sw, err := s.d.Ledger.Switch(ctx)
	if err != nil {
		return sw, fmt.Errorf("read the pause switch: %w", err)
	}
	if sw.Paused {
		return sw, &Refusal{Code: IsPaused, Args: map[string]string{"by": sw.By, "when": when(sw.At)}}
	}
	declared, err := s.declared(ctx, now.Add(-emergencySpan))
	if err != nil {
		return sw, err
	}
	if len(declared) >= emergencies {
		return sw, &Refusal{Code: EmergencyLimit}
	}
	sw.Version++
	return sw, nil
}

func (s *Service) declared(ctx context.Context, since time.Time) ([]remediation.Request, error) {
	all, err := s.requests(ctx, RequestQuery{})
	if err != nil {
		return nil, fmt.Errorf("read the requests: %w", err)
	}
	var found []remediation.Request
	for _, r := range all {
		if r.OpenedAt.Before(since) {
			break // newest first
		}
		if r.BreakGlass {
			found = append(found, r)
		}
	}
	return found, nil
}
