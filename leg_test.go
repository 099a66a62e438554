package noom

import (
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// wireTap takes the place of a connection: it keeps the headers written to it.
type wireTap struct {
	mu   sync.Mutex
	got  []rtp.Header
	sent [][]byte // the payloads
	err  error    // to return
	down bool     // DTLS is not up: pion takes packets and drops them

	slow chan struct{} // if not nil, each packet waits for an element
}

func (w *wireTap) WriteRTP(header *rtp.Header, payload []byte) (int, error) {
	if w.slow != nil {
		<-w.slow
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.down {
		return 0, w.err
	}
	w.got = append(w.got, header.Clone())
	w.sent = append(w.sent, slices.Clone(payload))
	return header.MarshalSize() + len(payload), nil
}

func (w *wireTap) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// headers needs a bubble, to wait for what is queued.
func (w *wireTap) headers() []rtp.Header {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

// binding is the context of a leg without a connection.
type binding struct {
	webrtc.TrackLocalContext
	stream webrtc.TrackLocalWriter
	codecs []webrtc.RTPCodecParameters
}

func (b binding) ID() string                                   { return "a" }
func (b binding) SSRC() webrtc.SSRC                            { return 4711 }
func (b binding) WriteStream() webrtc.TrackLocalWriter         { return b.stream }
func (b binding) CodecParameters() []webrtc.RTPCodecParameters { return b.codecs }
func (b binding) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	return []webrtc.RTPHeaderExtensionParameter{{URI: sdp.SDESMidURI, ID: 4}, {URI: sdp.AudioLevelURI, ID: 9}}
}
func (b binding) RTCPReader() interceptor.RTCPReader { return nil }

func bindTo(tb testing.TB, l *leg, w webrtc.TrackLocalWriter) {
	tb.Helper()
	tb.Cleanup(func() { _ = l.Unbind(binding{}) })
	if _, err := l.Bind(binding{stream: w, codecs: packet.CodecsFor(l.Kind())}); err != nil {
		tb.Fatal(err)
	}
}

func boundLeg(t *testing.T, s *sender) (*leg, *wireTap) {
	t.Helper()
	w := &wireTap{}
	l := legOf(s)
	bindTo(t, l, w)
	return l, w
}

func TestLegIsReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newMediaNet(t)
		first := newDeviceCamera()
		s := publish(t, first)
		l := legOf(s)
		peer := network.receive(t, []*leg{l})
		var number uint32
		want := show(t, first, &number, 3, true)
		must(t, s.Close())
		time.Sleep(time.Second)

		second := newRTPCamera(t)
		other := publish(t, second)
		if !l.fits(other) {
			t.Fatal("a sender of the same codec does not fit")
		}
		show(t, second, &number, 2, true)
		l.attach(other)
		show(t, second, &number, 2, false)
		want = append(want, show(t, second, &number, 3, true)...)
		if got := peer.tapes[0].frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
		for _, packet := range peer.tapes[0].all(t) {
			if packet.PayloadType != 96 || packet.Extension {
				t.Fatalf("header %+v", packet.Header)
			}
		}
	})
}

func TestLateLegStartsAtAKeyframe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newMediaNet(t)
		source := newDeviceCamera()
		s := publish(t, source)
		early := network.receive(t, []*leg{legOf(s)})
		var number uint32
		all := show(t, source, &number, 30, true)

		l := newLeg(s.codec.RTPCodecCapability, "방")
		late := network.receive(t, []*leg{l})
		before, _, _ := source.asked()
		l.attach(s)
		if after, _, _ := source.asked(); after != before+1 {
			t.Errorf("asked %d times for a key frame", after-before)
		}
		all = append(all, show(t, source, &number, 5, false)...)
		want := show(t, source, &number, 5, true)
		all = append(all, want...)
		if got := early.tapes[0].frames(t); !slices.Equal(got, all) {
			t.Errorf("early: frames %v, want %v", got, all)
		}
		if got := late.tapes[0].frames(t); !slices.Equal(got, want) {
			t.Errorf("late: frames %v, want %v", got, want)
		}
	})
}

