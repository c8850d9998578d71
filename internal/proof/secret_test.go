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
	"net/url"
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
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// This file lets the whole bot live a key's life with everything logged, and then looks for every secret that passed
// through it in everything that it left behind.

// canaries are the secrets that passed, by what they are.
type canaries struct {
	mu      sync.Mutex
	found   map[string]string // what it is, by the secret
	traffic bytes.Buffer      // what the bot sent to Slack, less the token that each call is made with
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
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		c.overhear(body)
		next.ServeHTTP(w, r)
	})
}

// overhear keeps what a call said, as it stands on the wire and as it reads.
func (c *canaries) overhear(body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if form, err := url.ParseQuery(string(body)); err == nil && form.Has("token") {
		form.Del("token")
		for name, values := range form {
			fmt.Fprintf(&c.traffic, "%s: %s\n", name, values)
		}
		return
	}
	c.traffic.Write(body)
	c.traffic.WriteByte('\n')
}

func (c *canaries) heard() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.traffic.Bytes())
}

func TestNoSecretIsLeftAnywhere(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := &canaries{found: map[string]string{botToken: "bot token", appToken: "app token"}}
			o := newOfficeHeard(t, []slacksim.User{
				{ID: asks, Name: "asks", Email: "asks@example.com"}, {ID: agrees, Name: "agrees", Email: "agrees@example.com"},
			}, nil, func(cfg *app.Config) {
				cfg.Requesters, cfg.Approvers = app.People{Users: []string{asks}}, app.People{Users: []string{agrees}}
				if d.name == "postgres" {
					cfg.Database = d.empty(t)
				}
			}, c)
			for _, account := range o.org.Accounts() {
				view, _ := o.org.Account(account)
				for _, k := range view.Root.Keys {
					c.add("root key", k.ID)
				}
			}
			r := &rights{o}
			r.lifeOfAKey()
			r.badHour()
			r.seek(c)
		})
	}
}

// lifeOfAKey says every word and takes a key from its first request to its end, with the key's whole id in what people type.
func (r *rights) lifeOfAKey() {
	r.t.Helper()
	for _, words := range []string{"", "keys", "status", "check", "requests all", "help", "audit " + string(shop), string(shop)} {
		r.says(words)
	}
	key := r.keyOf(string(shop), "Active")
	r.opened(preparer)
	r.submit(confirmer, "form.confirm", step(r.latest(shop)), map[string]string{"key": key})
	for r.act(); r.latest(shop).State != remediation.Inactive || r.latest(shop).Remaining() > 0; r.pass(24*time.Hour + time.Minute) {
		if r.clock.Now().Year() > 2026 {
			r.t.Fatalf("the watch does not end: %+v", r.latest(shop))
		}
	}
	r.submit(preparer, "form.delete", step(r.latest(shop)), map[string]string{"reason": "is " + key + " still of use? no", "key": key})
	r.submit(confirmer, "form.confirm", step(r.latest(shop)), nil)
	for range 6 {
		r.act()
		r.pass(20 * time.Second)
	}
	if got := r.latest(shop).State; got != remediation.Verified {
		r.t.Fatalf("the life ended as %s", got)
	}
}

func (r *rights) says(words string) {
	r.t.Helper()
	must[slacksim.Outcome](r.t)(r.slack.Command(slacksim.CommandRequest{User: asks, Channel: channel, Command: "/rootcheck", Text: words}))
}

// badHour lets everything fail that the bot talks to, each until the log says so: an error is where a library quotes an
// address, a ticket or an answer.
func (r *rights) badHour() {
	r.t.Helper()
	for _, kind := range []string{"error", "garbage", "http_500"} {
		since := len(r.log.Bytes())
		ok(r.t, r.slack.Inject(slacksim.Fault{Kind: kind, For: time.Hour}))
		r.says("keys")
		r.ask(preparer, cellar)
		r.until("the log tells of Slack's "+kind, func() bool { return len(r.said(since)) > 0 })
		ok(r.t, r.slack.Inject(slacksim.Fault{Kind: "clear"}))
	}
	since := len(r.log.Bytes())
	ok(r.t, r.slack.Inject(slacksim.Fault{Kind: "disconnect", For: time.Hour}))
	r.until("two sockets were cut and another was not admitted", func() bool { return bytes.Count(r.log.Bytes()[since:], []byte(`"socket closed"`)) > 2 })
	ok(r.t, r.slack.Inject(slacksim.Fault{Kind: "clear"}))
	r.until("a socket is open again", func() bool { return r.slack.Connections() > 0 })
	for _, kind := range []string{awssim.FaultDeny, awssim.FaultHTTP500, awssim.FaultGarbage, awssim.FaultLostAnswer} {
		ok(r.t, r.org.Inject(awssim.Fault{Kind: kind}))
		r.says("check")
		r.ask(preparer, cellar)
		r.org.ClearFaults()
	}
	r.pass(time.Hour)
	r.settle()
}

// seek looks for each secret in each place, and wants enough of both.
func (r *rights) seek(c *canaries) {
	r.t.Helper()
	secrets := c.all()
	kinds := map[string]int{}
	for _, what := range secrets {
		kinds[strings.Fields(what)[0]]++
	}
	for kind, least := range map[string]int{"bot": 1, "app": 1, "root": 5, "session": 50, "socket": 3, "response": 5} {
		if kinds[kind] < least {
			r.t.Errorf("%d secrets of the kind %q passed, want %d: the search proves little", kinds[kind], kind, least)
		}
	}
	places := r.leftovers()
	places["Slack's traffic"] = c.heard()
	hits, size := 0, 0
	for where, content := range places {
		size += len(content)
		for secret, what := range secrets {
			if n := bytes.Count(content, []byte(secret)); n > 0 && (what != "root key" || where != "table root_key.key_id") {
				hits++
				at := bytes.Index(content, []byte(secret))
				r.t.Errorf("%s holds a %s %d times: …%.160s", where, what, n, content[max(0, at-80):min(len(content), at+80)])
			}
		}
	}
	for where, least := range map[string]int{"log": 2_000, "Slack's traffic": 50_000, "the audit export (jsonl)": 5_000, "table root_key.key_id": 16} {
		if len(places[where]) < least {
			r.t.Errorf("%s has %d bytes, want %d: the search proves little", where, len(places[where]), least)
		}
	}
	if strings.HasSuffix(r.url, ".db") {
		r.inFiles(secrets)
	}
	r.t.Logf("%d secrets (%v) looked for in %d places with %d bytes, %d of them log: %d hits", len(secrets), kinds, len(places), size, len(places["log"]), hits)
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
	driver, address, tables := "sqlite", o.url+"?mode=ro&_pragma=busy_timeout(5000)", `SELECT name FROM sqlite_master WHERE type = 'table'`
	if !strings.HasSuffix(o.url, ".db") {
		driver, address, tables = "pgx", o.url, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	}
	db := must[*sql.DB](o.t)(sql.Open(driver, address))
	defer db.Close()
	for _, table := range column1(o.t, db, tables) {
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
	told := false // the first is what the clock had not reached; each later look would say it again
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
		if len(hits) > 0 && !told {
			told = true
			o.t.Logf("not yet: %v", hits)
		}
		return len(hits) == 0
	})
}
