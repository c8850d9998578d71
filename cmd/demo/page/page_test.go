package page_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/cmd/demo/page"
)

func get(t *testing.T, method, target, etag string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	rec := httptest.NewRecorder()
	page.Handler().ServeHTTP(rec, req)
	return rec
}

func TestHandlerServesThePage(t *testing.T) {
	tests := []struct {
		name, method, target string
		status               int
		kind                 string
	}{
		{"the page stands at the root", http.MethodGet, "/", 200, "text/html; charset=utf-8"},
		{"a module has the type that browsers insist on", http.MethodGet, "/js/main.js", 200, "text/javascript; charset=utf-8"},
		{"a style sheet is served", http.MethodGet, "/css/base.css", 200, "text/css; charset=utf-8"},
		{"the icon is served", http.MethodGet, "/icon.svg", 200, "image/svg+xml"},
		{"a head request is answered", http.MethodHead, "/", 200, "text/html; charset=utf-8"},
		{"what does not exist is not found", http.MethodGet, "/js/none.js", 404, ""},
		{"a folder is not listed", http.MethodGet, "/js", 404, ""},
		{"a path cannot climb out", http.MethodGet, "/../page.go", 404, ""},
		{"the page takes no orders", http.MethodPost, "/", 405, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := get(t, tt.method, tt.target, "")
			if res.Code != tt.status {
				t.Fatalf("status %d, want %d", res.Code, tt.status)
			}
			if tt.kind != "" && res.Header().Get("Content-Type") != tt.kind {
				t.Errorf("Content-Type %q, want %q", res.Header().Get("Content-Type"), tt.kind)
			}
			csp := res.Header().Get("Content-Security-Policy")
			if tt.status == 200 && (!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe")) {
				t.Errorf("Content-Security-Policy %q lets more than the page's own files in", csp)
			}
		})
	}
}

func TestAnUnchangedFileIsNotSentAgain(t *testing.T) {
	first := get(t, http.MethodGet, "/js/main.js", "")
	rec := get(t, http.MethodGet, "/js/main.js", first.Header().Get("ETag"))
	if rec.Code != http.StatusNotModified || rec.Body.Len() != 0 {
		t.Errorf("status %d with %d bytes, want 304 with none", rec.Code, rec.Body.Len())
	}
}

// The page must not be able to turn data into markup, nor to ask anybody but its own server.
func TestTheFilesHoldNoWayToRunOrFetchWhatIsForeign(t *testing.T) {
	index := body(t, "/")
	if regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]+|\son\w+=|style=`).MatchString(index) {
		t.Error("index.html holds inline script or style")
	}
	files := regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllStringSubmatch(index, -1)
	queue := []string{}
	for _, f := range files {
		queue = append(queue, "/"+f[1])
	}
	seen := map[string]bool{}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		text := body(t, name)
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "@import", "url(http", "localStorage"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s uses %s", name, bad)
			}
		}
		for _, m := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(text, -1) {
			queue = append(queue, "/js/"+m[1])
		}
	}
	if len(seen) < 20 {
		t.Errorf("walked %d files, want all of the page", len(seen))
	}
}

func body(t *testing.T, target string) string {
	t.Helper()
	res := get(t, http.MethodGet, target, "")
	if res.Code != http.StatusOK {
		t.Fatalf("%s: status %d", target, res.Code)
	}
	return res.Body.String()
}

func TestTheComposerListsTheCommandsOfTheManifest(t *testing.T) {
	raw, err := os.ReadFile("../../../manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	hint := regexp.MustCompile(`usage_hint: "\[([^\]]+)\]`).FindSubmatch(raw)
	if hint == nil {
		t.Fatal("the manifest has no usage hint")
	}
	want := strings.Split(strings.Replace(string(hint[1]), "account", "help", 1), " | ")
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^  \["([a-z]+)`).FindAllStringSubmatch(get(t, http.MethodGet, "/js/composer.js", "").Body.String(), -1) {
		listed = append(listed, m[1])
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(listed))); diff != "" {
		t.Errorf("commands differ (-manifest +composer):\n%s", diff)
	}
}
