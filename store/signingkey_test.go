package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/store"
)

func signerOf(t *testing.T, seed string) audit.Signer {
	t.Helper()
	return must[audit.Signer](t)(audit.NewSigner("rootcheck", strings.NewReader(strings.Repeat(seed, 32))))
}

func TestOneKeySignsUntilItIsRotated(t *testing.T) {
	t.Parallel()
	first, second := signerOf(t, "a").Verifier(), signerOf(t, "b").Verifier()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			for range 2 {
				ok(t, s.UseSigningKey(t.Context(), first))
			}
			other, isOther := errors.AsType[*store.OtherKeyError](s.UseSigningKey(t.Context(), second))
			if !isOther || other.Want != first {
				t.Fatalf("a second key is answered with %v", other)
			}
			if r := verify(t, s); r.Records != 1 {
				t.Fatalf("%d records of one key", r.Records)
			}
			ok(t, s.RotateSigningKey(t.Context(), second))
			if err := s.UseSigningKey(t.Context(), first); err == nil {
				t.Error("the key of before the rotation signs again")
			}
			if now := must[string](t)(s.SigningKey(t.Context())); now != second {
				t.Errorf("%s signs", now)
			}
			ok(t, s.ReadLog(t.Context(), func(l store.Log) error {
				if len(l.Keys) != 2 || l.Keys[0] != first || l.Keys[1] != second {
					t.Errorf("the log names %v", l.Keys)
				}
				return nil
			}))
			leaves := must[[]audit.Leaf](t)(s.Audit(t.Context(), commands.AuditQuery{Limit: 1}))
			if leaves[0].Actor.Kind != audit.KindOperator || leaves[0].Detail["before"] != first {
				t.Errorf("the rotation is on record as %+v", leaves[0])
			}
		})
	}
}

func TestHeadsOfBeforeKeysWereRecordedTellTheirKey(t *testing.T) {
	t.Parallel()
	mine, other := signerOf(t, "a"), signerOf(t, "b")
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			ok(t, commit(t, s, commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}))
			h := must[audit.Head](t)(s.Head(t.Context()))
			ok(t, s.SaveHead(t.Context(), must[audit.SignedHead](t)(mine.SignHead(h, newClock().Now()))))
			if _, isOther := errors.AsType[*store.OtherKeyError](s.UseSigningKey(t.Context(), other.Verifier())); !isOther {
				t.Error("a key that never signed a head is taken for the log's own")
			}
			ok(t, s.UseSigningKey(t.Context(), mine.Verifier()))
		})
	}
}

func TestReplicasThatBeginWithDifferentKeysEndWithOne(t *testing.T) {
	t.Parallel()
	url := postgres.Database(t)
	replicas := map[string]*store.Store{}
	for _, seed := range []string{"a", "b", "c", "d"} {
		replicas[signerOf(t, seed).Verifier()] = openURL(t, url)
	}
	results := make(chan error)
	for key, s := range replicas {
		go func() { results <- s.UseSigningKey(t.Context(), key) }()
	}
	refused := 0
	for range replicas {
		if _, isOther := errors.AsType[*store.OtherKeyError](<-results); isOther {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d of four were refused, want three", refused)
	}
}
