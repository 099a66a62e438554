package http_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/webtest"
	"noom/signal"
	noomhttp "noom/transport/http"
	"noom/transport/transporttest"
	"noom/transport/ws"
)

// This file is what takes long: it happens in virtual time, over a network in memory.

// A world is a member and a hub with a network between them.
type world struct {
	transporttest.Pair

	server  *webtest.Network // the hub's
	handler http.Handler
	asked   *atomic.Int32 // requests for frames
}

// connect connects a member with a hub whose server is as ws.HTTPServer makes it. between, if not
// nil, is a proxy on the way.
func connect(t *testing.T, between func() webtest.Way) world {
	t.Helper()
	hub := transporttest.NewAccepted()
	w := newWorld(hub)
	w.server.Serve(t, ws.HTTPServer(w.counting(), nil))
	near := w.server
	if between != nil {
		near = webtest.NewNetwork()
		near.Serve(t, &http.Server{Handler: webtest.Proxy("http://hub", w.server.Client(t), between), ReadHeaderTimeout: time.Hour})
	}
	w.Pair = hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: near.Client(t)})
	return w
}

func newWorld(hub *transporttest.Accepted) world {
	return world{server: webtest.NewNetwork(), handler: noomhttp.Handler(hub, nil), asked: new(atomic.Int32)}
}

// counting is the handler, and counts the requests for frames.
func (w world) counting() http.Handler {
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.asked.Add(1)
		}
		w.handler.ServeHTTP(to, r)
	})
}

// close closes both ends, and fails if anything is kept after that.
func (w world) close(t *testing.T) {
	t.Helper()
	var both sync.WaitGroup
	both.Go(func() { _ = w.Client.Close() }) // neither fails
	both.Go(func() { _ = w.Server.Close() })
	both.Wait()
	time.Sleep(10 * time.Second) // in which the hub's end lingers
	if sessions, held := noomhttp.Kept(w.handler); sessions != 0 || held != 0 {
		t.Errorf("%d sessions and %d bytes are kept", sessions, held)
	}
}

func numbered(n int, body int) signal.Message {
	m := signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(n), Text: "안녕 👋🏽"}
	m.Text += strings.Repeat("x", min(body, 4000))
	return m
}

// exchange sends numbered frames both ways, one after each pause, and fails if one is lost, repeated
// or out of order.
func (w world) exchange(t *testing.T, frames int, pause func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var all sync.WaitGroup
	for way, ends := range map[string][2]signal.Signaler{"up": {w.Client, w.Server}, "down": {w.Server, w.Client}} {
		all.Go(func() {
			for n := range frames {
				if err := ends[0].Send(ctx, numbered(n, n%4000)); err != nil {
					t.Errorf("%s: send %d: %v", way, n, err)
					cancel()
					return
				}
				time.Sleep(pause())
			}
		})
		all.Go(func() {
			for n := range frames {
				m, err := ends[1].Receive(ctx)
				if err != nil || m.ID != fmt.Sprint(n) {
					t.Errorf("%s: received %q, %v, want %d", way, m.ID, err, n)
					cancel()
					return
				}
			}
		})
	}
	all.Wait()
}

// A server's limits for requests are not limits for a member: it may be silent for long.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, nil)
		defer w.close(t)
		w.silence(t)
	})
}

// A client's limit for requests bounds the dial alone.
func TestSilenceWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := transporttest.NewAccepted()
		w := newWorld(hub)
		w.server.Serve(t, ws.HTTPServer(w.counting(), nil))
		client := w.server.Client(t)
		client.Timeout = 5 * time.Second
		w.Pair = hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: client})
		defer w.close(t)
		w.silence(t)
		if client.Timeout == 0 {
			t.Error("the caller's client is changed")
		}
	})
}

// Over HTTP/2, where they are timers that reset a response, they are none either.
func TestSilenceHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := transporttest.NewAccepted()
		w := newWorld(hub)
		client := w.serveHTTP2(t, w.counting())
		w.Pair = hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: client})
		defer w.close(t)
		w.silence(t)
	})
}

// serveHTTP2 serves with HTTP/2 alone, and returns a client of it.
func (w world) serveHTTP2(t *testing.T, handler http.Handler) *http.Client {
	t.Helper()
	server, client := ws.HTTPServer(handler, nil), w.server.Client(t)
	server.Protocols = new(http.Protocols)
	server.Protocols.SetUnencryptedHTTP2(true)
	client.Transport.(*http.Transport).Protocols = server.Protocols
	w.server.Serve(t, server)
	return client
}

