package bot

import (
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// noon is when everything in the golden files is drawn.
func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

const (
	ana   = "U0ANASILVA1"
	ben   = "U0BENOKAFOR"
	olive = "U0OLIVIAHRT"
	room  = "C0AWSROOT01"
)

// hostile is the name of an account of somebody who means harm: 200 characters of what Slack acts on.
func hostile() string {
	return strings.Repeat("<!channel> *b* _i_ ~s~ `c` :tada: \u202eevil\u202c &amp; @here #general <https://x.y|z> \u200b", 3)[:190] + "금융🔥"
}

func theKey() posture.Key {
	return posture.Key{
		ID: "AKIAEXAMPLE0000WXYZ1", Status: posture.KeyActive, Created: noon().AddDate(-5, 0, 0), LastUsed: noon().Add(-51 * time.Hour),
		UsedService: "s3", UsedRegion: "eu-west-1",
	}
}

func theAccount(name string) posture.Account {
	return posture.Account{
		ID: "222222222222", Source: "acme", Name: name, Alias: "payments", Email: "aws+payments@example.com", Unit: "/Workloads/Prod",
		State: posture.StateActive, Role: posture.RoleMember,
	}
}

func finding(c posture.Control, s posture.Severity, code posture.Code) posture.Finding {
	return posture.Finding{Control: c, Account: "222222222222", Source: "acme", Status: posture.Failed, Severity: s, Code: code, Reason: "R.", At: noon()}
}

func gap(c posture.Control, s posture.Severity, code posture.Code, r posture.Reason) posture.Finding {
	f := finding(c, s, code)
	f.Status, f.Gap = posture.NotAvailable, &posture.Gap{Reason: r}
	return f
}

// account is an account with one active key, no MFA, and something that could not be read.
func account(name string, m remediation.Means) commands.AccountView {
	return commands.AccountView{
		Look: commands.Look{
			Evidence: posture.Evidence{Account: theAccount(name), At: noon().Add(-20 * time.Minute)},
			Findings: []posture.Finding{
				finding(posture.RootAccessKey, posture.Critical, posture.CodeKeyActive),
				finding(posture.RootMFA, posture.Critical, posture.CodeNoMFA),
				gap(posture.RootActivity, posture.High, posture.CodeSignInUnknown, posture.ReasonDenied),
			},
		},
		Keys:  []commands.KeyView{{Key: theKey(), Deactivate: m, Delete: m}},
		Ways:  commands.Ways{Deactivate: m, Delete: m, Why: "the quarantine policy is not configured"},
		Owner: commands.Owner{Source: "acme", Account: "222222222222", User: olive, How: commands.OwnerByTag, Stage: commands.OwnerTold, Told: 1, ToldAt: noon().Add(-26 * time.Hour)},
	}
}

func request(s remediation.State, m remediation.Means) remediation.Request {
	r := remediation.Request{
		ID: "r-7f3a", Version: 4, Shown: 4, State: s, Source: "acme", Account: "222222222222", Key: theKey(), Means: m, DeleteMeans: m,
		Policy: remediation.DefaultPolicy(), Requester: remediation.Person{User: ana}, Opener: remediation.Person{User: ana},
		Reason: "the nightly job uses a role now", OpenedAt: noon().Add(-2 * time.Hour), Since: noon().Add(-time.Hour),
		InactiveAt: noon().Add(-time.Hour), WatchFrom: noon().Add(-30 * time.Minute), ReadAt: noon().Add(-5 * time.Minute),
		Watched: 26 * time.Hour, LastSeen: noon().Add(-10 * time.Minute), NoteDetail: "AccessDenied",
	}
	if s.Pending() || s == remediation.AwaitingOwner || s == remediation.AwaitingOwnerDelete || s == remediation.Lifted {
		r.Deadline = noon().Add(23 * time.Hour)
	}
	if !s.Pending() && s != remediation.Rejected && s != remediation.Inactive {
		r.Approvals = []remediation.Approval{{By: remediation.Person{User: ben}, At: noon().Add(-90 * time.Minute)}}
	}
	r.Steps = stepsOf(s, r)
	r.ActedOn = s == remediation.Inactive && m != remediation.MeansGuided
	if m == remediation.MeansOrganization {
		r.BlockHeld = s == remediation.Inactive
	}
	return r
}

// stepsOf are the steps that a request in a state has behind it: ana asked, and ben confirmed what is not pending.
func stepsOf(s remediation.State, r remediation.Request) []remediation.Step {
	confirmed := []remediation.Approval{{By: remediation.Person{User: ben}, At: noon().Add(-90 * time.Minute)}}
	first := remediation.Step{Act: remediation.ActDeactivate, By: r.Opener, Reason: r.Reason, At: r.OpenedAt, Approvals: confirmed}
	acts := map[remediation.State]remediation.Act{
		remediation.ReactivateRequested: remediation.ActReactivate, remediation.Reactivating: remediation.ActReactivate,
		remediation.Restored: remediation.ActReactivate, remediation.LiftRequested: remediation.ActLift,
		remediation.Lifting: remediation.ActLift, remediation.Lifted: remediation.ActLift,
		remediation.DeleteRequested: remediation.ActDelete, remediation.DeleteApproved: remediation.ActDelete,
		remediation.Deleting: remediation.ActDelete, remediation.AwaitingOwnerDelete: remediation.ActDelete,
		remediation.Deleted: remediation.ActDelete, remediation.Verified: remediation.ActDelete,
		remediation.VerifiedWithAlarm: remediation.ActDelete,
	}
	act, more := acts[s]
	if !more {
		first.Approvals = r.Approvals
		if s == remediation.Inactive || s == remediation.Reactivated {
			first.Approvals = confirmed
		}
		return []remediation.Step{first}
	}
	return []remediation.Step{first, {Act: act, By: r.Requester, Reason: r.Reason, At: r.OpenedAt.Add(time.Hour), Approvals: r.Approvals}}
}

// notes are what a request usually last heard in a state.
func lastNote(s remediation.State) remediation.Note {
	return map[remediation.State]remediation.Note{
		remediation.Requested: remediation.NoteRequested, remediation.Approved: remediation.NoteConfirmed,
		remediation.Deactivating: remediation.NoteUnsure, remediation.AwaitingOwner: remediation.NoteOwnerAsked,
		remediation.Inactive: remediation.NoteInactive, remediation.DeleteRequested: remediation.NoteDeleteAsked,
		remediation.Deleted: remediation.NoteDeleted, remediation.Lifted: remediation.NoteLifted,
	}[s]
}

func row5000(i int) commands.Row {
	a := theAccount(hostile())
	return commands.Row{Account: a, Failed: []posture.Finding{finding(posture.RootAccessKey, posture.Critical, posture.CodeKeyActive), finding(posture.RootMFA, posture.Critical, posture.CodeNoMFA)}, Open: i % 2}
}

func coverage(scanned, listed int) commands.Coverage {
	c := commands.Coverage{Scanned: scanned, Listed: listed, Why: map[posture.Reason]int{}, Run: commands.Run{Finished: noon().Add(-20 * time.Minute), Took: 40 * time.Second}}
	if listed > scanned {
		c.Why[posture.ReasonSCP], c.Why[posture.ReasonSuspended] = listed-scanned-1, 1
	}
	return c
}

// digestOf is a digest of an organization in which a tenth of the accounts fail.
func digestOf(accounts int, name string) commands.Digest {
	failing := max(1, accounts/10)
	d := commands.Digest{
		At: noon(), Since: noon().Add(-24 * time.Hour), Coverage: coverage(accounts-2, accounts), FailingAll: failing,
		Counts: map[posture.Control]map[posture.Status]int{
			posture.RootAccessKey: {posture.Failed: failing}, posture.RootMFA: {posture.Failed: failing, posture.NotAvailable: 2},
		},
		Units: map[string]int{"/Workloads/Prod": failing, "/Sandbox": 1}, TwoPerson: true,
		Pending:  []remediation.Request{request(remediation.Requested, remediation.MeansOrganization)},
		Watching: []remediation.Request{request(remediation.Inactive, remediation.MeansOrganization)},
		Waiting:  []commands.Owner{account(name, remediation.MeansGuided).Owner},
		Head:     "size 1042 · hash vGRHUvUXm3UbDXFPfWXvnVNHQJNVRPfzcG8N6EFzpgk= · at 2026-11-21T12:00:00Z · by rootcheck · sig " + strings.Repeat("A", 91) + "=",
	}
	d.Coverage.Who = map[posture.Reason][]string{posture.ReasonSuspended: {name}}
	for i, c := range []posture.Change{posture.New, posture.Worse, posture.Lost, posture.Better, posture.Resolved, posture.Gone} {
		f := finding(posture.RootMFA, posture.Critical, posture.CodeNoMFA)
		d.Changes = append(d.Changes, posture.Difference{Key: f.Key(), Change: c, After: f})
		if c == posture.Gone {
			d.Changes[i].Before, d.Changes[i].After = f, posture.Finding{}
		}
	}
	for range min(failing, 50) {
		r := row5000(0)
		r.Account.Name = name
		d.Failing = append(d.Failing, r)
	}
	return d
}

func leaf(seq int64) audit.Leaf {
	return audit.Leaf{Seq: seq, Event: audit.Event{
		At: noon(), Actor: audit.User(ben, "T0"), Action: audit.RemediationConfirmed, Outcome: audit.OutcomeDone, Reason: hostile(),
	}}
}
