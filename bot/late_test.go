package bot_test

import (
	"errors"
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
		if m.ThreadTS != "" && (!strings.Contains(m.Text, "Ana Silva") || len(m.Pings) > 0 || !strings.Contains(m.Text, "a role does it now")) {
			t.Errorf("the first line says %s", m.Text)
		}
	}
}

// deleted is a request whose key was deleted, with its card drawn.
func deleted(t *testing.T) (*rig, commands.Work) {
	t.Helper()
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	req := remediation.Request{
		ID: "r-1", Version: 9, Shown: 9, State: remediation.Deleted, Source: "acme", Account: account, Key: key(),
		Means: remediation.MeansOrganization, Policy: remediation.DefaultPolicy(), Requester: remediation.Person{User: ana},
		Opener: remediation.Person{User: ana}, Reason: "a role does it now", OpenedAt: time.Now(), Since: time.Now(), Note: remediation.NoteDeleted,
	}
	r.verbs.mu.Lock()
	r.verbs.request = &req
	r.verbs.mu.Unlock()
	return r, commands.Work{Request: "r-1", Version: 9, Note: remediation.NoteDeleted, Source: "acme", Account: account, Then: &req}
}

func (v *verbs) set(f func(*verbs)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(v)
}

func TestADeletionIsToldOfWithItsHeadOrLater(t *testing.T) {
	r, work := deleted(t)
	before := len(r.messages(room))
	r.verbs.set(func(v *verbs) { v.unsigned = errors.New("the database does not answer") })
	if err := r.do(commands.KindTell, "tell/r-1/9/deleted", work); err == nil {
		t.Error("the line was told without its head")
	}
	if n := len(r.messages(room)); n != before {
		t.Errorf("%d lines were written", n-before)
	}
	r.verbs.set(func(v *verbs) { v.unsigned = nil })
	if err := r.do(commands.KindTell, "tell/r-1/9/deleted", work); err != nil {
		t.Fatal(err)
	}
	all := r.messages(room)
	if last := all[len(all)-1]; !strings.Contains(last.Text, "head 1 abc") {
		t.Errorf("the line says %s, want the head in it", last.Text)
	}
}

func TestADatabaseThatFailsIsNoOwnerWithoutAMessage(t *testing.T) {
	r, work := deleted(t)
	r.verbs.set(func(v *verbs) { v.unread = errors.New("the database does not answer") })
	if err := r.do(commands.KindTell, "tell/r-1/9/deleted", work); err == nil {
		t.Error("the owner's message was left as it was, and nobody will try again")
	}
}
