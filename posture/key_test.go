package posture_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestAKeyIDNeverPrintsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.StringMatching(`A[A-Z0-9]{15,40}`).Draw(t, "id")
		id := posture.KeyID(whole)
		key := posture.Key{ID: id, Status: posture.KeyActive}
		evidence := posture.Evidence{Keys: posture.Told([]posture.Key{key}, "ListAccessKeys", noon())}

		var out bytes.Buffer
		for _, value := range []any{id, &id, key, &key, []posture.KeyID{id}, map[posture.KeyID]bool{id: true}, evidence} {
			for verb := range strings.FieldsSeq("%v %+v %#v %s %q %x %X %d %t %f %e %g %b %o %c %U %20v %-30s %.40s none") {
				fmt.Fprintf(&out, verb+"\n", value)
			}
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("seen", "key", id, "pointer", &id, "whole_key", key, "evidence", evidence, "error", fmt.Errorf("delete %s", id))
		}
		for _, marshal := range []func(any) ([]byte, error){json.Marshal, xml.Marshal} {
			for _, value := range []any{id, key} {
				text, err := marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				out.Write(text)
			}
		}
		for _, leak := range []string{whole, fmt.Sprintf("%x", whole), fmt.Sprintf("%X", whole)} {
			if at := strings.Index(out.String(), leak); at >= 0 {
				t.Fatalf("the whole id is in %q", out.String()[max(at-60, 0):])
			}
		}
	})
}

func TestAKeyIDReadBackIsAHandleOfTheSameKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := posture.KeyID(rapid.StringN(1, 40, -1).Draw(t, "id"))
		other := posture.KeyID(rapid.StringMatching(`A[A-Z0-9]{19}`).Draw(t, "other"))
		text, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		var back posture.KeyID
		if err = json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		switch {
		case back.Whole():
			t.Fatalf("%q is whole", string(back))
		case !back.Same(id) || back.Same(other):
			t.Fatalf("%q does not name its own key, or another one", string(back))
		case back.Mask() != id.Mask() || back.Last4() != id.Last4():
			t.Fatalf("%q shows another mask than the id", string(back))
		}
		again, err := json.Marshal(back)
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("marshals as %s the first time, as %s the second (%v)", text, again, err)
		}
	})
}

func TestMasks(t *testing.T) {
	for name, test := range map[string]struct {
		id          posture.KeyID
		mask, last4 string
		whole       bool
	}{
		"an id shows four characters at each end":                 {"AKIAIOSFODNN7EXAMPLE", "AKIA…MPLE", "MPLE", true},
		"an id too short to hide anything shows nothing":          {"AKIA1234", "…", "", true},
		"no id shows nothing":                                     {"", "", "", false},
		"an id with a number sign is not taken for a handle":      {"AKIAIOSFODNN7EXAMPLE#", "AKIA…PLE#", "PLE#", true},
		"an id that mimics a fingerprint is not taken for one":    {"AKIAIOSFODNN7EXAMPLE#0123456789abcdef", "AKIA…cdef", "cdef", true},
		"an id that mimics a mask is hidden, and is not whole":    {"AKIAIOSFODNN…7EXAMPLE#0123456789abcdef", "…", "", false},
		"an id of letters that take several bytes is cut between": {"키키키키키키키키키키", "키키키키…키키키키", "키키키키", true},
	} {
		t.Run(name, func(t *testing.T) {
			if test.id.Mask() != test.mask || test.id.Last4() != test.last4 || test.id.Whole() != test.whole {
				t.Errorf("mask %q, last four %q, whole %t", test.id.Mask(), test.id.Last4(), test.id.Whole())
			}
		})
	}
}

func TestTwoUnknownKeysAreNotTheSame(t *testing.T) {
	if posture.KeyID("").Same("") {
		t.Error("two keys without an id count as one key")
	}
}