// silence exchanges a few frames in an hour, over one response.
func (w world) silence(t *testing.T) {
	t.Helper()
	for n := range 5 {
		time.Sleep(10 * time.Minute)
		if err := w.Server.Send(t.Context(), numbered(n, 0)); err != nil {
			t.Fatal(err)
		}
		if m, err := w.Client.Receive(t.Context()); err != nil || m.ID != fmt.Sprint(n) {
			t.Fatal(m.ID, err)
		}
		if err := w.Client.Send(t.Context(), numbered(n, 0)); err != nil {
			t.Fatal(err)
		}
		if m, err := w.Server.Receive(t.Context()); err != nil || m.ID != fmt.Sprint(n) {
			t.Fatal(m.ID, err)
		}
	}
	if n := w.asked.Load(); n != 1 {
		t.Errorf("%d requests for frames in an hour of silence", n)
	}
}

// A poll waits longer than a server's limit for answers, over HTTP/2, too.
func TestSilentPoll(t *testing.T) {
	for name, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				accepted := transporttest.NewAccepted()
				w := newWorld(accepted)
				client := w.server.Client(t)
				if two {
					client = w.serveHTTP2(t, w.handler)
				} else {
					w.server.Serve(t, ws.HTTPServer(w.handler, nil))
				}
				a := asker{T: t, client: client, wait: time.Minute}
				id, s := a.accept(accepted)
				if _, text := a.ask(http.MethodGet, "", "Noom-Session", id); text != "" {
					t.Errorf("a poll without events: %q", text)
				}
				time.AfterFunc(15*time.Second, func() { _ = s.Send(t.Context(), numbered(0, 0)) }) // never fails
				if _, text := a.ask(http.MethodGet, "", "Noom-Session", id); !strings.HasPrefix(text, "id: 1\n") {
					t.Errorf("a poll: %q", text)
				}
				_ = s.Close() // never fails
				time.Sleep(10 * time.Second)
			})
		})
	}
}

// A member says that small frames have come before the hub has no room for another.
func TestManySmallFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, nil)
		defer w.close(t)
		var sending sync.WaitGroup
		sending.Go(func() {
			for n := range 5000 {
				if err := w.Server.Send(t.Context(), signal.Message{Type: signal.TypePing}); err != nil {
					t.Errorf("send %d: %v", n, err)
					return
				}
			}
		})
		for n := range 5000 {
			if _, err := w.Client.Receive(t.Context()); err != nil {
				t.Errorf("receive %d: %v", n, err)
				break
			}
		}
		sending.Wait()
	})
}

// What a proxy holds back comes in one response after the other, and the first within 2 s.
func TestBufferingProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, func() webtest.Way { return webtest.Way{HoldBack: true} })
		defer w.close(t)
		began := time.Now()
		if err := w.Server.Send(t.Context(), numbered(0, 0)); err != nil {
			t.Fatal(err)
		}
		if m, err := w.Client.Receive(t.Context()); err != nil || m.ID != "0" {
			t.Fatal(m.ID, err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the first frame took %v", took)
		}
		began = time.Now()
		w.exchange(t, 500, func() time.Duration { return 10 * time.Millisecond })
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("500 frames took %v", took)
		}
		time.Sleep(10 * time.Minute) // streams are tried again and again
		w.exchange(t, 50, func() time.Duration { return time.Second })
	})
}

// A handler around the hub's may hold back as a proxy does, and pass on neither Flush nor anything else
// that the server's ResponseWriter can.
func TestResponseWriterWithoutFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := transporttest.NewAccepted()
		w := newWorld(hub)
		handler := w.counting()
		w.server.Serve(t, ws.HTTPServer(http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
			handler.ServeHTTP(struct{ http.ResponseWriter }{to}, r)
		}), nil))
		w.Pair = hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: w.server.Client(t)})
		defer w.close(t)
		w.exchange(t, 100, func() time.Duration { return 100 * time.Millisecond })
		before := w.asked.Load()
		time.Sleep(time.Minute)
		if n := w.asked.Load() - before; n > 20 {
			t.Errorf("%d requests for frames in a minute of silence", n)
		}
	})
}

