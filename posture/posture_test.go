package posture_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/posture"
)

func judge(t *testing.T, evidence string) posture.Posture {
	t.Helper()
	c := parseCase(t, strings.Fields(evidence))
	return posture.Judge(c.evidence, c.policy, noon())
}

func TestGrades(t *testing.T) {
	used := " signin=never keyuse=never central=off"
	for evidence, want := range map[string]posture.Grade{
		"keys=no password=no mfa=off cert=no central=on":                              posture.GradeNoCredentials,
		"keys=no password=no mfa=off cert=no central=on" + used:                       posture.GradeNoCredentials,
		"keys=no password=no mfa=off cert=no signin=2h":                               posture.GradeExposed,
		"keys=no password=no mfa=off cert=yes":                                        posture.GradeExposed,
		"keys=no password=no mfa=off" + used:                                          posture.GradeUnclear,
		"keys=no password=yes mfa=on devices=passkey,virtual cert=no" + used:          posture.GradeSound,
		"keys=no password=yes mfa=on devices=passkey,virtual cert=no central=off":     posture.GradeUnclear,
		"keys=no password=yes mfa=on devices=passkey cert=no" + used:                  posture.GradeWeak,
		"keys=no password=yes mfa=on devices=virtual,virtual cert=no" + used:          posture.GradeWeak,
		"keys=no password=yes mfa=off cert=no" + used:                                 posture.GradeExposed,
		"keys=yes password=no mfa=off cert=no" + used:                                 posture.GradeExposed,
		"keys=?denied password=?denied mfa=?denied cert=?denied":                      posture.GradeUnknown,
		"keys=?garbage password=yes mfa=on devices=virtual cert=no" + used:            posture.GradeUnknown,
		"keys=no password=yes mfa=?denied cert=no" + used:                             posture.GradeUnknown,
		"keys=no password=yes mfa=?denied cert=no central=on signin=never":            posture.GradeUnknown,
		"keys=?denied mfa=off password=yes":                                           posture.GradeExposed,
		"keys=no password=no mfa=off cert=no state=SUSPENDED":                         posture.GradeUnknown,
		"keys=no password=no mfa=off cert=no central=on partition=aws-us-gov" + used:  posture.GradeSound,
		"keys=yes password=no mfa=off cert=no central=on partition=aws-us-gov" + used: posture.GradeExposed,
	} {
		if got := judge(t, evidence).Grade(); got != want {
			t.Errorf("%s is graded %q, want %q", evidence, got, want)
		}
	}
	if (posture.Posture{}).Grade() != posture.GradeUnknown {
		t.Error("a posture without findings has a grade")
	}
}

func TestTheWorstComesFirst(t *testing.T) {
	inOrder := []posture.Posture{
		judge(t, "keys=yes mfa=off password=yes"),
		judge(t, "keys=yes mfa=on"),
		judge(t, "keys=no cert=yes mfa=on"),
		judge(t, "keys=?denied"),
		judge(t, "keys=no mfa=on devices=virtual password=yes"),
		judge(t, "keys=no mfa=on devices=passkey password=yes"),
		judge(t, "keys=no mfa=on password=yes"),
		judge(t, "keys=no password=no cert=no"),
	}
	for i := range inOrder {
		inOrder[i].Account.Name = string(rune('z' - i)) // the name must not decide
	}
	shuffled := slices.Clone(inOrder)
	slices.Reverse(shuffled)
	slices.SortFunc(shuffled, func(a, b posture.Posture) int { return a.Standing().Compare(b.Standing()) })
	if d := cmp.Diff(inOrder, shuffled); d != "" {
		t.Error(d)
	}
	for i := range inOrder[1:] {
		if a, b := inOrder[i].Standing(), inOrder[i+1].Standing(); a.Compare(b) >= 0 || b.Compare(a) <= 0 {
			t.Errorf("%s and %s have no order", inOrder[i].Account.Name, inOrder[i+1].Account.Name)
		}
	}
}

