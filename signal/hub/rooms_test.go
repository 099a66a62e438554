package hub_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
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