// A proxy that stops to hold back is noticed: frames are streamed again.
func TestProxyThatStopsBuffering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		way := webtest.Way{HoldBack: true}
		w := connect(t, func() webtest.Way {
			mu.Lock()
			defer mu.Unlock()
			return way
		})
		defer w.close(t)
		w.exchange(t, 20, func() time.Duration { return time.Second })
		mu.Lock()
		way.HoldBack = false
		mu.Unlock()
		w.exchange(t, 120, func() time.Duration { return time.Second })
		before := w.asked.Load()
		w.exchange(t, 50, func() time.Duration { return time.Second })
		if after := w.asked.Load(); after > before {
			t.Errorf("%d further requests for frames, where there is a stream", after-before)
		}
	})
}

// A proxy that cuts every connection after 30 s, whatever flows: no frame is lost or repeated.
func TestCutEvery30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := transporttest.NewAccepted()
		network := webtest.NewNetwork()
		handler := noomhttp.Handler(hub, nil)
		server := ws.HTTPServer(handler, nil)
		go func() { _ = server.Serve(webtest.CutAfter(network, func() time.Duration { return 30 * time.Second })) }() // until Close
		defer func() { _ = server.Close() }()
		w := world{hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: network.Client(t)}), network, handler, nil}
		defer w.close(t)
		w.exchange(t, 1000, func() time.Duration { return 700 * time.Millisecond })
		if network.Dials() < 20 {
			t.Errorf("%d connections in 700 s", network.Dials())
		}
	})
}

// Of the batches of a session only the newest waits for the hub to take frames.
func TestNewerBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted := transporttest.NewAccepted()
		w := newWorld(accepted)
		w.server.Serve(t, ws.HTTPServer(w.handler, nil))
		a := asker{T: t, client: w.server.Client(t)}
		id, s := a.accept(accepted)
		const frames = 600 // more than are held
		text := "0 1\n" + strings.Repeat(fmt.Sprintf("%d\n%s", len(ping), ping), frames)
		began := time.Now()
		var older sync.WaitGroup
		for range 3 {
			older.Go(func() {
				if _, answer := a.ask(http.MethodPost, text, "Noom-Session", id); !strings.HasPrefix(answer, `{"taken":512,`) || time.Since(began) > time.Second {
					t.Errorf("after %v: %s", time.Since(began), answer)
				}
			})
			synctest.Wait() // it waits for room
		}
		newest := make(chan string)
		go func() {
			_, answer := a.ask(http.MethodPost, text, "Noom-Session", id)
			newest <- answer
		}()
		older.Wait()
		for range frames {
			if _, err := s.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if answer := <-newest; !strings.HasPrefix(answer, fmt.Sprintf(`{"taken":%d,`, frames)) {
			t.Errorf("the newest: %s", answer)
		}
		s.(signal.Aborter).Abort()
	})
}

// Connections that are cut at any moment, in the middle of whatever they carry.
func TestCutAtAnyMoment(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			var mu sync.Mutex
			until := func(most time.Duration) time.Duration {
				mu.Lock()
				defer mu.Unlock()
				return time.Duration(random.Int64N(int64(most)))
			}
			w := connect(t, nil)
			defer w.close(t)
			done := make(chan struct{})
			var cutting sync.WaitGroup
			cutting.Go(func() {
				for {
					select {
					case <-time.After(until(300 * time.Millisecond)):
						w.server.Cut()
					case <-done:
						return
					}
				}
			})
			w.exchange(t, 1000, func() time.Duration { return until(20 * time.Millisecond) })
			close(done)
			cutting.Wait()
		})
	}
}

// A member that asks for nothing any longer is gone after a while.
func TestGoneMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, nil)
		defer w.close(t)
		began := time.Now()
		w.Client.(signal.Aborter).Abort() // without a goodbye
		if _, err := w.Server.Receive(t.Context()); err == nil {
			t.Error("received something")
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("noticed after %v", took)
		}
		if err := w.Server.Send(t.Context(), numbered(0, 0)); err == nil {
			t.Error("sent to a member that is gone")
		}
	})
}

