package awsroot_test

import (
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestABrokenCredentialReportTellsOfNoUseAndOfNoKeys(t *testing.T) {
	withKey := strings.Replace(rogueRow, "false,N/A,N/A,N/A,N/A", "true,2024-01-01T00:00:00+00:00,2026-03-02T08:00:00+00:00,us-east-1,iam", 1)
	for name, content := range map[string]string{
		"a row that breaks off":                 rogueHeader + withKey[:strings.Index(withKey, "true,2024")],
		"a row that breaks off within the date": rogueHeader + withKey[:strings.Index(withKey, "02T08:00")],
		"a header that breaks off":              rogueHeader[:40] + "\n" + withKey,
		"columns with other names":              strings.ReplaceAll(rogueHeader, "access_key_", "accessKey") + withKey,
		"a date in other words":                 rogueHeader + strings.Replace(withKey, "2026-03-02T08:00:00+00:00", "2 March 2026", 1),
		"a date that is empty":                  rogueHeader + strings.Replace(withKey, "2026-01-01T00:00:00+00:00", "", 1),
		"neither true nor false":                rogueHeader + strings.Replace(rogueRow, "true,false,N/A", "true,maybe,N/A", 1),
		"the report of another account":         rogueHeader + strings.Replace(rogueRow, foreignManagement, foreignMember, 1),
		"two rows that contradict each other":   rogueHeader + rogueRow + "\n" + withKey,
	} {
		t.Run(name, func(t *testing.T) {
			_, auditor := newRogue(t, says("GetCredentialReport", reported(content, rogueNow)))
			e := alone(t, auditor)
			if f := judged(e)[posture.RootActivity]; f.Status == posture.Passed {
				t.Errorf("root-activity passes: %s", f.Reason)
			}
			facts := auditor.Read(t.Context(), remediation.Request{Source: "one", Account: foreignManagement, Means: remediation.MeansGuided, Version: 3})
			if facts.KeysKnown && len(facts.Keys) == 0 || facts.NoKeys {
				t.Errorf("the reading says that there is no key: %+v", facts)
			}
		})
	}
	for name, generated := range map[string]string{"made tomorrow": "2026-03-03T09:00:00Z", "made at no time": ""} {
		content := reported(rogueHeader+rogueRow, generated)
		if generated == "" {
			content = strings.Replace(content, "<GeneratedTime></GeneratedTime>", "", 1)
		}
		_, auditor := newRogue(t, says("GetCredentialReport", content))
		if f := judged(alone(t, auditor))[posture.RootActivity]; f.Status == posture.Passed {
			t.Errorf("%s: root-activity passes: %s", name, f.Reason)
		}
	}
}
