package ws_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/transporttest"
	"noom/transport/ws"
)

// hasty starts a server of HTTPServer's kind whose limits are so short that a test
// can wait for them, and returns where it is.
func hasty(t *testing.T, handler http.Handler, config *tls.Config) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l = ws.LimitListener(l, nil)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	server := ws.HTTPServer(handler, nil)
	for _, limit := range []*time.Duration{&server.ReadHeaderTimeout, &server.ReadTimeout, &server.WriteTimeout, &server.IdleTimeout} {
		if *limit <= 0 || *limit > 15*time.Second {
			t.Fatalf("a limit of %v", *limit)
		}
		*limit = 200 * time.Millisecond
	}
	if server.MaxHeaderBytes <= 0 || server.MaxHeaderBytes > 64<<10 {
		t.Fatalf("headers of %d bytes", server.MaxHeaderBytes)
	}
	go func() { _ = server.Serve(l) }() // until Close
	t.Cleanup(func() { _ = server.Close() })
	return at
}

func dialTCP(t *testing.T, at string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the server may have
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// cutOff reads until the other end has gone, however it goes.
func cutOff(t *testing.T, name string, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	if timeout, is := errors.AsType[net.Error](err); is && timeout.Timeout() {
		t.Errorf("%s: it still stands", name)
	}
}

// A client that does not become a member loses its connection in a while, whatever it does with it.
func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	h := hub.New(nil)
	mux := http.NewServeMux()
	mux.Handle("/ws", ws.Handler(h, nil))
	mux.Handle("/rooms", h.RoomsHandler())
	written := make(chan error, 1)
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 64<<20))
		written <- err
	})
	plain := hasty(t, mux, nil)
	secure := hasty(t, mux, testTLS(t))
	const host = " HTTP/1.1\r\nHost: h\r\n"
	for name, request := range map[string]string{
		"nothing":             "",
		"half a request":      "GET /rooms" + host,
		"idle behind one":     "GET /nothing" + host + "\r\n",
		"a body for the list": "POST /rooms" + host + "Content-Length: 200000\r\n\r\nx",
		"a body in chunks":    "POST /rooms" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
		"a body for the hub":  "POST /ws" + host + "Content-Length: 200000\r\n\r\n",
		"a body for nobody":   "POST /nothing" + host + "Content-Length: 200000\r\n\r\n",
	} {
		c := dialTCP(t, plain)
		_, _ = io.WriteString(c, request)
		cutOff(t, name, c)
	}
	cutOff(t, "no TLS handshake", dialTCP(t, secure))

	unread := dialTCP(t, plain)
	_ = unread.(*net.TCPConn).SetReadBuffer(4 << 10)
	_, _ = io.WriteString(unread, "GET /large"+host+"\r\n")
	if err := <-written; err == nil {
		t.Error("an unread answer was written to its end")
	}
}

// A refused request with a body does not wait for it, whatever the server.
func TestRefusedAtOnce(t *testing.T) {
	t.Parallel()
	h := hub.New(nil)
	for _, handler := range []http.Handler{ws.Handler(h, nil), h.RoomsHandler(), ws.OnlyHosts(http.NotFoundHandler(), "call.example")} {
		server := httptest.NewServer(handler) // without limits
		c := dialTCP(t, server.Listener.Addr().String())
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n")
		cutOff(t, fmt.Sprintf("%T", handler), c)
		server.Close()
	}
}

func testTLS(t *testing.T) *tls.Config {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}
}

// Members and streams of the list of rooms stay for as long as they like.
func TestMembersAreNotHurried(t *testing.T) {
	h := hub.New(nil)
	mux := http.NewServeMux()
	mux.Handle("/ws", ws.Handler(h, nil))
	mux.Handle("/rooms", h.RoomsHandler())
	at := hasty(t, mux, nil)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: "ws://" + at + "/ws"}, "오래", nil)
	if err != nil {
		t.Fatal(err)
	}
	watch := dialTCP(t, at)
	_, _ = io.WriteString(watch, "GET /rooms HTTP/1.1\r\nHost: h\r\n\r\n")
	events := bufio.NewScanner(watch)
	expect := func(want string) {
		t.Helper()
		for events.Scan() {
			if strings.HasPrefix(events.Text(), "data: ") {
				if !strings.Contains(events.Text(), want) {
					t.Fatalf("%s, want %s", events.Text(), want)
				}
				return
			}
		}
		t.Fatalf("the stream has ended: %v", events.Err())
	}
	expect("오래")
	for range 3 {
		cutOff(t, "another, meanwhile", dialTCP(t, at)) // longer than any limit
	}
	other, err := noom.Join(t.Context(), ws.Dialer{URL: "ws://" + at + "/ws"}, "새로", nil)
	if err != nil {
		t.Fatal(err)
	}
	expect("새로")
	if members := h.Members("오래"); len(members) != 1 {
		t.Errorf("the member was cut off: %v", members)
	}
	_, _ = room.Leave(t.Context()), other.Leave(t.Context())
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// A knock is a connection from somewhere.
type knock struct {
	net.Conn
	from net.Addr
	shut *int
}

