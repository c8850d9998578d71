package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Control serves the people of the workspace as a small JSON API under /control/slack/, for the
// page, for scripts and for tests. It answers loopback names only and takes nothing but JSON, so
// that no web page elsewhere can drive it. A refused act is a 4xx with {"error": "…"}.
func (w *Workspace) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /control/slack/command", act(w.controlCommand))
	mux.HandleFunc("POST /control/slack/click", act(w.controlClick))
	mux.HandleFunc("POST /control/slack/submit", act(w.controlSubmit))
	mux.HandleFunc("POST /control/slack/close", act(w.controlClose))
	mux.HandleFunc("POST /control/slack/home", act(w.controlHome))
	mux.HandleFunc("POST /control/slack/message", act(w.controlMessage))
	mux.HandleFunc("POST /control/slack/fault", act(w.controlFault))
	mux.HandleFunc("POST /control/slack/person", act(w.controlPerson))
	mux.HandleFunc("POST /control/slack/channel", act(w.controlChannel))
	mux.HandleFunc("POST /control/slack/emit", act(w.controlEmit))
	mux.HandleFunc("GET /control/slack/state", w.controlState)
	mux.HandleFunc("GET /control/slack/calls", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, http.StatusOK, w.Calls()) })
	mux.HandleFunc("GET /control/slack/acks", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, http.StatusOK, w.Acks()) })
	mux.HandleFunc("DELETE /control/slack/calls", func(rw http.ResponseWriter, _ *http.Request) {
		w.ForgetCalls()
		reply(rw, http.StatusOK, obj{"ok": true})
	})
	mux.HandleFunc("DELETE /control/slack/acks", func(rw http.ResponseWriter, _ *http.Request) {
		w.ForgetAcks()
		reply(rw, http.StatusOK, obj{"ok": true})
	})
	mux.HandleFunc("/control/", func(rw http.ResponseWriter, r *http.Request) {
		refusal(rw, http.StatusNotFound, fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path))
	})
	return guard(mux)
}

// guard refuses requests that did not come from this machine's own page or a script on it.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case !loopback(r.Host):
			refusal(rw, http.StatusForbidden, "this address answers to loopback names only")
			return
		case r.Header.Get("Origin") != "" && !sameOrigin(r):
			refusal(rw, http.StatusForbidden, "this address does not answer to pages of another origin")
			return
		}
		if r.Method == http.MethodPost {
			kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if err != nil || kind != "application/json" {
				refusal(rw, http.StatusUnsupportedMediaType, "send application/json")
				return
			}
		}
		const largest = 1 << 20
		r.Body = http.MaxBytesReader(rw, r.Body, largest)
		next.ServeHTTP(rw, r)
	})
}

func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(trimBrackets(host))
	return ip != nil && ip.IsLoopback()
}

func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

func sameOrigin(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && u.Host == r.Host
}

// act decodes a request of type T, runs f and answers its result.
func act[T any](f func(T) (any, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		var in T
		dec := json.NewDecoder(r.Body)
		if err := dec.Decode(&in); err != nil {
			status := http.StatusBadRequest
			if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
				status = http.StatusRequestEntityTooLarge
			}
			refusal(rw, status, "the body is not the JSON expected here: "+err.Error())
			return
		}
		out, err := f(in)
		refused, isRefused := errors.AsType[*RefusedError](err)
		switch {
		case isRefused && refused.Errors != nil:
			reply(rw, refused.Status, obj{"error": refused.Why, "errors": refused.Errors})
		case isRefused:
			refusal(rw, refused.Status, refused.Why)
		case err != nil:
			refusal(rw, http.StatusBadRequest, err.Error())
		default:
			reply(rw, http.StatusOK, out)
		}
	}
}

func reply(rw http.ResponseWriter, status int, body any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	writeJSON(rw, body)
}

func refusal(rw http.ResponseWriter, status int, why string) {
	reply(rw, status, obj{"error": why})
}

// controlState answers the whole state. With ?since=REV and &wait=20s it answers only once the
// revision is another, or {"rev","unchanged":true} when the time is over; If-None-Match works too.
// With ?messages=N each conversation has its newest N only.
func (w *Workspace) controlState(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if since, err := strconv.ParseUint(q.Get("since"), 10, 64); err == nil {
		if rev := w.waitFor(r, since, q.Get("wait")); rev == since {
			reply(rw, http.StatusOK, obj{"rev": rev, "unchanged": true})
			return
		}
	}
	newest, err := strconv.Atoi(q.Get("messages"))
	if err != nil || newest <= 0 {
		newest = math.MaxInt
	}
	state, rev := w.state(newest)
	tag := `"` + strconv.FormatUint(rev, 10) + `"`
	rw.Header().Set("ETag", tag)
	rw.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		rw.WriteHeader(http.StatusNotModified)
		return
	}
	reply(rw, http.StatusOK, state)
}

// waitFor returns the revision as soon as it differs from since, or since after the given time,
// at most a minute.
func (w *Workspace) waitFor(r *http.Request, since uint64, wait string) uint64 {
	d, err := time.ParseDuration(wait)
	if err != nil {
		d = 0
	}
	t := time.NewTimer(min(d, time.Minute))
	defer t.Stop()
	for {
		w.mu.Lock()
		rev, changed := w.rev, w.changed
		w.mu.Unlock()
		if rev != since {
			return rev
		}
		select {
		case <-changed:
		case <-t.C:
			return since
		case <-w.done:
			return since
		case <-r.Context().Done():
			return since
		}
	}
}
