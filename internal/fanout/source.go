package fanout

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
	"noom/internal/speaker"
)

// source is one binding of a sender to a TrackLocal. To the track it looks like a peer
// connection: it is the webrtc.TrackLocalContext, the writer and the RTCP reader of the
// binding in one.
type source struct {
	// Immutable.
	track   webrtc.TrackLocal
	sender  *Sender
	feed    *feed // whose source it is
	id      string
	ssrc    webrtc.SSRC
	offered []webrtc.RTPCodecParameters
	stereo  bool         // it may send two channels
	leveler audioLeveler // nil: the track does not know its level

	controller bitrateController // nil: the track makes what it makes

	requests chan struct{} // holds a key-frame request until the track reads it
	done     chan struct{} // closed by unbind
	once     sync.Once

	// Guarded by the sender's mu.
	keyframes bool                 // there was a key frame
	keyframe  uint32               // the timestamp of the latest
	sets      packet.ParameterSets // of H.264
	layers    packet.LayerReader

	mu     sync.Mutex
	asked  time.Time     // when the last request was made
	wanted bool          // another was wanted since, and no key frame has begun since then
	pause  time.Duration // after which to ask again if the next request brings nothing
	again  *time.Timer   // checks whether to ask again; nil: there is no need to
	due    time.Time     // when again fires
	looks  int           // how many timers there have been

	governor governor
	telling  bool        // a goroutine tells the track its target
	telltale *time.Timer // tells it later; nil: there is no need to
}

// audioLeveler is noom.AudioLeveler: a track that knows the level, in dBov, of the packet
// that it is writing.
type audioLeveler interface {
	AudioLevel() (dBov int, ok bool)
}

// bindTrack binds t for f and returns the format of offered that carries it. Packets may
// come before it returns.
func bindTrack(f *feed, t webrtc.TrackLocal, offered []webrtc.RTPCodecParameters) (*source, webrtc.RTPCodecParameters, error) {
	src := &source{
		track:    t,
		sender:   f.sender,
		feed:     f,
		id:       rand.Text(),
		ssrc:     webrtc.SSRC(mathrand.Uint32()),
		offered:  packet.AlsoMono(offered),
		requests: make(chan struct{}, 1),
		done:     make(chan struct{}),
		pause:    keyframeInterval,
	}
	if kindOf(t) == webrtc.RTPCodecTypeAudio {
		src.leveler, _ = t.(audioLeveler)
	}
	src.controller = controllerOf(t)
	chosen, err := t.Bind(src)
	codec := codecOf(t, chosen.RTPCodecCapability)
	if err != nil {
		close(src.done)
		if errors.Is(err, net.ErrClosed) {
			return nil, chosen, err // not because of the codec
		}
		return nil, chosen, fmt.Errorf("%w: %w", packet.WrongCodec(codec, offered), err)
	}
	format, ok := formatFor(chosen, codec, offered)
	if !ok {
		src.unbind()
		return nil, chosen, packet.WrongCodec(codec, offered)
	}
	src.stereo, src.layers = packet.SendsStereo(codec), packet.NewLayerReader(format.MimeType)
	return src, format, nil
}

// codecOf returns the codec of a track that has chosen one. If the track has a Codec method,
// that decides, because pion's static tracks choose by MIME type alone if they find nothing
// better.
func codecOf(t webrtc.TrackLocal, chosen webrtc.RTPCodecCapability) webrtc.RTPCodecCapability {
	if static, ok := t.(interface {
		Codec() webrtc.RTPCodecCapability
	}); ok {
		return static.Codec()
	}
	return chosen
}

// kindOf returns the kind of a track. pion's static tracks recognise theirs only if the MIME
// type is in lower case.
func kindOf(t webrtc.TrackLocal) webrtc.RTPCodecType {
	if kind := t.Kind(); kind != 0 {
		return kind
	}
	name, _, _ := strings.Cut(codecOf(t, webrtc.RTPCodecCapability{}).MimeType, "/")
	return webrtc.NewRTPCodecType(strings.ToLower(name))
}