func (k knock) RemoteAddr() net.Addr { return k.from }
func (k knock) Close() error {
	*k.shut++
	return nil
}

// knocks is a listener.
type knocks chan net.Conn

func (k knocks) Accept() (net.Conn, error) {
	c, more := <-k
	if !more {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (k knocks) Close() error { return nil }
func (knocks) Addr() net.Addr { return nil }

func TestLimitListener(t *testing.T) {
	queue := make(knocks, 100)
	shut := 0
	l := ws.LimitListener(queue, &ws.Limits{Total: 6, PerAddress: 2})
	knockFrom := func(addresses ...string) {
		for _, a := range addresses {
			at, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(a, "4711"))
			if err != nil {
				t.Fatal(err)
			}
			queue <- knock{from: at, shut: &shut}
		}
	}
	accept := func() net.Conn {
		t.Helper()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	knockFrom("192.0.2.7", "192.0.2.7", "192.0.2.7", "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.8")
	for range 5 {
		accept()
	}
	if shut != 2 {
		t.Errorf("%d were closed, want the third of each address", shut)
	}
	knockFrom("127.0.0.1")
	accept()
	knockFrom("127.0.0.1", "192.0.2.9") // are too many
	close(queue)
	if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted %v, %v: the total is 6", c, err)
	}

	queue = make(knocks, 100)
	l = ws.LimitListener(queue, &ws.Limits{Total: 1})
	knockFrom("192.0.2.7")
	first := accept()
	for range 2 { // it may be closed twice, and makes room once
		_ = first.Close()
	}
	knockFrom("192.0.2.7", "192.0.2.7")
	accept()
	close(queue)
	if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted %v, %v: one was there", c, err)
	}

	unbounded := make(knocks, 2000)
	queue = unbounded
	l = ws.LimitListener(unbounded, &ws.Limits{PerAddress: -1})
	for range 1500 {
		knockFrom("192.0.2.7")
		accept()
	}
}

// A counted connection waits without a buffer, as an uncounted one does.
func TestWaitThroughTheDoor(t *testing.T) {
	accepted := transporttest.NewAccepted()
	server := httptest.NewUnstartedServer(ws.Handler(accepted, nil))
	server.Listener = ws.LimitListener(server.Listener, nil)
	server.Start()
	t.Cleanup(server.Close)
	pair := accepted.Pair(t, ws.Dialer{URL: server.URL})
	ctx, cancel := context.WithCancel(t.Context())
	if err := pair.Client.Send(ctx, signal.Message{Type: signal.TypePing}); err != nil {
		t.Fatal(err)
	}
	if !pair.Server.(signal.Waiter).Wait(ctx) {
		t.Error("it cannot wait without a buffer")
	}
	if m, err := pair.Server.Receive(ctx); err != nil || m.Type != signal.TypePing {
		t.Errorf("received %+v, %v", m, err)
	}
	cancel()
	go func() { _ = pair.Server.Close() }() // closed from both ends, so that both agree
	_ = pair.Client.Close()
}

func TestServerLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := ws.HTTPServer(http.NotFoundHandler(), log)
	for range 100 {
		server.ErrorLog.Printf("http: TLS handshake error from 192.0.2.7: EOF")
		server.ErrorLog.Printf("http: panic serving 192.0.2.7: of all things")
	}
	if n := strings.Count(out.String(), "level=WARN msg=\"http: panic"); n == 0 || n > 20 {
		t.Errorf("%d warnings", n)
	}
	if strings.Contains(out.String(), "level=WARN msg=\"http: TLS") {
		t.Error("what strangers do wrong is a warning")
	}
	ws.HTTPServer(nil, nil).ErrorLog.Print("to nobody")
}
