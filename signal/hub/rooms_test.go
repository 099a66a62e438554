package hub_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

func TestRoomsHandler(t *testing.T) {
	h := hub.New(nil)
	server := httptest.NewServer(h.RoomsHandler())
	t.Cleanup(server.Close)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() }) // was read to its end
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	events := bufio.NewScanner(response.Body)
	expect := func(want string) {
		t.Helper()
		for _, line := range []string{want, ""} {
			if !events.Scan() || events.Text() != line {
				t.Fatalf("line %q (%v), want %q", events.Text(), events.Err(), line)
			}
		}
	}
	expect(`data: []`)
	m := join(t, mem.Dialer(h), "데모", "a")
	expect(`data: [{"name":"데모","members":1}]`)
	m.send(signal.Message{Type: signal.TypeBye})
	expect(`data: []`)
	if err := h.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if events.Scan() {
		t.Errorf("after the shutdown: %q", events.Text())
	}

	refused := httptest.NewRecorder()
	h.RoomsHandler().ServeHTTP(refused, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/rooms", nil))
	if refused.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", refused.Code)
	}
}

// While nothing changes a comment keeps the stream alive.
func TestRoomsHandlerWhenQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 31*time.Second)
		defer cancel()
		w := httptest.NewRecorder()
		hub.New(nil).RoomsHandler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/rooms", nil))
		if got := strings.Count(w.Body.String(), ": still here\n\n"); got != 2 {
			t.Errorf("%d comments in 31 s: %q", got, w.Body)
		}
	})
}

// There is an end to how many watch, and a place is free again when one goes.
func TestRoomsHandlerWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := hub.New(&hub.Config{MaxMembers: 2}).RoomsHandler()
		watch := func(lasts time.Duration) *httptest.ResponseRecorder {
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/rooms", nil))
			return w
		}
		var others sync.WaitGroup
		for range 2 {
			others.Go(func() { watch(time.Minute) })
		}
		synctest.Wait()
		if w := watch(time.Second); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("one too many: status %d, %v", w.Code, w.Header())
		}
		others.Wait()
		if w := watch(time.Second); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "data: []") {
			t.Errorf("after the others have gone: status %d, %q", w.Code, w.Body)
		}
	})
}
