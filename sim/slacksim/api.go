package slacksim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CallRecord is one Web API call as it was answered.
type CallRecord struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	// Token is "bot", "app", "none" or "unknown", never the token itself.
	Token   string `json:"token"`
	Channel string `json:"channel,omitempty"`
	// Outcome is "ok", Slack's error name, or the fault that answered.
	Outcome string `json:"outcome"`
	// Bytes is the size of the request's body.
	Bytes int64 `json:"bytes"`
}

// method is one Web API method.
type method struct {
	run func(*Workspace, *call) (obj, *apiError)
	// scopes grant the method; any one of them is enough. Empty needs none.
	scopes []string
	// perMinute is the method's tier, https://docs.slack.dev/apis/web-api/rate-limits; 0 is unlimited.
	perMinute int
	app       bool // takes an app-level token
	either    bool // takes both kinds of token
}

// call is one Web API call being answered. Methods run while the workspace's lock is held.
type call struct {
	args  map[string]any
	host  string
	token string // "bot" or "app"
}

// apiError is an answer with ok false, into which extra is merged.
type apiError struct {
	code  string
	extra obj
}

func fail(code string) (obj, *apiError) { return nil, &apiError{code: code} }

// invalidBlocks is the answer to blocks that break a limit. Slack gives the reasons twice.
func invalidBlocks(code string, problems []Problem) *apiError {
	return &apiError{code: code, extra: obj{
		"errors":            problemMessages(problems, false),
		"response_metadata": obj{"messages": problemMessages(problems, true)},
	}}
}

func (c *call) str(key string) string {
	switch v := c.args[key].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (c *call) flag(key string) bool {
	v := c.str(key)
	return v == "true" || v == "1"
}

func (c *call) number(key string, def int) int {
	n, err := strconv.Atoi(c.str(key))
	if err != nil {
		return def
	}
	return n
}

// value returns an argument that is JSON, given either as such or as a string holding it. An empty
// string counts as missing, as in Slack.
func (c *call) value(key string) (v any, present bool, err error) {
	v, present = c.args[key]
	s, isText := v.(string)
	if !present || v == nil || isText && s == "" {
		return nil, false, nil
	}
	if isText {
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			return nil, true, fmt.Errorf("decode %s: %w", key, err)
		}
	}
	return v, true, nil
}

func (w *Workspace) serveMethod(rw http.ResponseWriter, r *http.Request) {
	const largest = 2 << 20
	name := r.PathValue("method")
	r.Body = http.MaxBytesReader(rw, r.Body, largest)
	body := &countingReader{r: r.Body}
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}

	w.wait(r, w.cfg.Latency)
	if w.faulty(rw, r, name) {
		w.record(CallRecord{Method: name, Token: "unknown", Outcome: "fault"})
		return
	}
	args, err := readArgs(r)
	if err != nil {
		answer(rw, obj{"ok": false, "error": "invalid_form_data", "detail": err.Error()})
		w.record(CallRecord{Method: name, Token: "unknown", Outcome: "invalid_form_data", Bytes: body.n})
		return
	}
	c := &call{args: args, host: r.Host}
	rec := CallRecord{Method: name, Bytes: body.n, Channel: c.str("channel")}
	result, apiErr := w.perform(rw, r, name, c)
	rec.Token, rec.Outcome = c.token, "ok"
	if apiErr != nil {
		rec.Outcome = apiErr.code
		result = obj{"ok": false, "error": apiErr.code}
		maps.Copy(result, apiErr.extra)
	} else {
		result["ok"] = true
	}
	w.record(rec)
	if apiErr == nil && w.lostAnswer(rw, name) {
		return
	}
	if apiErr != nil && apiErr.code == "ratelimited" {
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		rw.WriteHeader(http.StatusTooManyRequests)
		writeJSON(rw, obj{"ok": false, "error": "ratelimited"})
		return
	}
	answer(rw, result)
}

