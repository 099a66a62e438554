package auto_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/internal/webtest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/auto"
	noomhttp "noom/transport/http"
	"noom/transport/transporttest"
	"noom/transport/ws"
)

// mount mounts a hub as it is usual.
func mount(h ws.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ws", ws.Handler(h, nil))
	mux.Handle("/http", noomhttp.Handler(h, nil))
	return mux
}

// Each is dialled where there is only that one, because a slow machine may make a connection of
// either kind, of which the suite's hub would hand out the one that is given up.
func TestTransport(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(ws.Server) http.Handler{
		"/ws":   func(h ws.Server) http.Handler { return ws.Handler(h, nil) },
		"/http": func(h ws.Server) http.Handler { return noomhttp.Handler(h, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := transporttest.NewAccepted()
			mux := http.NewServeMux()
			mux.Handle(name, handler(hub))
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			d := &auto.Dialer{URL: server.URL + "/ws"}
			transporttest.Run(t, func(t *testing.T) transporttest.Pair {
				t.Helper()
				return hub.Pair(t, d)
			})
		})
	}
}

// A road is a network in memory with a proxy on it, between rooms and a hub.
type road struct {
	way        atomic.Pointer[webtest.Way]
	webSockets atomic.Int32 // requests for one that came to the proxy
	underWay   atomic.Int32 // such that have not ended
	near       *webtest.Network
	hub        *hub.Hub
}

func newRoad(t *testing.T, way webtest.Way) *road {
	t.Helper()
	r := &road{near: webtest.NewNetwork(), hub: hub.New(nil)}
	r.way.Store(&way)
	far := webtest.NewNetwork()
	far.Serve(t, ws.HTTPServer(mount(r.hub), nil))
	proxy := webtest.Proxy("http://hub", far.Client(t), func() webtest.Way { return *r.way.Load() })
	r.near.Serve(t, &http.Server{ReadHeaderTimeout: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/ws" {
			r.webSockets.Add(1)
			r.underWay.Add(1)
			defer r.underWay.Add(-1)
		}
		proxy.ServeHTTP(w, q)
	})})
	return r
}

func (r *road) dialer(t *testing.T) *auto.Dialer {
	t.Helper()
	return &auto.Dialer{URL: "ws://hub/ws", HTTPClient: r.near.Client(t)}
}

// A watched dialer counts its dials.
type watched struct {
	signal.Dialer

	dials atomic.Int32
}

func (w *watched) Dial(ctx context.Context) (signal.Signaler, error) {
	w.dials.Add(1)
	return w.Dialer.Dial(ctx)
}

// join joins a room, in which nobody else is, and returns how long that took.
func join(t *testing.T, d signal.Dialer, name string) (noom.Room, time.Duration) {
	t.Helper()
	began := time.Now()
	room, err := noom.Join(t.Context(), d, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return room, time.Since(began)
}

// A join takes two round trips, one of them TCP's, because it goes with the request for a WebSocket; three if that is not
// wanted.
func TestJoinInRequest(t *testing.T) {
	const oneWay = 50 * time.Millisecond
	for inFrame, trips := range map[bool]time.Duration{false: 2, true: 3} {
		synctest.Test(t, func(t *testing.T) {
			h, network := hub.New(nil), webtest.NewNetwork()
			network.Serve(t, ws.HTTPServer(mount(h), nil))
			d := &auto.Dialer{URL: "ws://hub/ws", HTTPClient: network.Far(t, oneWay)}
			began := time.Now()
			room, err := noom.Join(t.Context(), d, "데모", &noom.Config{JoinInFrame: inFrame})
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != trips*2*oneWay {
				t.Errorf("joined after %v, want %d round trips", took, trips)
			}
			if err := room.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Where requests for a WebSocket are swallowed, a room is joined within 3 s, and the next at once; when
// WebSocket works again it is used again.
func TestSwallowedWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t, webtest.Way{Swallow: true})
		d := &watched{Dialer: r.dialer(t)}
		room, took := join(t, d, "데모")
		if took > 3*time.Second {
			t.Errorf("joined after %v", took)
		}
		defer func() { _ = room.Leave(t.Context()) }()
		if err := room.Chat(t.Context(), "안녕"); err != nil {
			t.Error(err)
		}
		before := r.webSockets.Load()
		other, took := join(t, d, "elsewhere")
		if took > 100*time.Millisecond || r.webSockets.Load() != before {
			t.Errorf("the next joined after %v, with %d requests for a WebSocket", took, r.webSockets.Load()-before)
		}
		_ = other.Leave(t.Context())

		time.Sleep(5 * time.Minute) // it is tried again, in vain
		if n := r.webSockets.Load() - before; n < 1 || n > 5 || d.dials.Load() != 2 {
			t.Errorf("tried again %d times, with %d dials", n, d.dials.Load())
		}
		r.way.Store(&webtest.Way{})
		follow(t, room, 20*time.Minute, func(e noom.Event) bool { _, is := e.(noom.SignalingRestored); return is })
		if err := room.Chat(t.Context(), "다시"); err != nil {
			t.Error(err)
		}
		if members := r.hub.Members("데모"); len(members) != 1 {
			t.Errorf("members: %+v", members)
		}
		dials := d.dials.Load()
		time.Sleep(10 * time.Minute)
		if d.dials.Load() != dials {
			t.Errorf("%d further dials, where WebSocket works", d.dials.Load()-dials)
		}
	})
}

// follow waits for an event.
func follow(t *testing.T, room noom.Room, most time.Duration, is func(noom.Event) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	for e := range room.Events(ctx) {
		if is(e) {
			return
		}
	}
	t.Fatal("that event never came")
}

// Several rooms try WebSocket again together, no less often than one, and a room that is left tries no more.
func TestTrialsOfSeveralRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t, webtest.Way{Swallow: true})
		d := r.dialer(t)
		var rooms []noom.Room
		for i := range 5 {
			room, _ := join(t, d, fmt.Sprint("데모 ", i))
			rooms = append(rooms, room)
		}
		time.Sleep(10 * time.Minute) // there are trials after one minute, two more, and four more
		if n := r.webSockets.Load() - 1; n != 3*5 {
			t.Errorf("%d trials by 5 rooms", n)
		}
		r.way.Store(&webtest.Way{})
		for _, room := range rooms[1:] {
			follow(t, room, 6*time.Minute, func(e noom.Event) bool { _, is := e.(noom.SignalingRestored); return is })
		}
		for _, room := range rooms {
			_ = room.Leave(t.Context())
		}
	})
}

