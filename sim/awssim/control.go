package awssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// refusal is an order that makes no sense; it is answered with status 400.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// Control answers the orders under /control/aws/: what happens outside of AWS's API, and what a test wants to know. It
// refuses a Host or an Origin that is not this machine's own, and a body that is not JSON, so that no page on the web
// can give orders. An order is answered with 200 and what it made or changed, or with a 4xx and {"error"}.
//
//	GET    state?account=|limit=&offset=    GET counts    GET calls?effect=true|account=|limit=    DELETE calls
//	POST   use-key      {key_id [service, region, count_denied]}
//	POST   key          {account, do: create}   {account, key_id, do: activate|deactivate|delete}
//	POST   mfa          {account, do: add|remove, kind: virtual|passkey|hardware [serial]}
//	POST   sign-in      {account [region, mfa]}
//	POST   fault        {kind [account, action, for, times, rate, delay]}    DELETE fault ends all
//	POST   password     {account, do: set|remove}       certificate {account, do: add|remove}
//	POST   policy       {policy_id, do: attach|detach, account or target}    {policy_id, do: write, content}
//	POST   account      {account [name, email, alias, state, denies]}    {account, do: join|leave|move [name, email, target]}
//	POST   tag          {account, key [value]}          contact {account, type [email, name]}
//	POST   feature      {feature, enabled}
func (o *Organization) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control/aws/state", o.getState)
	mux.HandleFunc("GET /control/aws/calls", o.getCalls)
	mux.HandleFunc("DELETE /control/aws/calls", func(w http.ResponseWriter, _ *http.Request) {
		o.ClearCalls()
		respond(w, http.StatusOK, fields{"emptied": true})
	})
	mux.HandleFunc("GET /control/aws/counts", func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, o.Counts()) })
	mux.HandleFunc("DELETE /control/aws/fault", func(w http.ResponseWriter, _ *http.Request) {
		o.ClearFaults()
		respond(w, http.StatusOK, fields{"cleared": true})
	})
	for path, run := range map[string]func(order) (any, error){
		"use-key": o.orderUse, "key": o.orderKey, "mfa": o.orderMFA, "fault": o.orderFault, "sign-in": o.orderSignIn,
		"password": o.orderPassword, "certificate": o.orderCertificate, "policy": o.orderPolicy, "account": o.orderAccount,
		"tag": o.orderTag, "contact": o.orderContact, "feature": o.orderFeature,
	} {
		mux.HandleFunc("POST /control/aws/"+path, o.obey(run))
	}
	mux.HandleFunc("/control/aws/", func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusNotFound, fields{"error": "no order " + r.Method + " " + r.URL.Path})
	})
	return guard(mux)
}

// guard lets through what this machine's own pages and scripts send.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.Host) {
			respond(w, http.StatusForbidden, fields{"error": "this host is not served"})
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			u, err := url.Parse(origin)
			if err != nil || u.Host != r.Host {
				respond(w, http.StatusForbidden, fields{"error": "this origin is not served"})
				return
			}
		}
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if r.Method == http.MethodPost && (err != nil || kind != "application/json") {
			respond(w, http.StatusUnsupportedMediaType, fields{"error": "send application/json"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func respond(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a caller who went away has no use for the error
}

// order is the body of any order; each takes the fields it needs.
type order struct {
	Account     string  `json:"account"`
	KeyID       string  `json:"key_id"`
	Do          string  `json:"do"`
	Kind        string  `json:"kind"`
	Serial      string  `json:"serial"`
	Service     string  `json:"service"`
	Region      string  `json:"region"`
	CountDenied bool    `json:"count_denied"`
	MFA         bool    `json:"mfa"`
	Action      string  `json:"action"`
	For         string  `json:"for"`
	Times       int     `json:"times"`
	Rate        float64 `json:"rate"`
	Delay       string  `json:"delay"`
	PolicyID    string  `json:"policy_id"`
	Target      string  `json:"target"`
	Content     string  `json:"content"`
	Name        *string `json:"name"`
	Email       *string `json:"email"`
	Alias       *string `json:"alias"`
	State       *string `json:"state"`
	Denies      *bool   `json:"denies"`
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	Type        string  `json:"type"`
	Feature     string  `json:"feature"`
	Enabled     bool    `json:"enabled"`
}

// obey reads an order, runs it under the lock and answers with what was made or changed.
func (o *Organization) obey(run func(order) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var d order
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&d); err != nil {
			respond(w, http.StatusBadRequest, fields{"error": "the body is not the JSON of an order"})
			return
		}
		o.mu.Lock()
		result, err := run(d)
		o.mu.Unlock()
		var refused refusal
		switch {
		case errors.As(err, &refused):
			respond(w, http.StatusBadRequest, fields{"error": err.Error()})
		case err != nil:
			o.log.ErrorContext(r.Context(), "obey an order", "path", r.URL.Path, "error", err)
			respond(w, http.StatusInternalServerError, fields{"error": "the order failed"})
		default:
			respond(w, http.StatusOK, result)
		}
	}
}

func (o *Organization) ordered(d order) (*account, error) {
	a, ok := o.accounts[d.Account]
	if !ok {
		return nil, refuse("no account %q", d.Account)
	}
	return a, nil
}

func duration(name, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, refuse("%q is not a duration such as 30s: %q", name, s)
	}
	return d, nil
}

func (o *Organization) orderFault(d order) (any, error) {
	lasts, err := duration("for", d.For)
	if err != nil {
		return nil, err
	}
	delay, err := duration("delay", d.Delay)
	if err != nil {
		return nil, err
	}
	f, err := o.inject(Fault{Kind: d.Kind, Account: d.Account, Action: d.Action, For: lasts, Times: d.Times, Rate: d.Rate, Delay: delay})
	if err != nil {
		return nil, err
	}
	made := fields{"id": f.id, "kind": f.Kind, "account": f.Account, "action": f.Action}
	if !f.until.IsZero() {
		made["until"] = f.until
	}
	return made, nil
}

// getCalls lists the calls that are remembered: all, those since a number of the newest ("limit"), or those that
// changed something ("effect=true"), which are never forgotten.
func (o *Organization) getCalls(w http.ResponseWriter, r *http.Request) {
	calls := o.Calls()
	if r.URL.Query().Get("effect") == "true" {
		calls = o.Effects()
	}
	if account := r.URL.Query().Get("account"); account != "" {
		kept := calls[:0]
		for _, c := range calls {
			if c.Account == account {
				kept = append(kept, c)
			}
		}
		calls = kept
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && n >= 0 && n < len(calls) {
		calls = calls[len(calls)-n:]
	}
	if calls == nil {
		calls = []Call{}
	}
	respond(w, http.StatusOK, calls)
}
