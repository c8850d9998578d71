package bot

import (
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// blind is an account that denied the last look. Three days before, it had an active key, and MFA.
func blind() commands.AccountView {
	a := account("payments", remediation.MeansGuided)
	a.Keys = nil
	a.Look.Findings = []posture.Finding{
		gap(posture.RootAccessKey, posture.Critical, posture.CodeKeyUnknown, posture.ReasonDenied),
		gap(posture.RootMFA, posture.Critical, posture.CodeMFAUnknown, posture.ReasonDenied),
		gap(posture.RootCertificate, posture.High, posture.CodeKeyUnknown, posture.ReasonDenied),
	}
	key, mfa := finding(posture.RootAccessKey, posture.Critical, posture.CodeKeyActive), finding(posture.RootMFA, posture.Critical, posture.CodeMFA)
	certificate := finding(posture.RootCertificate, posture.High, posture.CodeNoCertificate)
	mfa.Status, certificate.Status = posture.Passed, posture.Passed
	a.Look.Before = map[posture.Control]posture.Finding{}
	for _, f := range []posture.Finding{key, mfa, certificate} {
		f.At = noon().AddDate(0, 0, -3)
		a.Look.Before[f.Control] = f
	}
	return a
}

func TestWhatWasLastReadStandsBesideTheGapWithItsAgeAndCountsForNothing(t *testing.T) {
	all, err := newCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for locale, want := range map[string][]string{
		"en": {"Last read 3 days ago, not counted: An active root access key exists. The root user has an MFA device.", "could not be looked at"},
		"ko": {"마지막으로 읽은 값(3일 전, 점검 결과로 치지 않음)", "살펴보지 못한 계정"},
	} {
		v := all.speak(locale, noon())
		a := blind()
		shown := spoken(card(v, a).Blocks)
		if !strings.Contains(shown, want[0]) || !strings.Contains(shown, v.say("headline.gap")) || strings.Contains(shown, markDone) {
			t.Errorf("the card in %s:\n%s", locale, shown)
		}
		r := commands.Row{Account: a.Look.Evidence.Account, Gaps: a.Look.Findings, Before: a.Look.LastKnown()}
		if line := rowLine(v, r, shortName); !strings.Contains(line, v.ago(noon().AddDate(0, 0, -3))) || !strings.HasPrefix(line, markUnread) {
			t.Errorf("a row in %s: %s", locale, line)
		}
		d := commands.Digest{At: noon(), Since: noon().Add(-24 * time.Hour), Coverage: commands.Coverage{Listed: 2, Scanned: 1}, Unread: []commands.Row{r}}
		_, thread := digest(v, d)
		if len(thread) != 1 || !strings.Contains(spoken(thread[0].Blocks), want[1]) || !strings.Contains(spoken(thread[0].Blocks), v.ago(noon().AddDate(0, 0, -3))) {
			t.Errorf("the thread of a digest in %s: %+v", locale, thread)
		}
	}
}
