package main

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"noom/browser"
	"noom/signal/hub"
	"noom/transport/ws"
)

//go:embed page
var page embed.FS

// handler serves the page at /, noom.js under /noom/, the hub at /ws and the
// list of open rooms at /rooms. Pages of these origins may use the hub too, as
// ws.AcceptOptions has it.
func handler(h *hub.Hub, origins ...string) http.Handler {
	mux := http.NewServeMux()
	serveFiles(mux, "/", page, "page")
	serveFiles(mux, "/noom/", browser.FS, ".")
	mux.Handle("/ws", ws.Handler(h, &ws.AcceptOptions{OriginPatterns: origins}))
	mux.Handle("/rooms", h.RoomsHandler())
	return secure(mux)
}

// originPatterns reads the list that -origins gives.
func originPatterns(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	patterns := strings.Split(list, ",")
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" || strings.ContainsAny(pattern, " \t") {
			return nil, fmt.Errorf("-origins %s: %q is no host or pattern of one", list, pattern)
		}
	}
	return patterns, nil
}

// serveFiles gives every file in dir an address of its own below prefix.
// There are no others: no listings, nothing found by walking.
func serveFiles(mux *http.ServeMux, prefix string, files fs.FS, dir string) {
	names, err := fs.Glob(files, path.Join(dir, "*"))
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		address := prefix + path.Base(name)
		if strings.HasSuffix(address, "/index.html") {
			address = prefix + "{$}"
		}
		mux.HandleFunc("GET "+address, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			if strings.HasSuffix(name, ".js") {
				w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			}
			if path.Base(name) == "index.html" {
				serveIndex(w, files, name)
				return
			}
			http.ServeFileFS(w, r, files, name)
		})
	}
}

// serveIndex does what http.ServeFileFS will not do for an index.html: serve
// it without redirecting to its folder.
func serveIndex(w http.ResponseWriter, files fs.FS, name string) {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err) // it is embedded
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(content) // a page that went away
}

// The page loads nothing from elsewhere and runs nothing inline; connect-src
// 'self' covers the WebSocket of its own origin.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// secure sets the headers that keep a page to itself.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentSecurityPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self)")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
