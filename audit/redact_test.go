package audit_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rootcheck-bot/rootcheck/audit"
)

func TestASecretIsMaskedHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	const secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	for in, want := range map[string]string{
		"akiaiosfodnn7example":                                 "AKIA…MPLE",
		"AkiaIosfodnn7Example, please":                         "AKIA…MPLE, please",
		"AKIAIOSF\u200bODNN7EXAMPLE":                           "AKIA…MPLE",
		"A\u2060K\u2060I\u2060AIOSFODNN7EXAMPLE":               "AKIA…MPLE",
		"AK\u0301IAIOSFODNN7EXAMPLE":                           "AKIA…MPLE",
		"ＡＫＩＡIOSFODNN7EXAMPLE":                                 "AKIA…MPLE",
		"key AKIA-IOSF-ODNN-7EXA-MPLE":                         "key AKIA…MPLE",
		"AKIA IOSF ODNN 7EXA MPLE is old":                      "AKIA…MPLE is old",
		"AKIA\nIOSFODNN7EXAMPLE":                               "AKIA…MPLE",
		"a.k.i.a.i.o.s.f.o.d.n.n.7.e.x.a.m.p.l.e":              "AKIA…MPLE",
		"akia/iosf/odnn/7exa/mple":                             "AKIA…MPLE",
		"xakiaiosfodnn7examplex":                               "xAKIA…MPLEx",
		"ASIA-IOSF-ODNN-7EXA-MPLE":                             "ASIA…MPLE",
		"secret " + secretKey + ".":                            "secret ….",
		"secret=" + secretKey[:20] + "\u200d" + secretKey[20:]: "secret=…",
		"token " + strings.Repeat("IQoJb3JpZ2luX2Vj", 20):      "token …",
		"xox\u200bb-12-34-abCD":                                "xoxb-…",
		"AKIAIOSFODNN7EXAMPLE twice akiai44qh8dhbexample":      "AKIA…MPLE twice AKIA…MPLE",
	} {
		got := audit.Mask(in)
		if got != want {
			t.Errorf("%q is masked as %q, want %q", in, got, want)
		}
		if again := audit.Mask(got); again != got {
			t.Errorf("masked again, %q becomes %q", got, again)
		}
	}
}

func TestWhatOnlyLooksLikeASecretStays(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"Asia ops rotated 2 keys in asia-northeast-1, see ticket 1234",
		"the Slovakia team runs job 7 on Mondays and needs no key",
		"asianortheast1production01",
		"akia is a prefix and nothing more than that",
		"d41d8cd98f00b204e9800998ecf8427e and da39a3ee5e6b4b0d3255bfef95601890afd80709",
		"arn:aws:iam::222222222222:role/OrganizationAccountAccessRole",
		"AKIA…MPLE#0f3a 계정의 키를 교체했습니다 ✅",
		"JIRA-1234: rotated after the incident of 2026-11-02, approved by the board of directors",
	} {
		if got := audit.Mask(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("key AKIA-IOSF-ODNN-7EXA-MPLE", 3)
	f.Add("ａｋｉａ iosfodnn7example \u200b wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 7)
	f.Add("Asia\xff", 0)
	f.Fuzz(func(t *testing.T, s string, at int) {
		got := audit.Mask(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q became %q, which is no text", s, got)
		}
		// Wherever an id stands in capitals and apart from other text, none of it but its ends is left.
		if at = max(0, min(at, len(s))); utf8.ValidString(s[:at]) && utf8.ValidString(s[at:]) {
			if got := audit.Mask(s[:at] + " AKIAIOSFODNN7EXAMPLE " + s[at:]); strings.Contains(got, "IOSFODNN7EXA") {
				t.Fatalf("an id is left in %q", got)
			}
		}
	})
}
