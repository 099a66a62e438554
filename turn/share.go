package turn

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// This file shares one port for TLS between https and TURN.

// The protocols that a client of ours may name in its ClientHello (RFC 7443); neither Chromium,
// Firefox nor pion does.
const alpnTURN, alpnSTUN = "stun.turn", "stun.nat-discovery"

// longestArrival is how long a connection may take to its handshake's end and, unless the handshake
// says what it is, to its first byte.
const longestArrival = 10 * time.Second

// Share serves TLS on a listener and tells two kinds of connections apart: TURN clients are served
// here, everything else comes out of the listener that it returns, which an [net/http.Server] can
// Serve. A TURN client names the protocol "stun.turn" or "stun.nat-discovery" in its handshake (RFC
// 7443); or it names none, and its first byte is one of STUN, with which no HTTP request begins.
//
// config has the certificate, as for [tls.NewListener]; without NextProtos it is for HTTP/2 and
// HTTP/1.1. host is where members find the listener: HOST, with the listener's port, or HOST:PORT.
// The certificate must be valid for it, because clients check that.
//
// A connection that has not shown within 10 s what it is ends; [Limits.Handshakes] bounds how many
// there are of those. The listener ends when the returned one is closed; those who relay then go on.
func (s *Server) Share(inner net.Listener, config *tls.Config, host string) (net.Listener, error) {
	config = config.Clone()
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	config.NextProtos = append(slices.Clip(config.NextProtos), alpnTURN, alpnSTUN)
	l := &sharedListener{
		inner: inner, config: config, server: s, url: turnsURL(host, inner.Addr()),
		arrivals: newArrivals(s.relays.limits.Handshakes),
		pages:    newBranch(inner.Addr()), turns: newBranch(inner.Addr()),
	}
	if err := s.serveConnections(l.turns, l.url); err != nil {
		return nil, err
	}
	go l.accept()
	return l, nil
}

// turnsURL is where members find a listener (RFC 7065).
func turnsURL(host string, listening net.Addr) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
		_, port, _ = net.SplitHostPort(listening.String()) // a listener's address has both
	}
	return "turns:" + net.JoinHostPort(name, port) + "?transport=tcp"
}

// forget takes a URL from what members learn.
func (s *Server) forget(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnURLs = slices.DeleteFunc(s.turnURLs, func(other string) bool { return other == url })
}

// sharedListener is what Share returns: the part of a port that is not ours.
type sharedListener struct {
	inner    net.Listener
	config   *tls.Config
	server   *Server
	url      string
	arrivals *arrivals
	pages    *branch
	turns    *branch
}

// Accept implements [net.Listener].
func (l *sharedListener) Accept() (net.Conn, error) { return l.pages.Accept() }

// Addr implements [net.Listener].
func (l *sharedListener) Addr() net.Addr { return l.inner.Addr() }

// Close implements [net.Listener].
func (l *sharedListener) Close() error {
	l.server.forget(l.url)
	_ = l.pages.Close() // never fails; the other branch stays, because with it pion ends its relays
	err := l.inner.Close()
	l.arrivals.close()
	return err
}

// accept hands connections to goroutines. An error goes to our caller, which knows whether to try
// again; until then we wait.
func (l *sharedListener) accept() {
	for {
		conn, err := l.inner.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !l.pages.put(nil, err) {
				_ = l.Close() // its owner may have closed the inner one alone
				return
			}
			continue
		}
		go l.receive(conn)
	}
}

// receive finds out what a connection is, and hands it on.
func (l *sharedListener) receive(plain net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), longestArrival)
	defer cancel()
	a := l.arrivals.enter(plain, cancel)
	_ = plain.SetDeadline(time.Now().Add(longestArrival)) // a closed one says so below
	conn, to, err := l.sort(ctx, tls.Server(plain, l.config))
	if stays := l.arrivals.leave(a); err != nil || !stays {
		explainTLS(err)
		_ = plain.Close() // it is over either way
		return
	}
	_ = plain.SetDeadline(time.Time{}) // a closed one says so to its next owner
	to.put(conn, nil)
}

// sort says where a connection belongs.
func (l *sharedListener) sort(ctx context.Context, conn *tls.Conn) (net.Conn, *branch, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, nil, err
	}
	switch conn.ConnectionState().NegotiatedProtocol {
	case alpnTURN, alpnSTUN:
		return conn, l.turns, nil
	case "":
	default:
		return conn, l.pages, nil // as it is: net/http wants to see a *tls.Conn for HTTP/2
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		return nil, nil, err
	}
	if beginsSTUN(first[0]) {
		return &peekedConn{conn, first}, l.turns, nil
	}
	return &peekedConn{conn, first}, l.pages, nil
}

// beginsSTUN reports whether a connection that begins with this byte is a TURN client's: STUN's
// requests and indications begin with 0 and the upper bits of a method (RFC 8489 section 5), HTTP's
// methods and the preface of HTTP/2 with a letter. ChannelData begins as letters do (RFC 8656
// section 12), but no client has a channel yet.
func beginsSTUN(first byte) bool { return first < ' ' }

// explainTLS answers a client that speaks HTTP without TLS, as net/http does.
func explainTLS(err error) {
	broken, is := errors.AsType[tls.RecordHeaderError](err)
	if !is || broken.Conn == nil {
		return
	}
	switch string(broken.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		_, _ = io.WriteString(broken.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks https: begin the address with https://\n")
	}
}

// A peekedConn is a TLS connection of which the first byte has been read.
type peekedConn struct {
	*tls.Conn
	first []byte
}

// Read implements [net.Conn].
func (c *peekedConn) Read(b []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.first)
	c.first = c.first[n:]
	return n, nil
}

// A branch is a listener of connections that others have accepted.
type branch struct {
	at     net.Addr
	next   chan acceptance
	done   chan struct{}
	ending sync.Once
}

// acceptance is what an Accept returns.
type acceptance struct {
	conn net.Conn
	err  error
}

func newBranch(at net.Addr) *branch {
	return &branch{at: at, next: make(chan acceptance), done: make(chan struct{})}
}

// put waits until an Accept has taken a connection or an error. It reports whether one has; else
// there will be none.
func (b *branch) put(conn net.Conn, err error) bool {
	select {
	case b.next <- acceptance{conn, err}:
		return true
	case <-b.done:
		if conn != nil {
			_ = conn.Close() // nobody wants it
		}
		return false
	}
}

// Accept implements [net.Listener].
func (b *branch) Accept() (net.Conn, error) {
	select {
	case a := <-b.next:
		return a.conn, a.err
	case <-b.done:
		return nil, net.ErrClosed
	}
}

// Addr implements [net.Listener].
func (b *branch) Addr() net.Addr { return b.at }

// Close implements [net.Listener].
func (b *branch) Close() error {
	b.ending.Do(func() { close(b.done) })
	return nil
}
