package webtest

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"noom"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/transporttest"
)

// This file is what every transport that begins with an HTTP request owes the names of a hub.

// A Transport is one that is tested.
type Transport struct {
	// Handler serves a hub that goes by these names, any if there are none.
	Handler func(h Server, hosts ...string) http.Handler
	// Dialer dials a URL with a client.
	Dialer func(url string, client *http.Client) signal.Dialer
}

// Server is what serves a hub's end of a connection.
type Server interface {
	Serve(ctx context.Context, s signal.Signaler) error
}

// ClientTo is a client that reaches a server whatever the URL says. Its idle connections are to be
// closed.
func ClientTo(server *httptest.Server) *http.Client {
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	if transport.TLSClientConfig != nil {
		transport.TLSClientConfig.ServerName = "example.com" // what the test certificate is for
	}
	return &http.Client{Transport: transport}
}

// TestEndpoint checks that both ends bind proofs to the same address, the one that was dialled, as the
// file endpoints says.
func (tr Transport) TestEndpoint(t *testing.T, endpoints string) {
	t.Helper()
	accepted := transporttest.NewAccepted()
	plain, secure := httptest.NewServer(tr.Handler(accepted)), httptest.NewTLSServer(tr.Handler(accepted))
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	text, err := os.ReadFile(endpoints)
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ URL, Endpoint string }
	if err := json.Unmarshal(text, &rows); err != nil || len(rows) == 0 {
		t.Fatal(len(rows), err)
	}
	rows = append(rows, struct{ URL, Endpoint string }{"ws://[FE80::1%25Eth0]:8080/ws", "[fe80::1]:8080"})
	for _, row := range rows {
		server := plain
		if strings.HasPrefix(row.URL, "wss") {
			server = secure
		}
		client := ClientTo(server)
		pair := accepted.Pair(t, tr.Dialer(row.URL, client))
		if c, s := signal.Endpoint(pair.Client), signal.Endpoint(pair.Server); s != row.Endpoint || c != row.Endpoint {
			t.Errorf("%s: endpoint %q at the client, %q at the server, want %q", row.URL, c, s, row.Endpoint)
		}
		go func() { _ = pair.Server.Close() }() // closed from both ends, so that both agree
		_ = pair.Client.Close()
		client.CloseIdleConnections()
	}
}

// TestProofPassedOn lets a hub that its members dial ask another for a challenge, in the name of a
// member and under its own name, and pass the proof on.
func (tr Transport) TestProofPassedOn(t *testing.T) {
	t.Helper()
	var log strings.Builder
	authorize := func(context.Context, hub.Request) (hub.Grant, error) { return hub.Grant{}, nil }
	for name, test := range map[string]struct {
		config hub.Config
		hosts  []string
		enters bool // a hub that passes on a proof; then there is a warning
	}{
		"nobody has said":  {hub.Config{}, nil, true},
		"every name":       {hub.Config{}, []string{"*"}, true},
		"its hosts":        {hub.Config{}, []string{"own.example"}, false},
		"its one endpoint": {hub.Config{Endpoint: "Own.Example:443"}, nil, false},
	} {
		log.Reset()
		test.config.Authorize, test.config.Logger = authorize, slog.New(slog.NewTextHandler(&log, nil))
		h := hub.New(&test.config)
		server := httptest.NewServer(tr.Handler(h, test.hosts...))
		client := ClientTo(server)
		for range 2 {
			for host, enters := range map[string]bool{"own.example": true, "other.example": test.enters} {
				room, err := noom.Join(t.Context(), tr.Dialer("ws://"+host, client), "데모", nil)
				if (err == nil) != enters {
					t.Errorf("%s: by the name %s: %v", name, host, err)
				}
				if err == nil {
					_ = room.Leave(t.Context())
				}
			}
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
		server.Close()
		if n := strings.Count(log.String(), "takes proofs made for any host"); n > 1 || (n == 1) != test.enters {
			t.Errorf("%s: warned %d times: %s", name, n, log.String())
		}
	}
}

// TestNoPassword dials URLs of which each is wrong in another way: no error has what is secret in it.
func (tr Transport) TestNoPassword(t *testing.T) {
	for _, url := range []string{
		"ws://user:pässwörd@[bad", "ws://user:pä/sswörd@localhost/ws", "user:pässwörd@localhost", "ftp://user:pässwörd@localhost",
		"ws://user:pässwörd@/ws", "ws://user:pässwörd@localhost:1/ws?pässwörd", "ws://pässwörd@localhost:1/ws",
	} {
		_, err := tr.Dialer(url, nil).Dial(t.Context())
		if err == nil || strings.Contains(err.Error(), "wörd") || strings.Contains(err.Error(), "w%C3%B6rd") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
