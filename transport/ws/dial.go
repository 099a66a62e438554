package ws

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"

	"github.com/coder/websocket"

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
var ErrNotHub = errors.New("no noom hub answers there")

// Dial opens a connection; ctx bounds that alone. Its errors say what to look
// at, and wrap what went wrong: [ErrNotHub], [ErrProxy], or what net and
// crypto/tls said.
func (d Dialer) Dial(ctx context.Context) (signal.Signaler, error) {
	u, err := parseURL(d.URL)
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
	client, err := throughProxy(ctx, withoutRedirects(d.HTTPClient), u)
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

// parseURL checks a hub's URL and makes it one that can be dialled: its name in
// ASCII. The zone of an IPv6 address stays, which says by which of our own
// interfaces it is reached; a request's Host is without.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the rest repeats the URL
		}
		return nil, fmt.Errorf("bad URL: %w; want ws://host:port/path", err)
	}
	switch u.Scheme {
	case "ws", "http", "wss", "https":
	default:
		return nil, fmt.Errorf("bad URL: its scheme must be ws or wss, as in ws://host:port/path, not %q", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("bad URL: it names no host; want ws://host:port/path")
	}
	if name, port := u.Hostname(), u.Port(); !strings.Contains(name, ":") { // else it is an IPv6 address
		u.Host = signal.NormalHost(name)
		if port != "" {
			u.Host += ":" + port
		}
	}
	u.Fragment = ""
	return u, nil
}

// withoutRedirects copies a client so that it does not follow redirects, as a
// browser's WebSocket does not: proofs are bound to the host that was dialled.
func withoutRedirects(client *http.Client) *http.Client {
	var c http.Client
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// explainDial says in one line why a dial failed and what to look at.
func explainDial(ctx context.Context, err error, response *http.Response) error {
	if response != nil {
		return explainResponse(err, response)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the rest repeats the URL
	}
	if errors.Is(err, ErrProxy) {
		return err // what is wrong is not at the hub
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("no such host %q; check the name: %w", dns.Name, err)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing listens there; is the hub running? %w", err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		return fmt.Errorf("it does not speak TLS; try ws:// instead of wss://: %w", err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("its certificate is not trusted: %w", err)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("its certificate is not trusted: %w", err)
	}
	return err
}

func explainResponse(err error, response *http.Response) error {
	switch code := response.StatusCode; {
	case code == http.StatusSwitchingProtocols:
		return fmt.Errorf("%w: %w", ErrNotHub, err)
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: it redirects to %q; dial that", ErrNotHub, response.Header.Get("Location"))
	case code == http.StatusMisdirectedRequest:
		return fmt.Errorf("it does not go by that name (HTTP 421): %s", firstLine(response.Body))
	case code == http.StatusForbidden:
		return fmt.Errorf("it forbids the connection (HTTP 403): %s", firstLine(response.Body))
	default:
		return fmt.Errorf("%w: HTTP %s: %s", ErrNotHub, signal.Printable(response.Status), firstLine(response.Body))
	}
}

// firstLine returns what a person may want to read of an error page.
func firstLine(body io.Reader) string {
	lines := bufio.NewScanner(io.LimitReader(body, 200))
	lines.Scan()
	return signal.Printable(strings.TrimSpace(strings.ToValidUTF8(lines.Text(), "")))
}
