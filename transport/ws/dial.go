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
	// URLs are hubs that serve the same rooms, as those of one hub.Config.Cluster do; URL, if it is not empty, is one of
	// them. A Room tries them in its own order, [signal.OrderHubs], so that its members tend to meet at one hub, and those
	// that have failed in the last 30 s at the end. Each try has an equal part of the time that a join may take. If none
	// lets it in, the error is a [*signal.HubsError]. It stays at a hub that has let it in until it loses that.
	URLs []string
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
// crypto/tls said. With several hubs it dials the first that answers, in the order in which they stand.
func (d Dialer) Dial(ctx context.Context) (signal.Signaler, error) {
	if len(d.URLs) > 0 {
		return signal.DialHubs(ctx, d.each(entrance.URLs(d.URL, d.URLs)))
	}
	u, err := entrance.ParseURL(d.URL, "ws")
	if err != nil {
		return nil, fmt.Errorf("ws: dial %s: %w", entrance.Redacted(d.URL), err)
	}
	l, _, err := d.dial(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("ws: dial %s: %w", entrance.Shown(u), err)
	}
	return l, nil
}

// DialJoin implements [signal.JoinDialer]: the join goes with the opening request, if it is not too long for that, and
// without its card if it is too long with it. If something refuses the request, DialJoin dials again without the join.
func (d Dialer) DialJoin(ctx context.Context, join signal.Message) (signal.Signaler, error) {
	if len(d.URLs) > 0 { // it was not asked for its hubs
		return d.Dial(ctx)
	}
	offer := offerOf(join)
	if offer == "" && join.Card != nil {
		join.Card = nil
		join.Stamp(join.From)
		offer = offerOf(join)
	}
	u, err := entrance.ParseURL(d.URL, "ws")
	if err != nil || offer == "" {
		return d.Dial(ctx)
	}
	l, refused, err := d.dial(ctx, u, offer)
	switch {
	case err == nil:
		return l, nil
	case refused && ctx.Err() == nil:
		return d.Dial(ctx) // whose error, unlike this one, cannot quote the join
	default:
		return nil, fmt.Errorf("ws: dial %s: %w", entrance.Shown(u), err)
	}
}

// Hubs implements [signal.HubsDialer].
func (d Dialer) Hubs(room string) []signal.HubDialer {
	if len(d.URLs) == 0 {
		return nil
	}
	return d.each(signal.OrderHubs(room, entrance.URLs(d.URL, d.URLs)))
}

// each returns a dialer of each hub.
func (d Dialer) each(urls []string) []signal.HubDialer {
	list := make([]signal.HubDialer, len(urls))
	for i, u := range urls {
		list[i] = signal.HubDialer{URL: entrance.Redacted(u), Dialer: Dialer{URL: u, HTTPClient: d.HTTPClient, Header: d.Header}}
	}
	return list
}

// dial opens a connection, and offers more beside the subprotocol. refused reports whether something that was reached did
// not open one, and may have had a reason in the offer.
func (d Dialer) dial(ctx context.Context, u *url.URL, offer ...string) (l *link, refused bool, err error) {
	var raw net.Conn
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { raw = info.Conn },
	})
	client, err := throughProxy(ctx, entrance.WithoutRedirects(d.HTTPClient), u)
	if err != nil {
		return nil, false, err
	}
	//nolint:bodyclose // websocket.Dial says that this body never needs closing
	conn, response, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
		HTTPClient:   client,
		HTTPHeader:   d.Header,
		Subprotocols: append([]string{Subprotocol}, offer...),
	})
	switch {
	case err != nil:
		refused = raw != nil && (response == nil || !isOfHub(response.StatusCode))
		return nil, refused, explainDial(ctx, err, response)
	case conn.Subprotocol() != Subprotocol:
		_ = conn.CloseNow() // of no use to us
		return nil, true, fmt.Errorf("%w: it speaks WebSocket, but not %s", ErrNotHub, Subprotocol)
	case raw == nil:
		_ = conn.CloseNow() // of no use to us
		return nil, false, errors.New("the HTTP client's RoundTripper does not report its connection (httptrace.GotConn)")
	}
	return newLink(conn, raw, signal.NormalHost(u.Host)), false, nil
}

// isOfHub reports whether a status is one with which a hub refuses a request, whatever is offered in it.
func isOfHub(status int) bool {
	return status == http.StatusUpgradeRequired || status == http.StatusMisdirectedRequest
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
