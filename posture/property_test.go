package posture_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// world is the truth about one account, which no single look has to show.
type world struct {
	role        posture.Role
	password    bool
	centralized bool
	keys        []posture.Key
	devices     []posture.Device
	certs       []posture.Certificate
	signIn      time.Time
}

func drawWorld(t *rapid.T) world {
	w := world{
		role:        rapid.SampledFrom([]posture.Role{posture.RoleMember, posture.RoleManagement, posture.RoleStandalone}).Draw(t, "role"),
		password:    rapid.Bool().Draw(t, "password"),
		centralized: rapid.Bool().Draw(t, "centralized"),
		signIn:      drawPast(t, "sign-in"),
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "keys") {
		w.keys = append(w.keys, posture.Key{
			ID:     posture.KeyID(fmt.Sprintf("AKIAEXAMPLE%09d", i)),
			Status: rapid.SampledFrom([]posture.KeyStatus{posture.KeyActive, posture.KeyInactive}).Draw(t, "key status"), LastUsed: drawPast(t, "key use"),
		})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "devices") {
		serial := rapid.SampledFrom([]string{"arn:aws:iam::111122223333:mfa/%d", "arn:aws:iam::111122223333:u2f/%d", "GAHT%08d"}).Draw(t, "serial")
		w.devices = append(w.devices, posture.Device{Serial: fmt.Sprintf(serial, i)})
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "certificates") {
		w.certs = append(w.certs, posture.Certificate{ID: strconv.Itoa(i)})
	}
	return w
}

// drawPast is never, or up to three days ago and never exactly a day ago.
func drawPast(t *rapid.T, what string) time.Time {
	hours := rapid.IntRange(-1, 72).Draw(t, what)
	if hours < 0 {
		return time.Time{}
	}
	return noon().Add(-time.Duration(hours)*time.Hour - time.Minute)
}

func (w world) keyUse() time.Time {
	var latest time.Time
	for _, k := range w.keys {
		if k.LastUsed.After(latest) {
			latest = k.LastUsed
		}
	}
	return latest
}

// truth is the design's table, asked of a world where everything is known.
func (w world) truth(c posture.Control) posture.Status {
	none := !w.password && len(w.keys) == 0
	switch c {
	case posture.RootAccessKey:
		return failsIf(len(w.keys) > 0)
	case posture.RootMFA:
		return applies(!none, failsIf(w.password && len(w.devices) == 0))
	case posture.RootHardwareMFA:
		strong := false
		for _, d := range w.devices {
			strong = strong || !strings.Contains(d.Serial, ":mfa/")
		}
		return applies(!none && len(w.devices) > 0, failsIf(!strong))
	case posture.RootBackupMFA:
		return applies(!none && len(w.devices) > 0, failsIf(len(w.devices) == 1))
	case posture.RootActivity:
		day := noon().Add(-24 * time.Hour)
		return failsIf(w.signIn.After(day) || w.keyUse().After(day))
	case posture.RootCertificate:
		return failsIf(len(w.certs) > 0)
	case posture.RootPassword:
		return applies(w.centralized && w.role == posture.RoleMember, failsIf(w.password))
	case posture.CentralizedRootAccess:
		return failsIf(!w.centralized)
	}
	return posture.StatusUnknown
}

func failsIf(bad bool) posture.Status {
	if bad {
		return posture.Failed
	}
	return posture.Passed
}

func applies(does bool, s posture.Status) posture.Status {
	if does {
		return s
	}
	return posture.NotApplicable
}

