package bot_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func TestALineThatComesLateTellsOfItsOwnStep(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	now := time.Now()
	then := remediation.Request{
		ID: "r-1", Version: 1, Shown: 1, State: remediation.Requested, Source: "acme", Account: account, Key: key(),
		Means: remediation.MeansOrganization, Policy: remediation.DefaultPolicy(), Requester: remediation.Person{User: ana},
		Opener: remediation.Person{User: ana}, Reason: "a role does it now", OpenedAt: now, Since: now, Note: remediation.NoteRequested,
	}
	later := then
	later.Version, later.Shown, later.State = 9, 9, remediation.DeleteRequested
	later.Requester, later.Reason = remediation.Person{User: ben}, "gone for good"
	r.verbs.mu.Lock()
	r.verbs.request = &later
	r.verbs.mu.Unlock()
	err := r.do(commands.KindTell, "tell/r-1/1/requested", commands.Work{
		Request: "r-1", Version: 1, Note: remediation.NoteRequested, Source: "acme", Account: account, Then: &then,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.messages(room) {
		if m.ThreadTS != "" && (!strings.Contains(m.Text, "<@"+ana+">") || !strings.Contains(m.Text, "a role does it now")) {
			t.Errorf("the first line says %s", m.Text)
		}
	}
}
