package awsroot_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// blocking is a request to block payments, ready for its call.
func (r *rig) blocking(t *testing.T) remediation.Request {
	t.Helper()
	k := r.key(t, "acme", awssim.PaymentsAccount, posture.KeyActive)
	return request("acme", awssim.PaymentsAccount, k, remediation.MeansOrganization, remediation.MeansOrganization, remediation.Deactivating, r.clock())
}

// deleting is a request to delete the key of a blocked account, ready for its call.
func (r *rig) deleting(t *testing.T) remediation.Request {
	t.Helper()
	req := r.blocking(t)
	r.order(t, "policy", `{"policy_id":"`+policyID+`","do":"attach","account":"`+awssim.PaymentsAccount+`"}`)
	req.State, req.BlockHeld = remediation.Deleting, true
	return req
}

func (r *rig) open(t *testing.T, req remediation.Request, act remediation.Act) commands.Session {
	t.Helper()
	s, err := r.remediator.Open(t.Context(), req, act)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (r *rig) fault(t *testing.T, kind, action string) {
	t.Helper()
	if err := r.Inject(awssim.Fault{Kind: kind, Action: action}); err != nil {
		t.Fatal(err)
	}
}

func TestACallIsMadeOnceWhateverBecomesOfItsAnswer(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		effect     bool
		want       remediation.Kind
	}{
		{"the answer is lost", awssim.FaultLostAnswer, true, remediation.Unsure},
		{"a page of HTML", awssim.FaultHTTP500, false, remediation.Unsure},
		{"half an answer", awssim.FaultGarbage, false, remediation.Unsure},
		{"throttled", awssim.FaultThrottle, false, remediation.Unsure},
		{"somebody else's change under way", awssim.FaultConflict, false, remediation.Unsure},
		{"denied", awssim.FaultDeny, false, remediation.Refused},
		{"denied by a policy", awssim.FaultSCPDeny, false, remediation.Refused},
	} {
		t.Run("deleting: "+c.name, func(t *testing.T) {
			r := newRig(t, nil)
			req := r.deleting(t)
			s := r.open(t, req, remediation.ActDelete)
			p := permit(t, req, s.Facts(), r.clock())
			r.ClearCalls()
			r.fault(t, c.kind, "DeleteAccessKey")
			if out := s.Do(t.Context(), p); out.Kind != c.want || out.Code == "" {
				t.Errorf("it is %+v, want %s", out, c.want)
			}
			if n := r.count("DeleteAccessKey", ""); n != 1 {
				t.Errorf("DeleteAccessKey was called %d times", n)
			}
			if got := len(r.Effects()) == 1; got != c.effect {
				t.Errorf("effects %+v", r.Effects())
			}
			if out := s.Do(t.Context(), p); out.Kind != remediation.Refused {
				t.Errorf("the permit is good for another call: %+v", out)
			}
		})
		t.Run("blocking: "+c.name, func(t *testing.T) {
			r := newRig(t, nil)
			req := r.blocking(t)
			s := r.open(t, req, remediation.ActDeactivate)
			p := permit(t, req, s.Facts(), r.clock())
			r.ClearCalls()
			r.fault(t, c.kind, "AttachPolicy")
			if out := s.Do(t.Context(), p); out.Kind != c.want {
				t.Errorf("it is %+v, want %s", out, c.want)
			}
			if n := r.count("AttachPolicy", ""); n != 1 || r.quarantined(t, awssim.PaymentsAccount) != c.effect {
				t.Errorf("AttachPolicy was called %d times, blocked: %v", n, r.quarantined(t, awssim.PaymentsAccount))
			}
			r.ClearFaults()
			if f := r.auditor.Read(t.Context(), req); f.Gap != nil || f.Block.Attached != c.effect {
				t.Errorf("the reading that settles it: %+v", f)
			}
		})
	}
}

func TestACallThatHangsEndsUnsure(t *testing.T) {
	r := newRig(t, nil)
	req := r.deleting(t)
	s := r.open(t, req, remediation.ActDelete)
	p := permit(t, req, s.Facts(), r.clock())
	r.fault(t, awssim.FaultSlow, "DeleteAccessKey")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if out := s.Do(ctx, p); out.Kind != remediation.Unsure {
		t.Errorf("it is %+v", out)
	}
	if n := r.count("DeleteAccessKey", ""); n != 1 {
		t.Errorf("DeleteAccessKey was called %d times", n)
	}
}

func TestAKeyThatSomebodyElseDeletedIsNoSuccessOfOurs(t *testing.T) {
	r := newRig(t, nil)
	req := r.deleting(t)
	s := r.open(t, req, remediation.ActDelete)
	p := permit(t, req, s.Facts(), r.clock())
	v, _ := r.Account(awssim.PaymentsAccount)
	r.order(t, "key", `{"account":"`+awssim.PaymentsAccount+`","key_id":"`+v.Root.Keys[0].ID+`","do":"delete"}`)
	if out := s.Do(t.Context(), p); out.Kind != remediation.Unsure || out.Code != "NoSuchEntity" {
		t.Errorf("it is %+v", out)
	}
}