// told is everything that can be told of the world.
func (w world) told() posture.Evidence {
	return posture.Evidence{
		Account: posture.Account{ID: "111122223333", Source: "acme", State: posture.StateActive, Role: w.role}, At: noon(),
		AccessKeys:      posture.Told(len(w.keys) > 0, posture.SourceSummary, noon()),
		MFA:             posture.Told(len(w.devices) > 0, posture.SourceSummary, noon()),
		Certificates:    posture.Told(len(w.certs) > 0, posture.SourceSummary, noon()),
		Password:        posture.Told(w.password, posture.SourceSummary, noon()),
		Keys:            posture.Told(w.keys, "ListAccessKeys", noon()),
		Devices:         posture.Told(w.devices, "ListMFADevices", noon()),
		CertificateList: posture.Told(w.certs, "ListSigningCertificates", noon()),
		SignIn:          posture.Told(posture.Use{At: w.signIn}, "GetUser", noon()),
		KeyUse:          posture.Told(posture.Use{At: w.keyUse()}, "GetAccessKeyLastUsed", noon()),
		Centralized:     posture.Told(w.centralized, "ListOrganizationsFeatures", noon()),
	}
}

// forget takes knowledge away: some facts are lost or were never asked, some come from the credential report only, which
// hides what is inactive, and the devices may be the virtual ones only.
func forget(t *rapid.T, e posture.Evidence) posture.Evidence {
	forgetFact(t, "access keys", &e.AccessKeys)
	forgetFact(t, "mfa", &e.MFA)
	forgetFact(t, "certificates", &e.Certificates)
	forgetFact(t, "password", &e.Password)
	forgetFact(t, "keys", &e.Keys)
	forgetFact(t, "devices", &e.Devices)
	forgetFact(t, "certificate list", &e.CertificateList)
	forgetFact(t, "sign-in", &e.SignIn)
	forgetFact(t, "key use", &e.KeyUse)
	forgetFact(t, "centralized", &e.Centralized)
	if e.Keys.Known() && rapid.Bool().Draw(t, "keys by the report") {
		var active []posture.Key
		for _, k := range e.Keys.Value {
			if k.Status == posture.KeyActive {
				active = append(active, k)
			}
		}
		e.Keys = posture.Told(active, posture.SourceReport, noon())
	}
	if e.Devices.Known() && rapid.Bool().Draw(t, "virtual devices only") {
		var virtual []posture.Device
		for _, d := range e.Devices.Value {
			if d.Grade() == posture.DeviceVirtual {
				virtual = append(virtual, d)
			}
		}
		e.Devices = posture.Told(virtual, posture.SourceVirtualDevices, noon())
	}
	return e
}

func forgetFact[T any](t *rapid.T, name string, f *posture.Fact[T]) {
	switch rapid.IntRange(0, 3).Draw(t, name+" forgotten") {
	case 0:
		*f = posture.Fact[T]{}
	case 1:
		// What stands in Value must not matter: it may be left over from a decoder.
		f.Gap = &posture.Gap{Reason: posture.ReasonDenied}
	}
}

func byControl(e posture.Evidence) map[posture.Control]posture.Finding {
	all := map[posture.Control]posture.Finding{}
	for _, f := range posture.Evaluate(e, posture.Policy{}, noon()) {
		all[f.Control] = f
	}
	all[posture.CentralizedRootAccess] = posture.EvaluateOrganization(e.Account.Source, e.Centralized, noon())
	return all
}

func TestWithEverythingKnownTheTruthIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		for c, f := range byControl(w.told()) {
			if want := w.truth(c); f.Status != want {
				t.Fatalf("%s is %s (%s), the truth is %s", c, f.Status, f.Reason, want)
			}
		}
	})
}

func TestWithLessKnownNothingFalseIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		for c, f := range byControl(forget(t, w.told())) {
			truth := w.truth(c)
			switch f.Status {
			case posture.Passed:
				if truth == posture.Failed {
					t.Fatalf("%s passes (%s) and is %s", c, f.Reason, truth)
				}
			case posture.Failed:
				if truth == posture.Passed {
					t.Fatalf("%s fails (%s) and is %s", c, f.Reason, truth)
				}
			case posture.NotApplicable:
				if truth != posture.NotApplicable {
					t.Fatalf("%s does not apply (%s) and is %s", c, f.Reason, truth)
				}
			case posture.NotAvailable:
			case posture.StatusUnknown:
				t.Fatalf("%s was not judged", c)
			default:
				t.Fatalf("%s has status %q", c, f.Status)
			}
		}
	})
}

