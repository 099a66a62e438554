package noom_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/mediatest"
	"noom/noomtest"
)

// TestRepeatsCostLittle: 2 % of the packets of 3 Mbit/s are lost, retransmissions too. Nearly all are repaired, and little
// more is sent again than what was lost.
func TestRepeatsCostLittle(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		const rtxPT, filming = 36, 20 * time.Second
		var repeated, lost, packets atomic.Int64
		var lossy atomic.Bool
		rng := rand.New(rand.NewPCG(1, 1))
		w.Filter(func(p noomtest.Packet) bool {
			var h rtp.Header
			if _, err := h.Unmarshal(p.Payload); err != nil || h.Version != 2 || len(p.Payload) < 200 {
				return true
			}
			packets.Add(1)
			if h.PayloadType == rtxPT {
				repeated.Add(int64(len(p.Payload)))
			}
			if lossy.Load() && rng.Float64() < 0.02 {
				lost.Add(1)
				return false
			}
			return true
		})
		track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "camera", "s")
		must(t, err)
		a := w.join("r", "지우", &noom.Config{Tracks: []noom.LocalTrack{{Name: "camera", Track: track}}})
		b := w.join("r", "bob", nil)
		until[noom.TrackAdded](t, b, nil)
		until(t, a, connected)
		picture := &flood{track: track}
		picture.play(t, 2*time.Second, 3_000_000)
		lossy.Store(true)
		repeated.Store(0)
		picture.play(t, filming, 3_000_000)
		rate := repeated.Load() * 8 / int64(filming/time.Second)
		in, _ := streams(t, b.Peers()[0])
		t.Logf("%d of %d packets lost, %d bit/s of repeats, %d never came", lost.Load(), packets.Load(), rate, in.PacketsLost)
		if rate > 90_000 || rate < 50_000 {
			t.Errorf("%d bit/s of repeats", rate)
		}
		if in.PacketsLost > 10 || lost.Load() < 80 {
			t.Errorf("%d of %d lost packets never came", in.PacketsLost, lost.Load())
		}
	})
}

// flood is a VP8 stream at a constant rate that consists of key frames.
type flood struct {
	track     *webrtc.TrackLocalStaticRTP
	seq       uint16
	timestamp uint32
}

// play sends 30 frames a second for that long.
func (f *flood) play(t *testing.T, d time.Duration, rate int) {
	t.Helper()
	const frames, most = 30, 1100
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second / frames) {
		f.timestamp += 90000 / frames
		for left, first := rate/8/frames, true; left > 0; first = false {
			payload := make([]byte, max(20, min(left, most)))
			if first {
				copy(payload, []byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 16, 0, 16, 0})
			}
			left -= len(payload)
			f.seq++
			must(t, f.track.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: f.seq, Timestamp: f.timestamp, Marker: left <= 0},
				Payload: payload,
			}))
		}
	}
}
