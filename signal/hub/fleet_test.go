package hub_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A fleet is some hubs that are one, with a bus between them.
type fleet struct {
	t    *testing.T
	bus  mem.Bus
	hubs []*hub.Hub
	ends []*mem.BusEnd
}

// inFleet runs f in virtual time, with so many hubs that know each other.
func inFleet(t *testing.T, hubs int, f func(t *testing.T, g *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &fleet{t: t}
		for range hubs {
			g.start(nil)
		}
		time.Sleep(3 * time.Second)
		f(t, g)
		g.end()
	})
}

func (g *fleet) start(config *hub.Config) *hub.Hub {
	g.t.Helper()
	if config == nil {
		config = &hub.Config{}
	}
	end := g.bus.Join()
	config.Cluster = &hub.Cluster{Backplane: end}
	h, err := hub.Open(config)
	if err != nil {
		g.t.Fatal(err)
	}
	g.hubs, g.ends = append(g.hubs, h), append(g.ends, end)
	return h
}

// kill ends a hub as the end of its process would.
func (g *fleet) kill(i int) {
	g.ends[i].Close()
	over, cancel := context.WithCancel(g.t.Context())
	cancel()
	_ = g.hubs[i].Shutdown(over) // says that it has cut connections
}

func (g *fleet) end() {
	for i := range g.hubs {
		g.kill(i)
	}
}

func (g *fleet) dialer(i int) signal.Dialer { return mem.Dialer(g.hubs[i]) }

// roomOf returns the name of a room that this hub owns, of those that begin with prefix.
func (g *fleet) roomOf(i int, prefix string) string {
	for n := range 1000 {
		if room := fmt.Sprintf("%s %d", prefix, n); g.hubs[i].Owns(room) {
			return room
		}
	}
	g.t.Fatalf("hub %d owns nothing", i)
	return ""
}

// Members at two hubs are in one room, whichever owns it: they meet, chat, are called something else, and part.
func TestFleetOneRoom(t *testing.T) {
	inFleet(t, 3, func(t *testing.T, g *fleet) {
		for owner := range 3 {
			room := g.roomOf(owner, "데모")
			a, b := join(t, g.dialer(0), room, "지우"), dial(t, g.dialer(1), "bob")
			b.askToJoin(room, "bob")
			joined := b.expect(signal.TypeJoined)
			if len(joined.Members) != 1 || joined.Members[0].Name != "지우" || joined.Self.ID != b.id || joined.Limits.Members != 64 || len(joined.Nonce) != 32 {
				t.Fatalf("owner %d: joined %+v", owner, joined)
			}
			if w := a.expect(signal.TypeWelcome); w.Member.ID != b.id || w.Member.Session != b.session {
				t.Fatalf("welcome %+v", w.Member)
			}
			chat("c1", a, b)
			chat("c2", b, a)
			b.send(signal.Message{Type: signal.TypeRename, Name: "민준"})
			for _, m := range []*member{a, b} {
				if f := m.expect(signal.TypeRenamed); f.From != b.id || f.Name != "민준" {
					t.Fatalf("renamed %+v", f)
				}
			}
			offer := signal.Message{
				Type: signal.TypeOffer, To: b.id, Sessions: [2]string{a.session, b.session},
				Epoch: signal.Epoch{Number: 1, By: a.id}, Seq: 1, Signature: make(signal.Bytes, 64), Body: []byte("{ \"sdp\" : \"방\" }"),
			}
			a.send(offer)
			if got := b.expect(signal.TypeOffer); got.From != a.id || string(got.Body) != string(offer.Body) {
				t.Fatalf("relayed %+v", got)
			}
			b.send(signal.Message{Type: signal.TypeBye})
			a.expectBye(b, signal.ReasonLeft)
			a.send(signal.Message{Type: signal.TypeBye})
			_ = a.expectEnd()
		}
	})
}
