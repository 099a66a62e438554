package webtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Far returns a client that is so long a way, one way, from the network, over which each connection is opened by a round
// trip first, as TCP is. In virtual time, time passes in nothing else.
func (n *Network) Far(t *testing.T, oneWay time.Duration) *http.Client {
	t.Helper()
	var ways sync.WaitGroup
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		time.Sleep(2 * oneWay)
		there, err := n.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		here, between := net.Pipe()
		ways.Go(func() { carry(there, between, oneWay) })
		ways.Go(func() { carry(between, there, oneWay) })
		return here, nil
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ways.Wait() // for those in use, too: they are to be closed
	})
	return &http.Client{Transport: transport}
}

// carry writes to one connection what it reads from another, so much later, and closes both when that ends.
func carry(to io.WriteCloser, from io.ReadCloser, oneWay time.Duration) {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 16<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				pieces <- piece{buffer[:n], time.Now().Add(oneWay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.bytes); err != nil {
			_ = from.Close() // which ends the reader
		}
	}
	time.Sleep(oneWay)
	_ = to.Close() // either may be closed already
	_ = from.Close()
}
