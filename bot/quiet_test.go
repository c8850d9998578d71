package bot

import (
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestAnOwnerIsNamedAndNotRungByWhatStandsThereEachDay(t *testing.T) {
	mention := "<@" + olive + ">"
	for lang, v := range voices(t) {
		owned := account("Payments", remediation.MeansGuided)
		head, thread := digest(v, digestOf(50, "Payments"))
		for name, m := range map[string]message{"card": card(v, owned), "digest": head} {
			said := string(encode(t, m))
			if strings.Contains(said, mention) || strings.Contains(said, `\u003c@`+olive) {
				t.Errorf("%s: the %s rings the owner", lang, name)
			}
		}
		for _, m := range thread {
			if strings.Contains(string(encode(t, m)), olive) {
				t.Errorf("%s: the digest's thread rings the owner", lang)
			}
		}
		if !strings.Contains(card(v, owned).Text, "Olivia Hart") || !strings.Contains(head.Text, "Olivia Hart") {
			t.Errorf("%s: the owner is not named", lang)
		}
		v.names = nil
		if said := card(v, owned).Text; !strings.Contains(said, "`"+olive+"`") || strings.Contains(said, mention) {
			t.Errorf("%s: whom Slack does not tell the name of is shown as %s", lang, said)
		}
	}
}

func TestABlockThatIsNotOursHasNoButtonToTakeItAway(t *testing.T) {
	for lang, v := range voices(t) {
		r := request(remediation.Inactive, remediation.MeansOrganization)
		for name, c := range map[string]struct {
			held, found bool
			want        int
		}{"ours": {true, false, 2}, "found there": {true, true, 0}, "nobody's": {false, false, 0}} {
			r.BlockHeld, r.BlockFound = c.held, c.found
			undo := 0
			for _, b := range stepButtons(v, r) {
				if b.ActionID == actReactivate || b.ActionID == actLift {
					undo++
				}
			}
			if undo != c.want {
				t.Errorf("%s: a block that is %s has %d buttons to take it away, want %d", lang, name, undo, c.want)
			}
		}
	}
}

func TestARefusalSaysWhoCanDoItInstead(t *testing.T) {
	v := voices(t)["en"]
	own := commands.RefusalCode(remediation.RefuseOwn)
	said := refusal(v, &commands.Refusal{Code: own, Args: map[string]string{"who": ben + " S0GROUP"}}, "")
	if !strings.Contains(said, "<@"+ben+">") || !strings.Contains(said, "<!subteam^S0GROUP>") {
		t.Errorf("it says %q", said)
	}
	if said = refusal(v, &commands.Refusal{Code: own}, ""); !strings.Contains(said, "ask the operator") {
		t.Errorf("where nobody else is named it says %q", said)
	}
	said = refusal(v, &commands.Refusal{Code: commands.Ambiguous, Args: map[string]string{"choices": "acme/222222222222 lab/222222222222"}}, "")
	if !strings.Contains(said, "`acme/222222222222`") || !strings.Contains(said, "`lab/222222222222`") {
		t.Errorf("it says %q", said)
	}
}
