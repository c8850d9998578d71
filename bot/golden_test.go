package bot

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

var update = flag.Bool("update", false, "write the golden files anew")

// drawn is one thing that is shown, with the surface that it is shown on.
type drawn struct {
	Name    string           `json:"name"`
	Surface slacksim.Surface `json:"surface"`
	Title   string           `json:"title,omitempty"`
	Submit  string           `json:"submit,omitempty"`
	Text    string           `json:"text,omitempty"`
	Blocks  []slack.Block    `json:"blocks"`
	view    *slack.ModalViewRequest
}

func ofMessage(name string, m message) drawn {
	return drawn{Name: name, Surface: slacksim.SurfaceMessage, Text: m.Text, Blocks: m.Blocks}
}

func ofModal(name string, m slack.ModalViewRequest) drawn {
	d := drawn{Name: name, Surface: slacksim.SurfaceModal, Title: m.Title.Text, Blocks: m.Blocks.BlockSet, view: &m}
	if m.Submit != nil {
		d.Submit = m.Submit.Text
	}
	return d
}

func allMeans() []remediation.Means {
	return []remediation.Means{remediation.MeansOrganization, remediation.MeansRootCredentials, remediation.MeansGuided, remediation.MeansNone}
}

// cards draws an account without a request for each means, and with one in each state.
func cards(v voice, name string) []drawn {
	var all []drawn
	for _, m := range allMeans() {
		all = append(all, ofMessage("active key, by "+string(m), card(v, account(name, m))))
	}
	for _, s := range remediation.States() {
		for _, m := range []remediation.Means{remediation.MeansOrganization, remediation.MeansRootCredentials, remediation.MeansGuided} {
			a := account(name, m)
			r := request(s, m)
			r.Note = lastNote(s)
			if s.Ended() {
				by := remediation.Person{User: ben}
				r.EndedBy = &by
				a.Ended = []remediation.Request{r}
				if s == remediation.Verified || s == remediation.GoneOutside {
					a.Keys, a.Look.Findings = nil, a.Look.Findings[1:]
				}
			} else {
				a.Keys[0].Open = &r
			}
			if m == remediation.MeansOrganization && s == remediation.Inactive {
				a.Block = remediation.Block{Attached: true}
			}
			all = append(all, ofMessage(string(s)+", by "+string(m), card(v, a)))
		}
	}
	over := account(name, remediation.MeansOrganization)
	r := request(remediation.Inactive, remediation.MeansOrganization)
	r.Watched, r.Note = r.Policy.Watch, remediation.NoteWatchOver
	over.Keys[0].Open, over.Block.Attached = &r, true
	two := account(name, remediation.MeansRootCredentials)
	two.Keys = append(two.Keys, commands.KeyView{Key: posture.Key{ID: "AKIAEXAMPLE0000OLD22", Status: posture.KeyInactive, Created: noon().AddDate(-7, 0, 0)}, Deactivate: remediation.MeansRootCredentials, Delete: remediation.MeansRootCredentials})
	two.Paused, two.DryRun = commands.Switch{Paused: true, By: ben, Reason: "incident", At: noon()}, true
	two.Mutes = []commands.Mute{{Control: posture.RootMFA, By: ben, Until: noon().AddDate(0, 0, 7), Reason: "device is in the post"}}
	best := commands.AccountView{Look: commands.Look{
		Evidence: posture.Evidence{Account: theAccount(name), At: noon()},
		Findings: []posture.Finding{{Control: posture.RootMFA, Status: posture.NotApplicable, Code: posture.CodeNoCredentials}},
	}}
	all = append(all, sharedBlock(v, name)...)
	nobody := account(name, remediation.MeansGuided)
	nobody.Owner = commands.Owner{}
	claimed := account(name, remediation.MeansGuided)
	claimed.Owner = commands.Owner{Claim: olive, ClaimBy: ben}
	some := account(name, remediation.MeansRootCredentials)
	some.Keys[0].Key.ID, some.Ways.SelfSigned = "", theKey().ID
	all = append(all, ofMessage("a key without a known id where the bot signs with one", card(v, some)))
	return append(all, ofMessage("watch over under a block", card(v, over)), ofMessage("two keys, paused, dry, muted", card(v, two)),
		ofMessage("no credentials at all", card(v, best)), ofMessage("no owner", card(v, nobody)), ofMessage("claimed owner", card(v, claimed)))
}

