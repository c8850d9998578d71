package bot

import (
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestWhatListsSayOfAControlFindsTheAccountsWhereItFails(t *testing.T) {
	t.Parallel()
	catalogue, err := newCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, locale := range []string{"en", "ko"} {
		v := catalogue.speak(locale, time.Time{})
		for _, c := range posture.Controls() {
			if c.OrganizationWide {
				continue
			}
			query, whole := searched(fails(v, c.Slug), v)
			q := posture.ParseQuery(query)
			for _, other := range posture.Controls() {
				for _, s := range []posture.Status{posture.Passed, posture.Failed, posture.NotApplicable, posture.NotAvailable} {
					p := posture.Posture{Findings: []posture.Finding{{Control: other.Slug, Status: s, Severity: other.Severity}}}
					if want := other.Slug == c.Slug && s == posture.Failed; q.Match(p) != want {
						t.Errorf("%q, put as %q, finds %s %s: %v", fails(v, c.Slug), query, other.Slug, s, !want)
					}
				}
			}
			if !whole {
				t.Errorf("%q is not taken for a search alone", fails(v, c.Slug))
			}
		}
	}
}

func TestOtherWordsAreSearchedAsTheyWereTyped(t *testing.T) {
	t.Parallel()
	catalogue, err := newCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	en, ko := catalogue.speak("en", time.Time{}), catalogue.speak("ko", time.Time{})
	for typed, want := range map[string]string{
		"":                      "",
		"payments":              "payments",
		"no  MFA prod":          "root-mfa failed prod",
		"prod MFA 없음":           "prod root-mfa failed",
		"no mfa one MFA device": "root-mfa failed root-backup-mfa failed",
		"casino mfa":            "casino mfa",
		"no mfas":               "no mfas",
		"root-mfa failed":       "root-mfa failed",
	} {
		if got, _ := searched(typed, ko, en); got != want {
			t.Errorf("%q is searched as %q, want %q", typed, got, want)
		}
	}
	if _, whole := searched("mfa payments", en); whole {
		t.Error("a command is taken for a search")
	}
}
