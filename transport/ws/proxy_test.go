package ws_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noom"
	"noom/signal/hub"
	"noom/transport/ws"
)

// A proxy makes tunnels for clients with the credentials, and nothing else.
type proxy struct {
	user, password string // empty: for everyone
	tunnels        atomic.Int32
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
	user, password, _ := r.BasicAuth()
	switch {
	case r.Method != http.MethodConnect:
		http.Error(w, "no upgrade comes through here", http.StatusBadRequest)
		return
	case user != p.user || password != p.password:
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	to, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	p.tunnels.Add(1)
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 Go on\r\nVia: 1.1 proxy\r\n\r\n")
	splice(from, to)
}

// splice carries bytes both ways until either end goes.
func splice(a, b net.Conn) {
	go func() { _, _ = io.Copy(a, b); _ = a.Close() }()
	_, _ = io.Copy(b, a)
	_ = b.Close()
}

// socks is a SOCKS 5 proxy that lets everybody connect (RFC 1928).
func socks(t *testing.T, tunnels *atomic.Int32) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 300)
				_, _ = io.ReadFull(c, b[:2])
				_, _ = io.ReadFull(c, b[:b[1]])
				_, _ = c.Write([]byte{5, 0})
				_, _ = io.ReadFull(c, b[:10]) // connect to an IPv4 address
				at := net.TCPAddr{IP: net.IP(b[4:8]), Port: int(binary.BigEndian.Uint16(b[8:]))}
				to, err := net.Dial("tcp", at.String())
				if err != nil {
					_ = c.Close()
					return
				}
				tunnels.Add(1)
				_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
				splice(c, to)
			}()
		}
	}()
	return l.Addr().String()
}

// Whatever the hub's scheme and the proxy's: through it, by a tunnel.
func TestThroughProxies(t *testing.T) {
	h := hub.New(nil)
	plain, secure := httptest.NewServer(ws.Handler(h, nil)), httptest.NewTLSServer(ws.Handler(h, nil))
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	open, closed := new(proxy), &proxy{user: "지우", password: "p:w/d@"}
	overHTTP, overTLS, wanting := httptest.NewServer(open), httptest.NewTLSServer(open), httptest.NewServer(closed)
	t.Cleanup(overHTTP.Close)
	t.Cleanup(overTLS.Close)
	t.Cleanup(wanting.Close)
	var bySocks atomic.Int32
	credentials := url.UserPassword(closed.user, closed.password).String() + "@"
	for _, through := range []struct {
		url     string
		tunnels *atomic.Int32
	}{
		{overHTTP.URL, &open.tunnels},
		{overTLS.URL, &open.tunnels},
		{strings.Replace(wanting.URL, "://", "://"+credentials, 1), &closed.tunnels},
		{"socks5://" + socks(t, &bySocks), &bySocks},
	} {
		for _, hubURL := range []string{plain.URL, secure.URL, strings.Replace(plain.URL, "http", "ws", 1), strings.Replace(secure.URL, "http", "ws", 1)} {
			at, err := url.Parse(through.url)
			if err != nil {
				t.Fatal(err)
			}
			transport := secure.Client().Transport.(*http.Transport).Clone() // trusts both
			transport.Proxy = http.ProxyURL(at)
			before := through.tunnels.Load()
			room, err := noom.Join(t.Context(), ws.Dialer{URL: hubURL, HTTPClient: &http.Client{Transport: transport}}, "데모", nil)
			if err != nil {
				t.Errorf("%s through %s: %v", hubURL, at.Redacted(), err)
				continue
			}
			if through.tunnels.Load() != before+1 {
				t.Errorf("%s went past %s", hubURL, at.Redacted())
			}
			if err := room.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// Hosts that the transport reaches without the proxy, as with NO_PROXY.
func TestPastTheProxy(t *testing.T) {
	server := httptest.NewServer(ws.Handler(hub.New(nil), nil))
	t.Cleanup(server.Close)
	var asked []string
	transport := &http.Transport{Proxy: func(r *http.Request) (*url.URL, error) {
		asked = append(asked, r.URL.Scheme+"://"+r.URL.Host)
		return nil, nil
	}}
	link, err := ws.Dialer{URL: strings.Replace(server.URL, "http", "ws", 1), HTTPClient: &http.Client{Transport: transport}}.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = link.Close() // never fails
	if len(asked) == 0 || asked[0] != server.URL {
		t.Errorf("was asked about %q, want %s: the environment knows http and https", asked, server.URL)
	}
}

func TestProxyErrors(t *testing.T) {
	server := httptest.NewServer(ws.Handler(hub.New(nil), nil))
	t.Cleanup(server.Close)
	left := make(chan struct{}, 2) // by the member, to which a proxy said nothing
	answering := func(text string) string {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = http.ReadRequest(bufio.NewReader(c))
				_, _ = io.WriteString(c, text)
				if text == "" { // it stays until the member goes
					_, _ = io.Copy(io.Discard, c)
					left <- struct{}{}
				}
				_ = c.Close()
			}
		}()
		return "http://" + l.Addr().String()
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	wanting := httptest.NewServer(&proxy{user: "a", password: "b"})
	t.Cleanup(wanting.Close)
	for _, test := range []struct {
		name, proxy, says string
	}{
		{"it is not there", gone.URL, "it is not reached at " + strings.TrimPrefix(gone.URL, "http://")},
		{"it wants to know who asks", wanting.URL, "put the name and the password into its URL"},
		{"the wrong password", strings.Replace(wanting.URL, "://", "://a:hunter2@", 1), "does not take the name and the password in its URL"},
		{"port 443 alone", answering("HTTP/1.1 403 Not \x1b[2Jhere\r\n\r\n"), "(HTTP 403 Not  [2Jhere); many let through nothing but port 443"},
		{"it speaks no HTTP", answering("220 mail.example ESMTP\r\n"), "no answer of HTTP"},
		{"a header without end", answering("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20)), "no answer of HTTP"},
	} {
		at, err := url.Parse(test.proxy)
		if err != nil {
			t.Fatal(err)
		}
		for _, scheme := range []string{"ws", "wss"} {
			client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at)}}
			_, err = ws.Dialer{URL: strings.Replace(server.URL, "http", scheme, 1), HTTPClient: client}.Dial(t.Context())
			if !errors.Is(err, ws.ErrProxy) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hunter2") || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("%s, %s: %v, want %q", test.name, scheme, err, test.says)
			}
		}
	}

	silent, err := url.Parse(answering(""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(silent)}}
	if _, err = (ws.Dialer{URL: server.URL, HTTPClient: client}).Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a proxy that says nothing: %v", err)
	}
	select {
	case <-left:
	case <-time.After(time.Minute):
		t.Error("the connection to a proxy that says nothing outlives the dial")
	}
	untrusted := httptest.NewUnstartedServer(new(proxy))
	untrusted.Config.ErrorLog = quietLog
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	at, err := url.Parse(untrusted.URL)
	if err != nil {
		t.Fatal(err)
	}
	client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at)}}
	_, err = ws.Dialer{URL: server.URL, HTTPClient: client}.Dial(t.Context())
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); !is || !errors.Is(err, ws.ErrProxy) {
		t.Errorf("a proxy with a certificate nobody signed: %v", err)
	}
}
