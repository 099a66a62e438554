package browser_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"noom/internal/browsertest"
	"noom/signal"
	"noom/signal/hub"
)

// Unusable servers, from a hub or the application, are skipped. They must not keep every connection
// from being made.
func TestServersThatCannotBeUsed(t *testing.T) {
	browsertest.EachAlikeIfAsked(t, testServersThatCannotBeUsed)
}

func testServersThatCannotBeUsed(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	l.hub = hub.New(&hub.Config{ICEServers: hub.FixedICEServers(
		signal.ICEServer{URLs: []string{"nonsense"}},
		signal.ICEServer{URLs: []string{"turn:127.0.0.1:2"}}, // without credentials
		signal.ICEServer{URLs: []string{"stun:127.0.0.1:2"}},
	)})
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, "")
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Allow("noom: an ICE server that cannot be used is left out")
	}
	one.Do(`enter('하나')`)
	two.Do(`enter('two', { iceServers: [{ urls: 'nonsense' }] })`)
	one.Wait("the call", `room.peers[0]?.state === 'connected'`)
	one.Wait("the one that can be used", `(({ iceServers }) => iceServers.length === 1 && iceServers[0].urls[0] === 'stun:127.0.0.1:2')(other().connection.getConfiguration())`)
	one.Do(`room.leave()`)
	two.Do(`room.leave()`)
}

// A page asks for ICE servers before their credentials expire, and its
// connections, those that run included, use the newest; those that the
// application gave it keeps.
func TestServersAreRenewed(t *testing.T) { browsertest.EachAlikeIfAsked(t, testServersAreRenewed) }

func testServersAreRenewed(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	var made atomic.Int32
	l.hub = hub.New(&hub.Config{
		ICEServers: func(context.Context, signal.Member) []signal.ICEServer {
			name := fmt.Sprint(made.Add(1))
			return []signal.ICEServer{{URLs: []string{"turn:127.0.0.1:2?transport=udp"}, Username: name, Credential: "c"}}
		},
		ICELifetime: 2 * time.Second,
	})
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, "")
	one.Do(`enter('하나')`)
	two.Do(`enter('two', { iceServers: [{ urls: 'stun:127.0.0.1:2' }] })`)
	one.Wait("the call", `room.peers[0]?.state === 'connected'`)
	one.Do(`window.first = other().connection`)
	one.Wait("the third credentials on the first connection",
		`other().connection === first && Number(first.getConfiguration().iceServers[0].username) >= 4`)
	two.Wait("its own servers", `other().connection.getConfiguration().iceServers[0].urls[0].startsWith('stun:')`)
	one.Do(`room.leave()`)
	two.Do(`room.leave()`)
}
