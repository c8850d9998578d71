package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rootcheck-bot/rootcheck/bot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

const (
	ana   = slacksim.UserAna
	ben   = slacksim.UserBen
	kim   = slacksim.UserKim
	guest = slacksim.UserGuest
	room  = slacksim.ChannelRoot
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is the real edge with real sockets against a simulated workspace.
type rig struct {
	*testing.T
	ws    *slacksim.Workspace
	verbs *verbs
	store *store
	space *bot.Workspace
	bot   *bot.Bot
	work  map[string]commands.Handler
	ended chan error
	end   context.CancelFunc
}

func newRig(t *testing.T, edit func(*slacksim.Config)) *rig {
	t.Helper()
	return newRigIn(t, "en", edit)
}

// newRigIn is a rig whose channel reads a language.
func newRigIn(t *testing.T, locale string, edit func(*slacksim.Config)) *rig {
	t.Helper()
	cfg := slacksim.Config{Now: time.Now, Seed: 1, DisableRateLimits: true}
	if edit != nil {
		edit(&cfg)
	}
	ws := slacksim.New(cfg)
	slacksim.Demo(ws)
	mux := http.NewServeMux()
	mux.Handle("/slack/", ws.API())
	srv := httptest.NewServer(mux)
	ws.SetBaseURL(srv.URL)
	hc := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
	var ids atomic.Int64
	space, err := bot.Connect(t.Context(), bot.Config{
		BotToken: "xoxb-demo", AppToken: "xapp-demo", APIURL: srv.URL + "/slack/api", Channel: room, Stagger: time.Millisecond, Locale: locale,
		HTTP: hc, Now: time.Now, NewID: func() string { return fmt.Sprintf("t-%d", ids.Add(1)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, ws: ws, verbs: &verbs{now: time.Now, owner: commands.Owner{Source: "acme", Account: account, User: kim, How: commands.OwnerByTag, Stage: commands.OwnerTold, Told: 1}}, store: newStore(), space: space}
	r.bot, err = bot.New(space, r.verbs, r.store, r.store)
	if err != nil {
		t.Fatal(err)
	}
	r.work = r.bot.Handlers()
	ctx, cancel := context.WithCancel(t.Context())
	r.ended, r.end = make(chan error, 1), cancel
	go func() { r.ended <- r.bot.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		ws.Close()
		srv.Close()
		hc.CloseIdleConnections()
	})
	r.until("both sockets are open", func() bool { n, _ := r.bot.Health(); return n == 2 })
	return r
}

func (r *rig) until(what string, ok func() bool) {
	r.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			raw, _ := r.ws.State()
			r.Fatalf("timed out waiting until %s; errors %+v; state %.3000s", what, r.ws.Errors(), raw)
		case <-tick.C:
		}
	}
}

type block struct {
	Type     string
	Elements []struct {
		ActionID string `json:"action_id"`
		Value    string
	}
	BlockID string `json:"block_id"`
}

type message struct {
	TS          string
	Text        string
	ThreadTS    string `json:"thread_ts"`
	EphemeralTo string `json:"ephemeral_to"`
	Pings       []string
	Blocks      []block
}

type state struct {
	Channels []struct {
		ID, User string
		Messages []message
	}
	Views []struct {
		ID, User, Title string
		CallbackID      string `json:"callback_id"`
		Blocks          json.RawMessage
	}
	Homes map[string]json.RawMessage
}

func (r *rig) state() state {
	raw, _ := r.ws.State()
	var s struct {
		Channels json.RawMessage
		Views    []map[string]any
		Homes    map[string]json.RawMessage
	}
	var out state
	if err := json.Unmarshal(raw, &s); err != nil {
		r.Fatal(err)
	}
	if err := json.Unmarshal(s.Channels, &out.Channels); err != nil {
		r.Fatal(err)
	}
	out.Homes = s.Homes
	for _, v := range s.Views {
		blocks, _ := json.Marshal(v)
		view := struct {
			ID, User, Title string
			CallbackID      string `json:"callback_id"`
			Blocks          json.RawMessage
		}{ID: fmt.Sprint(v["id"]), User: fmt.Sprint(v["user"]), Title: fmt.Sprint(v["title"]), CallbackID: fmt.Sprint(v["callback_id"]), Blocks: blocks}
		out.Views = append(out.Views, view)
	}
	return out
}

func (r *rig) messages(channel string) []message {
	for _, c := range r.state().Channels {
		if c.ID == channel || c.User == channel {
			return c.Messages
		}
	}
	return nil
}

// whispered waits for an ephemeral message to a person that holds a text.
func (r *rig) whispered(user, text string) message {
	r.Helper()
	var found message
	r.until(user+" is told: "+text, func() bool {
		for _, c := range r.state().Channels {
			for _, m := range c.Messages {
				if m.EphemeralTo == user && strings.Contains(m.Text, text) {
					found = m
					return true
				}
			}
		}
		return false
	})
	return found
}

func (r *rig) card() message {
	r.Helper()
	for _, m := range r.messages(room) {
		first, _, _ := strings.Cut(m.Text, "\n")
		if m.ThreadTS == "" && m.EphemeralTo == "" && strings.Contains(first, "Payments") {
			return m
		}
	}
	r.Fatal("there is no card")
	return message{}
}

// do runs one item of the outbox.
func (r *rig) do(kind, key string, w commands.Work) error {
	r.Helper()
	body, err := json.Marshal(w)
	if err != nil {
		r.Fatal(err)
	}
	_, err = r.work[kind](r.Context(), commands.Lease{Item: commands.Item{Key: key, Kind: kind, Body: body}, Attempts: 1})
	return err
}

func (r *rig) draw(kind string) {
	r.Helper()
	if err := r.do(kind, "card/acme/"+string(account), commands.Work{Source: "acme", Account: account}); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) click(user string, m message, action string) slacksim.Outcome {
	r.Helper()
	o, err := r.ws.Click(slacksim.ClickRequest{User: user, Channel: room, TS: m.TS, ActionID: action})
	if err != nil {
		r.Fatal(err)
	}
	return o
}

// view waits for a modal of a person.
func (r *rig) view(user, callback string) string {
	r.Helper()
	id := ""
	r.until(user+" sees "+callback, func() bool {
		for _, v := range r.state().Views {
			if v.User == user && v.CallbackID == callback {
				id = v.ID
				return true
			}
		}
		return false
	})
	return id
}

func values(pairs ...string) map[string]map[string]json.RawMessage {
	all := map[string]map[string]json.RawMessage{}
	for i := 0; i+1 < len(pairs); i += 2 {
		raw, _ := json.Marshal(pairs[i+1])
		all[pairs[i]] = map[string]json.RawMessage{pairs[i]: raw}
	}
	return all
}

func (r *rig) submit(user, view string, pairs ...string) slacksim.Outcome {
	r.Helper()
	o, err := r.ws.Submit(slacksim.SubmitRequest{User: user, ViewID: view, Values: values(pairs...)})
	if err != nil {
		r.Fatal(err)
	}
	return o
}

// ask takes the story to the pending second confirmation.
func (r *rig) ask() {
	r.Helper()
	r.draw(commands.KindNew)
	r.click(ana, r.card(), "remediation.deactivate")
	if o := r.submit(ana, r.view(ana, "form.deactivate"), "reason", "a role does it now", "key", key().ID.Last4()); !o.OK {
		r.Fatalf("asking was not taken: %+v", o)
	}
	r.draw(commands.KindCard)
}

func TestAKeyIsAskedForAndConfirmedByTwoPeople(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	card := r.card()
	r.click(ana, card, "remediation.deactivate")
	view := r.view(ana, "form.deactivate")
	if o := r.submit(ana, view, "reason", "a role does it now", "key", "NOPE"); o.Errors["key"] == "" {
		t.Errorf("a wrong key is not refused at its field: %+v", o)
	}
	if o := r.submit(ana, view, "reason", "a role does it now", "key", key().ID.Last4()); !o.OK {
		t.Fatalf("the right key is not taken: %+v", o)
	}
	r.draw(commands.KindCard)
	if got := r.card(); got.TS != card.TS || !strings.Contains(got.Text, "Waiting for a second confirmation") {
		t.Errorf("the card was not updated in place: %s", got.Text)
	}

	r.click(ana, r.card(), "remediation.confirm")
	r.whispered(ana, "another approver has to confirm it")
	for _, v := range r.state().Views {
		if v.User == ana && v.CallbackID == "form.confirm" {
			t.Error("a form was opened that could only be refused")
		}
	}
	r.click(ben, r.card(), "remediation.confirm")
	r.submit(ben, r.view(ben, "form.confirm"))
	if got, _ := r.verbs.Request(t.Context(), "r-1"); got.State != remediation.Approved {
		t.Errorf("the request is %s after the second confirmation", got.State)
	}
	if errs := r.ws.Errors(); len(errs) > 0 {
		t.Errorf("people saw errors: %+v", errs)
	}
}

func TestAButtonOfAnOutdatedCardIsRefusedWithASentence(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	old := r.card()
	if _, err := r.verbs.Reject(t.Context(), commands.Actor{User: ben}, "r-1", 1, "not yet"); err != nil {
		t.Fatal(err)
	}
	r.click(ben, old, "remediation.cancel")
	r.whispered(ben, "That is over already")
	r.click(ben, old, "remediation.confirm")
	r.until("the late confirmation was put to the verbs, which record it", func() bool { return r.verbs.count("may confirm "+ben) == 1 })
	if got, _ := r.verbs.Request(t.Context(), "r-1"); got.State != remediation.Rejected {
		t.Errorf("an outdated click changed the request to %s", got.State)
	}
}

func TestAFindingIsMutedFromTheMenuOfItsCard(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	o, err := r.ws.Click(slacksim.ClickRequest{User: ben, Channel: room, TS: r.card().TS, ActionID: "finding.mute", Value: json.RawMessage(`"acme/222222222222/root-mfa"`)})
	if err != nil || !o.OK {
		t.Fatalf("the menu's choice was not taken: %+v %v", o, err)
	}
	r.view(ben, "form.mute")
}

func TestAGuestIsToldThatGuestsMayNot(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	r.click(guest, r.card(), "remediation.deactivate")
	r.whispered(guest, "Guests of the workspace cannot do this")
}

func TestAnEnvelopeThatWasNotCommittedIsNotAcknowledged(t *testing.T) {
	r := newRig(t, func(c *slacksim.Config) { c.AckTimeout = 300 * time.Millisecond })
	r.draw(commands.KindNew)
	r.store.breakWith(errors.New("disk full"))
	if o := r.click(ana, r.card(), "remediation.deactivate"); o.Acked {
		t.Error("a click that the store did not take was acknowledged")
	}
	r.store.breakWith(nil)
	if o := r.click(ana, r.card(), "remediation.deactivate"); !o.Acked {
		t.Error("the next click was not acknowledged")
	}
	r.view(ana, "form.deactivate")
}

func TestAnEnvelopeOnEverySocketIsHandledOnce(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	for _, kind := range []string{"broadcast", "duplicate"} {
		if err := r.ws.Inject(slacksim.Fault{Kind: kind, For: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	r.click(ben, r.card(), "remediation.cancel")
	r.whispered(ben, "Cancelled.")
	if _, err := r.ws.Command(slacksim.CommandRequest{User: ana, Channel: room, Command: "/rootcheck", Text: "help"}); err != nil {
		t.Fatal(err)
	}
	r.whispered(ana, "What you can ask")
	r.until("nothing is left to do", func() bool { return r.store.waiting() == 0 })
	if n := r.verbs.count("cancel " + ben); n != 1 {
		t.Errorf("one click was handled %d times", n)
	}
}

func TestASlowDecisionShowsAWorkingViewAndThenTheAnswer(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	r.verbs.mu.Lock()
	r.verbs.slow = 2300 * time.Millisecond
	r.verbs.mu.Unlock()
	r.click(ben, r.card(), "remediation.confirm")
	if o := r.submit(ben, r.view(ben, "form.confirm")); !o.OK {
		t.Fatalf("the submission was not acknowledged: %+v", o)
	}
	r.until("the modal shows the outcome", func() bool {
		raw, _ := json.Marshal(r.state().Views)
		return strings.Contains(string(raw), "checks everything once more")
	})
}

func TestADefectIsSurvivedAndAnswered(t *testing.T) {
	r := newRig(t, nil)
	if _, err := r.ws.Command(slacksim.CommandRequest{User: ana, Channel: room, Command: "/rootcheck", Text: "status"}); err != nil {
		t.Fatal(err)
	}
	r.whispered(ana, "Something went wrong on our side (id t-")
	if _, err := r.ws.Command(slacksim.CommandRequest{User: ana, Channel: room, Command: "/rootcheck", Text: "guide keys"}); err != nil {
		t.Fatal(err)
	}
	r.whispered(ana, "Do not create a root access key")
}

func TestWordsThatNobodyKnowsGetUsageAndTheNearestMatch(t *testing.T) {
	r := newRig(t, nil)
	for said, want := range map[string]string{"sttaus": "/rootcheck status", "<@U0BENOKAFOR|ben>": "neither a command nor an account", "Payments": "Payments"} {
		if _, err := r.ws.Command(slacksim.CommandRequest{User: ana, Channel: room, Command: "/rootcheck", Text: said}); err != nil {
			t.Fatal(err)
		}
		r.whispered(ana, want)
	}
}

func TestAnAnswerIsSharedOnlyWhenAsked(t *testing.T) {
	r := newRig(t, nil)
	if _, err := r.ws.Command(slacksim.CommandRequest{User: ana, Channel: room, Command: "/rootcheck", Text: "help share"}); err != nil {
		t.Fatal(err)
	}
	r.until("the channel sees the help", func() bool {
		for _, m := range r.messages(room) {
			if m.EphemeralTo == "" && strings.Contains(m.Text, "What you can ask") {
				return true
			}
		}
		return false
	})
}

func TestTheOwnerIsLedThroughMFAInKorean(t *testing.T) {
	r := newRig(t, nil)
	if err := r.do(commands.KindOwner, "dm/1", commands.Work{Source: "acme", Account: account, Purpose: commands.PurposeMFA, User: kim}); err != nil {
		t.Fatal(err)
	}
	dm := func() (string, message) {
		for _, c := range r.state().Channels {
			if c.ID[0] == 'D' && len(c.Messages) > 0 {
				return c.ID, c.Messages[0]
			}
		}
		t.Fatal("there is no direct message")
		return "", message{}
	}
	press := func(action string) {
		t.Helper()
		ch, m := dm()
		if _, err := r.ws.Click(slacksim.ClickRequest{User: kim, Channel: ch, TS: m.TS, ActionID: action}); err != nil {
			t.Fatal(err)
		}
	}
	says := func(what string) {
		t.Helper()
		r.until("the message says "+what, func() bool { _, m := dm(); return strings.Contains(m.Text, what) })
	}
	says("어떤 디바이스를 사용하시겠어요?")
	press("owner.device:virtual")
	says("어떤 휴대폰을 사용하시나요?")
	press("owner.system:ios")
	says("QR 코드 표시")
	press("owner.done")
	says("AWS에서 MFA 디바이스를 확인했습니다")
}

func TestAnUnchangedCardIsNotSent(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	calls := len(r.ws.Calls())
	r.verbs.now = sync.OnceValue(time.Now)
	r.draw(commands.KindCard)
	before := len(r.ws.Calls())
	r.draw(commands.KindCard)
	if after := len(r.ws.Calls()); after != before || before > calls+1 {
		t.Errorf("an unchanged card was sent again: %d, %d, then %d calls", calls, before, after)
	}
}

func TestAPostWhoseAnswerWasLostIsNotPostedTwice(t *testing.T) {
	r := newRig(t, nil)
	if err := r.ws.Inject(slacksim.Fault{Kind: "timeout_after_commit", Method: "chat.postMessage", Count: 1, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	work := commands.Work{Notice: commands.NoticeResumed, By: ben}
	if err := r.do(commands.KindNotice, "resumed", work); err == nil {
		t.Fatal("a lost answer was taken for a success")
	}
	body, _ := json.Marshal(work)
	again := commands.Lease{Item: commands.Item{Key: "resumed", Kind: commands.KindNotice, Body: body}, Attempts: 2}
	if _, err := r.work[commands.KindNotice](t.Context(), again); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range r.messages(room) {
		if strings.Contains(m.Text, "resumed the bot") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the notice stands %d times in the channel", n)
	}
}

func TestTheHomeTabShowsWhatWaits(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	if _, err := r.ws.OpenHome(ben); err != nil {
		t.Fatal(err)
	}
	r.until("Ben's Home tab shows the request", func() bool { return strings.Contains(string(r.state().Homes[ben]), "One thing waits for you") })
}

func TestARefusedTokenEndsTheBotWithASentence(t *testing.T) {
	r := newRig(t, nil)
	if err := r.ws.Inject(slacksim.Fault{Kind: "error", Method: "apps.connections.open", Code: "token_revoked", For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := r.ws.Inject(slacksim.Fault{Kind: "refresh", For: -1, All: true}); err != nil {
		t.Fatal(err)
	}
	var err error
	select {
	case err = <-r.ended:
	case <-time.After(time.Minute):
		t.Fatal("the bot goes on without a right to")
	}
	var sentence *bot.SetupError
	if !errors.As(err, &sentence) || !strings.Contains(err.Error(), "SLACK_APP_TOKEN") || strings.Contains(err.Error(), "xapp-demo") {
		t.Errorf("the bot ended with %v", err)
	}
	r.ended <- nil
}

func TestClicksSurviveARefreshOfOneSocket(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	for range 3 {
		if err := r.ws.Inject(slacksim.Fault{Kind: "refresh", For: -1}); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if o := r.click(ana, r.card(), "owner.assign"); !o.Acked {
				t.Error("a click was lost while one socket was open")
			}
		}
		r.until("both sockets are open again", func() bool { n, _ := r.bot.Health(); return n == 2 })
	}
}

func TestBrokenAnswersAndLimitsOfSlackAreSurvived(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	for _, f := range []slacksim.Fault{
		{Kind: "http_500", Method: "chat.update", Count: 2, For: time.Hour},
		{Kind: "garbage", Method: "chat.update", Count: 1, For: time.Hour},
		{Kind: "rate_limit", Method: "views.open", Count: 1, For: time.Second},
		{Kind: "http_500", Method: "response_url", Count: 1, For: time.Hour},
	} {
		if err := r.ws.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.verbs.RequestDeactivate(t.Context(), commands.Actor{User: ana}, commands.Ask{Key: key().ID.Fingerprint(), TypedKey: key().ID.Last4(), Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	r.draw(commands.KindCard)
	if got := r.card(); !strings.Contains(got.Text, "Waiting for a second confirmation") {
		t.Errorf("the card was not updated: %s", got.Text)
	}
	if _, err := r.ws.Command(slacksim.CommandRequest{User: ana, Channel: room, Command: "/rootcheck", Text: "help"}); err != nil {
		t.Fatal(err)
	}
	r.whispered(ana, "What you can ask")
}

func TestOfManyClicksAtOnceOneDecides(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	card := r.card()
	var wg sync.WaitGroup
	for range 20 {
		for _, who := range []string{ben, slacksim.UserCho} {
			wg.Go(func() { r.click(who, card, "remediation.cancel") })
		}
	}
	wg.Wait()
	r.until("every click was put to the verb", func() bool {
		return r.verbs.count("cancel "+ben) == 20 && r.verbs.count("cancel "+slacksim.UserCho) == 20
	})
	r.until("every click was answered", func() bool {
		n := 0
		for _, m := range r.messages(room) {
			if m.EphemeralTo != "" {
				n++
			}
		}
		return n == 40
	})
	if got, _ := r.verbs.Request(t.Context(), "r-1"); got.State != remediation.Cancelled || got.Version != 2 {
		t.Errorf("the request is %s in version %d", got.State, got.Version)
	}
}

func TestAPayloadOfAnotherAppDoesNothing(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	o := r.ws.Emit("interactive", json.RawMessage(`{"type":"block_actions","api_app_id":"A0OTHER","team":{"id":"T1"},"user":{"id":"`+ben+`"},"trigger_id":"1.2.3","channel":{"id":"`+room+`"},
		"container":{"type":"message","message_ts":"`+r.card().TS+`","channel_id":"`+room+`"},"actions":[{"block_id":"b1","action_id":"remediation.cancel","value":"r-1|1","action_ts":"1.1"}]}`))
	if !o.Acked {
		t.Errorf("it was not acknowledged: %+v", o)
	}
	r.whispered(ben, "did not come from this workspace's app")
	if n := r.verbs.count("cancel " + ben); n != 0 {
		t.Errorf("it was put to the verb %d times", n)
	}
}

func TestSeveralActionsInOnePayloadAreAnsweredAndDoNothing(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	action := `{"block_id":"b1","action_id":"remediation.cancel","value":"r-1|1","action_ts":"1.1"}`
	r.ws.Emit("interactive", json.RawMessage(`{"type":"block_actions","api_app_id":"`+slacksim.AppID+`","team":{"id":"T1"},"user":{"id":"`+ben+`"},"trigger_id":"1.2.4","channel":{"id":"`+room+`"},
		"container":{"type":"message","message_ts":"`+r.card().TS+`","channel_id":"`+room+`"},"actions":[`+action+`,`+action+`]}`))
	r.whispered(ben, "several controls at once")
	r.ws.Emit("interactive", json.RawMessage(`{"type":"block_actions","api_app_id":"`+slacksim.AppID+`","team":{"id":"T1"},"user":{"id":"`+ben+`"},"trigger_id":"1.2.5","channel":{"id":"`+room+`"},
		"container":{"type":"message","message_ts":"1.1","channel_id":"`+room+`"},"actions":[`+action+`]}`))
	r.whispered(ben, "not known here any more")
	if n := r.verbs.count("cancel " + ben); n != 0 {
		t.Errorf("it was put to the verb %d times", n)
	}
}

func TestWhatIsBeingDecidedIsFinishedAndAcknowledgedAtTheEnd(t *testing.T) {
	r := newRig(t, nil)
	r.ask()
	r.click(ben, r.card(), "remediation.confirm")
	view := r.view(ben, "form.confirm")
	r.verbs.mu.Lock()
	r.verbs.slow = 700 * time.Millisecond
	r.verbs.mu.Unlock()
	done := make(chan slacksim.Outcome, 1)
	go func() { done <- r.submit(ben, view) }()
	r.until("the decision is under way", func() bool { return r.verbs.count("confirm "+ben) == 1 })
	r.end()
	if o := <-done; !o.OK {
		t.Errorf("it was not acknowledged: %+v", o)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	r.ended <- nil
	if got, _ := r.verbs.Request(t.Context(), "r-1"); got.State != remediation.Approved {
		t.Errorf("the request is %s", got.State)
	}
	if n := r.store.waiting(); n > 1 { // the card's redrawing is another's to do
		t.Errorf("%d items are left", n)
	}
}

func TestNoCardTurnsIntoAnOwnersMessage(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	card := r.card()
	for _, action := range []string{"owner.done", "owner.device:passkey"} {
		o, err := r.ws.Click(slacksim.ClickRequest{
			User: kim, Channel: room, TS: card.TS, ActionID: action, BlockID: "forged", Force: true,
			Value: json.RawMessage(`"acme/` + string(account) + `/passkey"`),
		})
		if err != nil || !o.OK {
			t.Fatalf("the forged click was not taken: %+v, %v", o, err)
		}
	}
	r.until("both were handled", func() bool { return r.store.waiting() <= 1 }) // the card's own redrawing may wait
	r.until("the owner is answered", func() bool {
		n := 0
		for _, m := range r.messages(room) {
			if m.EphemeralTo == kim {
				n++
			}
		}
		return n >= 2
	})
	if got := r.card(); got.TS != card.TS || got.Text != card.Text {
		t.Errorf("the card now says %.300s", got.Text)
	}
}

func TestAForgedClickIsAnsweredAndOnRecord(t *testing.T) {
	r := newRig(t, nil)
	r.draw(commands.KindNew)
	for action, c := range map[string]struct{ value, record string }{
		"remediation.confirm":    {"nobody-knows|1", "unknown_request"},
		"remediation.reject":     {"garbage", "unknown_request"},
		"remediation.steps":      {"nobody-knows|1", "unknown_request"},
		"remediation.deactivate": {"acme/222222222222/ffffffffffffffff", "unknown_key"},
		"account.show":           {"garbage", "unknown_account"},
		"finding.mute":           {"acme/999999999999/root-mfa", "unknown_account"},
		"remediation.nuke":       {"x", "unknown_button"},
	} {
		value, _ := json.Marshal(c.value)
		if _, err := r.ws.Click(slacksim.ClickRequest{
			User: ana, Channel: room, TS: r.card().TS, ActionID: action, BlockID: "forged", Force: true, Value: value,
		}); err != nil {
			t.Fatal(err)
		}
		r.until(action+" is on record as "+c.record, func() bool { return r.verbs.count("refuse "+ana+" "+action+" "+c.record) == 1 })
	}
	r.whispered(ana, "That request is not known")
	r.whispered(ana, "That key is not in the account any more")
	r.whispered(ana, "That button is not known here any more")
}