// A connection that is closed ends its trial of WebSocket, which says nothing then.
func TestCloseDuringTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t, webtest.Way{Swallow: true})
		d := r.dialer(t)
		link, err := d.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for r.webSockets.Load() == 1 {
			time.Sleep(time.Second)
		}
		if since := time.Since(began); since > 2*time.Minute {
			t.Errorf("a trial after %v", since)
		}
		link.(signal.Aborter).Abort()
		r.way.Store(&webtest.Way{})
		synctest.Wait()
		if n := r.underWay.Load(); n != 0 {
			t.Errorf("%d trials go on", n)
		}
		began = time.Now()
		again, err := d.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := r.webSockets.Load(); n != 3 || time.Since(began) > time.Second {
			t.Errorf("%d WebSockets, and the next connection after %v", n, time.Since(began))
		}
		_ = again.Close() // never fails
	})
}

// Where upgrades are removed the answer comes at once, and so does HTTP.
func TestRemovedUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t, webtest.Way{NoUpgrade: true, HoldBack: true})
		room, took := join(t, r.dialer(t), "데모")
		if took > 2*time.Second { // of which one is for the stream that is held back
			t.Errorf("joined after %v", took)
		}
		if err := room.Leave(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A WebSocket that is cut twice within a minute is not used for a while.
func TestWebSocketThatIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t, webtest.Way{})
		room, _ := join(t, r.dialer(t), "데모")
		defer func() { _ = room.Leave(t.Context()) }()
		for range 2 {
			time.Sleep(30 * time.Second)
			r.near.Cut()
			follow(t, room, time.Minute, func(e noom.Event) bool { _, is := e.(noom.SignalingRestored); return is })
		}
		if n := r.webSockets.Load(); n != 2 {
			t.Errorf("%d WebSockets", n)
		}
		r.near.Cut() // which an HTTP connection does not notice
		if err := room.Chat(t.Context(), "안녕"); err != nil {
			t.Error(err)
		}
		time.Sleep(50 * time.Second)
		if n := r.webSockets.Load(); n != 2 {
			t.Errorf("%d WebSockets within a minute", n)
		}
		time.Sleep(20 * time.Second)
		if n := r.webSockets.Load(); n < 4 { // the trial, and the connection
			t.Errorf("%d WebSockets after that", n)
		}
	})
}

// A mute server takes connections and says nothing.
type mute struct{}

func (mute) Serve(ctx context.Context, s signal.Signaler) error {
	for {
		if _, err := s.Receive(ctx); err != nil {
			return err
		}
	}
}

// Where a WebSocket opens and then carries nothing the first join fails, and HTTP is next, for all rooms.
func TestWebSocketThatCarriesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := webtest.NewNetwork()
		mux := http.NewServeMux()
		mux.Handle("/ws", ws.Handler(mute{}, nil))
		mux.Handle("/http", noomhttp.Handler(hub.New(nil), nil))
		network.Serve(t, ws.HTTPServer(mux, nil))
		d := &auto.Dialer{URL: "ws://hub/ws", HTTPClient: network.Client(t)}
		var joins sync.WaitGroup
		for range 3 {
			joins.Go(func() {
				if room, err := noom.Join(t.Context(), d, "데모", nil); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("joined %v: %v", room, err)
				}
			})
		}
		joins.Wait()
		room, took := join(t, d, "데모")
		defer func() { _ = room.Leave(t.Context()) }()
		if took > 100*time.Millisecond {
			t.Errorf("joined after %v", took)
		}
		time.Sleep(50 * time.Second) // a trial comes a minute after the failure
		if err := room.Chat(t.Context(), "안녕"); err != nil {
			t.Error(err)
		}
	})
}

// If nothing works the error says both, and nothing is learnt.
func TestNothingWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		broken := true
		network := webtest.NewNetwork()
		h := mount(hub.New(nil))
		network.Serve(t, &http.Server{ReadHeaderTimeout: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				http.Error(w, "closed on Sundays", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})})
		d := &auto.Dialer{URL: "ws://hub/ws", HTTPClient: network.Client(t)}
		_, err := d.Dial(t.Context())
		if !errors.Is(err, ws.ErrNotHub) || strings.Count(err.Error(), "closed on Sundays") != 2 || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "auto: ws: dial ") {
			t.Error(err)
		}
		mu.Lock()
		broken = false
		mu.Unlock()
		began := time.Now()
		link, err := d.Dial(t.Context())
		if err != nil || time.Since(began) > time.Second {
			t.Fatal(err)
		}
		if signal.Endpoint(link) != "hub" {
			t.Errorf("endpoint %q", signal.Endpoint(link))
		}
		_ = link.Close() // never fails
	})
}

func TestBadURL(t *testing.T) {
	for _, url := range []string{"", "ftp://x/", "ws://exa mple/", "ws:///ws"} {
		if _, err := (&auto.Dialer{URL: url}).Dial(t.Context()); err == nil {
			t.Errorf("%q can be dialled", url)
		}
	}
}
