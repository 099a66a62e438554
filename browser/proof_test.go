package browser_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/transport/ws"
)

// sieve is this machine's network, which while it is shut sends nothing but ICE's own packets (RFC 7983
// section 7).
type sieve struct {
	*stdnet.Net
	shut atomic.Bool
}

type sievedConn struct {
	transport.UDPConn
	sieve *sieve
}

func (s *sieve) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := s.Net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	return &sievedConn{conn, s}, nil
}

func (c *sievedConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if c.sieve.shut.Load() && len(p) > 0 && p[0] > 3 {
		return len(p), nil
	}
	return c.UDPConn.WriteTo(p, to)
}

// Go restarts ICE in a call in which nobody sends anything. The page answers, and is not rebuilt for its
// silence. Then a restart leads to a path that both call connected and that carries nothing to the page: it
// notices, and makes a new connection.
func TestPageWatchesNewPath(t *testing.T) {
	longtest.ParallelUnlessAsked(t)
	l := newLab(t)
	tab := l.open(browsertest.Start(t), "")
	tab.Do(`enter('하나')`)
	machine, err := stdnet.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	network := &sieve{Net: machine}
	g, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼", Net: network})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Leave(context.Background()) }() // the test is over
	connected(tab)
	tab.Do(`window.ufrags = () => new Set(made.map((pc) => /a=ice-ufrag:(.*)/.exec(pc.remoteDescription?.sdp)?.[1])), window.first = [...ufrags()][0]`)
	p := g.Peers()[0]
	restart(t, p)
	tab.Wait("the restart", `!ufrags().has(first)`)
	tab.Do(`new Promise((resolve) => setTimeout(resolve, 6000))`) // longer than it is watched
	before := browsertest.Eval[int](tab, `connections`)
	if before != 1 && longtest.Asked() { // a busy machine may be deaf for as long
		t.Errorf("the page has made %d connections: it was rebuilt because nobody sends anything", before)
	}
	network.shut.Store(true)
	restart(t, p)
	tab.Wait("another connection", fmt.Sprintf(`connections > %d`, before))
	network.shut.Store(false)
	connected(tab)
	tab.Do(`other().send('heard')`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	follow(ctx, t, g, func(e noom.Event) bool {
		data, ok := e.(noom.DataReceived)
		return ok && string(data.Data) == "heard"
	})
}

// restart restarts ICE as soon as there is a hub, which a busy machine may have lost.
func restart(t *testing.T, p noom.Peer) {
	t.Helper()
	for {
		err := p.RestartICE(t.Context())
		if err == nil {
			return
		}
		if !errors.Is(err, noom.ErrNoHub) {
			t.Fatal(err)
		}
		<-time.After(100 * time.Millisecond)
	}
}
