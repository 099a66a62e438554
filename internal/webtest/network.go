package webtest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
)

// A Network carries connections in memory, to one listener whatever address is dialled.
type Network struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	ends  map[net.Conn]bool // those of the listener
	dials int
}

// NewNetwork returns a network on which nothing listens yet: connections wait for it.
func NewNetwork() *Network {
	return &Network{conns: make(chan net.Conn), closed: make(chan struct{}), ends: make(map[net.Conn]bool)}
}

// Serve serves with a server until the test ends.
func (n *Network) Serve(t *testing.T, server *http.Server) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(n) // until Close
	}()
	t.Cleanup(func() {
		_ = server.Close() // with its listener
		<-done
	})
}

// Client returns a client whose connections go over the network.
func (n *Network) Client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: n.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// DialContext dials the listener.
func (n *Network) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case n.conns <- far:
	case <-n.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	n.ends[far] = true
	return near, nil
}

// Dials is how many connections there have been.
func (n *Network) Dials() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// Cut breaks every connection there is.
func (n *Network) Cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.ends {
		_ = c.Close() // it may be closed already
	}
	clear(n.ends)
}

// Accept implements [net.Listener].
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (n *Network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr implements [net.Listener].
func (n *Network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
