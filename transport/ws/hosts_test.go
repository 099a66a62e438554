package ws_test

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// asked sends a request with these lines and returns the answer's status and
// first line.
func asked(t *testing.T, server *httptest.Server, path string, lines ...string) (status int, says string) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // whatever became of it
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\n%s\r\n\r\n", path, strings.Join(lines, "\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		says, _, _ = strings.Cut(string(text), "\n")
	}
	_ = response.Body.Close() // is read
	return response.StatusCode, says
}

var handshake = []string{
	"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
	"Sec-WebSocket-Key: bm9vbSB0ZXN0cyB0aGlzIQ==", "Sec-WebSocket-Protocol: noom.v1",
}

func hostAnd(host string, lines ...string) []string {
	return slices.Concat([]string{"Host: " + host}, handshake, lines)
}

// Other handlers know the names by the same list.
func TestHosts(t *testing.T) {
	h := hub.New(nil)
	for _, test := range []struct {
		hosts    []string
		own, not []string // HERE is the server's own address, PORT its port
	}{
		{
			nil, []string{"call.example", "evil.example:9", "HERE"}, nil,
		},
		{
			[]string{"call.example"},
			[]string{"call.example", "CALL.example.", "call.example:443", "call.example:80", "call.example:PORT"},
			[]string{"evil.example", "call.example:9", "xcall.example", "a.call.example", "call.example.evil.example", "HERE", "127.0.0.1", "localhost", "[::1]", "."},
		},
		{
			[]string{"call.example:8443", "데모.example"},
			[]string{"call.example:8443", "call.example", "xn--2n1by0l.example"},
			[]string{"call.example:PORT", "call.example:8444", "xn--2n1by0l.example:9"},
		},
		{
			[]string{"*.call.example", "localhost"},
			[]string{"a.call.example", "A.call.example:443", "localhost:PORT"},
			[]string{"call.example", "a.b.call.example", ".call.example", "localhost.evil.example"},
		},
		{
			[]string{ws.OwnAddress},
			[]string{"HERE", "127.0.0.1", "127.0.0.1:443"},
			[]string{"127.0.0.2", "127.0.0.1:9", "call.example", "localhost", "[::1]:PORT", "[::ffff:7f00:2]"},
		},
		{
			[]string{"2001:db8::7", "[fe80::1]:9"},
			[]string{"[2001:DB8:0::7]", "[2001:db8::7]:PORT", "[fe80::1]:9"},
			[]string{"[2001:db8::8]", "[fe80::1]:PORT"},
		},
		{[]string{"*"}, []string{"evil.example:9"}, nil},
	} {
		mux := http.NewServeMux()
		mux.Handle("/ws", ws.Handler(h, &ws.AcceptOptions{Hosts: test.hosts}))
		mux.Handle("/", ws.OnlyHosts(http.NotFoundHandler(), test.hosts...))
		server := httptest.NewServer(mux)
		here := server.Listener.Addr().String()
		_, port, _ := net.SplitHostPort(here)
		fill := strings.NewReplacer("HERE", here, "PORT", port)
		for _, host := range test.own {
			if status, says := asked(t, server, "/ws", hostAnd(fill.Replace(host))...); status != http.StatusSwitchingProtocols {
				t.Errorf("hosts %q: %s is answered %d %s", test.hosts, host, status, says)
			}
			if status, _ := asked(t, server, "/", "Host: "+fill.Replace(host)); status != http.StatusNotFound {
				t.Errorf("hosts %q: beside the hub, %s is answered %d", test.hosts, host, status)
			}
		}
		for _, host := range test.not {
			status, says := asked(t, server, "/ws", hostAnd(fill.Replace(host))...)
			if host != "." && (status != http.StatusMisdirectedRequest || !strings.Contains(says, "called "+fill.Replace(host)+"; configure")) || host == "." && status != http.StatusBadRequest {
				t.Errorf("hosts %q: %s is answered %d %s", test.hosts, host, status, says)
			}
			if status, _ := asked(t, server, "/", "Host: "+fill.Replace(host)); status != http.StatusMisdirectedRequest {
				t.Errorf("hosts %q: beside the hub, %s is answered %d", test.hosts, host, status)
			}
		}
		server.Close()
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCertificateHosts(t *testing.T) {
	leaf := &x509.Certificate{DNSNames: []string{"call.example", "*.call.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 7), net.ParseIP("2001:db8::7")}}
	if got, want := ws.CertificateHosts(leaf), []string{"call.example", "*.call.example", "192.0.2.7", "[2001:db8::7]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A hub that sends something else than a frame gets the status that fits, whichever end closes
// then.
func TestHubToldOfItsFaults(t *testing.T) {
	for name, test := range map[string]struct {
		kind websocket.MessageType
		text string
		want websocket.CloseError
	}{
		"no UTF-8": {websocket.MessageText, "{\"type\":\"\xff\"}", websocket.CloseError{Code: 1007, Reason: "malformed"}},
		"binary":   {websocket.MessageBinary, `{"type":"ping"}`, websocket.CloseError{Code: 1003, Reason: "malformed"}},
		"no frame": {websocket.MessageText, "hello", websocket.CloseError{Code: 1008, Reason: "malformed"}},
		"too big":  {websocket.MessageText, strings.Repeat("x", signal.MaxFrame+1), websocket.CloseError{Code: 1009, Reason: "too_big"}},
		"a frame":  {websocket.MessageText, `{"type":"ping"}`, websocket.CloseError{Code: 1000}},
	} {
		ended := make(chan error, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{ws.Subprotocol}})
			if err == nil {
				err = c.Write(r.Context(), test.kind, []byte(test.text))
			}
			if err == nil {
				_, _, err = c.Read(r.Context())
			}
			ended <- err
		}))
		link, err := ws.Dialer{URL: server.URL}.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = link.Receive(t.Context())
		if _, refused := errors.AsType[*signal.Error](err); refused != (test.want.Code != 1000) {
			t.Errorf("%s: received %v", name, err)
		}
		_ = link.Close() // never fails
		if end, ok := errors.AsType[websocket.CloseError](<-ended); !ok || end != test.want {
			t.Errorf("%s: the hub reads %+v, want %+v", name, end, test.want)
		}
		server.Close()
	}
}

// Pages of the host itself may connect, however it is written.
func TestOwnPages(t *testing.T) {
	server := httptest.NewServer(ws.Handler(hub.New(nil), &ws.AcceptOptions{OriginPatterns: []string{"friend.example", "*.데모.example", "https://strict.example:444"}}))
	t.Cleanup(server.Close)
	for _, test := range []struct {
		host, origin string
		want         bool
	}{
		{"room.example", "https://room.example", true},
		{"room.example", "http://room.example", true},
		{"room.example:443", "https://room.example", true},
		{"room.example:443", "http://room.example", false},
		{"room.example:80", "http://room.example", true},
		{"room.example:80", "https://room.example", false},
		{"ROOM.example.:443", "https://room.example", true},
		{"room.example:0443", "https://room.example", true},
		{"room.example:", "https://room.example", true},
		{"room.example", "https://room.example:8443", false},
		{"room.example:8443", "https://room.example:8443", true},
		{"room.example:8443", "https://room.example", false},
		{"xn--2n1by0l.example", "https://데모.example", true},
		{"[2001:db8:0::7]:8080", "http://[2001:db8::7]:8080", true},
		{"[fe80::1%25eth0]:8080", "http://[fe80::1]:8080", true},
		{"room.example:443", "https://room.example.evil.example", false},
		{"room.example", "app://room.example", false},
		{"room.example", "null", false},
		{"room.example", "https://friend.example", true},
		{"room.example", "http://Friend.example:80", true},
		{"room.example", "https://friend.example:8443", false},
		{"room.example", "https://a.xn--2n1by0l.example", true},
		{"room.example", "https://strict.example:444", true},
		{"room.example", "http://strict.example:444", false},
	} {
		status, says := asked(t, server, "/", hostAnd(test.host, "Origin: "+test.origin)...)
		if (status == http.StatusSwitchingProtocols) != test.want || !test.want && status != http.StatusForbidden {
			t.Errorf("host %s, page of %s: %d %s", test.host, test.origin, status, says)
		}
	}
	if status, _ := asked(t, server, "/", hostAnd("room.example", "Origin: https://room.example", "Origin: https://evil.example")...); status != http.StatusForbidden {
		t.Errorf("two origins: %d", status)
	}
}

// Headers that are lists may be so over several lines, with other things in them.
func TestHandshakeHeaders(t *testing.T) {
	server := httptest.NewServer(ws.Handler(hub.New(nil), nil))
	t.Cleanup(server.Close)
	swap := func(name string, lines ...string) []string {
		rest := slices.DeleteFunc(slices.Clone(handshake), func(l string) bool { return strings.HasPrefix(l, name+":") })
		return slices.Concat([]string{"Host: h"}, lines, rest)
	}
	for _, test := range []struct {
		lines []string
		want  int
	}{
		{swap("Connection", "Connection: close", "connection: foo,UPGRADE"), 101},
		{swap("Connection", "Connection: keep-alive", "Connection:", "Connection: ,Upgrade ,"), 101},
		{swap("Upgrade", "Upgrade: h2c, WebSocket"), 101},
		{swap("Upgrade", "Upgrade: h2c", "Upgrade: websocket"), 101},
		{swap("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: superchat, noom.v1"), 101},
		{swap("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: b@d;x, noom.v1"), 101},
		{swap("Connection", "Connection: keep-alive"), 400},
		{swap("Connection", "Connection: Upgraded"), 400},
		{swap("Upgrade", "Upgrade: h2c"), 426},
		{swap("Upgrade", "Upgrade: websocket/13"), 426},
		{swap("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: noom.v1.0"), 400},
		{swap("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), 426},
		{append(swap("-"), "Sec-WebSocket-Key: bm9vbSB0ZXN0cyB0aGF0IQ=="), 400},
	} {
		if status, says := asked(t, server, "/", test.lines...); status != test.want {
			t.Errorf("%q: %d %s, want %d", test.lines, status, says, test.want)
		}
	}
}
