package noom_test

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/noomtest"
)

// becomes waits until r reports that quality of its only peer, and returns how long that took.
func becomes(t *testing.T, r noom.Room, want noom.Quality) time.Duration {
	t.Helper()
	began := time.Now()
	until(t, r, func(e noom.QualityChanged) bool { return e.Quality == want })
	if got := r.Peers()[0].Quality(); got != want {
		t.Errorf("%s: %v after %v was reported", r.Self().Name, got, want)
	}
	return time.Since(began)
}

// A path that begins to lose packets is poor in a few seconds, at both ends, and good again when it is healed; one that
// is cut is lost.
func TestQualityFollowsTheNetwork(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		media := func() *noom.Config {
			return &noom.Config{Tracks: []noom.LocalTrack{{Name: "camera", Track: w.Camera()}, {Name: "microphone", Track: w.Microphone()}}}
		}
		a, b := w.join("데모", "alice", media()), w.join("데모", "bob", media())
		w.Settle()
		time.Sleep(20 * time.Second)
		for _, r := range []noom.Room{a, b} {
			for _, e := range waiting(t, r) {
				if changed, ok := e.(noom.QualityChanged); ok {
					t.Errorf("%s: %v on a network that loses nothing", r.Self().Name, changed)
				}
			}
			p := r.Peers()[0]
			if q, width := p.Quality(), p.Bandwidth(); q != noom.QualityGood || width.Loss != 0 || width.Estimate < width.Sent ||
				width.RoundTrip < 40*time.Millisecond || width.RoundTrip > 45*time.Millisecond || width.Sent < 10_000 || width.Sent > 100_000 {
				t.Errorf("%s: %v, %+v", r.Self().Name, q, width)
			}
		}

		w.Loss(0.3)
		for _, r := range []noom.Room{a, b} {
			if took := becomes(t, r, noom.QualityPoor); took > 8*time.Second {
				t.Errorf("%s: poor after %v", r.Self().Name, took)
			}
		}
		time.Sleep(10 * time.Second)
		if got := peerOf(t, a, b).Bandwidth().Loss; got < 0.08 || got > 0.55 { // of some 65 packets
			t.Errorf("%v of the packets are said to be lost, and 0.3 are", got)
		}
		w.Loss(0)
		for _, r := range []noom.Room{a, b} {
			if took := becomes(t, r, noom.QualityGood); took > 20*time.Second {
				t.Errorf("%s: good after %v", r.Self().Name, took)
			}
		}

		w.Cut()
		until(t, a, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerInterrupted })
		if took := becomes(t, a, noom.QualityLost); took > 0 {
			t.Errorf("lost %v after it was interrupted", took)
		}
		if got := peerOf(t, a, b).Bandwidth(); got != (noom.Bandwidth{}) {
			t.Errorf("%+v of a path that is cut", got)
		}
		w.Heal()
		until(t, a, connected)
		if took := becomes(t, a, noom.QualityGood); took > 2*time.Second {
			t.Errorf("good %v after it was connected again", took)
		}
		p := peerOf(t, a, b)
		must(t, b.Leave(t.Context()))
		until[noom.PeerLeft](t, a, nil)
		if q := p.Quality(); q != noom.QualityLost {
			t.Errorf("the peer is gone, and the connection to it %v", q)
		}
	}, noomtest.WithSeed(1))
}

// What the peer reports of what it gets is in the statistics, by the names of webrtc-stats.
func TestStatsOfWhatThePeerReports(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("데모", "alice", &noom.Config{Tracks: []noom.LocalTrack{{Name: "microphone", Track: w.Microphone()}}})
		b := w.join("데모", "bob", nil)
		w.Settle()
		w.Loss(0.2, "alice", "bob")
		time.Sleep(30 * time.Second)
		report := peerOf(t, a, b).Stats()
		var remote webrtc.RemoteInboundRTPStreamStats
		var estimates []float64 // of pairs that have one
		for _, entry := range report {
			switch e := entry.(type) {
			case webrtc.RemoteInboundRTPStreamStats:
				remote = e
			case webrtc.ICECandidatePairStats:
				if e.AvailableOutgoingBitrate > 0 {
					estimates = append(estimates, e.AvailableOutgoingBitrate)
				}
			}
		}
		if want := float64(peerOf(t, a, b).Bandwidth().Estimate); len(estimates) != 1 || estimates[0] < want/2 || estimates[0] > 2*want {
			t.Errorf("pairs with estimates %v, want one near %v", estimates, want)
		}
		ours, ok := report[remote.LocalID].(webrtc.OutboundRTPStreamStats)
		if !ok || ours.RemoteID != remote.ID || ours.SSRC != remote.SSRC || remote.Kind != "audio" {
			t.Fatalf("%+v belongs to %+v", remote, ours)
		}
		if share := float64(remote.PacketsLost) / float64(ours.PacketsSent); share < 0.1 || share > 0.3 ||
			remote.FractionLost <= 0 || remote.FractionLost > 0.5 {
			t.Errorf("%d of %d packets lost, %v of late; 0.2 are", remote.PacketsLost, ours.PacketsSent, remote.FractionLost)
		}
		if remote.RoundTripTime < 0.06 || remote.RoundTripTime > 0.065 || remote.RoundTripTimeMeasurements < 10 {
			t.Errorf("a round trip of %v s, %d times", remote.RoundTripTime, remote.RoundTripTimeMeasurements)
		}
		// Who only sends learns of the loss by reports; who only receives sees what is missing, and ICE measures the way.
		for _, r := range []noom.Room{a, b} {
			if p := r.Peers()[0]; p.Quality() != noom.QualityPoor || p.Bandwidth().RoundTrip < 60*time.Millisecond || p.Bandwidth().RoundTrip > 65*time.Millisecond {
				t.Errorf("%s: %v, %+v", r.Self().Name, p.Quality(), p.Bandwidth())
			}
		}
	}, noomtest.WithSeed(1))
}
