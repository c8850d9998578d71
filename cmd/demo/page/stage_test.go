package page_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rootcheck-bot/rootcheck/cmd/demo/page"
)

// doc is a JSON object of the control API.
type doc = map[string]any

// object returns the object at the end of a path of keys, or nil when there is none.
func object(v any, path ...string) doc {
	for _, key := range path {
		d, ok := v.(doc)
		if !ok {
			return nil
		}
		v = d[key]
	}
	d, ok := v.(doc)
	if !ok {
		return nil
	}
	return d
}

// list returns the array under a key, or nil when there is none.
func list(d doc, key string) []any {
	l, ok := d[key].([]any)
	if !ok {
		return nil
	}
	return l
}

// post is one thing that the page asked the control API to do.
type post struct {
	path string
	body doc
}

// stage is a control API with canned state: enough of one to see the page ask and answer.
type stage struct {
	*httptest.Server

	mu      sync.Mutex
	slack   doc
	aws     doc
	calls   []any
	posts   []post
	refusal doc // what the next submission answers
	serial  int
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	read(t, "slack.json", &s.slack)
	read(t, "aws.json", &s.aws)
	read(t, "calls.json", &s.calls)
	mux := http.NewServeMux()
	mux.Handle("/", page.Handler())
	mux.HandleFunc("GET /control/slack/state", s.answer(func() any { return s.slack }))
	mux.HandleFunc("GET /control/aws/state", s.answer(func() any { return s.aws }))
	mux.HandleFunc("GET /control/aws/calls", s.answer(func() any { return s.calls }))
	mux.HandleFunc("DELETE /control/aws/calls", s.answer(func() any { s.calls = []any{}; return doc{} }))
	mux.HandleFunc("POST /control/", s.act)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatalf("read the canned state: %v", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("decode %s: %v", name, err)
	}
}

func (s *stage) answer(of func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		raw, err := json.Marshal(of())
		s.mu.Unlock()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(raw)
	}
}

// act records what was asked and changes the canned state just enough to be seen.
func (s *stage) act(w http.ResponseWriter, r *http.Request) {
	var body doc
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, `{"error":"not JSON"}`, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts = append(s.posts, post{path: r.URL.Path, body: body})
	out := doc{}
	switch r.URL.Path {
	case "/control/slack/command":
		if body["text"] == "refuse" {
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"error":"the command was refused"}`))
			return
		}
		s.say(body["channel"], doc{"user": "U0ROOTCHECK", "text": fmt.Sprint("You asked: ", body["text"]), "ephemeral_to": body["user"]})
	case "/control/slack/message":
		s.say(body["channel"], doc{"user": body["user"], "text": body["text"], "thread_ts": body["thread_ts"]})
	case "/control/slack/click":
		if body["action_id"] == "key.deactivate" {
			s.open(body["user"])
		}
	case "/control/slack/submit":
		if s.refusal != nil {
			out, s.refusal = s.refusal, nil
			break
		}
		s.slack["views"] = []any{}
	case "/control/slack/close":
		s.slack["views"] = []any{}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(out)
}

// say adds a message; the caller holds mu.
func (s *stage) say(channel any, m doc) {
	s.serial++
	m["ts"] = fmt.Sprintf("%d.000200", 1795225000+s.serial)
	for _, c := range list(s.slack, "channels") {
		if ch := object(c); ch["id"] == channel {
			ch["messages"] = append(list(ch, "messages"), m)
		}
	}
}

// open shows the canned modal to user; the caller holds mu.
func (s *stage) open(user any) {
	raw, err := os.ReadFile(filepath.Join("testdata", "view.json"))
	if err != nil {
		return
	}
	var v doc
	if json.Unmarshal(raw, &v) == nil {
		v["user"] = user
		s.slack["views"] = append(list(s.slack, "views"), v)
	}
}

// change edits the state as the bot or the simulators would.
func (s *stage) change(edit func(slack, aws doc)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(s.slack, s.aws)
}

// asked returns the posts to path so far.
func (s *stage) asked(path string) []doc {
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []doc
	for _, p := range s.posts {
		if p.path == path {
			got = append(got, p.body)
		}
	}
	return got
}