func TestTakingKnowledgeAwayNeverMakesAPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		more := forget(t, drawWorld(t).told())
		less := forget(t, more)
		after := byControl(less)
		for c, before := range byControl(more) {
			bad := before.Status == posture.Failed || before.Status == posture.NotAvailable
			if bad && after[c].Status == posture.Passed {
				t.Fatalf("%s was %s (%s) and passes with less known (%s)", c, before.Status, before.Reason, after[c].Reason)
			}
		}
	})
}

func TestAPassNamesWhatItRestsOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawAnything(t)
		for _, f := range posture.Evaluate(e, posture.Policy{}, noon()) {
			if f.Status != posture.Passed {
				continue
			}
			var rests bool
			switch f.Control {
			case posture.RootAccessKey:
				rests = live(e.AccessKeys) || live(e.Keys)
			case posture.RootMFA:
				rests = e.MFA.Known() || e.Devices.Known()
			case posture.RootHardwareMFA, posture.RootBackupMFA:
				rests = e.Devices.Known()
			case posture.RootActivity:
				rests = e.SignIn.Known() && e.KeyUse.Known()
			case posture.RootCertificate:
				rests = live(e.Certificates) || live(e.CertificateList)
			case posture.CentralizedRootAccess:
				t.Fatalf("%s is judged for an account", f.Control)
			case posture.RootPassword:
				rests = e.Password.Known() && e.Centralized.Known() && e.Centralized.Value
			}
			if !rests {
				t.Fatalf("%s passes and rests on nothing: %s", f.Control, f.Reason)
			}
		}
	})
}

func live[T any](f posture.Fact[T]) bool { return f.Known() && f.Source != posture.SourceReport }

func TestEveryFindingIsASentenceOfOurOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawAnything(t)
		first, second := byControl(e), byControl(e)
		if d := cmp.Diff(first, second); d != "" {
			t.Fatalf("two evaluations of the same evidence differ: %s", d)
		}
		for c, f := range first {
			if (f.Status == posture.NotAvailable) != (f.Gap != nil) {
				t.Fatalf("%s is %s with the gap %v", c, f.Status, f.Gap)
			}
			if strings.Contains(f.Reason, "mischief") || strings.Contains(string(f.Code), "mischief") {
				t.Fatalf("%s repeats what somebody else wrote: %s", c, f.Reason)
			}
			if f.Code == "" || !unicode.IsUpper([]rune(f.Reason)[0]) || !strings.HasSuffix(f.Reason, ".") || strings.Contains(f.Reason, "..") {
				t.Fatalf("%s %q is no sentence: %q", c, f.Code, f.Reason)
			}
		}
	})
}

// drawAnything draws evidence that no world need have: contradictory, from any source, with hostile text wherever text is.
func drawAnything(t *rapid.T) posture.Evidence {
	w := drawWorld(t)
	e := w.told()
	e.AccessKeys.Value = rapid.Bool().Draw(t, "flag: access keys")
	e.MFA.Value = rapid.Bool().Draw(t, "flag: mfa")
	e.Certificates.Value = rapid.Bool().Draw(t, "flag: certificates")
	for _, source := range []*string{&e.AccessKeys.Source, &e.MFA.Source, &e.Certificates.Source, &e.Password.Source, &e.Keys.Source, &e.Devices.Source} {
		*source = rapid.SampledFrom([]string{posture.SourceSummary, posture.SourceReport, posture.SourceVirtualDevices, "mischief", ""}).Draw(t, "source")
	}
	e = forget(t, e)
	e.Account.Name, e.Account.State = "mischief", rapid.SampledFrom([]string{"", posture.StateActive, "mischief"}).Draw(t, "state")
	e.Account.Partition = rapid.SampledFrom([]string{"", "aws", "aws-us-gov", "aws-cn", "mischief"}).Draw(t, "partition")
	e.Account.Role = posture.Role(rapid.SampledFrom([]string{"", "member", "management", "mischief"}).Draw(t, "any role"))
	if rapid.Bool().Draw(t, "odd gap") {
		e.Password.Gap = &posture.Gap{Reason: "mischief", Detail: "mischief"}
	}
	return e
}