func TestControlsAreWholeAndInOrder(t *testing.T) {
	all := posture.Controls()
	seen := map[posture.Control]bool{}
	for i, c := range all {
		if seen[c.Slug] {
			t.Errorf("%s is listed twice", c.Slug)
		}
		seen[c.Slug] = true
		if c.Title == "" || strings.HasSuffix(c.Title, ".") || !strings.HasSuffix(c.Why, ".") || !strings.HasPrefix(c.Docs, "https://docs.aws.amazon.com/") {
			t.Errorf("%s is not told whole: %+v", c.Slug, c)
		}
		if strings.Count(strings.TrimSuffix(c.Why, "."), ". ") > 0 {
			t.Errorf("%s has more than one sentence of why", c.Slug)
		}
		if i > 0 && all[i-1].Severity.Rank() > c.Severity.Rank() {
			t.Errorf("%s comes after %s", c.Slug, all[i-1].Slug)
		}
		if i > 0 && all[i-1].Severity == c.Severity && (posture.Finding{Control: all[i-1].Slug}).Compare(posture.Finding{Control: c.Slug}) >= 0 {
			t.Errorf("findings of %s do not sort behind those of %s", c.Slug, all[i-1].Slug)
		}
	}
	if len(all) != 8 {
		t.Errorf("%d controls", len(all))
	}
	if _, ok := posture.LookUp("root-nothing"); ok {
		t.Error("a slug that is no control is found")
	}
}