// An H.264 key frame begins with its parameter sets; who comes between them and
// the picture waits, and is not taken for served.
func TestLegComesInTheMiddleOfAKeyframe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "x", "y")
		must(t, err)
		s := publish(t, track)
		first, early := boundLeg(t, s)
		var seq uint16
		send := func(timestamp uint32, payload ...byte) {
			seq++
			must(t, track.WriteRTP(&rtp.Packet{
				Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: timestamp}, Payload: payload,
			}))
		}
		first.connected()
		<-s.current.requests
		send(1, 0x67, 0x42, 0xe0)
		second, late := boundLeg(t, s)
		second.connected()
		send(1, 0x65, 0x88, 0x84)
		if a, b := len(early.headers()), len(late.headers()); a != 2 || b != 0 {
			t.Errorf("%d and %d packets, want 2 and 0", a, b)
		}
		time.Sleep(keyframeInterval)
		synctest.Wait()
		if len(s.current.requests) != 1 {
			t.Error("nobody asked for another key frame")
		}
		send(2, 0x67, 0x42, 0xe0)
		if n := len(late.headers()); n != 1 {
			t.Errorf("%d packets, want 1", n)
		}
	})
}

// A peer that does not know the codec must not disturb the negotiation, nor
// its other track, nor anybody else.
func TestRefusedCodecIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newMediaNet(t)
		source := newSampleCamera(t)
		s := publish(t, source)
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1}, "x", "y")
		must(t, err)
		unknown := publish(t, track)
		ok, refused := legOf(s), legOf(unknown)
		peer := network.receive(t, []*leg{ok, refused}, packet.CodecsFor(webrtc.RTPCodecTypeVideo)[0])
		if ok.refused() || !refused.refused() {
			t.Errorf("refused: VP8 %v, AV1 %v", ok.refused(), refused.refused())
		}
		var number uint32
		for range 3 {
			_, err := unknown.current.WriteRTP(&rtp.Header{Version: 2, SequenceNumber: uint16(number)}, []byte{0x08, 0x0a})
			must(t, err)
		}
		want := show(t, source, &number, 3, true)
		var got [][]uint32
		for _, tape := range peer.tapes {
			if frames := tape.frames(t); len(frames) > 0 {
				got = append(got, frames)
			}
		}
		if len(got) != 1 || !slices.Equal(got[0], want) {
			t.Errorf("frames %v, want %v alone", got, want)
		}
	})
}

// What pion drops before DTLS is up must not count as the first key frame.
func TestLegWaitsForTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newDeviceCamera()
		s := publish(t, source)
		l, wire := boundLeg(t, s)
		wire.down = true
		var number uint32
		show(t, source, &number, 30, true)
		wire.down = false
		before, _, _ := source.asked()
		l.connected()
		if after, _, _ := source.asked(); after != before+1 {
			t.Errorf("asked %d times for a key frame", after-before)
		}
		show(t, source, &number, 3, false)
		if n := len(wire.headers()); n != 0 {
			t.Fatalf("%d packets before a key frame", n)
		}
		show(t, source, &number, 2, true)
		if n := len(wire.headers()); n != 6 {
			t.Errorf("%d packets, want 6", n)
		}
	})
}

// A key frame that pion has thrown away although the connection was up is asked for again.
func TestKeyframeThrownAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newDeviceCamera()
		s := publish(t, source)
		l, wire := boundLeg(t, s)
		l.connected()
		wire.down = true
		var number uint32
		show(t, source, &number, 1, true)
		wire.down = false
		show(t, source, &number, 1, false)
		time.Sleep(keyframeInterval)
		if requests, _, _ := source.asked(); requests != 2 {
			t.Errorf("asked %d times, want 2", requests)
		}
		show(t, source, &number, 1, true)
		if n := len(wire.headers()); n != 3 {
			t.Errorf("%d packets, want 3", n)
		}
	})
}

func TestBrokenLegStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newDeviceCamera()
		s := publish(t, source)
		_, broken := boundLeg(t, s)
		broken.err = io.ErrClosedPipe
		unbound := legOf(s)
		gone, silent := boundLeg(t, s)
		must(t, gone.Unbind(binding{}))
		_, good := boundLeg(t, s)
		var number uint32
		show(t, source, &number, 4, true)
		if n := len(good.headers()); n != 12 {
			t.Errorf("%d packets, want 12", n)
		}
		if n := len(silent.headers()); n != 0 {
			t.Errorf("%d packets after Unbind", n)
		}
		unbound.detach()
	})
}