// sharedBlock draws what becomes of a block that is not one request's alone.
func sharedBlock(v voice, name string) []drawn {
	with := remediation.Off{With: "r-2", Step: stepsOf(remediation.Restored, request(remediation.Restored, remediation.MeansOrganization))[1]}
	kept := account(name, remediation.MeansOrganization)
	gone := request(remediation.GoneOutside, remediation.MeansOrganization)
	gone.Note, gone.BlockHeld, gone.NewKeys = remediation.NoteGoneNewKey, true, []string{"x"}
	kept.Ended, kept.Block = []remediation.Request{gone}, remediation.Block{Attached: true, Origin: remediation.OriginOurs, Kept: true}
	found := account(name, remediation.MeansOrganization)
	foreign := request(remediation.Inactive, remediation.MeansOrganization)
	foreign.BlockFound, foreign.Note = true, remediation.NoteInactive
	found.Keys[0].Open, found.Block = &foreign, remediation.Block{Attached: true, Origin: remediation.OriginFound}
	undone := account(name, remediation.MeansOrganization)
	other := request(remediation.Restored, remediation.MeansOrganization)
	other.Steps, other.Note, other.Off = other.Steps[:1], remediation.NoteRestoredWith, with
	undone.Ended = []remediation.Request{other}
	lifted := account(name, remediation.MeansOrganization)
	follower := request(remediation.Lifted, remediation.MeansOrganization)
	with.Lift = true
	follower.Steps, follower.Note, follower.Off, follower.Deadline = follower.Steps[:1], remediation.NoteLiftedWith, with, time.Time{}
	lifted.Keys[0].Open = &follower
	return []drawn{
		ofMessage("block kept because of a new key", card(v, kept)), ofMessage("block found there", card(v, found)),
		ofMessage("unblocked with another request", card(v, undone)), ofMessage("lifted with another request", card(v, lifted)),
	}
}

// modals draws each modal by each means, from the store and from AWS.
func modals(v voice, name string) []drawn {
	var all []drawn
	for _, m := range allMeans() {
		a := account(name, m)
		f := form{v: v, preview: commands.Preview{View: a, Key: theKey(), Present: true, Means: m}, ref: reference{Source: "acme", Account: "222222222222", What: theKey().ID.Fingerprint()}}
		all = append(all, ofModal("deactivate from the store, by "+string(m), f.deactivate()), ofModal("break glass, by "+string(m), f.breakGlass()))
		f.ref.Live, f.preview.Facts.At, f.preview.Affects = true, noon(), []posture.Key{{ID: "AKIAEXAMPLE0000OLD22"}}
		all = append(all, ofModal("deactivate from AWS, by "+string(m), f.deactivate()))
		for _, s := range []remediation.State{remediation.Requested, remediation.ReactivateRequested, remediation.LiftRequested, remediation.DeleteRequested} {
			r := request(s, m)
			f.preview.Request = &r
			all = append(all, ofModal("confirm "+string(s)+", by "+string(m), f.confirm()))
		}
		r := request(remediation.Inactive, m)
		f.preview.Request, f.preview.InUse, f.preview.View.Block.Holders = &r, true, []remediation.RequestID{"r-7f3a", "r-2"}
		all = append(all, ofModal("delete in use, by "+string(m), f.delete()), ofModal("reactivate, by "+string(m), f.reactivate()), ofModal("lift, by "+string(m), f.lift()))
	}
	a := account(name, remediation.MeansRootCredentials)
	r := request(remediation.Requested, remediation.MeansRootCredentials)
	r.Policy.TwoPerson = false
	f := form{v: v, preview: commands.Preview{View: a, Key: theKey(), Request: &r}, ref: reference{What: string(posture.RootMFA)}}
	idle := f
	idle.preview.Key.Status, idle.preview.Means = posture.KeyInactive, remediation.MeansRootCredentials
	unnamed := f
	unnamed.preview.Key.ID, unnamed.preview.Means = "", remediation.MeansGuided
	return append(all, ofModal("confirm alone", f.confirm()), ofModal("reject", f.reject()), ofModal("mute", f.mute()), ofModal("assign", f.assign()),
		ofModal("watch an inactive key", idle.deactivate()), ofModal("a key without a known id", unnamed.deactivate()),
		ofModal("loading", loading(v, "modal.delete", f.ref)), ofModal("done", done(v, r, room)),
		ofModal("refused", notice(v, "modal.refused", refusal(v, &commands.Refusal{Code: commands.WrongKey}, ""))))
}

