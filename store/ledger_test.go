package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/scheduler"
	"github.com/rootcheck-bot/rootcheck/store"
)

func TestWhatNeverWasIsToldApartFromWhatIs(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			_, err1 := s.Request(t.Context(), "never")
			_, err2 := s.Owner(t.Context(), "acme", account)
			_, err3 := s.Look(t.Context(), "", account)
			_, err4 := s.LastRun(t.Context())
			_, err5 := s.CurrentRun(t.Context())
			_, err6 := s.Message(t.Context(), "card")
			_, err7 := s.KeyOf(t.Context(), "C1", "1.1")
			_, err8 := s.Mute(t.Context(), "acme", account, posture.RootMFA)
			for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8} {
				if !errors.Is(err, commands.ErrNotFound) {
					t.Errorf("look-up %d: %v, want ErrNotFound", i+1, err)
				}
			}
			same(t, "block", remediation.Block{Source: "acme", Account: account}, must[remediation.Block](t)(s.Block(t.Context(), "acme", account)))
			same(t, "switch", commands.Switch{}, must[commands.Switch](t)(s.Switch(t.Context())))
			at, findings, err := s.Marked(t.Context(), "digest")
			if all := unpacked(t, findings); err != nil || !at.IsZero() || len(all) != 0 {
				t.Errorf("never marked: %v, %v, %v", at, all, err)
			}
		})
	}
}

func TestRequestsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			write := func(id, source string, a posture.AccountID, key posture.KeyID, state remediation.State, age time.Duration) {
				r := request(id)
				r.Source, r.Account, r.Key.ID, r.State, r.OpenedAt = source, a, key, state, r.OpenedAt.Add(-age)
				ok(t, commit(t, s, commands.Change{Request: &r}))
			}
			write("middle", "acme", account, "AKIAAAAAAAAAAAAAAAA2", remediation.Inactive, 2*time.Hour)
			write("newest", "acme", account, "AKIAAAAAAAAAAAAAAAA1", remediation.Requested, time.Hour)
			write("oldest", "acme", account, "AKIAAAAAAAAAAAAAAAA1", remediation.Verified, 3*time.Hour)
			write("other", "lab", "333333333333", "AKIAAAAAAAAAAAAAAAA3", remediation.Requested, 4*time.Hour)
			for name, tt := range map[string]struct {
				query commands.RequestQuery
				want  []string
			}{
				"everything":        {commands.RequestQuery{}, []string{"newest", "middle", "oldest", "other"}},
				"one source":        {commands.RequestQuery{Source: "lab"}, []string{"other"}},
				"one account":       {commands.RequestQuery{Account: account}, []string{"newest", "middle", "oldest"}},
				"what is open":      {commands.RequestQuery{Open: true}, []string{"newest", "middle", "other"}},
				"the last two":      {commands.RequestQuery{Limit: 2}, []string{"newest", "middle"}},
				"none":              {commands.RequestQuery{Source: "lab", Account: account}, nil},
				"the open, limited": {commands.RequestQuery{Account: account, Open: true, Limit: 1}, []string{"newest"}},
			} {
				var got []string
				for _, r := range must[[]remediation.Request](t)(s.Requests(t.Context(), tt.query)) {
					got = append(got, string(r.ID))
					if !r.Key.ID.Whole() {
						t.Errorf("request %s came back without its whole key id", r.ID)
					}
				}
				same(t, name, tt.want, got)
			}
		})
	}
}

