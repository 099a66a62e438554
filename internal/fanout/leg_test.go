package fanout

import (
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/mediatest"
	"noom/internal/packet"
)

func TestLegIsReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		first := mediatest.NewDeviceCamera()
		s := publishTrack(t, first)
		l := legOf(s)
		peer := receiveLegs(t, network, []*Leg{l})
		var number uint32
		want := mediatest.Show(t, first, &number, 3, true)
		must(t, s.Close())
		time.Sleep(time.Second)

		second := mediatest.NewRTPCamera(t)
		other := publishTrack(t, second)
		if !l.Fits(other) {
			t.Fatal("a sender of the same codec does not fit")
		}
		mediatest.Show(t, second, &number, 2, true)
		l.Attach(other)
		mediatest.Show(t, second, &number, 2, false)
		want = append(want, mediatest.Show(t, second, &number, 3, true)...)
		if got := peer.tapes[0].Frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
		for _, packet := range peer.tapes[0].All(t) {
			if packet.PayloadType != 35 || packet.Extension {
				t.Fatalf("header %+v", packet.Header)
			}
		}
	})
}

func TestLateLegStartsAtAKeyframe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		early := receiveLegs(t, network, []*Leg{legOf(s)})
		var number uint32
		all := mediatest.Show(t, source, &number, 30, true)

		l := NewLeg(s.codec.RTPCodecCapability, "방", nil)
		late := receiveLegs(t, network, []*Leg{l})
		before, _, _ := source.Asked()
		l.Attach(s)
		if after, _, _ := source.Asked(); after != before+1 {
			t.Errorf("asked %d times for a key frame", after-before)
		}
		all = append(all, mediatest.Show(t, source, &number, 5, false)...)
		want := mediatest.Show(t, source, &number, 5, true)
		all = append(all, want...)
		if got := early.tapes[0].Frames(t); !slices.Equal(got, all) {
			t.Errorf("early: frames %v, want %v", got, all)
		}
		if got := late.tapes[0].Frames(t); !slices.Equal(got, want) {
			t.Errorf("late: frames %v, want %v", got, want)
		}
	})
}

// TestLegAttachedInTheMiddleOfAKeyframe: an H.264 key frame begins with its parameter sets. A
// leg that is attached between them and the picture waits, and asks for another key frame.
func TestLegAttachedInTheMiddleOfAKeyframe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "x", "y")
		must(t, err)
		s := publishTrack(t, track)
		first, early := boundLeg(t, s)
		var seq uint16
		send := func(timestamp uint32, payload ...byte) {
			seq++
			must(t, track.WriteRTP(&rtp.Packet{
				Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: timestamp}, Payload: payload,
			}))
		}
		first.Connected()
		<-s.feeds[0].current.requests
		send(1, 0x67, 0x42, 0xe0)
		second, late := boundLeg(t, s)
		second.Connected()
		send(1, 0x65, 0x88, 0x84)
		if a, b := len(early.headers()), len(late.headers()); a != 2 || b != 0 {
			t.Errorf("%d and %d packets, want 2 and 0", a, b)
		}
		time.Sleep(keyframeInterval)
		synctest.Wait()
		if len(s.feeds[0].current.requests) != 1 {
			t.Error("no request for another key frame")
		}
		send(2, 0x67, 0x42, 0xe0)
		if n := len(late.headers()); n != 1 {
			t.Errorf("%d packets, want 1", n)
		}
	})
}

// TestRefusedCodecIsSilent: a codec that the peer does not know disturbs neither the
// negotiation nor other tracks.
func TestRefusedCodecIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		source := mediatest.NewSampleCamera(t)
		s := publishTrack(t, source)
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1}, "x", "y")
		must(t, err)
		unknown := publishTrack(t, track)
		ok, refused := legOf(s), legOf(unknown)
		peer := receiveLegs(t, network, []*Leg{ok, refused}, packet.CodecsFor(webrtc.RTPCodecTypeVideo)[0])
		if ok.Refused() || !refused.Refused() {
			t.Errorf("refused: VP8 %v, AV1 %v", ok.Refused(), refused.Refused())
		}
		var number uint32
		for range 3 {
			_, err := unknown.feeds[0].current.WriteRTP(&rtp.Header{Version: 2, SequenceNumber: uint16(number)}, []byte{0x08, 0x0a})
			must(t, err)
		}
		want := mediatest.Show(t, source, &number, 3, true)
		var got [][]uint32
		for _, tape := range peer.tapes {
			if frames := tape.Frames(t); len(frames) > 0 {
				got = append(got, frames)
			}
		}
		if len(got) != 1 || !slices.Equal(got[0], want) {
			t.Errorf("frames %v, want %v alone", got, want)
		}
	})
}