// owners draws the owner's messages at each step.
func owners(v voice, name string) []drawn {
	var all []drawn
	for _, o := range []struct {
		name, device, system string
		stage                commands.OwnerStage
	}{
		{"first", "", "", commands.OwnerTold},
		{"passkey", "passkey", "", commands.OwnerTold},
		{"which phone", "virtual", "", commands.OwnerTold},
		{"app on ios", "virtual", "ios", commands.OwnerTold},
		{"app on android, not seen yet", "virtual", "android", commands.OwnerAnswered},
		{"hardware", "hardware", "", commands.OwnerTold},
		{"finished", "passkey", "", commands.OwnerFinished},
		{"not mine", "", "", commands.OwnerGaveUp},
	} {
		a := account(name, remediation.MeansOrganization)
		a.Owner.Device, a.Owner.System, a.Owner.Stage, a.Owner.DoneAt = o.device, o.system, o.stage, noon()
		if o.name == "first" {
			a.Look.Evidence.Centralized = posture.Told(true, "ListOrganizationsFeatures", noon())
		}
		all = append(all, ofMessage("mfa "+o.name, mfaDM(v, a)))
	}
	blocked := account(name, remediation.MeansOrganization)
	blocked.Block.Attached = true
	all = append(all, ofMessage("mfa blocked", mfaDM(v, blocked)))
	for _, s := range []remediation.State{remediation.AwaitingOwner, remediation.AwaitingOwnerDelete, remediation.Reactivating, remediation.Verified} {
		all = append(all, ofMessage("key "+string(s), keyDM(v, account(name, remediation.MeansGuided), request(s, remediation.MeansGuided))))
	}
	return all
}

// answers draws the digest and the answers to /rootcheck.
func answers(v voice, name string) []drawn {
	var all []drawn
	for _, n := range []int{5, 5000, 10000} {
		head, thread := digest(v, digestOf(n, name))
		all = append(all, ofMessage("digest of "+itoa(n), head))
		for i, m := range thread {
			all = append(all, ofMessage("digest of "+itoa(n)+", thread "+itoa(i+1), m))
		}
	}
	all = append(all, ofMessage("digest, the head in its thread", headMessage(v, digestOf(5, name).Head)))
	grim := digestOf(10000, name)
	grim.TwoPerson, grim.DryRun, grim.Paused = false, true, commands.Switch{Paused: true, By: ben, Reason: name, At: noon()}
	grim.Unreadable, grim.Missed = []string{"S0APPROVERS"}, 2
	grim.Troubles = []commands.Trouble{{Notice: commands.NoticeLowSpace, What: "312 MB (4 %)"}, {Notice: commands.NoticeBackup, What: "the disk has no room for a copy"}}
	for range 40 {
		r := request(remediation.Requested, remediation.MeansOrganization)
		r.Reason, r.BreakGlass = name, true
		grim.Pending, grim.Watching, grim.Emergency = append(grim.Pending, r), append(grim.Watching, r), append(grim.Emergency, r)
	}
	head, _ := digest(v, grim)
	l := commands.List{Coverage: coverage(9998, 10000), Query: name, Total: 900, Page: 1, Pages: 90, Running: &commands.Run{Started: noon(), Listed: 10000, Scanned: 400}}
	var views []commands.AccountView
	var reqs []remediation.Request
	var leaves []audit.Leaf
	for i := range 60 {
		r := row5000(i)
		r.Account.Name = name
		l.Rows = append(l.Rows, r)
		views = append(views, account(name, remediation.MeansGuided))
		reqs = append(reqs, request(remediation.Requested, remediation.MeansGuided))
		leaves = append(leaves, leaf(int64(i)))
	}
	s := commands.Status{
		Version: "1.0.0", Coverage: coverage(42, 44), Next: map[string]time.Time{"check": noon(), "digest": noon()}, Open: reqs, TwoPerson: true,
		Queue: map[string]int{"aws.read": 2}, Sources: []string{"acme", name}, Parked: 1, Unreadable: []string{"S0APPROVERS"},
	}
	tab := home(v, l, reqs)
	all = append(all, ofMessage("grim digest", head), ofMessage("list", list(v, l)), ofMessage("list before the first check", list(v, commands.List{First: true})),
		ofMessage("keys", keys(v, commands.KeyList{Accounts: views})), ofMessage("status", status(v, s)), ofMessage("requests", requests(v, reqs, true)), ofMessage("audit", trail(v, leaves)),
		ofMessage("help", help(v)), ofMessage("guide", guide(v, "")), ofMessage("alarm", alarm(v, account(name, remediation.MeansOrganization), request(remediation.Reactivated, remediation.MeansOrganization), remediation.NoteDetached)),
		drawn{Name: "home", Surface: slacksim.SurfaceHome, Blocks: tab.Blocks.BlockSet})
	all = append(all, lines(v, name)...)
	for _, t := range topics {
		all = append(all, ofMessage("guide "+t, guide(v, t)))
	}
	for _, k := range []commands.NoticeKind{
		commands.NoticePaused, commands.NoticeResumed, commands.NoticeBreakGlass, commands.NoticeOwners, commands.NoticeEscalated, commands.NoticeClaimed,
		commands.NoticeDeclined, commands.NoticeGathered, commands.NoticeSourceGap, commands.NoticeParked, commands.NoticeFailing, commands.NoticeShared,
	} {
		w := commands.Work{Notice: k, By: ben, User: olive, Source: "acme", Account: "222222222222", Reason: name, Count: 3, What: "acme", Accounts: []commands.Place{{Source: name, Account: "222222222222"}}}
		all = append(all, ofMessage("notice "+string(k), channelNotice(v, w, nil)))
	}
	return all
}

