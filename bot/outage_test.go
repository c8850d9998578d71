package bot_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

func TestWhileSlackIsDownNothingHasFailed(t *testing.T) {
	for name, fault := range map[string]slacksim.Fault{
		"it answers with a page of errors":        {Kind: "http_500"},
		"it limits us":                            {Kind: "rate_limit"},
		"its answer breaks off":                   {Kind: "garbage"},
		"it says that the service is unavailable": {Kind: "error", Code: "service_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			fault.For = time.Hour
			if err := r.ws.Inject(fault); err != nil {
				t.Fatal(err)
			}
			said := commands.Work{Notice: commands.NoticePaused, By: ben, Reason: "looking into it"}
			err := r.do(commands.KindNotice, "notice/switch/1", said)
			if err == nil || !strings.HasPrefix(err.Error(), "not before ") {
				t.Fatalf("the notice ended with %v, want it asked for later", err)
			}
			if r.bot.Silent().IsZero() {
				t.Error("nobody knows that Slack takes no message")
			}
			if err := r.ws.Inject(slacksim.Fault{Kind: "clear"}); err != nil {
				t.Fatal(err)
			}
			if err := r.do(commands.KindNotice, "notice/switch/1", said); err != nil {
				t.Fatal(err)
			}
			if n := len(r.messages(room)); n != 1 {
				t.Errorf("%d messages were posted, want the one", n)
			}
			if !r.bot.Silent().IsZero() {
				t.Error("Slack takes messages again, and counts as silent")
			}
		})
	}
}

func TestWhatSlackRefusesForWhatItIsHasFailed(t *testing.T) {
	r := newRig(t, nil)
	if err := r.ws.Inject(slacksim.Fault{Kind: "error", Code: "invalid_blocks", Method: "chat.postMessage", For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	err := r.do(commands.KindNotice, "notice/switch/1", commands.Work{Notice: commands.NoticePaused, By: ben})
	if err == nil || strings.HasPrefix(err.Error(), "not before ") {
		t.Errorf("the notice ended with %v, want a failure that is counted", err)
	}
}

func TestANoticeThatMayHaveBeenPostedIsLookedForFirst(t *testing.T) {
	r := newRig(t, nil)
	if err := r.ws.Inject(slacksim.Fault{Kind: "garbage", Method: "chat.postMessage", Count: 1, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	said := commands.Work{Notice: commands.NoticePaused, By: ben, Reason: "looking into it"}
	for range 2 {
		_ = r.do(commands.KindNotice, "notice/switch/1", said)
	}
	if n := len(r.messages(room)); n != 1 {
		t.Errorf("%d messages were posted, want the one", n)
	}
}
