package http

import "net/http"

// Kept is how many sessions a handler has, and how many bytes it holds for them.
func Kept(h http.Handler) (sessions int, held int64) {
	t := h.(*handler).table
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sessions), t.held.Load()
}
