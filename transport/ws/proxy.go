package ws

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"noom/internal/entrance"
	"noom/signal"
)

// This file is the way through an HTTP proxy: a tunnel, for ws as for wss (RFC 6455 section 4.1).
// net/http makes one only for https, and hands a plain request to the proxy, which removes its
// Upgrade header, as it must (RFC 9110 section 7.6.1). SOCKS proxies it tunnels through itself.

// ErrProxy is inside Dial's error when a proxy on the way made no tunnel.
var ErrProxy = errors.New("the proxy makes no tunnel")

// throughProxy returns the client that reaches u: itself, or one that tunnels
// through the proxy that its transport names for u.
//
// net/http goes on dialling for a request that was given up, so ctx is the tunnel's too.
func throughProxy(ctx context.Context, client *http.Client, u *url.URL) (*http.Client, error) {
	transport, is := cmp.Or(client.Transport, http.DefaultTransport).(*http.Transport)
	if !is || transport.Proxy == nil {
		return client, nil
	}
	target := *u // as the transport will see it
	target.Scheme = map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	target.Scheme = cmp.Or(target.Scheme, u.Scheme)
	proxy, err := transport.Proxy(&http.Request{Method: http.MethodGet, URL: &target, Host: target.Host, Header: http.Header{}})
	switch {
	case err != nil:
		return nil, fmt.Errorf("which proxy to use: %w", entrance.WithoutURL(err))
	case proxy == nil || proxy.Scheme != "http" && proxy.Scheme != "https":
		return client, nil
	}
	t := &tunnel{over: ctx, transport: transport, proxy: proxy}
	tunnelled := transport.Clone()
	tunnelled.Proxy, tunnelled.DialTLSContext, tunnelled.DialContext = nil, nil, t.dial
	tunnelled.DialTLS, tunnelled.Dial = nil, nil //nolint:staticcheck // the old names of those
	tunnelled.DisableKeepAlives = true           // it goes with its one connection
	c := *client
	c.Transport = tunnelled
	return &c, nil
}

// A tunnel is a way through a proxy to whatever is dialled.
type tunnel struct {
	over      context.Context // bounds the making of it
	transport *http.Transport // its settings for proxies
	proxy     *url.URL
}

func (t *tunnel) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.over, cancel)()
	conn, err := t.dialProxy(ctx, network)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not reached at %s: %w", ErrProxy, t.at(), err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends connect
	err = t.connect(ctx, conn, address)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// at is where the proxy is, without the credentials in its URL.
func (t *tunnel) at() string {
	port := map[string]string{"http": "80", "https": "443"}[t.proxy.Scheme]
	return net.JoinHostPort(t.proxy.Hostname(), cmp.Or(t.proxy.Port(), port))
}

func (t *tunnel) dialProxy(ctx context.Context, network string) (net.Conn, error) {
	dial := t.transport.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, t.at())
	if err != nil || t.proxy.Scheme != "https" {
		return conn, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.transport.TLSClientConfig != nil {
		config = t.transport.TLSClientConfig.Clone()
	}
	config.ServerName, config.NextProtos = t.proxy.Hostname(), nil
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// mostHeader bounds a proxy's answer.
const mostHeader = 64 << 10

// connect asks for the tunnel (RFC 9110 section 9.3.6).
func (t *tunnel) connect(ctx context.Context, conn net.Conn, address string) error {
	header := t.transport.ProxyConnectHeader
	if t.transport.GetProxyConnectHeader != nil {
		var err error
		if header, err = t.transport.GetProxyConnectHeader(ctx, t.proxy, address); err != nil {
			return err
		}
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: header.Clone()}
	if request.Header == nil {
		request.Header = make(http.Header)
	}
	if user := t.proxy.User; user != nil && request.Header.Get("Proxy-Authorization") == "" {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return fmt.Errorf("%w: %w", ErrProxy, cmp.Or(ctx.Err(), err))
	}
	//nolint:bodyclose // it has none: behind it the tunnel begins, where the member is the first to speak
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, mostHeader)), request)
	if err != nil {
		return fmt.Errorf("%w: no answer of HTTP from %s: %w", ErrProxy, t.at(), cmp.Or(ctx.Err(), err))
	}
	if check := t.transport.OnProxyConnectResponse; check != nil {
		if err := check(ctx, t.proxy, request, response); err != nil {
			return err
		}
	}
	status := signal.Printable(response.Status)
	switch {
	case response.StatusCode/100 == 2:
		return nil
	case response.StatusCode == http.StatusProxyAuthRequired && t.proxy.User != nil:
		return fmt.Errorf("%w: %s does not take the name and the password in its URL (HTTP %s)", ErrProxy, t.at(), status)
	case response.StatusCode == http.StatusProxyAuthRequired:
		return fmt.Errorf("%w: %s requires authentication (HTTP %s); put the name and the password into its URL", ErrProxy, t.at(), status)
	default:
		return fmt.Errorf("%w: %s refuses one to %s (HTTP %s); many let through nothing but port 443 (wss://)", ErrProxy, t.at(), address, status)
	}
}
