package noomtest_test

import (
	"fmt"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

// BenchmarkPair: two members join, a second of video flows, both leave.
func BenchmarkPair(b *testing.B) {
	perSchedule(b, func(t *testing.T, w *noomtest.World) {
		alice := w.Join("데모", &noom.Config{Name: "alice", Tracks: []noom.LocalTrack{{Track: w.Camera()}}})
		bob := w.Join("데모", &noom.Config{Name: "bob"})
		sink := w.Sink(noomtest.Await[noom.TrackAdded](w, bob, nil).Track)
		if !sink.Wait(25) {
			t.Errorf("%s sees %+v", alice.Self().Name, sink.Report())
		}
	})
}

// BenchmarkFourWithTrouble: four members behind NATs, each with a camera, lose
// 2 % of the packets, and the hub restarts; all sees all before and after.
func BenchmarkFourWithTrouble(b *testing.B) {
	perSchedule(b, func(t *testing.T, w *noomtest.World) {
		var sinks []*noomtest.Sink
		var rooms []noom.Room
		for i := range 4 {
			rooms = append(rooms, w.Join("데모", &noom.Config{
				Name: fmt.Sprint("member ", i), Tracks: []noom.LocalTrack{{Track: w.Camera()}},
			}))
		}
		w.Settle()
		for _, r := range rooms {
			for _, p := range r.Peers() {
				for _, track := range p.Tracks() {
					sinks = append(sinks, w.Sink(track))
				}
			}
		}
		if len(sinks) != 12 {
			t.Fatalf("%d tracks, not 12", len(sinks))
		}
		w.Hub().Restart()
		w.Settle()
		for _, s := range sinks {
			if !s.Wait(10) {
				t.Fatalf("no frames: %+v", s.Report())
			}
		}
	}, noomtest.WithNAT(noomtest.PortRestrictedNAT), noomtest.WithLoss(0.02))
}

// perSchedule measures f in real time.
func perSchedule(b *testing.B, f func(t *testing.T, w *noomtest.World), opts ...noomtest.Option) {
	b.Helper()
	begun := time.Now()
	ok := true
	for i := 0; b.Loop(); i++ {
		ok = testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
			Name: "schedule", F: func(t *testing.T) { noomtest.Run(t, f, append(opts, noomtest.WithSeed(uint64(i+1)))...) },
		}}) && ok
	}
	if !ok {
		b.Fatal("a schedule failed")
	}
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "schedules/s")
}