// TestLegWaitsForTheConnection: a key frame that pion drops before DTLS is up does not count.
func TestLegWaitsForTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		l, wire := boundLeg(t, s)
		wire.down = true
		var number uint32
		mediatest.Show(t, source, &number, 30, true)
		wire.down = false
		before, _, _ := source.Asked()
		l.Connected()
		if after, _, _ := source.Asked(); after != before+1 {
			t.Errorf("asked %d times for a key frame", after-before)
		}
		mediatest.Show(t, source, &number, 3, false)
		if n := len(wire.headers()); n != 0 {
			t.Fatalf("%d packets before a key frame", n)
		}
		mediatest.Show(t, source, &number, 2, true)
		if n := len(wire.headers()); n != 6 {
			t.Errorf("%d packets, want 6", n)
		}
	})
}

// TestDroppedKeyframeIsRequestedAgain: pion may drop a key frame although the connection was up.
func TestDroppedKeyframeIsRequestedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		l, wire := boundLeg(t, s)
		l.Connected()
		wire.down = true
		var number uint32
		mediatest.Show(t, source, &number, 1, true)
		wire.down = false
		mediatest.Show(t, source, &number, 1, false)
		time.Sleep(keyframeInterval)
		if requests, _, _ := source.Asked(); requests != 2 {
			t.Errorf("asked %d times, want 2", requests)
		}
		mediatest.Show(t, source, &number, 1, true)
		if n := len(wire.headers()); n != 3 {
			t.Errorf("%d packets, want 3", n)
		}
	})
}

func TestBrokenLegStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		_, broken := boundLeg(t, s)
		broken.err = io.ErrClosedPipe
		unbound := legOf(s)
		gone, silent := boundLeg(t, s)
		must(t, gone.Unbind(binding{}))
		_, good := boundLeg(t, s)
		var number uint32
		mediatest.Show(t, source, &number, 4, true)
		if n := len(good.headers()); n != 12 {
			t.Errorf("%d packets, want 12", n)
		}
		if n := len(silent.headers()); n != 0 {
			t.Errorf("%d packets after Unbind", n)
		}
		unbound.Detach()
	})
}

// TestSlowLegStopsNobody: a connection that takes nothing for a while loses frames for its
// own peer only, and what waited too long is not sent.
func TestSlowLegStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		_, good := boundLeg(t, s)
		l, slow := boundLeg(t, s)
		slow.slow = make(chan struct{})
		l.Connected()
		var number uint32
		mediatest.Show(t, source, &number, 100, true)
		if n := len(good.headers()); n != 300 {
			t.Errorf("the good leg got %d packets", n)
		}
		before, _, _ := source.Asked()
		close(slow.slow)
		if after, _, _ := source.Asked(); after != before+1 {
			t.Errorf("asked %d times for a key frame", after-before)
		}
		mediatest.Show(t, source, &number, 2, false)
		// The frame that was being written leaves as a whole.
		if n := len(slow.headers()); n != 3 {
			t.Errorf("the slow leg got %d packets, want 3", n)
		}
		mediatest.Show(t, source, &number, 2, true)
		headers := slow.headers()
		if n := len(headers); n != 9 {
			t.Errorf("the slow leg got %d packets, want 9", n)
		}
		for i, h := range headers[1:] {
			if h.SequenceNumber != headers[i].SequenceNumber+1 {
				t.Errorf("packet %d: sequence number moves by %d", i+1, h.SequenceNumber-headers[i].SequenceNumber)
			}
		}
		if step, want := headers[3].Timestamp-headers[0].Timestamp, uint32(102*mediatest.FrameTime.Milliseconds()*90); step != want {
			t.Errorf("the timestamp moves by %d over what was left out, want %d", step, want)
		}
	})
}

func TestLegRewritesHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "x", "y")
		must(t, err)
		s := publishTrack(t, track)
		_, wire := boundLeg(t, s)
		packet := &rtp.Packet{
			Header: rtp.Header{
				Version: 2, Marker: true, PayloadType: 77, SequenceNumber: 65535, Timestamp: 1<<32 - 1, SSRC: 99,
				CSRC: []uint32{5}, Padding: true, PaddingSize: 7,
			},
			Payload: []byte{0x10, 0, 0},
		}
		must(t, packet.SetExtension(3, []byte{1}))
		before := packet.Clone()
		must(t, track.WriteRTP(packet))
		packet.SequenceNumber, packet.Timestamp = 0, 0
		packet.Header.PaddingSize = 0 // a padding bit without padding
		must(t, track.WriteRTP(packet))

		got := wire.headers()
		if len(got) != 2 {
			t.Fatalf("%d packets, want 2", len(got))
		}
		if h := got[0]; h.PayloadType != 35 || h.SSRC != 4711 || h.Extension || len(h.Extensions) != 0 ||
			!h.Marker || !h.Padding || h.PaddingSize != 7 || !slices.Equal(h.CSRC, []uint32{5}) {
			t.Errorf("header %+v", h)
		}
		if h := got[1]; h.Padding || h.PaddingSize != 0 {
			t.Errorf("padding without size: %+v", h)
		}
		if got[1].SequenceNumber-got[0].SequenceNumber != 1 || got[1].Timestamp-got[0].Timestamp != 1 {
			t.Error("the numbers jump where they wrap")
		}
		if !packet.Extension || len(packet.CSRC) != len(before.CSRC) || packet.SSRC != 99 {
			t.Error("the source's packet was changed")
		}
	})
}