func TestOwnersAreListedWhileSomebodyMustActOnThem(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			for _, tt := range []struct {
				account posture.AccountID
				owner   commands.Owner
			}{
				{"111111111111", commands.Owner{Stage: commands.OwnerTold}},
				{"222222222222", commands.Owner{Stage: commands.OwnerUntold}},
				{"333333333333", commands.Owner{Stage: commands.OwnerAnswered}},
				{"444444444444", commands.Owner{Stage: commands.OwnerFinished}},
				{"555555555555", commands.Owner{Claim: "U3"}},
				{"666666666666", commands.Owner{Stage: commands.OwnerHeld}},
				{"777777777777", commands.Owner{Stage: commands.OwnerGaveUp}},
			} {
				o := tt.owner
				o.Version, o.Source, o.Account = 1, "acme", tt.account
				ok(t, commit(t, s, commands.Change{Owner: &o}))
			}
			list := func() (got []posture.AccountID) {
				for _, o := range must[[]commands.Owner](t)(s.Owners(t.Context())) {
					got = append(got, o.Account)
				}
				return got
			}
			same(t, "waiting", []posture.AccountID{"111111111111", "333333333333", "555555555555", "666666666666"}, list())
			done := commands.Owner{Version: 2, Source: "acme", Account: "111111111111", Stage: commands.OwnerFinished}
			ok(t, commit(t, s, commands.Change{Owner: &done}))
			same(t, "after one is done", []posture.AccountID{"333333333333", "555555555555", "666666666666"}, list())
		})
	}
}

func TestAMuteEndsByTheGivenClock(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			m := commands.Mute{Version: 1, Source: "acme", Account: account, Control: posture.RootMFA, Until: c.Now().Add(time.Hour)}
			ok(t, commit(t, s, commands.Change{Mute: &m}))
			same(t, "in force", []commands.Mute{m}, must[[]commands.Mute](t)(s.Mutes(t.Context())))
			c.advance(time.Hour)
			same(t, "over", nil, must[[]commands.Mute](t)(s.Mutes(t.Context())))
			same(t, "still known", m, must[commands.Mute](t)(s.Mute(t.Context(), "acme", account, posture.RootMFA)))
		})
	}
}

func TestDeletionsAreCountedByRequest(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			at := newClock().Now()
			attempt := func(request string, to remediation.State, when time.Time) {
				e := event(audit.RemediationAttempted)
				e.Request, e.To, e.At, e.Outcome = request, string(to), when, audit.OutcomeAttempt
				ok(t, commit(t, s, commands.Change{Audit: []audit.Event{e}}))
			}
			attempt("r0", remediation.Deleting, at.Add(-25*time.Hour))
			attempt("r1", remediation.Deleting, at.Add(-24*time.Hour))
			attempt("r1", remediation.Deleting, at.Add(-time.Hour)) // a second attempt of the same request
			attempt("r2", remediation.Deactivating, at.Add(-time.Hour))
			attempt("r3", remediation.Deleting, at)
			handed := event(audit.RemediationInstructed)
			handed.Request, handed.To, handed.At = "r4", string(remediation.AwaitingOwnerDelete), at
			other := handed
			other.Request, other.To = "r5", string(remediation.AwaitingOwner)
			ok(t, commit(t, s, commands.Change{Audit: []audit.Event{handed, other}}))
			if n := must[int](t)(s.Deletions(t.Context(), at.Add(-24*time.Hour))); n != 3 {
				t.Errorf("%d deletions in a day, want 3", n)
			}
		})
	}
}

func TestAuditRecordsAreFoundByAccountAndRequest(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t, replica("pod-7"))
			for i, e := range []audit.Event{
				{Request: "r1", Account: "111111111111"},
				{Request: "r2", Account: "222222222222"},
				{Request: "r1", Account: "111111111111", Reason: "typed AKIAIOSFODNN7EXAMPLE by mistake"},
				{Account: "111111111111"},
			} {
				base := event(audit.RemediationRequested)
				e.At, e.Actor, e.Action, e.Outcome, e.Version = base.At, base.Actor, base.Action, base.Outcome, i+1
				ok(t, commit(t, s, commands.Change{Audit: []audit.Event{e}}))
			}
			for name, tt := range map[string]struct {
				query commands.AuditQuery
				want  []int64
			}{
				"everything":             {commands.AuditQuery{}, []int64{3, 2, 1, 0}},
				"an account":             {commands.AuditQuery{Account: "111111111111"}, []int64{3, 2, 0}},
				"a request":              {commands.AuditQuery{Request: "r1"}, []int64{2, 0}},
				"the newest of both":     {commands.AuditQuery{Account: "111111111111", Request: "r1", Limit: 1}, []int64{2}},
				"what nobody ever wrote": {commands.AuditQuery{Request: "r9"}, nil},
			} {
				var got []int64
				for _, l := range must[[]audit.Leaf](t)(s.Audit(t.Context(), tt.query)) {
					got = append(got, l.Seq)
					if l.Replica != "pod-7" || l.Build != "v0.0.0-test" {
						t.Errorf("record %d was written by %q, %q", l.Seq, l.Replica, l.Build)
					}
				}
				same(t, name, tt.want, got)
			}
		})
	}
}

