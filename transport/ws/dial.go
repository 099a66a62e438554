package ws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"

	"github.com/coder/websocket"

	"noom/internal/entrance"
	"noom/signal"
)

// Dialer dials a hub over WebSocket. It implements [signal.Dialer].
type Dialer struct {
	// URL is the hub's: ws://host:port/path, or wss:// for TLS; http and https
	// mean the same. It must not redirect.
	URL string
	// HTTPClient makes the opening request. Nil: http.DefaultClient, which uses the environment's
	// proxies: HTTP_PROXY for ws, HTTPS_PROXY for wss, except for the hosts in NO_PROXY, each the
	// URL of an http, https or socks5 proxy, with name and password if it needs them. Through an
	// http or https proxy, that of an [http.Transport], both ws and wss go by a tunnel (CONNECT).
	HTTPClient *http.Client
	// Header goes with the opening request, cookies for instance.
	Header http.Header
}

// ErrNotHub is inside Dial's error when something answered that is no hub.
var ErrNotHub = entrance.ErrNotHub

// Dial opens a connection; ctx bounds that alone. Its errors say what to look
// at, and wrap what went wrong: [ErrNotHub], [ErrProxy], or what net and
// crypto/tls said.
func (d Dialer) Dial(ctx context.Context) (signal.Signaler, error) {
	u, err := entrance.ParseURL(d.URL, "ws")
	if err != nil {
		return nil, fmt.Errorf("ws: dial %q: %w", d.URL, err)
	}
	l, err := d.dial(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("ws: dial %s: %w", u.Redacted(), err)
	}
	return l, nil
}

func (d Dialer) dial(ctx context.Context, u *url.URL) (*link, error) {
	var raw net.Conn
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { raw = info.Conn },
	})
	client, err := throughProxy(ctx, entrance.WithoutRedirects(d.HTTPClient), u)
	if err != nil {
		return nil, err
	}
	//nolint:bodyclose // websocket.Dial says that this body never needs closing
	conn, response, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
		HTTPClient:   client,
		HTTPHeader:   d.Header,
		Subprotocols: []string{Subprotocol},
	})
	switch {
	case err != nil:
		return nil, explainDial(ctx, err, response)
	case conn.Subprotocol() == "":
		_ = conn.CloseNow() // of no use to us
		return nil, fmt.Errorf("%w: it speaks WebSocket, but not %s", ErrNotHub, Subprotocol)
	case raw == nil:
		_ = conn.CloseNow() // of no use to us
		return nil, errors.New("the HTTP client's RoundTripper does not report its connection (httptrace.GotConn)")
	}
	return newLink(conn, raw, signal.NormalHost(u.Host)), nil
}

// explainDial says in one line why a dial failed and what to look at.
func explainDial(ctx context.Context, err error, response *http.Response) error {
	switch {
	case response == nil && errors.Is(err, ErrProxy) && ctx.Err() == nil:
		return entrance.WithoutURL(err) // what is wrong is not at the hub
	case response == nil:
		return entrance.ExplainDial(ctx, err, "ws")
	case response.StatusCode == http.StatusSwitchingProtocols:
		return fmt.Errorf("%w: %w", ErrNotHub, err)
	default:
		return entrance.ExplainResponse(response, "/ws")
	}
}
