package audit_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
)

func TestASignedHeadIsReadBackWholeInEachOfItsForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := signer(t)
		h := audit.Head{Size: rapid.Int64Range(0, 1<<40).Draw(t, "size")}
		copy(h.Hash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano"))
		signed, err := s.SignHead(h, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			signed.Note(),
			signed.String(),
			"  `" + signed.String() + "`\n",
			strings.ReplaceAll(signed.String(), " · ", "\u00a0·\n"),
			strings.ReplaceAll(signed.Note(), "\n", "\r\n"),
		} {
			back, err := audit.OpenHead(text, s.Verifier())
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if back != signed || back.Head != h || !back.At.Equal(at) || back.Name != "rootcheck/test" {
				t.Fatalf("%q is read as %v", text, back)
			}
			if bare, err := audit.ParseHead(text); err != nil || bare != h {
				t.Fatalf("%q is read as %v, %v", text, bare, err)
			}
		}
		if bare, err := audit.ParseHead(h.String()); err != nil || bare != h {
			t.Fatalf("%q is read as %v, %v", h, bare, err)
		}
		if strings.ContainsAny(signed.String(), "\n*_~<>&`") {
			t.Fatalf("a message would show %q otherwise", signed)
		}
	})
}

func TestASignedHeadIsANoteThatOthersCanOpen(t *testing.T) {
	s := signer(t)
	signed, err := s.SignHead(audit.Head{Size: 12}, began)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(s.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(signed.Note()), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	const want = "rootcheck/test\n12\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n2026-11-21T09:00:00Z\n"
	if n.Text != want {
		t.Errorf("signed %q, want %q", n.Text, want)
	}
}

func TestNoChangedByteOfASignedHeadHolds(t *testing.T) {
	s := signer(t)
	signed, err := s.SignHead(audit.Head{Size: 1234, Hash: audit.Hash{1, 2, 3}}, began)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{signed.Note(), signed.String()} {
		for i := range len(text) {
			for _, b := range []byte{text[i] ^ 1, text[i] ^ 0x20, '9', ' '} {
				changed := text[:i] + string(b) + text[i+1:]
				got, err := audit.OpenHead(changed, s.Verifier())
				if err == nil && got != signed {
					t.Fatalf("%q is taken for %v", changed, got)
				}
			}
			if _, err := audit.OpenHead(text[:i], s.Verifier()); err == nil && i < len(text)-1 {
				t.Fatalf("a head cut short holds: %q", text[:i])
			}
		}
	}
}

func TestAHeadIsOpenedByAnyOfItsKeysAndByNoOther(t *testing.T) {
	s := signer(t)
	signed, _ := s.SignHead(audit.Head{Size: 3}, began)
	later, err := audit.NewSigner("rootcheck/test", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.OpenHead(signed.Note(), later.Verifier(), s.Verifier()); err != nil {
		t.Error(err)
	}
	if _, err := audit.OpenHead(signed.Note(), later.Verifier()); !errors.Is(err, audit.ErrForged) {
		t.Errorf("got %v", err)
	}
	if _, err := audit.OpenHead(signed.Note()); !errors.Is(err, audit.ErrForged) {
		t.Errorf("without any key: %v", err)
	}
	if _, err := audit.OpenHead(signed.Note(), "not a key"); err == nil || errors.Is(err, audit.ErrForged) {
		t.Errorf("a key that is none: %v", err)
	}
}

func TestASigningKeySurvivesItsFileAndShowsItselfNowhereElse(t *testing.T) {
	for range 50 { // one key in three has a plus sign in its data
		s, err := audit.NewSigner("rootcheck/acme", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		back, err := audit.ParseSigner(s.Marshal() + "\n")
		if err != nil {
			t.Fatal(err)
		}
		signed, err := back.SignHead(audit.Head{Size: 1}, began)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := audit.OpenHead(signed.Note(), s.Verifier()); err != nil || back.Verifier() != s.Verifier() {
			t.Fatal("another key came back", err)
		}

		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("made", "key", s)
		holder := struct{ inside audit.Signer }{s}
		fmt.Fprintf(&out, "%v %+v %#v %s %q %v %+v %#v", s, s, s, s, s, holder, holder, &holder)
		secret := s.Marshal()[strings.LastIndex(s.Marshal()[:40], "+")+1:]
		if strings.Contains(out.String(), "PRIVATE") || strings.Contains(out.String(), secret) {
			t.Fatalf("the key shows itself: %s", out.String())
		}
	}
}

func TestWhatIsNoKeyOrNoHeadIsRefused(t *testing.T) {
	s := signer(t)
	signed, _ := s.SignHead(audit.Head{Size: 3}, began)
	var zero audit.Signer
	for name, err := range map[string]error{
		"no name":                      second(audit.NewSigner("", rand.Reader)),
		"a name with a space":          second(audit.NewSigner("a b", rand.Reader)),
		"a name with a plus":           second(audit.NewSigner("a+b", rand.Reader)),
		"a name of a dot":              second(audit.NewSigner("·", rand.Reader)),
		"a name with a control":        second(audit.NewSigner("a\x01b", rand.Reader)),
		"too little randomness":        second(audit.NewSigner("a", strings.NewReader("short"))),
		"no randomness":                second(audit.NewSigner("a", io.LimitReader(rand.Reader, 0))),
		"an empty key":                 second(audit.ParseSigner("")),
		"a public key for a secret":    second(audit.ParseSigner(s.Verifier())),
		"a key cut short":              second(audit.ParseSigner(s.Marshal()[:len(s.Marshal())-4])),
		"signing without a key":        second(zero.SignHead(audit.Head{}, began)),
		"signing a negative size":      second(s.SignHead(audit.Head{Size: -1}, began)),
		"signing without a time":       second(s.SignHead(audit.Head{}, time.Time{})),
		"an empty head":                second(audit.ParseHead("")),
		"a head of a huge size":        second(audit.ParseHead("size 9223372036854775807 · hash " + signed.Hash.String())),
		"a size with a sign":           second(audit.ParseHead("size +3 · hash " + signed.Hash.String())),
		"a hash with a loose end":      second(audit.ParseHead("size 3 · hash " + strings.Repeat("A", 42) + "B=")),
		"a time with needless digits":  second(audit.OpenHead(strings.Replace(signed.String(), "00Z", "00.0Z", 1), s.Verifier())),
		"a hash cut short":             second(audit.ParseHead("size 3 · hash AAAA")),
		"a signed line without a time": second(audit.OpenHead(strings.Replace(signed.String(), "2026", "later", 1), s.Verifier())),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		} else if strings.Contains(err.Error(), "PRIVATE") && !strings.Contains(err.Error(), "form PRIVATE+KEY+name") {
			t.Errorf("%s: the error repeats the key: %v", name, err)
		}
	}
	if zero.Marshal() != "" || zero.String() != "" {
		t.Error("the zero signer has a key")
	}
}
