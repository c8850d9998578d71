package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/bot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bot": main})
}

// TestStories runs the real main against a simulated workspace and a simulated organization, each story with its own.
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			s := newStage()
			e.Defer(s.close)
			e.Values[stageKey{}] = s
			for name, value := range map[string]string{
				"AWS_ENDPOINT_URL": s.server.URL + "/aws/", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
				"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "made-up", "NO_COLOR": "1",
				"AWS_CONFIG_FILE": filepath.Join(e.WorkDir, "aws-config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(e.WorkDir, "aws-credentials"),
				"SLACK_API_URL": s.server.URL + "/slack/api/", "SLACK_BOT_TOKEN": "xoxb-demo", "SLACK_APP_TOKEN": "xapp-demo",
				"FOREIGN": s.foreign.URL, "TMPDIR": e.WorkDir,
			} {
				e.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"aws": orderAWS, "slack": orderSlack, "log": writeLog, "tamper": tamper, "jsonpath": jsonPath, "status": wantStatus, "beat": beat,
			"well": well, "posted": posted, "published": published, "private": private, "head": publish,
		},
	})
}

type stageKey struct{}

// stage is what a story plays on.
type stage struct {
	org       *awssim.Organization
	workspace *slacksim.Workspace
	server    *httptest.Server
	foreign   *httptest.Server
}

func allScopes() []string {
	var names []string
	for _, s := range bot.Scopes() {
		names = append(names, s.Name)
	}
	return names
}

func newStage() *stage {
	s := &stage{
		org:       awssim.New(awssim.Config{Now: time.Now, Consistency: -1}),
		workspace: slacksim.New(slacksim.Config{Now: time.Now, DisableRateLimits: true, BotScopes: allScopes()}),
	}
	slacksim.Demo(s.workspace)
	mux := http.NewServeMux()
	mux.Handle("/aws/", http.StripPrefix("/aws", s.org.API()))
	mux.Handle("/slack/", s.workspace.API())
	s.server = httptest.NewServer(mux)
	s.workspace.SetBaseURL(s.server.URL)
	s.foreign = httptest.NewServer(http.HandlerFunc(stranger))
	return s
}

func (s *stage) close() {
	s.server.CloseClientConnections()
	s.org.Close()
	s.workspace.Close()
	s.server.Close()
	s.foreign.Close()
}

// stranger stands for a server that speaks some AWS: it knows who calls and lists accounts, and answers what it does not
// know with a page. Its summary lacks most of the keys, its report the root user's row.
func stranger(w http.ResponseWriter, r *http.Request) {
	if target := r.Header.Get("X-Amz-Target"); strings.HasSuffix(target, ".ListAccounts") {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprint(w, `{"Accounts":[{"Id":"123456789012","Arn":"arn:aws:organizations::123456789012:account/o-abcdefghij/123456789012","Email":"a@example.com","Name":"manager","Status":"ACTIVE"},`+
			`{"Id":"210987654321","Arn":"arn:aws:organizations::123456789012:account/o-abcdefghij/210987654321","Email":"b@example.com","Name":"member","Status":"ACTIVE"}]}`)
		return
	}
	_ = r.ParseForm()
	w.Header().Set("Content-Type", "text/xml")
	switch r.Form.Get("Action") {
	case "GetCallerIdentity":
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:user/moto</Arn><UserId>AKIA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case "GetAccountSummary":
		fmt.Fprint(w, `<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap><entry><key>Users</key><value>3</value></entry></SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>`)
	case "GenerateCredentialReport":
		fmt.Fprint(w, `<GenerateCredentialReportResponse><GenerateCredentialReportResult><State>COMPLETE</State></GenerateCredentialReportResult></GenerateCredentialReportResponse>`)
	case "GetCredentialReport":
		fmt.Fprint(w, `<GetCredentialReportResponse><GetCredentialReportResult><Content>dXNlcixhcm4KYWRhLGFybjphd3M6aWFtOjoxMjM0NTY3ODkwMTI6dXNlci9hZGEK</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>2026-11-20T00:00:00Z</GeneratedTime></GetCredentialReportResult></GetCredentialReportResponse>`)
	default:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "<!doctype html><title>500 Internal Server Error</title><h1>Internal Server Error</h1>")
	}
}

func staged(ts *testscript.TestScript) *stage {
	s, ok := ts.Value(stageKey{}).(*stage)
	if !ok {
		ts.Fatalf("the story has no stage")
	}
	return s
}

