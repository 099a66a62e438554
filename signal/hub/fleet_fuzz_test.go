package hub

import (
	"context"
	"strings"
	"testing"
	"time"

	"noom/signal"
	"noom/transport/mem"
)

// A void is a backplane without others.
type void struct{}

func (void) Publish(string, []byte) error { return nil }

func (void) Subscribe(string, func([]byte)) (cancel func(), _ error) { return func() {}, nil }

// FuzzFleet: whatever comes from the backplane, a hub and its room go on.
func FuzzFleet(f *testing.F) {
	id := strings.Repeat("a", 32)
	for _, seed := range []string{
		`{"type":"beat","hub":"` + id + `","hears":["` + id + `"],"marks":[{"to":"` + id + `","room":"r","n":1}]}`,
		`{"type":"attach","hub":"` + id + `","room":"r","n":1,"conns":[{"conn":1,"id":"x","member":{"id":"x"},"order":{"term":1,"n":1}}],` +
			`"state":{"lineage":["t"],"rest":[{"absent":[{"id":"y"}]}]}}`,
		`{"type":"enter","hub":"` + id + `","room":"r","n":1,"seq":1,"conn":{"conn":1,"id":"x","order":{"term":0,"n":0}},"sizes":[2]}` + "\n{}",
		`{"type":"missed","hub":"` + id + `","room":"r","n":1,"missed":[0,1],"down":true}`,
		`{"type":"missed","hub":"` + id + `","room":"r","n":1,"missed":[1,2,3]}`,
		`{"type":"settled","hub":"` + id + `","view":1}`, `{"hub":"` + id + `","n":1,"do":"part","room":"r","bye":"{}"}`,
		`{"hub":"` + id + `","n":1,"do":"members","room":"r"}`, `{"hub":"` + id + `","version":1,"pages":1,"rooms":[{"name":"r","members":1}]}`,
	} {
		f.Add(seed, seed, true)
	}
	f.Fuzz(func(t *testing.T, first, second string, heard bool) {
		h := New(&Config{Cluster: &Cluster{Backplane: void{}, Beat: 10 * time.Second}})
		over, cancel := context.WithCancel(t.Context())
		defer func() { cancel(); _ = h.Shutdown(over) }()
		for range 4 {
			h.fleet.tick()
		}
		link := enterFreely(t, h, "r")
		if heard {
			h.fleet.takeBeat([]byte(`{"type":"beat","hub":"` + id + `","hears":["` + h.fleet.self + `"],"degree":1}`))
		}
		for _, data := range []string{first, second} {
			for _, take := range []func([]byte){h.fleet.takeBeat, h.fleet.takeOwn, h.fleet.takeQuestion, h.fleet.takeRooms} {
				take([]byte(data))
				h.fleet.tick()
			}
		}
		for range 20 {
			h.fleet.tick()
		}
		if a := h.fleet.answer(&question{Do: askMembers, Room: "r"}); !a.Moved && len(a.Members) > 64 {
			t.Errorf("%d members", len(a.Members))
		}
		_ = link.Close()
	})
}

// enterFreely joins a room of a hub that does not authorise.
func enterFreely(t *testing.T, h *Hub, room string) signal.Signaler {
	t.Helper()
	link, err := mem.Dialer(h).Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	say(t, link, signal.Message{Type: signal.TypeJoin, Room: room, Name: "지우", Session: signal.NewSession(), Key: make(signal.PublicKey, 32)})
	hear(t, link, signal.TypeJoined)
	return link
}
