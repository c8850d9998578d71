package bot

import (
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestWhoeverShutsAKeyReadsFirstThatItIsInUse(t *testing.T) {
	used := map[string]string{"en": "This key was used 16 minutes ago. Whatever uses it will break.", "ko": "이 키는 16분 전에 사용되었습니다."}
	other := map[string]string{"en": "(used 3 hours ago)", "ko": "3시간 전"}
	for lang, v := range voices(t) {
		for _, m := range []remediation.Means{remediation.MeansOrganization, remediation.MeansRootCredentials, remediation.MeansGuided} {
			k := theKey()
			k.LastUsed = noon().Add(-16 * time.Minute)
			r := request(remediation.Requested, m)
			r.Key = k
			f := form{v: v, preview: commands.Preview{View: account("Payments", m), Key: k, Present: true, Means: m, InUse: true}}
			f.preview.Affects = []posture.Key{{ID: "AKIAEXAMPLE0000OLD22", LastUsed: noon().Add(-3 * time.Hour)}}
			asked := f
			asked.preview.Request = &r
			for name, view := range map[string]slack.ModalViewRequest{"deactivate": f.deactivate(), "emergency": f.breakGlass(), "confirm": asked.confirm()} {
				said := string(encode(t, view))
				if !strings.Contains(said, used[lang]) {
					t.Errorf("%s: the form to %s by %s does not say that the key is in use", lang, name, m)
				}
				if !strings.Contains(said, other[lang]) {
					t.Errorf("%s: the form to %s by %s does not say that the other key is in use", lang, name, m)
				}
			}
			f.preview.InUse = false
			if strings.Contains(string(encode(t, f.deactivate())), used[lang]) {
				t.Errorf("%s: a key that was not used within the guard period is said to be in use", lang)
			}
		}
	}
}