// formatFor returns the format among offered that carries codec. It prefers the one that
// the track has chosen.
func formatFor(
	chosen webrtc.RTPCodecParameters, codec webrtc.RTPCodecCapability, offered []webrtc.RTPCodecParameters,
) (webrtc.RTPCodecParameters, bool) {
	for _, format := range offered {
		if format.PayloadType == chosen.PayloadType && packet.Carries(format.RTPCodecCapability, codec) {
			return format, true
		}
	}
	for _, format := range offered {
		if packet.Carries(format.RTPCodecCapability, codec) {
			return format, true
		}
	}
	return webrtc.RTPCodecParameters{}, false
}

// unbind unbinds the source from its track. It may wait for the track, and may be called
// twice.
func (s *source) unbind() {
	s.once.Do(func() {
		close(s.done)
		s.mu.Lock()
		if s.again != nil {
			s.again.Stop()
			s.again = nil
		}
		if s.telltale != nil {
			s.telltale.Stop()
			s.telltale = nil
		}
		s.mu.Unlock()
		_ = s.track.Unbind(s) // we are done with the track, even if this fails
	})
}

// audioLevel returns the extension for the packet that the track is writing, or nil if
// the track does not know its level.
func (s *source) audioLevel() []byte {
	if s.leveler == nil {
		return nil
	}
	dBov, ok := s.leveler.AudioLevel()
	if !ok {
		return nil
	}
	return []byte{packet.LevelVoice | byte(-min(max(dBov, speaker.Silence), 0))}
}

// readRTCP gives the track its key-frame requests. Once the source is unbound it returns
// io.EOF, on which every known TrackLocal stops reading.
func (s *source) readRTCP(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
	select {
	case <-s.done:
		return 0, a, io.EOF
	case <-s.requests:
	}
	pli, err := (&rtcp.PictureLossIndication{MediaSSRC: uint32(s.ssrc)}).Marshal()
	if err != nil {
		return 0, a, err
	}
	if len(b) < len(pli) {
		return 0, a, io.ErrShortBuffer
	}
	return copy(b, pli), a, nil
}

// WriteRTP passes a packet to the sender. It never fails, because some tracks stop for
// good at the first error.
func (s *source) WriteRTP(header *rtp.Header, payload []byte) (int, error) {
	s.sender.deliver(s, header, payload)
	return header.MarshalSize() + len(payload), nil
}

// Write is WriteRTP for a packet in wire form.
func (s *source) Write(b []byte) (int, error) {
	var p rtp.Packet
	if err := p.Unmarshal(b); err != nil {
		return 0, errors.Join(errors.New("noom: not an RTP packet"), err)
	}
	return s.WriteRTP(&p.Header, p.Payload)
}

// The rest of webrtc.TrackLocalContext.

func (s *source) CodecParameters() []webrtc.RTPCodecParameters { return s.offered }
func (s *source) SSRC() webrtc.SSRC                            { return s.ssrc }
func (s *source) SSRCRetransmission() webrtc.SSRC              { return 0 }
func (s *source) SSRCForwardErrorCorrection() webrtc.SSRC      { return 0 }
func (s *source) WriteStream() webrtc.TrackLocalWriter         { return s }
func (s *source) ID() string                                   { return s.id }
func (s *source) RTCPReader() interceptor.RTCPReader           { return interceptor.RTCPReaderFunc(s.readRTCP) }

// HeaderExtensions returns the only one that is read: with it, a source of AV1 marks its layers. Each leg has
// extensions of its own, and the audio level comes from the track, because a packet's own extensions may be anything.
func (s *source) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	if s.sender.kind != webrtc.RTPCodecTypeVideo {
		return nil
	}
	return []webrtc.RTPHeaderExtensionParameter{{URI: packet.DependencyURI, ID: packet.DependencyID}}
}
