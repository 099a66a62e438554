package hub_test

import (
	"context"
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

// TestFleetOverNATS: two hubs, each with a NATS server of its own, are one; one of them dies, and the other has the room. The
// clock is real, and nothing here is judged by it.
func TestFleetOverNATS(t *testing.T) {
	const secret = "sixteen bytes at least"
	var hubs []*hub.Hub
	var first *embed.Server
	for range 2 {
		o := embed.Options{ClusterListen: "127.0.0.1:0", Secret: secret}
		if first != nil {
			o.Cluster = []string{first.ClusterAddr().String()}
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
		h, err := hub.Open(&hub.Config{Cluster: &hub.Cluster{Backplane: bus, Beat: 100 * time.Millisecond, Dead: 3 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		hubs, first = append(hubs, h), server
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, h := range hubs {
		t.Cleanup(func() { _ = h.Shutdown(over) })
	}
	waitFor(t, "the hubs hear each other", func() bool {
		return hubs[0].Stats().Cluster.Hubs == 2 && hubs[1].Stats().Cluster.Hubs == 2
	})
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