func TestARunCountsUp(t *testing.T) {
	run := posture.Run{Started: noon(), Expected: 6}
	for _, p := range estate() {
		run.Add(p)
	}
	run.Add(judge(t, "keys=?denied mfa=?denied signin=never@2h keyuse=never@3h"))
	run.Add(judge(t, "keys=no state=SUSPENDED signin=2h"))
	run.Expected++
	run.Add(judge(t, "keys=no mfa=on cert=no signin=1h@5h"))
	run.AddFinding(posture.EvaluateOrganization("acme", posture.Told(false, "ListOrganizationsFeatures", noon()), noon()))

	if got := run.Coverage(); got != "4 of 7 accounts scanned" {
		t.Error(got)
	}
	missing := []posture.Missed{{posture.ReasonDenied, 1}, {posture.ReasonNotYetScanned, 1}, {posture.ReasonSuspended, 1}}
	if d := cmp.Diff(missing, run.Missing()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(posture.Tally{Passed: 3, Failed: 1, NotAvailable: 2}, run.Controls[posture.RootAccessKey]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[posture.Severity]int{posture.Critical: 1, posture.High: 1, posture.Medium: 1}, run.Severities); d != "" {
		t.Error(d)
	}
	if run.Failing() != 3 {
		t.Errorf("%d failing", run.Failing())
	}
}

func TestARunWithoutAccountsIsNoSuccess(t *testing.T) {
	var run posture.Run
	if run.Coverage() != "no account found to scan" || len(run.Missing()) != 0 {
		t.Errorf("%s, missing %v", run.Coverage(), run.Missing())
	}
}

// A digest made from a report of 06:00 cannot tell of a use at 08:00. The next one must, although the first was posted
// at 09:00.
func TestAUseBetweenTheReportAndItsDigestIsToldByTheNext(t *testing.T) {
	first := noon().Add(-24 * time.Hour)
	evidence := func(report, signIn time.Time) posture.Evidence {
		return posture.Evidence{
			Account: posture.Account{ID: "111122223333"}, At: report,
			SignIn: posture.Told(posture.Use{At: signIn}, posture.SourceReport, report),
			KeyUse: posture.Told(posture.Use{}, posture.SourceReport, report),
		}
	}
	told := posture.Judge(evidence(first.Add(-3*time.Hour), time.Time{}), posture.Policy{}, first)
	var since time.Time
	for _, f := range told.Findings {
		if at, tells := f.ToldUntil(); tells {
			since = at
		}
	}
	next := posture.Judge(evidence(noon().Add(-time.Hour), first.Add(-time.Hour)), posture.Policy{Since: since}, noon())
	if f, _ := next.Finding(posture.RootActivity); f.Status != posture.Failed {
		t.Errorf("%s: %s", f.Status, f.Reason)
	}
}

func TestSentences(t *testing.T) {
	for evidence, want := range map[string]string{
		"keys=yes keylist=active blocked=yes":     "root-access-key: An active root access key exists. The root user is blocked meanwhile.",
		"keylist=report:active":                   "root-access-key: A root access key exists, as of the credential report of 12:00 UTC.",
		"keys=?scp":                               "root-access-key: Whether a root access key exists could not be read: a service control policy without the AssumedRoot exemption refuses it.",
		"signin=2h keyuse=30h digest=48h":         "root-activity: The root user signed in at 10:00 UTC and used an access key at 2026-11-20 06:00 UTC.",
		"signin=report:never@4h keyuse=never":     "root-activity: The root user was not used since 2026-11-20 12:00 UTC, as of the credential report of 08:00 UTC.",
		"unscanned":                               "root-mfa: Whether the root user has MFA could not be read: no check has reached the account yet.",
		"keys=no state=SUSPENDED":                 "root-mfa: The root user could not be looked at: the account is not active.",
		"keys=no state=UNKNOWN":                   "root-mfa: The root user could not be looked at: the answer makes no sense.",
		"mfa=off password=no keys=no central=off": "root-mfa: The root user has neither a password nor an access key.",
	} {
		control, sentence, _ := strings.Cut(want, ": ")
		if f, _ := judge(t, evidence).Finding(posture.Control(control)); f.Reason != sentence {
			t.Errorf("%s says %q, want %q", evidence, f.Reason, sentence)
		}
	}
}

func TestAValueBesideAGapDoesNotCount(t *testing.T) {
	c := parseCase(t, []string{"keylist=active:2h"})
	c.evidence.KeyUse = posture.Told(posture.Use{At: noon().Add(-time.Hour)}, "GetAccessKeyLastUsed", noon())
	c.evidence.KeyUse.Gap = &posture.Gap{Reason: posture.ReasonDenied}
	f := c.judge(t, posture.RootActivity)
	if want := noon().Add(-2 * time.Hour); f.Status != posture.Failed || !f.Used.Equal(want) {
		t.Errorf("%s with a use at %v, want Failed with one at %v", f.Status, f.Used, want)
	}
}

func TestAFindingIsAsOldAsItsOldestFact(t *testing.T) {
	f, _ := judge(t, "signin=2h keyuse=report:never@4h").Finding(posture.RootActivity)
	if want := noon().Add(-4 * time.Hour); !f.At.Equal(want) || !f.AsOf.IsZero() {
		t.Errorf("a sign-in read now, beside an older report, is of %v and as of %v", f.At, f.AsOf)
	}
	f, _ = judge(t, "signin=report:never@4h keyuse=never@1h").Finding(posture.RootActivity)
	if want := noon().Add(-4 * time.Hour); !f.At.Equal(want) || !f.AsOf.Equal(want) {
		t.Errorf("is of %v, as of %v, want %v", f.At, f.AsOf, want)
	}
}

func TestDevicesAreGradedByTheResourceOfTheirARN(t *testing.T) {
	for serial, want := range map[string]posture.DeviceKind{
		"arn:aws:iam::111122223333:mfa/root-account-mfa-device": posture.DeviceVirtual,
		"arn:aws-cn:iam::111122223333:mfa/phone":                posture.DeviceVirtual,
		"arn:aws:iam::111122223333:u2f/root-account/key-ABCDEF": posture.DevicePasskey,
		"arn:aws:iam::111122223333:mfa/my:u2f/key":              posture.DeviceVirtual,
		"arn:aws:iam::111122223333:sms-mfa/phone":               posture.DeviceUnknown,
		"arn:aws:s3:::u2f/":                                     posture.DeviceUnknown,
		"arn:aws:iam":                                           posture.DeviceUnknown,
		"arn:":                                                  posture.DeviceUnknown,
		"GAHT12345678":                                          posture.DeviceHardware,
		"<html>500</html>":                                      posture.DeviceUnknown,
		"":                                                      posture.DeviceUnknown,
	} {
		if got := posture.GradeDevice(serial); got != want {
			t.Errorf("%q is %q, want %q", serial, got, want)
		}
	}
}

func TestEveryReasonSaysWhatToDo(t *testing.T) {
	unfixable := []posture.Reason{posture.ReasonSuspended, posture.ReasonLeft, posture.ReasonPartition, posture.ReasonNoOrganization}
	for _, r := range append(posture.Reasons(), "made up") {
		if r.Phrase() == "" || strings.HasSuffix(r.Phrase(), ".") {
			t.Errorf("%q is said as %q", r, r.Phrase())
		}
		if (r.Fix() == "") != slices.Contains(unfixable, r) || r.Fix() != "" && !strings.HasSuffix(r.Fix(), ".") {
			t.Errorf("%q is fixed by %q", r, r.Fix())
		}
	}
}
