package serve

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"noom/browser"
	"noom/internal/bundle"
	"noom/internal/entrance"
	"noom/signal/hub"
	noomhttp "noom/transport/http"
	"noom/transport/ws"
)

// Handler serves a page at /, noom.js under /noom/, the hub at /ws and /http, and the list of open rooms at /rooms, to
// requests that the options accept. Of the page's modules, those that page.js imports come in a few files; if they make no
// whole, for example because one is missing, a browser gets them one by one and says what is wrong.
func Handler(page fs.FS, h *hub.Hub, options ws.AcceptOptions) http.Handler {
	mux := http.NewServeMux()
	own := contents(page)
	serveFiles(mux, "/noom/", contents(browser.FS))
	if bundled, err := bundle.Of(together{page}, pageModule); err == nil {
		maps.Copy(own, bundled)
	} // else a browser gets its modules one by one, and says what is wrong with them
	serveFiles(mux, "/", own)
	webSocket := ws.Handler(h, &options)
	mux.Handle("/ws", webSocket)
	mux.Handle("/http", noomhttp.Handler(h, &noomhttp.AcceptOptions{AcceptOptions: options})) // where /ws does not get through
	mux.Handle("/rooms", h.RoomsHandler())
	return secure(ws.OnlyHosts(withoutPath(webSocket, mux), options.Hosts...))
}

// withoutPath also serves the hub to members whose URL has no path: pages are not asked for by WebSocket, and take
// nothing that is posted, as the goodbye of a page is.
func withoutPath(hub, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && (r.Method == http.MethodPost || entrance.HeaderListHas(r.Header, "Upgrade", "websocket")) {
			hub.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// ownHosts are the names that a server which listens on addr has, as far as it knows them: this
// machine's, and those that its certificate is for, if it has one.
func ownHosts(addr string, leaf *x509.Certificate) []string {
	hosts := []string{"localhost", ws.OwnAddress}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name, name+".local") // as the network around it knows it
	}
	if name, _, err := net.SplitHostPort(addr); err == nil && name != "" {
		hosts = append(hosts, name)
	}
	if leaf != nil {
		hosts = append(hosts, ws.CertificateHosts(leaf)...)
	}
	return hosts
}

// hostList reads the list that -hosts gives.
func hostList(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	hosts := strings.Split(list, ",")
	for _, host := range hosts {
		if host == "" || strings.ContainsAny(host, " \t/") {
			return nil, fmt.Errorf("-hosts %s: %q is not a host; want names as they stand in URLs, such as call.example.com or call.example.com:8443", list, host)
		}
	}
	return hosts, nil
}

// originPatterns reads the list that -origins gives.
func originPatterns(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	patterns := strings.Split(list, ",")
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" || strings.ContainsAny(pattern, " \t") {
			return nil, fmt.Errorf("-origins %s: %q is neither a host nor a pattern of one", list, pattern)
		}
	}
	return patterns, nil
}

// contentTypes are those that not every system knows by the ends of names.
var contentTypes = map[string]string{
	".html":        "text/html; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".map":         "application/json",
	".webmanifest": "application/manifest+json",
}

// pageModule is the module that a page begins with.
const pageModule = "page.js"

// together is a page with noom.js where the page imports it from.
type together struct{ page fs.FS }

// Open implements [fs.FS].
func (t together) Open(name string) (fs.File, error) {
	if inner, is := strings.CutPrefix(name, "noom/"); is {
		return browser.FS.Open(inner)
	}
	return t.page.Open(name)
}

// contents reads the files at the top.
func contents(files fs.FS) map[string][]byte {
	names, err := fs.Glob(files, "*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	all := make(map[string][]byte, len(names))
	for _, name := range names {
		if content, err := fs.ReadFile(files, name); err == nil { // else it is a folder
			all[name] = content
		}
	}
	return all
}

// serveFiles gives every file an address of its own below prefix.
// There are no others: no listings, nothing found by walking.
func serveFiles(mux *http.ServeMux, prefix string, files map[string][]byte) {
	for name, content := range files {
		address := prefix + name
		if name == "index.html" {
			address = prefix + "{$}"
		}
		hash := sha256.Sum256(content)
		tag := `"` + base64.RawURLEncoding.EncodeToString(hash[:12]) + `"`
		caching := "no-cache" // asks whether it is still the same
		if strings.HasPrefix(name, bundle.Chunk) {
			caching = "max-age=31536000, immutable"
		}
		mux.HandleFunc("GET "+address, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", caching)
			w.Header().Set("ETag", tag)
			if contentType := contentTypes[path.Ext(name)]; contentType != "" {
				w.Header().Set("Content-Type", contentType)
			}
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
		})
	}
}

// The page loads nothing from elsewhere and runs nothing inline; connect-src
// 'self' covers the WebSocket and the requests of its own origin.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; media-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// selfTestPolicy lets the self-test hold a page of its own in a frame, which it ends.
var selfTestPolicy = strings.Replace(contentSecurityPolicy, "frame-ancestors 'none'", "frame-src 'self'; frame-ancestors 'self'", 1)

// secure sets the headers that keep a page to itself.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		policy := contentSecurityPolicy
		if r.URL.Query().Has("selftest") {
			policy = selfTestPolicy
		}
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin") // with none at all a beacon would have no Origin
		header.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self)")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
