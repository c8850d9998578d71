package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file is the way from the real SDK to many simulated organizations at once. The SDK is told where AWS is by its
// environment, of which a process has one, so that each organization has a place on one server, and each place has
// profiles of its own in the one file that all share.

const places = 48

// cloud is the one server.
type cloud struct {
	server *httptest.Server
	dir    string // of the profiles
	free   chan int

	mu     sync.Mutex
	at     [places]http.Handler
	knocks [places]func(action string) // before a call is answered
}

// The doors of a place: the operator's identity, the lab's root user and the lab's reader.
func profile(place int, door string) string { return fmt.Sprintf("place-%d-%s", place, door) }

var theCloud *cloud

// startCloud is called once, before any test.
func startCloud(doors map[string][2]string) (*cloud, error) {
	c := &cloud{free: make(chan int, places)}
	c.server = httptest.NewUnstartedServer(c)
	c.server.Config.IdleTimeout = 3 * time.Second // each edge that is made anew leaves its connections open
	c.server.Start()
	dir, err := os.MkdirTemp("", "rootcheck-proof")
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	for i := range places {
		c.free <- i
		for door, credentials := range doors {
			fmt.Fprintf(&file, "[profile %s]\nregion = us-east-1\naws_access_key_id = %s\naws_secret_access_key = %s\nendpoint_url = %s/%d/\n\n",
				profile(i, door), credentials[0], credentials[1], c.server.URL, i)
		}
	}
	c.dir = dir
	config := filepath.Join(dir, "config")
	if err = os.WriteFile(config, file.Bytes(), 0o600); err != nil {
		return nil, err
	}
	for _, name := range []string{
		"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE",
	} {
		err = errors.Join(err, os.Unsetenv(name))
	}
	return c, errors.Join(err,
		os.Setenv("AWS_CONFIG_FILE", config), os.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none")),
		os.Setenv("AWS_EC2_METADATA_DISABLED", "true"))
}

// ServeHTTP passes a call to the organization of its place.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	number, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var place int
	if _, err := fmt.Sscanf(number, "%d", &place); err != nil || place < 0 || place >= places {
		http.NotFound(w, r)
		return
	}
	c.mu.Lock()
	h, knock := c.at[place], c.knocks[place]
	c.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	r.URL.Path = "/" + rest
	if knock != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the caller is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		knock(actionOf(r, body))
	}
	h.ServeHTTP(w, r)
}

// before calls f with the action of each call to a place before it is answered; nil ends that.
func (c *cloud) before(place int, f func(action string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.knocks[place] = f
}

// occupy takes a place for the length of a test.
func (c *cloud) occupy(tb testing.TB, h http.Handler) int {
	tb.Helper()
	place := <-c.free
	c.mu.Lock()
	c.at[place] = h
	c.mu.Unlock()
	tb.Cleanup(func() {
		c.mu.Lock()
		c.at[place] = nil
		c.mu.Unlock()
		c.free <- place
	})
	return place
}

// changing are the calls to AWS that change a root user. Whatever else the bot calls can be called at any time.
var changing = map[string]bool{
	"AttachPolicy": true, "DetachPolicy": true, "UpdateAccessKey": true, "DeleteAccessKey": true, "DeleteLoginProfile": true,
	"DeactivateMFADevice": true, "DeleteSigningCertificate": true, "CreateAccessKey": true,
}

// wire stands between the network and an organization: each call is a boundary.
type wire struct {
	to     http.Handler
	passes func() *mortal
}

func (w wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	action, m := actionOf(r, body), w.passes()
	if changing[action] && m.pass("AWS "+action+" about to arrive") != nil {
		panic(http.ErrAbortHandler)
	}
	if m.isDead() {
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	w.to.ServeHTTP(answer, r)
	if m.pass("AWS "+action+" answered") != nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(rw.Header(), answer.Header())
	rw.WriteHeader(answer.Code)
	_, _ = rw.Write(answer.Body.Bytes())
}

// actionOf is the operation that a call is for, in either of the two protocols.
func actionOf(r *http.Request, body []byte) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndex(target, ".")+1:]
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		return form.Get("Action")
	}
	return r.Method + " " + r.URL.Path
}
