package browser_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/pion/turn/v5"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// relayOnly, run before a page's own scripts, lets it use no path but those of a TURN server.
const relayOnly = `
	const only = (config) => ({ ...config, iceTransportPolicy: 'relay' });
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(config, ...rest) { super(only(config), ...rest); }
		setConfiguration(config) { super.setConfiguration(only(config)); }
	};`

// relays gives the lab a hub that names a TURN server.
func relays(t *testing.T, l *lab) {
	t.Helper()
	const user, password = "지우", "c"
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "noom",
		AuthHandler: func(r *turn.RequestAttributes) (string, []byte, bool) {
			return user, turn.GenerateAuthKey(r.Username, r.Realm, password), r.Username == user
		},
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: conn, RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() }) // the test is over
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hub = hub.New(&hub.Config{ICEServers: hub.FixedICEServers(signal.ICEServer{
		URLs: []string{fmt.Sprintf("turn:%s?transport=udp", conn.LocalAddr())}, Username: user, Credential: password,
	})})
}

// relayed waits for a tab's path to the other to be found, by the TURN server.
func relayed(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	words := found(tab, "connected")
	if !browsertest.Eval[bool](tab, `diagnosis.path.relayed`) {
		t.Errorf("not by a relay: %s", words)
	}
}

// Two pages that may only use a relay.
func TestRelayOnly(t *testing.T) { browsertest.EachPairIfAsked(t, testRelayOnly) }

func testRelayOnly(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	relays(t, l)
	b1, b2 := kinds.Start(t, browsertest.LoopbackIsANet) // Firefox asks no TURN server there otherwise
	one, two := l.open(b1, relayOnly), l.open(b2, relayOnly)
	one.Do(`enter('하나')`)
	two.Do(`enter('two')`)
	connected(one, two)
	publishes(t, one, two)
	relayed(t, one)
	relayed(t, two)
}

// A page that may only use a relay, and Go, each of which may be first.
func TestRelayOnlyWithGo(t *testing.T) { browsertest.EachKind(t, testRelayOnlyWithGo) }

func testRelayOnlyWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	withGo(t, kind, relayOnly, relays, relayed, browsertest.LoopbackIsANet)
}

// withGo calls a Go member from a page, and the page from Go; each sees what the other publishes.
func withGo(t *testing.T, kind browsertest.Kind, prepare string, set func(*testing.T, *lab), check func(*testing.T, *browsertest.Tab), options ...browsertest.Option) {
	t.Helper()
	for _, first := range []string{"page", "Go"} {
		t.Run(first+" first", func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			set(t, l)
			tab := l.open(kind.Start(t, options...), prepare)
			enters := func() { tab.Do(`enter('지우', { tracks: [picture('rgb(200, 0, 0)'), tone()] })`) }
			if first == "page" {
				enters()
			}
			pattern, tone := media.TestPattern(nil), media.Tone()
			defer func() { _, _ = pattern.Close(), tone.Close() }() // nothing to lose
			g, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
				Name: "고퍼", Tracks: []noom.LocalTrack{{Name: "camera", Track: pattern}, {Name: "microphone", Track: tone}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = g.Leave(context.Background()) }() // the test is over
			if first == "Go" {
				enters()
			}
			connected(tab)
			tab.Wait("Go's picture and sound", `other().tracks.length === 2 && moving()`)
			tab.Wait("a picture to look at", `(shows(other().tracks.find((t) => t.kind === 'video'), []))`)
			receives(t, g, 2)
			check(t, tab)
			tab.Do(`room.leave(); hush()`)
		})
	}
}

// receives waits until packets have come on so many tracks of the one other member.
func receives(t *testing.T, room noom.Room, tracks int) {
	t.Helper()
	got := make(chan string, tracks)
	follow(t.Context(), t, room, func(event noom.Event) bool {
		if e, ok := event.(noom.TrackAdded); ok {
			go firstPacket(e.Track, got)
			tracks--
		}
		return tracks == 0
	})
	for range cap(got) {
		<-got
	}
}

// hides reports in a page whether the addresses that it offered are names.
const hides = `(({ sdp }) => !/^a=candidate:.* host/m.test(sdp.replace(/^a=candidate:.*\.local .*$/gm, '')))(other().connection.localDescription)`

// Two pages that hide their addresses behind names of mDNS.
func TestAddressesHidden(t *testing.T) { browsertest.EachPairIfAsked(t, testAddressesHidden) }

func testAddressesHidden(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t, browsertest.AddressesHidden)
	one, two := l.open(b1, ""), l.open(b2, "")
	one.Do(`enter('하나')`)
	two.Do(`enter('two')`)
	connected(one, two)
	publishes(t, one, two)
	hidden(t, one)
	hidden(t, two)
}

func hidden(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	if !browsertest.Eval[bool](tab, hides) {
		t.Errorf("it shows its addresses: %s", browsertest.Eval[string](tab, `other().connection.localDescription.sdp`))
	}
}

// A page that hides its addresses, and Go.
func TestAddressesHiddenFromGo(t *testing.T) {
	browsertest.EachKindIfAsked(t, testAddressesHiddenFromGo)
}

func testAddressesHiddenFromGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	withGo(t, kind, "", func(*testing.T, *lab) {}, hidden, browsertest.AddressesHidden)
}
