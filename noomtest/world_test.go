package noomtest_test

import (
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

func TestSettle(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice := w.Join("데모", &noom.Config{Name: "지우"})
		bob := w.Join("데모", &noom.Config{Name: "bob"})
		w.Settle()
		t.Log(w.Elapsed())
		for _, r := range []noom.Room{alice, bob} {
			for _, p := range r.Peers() {
				if p.State() != noom.PeerConnected {
					t.Errorf("%s sees %s %s", r.Self().Name, p.Name(), p.State())
				}
			}
			if len(r.Peers()) != 1 {
				t.Errorf("%s sees %d peers", r.Self().Name, len(r.Peers()))
			}
		}
		t.Logf("\n%s\n%s", w.Transcript(), w.Transcript().Mermaid())
	}, noomtest.WithLatency(20*time.Millisecond))
}
