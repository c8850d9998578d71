package bot_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/bot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// verbs is one account with one key, decided by the real machine. What a test does not need is not there, and would
// panic, which the edge must survive.
type verbs struct {
	bot.Verbs
	now func() time.Time

	mu       sync.Mutex
	request  *remediation.Request
	owner    commands.Owner
	calls    []string
	fail     error         // of the next calls
	slow     time.Duration // of Confirm
	unsigned error         // of SignedHead
	unread   error         // of View
	ring     func() commands.Ring
}

func key() posture.Key {
	return posture.Key{ID: "AKIAEXAMPLE0000WXYZ1", Status: posture.KeyActive, Created: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
}

const account = posture.AccountID("222222222222")

func (v *verbs) note(call string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls = append(v.calls, call)
}

func (v *verbs) count(call string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for _, c := range v.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (v *verbs) May(_ context.Context, a commands.Actor, act string) error {
	v.note("may " + act)
	if a.User == guest {
		return &commands.Refusal{Code: commands.IsGuest}
	}
	return nil
}

func (v *verbs) Refuse(_ context.Context, a commands.Actor, act string, code commands.RefusalCode) error {
	v.note("refuse " + a.User + " " + act + " " + string(code))
	return &commands.Refusal{Code: code}
}

func (v *verbs) View(_ context.Context, source string, id posture.AccountID) (commands.AccountView, error) {
	if source != "acme" || id != account {
		return commands.AccountView{}, commands.ErrNotFound
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.unread != nil {
		return commands.AccountView{}, v.unread
	}
	view := commands.AccountView{
		Look: commands.Look{
			Evidence: posture.Evidence{Account: posture.Account{ID: account, Source: "acme", Name: "Payments <!channel>", Role: posture.RoleMember}, At: v.now()},
			Findings: []posture.Finding{
				{Control: posture.RootAccessKey, Status: posture.Failed, Severity: posture.Critical, Code: posture.CodeKeyActive},
				{Control: posture.RootMFA, Status: posture.Failed, Severity: posture.Critical, Code: posture.CodeNoMFA},
			},
		},
		Keys:  []commands.KeyView{{Key: key(), Deactivate: remediation.MeansOrganization, Delete: remediation.MeansOrganization}},
		Ways:  commands.Ways{Deactivate: remediation.MeansOrganization, Delete: remediation.MeansOrganization},
		Owner: v.owner,
	}
	if v.request != nil {
		r := *v.request
		if r.State.Ended() {
			view.Ended = append(view.Ended, r)
		} else {
			view.Keys[0].Open = &r
		}
	}
	return view, nil
}

func (v *verbs) Account(ctx context.Context, _ commands.Actor, word string) (commands.AccountView, error) {
	if word != string(account) && word != "acme/"+string(account) && word != "Payments" {
		return commands.AccountView{}, &commands.Refusal{Code: commands.UnknownAccount}
	}
	return v.View(ctx, "acme", account)
}

func (v *verbs) Find(ctx context.Context, a commands.Actor, words string) (commands.Found, error) {
	view, err := v.Account(ctx, a, words)
	return commands.Found{Account: &view}, err
}

// MayStep asks the machine, as the verbs do, and changes nothing.
func (v *verbs) MayStep(_ context.Context, a commands.Actor, id remediation.RequestID, version int, k remediation.Kind) error {
	v.note("may " + string(k) + " " + a.User)
	if a.User == guest {
		return &commands.Refusal{Code: commands.IsGuest}
	}
	r, err := v.Request(context.Background(), id)
	if err != nil {
		return &commands.Refusal{Code: commands.UnknownRequest}
	}
	d := remediation.Decide(r, remediation.Event{Kind: k, Version: version, By: remediation.Person{User: a.User}, Reason: "r", Override: "o"}, v.now())
	if d.Refusal != nil {
		return d.Refusal
	}
	return nil
}

func (v *verbs) AccountAt(ctx context.Context, _ commands.Actor, source string, id posture.AccountID) (commands.AccountView, error) {
	v.note("account at " + source + "/" + string(id))
	return v.View(ctx, source, id)
}

func (v *verbs) List(context.Context, commands.Actor, string, int) (commands.List, error) {
	return commands.List{}, nil
}

func (v *verbs) Home(context.Context, commands.Actor) (commands.List, []remediation.Request, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.request == nil {
		return commands.List{First: true}, nil, nil
	}
	return commands.List{First: true}, []remediation.Request{*v.request}, nil
}

func (v *verbs) Preview(ctx context.Context, _ commands.Actor, source string, id posture.AccountID, _ string, _ remediation.RequestID) (commands.Preview, error) {
	view, err := v.View(ctx, source, id)
	return commands.Preview{
		View: view, Facts: remediation.Facts{At: v.now()}, Key: key(), Present: true, Request: view.Keys[0].Open,
		Act: remediation.ActDeactivate, Means: remediation.MeansOrganization,
	}, err
}

func (v *verbs) Request(_ context.Context, id remediation.RequestID) (remediation.Request, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.request == nil || v.request.ID != id {
		return remediation.Request{}, commands.ErrNotFound
	}
	return *v.request, nil
}

// Ring calls ben, where nothing else is said.
func (v *verbs) Ring(context.Context, remediation.Request) (commands.Ring, error) {
	v.mu.Lock()
	f := v.ring
	v.mu.Unlock()
	if f != nil {
		return f(), nil
	}
	return commands.Ring{Open: true, Users: []string{ben}}, nil
}

func (v *verbs) Digest(context.Context, time.Time) (commands.Digest, error) {
	return commands.Digest{Coverage: commands.Coverage{Scanned: 1, Listed: 1}, TwoPerson: true, Head: "head 1 abc"}, nil
}

func (v *verbs) DrawDigest(ctx context.Context, _ string) (commands.Digest, error) {
	return v.Digest(ctx, time.Time{})
}

func (v *verbs) SignedHead(context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return "head 1 abc", v.unsigned
}

func (v *verbs) DigestPosted(context.Context, string, commands.Digest) (commands.Change, error) {
	v.note("digest posted")
	return commands.Change{}, nil
}

func (v *verbs) RequestDeactivate(_ context.Context, a commands.Actor, q commands.Ask) (remediation.Request, error) {
	v.note("request " + a.User)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.fail != nil:
		return remediation.Request{}, v.fail
	case q.TypedKey != key().ID.Last4():
		return remediation.Request{}, &commands.Refusal{Code: commands.WrongKey, Field: "key"}
	case q.Key != key().ID.Fingerprint():
		return remediation.Request{}, &commands.Refusal{Code: commands.UnknownKey}
	case v.request != nil && !v.request.State.Ended():
		return remediation.Request{}, &commands.Refusal{Code: commands.AlreadyOpen, Args: map[string]string{"by": v.request.Requester.User}}
	}
	f := remediation.Facts{Source: "acme", Account: account, At: v.now(), Keys: []posture.Key{key()}, KeysKnown: true, KeysAt: v.now()}
	r := remediation.Open("r-1", remediation.Person{User: a.User}, q.Reason, f, key(), remediation.MeansOrganization, remediation.MeansOrganization, remediation.DefaultPolicy(), v.now())
	v.request = &r
	return r, nil
}

func (v *verbs) decide(a commands.Actor, id remediation.RequestID, e remediation.Event) (remediation.Request, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.request == nil || v.request.ID != id {
		return remediation.Request{}, &commands.Refusal{Code: commands.UnknownRequest}
	}
	if a.Team != "" && a.At.IsZero() {
		return remediation.Request{}, errors.New("what comes in an envelope says when it came")
	}
	e.By, e.At = remediation.Person{User: a.User}, a.At
	d := remediation.Decide(*v.request, e, v.now())
	if d.Refusal != nil {
		return *v.request, d.Refusal
	}
	v.request = &d.Next
	return d.Next, nil
}

func (v *verbs) Confirm(_ context.Context, a commands.Actor, id remediation.RequestID, version int, _ string) (remediation.Request, error) {
	v.note("confirm " + a.User)
	v.mu.Lock()
	slow := v.slow
	v.mu.Unlock()
	<-time.After(slow)
	return v.decide(a, id, remediation.Event{Kind: remediation.Confirm, Version: version})
}

func (v *verbs) Reject(_ context.Context, a commands.Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error) {
	v.note("reject " + a.User)
	return v.decide(a, id, remediation.Event{Kind: remediation.Reject, Version: version, Reason: reason})
}

func (v *verbs) Cancel(_ context.Context, a commands.Actor, id remediation.RequestID, version int) (remediation.Request, error) {
	v.note("cancel " + a.User)
	return v.decide(a, id, remediation.Event{Kind: remediation.Cancel, Version: version})
}

func (v *verbs) ChooseDevice(_ context.Context, a commands.Actor, _ string, _ posture.AccountID, device, system string) (commands.Owner, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if a.User != v.owner.User {
		return commands.Owner{}, &commands.Refusal{Code: commands.NotOwner}
	}
	v.owner.Device, v.owner.System = device, system
	return v.owner, nil
}

func (v *verbs) MFADone(context.Context, commands.Actor, string, posture.AccountID) (posture.Evidence, commands.Owner, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.owner.Stage, v.owner.DoneAt = commands.OwnerFinished, v.now()
	return posture.Evidence{MFA: posture.Told(true, "GetAccountSummary", v.now())}, v.owner, nil
}

// store is an inbox, an outbox and a board in memory.
type store struct {
	mu     sync.Mutex
	items  map[string]commands.Item
	leased map[string]int64
	fence  int64
	broken error
	wake   chan struct{}
	board  map[string]commands.MessageRef
}

func newStore() *store {
	return &store{items: map[string]commands.Item{}, leased: map[string]int64{}, wake: make(chan struct{}, 1), board: map[string]commands.MessageRef{}}
}

func (s *store) Put(_ context.Context, i commands.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	s.items[i.Key] = i
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

func (s *store) Claim(_ context.Context, kinds ...string) (commands.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, i := range s.items {
		if slices.Contains(kinds, i.Kind) && s.leased[k] == 0 {
			s.fence++
			s.leased[k] = s.fence
			return commands.Lease{Item: i, Fence: s.fence, Attempts: 1}, nil
		}
	}
	return commands.Lease{}, commands.ErrNothingDue
}

func (s *store) Finish(_ context.Context, l commands.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leased[l.Key] != l.Fence {
		return commands.ErrLeaseLost
	}
	delete(s.items, l.Key)
	delete(s.leased, l.Key)
	return nil
}

func (s *store) Extend(context.Context, commands.Lease) error           { return nil }
func (s *store) Retry(context.Context, commands.Lease, time.Time) error { return nil }
func (s *store) Defer(context.Context, commands.Lease, time.Time) error { return nil }
func (s *store) Park(context.Context, commands.Lease, string) error     { return nil }
func (s *store) Due(context.Context, time.Time) (map[string]int, error) { return nil, nil }
func (s *store) Wake() <-chan struct{}                                  { return s.wake }
func (s *store) breakWith(err error)                                    { s.mu.Lock(); s.broken = err; s.mu.Unlock() }

func (s *store) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

func (s *store) Message(_ context.Context, key string) (commands.MessageRef, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref, ok := s.board[key]
	if !ok {
		return ref, commands.ErrNotFound
	}
	return ref, nil
}

func (s *store) SaveMessage(_ context.Context, key string, ref commands.MessageRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.board[key] = ref
	return nil
}

func (s *store) KeyOf(_ context.Context, channel, ts string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, r := range s.board {
		if r.Channel == channel && r.TS == ts {
			return k, nil
		}
	}
	return "", commands.ErrNotFound
}