func TestAPermitIsGoodForItsOwnCallAlone(t *testing.T) {
	r := newRig(t, nil)
	req := r.deleting(t)
	p := permit(t, req, r.open(t, req, remediation.ActDelete).Facts(), r.clock())
	r.ClearCalls()
	for name, change := range map[string]func(*remediation.Request){
		"another request": func(q *remediation.Request) { q.ID = "r2" },
		"another account": func(q *remediation.Request) { q.Account = awssim.ArchiveAccount },
		"another key":     func(q *remediation.Request) { q.Key.ID = awssim.LabOtherAccessKeyID },
	} {
		other := req
		change(&other)
		s := r.open(t, other, remediation.ActDelete)
		if out := s.Do(t.Context(), p); out.Kind != remediation.Refused {
			t.Errorf("%s: %+v", name, out)
		}
	}
	closed := r.open(t, req, remediation.ActDelete)
	closed.Close()
	if out := closed.Do(t.Context(), p); out.Kind != remediation.Refused {
		t.Errorf("a closed session: %+v", out)
	}
	if out := r.open(t, req, remediation.ActDelete).Do(t.Context(), remediation.Permit{}); out.Kind != remediation.Refused {
		t.Errorf("a permit that nobody gave: %+v", out)
	}
	if n := len(r.Effects()); n != 0 {
		t.Errorf("%d effects", n)
	}
}

// gate is the first gate that is shut for a request with these facts.
func gate(r remediation.Request, f remediation.Facts, now time.Time) remediation.Gate {
	_, err := remediation.Start(r, f, remediation.Surroundings{On: true, Asker: true, Entitled: map[string]bool{"UBEN": true}, Recorded: map[string]bool{"UBEN": true}, DailyCap: 5}, now)
	if shut, ok := err.(*remediation.GateError); ok { //nolint:errorlint // Start returns it as it is.
		return shut.Gate
	}
	return ""
}

func TestWhatDoesNotFitShutsAGateBeforeTheCall(t *testing.T) {
	t.Run("a key of another account", func(t *testing.T) {
		r := newRig(t, nil)
		req := r.deleting(t)
		v, _ := r.Account(awssim.ArchiveAccount)
		req.Key.ID = posture.KeyID(v.Root.Keys[0].ID)
		if g := gate(req, r.open(t, req, remediation.ActDelete).Facts(), r.clock()); g != remediation.GateKey {
			t.Errorf("gate %q", g)
		}
	})
	t.Run("a policy that was rewritten", func(t *testing.T) {
		r := newRig(t, nil)
		req := r.blocking(t)
		r.auditor.Read(t.Context(), req) // the comparison of a reading is not believed for a change
		r.order(t, "policy", `{"policy_id":"`+policyID+`","do":"write","content":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}`)
		if g := gate(req, r.open(t, req, remediation.ActDeactivate).Facts(), r.clock()); g != remediation.GateBlock {
			t.Errorf("gate %q", g)
		}
	})
	t.Run("a key that is neither inactive nor blocked", func(t *testing.T) {
		r := newRig(t, nil)
		req := r.blocking(t)
		req.State = remediation.Deleting
		if g := gate(req, r.open(t, req, remediation.ActDelete).Facts(), r.clock()); g != remediation.GateInactive {
			t.Errorf("gate %q", g)
		}
	})
	t.Run("a root profile that is of another account", func(t *testing.T) {
		r := newRig(t, nil)
		k := posture.Key{ID: awssim.LabOtherAccessKeyID, Created: r.clock()}
		req := request("lab", awssim.PaymentsAccount, k, remediation.MeansRootCredentials, remediation.MeansRootCredentials, remediation.Deactivating, r.clock())
		if g := gate(req, r.open(t, req, remediation.ActDeactivate).Facts(), r.clock()); g != remediation.GateIdentity {
			t.Errorf("gate %q", g)
		}
	})
	t.Run("a root profile that is no root user", func(t *testing.T) {
		r := newRig(t, func(c *awsroot.Config) { c.Sources[1].Account.RootProfile = "lab-readonly" })
		k := posture.Key{ID: awssim.LabOtherAccessKeyID, Created: r.clock()}
		req := request("lab", awssim.LabAccount, k, remediation.MeansRootCredentials, remediation.MeansRootCredentials, remediation.Deactivating, r.clock())
		if f := r.open(t, req, remediation.ActDeactivate).Facts(); f.RootSession || gate(req, f, r.clock()) == "" {
			t.Errorf("facts %+v", f)
		}
	})
	t.Run("a root profile that signs with the very key", func(t *testing.T) {
		r := newRig(t, nil)
		k := posture.Key{ID: awssim.LabAccessKeyID, Created: r.clock()}
		req := request("lab", awssim.LabAccount, k, remediation.MeansRootCredentials, remediation.MeansRootCredentials, remediation.Deactivating, r.clock())
		if f := r.open(t, req, remediation.ActDeactivate).Facts(); f.Gap == nil {
			t.Errorf("facts %+v", f)
		}
	})
}

