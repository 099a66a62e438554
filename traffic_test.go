package noom_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/link"
	"noom/internal/mediatest"
	"noom/internal/packet"
	"noom/noomtest"
)

// follower is a camera that follows what its link may send: 30 pictures a second, no key frame but the first.
type follower struct {
	*webrtc.TrackLocalStaticRTP
	link   *link.Link
	target atomic.Int64
	stop   atomic.Bool
}

func (f *follower) SetTargetBitrate(bps int) { f.target.Store(int64(bps)) }

func (f *follower) play() {
	const frames, most = 30, 1100
	var n uint16
	for frame := uint32(0); !f.stop.Load(); frame++ {
		rate := int(f.target.Load())
		for left := rate / 8 / frames; left > 0; {
			payload := make([]byte, max(20, min(left, most)))
			copy(payload, []byte{0x10, 0x00, 0x01})
			if frame%300 == 0 {
				copy(payload, []byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 16, 0, 16, 0})
			}
			left -= len(payload)
			n++
			_ = f.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: n, Timestamp: frame * 3000, Marker: left <= 0},
				Payload: payload,
			})
		}
		time.Sleep(time.Second / frames)
	}
}

// follow joins two members, of which 지우 sends to bob.
func follow(t *testing.T, w *world, most int) (*follower, noom.Room, noom.Room) {
	t.Helper()
	return followWith(t, w, most, func() noom.Room { return w.join("r", "bob", nil) })
}

func followWith(t *testing.T, w *world, most int, join func() noom.Room) (*follower, noom.Room, noom.Room) {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "camera", "s")
	must(t, err)
	f := &follower{TrackLocalStaticRTP: track}
	a := w.join("r", "지우", &noom.Config{Tracks: []noom.LocalTrack{{
		Name: "camera", Track: f, Encodings: []noom.Encoding{{Track: f, MaxBitrate: most}},
	}}})
	b := join()
	until(t, a, connected)
	until[noom.TrackAdded](t, b, nil)
	f.link = noom.LinkOf(peerOf(t, a, b))
	go f.play()
	t.Cleanup(func() { f.stop.Store(true); time.Sleep(time.Second) })
	return f, a, b
}

// report logs what went over a link, and what the sender believes.
func report(t *testing.T, what string, f *follower, m *noomtest.Meter) noomtest.Traffic {
	t.Helper()
	r := m.Reset()
	t.Logf("%s: %d kbit/s, %.1f %% lost, p95 queue %v; target %d, %+v",
		what, r.Bitrate()/1000, 100*r.Loss(), r.QueueDelay(0.95), f.link.Target(), f.link.Bandwidth())
	return r
}

func TestTrafficFitsSteadyLinks(t *testing.T) {
	for _, rate := range []int{300_000, 1_000_000, 3_000_000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
				f, _, _ := follow(t, w, 5_000_000)
				w.SetUpload("지우", noomtest.Link{Bandwidth: rate})
				m := w.MeterUpload("지우")
				time.Sleep(20 * time.Second)
				report(t, "begin", f, m)
				time.Sleep(30 * time.Second)
				r := report(t, "then", f, m)
				if r.Bitrate() < rate*80/100 || r.QueueDelay(0.95) > 120*time.Millisecond || r.Loss() > 0.02 {
					t.Errorf("%d bit/s, loss %v, queue %v", r.Bitrate(), r.Loss(), r.QueueDelay(0.95))
				}
			})
		})
	}
}

// TestTrafficFollowsACut: the link is cut to 300 kbit/s in the middle of a call, and healed.
func TestTrafficFollowsACut(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		f, _, _ := follow(t, w, 5_000_000)
		w.SetUpload("지우", noomtest.Link{Bandwidth: 2_000_000})
		m := w.MeterUpload("지우")
		time.Sleep(20 * time.Second)
		report(t, "2 Mbit/s", f, m)
		w.SetUpload("지우", noomtest.Link{Bandwidth: 300_000})
		time.Sleep(5 * time.Second)
		report(t, "after the cut", f, m)
		time.Sleep(15 * time.Second)
		cut := report(t, "5 s later", f, m)
		if cut.QueueDelay(0.95) > 150*time.Millisecond || cut.Loss() > 0.02 || cut.Bitrate() < 200_000 {
			t.Errorf("cut: %d bit/s, loss %v, queue %v", cut.Bitrate(), cut.Loss(), cut.QueueDelay(0.95))
		}
		w.SetUpload("지우", noomtest.Link{Bandwidth: 2_000_000})
		time.Sleep(14 * time.Second)
		report(t, "after the heal", f, m)
		time.Sleep(5 * time.Second)
		if healed := report(t, "15 s later", f, m); healed.Bitrate() < 1_600_000 {
			t.Errorf("healed: %d bit/s", healed.Bitrate())
		}
	})
}

