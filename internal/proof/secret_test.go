package proof_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// This file lets the whole bot live a key's life with everything logged, and then looks for every secret that passed
// through it in everything that it left behind.

// canaries are the secrets that passed, by what they are.
type canaries struct {
	mu    sync.Mutex
	found map[string]string // what it is, by the secret
}

func (c *canaries) add(what, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(secret) >= 12 {
		c.found[secret] = what
	}
}

func (c *canaries) all() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.found)
}

var minted = regexp.MustCompile(`<(SessionToken|SecretAccessKey|AccessKeyId)>([^<]+)<`)

// listenToAWS remembers the credentials in AWS's answers to sts:AssumeRoot.
func (c *canaries) listenToAWS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		copied := &copying{ResponseWriter: w}
		next.ServeHTTP(copied, r)
		if actionOf(r, body) != "AssumeRoot" {
			return
		}
		for _, m := range minted.FindAllStringSubmatch(copied.b.String(), -1) {
			c.add("session "+m[1], m[2])
		}
	})
}

type copying struct {
	http.ResponseWriter
	b bytes.Buffer
}

func (c *copying) Write(p []byte) (int, error) {
	c.b.Write(p)
	return c.ResponseWriter.Write(p)
}

var hook = regexp.MustCompile(`/(?:commands|actions|hooks)/[^"\s]{12,}`)

// listenToSlack remembers the tickets of the sockets and the secrets in response URLs, which come back as requests.
func (c *canaries) listenToSlack(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.URL.Query() {
			for _, v := range values {
				if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
					c.add("socket "+name, v)
				}
			}
		}
		if hook.MatchString(r.URL.Path) {
			c.add("response url", r.URL.Path)
		}
		next.ServeHTTP(w, r)
	})
}

func TestNoSecretIsLeftAnywhere(t *testing.T) {
	t.Parallel()
	c := &canaries{found: map[string]string{botToken: "bot token", appToken: "app token"}}
	o := newOfficeHeard(t, []slacksim.User{
		{ID: asks, Name: "asks", Email: "asks@example.com"}, {ID: agrees, Name: "agrees", Email: "agrees@example.com"},
	}, nil, func(cfg *app.Config) {
		cfg.Requesters, cfg.Approvers = app.People{Users: []string{asks}}, app.People{Users: []string{agrees}}
	}, c)
	for _, account := range o.org.Accounts() {
		view, _ := o.org.Account(account)
		for _, k := range view.Root.Keys {
			c.add("root key", k.ID)
		}
	}
	r := &rights{o}
	for _, words := range []string{"", "keys", "status", "check", "requests all", "help", "audit " + string(shop), string(shop)} {
		must[slacksim.Outcome](t)(o.slack.Command(slacksim.CommandRequest{User: asks, Channel: channel, Command: "/rootcheck", Text: words}))
	}
	key := r.keyOf(string(shop), "Active")
	r.opened(preparer)
	r.submit(confirmer, "form.confirm", step(r.latest(shop)), map[string]string{"key": key})
	for r.act(); r.latest(shop).State != remediation.Inactive || r.latest(shop).Remaining() > 0; r.pass(24*time.Hour + time.Minute) {
		if r.clock.Now().Year() > 2026 {
			t.Fatalf("the watch does not end: %+v", r.latest(shop))
		}
	}
	r.submit(preparer, "form.delete", step(r.latest(shop)), map[string]string{"reason": "is " + key + " still of use? no", "key": key})
	r.submit(confirmer, "form.confirm", step(r.latest(shop)), nil)
	for range 6 {
		r.act()
		r.pass(20 * time.Second)
	}
	r.settle()
	if got := r.latest(shop).State; got != remediation.Verified {
		t.Fatalf("the life ended as %s", got)
	}
	secrets := c.all()
	kinds := map[string]int{}
	for _, what := range secrets {
		kinds[strings.Fields(what)[0]]++
	}
	for _, kind := range []string{"bot", "app", "root", "session", "socket", "response"} {
		if kinds[kind] == 0 {
			t.Errorf("no secret of the kind %q passed: the search proves nothing", kind)
		}
	}
	places := o.leftovers()
	hits := 0
	for where, content := range places {
		for secret, what := range secrets {
			if n := bytes.Count(content, []byte(secret)); n > 0 && (what != "root key" || where != "table root_key.key_id") {
				hits++
				at := bytes.Index(content, []byte(secret))
				t.Errorf("%s holds a %s %d times: …%.160s", where, what, n, content[max(0, at-80):min(len(content), at+80)])
			}
		}
	}
	o.inFiles(secrets)
	t.Logf("%d secrets (%v) looked for in %d places with %d bytes of log: %d hits", len(secrets), kinds, len(places), len(places["log"]), hits)
}

