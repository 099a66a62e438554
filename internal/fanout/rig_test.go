package fanout

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"noom/internal/mediatest"
	"noom/internal/packet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// publishTrack returns a sender with hooks that do nothing.
func publishTrack(t *testing.T, track webrtc.TrackLocal) *Sender {
	t.Helper()
	s, err := NewSender(track, Options{Name: "카메라"}, Hooks{OnChange: func() {}, OnClose: func() {}})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// legOf returns a new leg of s.
func legOf(s *Sender) *Leg {
	l := NewLeg(s.codec.RTPCodecCapability, "방", nil)
	l.Attach(s)
	return l
}

// receiver is the far end of some legs. It reads all the time.
type receiver struct {
	pc     *webrtc.PeerConnection
	mu     sync.Mutex
	tracks []*webrtc.TrackRemote
	tapes  []*mediatest.Tape
}

// receiveLegs connects legs to a new peer and waits until media can flow.
func receiveLegs(t *testing.T, network *mediatest.Network, legs []*Leg, known ...webrtc.RTPCodecParameters) *receiver {
	t.Helper()
	call := network.NewCall(t, known...)
	r := &receiver{pc: call.In}
	call.In.OnTrack(func(tr *webrtc.TrackRemote, rtpReceiver *webrtc.RTPReceiver) {
		go drainRTCP(rtpReceiver)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tracks, r.tapes = append(r.tracks, tr), append(r.tapes, mediatest.Record(packetsOf(tr)))
	})
	mediatest.Connect(t, call, legs)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r
}

// packetsOf returns the packets of tr until it ends.
func packetsOf(tr *webrtc.TrackRemote) iter.Seq[*rtp.Packet] {
	return func(yield func(*rtp.Packet) bool) {
		for {
			p, _, err := tr.ReadRTP()
			if errors.Is(err, webrtc.ErrCodecNotFound) {
				continue // the packet came before the answer was applied
			}
			if err != nil || !yield(p) {
				return
			}
		}
	}
}

// drainRTCP reads RTCP, because r's interceptors work only while it is read.
func drainRTCP(r *webrtc.RTPReceiver) {
	for {
		if _, _, err := r.ReadRTCP(); err != nil {
			return
		}
	}
}

// requestKeyframe asks for a key frame of the first track.
func (r *receiver) requestKeyframe(t *testing.T) {
	t.Helper()
	must(t, r.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(r.tracks[0].SSRC())}}))
}

// wireTap stands for a connection and keeps what is written to it.
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

// headers waits for queued packets and returns all headers. It needs a bubble.
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
	return []webrtc.RTPHeaderExtensionParameter{
		{URI: sdp.SDESMidURI, ID: 4}, {URI: sdp.AudioLevelURI, ID: 9}, {URI: packet.DependencyURI, ID: 12},
	}
}
func (b binding) RTCPReader() interceptor.RTCPReader { return nil }

func bindLeg(tb testing.TB, l *Leg, w webrtc.TrackLocalWriter) {
	tb.Helper()
	tb.Cleanup(func() { _ = l.Unbind(binding{}) })
	if _, err := l.Bind(binding{stream: w, codecs: packet.CodecsFor(l.Kind())}); err != nil {
		tb.Fatal(err)
	}
}

func boundLeg(t *testing.T, s *Sender) (*Leg, *wireTap) {
	t.Helper()
	w := &wireTap{}
	l := legOf(s)
	bindLeg(t, l, w)
	return l, w
}