// A connection that takes nothing for a while costs its own peer some frames,
// and nobody else any.
func TestSlowLegStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newDeviceCamera()
		s := publish(t, source)
		_, good := boundLeg(t, s)
		l, slow := boundLeg(t, s)
		slow.slow = make(chan struct{})
		l.connected()
		var number uint32
		show(t, source, &number, videoQueue/3+50, true)
		if n := len(good.headers()); n != videoQueue/3*3+150 {
			t.Errorf("the good leg got %d packets", n)
		}
		before, _, _ := source.asked()
		close(slow.slow)
		if after, _, _ := source.asked(); after != before+1 {
			t.Errorf("asked %d times for a key frame", after-before)
		}
		show(t, source, &number, 2, false)
		headers := slow.headers()
		if n := len(headers); n != videoQueue+1 {
			t.Errorf("the slow leg got %d packets, want %d", n, videoQueue+1)
		}
		show(t, source, &number, 2, true)
		headers = slow.headers()
		if n := len(headers); n != videoQueue+7 {
			t.Errorf("the slow leg got %d packets, want %d", n, videoQueue+7)
		}
		for i, h := range headers[1:] {
			if h.SequenceNumber != headers[i].SequenceNumber+1 {
				t.Errorf("packet %d: sequence number moves by %d", i+1, h.SequenceNumber-headers[i].SequenceNumber)
			}
		}
	})
}

func TestLegRewritesHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track, err := webrtc.NewTrackLocalStaticRTP(vp8, "x", "y")
		must(t, err)
		s := publish(t, track)
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
		if h := got[0]; h.PayloadType != 96 || h.SSRC != 4711 || h.Extension || len(h.Extensions) != 0 ||
			!h.Marker || !h.Padding || h.PaddingSize != 7 || !slices.Equal(h.CSRC, []uint32{5}) {
			t.Errorf("header %+v", h)
		}
		if h := got[1]; h.Padding || h.PaddingSize != 0 {
			t.Errorf("padding without size: %+v", h)
		}
		if got[1].SequenceNumber-got[0].SequenceNumber != 1 || got[1].Timestamp-got[0].Timestamp != 1 {
			t.Error("the seam at the wrap shows")
		}
		if !packet.Extension || len(packet.CSRC) != len(before.CSRC) || packet.SSRC != 99 {
			t.Error("the source's packet was changed")
		}
	})
}

// A packet of the run before, overtaken by a swap, must not turn the stream back.
func TestLegDropsWhatWasOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publish(t, newSampleCamera(t))
		l, wire := boundLeg(t, s)
		before, after := &run{number: 1, seq: 10}, &run{number: 2, seq: 500}
		for i, r := range []*run{before, after, before, after} {
			l.write(s, r, true, &rtp.Header{SequenceNumber: r.seq + uint16(i)}, nil, wrap(0x10, []byte{0x10, 0}, nil), time.Now())
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
	vp8Only := webrtc.RTPCodecParameters{PayloadType: 43, RTPCodecCapability: vp8}
	codec := packet.CodecsFor(webrtc.RTPCodecTypeVideo)[1].RTPCodecCapability
	for name, test := range map[string]struct {
		negotiated []webrtc.RTPCodecParameters
		want       webrtc.PayloadType
		refused    bool
	}{
		"the same profile":          {[]webrtc.RTPCodecParameters{rtx, high, single, constrained}, 41, false},
		"a higher one":              {[]webrtc.RTPCodecParameters{rtx, single, high}, 40, false},
		"none that takes fragments": {[]webrtc.RTPCodecParameters{rtx, single}, 42, true},
		"another codec":             {[]webrtc.RTPCodecParameters{rtx, vp8Only}, 43, true},
		"nothing":                   {nil, 0, true},
	} {
		l := newLeg(codec, "방")
		got, err := l.Bind(binding{stream: &wireTap{}, codecs: test.negotiated})
		if err != nil || got.PayloadType != test.want || l.refused() != test.refused {
			t.Errorf("%s: payload type %d, refused %v, %v", name, got.PayloadType, l.refused(), err)
		}
		must(t, l.Unbind(binding{}))
	}
}

// Many goroutines write while legs come and go and the source is swapped; what
// a leg gets must be one stream all the same. It is for the race detector.
func TestWritersLegsAndSwapsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newRTPCamera(t), newRTPCamera(t)
		s := publish(t, first)
		_, wire := boundLeg(t, s)
		var wg sync.WaitGroup
		for i, c := range []rtpCamera{first, second, first, second} {
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
				s.requestKeyframe()
			}
		})
		wg.Go(func() {
			for range 50 {
				l, _ := boundLeg(t, s)
				l.connected()
				l.detach()
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