// TestTrafficWithLoss: packets are lost at random. They are sent again, not for more than a share of what may be sent, and
// the link is used.
func TestTrafficWithLoss(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		f, _, _ := follow(t, w, 5_000_000)
		w.SetUpload("지우", noomtest.Link{Bandwidth: 1_000_000, Loss: 0.05})
		m := w.MeterUpload("지우")
		time.Sleep(20 * time.Second)
		report(t, "begin", f, m)
		time.Sleep(20 * time.Second)
		if r := report(t, "then", f, m); r.Bitrate() < 600_000 || r.QueueDelay(0.95) > 150*time.Millisecond {
			t.Errorf("%d bit/s, queue %v", r.Bitrate(), r.QueueDelay(0.95))
		}
	})
}

// TestTrafficToAPeerThatOnlyCounts: a peer that sends no transport-wide feedback still says in its receiver reports what it
// has lost.
func TestTrafficToAPeerThatOnlyCounts(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		m := &webrtc.MediaEngine{}
		for _, codec := range packet.CodecsFor(webrtc.RTPCodecTypeVideo)[:1] {
			must(t, m.RegisterCodec(codec, webrtc.RTPCodecTypeVideo))
			must(t, m.RegisterCodec(packet.Retransmission(codec), webrtc.RTPCodecTypeVideo))
		}
		f, _, _ := followWith(t, w, 5_000_000, func() noom.Room {
			r, err := noom.JoinKnowing(t.Context(), w.Dialer("bob"), "r", w.config("bob", nil), m)
			must(t, err)
			w.leaveAtEnd(r)
			return r
		})
		w.SetUpload("지우", noomtest.Link{Bandwidth: 1_000_000})
		meter := w.MeterUpload("지우")
		time.Sleep(40 * time.Second)
		report(t, "begin", f, meter)
		time.Sleep(20 * time.Second)
		if r := report(t, "then", f, meter); r.Bitrate() < 500_000 || r.Loss() > 0.15 {
			t.Errorf("%d bit/s, loss %v", r.Bitrate(), r.Loss())
		}
		w.SetUpload("지우", noomtest.Link{Bandwidth: 300_000})
		time.Sleep(20 * time.Second)
		report(t, "after the cut", f, meter)
		if s := f.link.Bandwidth(); s.Estimate > 600_000 || s.RoundTrip == 0 {
			t.Errorf("believes %+v", s)
		}
	})
}

// TestTrafficProbes: a source that sends little and could use more learns what the path takes. Padding tries it out, and
// the other end sees none of it.
func TestTrafficProbes(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		f, _, b := followWith(t, w, 150_000, func() noom.Room { return w.join("r", "bob", nil) })
		w.SetUpload("지우", noomtest.Link{Bandwidth: 2_000_000})
		m := w.MeterUpload("지우")
		time.Sleep(20 * time.Second)
		if r := report(t, "no probe", f, m); r.Bitrate() > 200_000 {
			t.Errorf("%d bit/s without a probe", r.Bitrate())
		}
		f.link.Want(2_000_000) // until the plan changes
		time.Sleep(20 * time.Second)
		if r := report(t, "probe", f, m); f.link.Target() < 900_000 || r.Bitrate() < 200_000 {
			t.Errorf("target %d after 20 s at %d bit/s", f.link.Target(), r.Bitrate())
		}
		if in, _ := streams(t, b.Peers()[0]); in.PacketsLost != 0 || in.PacketsReceived < 1000 {
			t.Errorf("%d packets received, %d lost", in.PacketsReceived, in.PacketsLost)
		}
	})
}
