package main

import (
	"mime"
	"net"
	"net/http"
	"net/url"
)

// guard keeps pages of other sites away from /control: a foreign Host means that a name was pointed at loopback, a foreign
// Origin that another page is asking, and a body that is no JSON could be an ordinary form.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !local(r.Host):
			answer(w, http.StatusForbidden, map[string]any{"error": "ask by a loopback address"})
		case r.Header.Get("Origin") != "" && !sameOrigin(r):
			answer(w, http.StatusForbidden, map[string]any{"error": "another site's page may not ask"})
		case r.Method == http.MethodPost && !isJSON(r):
			answer(w, http.StatusUnsupportedMediaType, map[string]any{"error": "send application/json"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(name)
	return name == "localhost" || (ip != nil && ip.IsLoopback())
}

func sameOrigin(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && u.Host == r.Host
}

func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}
