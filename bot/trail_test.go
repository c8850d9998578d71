package bot

import (
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestTheTrailTellsEveryActionInWordsOfItsOwn(t *testing.T) {
	for lang, v := range voices(t) {
		told := map[string]audit.Action{}
		for _, a := range audit.Actions() {
			l := leaf(7)
			l.Action, l.Actor, l.Reason = a, audit.System("worker"), ""
			line := trailLine(v, l)
			if strings.Contains(line, string(a)) || strings.Contains(line, "`") {
				t.Errorf("%s: the trail shows %s as it is kept: %s", lang, a, line)
			}
			if other, again := told[line]; again {
				t.Errorf("%s: %s reads like %s: %s", lang, a, other, line)
			}
			told[line] = a
		}
	}
}

func TestTheTrailSaysWhoAndWhyInWords(t *testing.T) {
	refused := leaf(7)
	refused.Action, refused.Outcome = audit.AccessRefused, audit.OutcomeRefused
	for _, c := range []struct {
		name         string
		by           audit.Actor
		reason       string
		en, ko, kept string
	}{
		{
			"a person without the right", audit.User(ben, "T0"), string(commands.NotApprover),
			"<@" + ben + ">: no right to it, refused (not an approver)", "<@" + ben + ">: 권한 없는 시도, 거부 (승인자가 아님)", "not_approver",
		},
		{
			"a gate that shut", audit.System("worker"), string(remediation.GateWatch),
			"the bot: no right to it, refused (the watch is not over)", "봇: 권한 없는 시도, 거부 (관찰 기간이 끝나지 않았습니다)", "system worker",
		},
		{
			"whoever runs the process", audit.Operator("terminal"), string(commands.IsPaused),
			"the operator: no right to it, refused (the bot was paused)", "운영자: 권한 없는 시도, 거부 (봇이 일시 중지됨)", "operator terminal",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for lang, want := range map[string]string{"en": c.en, "ko": c.ko} {
				refused.Actor, refused.Reason = c.by, c.reason
				line := trailLine(voices(t)[lang], refused)
				if !strings.HasSuffix(line, want) || strings.Contains(line, c.kept) {
					t.Errorf("%s: the trail says %q, want %q at its end", lang, line, want)
				}
			}
		})
	}
}

func TestAWordOfALaterVersionIsShownAsItIsKept(t *testing.T) {
	l := leaf(7)
	l.Action = "moon.<!channel>"
	if line := trailLine(voices(t)["ko"], l); !strings.Contains(line, "`moon.&lt;!channel&gt;`") {
		t.Errorf("the trail says %q", line)
	}
}