// orderAWS changes the organization: aws feature NAME on|off; aws rename ID FILE; aws use-key KEY; aws fault KIND ACTION [ACCOUNT|- [TIMES]].
func orderAWS(ts *testscript.TestScript, _ bool, args []string) {
	s := staged(ts)
	var body map[string]any
	var path string
	switch args[0] {
	case "feature":
		path, body = "feature", map[string]any{"feature": args[1], "enabled": args[2] == "on"}
	case "use-key":
		path, body = "use-key", map[string]any{"key_id": args[1]}
	case "rename":
		path, body = "account", map[string]any{"account": args[1], "name": ts.ReadFile(args[2])}
	case "fault":
		path, body = "fault", map[string]any{"kind": args[1], "action": args[2]}
		if len(args) > 3 && args[3] != "-" {
			body["account"] = args[3]
		}
		if len(args) > 4 {
			body["times"] = json.RawMessage(args[4])
		}
	default:
		ts.Fatalf("no such order: %s", args[0])
	}
	b, err := json.Marshal(body)
	ts.Check(err)
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "http://localhost/control/aws/"+path, bytes.NewReader(b))
	req.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	s.org.Control().ServeHTTP(answer, req)
	if answer.Code != http.StatusOK {
		ts.Fatalf("the organization refused: %s", answer.Body)
	}
}

// orderSlack changes the workspace: slack scopes [-SCOPE…] grants all but those; slack channel ID shared|left makes a
// channel that is shared with another company, or that the bot is not in.
func orderSlack(ts *testscript.TestScript, _ bool, args []string) {
	s := staged(ts)
	switch args[0] {
	case "scopes":
		s.workspace.SetBotScopes(slices.DeleteFunc(allScopes(), func(name string) bool { return slices.Contains(args[1:], "-"+name) })...)
	case "channel":
		c := slacksim.Channel{ID: args[1], Name: "elsewhere", Members: []string{slacksim.UserAna}}
		if args[2] == "shared" {
			c.Shared, c.Members = true, []string{slacksim.BotUserID}
		}
		s.workspace.AddChannel(c)
	case "command":
		body, err := json.Marshal(map[string]string{"user": args[1], "channel": args[2], "command": "/rootcheck", "text": strings.Join(args[3:], " ")})
		ts.Check(err)
		req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "http://localhost/control/slack/command", bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		s.workspace.Control().ServeHTTP(answer, req)
		if answer.Code != http.StatusOK {
			ts.Fatalf("the workspace refused: %s", answer.Body)
		}
	default:
		ts.Fatalf("no such order: %s", args[0])
	}
}

// writeLog makes a database whose audit log holds so many records, with a signed head after each tenth: log FILE COUNT.
func writeLog(ts *testscript.TestScript, _ bool, args []string) {
	ctx, file := context.Background(), ts.MkAbs(args[0])
	var n int
	_, err := fmt.Sscan(args[1], &n)
	ts.Check(err)
	signer, err := audit.NewSigner("rootcheck", bytes.NewReader(bytes.Repeat([]byte{7}, 64)))
	ts.Check(err)
	ts.Check(os.WriteFile(file+".audit-key", []byte(signer.Marshal()+"\n"), 0o600))
	st, err := store.Open(ctx, store.Config{URL: file, Now: time.Now})
	ts.Check(err)
	for i := range n {
		_, err := st.Commit(ctx, commands.Change{Audit: []audit.Event{{
			At: time.Now(), Actor: audit.User("U024BE7LH", "T012AB3C4"), Action: audit.AccessRefused, Outcome: audit.OutcomeRefused,
			Reason: fmt.Sprintf("reason number %d", i),
		}}})
		ts.Check(err)
		if i%10 == 9 {
			head, err := st.Head(ctx)
			ts.Check(err)
			signed, err := signer.SignHead(head, time.Now())
			ts.Check(err)
			ts.Check(st.SaveHead(ctx, signed))
			ts.Check(os.WriteFile(file+".head", []byte(signed.String()+"\n"), 0o600))
		}
	}
	ts.Check(st.Close())
}

// tamper runs SQL on a database: tamper FILE STATEMENT.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(runSQL(context.Background(), ts.MkAbs(args[0]), args[1]))
}