// perform authenticates, limits and runs one call.
func (w *Workspace) perform(rw http.ResponseWriter, r *http.Request, name string, c *call) (obj, *apiError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, known := w.methods[name]
	if !known {
		c.token = "unknown"
		return nil, &apiError{code: "unknown_method", extra: obj{"req_method": name}}
	}
	if w.baseURL == "" {
		w.baseURL = "http://" + r.Host
	}
	if name == "api.test" {
		c.token = "none"
		return m.run(w, c)
	}
	if e := w.authenticate(r, c, m); e != nil {
		return nil, e
	}
	granted := w.cfg.BotScopes
	if c.token == "app" {
		granted = []string{"connections:write"}
	}
	rw.Header().Set("X-OAuth-Scopes", strings.Join(granted, ","))
	rw.Header().Set("X-Accepted-OAuth-Scopes", strings.Join(m.scopes, ","))
	if wait := w.limited(name, m, c); wait > 0 {
		rw.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return fail("ratelimited")
	}
	if len(m.scopes) > 0 && c.token == "bot" {
		if e := w.require(m.scopes...); e != nil {
			return nil, e
		}
	}
	return m.run(w, c)
}

// authenticate finds the token, in the header or else in the arguments. An app-level token counts
// only in the header (https://docs.slack.dev/reference/methods/apps.connections.open).
func (w *Workspace) authenticate(r *http.Request, c *call, m method) *apiError {
	token, inHeader := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !inHeader {
		token = c.str("token")
	}
	switch token {
	case "":
		c.token = "none"
		return &apiError{code: "not_authed"}
	case w.cfg.BotToken:
		c.token = "bot"
	case w.cfg.AppToken:
		c.token = "app"
	default:
		c.token = "unknown"
		return &apiError{code: "invalid_auth"}
	}
	switch {
	case m.either:
	case m.app && c.token == "app" && !inHeader:
		return &apiError{code: "not_authed"}
	case m.app != (c.token == "app"):
		return &apiError{code: "not_allowed_token_type"}
	}
	return nil
}

// require returns missing_scope unless one of scopes is granted to the bot. The caller holds mu.
func (w *Workspace) require(scopes ...string) *apiError {
	if w.granted(scopes...) {
		return nil
	}
	return &apiError{code: "missing_scope", extra: obj{
		"needed": strings.Join(scopes, ","), "provided": strings.Join(w.cfg.BotScopes, ","),
	}}
}

// granted reports whether the bot has one of scopes. The caller holds mu.
func (w *Workspace) granted(scopes ...string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(w.cfg.BotScopes, s) })
}

func (w *Workspace) record(rec CallRecord) {
	const keep = 100_000
	w.mu.Lock()
	defer w.mu.Unlock()
	rec.At = w.cfg.Now()
	w.calls = append(w.calls, rec)
	if len(w.calls) > keep {
		w.calls = slices.Delete(w.calls, 0, keep/10)
	}
}

// readArgs reads the arguments of a call from the query and from a form, multipart or JSON body.
func readArgs(r *http.Request) (map[string]any, error) {
	args := map[string]any{}
	for k, v := range r.URL.Query() {
		args[k] = v[0]
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	if kind == "application/json" {
		raw, readErr := io.ReadAll(r.Body)
		if readErr != nil {
			return nil, fmt.Errorf("read body: %w", readErr)
		}
		if len(strings.TrimSpace(string(raw))) == 0 {
			return args, nil
		}
		if err = json.Unmarshal(raw, &args); err != nil {
			return nil, fmt.Errorf("decode JSON body: %w", err)
		}
		return args, nil
	}
	const inMemory = 1 << 20
	if kind == "multipart/form-data" {
		err = r.ParseMultipartForm(inMemory) //nolint:gosec // serveMethod bounds the body
	} else {
		err = r.ParseForm()
	}
	if err != nil {
		return nil, fmt.Errorf("parse form: %w", err)
	}
	for k, v := range r.PostForm {
		args[k] = v[0]
	}
	return args, nil
}

func answer(rw http.ResponseWriter, body obj) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	writeJSON(rw, body)
}

func writeJSON(rw http.ResponseWriter, body any) {
	write(rw, encode(body))
}

// write sends a body. A client that has gone away needs no answer, so its error ends here.
func write(rw http.ResponseWriter, body []byte) {
	if _, err := rw.Write(body); err != nil { //nolint:gosec // served as JSON or text, never as a page
		return
	}
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // a reader passes io.EOF on as it is
}

// wait holds a request back for d or until its client leaves.
func (w *Workspace) wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	case <-w.done:
	}
}
