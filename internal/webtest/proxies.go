package webtest

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// A Way is how a proxy treats what passes.
type Way struct {
	NoUpgrade bool // requests lose their Upgrade, so that there is no WebSocket
	Swallow   bool // requests for an upgrade are never answered
	HoldBack  bool // a response is passed on when it has ended
}

// Proxy returns a proxy to a server that a client reaches, by its URL.
func Proxy(server string, client *http.Client, way func() Way) http.Handler {
	target, err := url.Parse(server)
	if err != nil {
		panic(err) // a test's own
	}
	transport := http.DefaultTransport
	if client != nil && client.Transport != nil {
		transport = client.Transport
	}
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			if now := way(); r.Out.Header.Get("Upgrade") != "" && (now.NoUpgrade || now.Swallow) {
				r.Out.Header.Del("Upgrade")
				r.Out.Header.Del("Connection")
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if way().Swallow && r.StatusCode == http.StatusUpgradeRequired {
				<-r.Request.Context().Done()
				return r.Request.Context().Err()
			}
			if way().HoldBack && r.StatusCode != http.StatusSwitchingProtocols {
				return holdBack(r)
			}
			return nil
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
	}
}

func holdBack(r *http.Response) error {
	text, err := io.ReadAll(r.Body)
	_ = r.Body.Close() // it is read
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	r.ContentLength = int64(len(text))
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	r.TransferEncoding = nil
	return nil
}

// CutAfter returns a listener whose connections are cut after a while, whatever they do.
func CutAfter(l net.Listener, lasts func() time.Duration) net.Listener { return &cutting{l, lasts} }

type cutting struct {
	net.Listener

	lasts func() time.Duration
}

// Accept implements [net.Listener].
func (l *cutting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &cutConn{Conn: conn}
	c.timer = time.AfterFunc(l.lasts(), func() { _ = conn.Close() }) // it may be closed already
	return c, nil
}

type cutConn struct {
	net.Conn

	timer *time.Timer
	once  sync.Once
}

// Close implements [net.Conn].
func (c *cutConn) Close() error {
	c.once.Do(func() { c.timer.Stop() })
	return c.Conn.Close()
}
