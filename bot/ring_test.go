package bot_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

const cho = slacksim.UserCho

// calls makes the verbs answer whom to call.
func (r *rig) calls(g commands.Ring) {
	r.verbs.set(func(v *verbs) { v.ring = func() commands.Ring { return g } })
}

// tellAsked does the outbox's line on the request that stands, as often as it is told to.
func (r *rig) tellAsked() error {
	r.Helper()
	now, err := r.verbs.Request(r.Context(), "r-1")
	if err != nil {
		r.Fatal(err)
	}
	then := now
	then.Version, then.Shown, then.State, then.Note = 1, 1, remediation.Requested, remediation.NoteRequested
	return r.do(commands.KindTell, "tell/r-1/1/requested", commands.Work{
		Request: "r-1", Version: 1, Note: remediation.NoteRequested, Source: "acme", Account: account, Then: &then,
	})
}

// thread is what stands in the card's thread.
func (r *rig) thread() []message {
	r.Helper()
	card := r.card().TS
	return slices.DeleteFunc(r.messages(room), func(m message) bool { return m.ThreadTS != card || m.TS == card })
}

func (r *rig) wantThread(lines int) []message {
	r.Helper()
	got := r.thread()
	if len(got) != lines {
		r.Fatalf("the thread has %d lines, want %d: %+v", len(got), lines, got)
	}
	return got
}

func TestARequestedConfirmationCallsThoseWhoMayGiveItOnce(t *testing.T) {
	for locale, words := range map[string][]string{
		"en": {"Ana Silva asked to block the root user: “a role does it now”", "<@" + ben + ">, <@" + cho + ">: please confirm", "Open until <!date^", "“Confirm…” or “Reject…”", "Home tab"},
		"ko": {"Ana Silva 님이 요청했습니다", "“a role does it now”", "<@" + ben + ">, <@" + cho + "> 님, 승인하거나 거절해 주세요", "까지 유효합니다", "“승인…” 또는 “거절…”", "홈 탭"},
	} {
		t.Run(locale, func(t *testing.T) {
			r := newRigIn(t, locale, nil)
			r.ask()
			r.calls(commands.Ring{Open: true, Users: []string{ben, cho}})
			if err := r.tellAsked(); err != nil {
				t.Fatal(err)
			}
			line := r.wantThread(1)[0]
			words = append(words, "`222222222222`", "Payments &lt;!channel&gt;", "AKIA…XYZ1")
			for _, w := range words {
				if !strings.Contains(line.Text, w) {
					t.Errorf("the line says %q, want %q in it", line.Text, w)
				}
			}
			if want := []string{"<@" + ben + ">", "<@" + cho + ">"}; !slices.Equal(line.Pings, want) {
				t.Errorf("it calls %v, want %v: those who may confirm, and not whoever asked", line.Pings, want)
			}

			// Told again, after a restart or because nobody knows whether it was told, and with another answer of the directory.
			r.calls(commands.Ring{Open: true, Users: []string{kim}})
			for range 2 {
				if err := r.tellAsked(); err != nil {
					t.Fatal(err)
				}
			}
			r.draw(commands.KindCard)
			if again := r.wantThread(1)[0]; again.Text != line.Text {
				t.Errorf("the line was changed into %q", again.Text)
			}
		})
	}
}

func TestALineWhoseAnswerWasLostCallsNobodyTwice(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	if err := r.ws.Inject(slacksim.Fault{Kind: "garbage", Method: "chat.postMessage", Count: 1, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := r.tellAsked(); err == nil {
		t.Error("nobody heard whether the line was posted, and it is done")
	}
	if err := r.tellAsked(); err != nil {
		t.Fatal(err)
	}
	if line := r.wantThread(1)[0]; !slices.Equal(line.Pings, []string{"<@" + ben + ">"}) {
		t.Errorf("it calls %v", line.Pings)
	}
}

func TestNobodyIsCalledToWhatIsDecidedAlready(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	if _, err := r.verbs.Confirm(t.Context(), commands.Actor{User: ben}, "r-1", 1, ""); err != nil {
		t.Fatal(err)
	}
	if err := r.tellAsked(); err != nil {
		t.Fatal(err)
	}
	if line := r.wantThread(1)[0]; len(line.Pings) > 0 || !strings.Contains(line.Text, "Ana Silva asked") {
		t.Errorf("a line that comes after the decision calls %v: %s", line.Pings, line.Text)
	}
}

func TestWhatAPauseHoldsBackIsCalledForOnceTheBotIsResumed(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	r.calls(commands.Ring{Held: true})
	for range 2 {
		if err := r.tellAsked(); err != nil {
			t.Fatal(err)
		}
	}
	if line := r.wantThread(1)[0]; len(line.Pings) > 0 || !strings.Contains(line.Text, "Ana Silva asked") {
		t.Errorf("during the pause %v are called: %s", line.Pings, line.Text)
	}
	r.calls(commands.Ring{Open: true, Users: []string{ben}})
	for range 2 {
		if err := r.tellAsked(); err != nil {
			t.Fatal(err)
		}
	}
	if line := r.wantThread(2)[1]; !slices.Equal(line.Pings, []string{"<@" + ben + ">"}) {
		t.Errorf("after the pause %v are called", line.Pings)
	}
}

func TestACallWaitsForADirectoryThatDoesNotAnswerButNotForEver(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	r.verbs.set(func(v *verbs) {
		v.ring = func() commands.Ring {
			_, err := r.space.Group(context.WithoutCancel(t.Context()), slacksim.GroupApprovers)
			return commands.Ring{Open: true, Users: []string{ben}, Unasked: err}
		}
	})
	broken := slacksim.Fault{Kind: "http_500", Method: "usergroups.users.list", For: time.Hour}
	if err := r.ws.Inject(broken); err != nil {
		t.Fatal(err)
	}
	if err := r.tellAsked(); err == nil || !strings.HasPrefix(err.Error(), "not before ") {
		t.Fatalf("the line ended with %v, want it asked for later", err)
	}
	r.wantThread(0)
	r.verbs.set(func(v *verbs) { v.request.Steps[0].At = v.request.Steps[0].At.Add(-time.Hour) })
	if err := r.tellAsked(); err != nil {
		t.Fatal(err)
	}
	if line := r.wantThread(1)[0]; !slices.Equal(line.Pings, []string{"<@" + ben + ">"}) {
		t.Errorf("an hour later %v are called, want whom Slack tells of", line.Pings)
	}
}
