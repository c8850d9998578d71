package posture_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// TestEvaluationTable reads testdata/evaluation.golden, which says what its words mean.
func TestEvaluationTable(t *testing.T) {
	file, err := os.ReadFile("testdata/evaluation.golden")
	if err != nil {
		t.Fatal(err)
	}
	var control posture.Control
	codes := map[posture.Code]bool{posture.CodeNoSuchControl: true} // no table can have it
	rows := map[posture.Control]int{}
	seen := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(file))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch words := strings.Fields(line); {
		case len(words) == 0 || strings.HasPrefix(line, "#"):
		case len(words) == 1:
			if control = posture.Control(line); !known(control) {
				t.Fatalf("line %d: %q is no control", n, line)
			}
		default:
			row := string(control) + " " + strings.Join(words[2:], " ")
			if before := seen[row]; before > 0 {
				t.Errorf("line %d repeats line %d", n, before)
			}
			seen[row], rows[control] = n, rows[control]+1
			codes[posture.Code(words[1])] = true
			t.Run(fmt.Sprintf("line %d: %s", n, row), func(t *testing.T) {
				c := parseCase(t, words[2:])
				f := c.judge(t, control)
				if string(f.Status) != words[0] || string(f.Code) != words[1] {
					t.Errorf("is %s %s (%s), want %s %s", f.Status, f.Code, f.Reason, words[0], words[1])
				}
			})
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range posture.Codes() {
		if !codes[c] {
			t.Errorf("no row ends in %s", c)
		}
	}
	for _, c := range posture.Controls() {
		if rows[c.Slug] < 10 {
			t.Errorf("%s has %d rows: a table that was cut short proves nothing", c.Slug, rows[c.Slug])
		}
	}
}

func known(c posture.Control) bool {
	_, ok := posture.LookUp(c)
	return ok
}

func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// evidenceCase is one row's evidence and policy.
type evidenceCase struct {
	evidence posture.Evidence
	policy   posture.Policy
}

func (c *evidenceCase) judge(t *testing.T, control posture.Control) posture.Finding {
	t.Helper()
	if control == posture.CentralizedRootAccess {
		return posture.EvaluateOrganization("acme", c.evidence.Centralized, noon())
	}
	for _, f := range posture.Evaluate(c.evidence, c.policy, noon()) {
		if f.Control == control {
			return f
		}
	}
	t.Fatalf("no finding for %s", control)
	return posture.Finding{}
}

func parseCase(t *testing.T, words []string) *evidenceCase {
	t.Helper()
	c := &evidenceCase{evidence: posture.Evidence{
		Account: posture.Account{
			ID: "111122223333", Source: "acme", Partition: "aws", State: posture.StateActive, Role: posture.RoleMember,
		},
		At: noon(),
	}}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		c.set(t, key, value)
	}
	return c
}

func (c *evidenceCase) set(t *testing.T, key, value string) {
	t.Helper()
	e := &c.evidence
	yes := func(v string) bool { return v == "yes" || v == "on" }
	switch key {
	case "keys":
		e.AccessKeys = fact(t, value, posture.SourceSummary, yes)
	case "mfa":
		e.MFA = fact(t, value, posture.SourceSummary, yes)
	case "password":
		e.Password = fact(t, value, posture.SourceSummary, yes)
	case "cert":
		e.Certificates = fact(t, value, posture.SourceSummary, yes)
	case "central":
		e.Centralized = fact(t, value, "ListOrganizationsFeatures", yes)
	case "blocked":
		e.Blocked = fact(t, value, "ListPoliciesForTarget", yes)
	case "keylist":
		e.Keys = fact(t, value, "ListAccessKeys", func(v string) []posture.Key { return keys(t, v) })
	case "devices":
		e.Devices = fact(t, value, "ListMFADevices", func(v string) []posture.Device { return devices(t, v) })
	case "certlist":
		e.CertificateList = fact(t, value, "ListSigningCertificates", certificates)
	case "signin":
		e.SignIn = fact(t, value, "GetUser", func(v string) posture.Use { return posture.Use{At: ago(t, v)} })
	case "keyuse":
		e.KeyUse = fact(t, value, "GetAccessKeyLastUsed", func(v string) posture.Use { return posture.Use{At: ago(t, v)} })
	case "role":
		e.Account.Role = posture.Role(value)
	case "state":
		e.Account.State = value
	case "partition":
		e.Account.Partition = value
	case "digest":
		c.policy.Since = ago(t, value)
	case "window":
		c.policy.ActivityWindow = noon().Sub(ago(t, value))
	case "unscanned":
		e.At = time.Time{}
	default:
		t.Fatalf("the table does not know the word %q", key)
	}
}

