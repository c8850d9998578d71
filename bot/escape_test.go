package bot

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestTextFromOutsideIsOnlyText(t *testing.T) {
	piece := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"<!channel>", "<!here|x>", "<@U0ANASILVA1>", "<https://x.y|z>", "*b*", "_i_", "~s~", "`c`", "```", ":tada:", "&lt;", "> q", "\u202e", "\u2066", "\u200b", "\u3164", "@here", "#general", "\n", "🏴\U000e0067\U000e007f", "금융", "prod_data"}),
	)
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(piece, 0, 20).Draw(t, "pieces"), "")
		limit := rapid.IntRange(1, 60).Draw(t, "limit")
		u := outside(s, limit)
		if n := utf8.RuneCountInString(string(u)); n > limit {
			t.Fatalf("%q has %d characters, more than %d", u, n, limit)
		}
		for _, r := range string(u) {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
				t.Fatalf("%q holds the unseen character %U", u, r)
			}
		}
		m, p := u.mrkdwn(), u.plain()
		if strings.ContainsAny(m, "<>*~`") || strings.ContainsAny(p, "<>*~`") {
			t.Fatalf("%q or %q holds what Slack acts on", m, p)
		}
		if strings.Contains(strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(m), "&") {
			t.Fatalf("%q holds a bare ampersand", m)
		}
		if utf8.ValidString(s) && !utf8.ValidString(m) {
			t.Fatalf("%q is not UTF-8", m)
		}
	})
}

func TestNamesStayReadable(t *testing.T) {
	for in, want := range map[string]string{
		"prod_data-01":              "prod_data-01",
		"R&D <eu>":                  "R&amp;D &lt;eu&gt;",
		"  a \t b\n":                "a b",
		"결제 운영":                     "결제 운영",
		":tada: 12:30":              "꞉tada: 12꞉30",
		"ops@example.com":           "ops@example.com",
		"\u202eevil\u202c":          "evil",
		"a\u0301\u0301\u0301\u0301": "a\u0301\u0301",
	} {
		if got := outside(in, 80).mrkdwn(); got != want {
			t.Errorf("%q is shown as %q, not %q", in, got, want)
		}
	}
}

func TestNoNameReadsLikeWordsOfOurs(t *testing.T) {
	for in, want := range map[string]string{
		"prod · Key deleted and verified ✅": "prod - Key deleted and verified ▫",
		"prod\u2003•\u2003verified":         "prod - verified",
		"· · ✔️ fine":                       "- - ▫️ fine",
		"운영·보안 🎉":                           "운영·보안 🎉",
	} {
		if got := outside(in, 80).plain(); got != want {
			t.Errorf("%q is shown as %q, not %q", in, got, want)
		}
	}
	a := account("prod · Key deleted and verified ✅", remediation.MeansOrganization)
	for lang, v := range voices(t) {
		first, ok := card(v, a).Blocks[0].(*slack.HeaderBlock)
		if !ok {
			t.Fatalf("%s: the card begins with %T", lang, card(v, a).Blocks[0])
		}
		head := first.Text.Text
		if strings.Count(head, " · ") != 1 || strings.Contains(head, "✅") || !strings.HasSuffix(head, " · "+headline(v, a)) {
			t.Errorf("%s: the card is headed %q", lang, head)
		}
	}
}

func TestCuttingNeverSplitsAnEscape(t *testing.T) {
	long := strings.Repeat("<@U0ANASILVA1> &amp; ", 400)
	for n := 20; n < 60; n++ {
		s := fit(long, n)
		if utf8.RuneCountInString(s) > n {
			t.Fatalf("%q is longer than %d", s, n)
		}
		if i := strings.LastIndexAny(s, "&<"); i >= 0 && !strings.ContainsAny(s[i:], ";>") {
			t.Errorf("%q ends inside an escape", s)
		}
	}
}

func TestMentionsAreOfIDsOnly(t *testing.T) {
	for in, want := range map[string]string{"U0ANASILVA1": "<@U0ANASILVA1>", "!channel": "!channel", "U1>": "U1&gt;", "": ""} {
		if got := user(in); got != want {
			t.Errorf("%q is mentioned as %q, not %q", in, got, want)
		}
	}
}

func TestNoWholeKeyAndNoTokenIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"is AKIAIOSFODNN7EXAMPLE yours?":       "is AKIA…MPLE yours?",
		"hidden AKIAIOS\u200bFODNN7EXAMPLE":    "hidden AKIA…MPLE",
		"xoxb-1234567890-abcdefghij":           "xoxb-…",
		"a name of AKIAIOSFODNN7EXAMPLE, long": "a name of AKIA…MPLE, long",
	} {
		if got := outside(text, 31); got.mrkdwn() != want || got.plain() != want {
			t.Errorf("%q is said as %q, want %q", text, got, want)
		}
	}
}

func TestASignedHeadIsShownSoThatItCanBeCopied(t *testing.T) {
	key, err := audit.NewSigner("rootcheck", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.SignHead(audit.Head{Size: 8}, time.Date(2026, 11, 22, 20, 2, 4, 120731824, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.OpenHead(headCode(signed.String()), key.Verifier()); err != nil {
		t.Errorf("%s cannot be verified: %v", headCode(signed.String()), err)
	}
	en := voices(t)["en"]
	if short := headLine(en, signed.String()); !strings.Contains(short, "8 records") || strings.Contains(short, signed.Hash.String()) || strings.Contains(short, "could not be signed") {
		t.Errorf("a signed head is told as %q", short)
	}
	if short := headLine(en, signed.Head.String()); !strings.Contains(short, "could not be signed") {
		t.Errorf("a head that was not signed is told as %q", short)
	}
	if got := headCode("<!channel> `x"); strings.Contains(got, "<") || strings.Count(got, "`") != 6 {
		t.Errorf("what is no head is shown as %s", got)
	}
}
