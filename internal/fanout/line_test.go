package fanout

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/mediatest"
	"noom/internal/packet"
)

// h264Camera is a static track of pictures of one packet each.
type h264Camera struct {
	*webrtc.TrackLocalStaticRTP
	sent uint16
}

func newH264Camera(t *testing.T) *h264Camera {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000}, "x", "y")
	must(t, err)
	return &h264Camera{TrackLocalStaticRTP: track}
}

func (c *h264Camera) show(t *testing.T, mark byte, keyframe bool) []byte {
	t.Helper()
	payload := []byte{0x41, 0x80, mark}
	if keyframe {
		payload[0] = 0x65
	}
	c.sent++
	must(t, c.WriteRTP(&rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, SequenceNumber: c.sent, Timestamp: uint32(c.sent) * 3000},
		Payload: payload,
	}))
	synctest.Wait()
	return payload
}

// h264Leg returns a leg of another codec for s.
func h264Leg(t *testing.T, s *Sender) (*Leg, *wireTap) {
	t.Helper()
	codecs := packet.CodecsFor(webrtc.RTPCodecTypeVideo)
	h264 := codecs[slices.IndexFunc(codecs, func(c webrtc.RTPCodecParameters) bool { return c.MimeType == webrtc.MimeTypeH264 })]
	l, w := NewLeg(h264.RTPCodecCapability, "방", nil), &wireTap{}
	l.Attach(s)
	bindLeg(t, l, w)
	l.Connected()
	return l, w
}

// TestEncodingsOfAnotherCodec: a leg of the former codec is sent what it was, while one of the new codec is sent what it
// chooses of the new encodings, of which those are open that were. What the former one had is unbound once it is gone.
func TestEncodingsOfAnotherCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vp8 := []*mediatest.DeviceCamera{mediatest.NewDeviceCamera(), mediatest.NewDeviceCamera()}
		high, low := newH264Camera(t), newH264Camera(t)
		s, err := NewSender(vp8[0], Options{Encodings: []Encoding{{Track: vp8[0]}, {Track: vp8[1]}}}, Hooks{
			OnChange: func() {}, OnClose: func() {},
			Layers: func(t webrtc.TrackLocal) []Encoding {
				if t == webrtc.TrackLocal(high) {
					return []Encoding{{Track: high}, {Track: low}}
				}
				return nil
			},
		})
		must(t, err)
		defer func() { must(t, s.Close()) }()
		former, formerWire := boundLeg(t, s)
		former.Connected()
		must(t, s.SetOpen(1, true))
		former.Choose(1)
		must(t, s.SetOpen(0, false))
		var number uint32
		want := mediatest.Show(t, vp8[1], &number, 3, true)

		must(t, s.ReplaceTrack(high))
		if states := s.Encodings(); len(states) != 2 || states[0].Open || !states[1].Open || s.Codec().MimeType != webrtc.MimeTypeH264 {
			t.Errorf("%+v in %s", states, s.Codec().MimeType)
		}
		if former.Fits(s) {
			t.Error("the former leg still fits")
		}
		want = append(want, mediatest.Show(t, vp8[1], &number, 2, false)...)
		l, wire := h264Leg(t, s)
		flows := make(chan struct{})
		l.OnFlow(func() { close(flows) })
		l.Choose(1)
		low.show(t, 1, false)
		checkBound(t, "before its key frame", vp8, 0, 1)
		time.Sleep(2 * formerTime)
		checkBound(t, "a long time before its key frame", vp8, 0, 1)
		first := low.show(t, 2, true)
		<-flows
		high.show(t, 3, true)
		second := low.show(t, 4, false)
		want = append(want, mediatest.Show(t, vp8[1], &number, 2, false)...)
		former.Detach()
		checkBound(t, "when the former leg is gone", vp8, 0, 0)
		if got := formerWire.frames(t); !slices.Equal(got, want) {
			t.Errorf("the former leg got frames %v, want %v", got, want)
		}
		if got := wire.took(t); len(got) != 2 || !slices.Equal(got[0], first) || !slices.Equal(got[1], second) {
			t.Errorf("the new leg got %v, want %v and %v", got, first, second)
		}
	})
}

// TestFormerCodecEnds: what legs of the former codec are sent ends some seconds after the new one has begun, and they go
// on when the sender has their codec again.
func TestFormerCodecEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := mediatest.NewDeviceCamera(), mediatest.NewDeviceCamera()
		other := newH264Camera(t)
		s := publishTrack(t, first)
		l, wire := boundLeg(t, s)
		l.Connected()
		var number uint32
		want := mediatest.Show(t, first, &number, 3, true)
		must(t, s.ReplaceTrack(other))
		other.show(t, 1, true)
		checkBound(t, "at first", []*mediatest.DeviceCamera{first}, 1)
		time.Sleep(formerTime + time.Millisecond)
		checkBound(t, "later", []*mediatest.DeviceCamera{first}, 0)
		must(t, s.ReplaceTrack(second))
		if !l.Fits(s) {
			t.Error("the leg does not fit again")
		}
		want = append(want, mediatest.Show(t, second, &number, 3, true)...)
		if got := wire.frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
	})
}
