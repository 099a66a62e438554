package noomtest_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

// Goroutines of a test may wait at one instant, and so may the end of the world.
func TestSettleTogether(t *testing.T) {
	noomtest.Run(t, func(_ *testing.T, w *noomtest.World) {
		pair(w)
		var all sync.WaitGroup
		for range 3 {
			all.Go(w.Settle)
		}
		all.Wait()
	})
}

func TestSettle(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		w.Settle()
		for _, r := range []noom.Room{alice, bob} {
			if len(r.Peers()) != 1 || r.Peers()[0].State() != noom.PeerConnected {
				t.Errorf("%s sees %v", r.Self().Name, r.Peers())
			}
		}
		if d := w.Elapsed(); d > time.Second {
			t.Errorf("took %v", d)
		}
		text := w.Transcript().String()
		for _, want := range []string{`alice → hub    join "데모"`, "밥    ← alice  offer 1", "alice · 밥     connected"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
		before := w.Elapsed()
		w.Settle()
		if d := w.Elapsed() - before; d > 200*time.Millisecond {
			t.Errorf("a world at rest took %v to settle", d)
		}
	}, noomtest.WithLatency(20*time.Millisecond))
}

// TestSettleWaitsForNegotiation: when Settle returns, all that was published
// before is there.
func TestSettleWaitsForNegotiation(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		rooms := make([]noom.Room, 4)
		for i := range rooms {
			rooms[i] = w.Join("데모", &noom.Config{Name: fmt.Sprint("member ", i)})
		}
		for round := 1; round <= 3; round++ {
			for _, r := range rooms {
				if _, err := r.Publish(t.Context(), w.Camera(), nil); err != nil {
					t.Fatal(err)
				}
			}
			w.Settle()
			for _, r := range rooms {
				for _, p := range r.Peers() {
					if n := len(p.Tracks()); n != round {
						t.Errorf("%s sees %d tracks of %s, not %d", r.Self().Name, n, p.Name(), round)
					}
				}
			}
		}
	}, noomtest.WithLatency(100*time.Millisecond), noomtest.WithLoss(0.1))
}

// TestSettleWaitsForAcknowledgement: a frame that is lost in a connection that
// seems to be up is still under way.
func TestSettleWaitsForAcknowledgement(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		w.Settle()
		w.Cut("alice", "밥")
		w.CutSignaling("밥")
		if _, err := alice.Publish(t.Context(), w.Camera(), nil); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(1500*time.Millisecond, func() { w.Heal() })
		w.Settle()
		if n := len(bob.Peers()[0].Tracks()); n != 1 {
			t.Errorf("settled with %d tracks", n)
		}
	})
}

// TestHosts: members of one name get hosts of their own, and one that comes
// back has the host it had.
func TestHosts(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		first := w.Join("r", &noom.Config{Name: "bob"})
		w.Join("r", &noom.Config{Name: "bob"})
		w.Join("r", nil)
		_ = first.Leave(t.Context())
		w.Join("r", &noom.Config{Name: "bob"})
		w.Settle()
		w.Cut("bob", "bob 2") // fails the test if they are not called so
		w.Heal("bob", "bob 2", "host 3")
	})
}

// TestInParallel: worlds know nothing of each other.
func TestInParallel(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			noomtest.Run(t, func(_ *testing.T, w *noomtest.World) {
				pair(w)
				w.Settle()
			}, noomtest.WithNAT(noomtest.FullConeNAT))
		})
	}
}

// TestPortsOfServices: no socket gets a port on which peers take no candidate.
func TestPortsOfServices(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		host := w.Config("지우").Net
		for range 5000 {
			c, err := host.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4zero})
			if err != nil {
				t.Fatal(err)
			}
			if port := c.LocalAddr().(*net.UDPAddr).Port; port == 5060 || port == 5353 || port == 5355 {
				t.Errorf("port %d", port)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
