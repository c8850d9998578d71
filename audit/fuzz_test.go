package audit_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// FuzzVerify gives the verifier a table, its hashes and a head that somebody made up. It must end, must not panic, and may
// call a log proven only if it is the one that was signed.
func FuzzVerify(f *testing.F) {
	log, c := written(f, 6, 6)
	text := exported(f, log)
	own := c.Heads[0]
	f.Add(text, own, []byte{})
	f.Add(text, own, []byte{3, 200})
	f.Add(strings.Replace(text, `"seq":3`, `"seq":281474976710655`, 1), own, []byte{})
	f.Add(strings.Replace(text, `"seq":3`, `"seq":9223372036854775807`, 1), "size 281474976710656 · hash "+strings.Repeat("A", 43)+"=", []byte{1})
	f.Add("\n\n{}\nnull\n[]\n", "", []byte{0})
	f.Fuzz(func(t *testing.T, text, head string, flips []byte) {
		hashes := log.clone()
		for i, at := range flips {
			hashes.hashes[int(at)%len(hashes.hashes)][i%32] ^= 1
		}
		given := audit.Check{Heads: append([]string{head}, c.Heads...), Verifiers: c.Verifiers}
		if h, err := audit.ParseHead(head); err == nil {
			given.Own = []audit.Head{h}
		}
		for _, stored := range []audit.HashReader{nil, hashes} {
			given.Records, given.Stored = audit.ReadJSONL(strings.NewReader(text)), stored
			r, err := audit.Verify(t.Context(), given)
			if err != nil {
				if !errors.Is(err, audit.ErrNotCanonical) {
					t.Fatal(err)
				}
				continue
			}
			if r.OK() && r.Witnessed >= 6 && !strings.HasPrefix(text+"\n", exported(t, log)) {
				t.Fatalf("another log is proven: %q", text)
			}
		}
	})
}

// FuzzDecode holds Decode to its promise: what it accepts is canonical, to the byte.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte(strings.Replace(golden, "acme", `\u0001\"\\\b`, 1)))
	f.Add([]byte(`{"seq":0,"at":"2026-11-21T09:00:00Z","actor":{"kind":"system"},"action":"scan.started","outcome":"done"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := audit.Decode(raw)
		if err != nil {
			if !errors.Is(err, audit.ErrNotCanonical) {
				t.Fatal(err)
			}
			return
		}
		again, err := audit.Encode(l)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%q was accepted and encodes as %q, %v", raw, again, err)
		}
	})
}

// FuzzOpenHead reads heads as an auditor may paste them.
func FuzzOpenHead(f *testing.F) {
	s := signer(f)
	signed, err := s.SignHead(audit.Head{Size: 1234, Hash: audit.Hash{1}}, began)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed.Note())
	f.Add(signed.String())
	f.Add("size 1 · hash x · at y · by z · sig w")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := audit.OpenHead(text, s.Verifier()); err == nil && got != signed {
			t.Fatalf("%q holds as %v", text, got)
		}
		if h, err := audit.ParseHead(text); err == nil {
			if again, err := audit.ParseHead(h.String()); err != nil || again != h {
				t.Fatalf("%v is read back as %v, %v", h, again, err)
			}
		}
	})
}
