package commands_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

func refusalOf(t *testing.T, err error) *commands.Refusal {
	t.Helper()
	var no *commands.Refusal
	if !errors.As(err, &no) {
		t.Fatalf("got %v, want a refusal", err)
	}
	return no
}

// owned gives every account but the member's its MFA, and the member's an owner by email.
func owned(t *testing.T, change ...func(*commands.Config)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.at(func() {
		w.accounts[management].mfa, w.accounts[lab].mfa = true, true
		w.accounts[member].contacts = []commands.Contact{{How: commands.OwnerByEmail, Value: ownerUser + "@example.com"}}
	})
	return w
}

func (w *world) owner(id posture.AccountID) commands.Owner {
	w.t.Helper()
	v, err := w.s.View(w.t.Context(), "acme", id)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Owner
}

func TestTheFirstBatchOfOwnersWaitsForAnApprover(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.scan()
	if o := w.owner(member); o.Stage != commands.OwnerHeld || o.User != ownerUser || o.How != commands.OwnerByEmail {
		t.Fatalf("the owner is %+v, want held", o)
	}
	if got := w.notices(commands.NoticeOwners); len(got) != 1 || got[0].Count != 1 {
		t.Errorf("the preview is %+v", got)
	}
	w.scan()
	if got := w.notices(commands.NoticeOwners); len(got) != 1 {
		t.Errorf("the preview was told %d times", len(got))
	}
	_, err := w.s.ReleaseOwners(t.Context(), who(requester))
	w.wantRefusal(err, commands.NotApprover)
	n, err := w.s.ReleaseOwners(t.Context(), who(approver))
	if err != nil || n != 1 {
		t.Fatalf("released %d, %v", n, err)
	}
	released := slices.ContainsFunc(w.audit(commands.AuditQuery{}), func(l audit.Leaf) bool {
		return l.Action == audit.OwnersReleased && l.Actor.ID == approver
	})
	if !released {
		t.Error("that the owners may be written to is not on record")
	}
	_, err = w.s.ReleaseOwners(t.Context(), who(second))
	w.wantRefusal(err, commands.AlreadySo)
	w.settle()
	if got := w.heard(commands.KindOwner); len(got) != 1 || got[0].User != ownerUser || got[0].Purpose != commands.PurposeMFA {
		t.Errorf("DMs are %+v", got)
	}
	// From then on it goes by itself.
	w.at(func() {
		w.accounts[lab].mfa = false
		w.accounts[lab].contacts = []commands.Contact{{How: commands.OwnerByEmail, Value: "nobody@example.com"}, {How: commands.OwnerBySecurity, Value: second + "@example.com"}}
	})
	w.scan()
	if o := w.owner(lab); o.Stage != commands.OwnerTold || o.User != second || o.How != commands.OwnerBySecurity {
		t.Errorf("the lab's owner is %+v", o)
	}
}