// TestLegDropsOvertakenPackets: after a swap, a late packet of the run before does not switch the stream back.
func TestLegDropsOvertakenPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishTrack(t, mediatest.NewSampleCamera(t))
		l, wire := boundLeg(t, s)
		f := s.feeds[0]
		before, after := &packetRun{feed: f, number: 1, seq: 10}, &packetRun{feed: f, number: 2, seq: 500}
		for i, r := range []*packetRun{before, after, before, after} {
			header := &rtp.Header{SequenceNumber: r.seq + uint16(i)}
			l.write(s, &delivery{run: r, keyframe: true, header: header, parcel: newParcel(0x10, []byte{0x10, 0}, nil), at: time.Now()})
		}
		if n := len(wire.headers()); n != 3 {
			t.Errorf("%d packets, want 3", n)
		}
	})
}

func TestLegChoosesItsFormat(t *testing.T) {
	h264 := func(pt webrtc.PayloadType, fmtp string) webrtc.RTPCodecParameters {
		return webrtc.RTPCodecParameters{PayloadType: pt, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: "video/h264", ClockRate: 90000, SDPFmtpLine: fmtp,
		}}
	}
	rtx := webrtc.RTPCodecParameters{PayloadType: 30, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX}}
	high := h264(40, "packetization-mode=1;profile-level-id=64001f")
	constrained := h264(41, "profile-level-id=42E01F;packetization-mode=1;level-asymmetry-allowed=1")
	single := h264(42, "profile-level-id=42e01f")
	vp8Only := webrtc.RTPCodecParameters{PayloadType: 43, RTPCodecCapability: mediatest.VP8}
	codec := packet.CodecsFor(webrtc.RTPCodecTypeVideo)[1].RTPCodecCapability
	for name, test := range map[string]struct {
		negotiated []webrtc.RTPCodecParameters
		want       webrtc.PayloadType
		refused    bool
	}{
		"the same profile":          {[]webrtc.RTPCodecParameters{rtx, high, single, constrained}, 41, false},
		"a higher profile":          {[]webrtc.RTPCodecParameters{rtx, single, high}, 40, false},
		"none that takes fragments": {[]webrtc.RTPCodecParameters{rtx, single}, 42, true},
		"another codec":             {[]webrtc.RTPCodecParameters{rtx, vp8Only}, 43, true},
		"nothing":                   {nil, 0, true},
	} {
		l := NewLeg(codec, "방", nil)
		got, err := l.Bind(binding{stream: &wireTap{}, codecs: test.negotiated})
		if err != nil || got.PayloadType != test.want || l.Refused() != test.refused {
			t.Errorf("%s: payload type %d, refused %v, %v", name, got.PayloadType, l.Refused(), err)
		}
		must(t, l.Unbind(binding{}))
	}
}

// TestConcurrentWritersLegsAndSwaps: many goroutines write while legs come and go and the
// source is swapped, and a leg still gets one stream. It is for the race detector.
func TestConcurrentWritersLegsAndSwaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := mediatest.NewRTPCamera(t), mediatest.NewRTPCamera(t)
		s := publishTrack(t, first)
		_, wire := boundLeg(t, s)
		var wg sync.WaitGroup
		for i, c := range []mediatest.RTPCamera{first, second, first, second} {
			wg.Go(func() {
				for n := range uint16(500) {
					_ = c.WriteRTP(&rtp.Packet{
						Header:  rtp.Header{Version: 2, SequenceNumber: 1000*uint16(i) + n, Timestamp: uint32(n)},
						Payload: []byte{0x10, 0, 0},
					})
				}
			})
		}
		wg.Go(func() {
			for i := range 50 {
				_ = s.ReplaceTrack([]webrtc.TrackLocal{second, first, nil}[i%3])
				_ = s.SetMuted(i%7 == 0)
				s.requestKeyframe(nil, 0)
			}
		})
		wg.Go(func() {
			for range 50 {
				l, _ := boundLeg(t, s)
				l.Connected()
				l.Detach()
			}
		})
		wg.Wait()
		seen := map[uint16]bool{}
		for _, h := range wire.headers() {
			if seen[h.SequenceNumber] {
				t.Fatalf("sequence number %d was sent twice", h.SequenceNumber)
			}
			seen[h.SequenceNumber] = true
		}
	})
}
