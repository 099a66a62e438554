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
	browsertest.EachKindAloneIfAsked(t, testPageWatchesNewPath)
}

func testPageWatchesNewPath(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
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

// Each of two pages looks for a new path, then both at once, and then one of them while the hub is away: the pictures
// go on in another connection, without a state in between.
func TestPagesMove(t *testing.T) { browsertest.EachPairAloneIfAsked(t, testPagesMove) }

func testPagesMove(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	tabs := []*browsertest.Tab{l.open(b1, ""), l.open(b2, "")}
	for i, tab := range tabs {
		tab.Allow("WebSocket connection", "establish a connection to the server", "Failed to load resource") // that it is refused is the point
		tab.Do([]string{`enter('하나', { tracks: [picture('rgb(200, 0, 0)')] })`, `enter('two', { tracks: [picture('rgb(0, 0, 200)')] })`}[i])
	}
	for _, tab := range tabs {
		tab.Wait("the other", `other()?.state === 'connected' && other().tracks[0]?.track`)
		tab.Do(watchPictures)
	}
	for _, move := range []struct {
		who string
		by  []*browsertest.Tab
	}{{"the first", tabs[:1]}, {"the second", tabs[1:]}, {"both", tabs}, {"one without a hub", tabs[:1]}} {
		if move.who == "one without a hub" {
			l.killHub()
			for _, tab := range tabs {
				tab.Wait("the loss", `happened('signalinglost') === 1`)
			}
		}
		for _, tab := range tabs {
			tab.Do(`window.stall = 0, window.before = other().connection, undefined`)
		}
		for _, tab := range move.by {
			tab.Do(`other().restartICE()`)
		}
		for i, tab := range tabs {
			tab.Wait("the move by "+move.who, `other().connection !== before && other().state === 'connected' && made.filter((pc) => pc.connectionState !== 'closed').length === 1 && moving()`)
			stall := browsertest.Eval[float64](tab, `stall`)
			t.Logf("%s: at %d the picture stood still for no longer than %.0f ms", move.who, i, stall)
			if stall > 1500 && longtest.Asked() {
				t.Errorf("the picture stood still for %.0f ms", stall)
			}
		}
	}
	for _, tab := range tabs {
		if n := browsertest.Eval[int](tab, `happened('peerstatechanged', (e) => e.state === 'failed')`); n != 0 && longtest.Asked() {
			t.Errorf("the peer failed %d times", n)
		}
	}
}
