package browser_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"noom/internal/browsertest"
	"noom/signal/hub"
)

// A gate lets the requests for WebSockets through, and what the hub says, and holds what the page says over them.
type gate struct {
	net.Listener

	to     string
	held   chan struct{} // gets one for each WebSocket over which the page has said something
	opened chan struct{}
}

// gated puts a gate in front of the lab and returns its address.
func (l *lab) gated(t *testing.T) (url string, g *gate) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g = &gate{listener, l.Listener.Addr().String(), make(chan struct{}, 64), make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := g.Accept()
			if err != nil {
				return
			}
			all.Go(func() { g.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = g.Close()
		l.CloseClientConnections()
		l.cut()
		all.Wait()
	})
	return "http://" + listener.Addr().String(), g
}

func (g *gate) carry(page net.Conn) {
	hub, err := net.Dial("tcp", g.to)
	if err != nil {
		_ = page.Close()
		return
	}
	go func() {
		_, _ = io.Copy(page, hub) // until either goes
		_ = page.Close()
	}()
	defer func() { _ = hub.Close() }()
	buffer := make([]byte, 64<<10)
	for webSocket, first := false, true; ; {
		n, err := page.Read(buffer)
		if err != nil {
			return
		}
		if webSocket && first {
			g.held <- struct{}{}
			<-g.opened
			first = false
		}
		webSocket = webSocket || bytes.Contains(bytes.ToLower(buffer[:n]), []byte("upgrade: websocket"))
		if _, err = hub.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestJoinInRequest: a page is in with the request for its WebSocket, before anything that it says over that can have
// come through; with joinInFrame it needs what it says.
func TestJoinInRequest(t *testing.T) { browsertest.EachKind(t, testJoinInRequest) }

func testJoinInRequest(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	url, g := l.gated(t)
	b := kind.Start(t)
	one, two := openAt(b, url, ""), openAt(b, url, "")
	one.Do(`enter('하나', { transport: 'websocket' })`)
	members := func() int { return len(l.hub.(*hub.Hub).Members("데모")) }
	if n := members(); n != 1 {
		t.Errorf("%d members", n)
	}
	<-g.held
	two.Do(`void (window.entering = enter('two', { transport: 'websocket', joinInFrame: true }))`)
	<-g.held
	if n := members(); n != 1 || browsertest.Eval[bool](two, `Boolean(window.room)`) {
		t.Errorf("%d members, although the other's join is still held", n)
	}
	close(g.opened)
	two.Do(`entering`)
	connected(one, two)
}