// lines draws the lines in a thread that call those who may confirm a step.
func lines(v voice, name string) []drawn {
	var all []drawn
	line := func(s remediation.State, n remediation.Note, change func(*remediation.Request), g commands.Ring) {
		r := request(s, remediation.MeansOrganization)
		r.Reason = name
		if change != nil {
			change(&r)
		}
		called := calls(v, labelled(theAccount(name)), r, g)
		all = append(all, ofMessage("line "+string(n)+", "+itoa(len(all)+1), newMessage(v, newMessageOf([]string{told(v, r, n), called}))))
	}
	two := commands.Ring{Open: true, Users: []string{ben, olive}}
	line(remediation.Requested, remediation.NoteRequested, nil, two)
	line(remediation.ReactivateRequested, remediation.NoteReactivateAsk, nil, commands.Ring{Open: true, Users: []string{ben}})
	line(remediation.LiftRequested, remediation.NoteLiftAsked, func(r *remediation.Request) { r.Policy.DryRun = true }, two)
	line(remediation.DeleteRequested, remediation.NoteDeleteAsked, func(r *remediation.Request) { r.Policy.DeleteApprovals = 2 },
		commands.Ring{Open: true, Groups: []string{"S0APPROVERS"}, Users: slices.Repeat([]string{ben}, 9), More: 31})
	line(remediation.Requested, remediation.NoteRequested, nil, commands.Ring{Open: true})
	return all
}

func everything(v voice, name string) []drawn {
	return slices.Concat(cards(v, name), modals(v, name), owners(v, name), answers(v, name))
}

func voices(t *testing.T) map[string]voice {
	t.Helper()
	c, err := newCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{olive: "Olivia Hart"}
	en, ko := c.speak("en-US", noon()), c.speak("ko-KR", noon())
	en.names, ko.names = names, names
	return map[string]voice{"en": en, "ko": ko}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsShownIsWhatWasReviewed(t *testing.T) {
	for lang, v := range voices(t) {
		for group, all := range map[string][]drawn{
			"cards": cards(v, "Payments"), "modals": modals(v, "Payments"), "owners": owners(v, "Payments"), "answers": answers(v, "Payments"),
		} {
			path := filepath.Join("testdata", group+"."+lang+".golden.json")
			got := encode(t, all)
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s differs (-reviewed +drawn); look at it and run with -update:\n%s", path, diff)
			}
		}
	}
}

func TestEverythingShownStaysWithinSlacksLimits(t *testing.T) {
	for lang, v := range voices(t) {
		for _, name := range []string{"Payments", hostile(), strings.Repeat("&", 200), strings.Repeat("W", 200), strings.Repeat("금", 200)} {
			for _, d := range everything(v, name) {
				raw := encode(t, d.Blocks)
				for _, p := range slacksim.Validate(d.Surface, raw) {
					t.Errorf("%s: %s: %v", lang, d.Name, p)
				}
				if strings.HasSuffix(d.Title, "…") || strings.HasSuffix(d.Submit, "…") || utf8.RuneCountInString(d.Title) > maxTitle {
					t.Errorf("%s: %s: the title %q or the button %q does not fit", lang, d.Name, d.Title, d.Submit)
				}
				if d.view != nil && (len(d.view.PrivateMetadata) > 3000 || len(encode(t, d.view)) > 250_000) {
					t.Errorf("%s: %s: the view is too large", lang, d.Name)
				}
				if n := utf8.RuneCountInString(d.Text); n > maxText {
					t.Errorf("%s: %s: the top-level text has %d characters", lang, d.Name, n)
				}
				if d.Surface == slacksim.SurfaceMessage && utf8.RuneCountInString(spoken(d.Blocks)) > maxText {
					t.Errorf("%s: %s: the top-level text does not hold everything", lang, d.Name)
				}
			}
		}
	}
}

func TestNothingFromOutsidePingsOrFormats(t *testing.T) {
	for lang, v := range voices(t) {
		v.names = map[string]string{olive: hostile(), ana: hostile()}
		for _, d := range everything(v, hostile()) {
			said := string(encode(t, d))
			for _, bad := range []string{"<!channel", "<!here", "<!everyone", ":tada:", "*b*", "`c`", "~s~", "\u202e", "\u200b", "<https://x.y", " @here", " #general"} {
				if strings.Contains(said, bad) {
					t.Errorf("%s: %s shows %q", lang, d.Name, bad)
				}
			}
		}
	}
}