// A hub that is reached no longer is given up by a member after a while, with frames or without.
func TestGoneHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := transporttest.NewAccepted()
		network := webtest.NewNetwork()
		handler := noomhttp.Handler(hub, nil)
		server := ws.HTTPServer(handler, nil)
		go func() { _ = server.Serve(network) }() // until Close
		w := world{hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: network.Client(t)}), network, handler, nil}
		defer w.close(t)
		began := time.Now()
		_ = server.Close() // with its connections
		if _, err := w.Client.Receive(t.Context()); err == nil {
			t.Error("received something")
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("noticed after %v", took)
		}
	})
}

// A hub that cannot be reached for less than 10 s is reached again, however quiet it was before.
func TestShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := transporttest.NewAccepted()
		w := newWorld(hub)
		down := new(atomic.Bool)
		w.server.Serve(t, ws.HTTPServer(http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
			if down.Load() {
				http.Error(to, "it starts", http.StatusServiceUnavailable)
				return
			}
			w.handler.ServeHTTP(to, r)
		}), nil))
		w.Pair = hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: w.server.Client(t)})
		defer w.close(t)
		for range 3 {
			time.Sleep(14 * time.Second) // no comment has come since
			down.Store(true)
			w.server.Cut()
			time.Sleep(9 * time.Second)
			down.Store(false)
			w.exchange(t, 3, func() time.Duration { return 0 })
		}
	})
}

// A session that is not known any longer, because the hub is another one, ends the connection at once.
func TestAnotherHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := transporttest.NewAccepted()
		network := webtest.NewNetwork()
		var mu sync.Mutex
		handler := noomhttp.Handler(hub, nil)
		network.Serve(t, ws.HTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			h := handler
			mu.Unlock()
			h.ServeHTTP(w, r)
		}), nil))
		w := world{hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: network.Client(t)}), network, handler, nil}
		defer w.close(t)
		mu.Lock()
		handler = noomhttp.Handler(hub, nil)
		mu.Unlock()
		began := time.Now()
		network.Cut()
		if _, err := w.Client.Receive(t.Context()); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("received %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("noticed after %v", took)
		}
	})
}

// What was sent before Close arrives, though the response with it is cut.
func TestCloseOverCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			w := connect(t, nil)
			for n := range 50 {
				if err := w.Server.Send(t.Context(), numbered(n, 3000)); err != nil {
					t.Fatal(err)
				}
			}
			go w.server.Cut()
			go func() { _ = signal.CloseWith(w.Server, &signal.Error{Code: signal.CodeTooSlow}) }() // never fails
			for n := range 50 {
				if m, err := w.Client.Receive(t.Context()); err != nil || m.ID != fmt.Sprint(n) {
					t.Fatalf("received %q, %v, want %d", m.ID, err, n)
				}
			}
			if _, err := w.Client.Receive(t.Context()); !errors.Is(err, &signal.Error{Code: signal.CodeTooSlow}) {
				t.Fatal(err)
			}
			w.close(t)
		}
	})
}

// What is held for members who take nothing is bounded, by address and in all; others have their place
// even so, and what was held is given back.
func TestHeldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("X-Real-Ip")) }
		hub := transporttest.NewAccepted()
		network := webtest.NewNetwork()
		handler := noomhttp.Handler(hub, &noomhttp.AcceptOptions{AcceptOptions: ws.AcceptOptions{ClientAddress: from}, MaxHeld: 1 << 20})
		network.Serve(t, ws.HTTPServer(handler, nil))
		client := network.Client(t)
		big := numbered(0, 4000)
		var worlds []world
		for i := range 40 {
			header := http.Header{"X-Real-Ip": {fmt.Sprintf("192.0.2.%d", i/4)}}
			w := world{hub.Pair(t, noomhttp.Dialer{URL: "http://hub/http", HTTPClient: client, Header: header}), network, handler, nil}
			worlds = append(worlds, w)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			sent := 0
			for w.Server.Send(ctx, big) == nil {
				sent++
			}
			cancel()
			if sent == 0 {
				t.Errorf("session %d: no place for a single frame", i)
			}
		}
		if _, held := noomhttp.Kept(handler); held > 1<<20+40*4100 {
			t.Errorf("%d bytes are held", held)
		}
		var all sync.WaitGroup
		for _, w := range worlds {
			all.Go(func() { _ = w.Client.Close() }) // neither fails
			all.Go(func() { _ = w.Server.Close() })
		}
		all.Wait()
		worlds[0].close(t)
	})
}
