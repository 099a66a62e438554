package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/webtest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
	"noom/transport/ws"
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

// A server's limit for answers, which over HTTP/2 is a timer that resets a response, ends no stream.
func TestRoomsHandlerOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		network := webtest.NewNetwork()
		server, client := ws.HTTPServer(h.RoomsHandler(), nil), network.Client(t)
		server.Protocols = new(http.Protocols)
		server.Protocols.SetUnencryptedHTTP2(true)
		client.Transport.(*http.Transport).Protocols = server.Protocols
		network.Serve(t, server)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://hub/rooms", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }() // it is read
		time.AfterFunc(40*time.Second, func() { _ = h.Shutdown(ctx) })
		if text, err := io.ReadAll(response.Body); err != nil || strings.Count(string(text), ": still here\n") != 2 {
			t.Errorf("%q, %v", text, err)
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

// As many watch from one address as may connect from it; others have places left.
func TestWatchersPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{MaxPerAddress: 2, ClientAddress: func(r *http.Request) netip.Addr {
			a, _ := netip.ParseAddr(r.Header.Get("From-There")) // else the transport's
			return a
		}})
		direct := hub.New(&hub.Config{MaxPerAddress: 2})
		watch := func(h *hub.Hub, lasts time.Duration, address string) *httptest.ResponseRecorder {
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/rooms", nil)
			r.RemoteAddr = net.JoinHostPort(address, "4711")
			r.Header.Set("From-There", address)
			w := httptest.NewRecorder()
			h.RoomsHandler().ServeHTTP(w, r)
			return w
		}
		for _, h := range []*hub.Hub{h, direct} {
			var others sync.WaitGroup
			for _, address := range []string{"192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "2001:db8::2", "fe80::1%eth0", "fe80::2%eth1"} {
				others.Go(func() { watch(h, time.Minute, address) })
			}
			synctest.Wait()
			for address, want := range map[string]int{
				"192.0.2.7": http.StatusTooManyRequests, "2001:db8::ffff": http.StatusTooManyRequests, "fe80::3": http.StatusTooManyRequests,
				"192.0.2.8": http.StatusOK, "2001:db8:0:1::1": http.StatusOK, "127.0.0.1": http.StatusOK,
			} {
				if w := watch(h, time.Second, address); w.Code != want || want != http.StatusOK && w.Header().Get("Retry-After") == "" {
					t.Errorf("one more from %s: status %d, want %d", address, w.Code, want)
				}
			}
			others.Wait()
			if w := watch(h, time.Second, "192.0.2.7"); w.Code != http.StatusOK {
				t.Errorf("after the others have gone: status %d", w.Code)
			}
		}
	})
}

// A watchedEvent is one write to a watcher.
type watchedEvent struct {
	at   time.Duration
	text []byte
}

// A sink is a ResponseWriter that keeps what it is given, and takes it after a while.
type sink struct {
	began  time.Time
	slow   time.Duration
	events []watchedEvent
	head   http.Header
}

func (s *sink) Header() http.Header { return s.head }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Flush()              {}
func (s *sink) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("data: ")) {
		s.events = append(s.events, watchedEvent{time.Since(s.began), b})
		time.Sleep(s.slow)
	}
	return len(b), nil
}

// Whatever the number of watchers and of changes: the list is encoded once for
// all, its cost per second is bounded, and a slow reader holds up no other.
func TestManyWatchers(t *testing.T) {
	if testing.Short() { // as with -race in the gate, whose detector breaks at so many: a CHECK of its own fails
		t.Skip("a thousand watchers are not for short runs")
	}
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Heartbeat: time.Hour, MaxPerAddress: -1})
		d := mem.Dialer(h)
		ctx, cancel := context.WithCancel(t.Context())
		open := func(i int) { join(t, d, fmt.Sprint(i, strings.Repeat("<", 120)), "a") }
		for i := range 200 {
			open(i)
		}
		var sinks []*sink
		var all sync.WaitGroup
		for i := range 1000 {
			s := &sink{began: time.Now(), head: make(http.Header)}
			if i%20 == 0 {
				s.slow = 7 * time.Second
			}
			sinks = append(sinks, s)
			all.Go(func() {
				h.RoomsHandler().ServeHTTP(s, httptest.NewRequestWithContext(ctx, http.MethodGet, "/rooms", nil))
			})
		}
		for i := range 40 { // ten a second
			open(200 + i)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		cancel()
		all.Wait()
		last := sinks[0].events[len(sinks[0].events)-1]
		if n := len(last.text); n < 240*120 || n > 240*160 {
			t.Errorf("a list of %d bytes; it holds 240 names of 120", n)
		}
		perSecond := make(map[time.Duration]int)
		for i, s := range sinks {
			for j, e := range s.events {
				perSecond[e.at.Truncate(time.Second)] += len(e.text)
				if j > 0 && e.at-s.events[j-1].at < 250*time.Millisecond {
					t.Fatalf("watcher %d: a list at %v and the next at %v", i, s.events[j-1].at, e.at)
				}
			}
			if end := s.events[len(s.events)-1]; &end.text[0] != &last.text[0] {
				t.Fatalf("watcher %d has a copy of its own, or another list", i)
			}
		}
		for second, n := range perSecond {
			if n > 64<<20 { // a list may come at the end of one second and at the beginning of the next
				t.Errorf("%d MiB in second %v", n>>20, second)
			}
		}
		if n, slow := len(sinks[1].events), len(sinks[0].events); n < 4 || n > 10 || slow > 4 {
			t.Errorf("%d lists in 24 s, %d to those who read slowly", n, slow)
		}
	})
}
