package bot

import (
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestACardOfAnEntryThatHasLeftSaysWhatIsStillAttachedAndClaimsNoWatch(t *testing.T) {
	still := map[string]string{"en": "The quarantine policy is still attached in AWS", "ko": "격리 정책은 AWS에 그대로 연결되어 있습니다"}
	for lang, v := range voices(t) {
		r := request(remediation.Inactive, remediation.MeansOrganization)
		r.BlockHeld, r.Note, r.NoteDetail = true, remediation.NoteDepartedBlocked, "acme"
		said := strings.Join(story(v, r), "\n")
		if !strings.Contains(said, still[lang]) || !strings.Contains(said, "`acme`") {
			t.Errorf("%s: it does not say what is still attached: %s", lang, said)
		}
		if strings.Contains(said, watchLine(v, r)) {
			t.Errorf("%s: it says that the key is watched: %s", lang, said)
		}
	}
}
