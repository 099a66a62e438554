package noomtest_test

import (
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

// TestFilter: a firewall that lets only STUN through keeps two from being connected, and sees where
// packets come from and where they go.
func TestFilter(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		from, to := make(map[string]string), make(map[string]string)
		w.Filter(func(p noomtest.Packet) bool {
			from[p.Host], to[p.Host] = p.From.String(), p.To.String()
			return len(p.Payload) > 0 && p.Payload[0] < 4 // RFC 7983 section 7
		})
		alice, bob := pair(w)
		time.Sleep(2 * time.Second)
		peer, _ := alice.Peer(bob.Self().ID)
		if peer.State() == noom.PeerConnected {
			t.Error("connected without DTLS")
		}
		w.Filter(nil)
		if from["alice"] == "" || from["alice"] != to["밥"] || to["alice"] != from["밥"] {
			t.Errorf("packets from %v went to %v", from, to)
		}
		w.Settle()
	})
}

// TestSignalingLatency: a hub next door with a slow network, and the other way round.
func TestSignalingLatency(t *testing.T) {
	for _, c := range []struct{ network, signaling time.Duration }{
		{300 * time.Millisecond, 0}, {time.Millisecond, 300 * time.Millisecond},
	} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			alice, bob := pair(w)
			w.Settle()
			begun := time.Now()
			if err := alice.Send(t.Context(), []byte("안녕")); err != nil {
				t.Fatal(err)
			}
			noomtest.Await[noom.DataReceived](w, bob, nil)
			data := time.Since(begun).Round(time.Millisecond)
			begun = time.Now()
			if err := alice.TryChat("안녕"); err != nil {
				t.Fatal(err)
			}
			noomtest.Await[noom.ChatReceived](w, bob, nil)
			chat := time.Since(begun).Round(time.Millisecond)
			if data != c.network || chat != 2*c.signaling {
				t.Errorf("data took %v, a chat %v", data, chat)
			}
		}, noomtest.WithLatency(c.network), noomtest.WithSignalingLatency(c.signaling))
	}
}
