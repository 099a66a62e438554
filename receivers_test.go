package noom_test

import (
	"testing"
	"time"

	"noom"
)

// TestReceivers: those who get a track are counted, from when they can get it until they have gone.
func TestReceivers(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("데모", "a", &noom.Config{})
		toAll, err := a.Publish(t.Context(), newThrifty(), &noom.PublishOptions{Name: "all"})
		must(t, err)
		if n := toAll.Receivers(); n != 0 {
			t.Errorf("%d in an empty room", n)
		}
		b := w.join("데모", "b", nil)
		until(t, a, func(e noom.PeerJoined) bool { return e.Peer.ID() == b.Self().ID })
		for range 50 { // no DTLS handshake is that quick
			if n := toAll.Receivers(); n != 0 {
				t.Fatalf("%d before there is a connection", n)
			}
			time.Sleep(time.Millisecond)
		}
		until(t, a, connected)
		shown(t, b, a, "all")
		if n := toAll.Receivers(); n != 1 {
			t.Errorf("%d with one peer", n)
		}
		toOne, err := peerOf(t, a, b).Publish(t.Context(), newThrifty(), &noom.PublishOptions{Name: "one"})
		must(t, err)
		if n := toOne.Receivers(); n != 0 {
			t.Errorf("%d before it is negotiated", n)
		}
		shown(t, b, a, "one")
		c := w.join("데모", "유나", nil)
		until(t, a, connected)
		shown(t, c, a, "all")
		if all, one := toAll.Receivers(), toOne.Receivers(); all != 2 || one != 1 {
			t.Errorf("%d and %d with two peers", all, one)
		}
		must(t, b.Leave(t.Context()))
		time.Sleep(time.Second)
		if all, one := toAll.Receivers(), toOne.Receivers(); all != 1 || one != 0 {
			t.Errorf("%d and %d after one has left", all, one)
		}
		must(t, toAll.Close())
		if n := toAll.Receivers(); n != 0 {
			t.Errorf("%d after Close", n)
		}
	})
}
