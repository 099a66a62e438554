package browser_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"noom"
	"noom/internal/browsertest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// A line leads to the hub until it is cut.
type line struct {
	noom.Dialer

	mu  sync.Mutex
	end signal.Signaler // nil: none, or cut
	cut bool
}

func (l *line) Dial(ctx context.Context) (signal.Signaler, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, net.ErrClosed
	}
	s, err := l.Dialer.Dial(ctx)
	l.end = s
	return s, err
}

func (l *line) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	_ = l.end.Close() // the hub may have
}

// Go members that cut their line to the hub and stay connected: a page keeps no more of them than
// the room has places, the latest, and a kick reaches them even by a hub that never saw them.
func TestGhosts(t *testing.T) { browsertest.EachKindIfAsked(t, testGhosts) }

func testGhosts(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	open := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.hub = hub.New(&hub.Config{
			Limits: signal.Limits{Members: 3},
			Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
				if r.Token == "host" {
					return hub.Grant{Rights: signal.AllRights()}, nil
				}
				return hub.Grant{}, nil
			},
		})
	}
	open()
	host := l.open(kind.Start(t), "")
	host.Allow("WebSocket connection", "Failed to load resource") // that it is lost is the point
	host.Do(`enter('host', { token: 'host' })`)
	host.Wait("the room", `window.room`)
	var ghosts []noom.Room
	for i := range 4 {
		way := &line{Dialer: ws.Dialer{URL: l.url()}}
		g, err := noom.Join(t.Context(), way, "데모", &noom.Config{Name: fmt.Sprint("유령 ", i)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = g.Leave(context.Background()) }() // the test is over
		ghosts = append(ghosts, g)
		host.Wait("the ghost", fmt.Sprintf(`room.peers.some((p) => p.id === '%s' && p.state === 'connected')`, g.Self().ID))
		way.sever()
		host.Wait("no more peers than places", fmt.Sprintf(`room.peers.length === %d`, min(i+1, 2)))
	}
	for i, g := range ghosts {
		there := browsertest.Eval[bool](host, fmt.Sprintf(`room.peers.some((p) => p.id === '%s')`, g.Self().ID))
		if there != (i >= 2) {
			t.Errorf("ghost %d is there: %v", i, there)
		}
	}
	open()
	l.cut()
	host.Wait("a hub that knows nobody", `happened('signalingrestored') === 1 && room.peers.length === 2`)
	host.Do(fmt.Sprintf(`room.kick('%s')`, ghosts[3].Self().ID))
	host.Wait("the kick", `room.peers.length === 1 && happened('peerleft', (e) => e.reason === 'kicked') === 1`)
}