// jsonPath holds a value of the last standard output against a text: jsonpath accounts.0.id 333333333333.
func jsonPath(ts *testscript.TestScript, neg bool, args []string) {
	var at any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &at))
	for step := range strings.SplitSeq(args[0], ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			if step == "len" {
				at = len(v)
				continue
			}
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(v) {
				ts.Fatalf("%s: no element %s", args[0], step)
			}
			at = v[i]
		default:
			ts.Fatalf("%s: nothing at %s", args[0], step)
		}
	}
	if got := fmt.Sprint(at); (got == args[1]) == neg {
		ts.Fatalf("%s is %q, want %q (negated: %v)", args[0], got, args[1], neg)
	}
}

// wantStatus runs the bot and wants an exit status: status 2 check --json.
func wantStatus(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("bot", args[1:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("run the bot: %v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("the exit status is %d, want %s", got, args[0])
	}
}

// beat writes a heartbeat of some age: beat FILE AGE [WHY].
func beat(ts *testscript.TestScript, _ bool, args []string) {
	age, err := time.ParseDuration(args[1])
	ts.Check(err)
	h := app.NewHeartbeat(ts.MkAbs(args[0]), func() time.Time { return time.Now().Add(-age) })
	ts.Check(h.Beat(len(args) == 2, strings.Join(args[2:], " ")))
}

// well waits until the running bot says that it is well, and posted until it has said something in a channel.
func well(ts *testscript.TestScript, _ bool, args []string) {
	h := app.NewHeartbeat(ts.MkAbs(args[0]), time.Now)
	soon(ts, func() error { _, _, err := h.Check(); return err })
}

func posted(ts *testscript.TestScript, _ bool, args []string) {
	found(ts, args[0], args[1])
}

// found is the text of a message of the bot in a channel with these words, as soon as there is one.
func found(ts *testscript.TestScript, channel, words string) (text string) {
	s := staged(ts)
	soon(ts, func() error {
		answer := httptest.NewRecorder()
		s.workspace.Control().ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "http://localhost/control/slack/state", nil))
		var state struct {
			Channels []struct {
				ID       string
				Messages []struct{ User, Text string }
			}
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &state); err != nil {
			return err
		}
		for _, c := range state.Channels {
			for _, m := range c.Messages {
				if c.ID == channel && m.User == slacksim.BotUserID && strings.Contains(m.Text, words) {
					text = m.Text
					return nil
				}
			}
		}
		return fmt.Errorf("nothing like %q stands in %s", words, channel)
	})
	return text
}

// published copies the audit log's head out of the channel, as a person would: published FILE.
func published(ts *testscript.TestScript, _ bool, args []string) {
	parts := strings.Split(found(ts, slacksim.ChannelRoot, "bot audit verify --head"), "```")
	if len(parts) != 3 {
		ts.Fatalf("no head stands in a block of its own: %q", parts)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(parts[1]), 0o600))
}

// publish signs the head of a database with its key file and keeps it as a published one: head FILE.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	ctx, file := context.Background(), ts.MkAbs(args[0])
	signer, err := audit.ParseSigner(ts.ReadFile(args[0] + ".audit-key"))
	ts.Check(err)
	st, err := store.Open(ctx, store.Config{URL: file, Now: time.Now})
	ts.Check(err)
	head, err := st.Head(ctx)
	ts.Check(err)
	signed, err := signer.SignHead(head, time.Now())
	ts.Check(err)
	ts.Check(errors.Join(st.SaveHead(ctx, signed), st.Close()))
}

// private wants a file that nobody but its owner may read: private FILE.
func private(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if info.Mode().Perm() != 0o600 {
		ts.Fatalf("%s has the mode %v", args[0], info.Mode())
	}
}

// soon asks until the answer is no error, for at most 40 s: a heartbeat comes every 15.
func soon(ts *testscript.TestScript, ask func() error) {
	deadline, tick := time.NewTimer(40*time.Second), time.NewTicker(50*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			ts.Fatalf("it did not come: %v", err)
		case <-tick.C:
		}
	}
}

func TestTheProductionBinaryHoldsNoSimulator(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/rootcheck-bot/rootcheck/cmd/bot").Output()
	if err != nil {
		t.Fatalf("list what cmd/bot is made of: %v", err)
	}
	if !strings.Contains(string(out), "rootcheck/awsroot") {
		t.Fatal("the list lacks what must be in it")
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "/sim/") {
			t.Errorf("cmd/bot holds %s", strings.TrimSpace(line))
		}
	}
}

func TestMainIsShort(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n > 60 {
		t.Errorf("main.go has %d lines: it holds flags, environment, signals and exit codes, and nothing else", n)
	}
}
