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

func TestKeysThatCannotBeReadNowAreListedApartWithTheirAgeAndTheCause(t *testing.T) {
	for lang, v := range voices(t) {
		denied := blind()
		lost := account("lab", remediation.MeansGuided)
		lost.Look.Findings = blind().Look.Findings
		lost.Look.Before = blind().Look.Before
		lost.Look.Lost = &posture.Gap{Reason: posture.ReasonThrottled}
		lost.Keys[0].AsOf = noon().AddDate(0, 0, -3)
		l := commands.KeyList{
			Coverage: coverage(1, 3), Unread: 2,
			Accounts: []commands.AccountView{account("payments", remediation.MeansGuided), denied, lost},
		}
		shown := keys(v, l)
		said := spoken(shown.Blocks)
		now, old, found := strings.Cut(said, v.say("keys.unread", arg{"Count": 2}))
		if !found || !strings.Contains(now, v.say("keys.title", arg{"Count": 1})) {
			t.Fatalf("what is so now and what was are not told apart in %s:\n%s", lang, said)
		}
		ago := v.ago(noon().AddDate(0, 0, -3))
		for _, want := range []string{
			v.say("gap.as_of", arg{"Ago": ago, "What": sentence(v, denied.Look.Before[posture.RootAccessKey]), "Why": v.say("gap.denied")}),
			v.say("gap.throttled"), v.say("key.status.active") + " · " + v.say("key.as_of", arg{"Ago": ago}),
			v.say("list.title", arg{"Scanned": 1, "Listed": 3}),
		} {
			if !strings.Contains(old, want) || strings.Contains(now, ago) {
				t.Errorf("%q is missing, or not among the old in %s:\n%s", want, lang, said)
			}
		}
		l.Accounts, l.Unread = l.Accounts[1:], 2
		if said := spoken(keys(v, l).Blocks); !strings.Contains(said, v.say("keys.none")) || !strings.Contains(said, ago) {
			t.Errorf("where no key can be read now, in %s:\n%s", lang, said)
		}
		for range keyRows {
			l.Accounts = append([]commands.AccountView{account("payments", remediation.MeansGuided)}, l.Accounts...)
		}
		if said := spoken(keys(v, l).Blocks); !strings.Contains(said, v.say("keys.unread", arg{"Count": 2})) {
			t.Errorf("where there is no room for them, they are not counted in %s:\n%s", lang, said)
		}
		l = commands.KeyList{Accounts: []commands.AccountView{denied}, Unread: 1}
		if said := spoken(keys(v, l).Blocks); !strings.Contains(said, ago) || strings.Contains(said, v.say("keys.title", arg{"Count": 1})) {
			t.Errorf("asked for alone, in %s:\n%s", lang, said)
		}
		clean := account("payments", remediation.MeansGuided)
		clean.Keys = nil
		clean.Look.Findings[0].Status, clean.Look.Findings[0].Code = posture.Passed, posture.CodeNoKey
		l = commands.KeyList{Accounts: []commands.AccountView{clean}}
		if said := spoken(keys(v, l).Blocks); strings.Contains(said, v.say("keys.title", arg{"Count": 1})) || !strings.Contains(said, v.say("finding.no_key")) {
			t.Errorf("an account without keys, in %s:\n%s", lang, said)
		}
	}
}

func TestACardThatStandsNamesTheTimeOfWhatItCannotReadAnyMore(t *testing.T) {
	for lang, v := range voices(t) {
		v.stands = true
		shown := spoken(card(v, blind()).Blocks)
		if was := noon().AddDate(0, 0, -3); !strings.Contains(shown, v.when(was)) || strings.Contains(shown, v.say("time.ago", arg{"Span": v.span(72 * time.Hour)})) {
			t.Errorf("the card in %s will be wrong tomorrow:\n%s", lang, shown)
		}
	}
}