func TestWhatTheSettingsRuleOutIsNotEvenOpened(t *testing.T) {
	r := newRig(t, func(c *awsroot.Config) {
		c.Sources[0].NeverActOn = []posture.AccountID{awssim.ArchiveAccount}
		c.Sources[0].Organization.Quarantine.Except = []posture.AccountID{awssim.DataAccount}
	})
	r.inventory(t, "acme")
	r.ClearCalls()
	member := func(id posture.AccountID) remediation.Request {
		return request("acme", id, posture.Key{}, remediation.MeansOrganization, remediation.MeansOrganization, remediation.Deactivating, r.clock())
	}
	found := member(awssim.PaymentsAccount)
	found.BlockFound = true
	for _, c := range []struct {
		name string
		req  remediation.Request
		act  remediation.Act
	}{
		{"blocking an account never to be acted on", member(awssim.ArchiveAccount), remediation.ActDeactivate},
		{"deleting in it", member(awssim.ArchiveAccount), remediation.ActDelete},
		{"blocking an account never to be blocked", member(awssim.DataAccount), remediation.ActDeactivate},
		{"blocking the management account, which no policy binds", member(awssim.ManagementAccount), remediation.ActDeactivate},
		{"deleting in the management account", member(awssim.ManagementAccount), remediation.ActDelete},
		{"taking off a block that is not ours", found, remediation.ActReactivate},
		{"lifting a block that is not ours", found, remediation.ActLift},
		{"no account at all", member(""), remediation.ActDelete},
		{"an act that does not exist", member(awssim.PaymentsAccount), "destroy"},
		{"a single account's means in an organization", request("acme", awssim.PaymentsAccount, posture.Key{}, remediation.MeansRootCredentials, remediation.MeansRootCredentials, remediation.Deactivating, r.clock()), remediation.ActDeactivate},
	} {
		if s, err := r.remediator.Open(t.Context(), c.req, c.act); err == nil {
			t.Errorf("%s is opened: %+v", c.name, s.Facts())
		}
	}
	if n := len(r.Calls()); n != 0 {
		t.Errorf("AWS was asked %d times", n)
	}
}

func TestABlockThatComesBetweenReadingAndCallIsNotOurs(t *testing.T) {
	for attempt, found := range map[int]bool{0: true, 1: false} {
		r := newRig(t, nil)
		req := r.blocking(t)
		req.Attempt = attempt // an earlier attempt of ours may be what is there
		s := r.open(t, req, remediation.ActDeactivate)
		p := permit(t, req, s.Facts(), r.clock())
		r.order(t, "policy", `{"policy_id":"`+policyID+`","do":"attach","account":"`+awssim.PaymentsAccount+`"}`)
		if out := s.Do(t.Context(), p); out.Kind != remediation.Succeeded || out.Found != found {
			t.Errorf("attempt %d: %+v", attempt, out)
		}
	}
}

func TestARootProfileThatChangesMeanwhileChangesNothing(t *testing.T) {
	r := newRig(t, nil)
	f := r.auditor.Read(t.Context(), remediation.Request{Source: "lab", Account: awssim.LabAccount, Means: remediation.MeansRootCredentials})
	var k posture.Key
	for _, c := range f.Keys {
		if c.ID == awssim.LabOtherAccessKeyID {
			k = c
		}
	}
	req := request("lab", awssim.LabAccount, k, remediation.MeansRootCredentials, remediation.MeansRootCredentials, remediation.Deactivating, r.clock())
	s := r.open(t, req, remediation.ActDeactivate)
	p := permit(t, req, s.Facts(), r.clock())
	other := "[lab-root]\naws_access_key_id = " + awssim.LabOtherAccessKeyID + "\naws_secret_access_key = " + awssim.LabOtherSecretKey + "\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(os.Getenv("AWS_SHARED_CREDENTIALS_FILE")), "credentials"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.Do(t.Context(), p); out.Kind != remediation.Succeeded {
		t.Fatalf("it is %+v", out)
	}
	for _, c := range r.Calls() {
		if c.Action == "UpdateAccessKey" && c.KeyID != awssim.LabAccessKeyID {
			t.Errorf("the call was signed with %s", c.KeyID)
		}
	}
}

func TestNothingOfARootProfileIsSentToAnotherRoleOrKept(t *testing.T) {
	r := newRig(t, nil)
	r.inventory(t, "lab")
	r.auditor.Inspect(t.Context(), posture.Account{ID: awssim.LabAccount, Source: "lab", State: posture.StateActive, Role: posture.RoleStandalone})
	for _, c := range r.Calls() {
		if strings.HasSuffix(c.Principal, ":root") {
			t.Errorf("a look signs as the root user: %+v", c)
		}
	}
}