func TestAnOwnerIsRemindedAndThenTheChannelIsTold(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.scan()
	if _, err := w.s.ReleaseOwners(t.Context(), who(approver)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.pass(20 * time.Hour)
	if got := len(w.heard(commands.KindOwner)); got != 1 {
		t.Fatalf("%d DMs within the first day", got)
	}
	w.pass(6 * time.Hour)
	if got := len(w.heard(commands.KindOwner)); got != 2 || len(w.notices(commands.NoticeEscalated)) != 0 {
		t.Fatalf("%d DMs and %d escalations after a day", got, len(w.notices(commands.NoticeEscalated)))
	}
	// Putting it off again and again stops no escalation.
	for range 4 {
		if _, err := w.s.RemindTomorrow(t.Context(), who(ownerUser), "acme", member); err != nil {
			t.Fatal(err)
		}
		w.pass(6 * time.Hour)
	}
	if got := w.notices(commands.NoticeEscalated); len(got) != 1 || got[0].User != ownerUser || got[0].Account != member {
		t.Errorf("escalations are %+v", got)
	}
	d, err := w.s.Digest(t.Context(), w.now())
	if err != nil || len(d.Waiting) != 1 {
		t.Errorf("the digest waits for %v, %v", d.Waiting, err)
	}
	w.at(func() { delete(w.accounts, member) })
	w.scan()
	w.scan() // believed
	if d, err = w.s.Digest(t.Context(), w.now()); err != nil || len(d.Waiting) != 0 {
		t.Errorf("the digest waits for the owner of an account that has left: %v, %v", d.Waiting, err)
	}
}

func TestAnOwnerRegistersMFAAndPressesDone(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.scan()
	if _, err := w.s.InstructMFA(t.Context(), who(requester), "billing"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if _, err := w.s.ChooseDevice(t.Context(), who(ownerUser), "acme", member, "passkey", "ios"); err != nil {
		t.Fatal(err)
	}
	_, err := w.s.ChooseDevice(t.Context(), who(second), "acme", member, "virtual", "")
	w.wantRefusal(err, commands.NotOwner)
	_, _, err = w.s.MFADone(t.Context(), who(stranger), "acme", member)
	w.wantRefusal(err, commands.NotOwner)
	_, o, err := w.s.MFADone(t.Context(), who(ownerUser), "acme", member)
	if err != nil || o.Stage != commands.OwnerAnswered || o.Device != "passkey" || o.System != "ios" {
		t.Errorf("before it is registered: %+v, %v", o, err)
	}
	w.at(func() { w.accounts[member].mfa = true })
	e, o, err := w.s.MFADone(t.Context(), who(ownerUser), "acme", member)
	if err != nil || o.Stage != commands.OwnerFinished || !e.MFA.Value {
		t.Errorf("after: %+v, %v", o, err)
	}
	w.pass(3 * 24 * time.Hour)
	if got := len(w.heard(commands.KindOwner)); got != 1 {
		t.Errorf("%d DMs to somebody who is done", got)
	}
}

func TestABlockedAccountsOwnerIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.scan()
	w.deactivated(member, keyOne)
	_, err := w.s.InstructMFA(t.Context(), who(requester), "billing")
	w.wantRefusal(err, commands.MFABlocked)
	n, err := w.s.ReleaseOwners(t.Context(), who(approver))
	if err != nil || n != 0 {
		t.Errorf("released %d, %v; want nobody while the account is blocked", n, err)
	}
	r, err := w.st.Requests(t.Context(), commands.RequestQuery{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.s.RequestReactivate(t.Context(), who(requester), r[0].ID, r[0].Version, "MFA first")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.Confirm(t.Context(), who(approver), u.ID, u.Version, ""); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.scan()
	if got := w.heard(commands.KindOwner); len(got) != 1 || got[0].User != ownerUser {
		t.Errorf("DMs after the block is off: %+v", got)
	}
	_, err = w.s.InstructMFA(t.Context(), who(requester), "lab")
	w.wantRefusal(err, commands.NobodyToTell)
	_, err = w.s.InstructMFA(t.Context(), who(requester), "nowhere")
	w.wantRefusal(err, commands.UnknownAccount)
}

func TestAClaimCountsAfterAnApproverConfirmedIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scan()
	o, err := w.s.ClaimOwner(t.Context(), who(ownerUser), "acme", lab)
	if err != nil || o.User != "" || o.Claim != ownerUser {
		t.Fatalf("the claim is %+v, %v", o, err)
	}
	_, err = w.s.ClaimOwner(t.Context(), who(ownerUser), "acme", lab)
	w.wantRefusal(err, commands.AlreadySo)
	_, err = w.s.ConfirmOwner(t.Context(), who(requester), "acme", lab, ownerUser)
	w.wantRefusal(err, commands.NotApprover)
	if o, err = w.s.ConfirmOwner(t.Context(), who(approver), "acme", lab, ownerUser); err != nil || o.User != ownerUser || o.How != commands.OwnerByClaim {
		t.Fatalf("confirmed: %+v, %v", o, err)
	}
	if _, err = w.s.AssignOwner(t.Context(), who(approver), "acme", lab, second); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.ConfirmOwner(t.Context(), who(approver), "acme", lab, second)
	w.wantRefusal(err, commands.OwnClaim)
	_, err = w.s.AssignOwner(t.Context(), who(approver), "acme", lab, guest)
	w.wantRefusal(err, commands.IsGuest)
	if _, err = w.s.DeclineOwner(t.Context(), who(ownerUser), "acme", lab); err != nil {
		t.Fatal(err)
	}
	w.settle()
	o = w.owner(lab)
	if o.User != "" || !slices.Contains(o.Not, ownerUser) || len(w.notices(commands.NoticeDeclined)) != 1 {
		t.Errorf("declined: %+v", o)
	}
}

func TestAClaimIsConfirmedAsItWasSeenAndByNobodysSecondAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.at(func() {
		w.people["U0TWIN"] = commands.Person{User: "U0TWIN", Team: team, Email: "U0APPROVE@EXAMPLE.COM"}
		w.channel["U0TWIN"] = true
	})
	w.scan()
	if _, err := w.s.AssignOwner(t.Context(), who(requester), "acme", lab, ownerUser); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.AssignOwner(t.Context(), who(requester), "acme", lab, second); err != nil {
		t.Fatal(err)
	}
	_, err := w.s.ConfirmOwner(t.Context(), who(approver), "acme", lab, ownerUser)
	w.wantRefusal(err, commands.RefusalCode(remediation.RefuseOutdated))
	if _, err = w.s.ClaimOwner(t.Context(), who("U0TWIN"), "acme", member); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.ConfirmOwner(t.Context(), who(approver), "acme", member, "U0TWIN")
	w.wantRefusal(err, commands.OwnClaim)
	if o, err := w.s.ConfirmOwner(t.Context(), who(second), "acme", member, "U0TWIN"); err != nil || o.User != "U0TWIN" {
		t.Errorf("somebody else's confirmation left %+v, %v", o, err)
	}
}

func TestSomebodyWhoWasNotWrittenToYetHasNotAnswered(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.scan()
	if _, o, err := w.s.MFADone(t.Context(), who(approver), "acme", member); err != nil || o.Stage != commands.OwnerHeld {
		t.Fatalf("an approver's Done made the held owner %q, %v", o.Stage, err)
	}
	if n, err := w.s.ReleaseOwners(t.Context(), who(approver)); err != nil || n != 1 {
		t.Errorf("released %d, %v", n, err)
	}
	w.settle()
	w.at(func() { w.accounts[member].mfa = true })
	if _, o, err := w.s.MFADone(t.Context(), who(ownerUser), "acme", member); err != nil || o.Stage != commands.OwnerFinished {
		t.Fatalf("finished: %+v, %v", o, err)
	}
	w.at(func() { w.accounts[member].mfa = false })
	if _, o, err := w.s.MFADone(t.Context(), who(ownerUser), "acme", member); err != nil || o.Stage == commands.OwnerFinished {
		t.Fatalf("the device was taken away again, and the owner is %q, %v", o.Stage, err)
	}
	w.scan()
	if o := w.owner(member); o.Stage != commands.OwnerTold {
		t.Errorf("after the next look the owner is %q, want to be written to again", o.Stage)
	}
}

func TestAnOwnerWhomNobodyKnowsKeepsNobodyElseFromBeingFound(t *testing.T) {
	t.Parallel()
	w := owned(t, func(c *commands.Config) {
		c.Owners = map[posture.AccountID]string{management: "U0TYPO", member: "U0TYPO"}
	})
	w.at(func() { w.accounts[management].mfa = false })
	w.scan()
	if o := w.owner(member); o.User != ownerUser || o.How != commands.OwnerByEmail {
		t.Errorf("the owner is %+v, want the one by email", o)
	}
}

func TestTheStepsGoToWhoeverTheTagNamesNow(t *testing.T) {
	t.Parallel()
	w := owned(t)
	w.at(func() { w.accounts[member].Tags = map[string]string{"owner": second} })
	w.scan()
	if o := w.owner(member); o.User != second || o.Stage != commands.OwnerHeld {
		t.Fatalf("the owner is %+v, want the tagged one, held", o)
	}
	w.at(func() { w.accounts[member].Tags = map[string]string{"owner": ownerUser} })
	w.scan()
	if n, err := w.s.ReleaseOwners(t.Context(), who(approver)); err != nil || n != 1 {
		t.Fatalf("released %d, %v", n, err)
	}
	w.settle()
	if got := w.heard(commands.KindOwner); len(got) != 1 || got[0].User != ownerUser {
		t.Fatalf("DMs are %+v, want one to whom the tag names now", got)
	}
	// Somebody who has left is not reminded; the next in the order is written to.
	w.at(func() { w.people[ownerUser] = commands.Person{User: ownerUser, Team: team, Deleted: true} })
	w.at(func() {
		w.accounts[member].contacts = []commands.Contact{{How: commands.OwnerBySecurity, Value: second + "@example.com"}}
	})
	w.pass(30 * time.Hour)
	if o := w.owner(member); o.User != second || o.How != commands.OwnerBySecurity {
		t.Errorf("the owner is %+v, want the security contact", o)
	}
}