func TestAnOwnerIsToldTheAgeOfWhatCannotBeReadNow(t *testing.T) {
	for lang, v := range voices(t) {
		a := blind()
		mfa := finding(posture.RootMFA, posture.Critical, posture.CodeNoMFA)
		mfa.At = noon().AddDate(0, 0, -3)
		a.Look.Before[posture.RootMFA] = mfa
		said := spoken(mfaDM(v, a).Blocks)
		if !strings.Contains(said, v.ago(mfa.At)) || !strings.Contains(said, v.say("gap.denied")) || strings.Contains(said, v.say("dm.lack.root-mfa")) {
			t.Errorf("the owner of an account that cannot be read is told in %s:\n%s", lang, said)
		}
		a.Owner.Stage = commands.OwnerAnswered
		if said = spoken(mfaDM(v, a).Blocks); strings.Contains(said, v.say("dm.not_yet")) {
			t.Errorf("that AWS does not show it is said of what nobody could read, in %s:\n%s", lang, said)
		}
		if shown := spoken(card(v, a).Blocks); !strings.Contains(shown, v.say("stage.unread", arg{"Why": v.say("gap.denied")})) || strings.Contains(shown, v.say("stage.answered")) {
			t.Errorf("the card in %s:\n%s", lang, shown)
		}
		delete(a.Look.Before, posture.RootMFA)
		if said = spoken(mfaDM(v, a).Blocks); strings.Contains(said, v.say("dm.lack.root-mfa")) {
			t.Errorf("what was never read is claimed in %s:\n%s", lang, said)
		}
		old := account("payments", remediation.MeansGuided)
		old.Look.Findings[1].At = noon().AddDate(0, 0, -6)
		if said = spoken(mfaDM(v, old).Blocks); !strings.Contains(said, v.say("dm.lack.root-mfa")+" "+v.say("dm.lack.as_of", arg{"Ago": v.ago(noon().AddDate(0, 0, -6))})) {
			t.Errorf("a week-old check is told as if it were of today in %s:\n%s", lang, said)
		}
		w := commands.Work{Notice: commands.NoticeEscalatedUnread, User: olive, Source: "acme", Account: "222222222222", Count: 3, What: string(posture.ReasonDenied)}
		if said = spoken(channelNotice(v, w, nil).Blocks); !strings.Contains(said, v.say("gap.denied")) {
			t.Errorf("the channel hears in %s:\n%s", lang, said)
		}
	}
}

func TestTheStatusSaysSinceWhenTheDatabaseCannotBeWritten(t *testing.T) {
	for lang, v := range voices(t) {
		s := commands.Status{TwoPerson: true, Troubles: []commands.Trouble{{Notice: commands.NoticeUnwritable, What: "2026-11-21 11:58 UTC · disk I/O error (778)"}}}
		if said := spoken(status(v, s).Blocks); !strings.Contains(said, "2026-11-21 11") || !strings.Contains(said, "disk I/O error") || strings.Contains(said, "notice.unwritable") {
			t.Errorf("the status in %s:\n%s", lang, said)
		}
	}
}

func TestWhereAUseIsShownTheBotsOwnAreSaidToBeAmongThem(t *testing.T) {
	for lang, v := range voices(t) {
		a := account("lab", remediation.MeansRootCredentials)
		own := v.say("key.own_use", arg{"Key": "`" + theKey().ID.Mask() + "`"})
		places := map[string]func() string{
			"the card": func() string { return spoken(card(v, a).Blocks) },
			"the keys": func() string { return spoken(keys(v, commands.KeyList{Accounts: []commands.AccountView{a}}).Blocks) },
			"the modal": func() string {
				f := form{v: v, preview: commands.Preview{View: a, Key: theKey(), Present: true, Means: remediation.MeansGuided}}
				return spoken(f.deactivate().Blocks.BlockSet)
			},
		}
		for place, said := range places {
			if strings.Contains(said(), own) {
				t.Errorf("%s of an account without a root profile in %s:\n%s", place, lang, said())
			}
		}
		a.Ways.SelfSigned = theKey().ID
		for place, said := range places {
			if n := strings.Count(said(), own); n != 1 || !strings.Contains(said(), lastUse(v, theKey())) {
				t.Errorf("%s in %s says it %d times:\n%s", place, lang, n, said())
			}
		}
		a.Keys[0].Key.LastUsed = time.Time{}
		if said := places["the card"](); strings.Contains(said, own) {
			t.Errorf("a key that was never used, in %s:\n%s", lang, said)
		}
		use := finding(posture.RootActivity, posture.High, posture.CodeKeyUse)
		a.Look.Findings = append(a.Look.Findings, use)
		if said := places["the card"](); !strings.Contains(said, own) || !strings.Contains(said, sentence(v, use)) {
			t.Errorf("where the finding tells of the use, in %s:\n%s", lang, said)
		}
	}
}
