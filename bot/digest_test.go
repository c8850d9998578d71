package bot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestADigestCountsEachFailingAccountThatItHasNoRoomFor(t *testing.T) {
	all, err := newCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, locale := range []string{"en", "ko"} {
		v := all.speak(locale, noon())
		for _, failing := range []int{3, 60, 200, 1000} {
			d := commands.Digest{At: noon(), Since: noon(), Coverage: coverage(5000, 5000), FailingAll: failing, TwoPerson: true}
			for i := range min(failing, 200) { // what the verbs carry
				r := row5000(0)
				r.Account.ID, r.Account.Name = posture.AccountID(fmt.Sprintf("%012d", i)), strings.Repeat("payments ", 8)
				d.Failing = append(d.Failing, r)
			}
			head, thread := digest(v, d)
			parts := []string{spoken(head.Blocks)}
			for _, m := range thread {
				parts = append(parts, spoken(m.Blocks))
			}
			said := strings.Join(parts, "\n")
			named := 0
			for _, r := range d.Failing {
				if strings.Contains(said, string(r.Account.ID)) {
					named++
				}
			}
			if rest := failing - named; rest > 0 && !strings.Contains(said, v.say("digest.rest", arg{"Count": rest})) {
				t.Errorf("in %s %d of %d accounts are named, and the thread ends with %q", locale, named, failing, said[max(0, len(said)-200):])
			}
		}
	}
}
