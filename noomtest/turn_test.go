package noomtest_test

import (
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

// TestTURNOverTCP: a call over a relay that is reached over TCP alone loses nothing, is late where
// packets get lost, goes on after a cut, and takes another connection after a new address.
func TestTURNOverTCP(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice := w.Join("데모", &noom.Config{Name: "alice", Tracks: []noom.LocalTrack{{Track: w.Camera()}}})
		bob := w.Join("데모", &noom.Config{Name: "bob"})
		w.Settle()
		w.SetUpload("alice", noomtest.Link{Bandwidth: 500_000, Loss: 0.03})
		sink := w.Sink(noomtest.Await[noom.TrackAdded](w, bob, nil).Track)
		m := w.MeterUpload("alice")
		time.Sleep(20 * time.Second)
		r := sink.Report()
		if err := sink.Check(2, time.Second); err != nil || r.Late > 0 || r.Freeze < 60*time.Millisecond {
			t.Errorf("%v; %+v", err, r)
		}
		if traffic := m.Report(); traffic.Lost == 0 || traffic.Bitrate() < 25*8*100 {
			t.Errorf("alice's link says %v", traffic)
		}
		d, err := alice.Peers()[0].Diagnose(t.Context())
		if err != nil || !d.Path.Relayed() {
			t.Errorf("the path is %v, %v", d.Path, err)
		}
		w.Cut("alice")
		time.Sleep(3 * time.Second)
		w.Heal()
		sink.Reset()
		if !sink.Wait(100) {
			t.Errorf("after a cut: %+v", sink.Report())
		}
		w.NewAddress("alice")
		w.Settle()
		sink.Reset()
		if !sink.Wait(100) {
			t.Errorf("after a new address: %+v", sink.Report())
		}
	}, noomtest.WithTURNOverTCP())
}

// TestTURNOverTCPForOne: the others are reached from the relay as they are.
func TestTURNOverTCPForOne(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, _ := pair(w)
		w.Join("데모", &noom.Config{Name: "carol"})
		w.Settle()
		for _, p := range alice.Peers() {
			d, err := p.Diagnose(t.Context())
			if err != nil || d.Path.Relayed() != (p.Name() == "carol") {
				t.Errorf("the path to %s is %v, %v", p.Name(), d.Path, err)
			}
		}
	}, noomtest.WithTURNOverTCP("carol"))
}