// fact reads what all facts have in common: a gap, the source, and when it was read.
func fact[T any](t *testing.T, value, source string, read func(string) T) posture.Fact[T] {
	t.Helper()
	if reason, ok := strings.CutPrefix(value, "?"); ok {
		return posture.Missing[T](source, posture.Gap{Reason: posture.Reason(reason)})
	}
	at := noon()
	if rest, age, ok := strings.Cut(value, "@"); ok {
		d, err := time.ParseDuration(age)
		if err != nil {
			t.Fatal(err)
		}
		value, at = rest, at.Add(-d)
	}
	if rest, ok := strings.CutPrefix(value, "report:"); ok {
		value, source = rest, posture.SourceReport
	}
	if rest, ok := strings.CutPrefix(value, "seen:"); ok {
		value, source = rest, posture.SourceVirtualDevices
	}
	if rest, ok := strings.CutPrefix(value, "summary:"); ok {
		value, source = rest, posture.SourceSummary
	}
	return posture.Told(read(value), source, at)
}

func ago(t *testing.T, value string) time.Time {
	t.Helper()
	if value == "never" || value == "" {
		return time.Time{}
	}
	if days, ok := strings.CutSuffix(value, "d"); ok {
		value = days + "h"
		d, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		return noon().Add(-24 * d)
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		t.Fatal(err)
	}
	return noon().Add(-d)
}

func items(value string) []string {
	if value == "none" {
		return nil
	}
	return strings.Split(value, ",")
}

func keys(t *testing.T, value string) []posture.Key {
	t.Helper()
	var all []posture.Key
	for i, item := range items(value) {
		status, used, _ := strings.Cut(item, ":")
		k := posture.Key{ID: posture.KeyID(fmt.Sprintf("AKIAEXAMPLE%09d", i)), LastUsed: ago(t, used)}
		switch status {
		case "active":
			k.Status = posture.KeyActive
		case "inactive":
			k.Status = posture.KeyInactive
		default:
			t.Fatalf("the table does not know the key %q", item)
		}
		all = append(all, k)
	}
	return all
}

func devices(t *testing.T, value string) []posture.Device {
	t.Helper()
	var all []posture.Device
	for i, item := range items(value) {
		var serial string
		switch item {
		case "virtual":
			serial = fmt.Sprintf("arn:aws:iam::111122223333:mfa/phone-%d", i)
		case "passkey":
			serial = fmt.Sprintf("arn:aws:iam::111122223333:u2f/root-account/key-%d", i)
		case "hardware":
			serial = fmt.Sprintf("GAHT%08d", i)
		case "odd":
			serial = fmt.Sprintf("arn:aws:iam::111122223333:sms-mfa/phone-%d", i)
		case "twin":
			serial = "arn:aws:iam::111122223333:mfa/twin"
		case "unnamed":
		default:
			t.Fatalf("the table does not know the device %q", item)
		}
		all = append(all, posture.Device{Serial: serial})
	}
	return all
}

func certificates(value string) []posture.Certificate {
	var all []posture.Certificate
	for i, status := range items(value) {
		all = append(all, posture.Certificate{ID: fmt.Sprintf("CERT%d", i), Status: status})
	}
	return all
}
