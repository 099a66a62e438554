package noom_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/mediatest"
	"noom/noomtest"
)

// Video loses packets, and their retransmissions too: the receiver asks for
// key frames, but not for more than two a second, and for none once all arrives.
func TestLossAsksForKeyframes(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		const vp8PT, rtxPT = 35, 36
		var lossy, repairs atomic.Bool
		w.Filter(func(p noomtest.Packet) bool {
			var h rtp.Header
			if _, err := h.Unmarshal(p.Payload); err != nil || h.Version != 2 {
				return true
			}
			switch {
			case h.PayloadType == rtxPT:
				return repairs.Load()
			case h.PayloadType == vp8PT && lossy.Load():
				return h.SequenceNumber%20 != 0
			}
			return true
		})
		camera := mediatest.NewDeviceCamera()
		a := w.join("r", "지우", &noom.Config{Tracks: []noom.LocalTrack{{Name: "camera", Track: camera}}})
		b := w.join("r", "bob", nil)
		track := until[noom.TrackAdded](t, b, nil).Track
		number := uint32(0)
		film := func(d time.Duration) (requests int) {
			before, _, _ := camera.Asked()
			for range d / mediatest.FrameTime {
				time.Sleep(mediatest.FrameTime)
				number++
				camera.Frame(t, number, number%100 == 1)
			}
			after, _, _ := camera.Asked()
			return after - before
		}
		film(10 * time.Second)
		if track.Codec().MimeType != webrtc.MimeTypeVP8 {
			t.Fatal("nothing arrives")
		}
		if n := film(5 * time.Second); n != 0 {
			t.Errorf("asked %d times without loss", n)
		}
		lossy.Store(true)
		if n := film(10 * time.Second); n < 5 || n > 21 {
			t.Errorf("asked %d times in 10 s of loss", n)
		}
		if q := b.Peers()[0].Quality(); q != noom.QualityPoor { // as 5 % of loss would be fair
			t.Errorf("the picture stands still, and the connection is %v", q)
		}
		in, _ := streams(t, b.Peers()[0])
		_, out := streams(t, a.Peers()[0])
		sent, got, lost := out.PacketsSent, in.PacketsReceived, uint32(in.PacketsLost)
		if lost == 0 || got == 0 || sent < got+lost || sent > got+lost+40 || lost > sent/20 {
			t.Errorf("%d packets sent, %d received, %d lost", sent, got, lost)
		}
		if in.SSRC != out.SSRC || in.Kind != "video" || in.BytesReceived < uint64(got)*500 {
			t.Errorf("sent %+v, received %+v", out, in)
		}
		lossy.Store(false)
		film(5 * time.Second)
		if n := film(5 * time.Second); n != 0 {
			t.Errorf("asked %d times after the loss", n)
		}
		lossy.Store(true)
		repairs.Store(true)
		if n := film(10 * time.Second); n != 0 {
			t.Errorf("asked %d times although all was repaired", n)
		}
	})
}

// streams are the RTP streams in a Peer's Stats, one each way at most.
func streams(t *testing.T, p noom.Peer) (in webrtc.InboundRTPStreamStats, out webrtc.OutboundRTPStreamStats) {
	t.Helper()
	for _, entry := range p.Stats() {
		switch e := entry.(type) {
		case webrtc.InboundRTPStreamStats:
			in = e
		case webrtc.OutboundRTPStreamStats:
			out = e
		}
	}
	return in, out
}