// leftovers are all places where something is kept or said.
func (o *office) leftovers() map[string][]byte {
	o.t.Helper()
	found := map[string][]byte{"log": o.log.Bytes()}
	state, _ := o.slack.State()
	found["Slack's state"] = state
	for _, c := range o.slack.Calls() {
		found["Slack's calls"] = append(found["Slack's calls"], must[[]byte](o.t)(json.Marshal(c))...)
	}
	ok(o.t, o.seen.ReadLog(o.t.Context(), func(l store.Log) error {
		var jsonl, csv bytes.Buffer
		_, err := audit.WriteJSONL(&jsonl, l.Records)
		if err == nil {
			_, err = audit.WriteCSV(&csv, l.Records)
		}
		found["the audit export (jsonl)"], found["the audit export (csv)"] = jsonl.Bytes(), csv.Bytes()
		return err
	}))
	db := must[*sql.DB](o.t)(sql.Open("sqlite", filepath.Join(o.dir, "rootcheck.db")+"?mode=ro&_pragma=busy_timeout(5000)"))
	defer db.Close()
	for _, table := range column1(o.t, db, `SELECT name FROM sqlite_master WHERE type = 'table'`) {
		ok(o.t, everyColumn(o.t.Context(), db, string(table), func(column string, v any) {
			where := "table " + string(table) + "." + column
			found[where] = append(found[where], unpacked(v)...)
		}))
	}
	return found
}

// everyColumn reads a table whose columns it does not know.
func everyColumn(ctx context.Context, db *sql.DB, table string, f func(column string, v any)) error {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err = rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			f(names[i], v)
		}
	}
	return rows.Err()
}

// unpacked is a value as text, also where it is kept compressed.
func unpacked(v any) []byte {
	b, isBytes := v.([]byte)
	if !isBytes {
		return []byte(fmt.Sprint(v))
	}
	if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		if plain, err := io.ReadAll(z); err == nil {
			return plain
		}
	}
	return b
}

// inFiles looks at the bytes of the database's files while the bot runs. A root key's id is there as often as its one
// column holds it; what was handled a moment ago may take two seconds to be overwritten.
func (o *office) inFiles(secrets map[string]string) {
	o.t.Helper()
	db := must[*sql.DB](o.t)(sql.Open("sqlite", filepath.Join(o.dir, "rootcheck.db")+"?mode=ro&_pragma=busy_timeout(5000)"))
	defer db.Close()
	kept := column1(o.t, db, `SELECT key_id FROM root_key`)
	var hits []string
	o.until("the database's files hold no secret", func() bool {
		hits = nil
		for name, content := range o.files() {
			for secret, what := range secrets {
				allowed := 0
				if slices.ContainsFunc(kept, func(k []byte) bool { return string(k) == secret }) {
					allowed = 1
				}
				if n := bytes.Count(content, []byte(secret)); n > allowed {
					hits = append(hits, fmt.Sprintf("%s holds a %s %d times", name, what, n))
				}
			}
		}
		if len(hits) > 0 {
			o.t.Logf("not yet: %v", hits)
		}
		return len(hits) == 0
	})
}
