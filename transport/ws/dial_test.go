package ws_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"noom/internal/webtest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

var quietLog = log.New(io.Discard, "", 0)

func TestDialErrors(t *testing.T) {
	page := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	secure := httptest.NewUnstartedServer(ws.Handler(hub.New(nil), nil))
	secure.Config.ErrorLog = quietLog // it will complain of us
	secure.StartTLS()
	t.Cleanup(secure.Close)
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_ = c.CloseNow() // it was all about the handshake
		}
	}))
	t.Cleanup(foreign.Close)
	moved := httptest.NewServer(http.RedirectHandler("https://elsewhere.example/ws", http.StatusMovedPermanently))
	t.Cleanup(moved.Close)
	coloured := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "\x1b[2J어디에도 없음", http.StatusNotFound)
	}))
	t.Cleanup(coloured.Close)
	closed := httptest.NewServer(nil)
	closed.Close()

	for _, test := range []struct {
		url  string
		is   error
		says string
	}{
		{"", nil, "scheme"},
		{"localhost:8080", nil, "scheme"},
		{"ftp://example.com/ws", nil, "scheme"},
		{"ws:///ws", nil, "host"},
		{"ws://exa mple/", nil, "bad URL"},
		{closed.URL, syscall.ECONNREFUSED, "is the hub running?"},
		{page.URL, ws.ErrNotHub, "404"},
		{page.URL, ws.ErrNotHub, "; hubs are usually at /ws of a server, and the URL has no path"},
		{coloured.URL, ws.ErrNotHub, "Found:  [2J어디에도 없음"},
		{foreign.URL, ws.ErrNotHub, "noom.v1"},
		{moved.URL, ws.ErrNotHub, "elsewhere.example"},
		{secure.URL, nil, "certificate is not trusted"},
		{strings.Replace(page.URL, "http:", "wss:", 1), nil, "try ws://"},
	} {
		_, err := ws.Dialer{URL: test.url}.Dial(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.says) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("dial %q: %v, want %q", test.url, err, test.says)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "ws: dial ")) {
			t.Errorf("dial %q: not one plain line: %v", test.url, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (ws.Dialer{URL: page.URL}).Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("dial with an ended context: %v", err)
	}
	_, err := ws.Dialer{URL: secure.URL}.Dial(t.Context())
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("a certificate nobody signed: %v, want x509's error inside", err)
	}
}

var tested = webtest.Transport{
	Handler: func(h webtest.Server, hosts ...string) http.Handler {
		return ws.Handler(h, &ws.AcceptOptions{Hosts: hosts})
	},
	Dialer: func(url string, client *http.Client) signal.Dialer { return ws.Dialer{URL: url, HTTPClient: client} },
}

func TestEndpoint(t *testing.T) { tested.TestEndpoint(t, "../../signal/testdata/endpoints.json") }

func TestProofPassedOn(t *testing.T) { tested.TestProofPassedOn(t) }

func TestNoPassword(t *testing.T) { tested.TestNoPassword(t) }

func TestHandlerRefuses(t *testing.T) {
	server := httptest.NewServer(ws.Handler(hub.New(nil), &ws.AcceptOptions{OriginPatterns: []string{"friend.example"}}))
	t.Cleanup(server.Close)
	upgrade := func(extra ...string) http.Header {
		h := http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		}
		for i := 0; i < len(extra); i += 2 {
			h.Set(extra[i], extra[i+1])
		}
		return h
	}
	const protocol = "Sec-Websocket-Protocol"
	for _, test := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"a plain GET", nil, http.StatusUpgradeRequired},
		{"no subprotocol", upgrade(), http.StatusBadRequest},
		{"another subprotocol", upgrade(protocol, "noom.v2"), http.StatusBadRequest},
		{"a page from elsewhere", upgrade(protocol, "noom.v1", "Origin", "https://evil.example"), http.StatusForbidden},
		{"a friend's page", upgrade(protocol, "noom.v1", "Origin", "https://friend.example"), http.StatusSwitchingProtocols},
		{"the hub's own page", upgrade(protocol, "chat, noom.v1", "Origin", server.URL), http.StatusSwitchingProtocols},
		{"no browser", upgrade(protocol, "noom.v1"), http.StatusSwitchingProtocols},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.header != nil {
			r.Header = test.header
		}
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close() // only the status counts
		if response.StatusCode != test.want {
			t.Errorf("%s: status %d, want %d", test.name, response.StatusCode, test.want)
		}
		if test.want == http.StatusSwitchingProtocols && response.Header.Get(protocol) != ws.Subprotocol {
			t.Errorf("%s: subprotocol %q", test.name, response.Header.Get(protocol))
		}
	}
}

func ExampleDialer() {
	server := httptest.NewServer(ws.Handler(hub.New(nil), nil))
	defer server.Close()

	link, err := ws.Dialer{URL: server.URL}.Dial(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = link.Close() }() // never fails
	fmt.Println(signal.Endpoint(link) == server.Listener.Addr().String())
	// Output: true
}
