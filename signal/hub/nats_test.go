package hub_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
	"noom/transport/nats"
	"noom/transport/nats/embed"
)

// patience is how long a test waits on a real clock for what must come.
const patience = 30 * time.Second

// overNATS is two hubs, each with a NATS server of its own, that know each other. The clock is real.
func overNATS(t *testing.T, config hub.Config) (*fleet, []*embed.Server) {
	t.Helper()
	const secret = "sixteen bytes at least"
	g := &fleet{t: t, config: config}
	var servers []*embed.Server
	for i := range 2 {
		o := embed.Options{ClusterListen: "127.0.0.1:0", Secret: secret}
		if i > 0 {
			o.Cluster = []string{servers[0].ClusterAddr().String()}
		}
		server, err := embed.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		bus, err := server.Dial(nats.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bus.Close)
		g.open(bus, false)
		servers = append(servers, server)
	}
	g.awaitHubs(2)
	return g, servers
}

// open opens a hub that beats so often that a test needs not wait for long.
func (g *fleet) open(bus hub.Backplane, optional bool) {
	g.t.Helper()
	config := g.config
	config.Cluster = &hub.Cluster{Backplane: bus, Beat: 100 * time.Millisecond, Dead: 3 * time.Second, Optional: optional}
	h, err := hub.Open(&config)
	if err != nil {
		g.t.Fatal(err)
	}
	over, cancel := context.WithCancel(g.t.Context())
	cancel()
	g.t.Cleanup(func() { _ = h.Shutdown(over) }) // it says that it has cut connections
	g.hubs = append(g.hubs, h)
}

// awaitHubs waits until each hub hears so many.
func (g *fleet) awaitHubs(n int) {
	g.t.Helper()
	waitFor(g.t, fmt.Sprintf("%d hubs hear each other", n), func() bool {
		return !slices.ContainsFunc(g.hubs, func(h *hub.Hub) bool { return h.Stats().Cluster.Hubs != n })
	})
}

// TestFleetOverNATS: of two hubs that are one, one dies, and the other has the room. Nothing here is judged by the clock.
func TestFleetOverNATS(t *testing.T) {
	g, _ := overNATS(t, hub.Config{})
	hubs := g.hubs
	room := "데모"
	a, b := join(t, mem.Dialer(hubs[0]), room, "지우"), dial(t, mem.Dialer(hubs[1]), "bob")
	b.askToJoin(room, "bob")
	if joined := b.expect(signal.TypeJoined); len(joined.Members) != 1 {
		t.Fatalf("joined %+v", joined)
	}
	a.expectOneOf(signal.TypeWelcome)
	chat("c1", a, b)
	chat("c2", b, a)

	owner := 0
	if !hubs[0].Owns(room) {
		owner = 1
	}
	dead, survivor := []*member{a, b}[owner], []*member{a, b}[1-owner]
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_ = hubs[owner].Shutdown(over) // it says that it has cut connections
	for gone := false; !gone; {
		f := survivor.expectOneOf(signal.TypeJoined, signal.TypeBye, signal.TypePing)
		gone = f.Type == signal.TypeJoined && len(f.Members) == 0 || f.Type == signal.TypeBye && f.From == dead.id
	}
	chat("c3", survivor)
	back := join(t, mem.Dialer(hubs[1-owner]), room, "다희")
	survivor.expect(signal.TypeWelcome)
	chat("c4", back, survivor)
}

func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}