func TestPublishedHeadsAreKeptAndProveTheLog(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			signer := must[audit.Signer](t)(audit.NewSigner("rootcheck/test", zeros{}))
			var want []string
			for range 3 {
				ok(t, commit(t, s, commands.Change{Audit: []audit.Event{event(audit.HeadPublished)}}))
				h := must[audit.SignedHead](t)(signer.SignHead(must[audit.Head](t)(s.Head(t.Context())), newClock().Now()))
				ok(t, s.SaveHead(t.Context(), h))
				ok(t, s.SaveHead(t.Context(), h))
				want = append(want, h.String())
			}
			heads := must[[]string](t)(s.Heads(t.Context()))
			same(t, "heads", want, heads)
			r, _ := readLog(t, s, audit.Check{Verifiers: []string{signer.Verifier()}})
			if !r.OK() || r.Heads != 3 || r.Witnessed != 3 {
				t.Errorf("verified %+v", r)
			}
			if err := s.SaveHead(t.Context(), audit.SignedHead{}); err == nil {
				t.Error("a head that nobody signed was saved")
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAMessageIsFoundByWhatItShowsAndByWhereItStands(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			old, now := commands.MessageRef{Channel: "C1", TS: "1.1", Hash: "a"}, commands.MessageRef{Channel: "C1", TS: "2.2", Hash: "b"}
			ok(t, s.SaveMessage(t.Context(), "card/acme/1", old))
			ok(t, s.SaveMessage(t.Context(), "card/acme/1", old))
			ok(t, s.SaveMessage(t.Context(), "card/acme/1", now))
			ok(t, s.SaveMessage(t.Context(), "card/acme/2", commands.MessageRef{Channel: "C2", TS: "1.1"}))
			same(t, "where it stands", now, must[commands.MessageRef](t)(s.Message(t.Context(), "card/acme/1")))
			for ts, want := range map[string]string{"2.2": "card/acme/1", "1.1": "card/acme/1"} {
				same(t, "what "+ts+" shows", want, must[string](t)(s.KeyOf(t.Context(), "C1", ts)))
			}
			same(t, "another channel", "card/acme/2", must[string](t)(s.KeyOf(t.Context(), "C2", "1.1")))
		})
	}
}

var _ scheduler.Occurrences = store.Occurrences{}

func TestAnOccurrenceIsClaimedOnce(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			o := store.Occurrences{Store: s}
			at := c.Now().Truncate(time.Hour)
			if last := must[time.Time](t)(o.Last(t.Context(), "digest")); !last.IsZero() {
				t.Errorf("before the first: %v", last)
			}
			item := commands.Item{Key: "digest/1", Kind: "slack.digest"}
			for i, want := range []bool{true, false} {
				if got := must[bool](t)(o.Claim(t.Context(), "digest", at, item)); got != want {
					t.Errorf("claim %d: %v, want %v", i+1, got, want)
				}
			}
			if !must[bool](t)(o.Claim(t.Context(), "check", at, commands.Item{Key: "scan", Kind: "scan"})) {
				t.Error("another schedule at the same time was not claimed")
			}
			if last := must[time.Time](t)(o.Last(t.Context(), "digest")); !last.Equal(at) {
				t.Errorf("last %v, want the claimed one", last)
			}
			same(t, "queued", map[string]int{"slack.digest": 1, "scan": 1}, must[map[string]int](t)(s.Due(t.Context(), c.Now())))
		})
	}
}
