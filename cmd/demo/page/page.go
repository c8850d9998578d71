// Package page is the page of the demo: static files that draw the simulated workspace and the
// simulated AWS, and that can reach nothing but the server they came from.
//
// The rules are:
//   - Everything is in the binary: no build step, no font, script or picture from elsewhere.
//   - The Content-Security-Policy forbids inline script and style and every other origin, so a hostile
//     account name could at worst be shown.
//   - The page stands on the control API alone and holds no state that a reload would lose.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// policy lets the page load its own files and call its own server, and nothing else. Style
// attributes are set through the DOM only, which the policy permits.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page at "/" and its files below it, for GET and HEAD; any other path is 404.
// It is safe for concurrent use. Files carry an ETag of their content, so that a browser which kept
// the page open over an upgrade of the demo does not run old scripts against new ones.
func Handler() http.Handler {
	files := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if name == "" {
			name = "index.html"
		}
		f, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the page is only read", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.kind)
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", f.etag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.body))
	})
}

type file struct {
	body       []byte
	kind, etag string
}

// load reads the embedded files once. Embedded files cannot fail to be read; a directory that is
// missing would leave the page empty, which its test would notice.
func load() map[string]file {
	files := map[string]file{}
	walk := func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		files[strings.TrimPrefix(name, "static/")] = file{body: body, kind: kindOf(name), etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	}
	if err := fs.WalkDir(static, "static", walk); err != nil {
		return nil
	}
	return files
}

// kindOf names the content type. The machine's own table may lack or misname JavaScript, and a
// browser refuses a module of another type.
func kindOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}
