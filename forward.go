package noom

import (
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// Forward returns a track that sends what a peer sends, as it comes: nothing is decoded. Publish it, in the same room or in
// another, to as many peers as you like:
//
//	room.Publish(ctx, noom.Forward(e.Track), nil)
//
// It needs no packet of its source first, and reads it, alongside other readers, only while somebody gets it.
//
//   - Requests for key frames go back to the source, which may be asked for more by others.
//   - Audio levels, and the layers of VP8, VP9 and AV1, are those of the source. Of several encodings it sends the one that
//     [RemoteTrack].Want chooses, which it never calls. The source cannot be told how much to make: a peer whose connection
//     takes less gets fewer layers, or nothing ([SenderPaused]).
//   - While the source is muted or paused, the others see the [Sender] as muted.
//   - If the source gets another codec, so does the Sender, as by [Sender].ReplaceTrack, and [Sender].Track is another one
//     then. A picture stands still for about half a second.
//   - Its end is that of the source, as [SourceEnded] with a nil Err. Err is [ErrCodec] if the source has gone over to a
//     codec that this room does not know.
//
// Without a name in [PublishOptions] it has that of the source.
func Forward(track RemoteTrack) webrtc.TrackLocal {
	codec := track.Codec().RTPCodecCapability
	if likely := packet.CodecsFor(track.Kind()); codec.MimeType == "" && likely != nil {
		codec = likely[0].RTPCodecCapability // the first packet tells, and Follow then says if it is another
	}
	return newForward(track, codec)
}

// forward is what Forward returns. It has one codec; when the source gets another one, Follow names the forward of that.
type forward struct {
	// Immutable.
	from  RemoteTrack
	codec webrtc.RTPCodecCapability

	mu   sync.Mutex
	taps map[string]PacketReader // by the id of the binding
}

func newForward(from RemoteTrack, codec webrtc.RTPCodecCapability) *forward {
	return &forward{from: from, codec: codec, taps: make(map[string]PacketReader)}
}

func (f *forward) ID() string                       { return f.from.ID() }
func (f *forward) StreamID() string                 { return "forward" }
func (f *forward) RID() string                      { return "" }
func (f *forward) Kind() webrtc.RTPCodecType        { return f.from.Kind() }
func (f *forward) Codec() webrtc.RTPCodecCapability { return f.codec }

// AudioLevel implements [AudioLeveler].
func (f *forward) AudioLevel() (dBov int, ok bool) { return f.from.AudioLevel() }

// Done and Err make the end of the source an event.
func (f *forward) Done() <-chan struct{} { return f.from.Done() }
func (f *forward) Err() error            { return nil }

// Follow is for package fanout. It reports whether the source sends nothing, and returns the track to go on with if the
// source has got another codec, or else nil. Another answer may come once changed is closed.
func (f *forward) Follow() (silent bool, next webrtc.TrackLocal, changed <-chan struct{}) {
	if c, ok := f.from.(interface{ Changed() <-chan struct{} }); ok { // before anything is looked at
		changed = c.Changed()
	}
	if codec := f.from.Codec().RTPCodecCapability; codec.MimeType != "" && !f.carries(codec) {
		next = newForward(f.from, codec)
	}
	return f.from.Muted() || f.from.Paused(), next, changed
}

// carries reports whether packets in a codec can be sent as those of f.
func (f *forward) carries(codec webrtc.RTPCodecCapability) bool {
	return packet.Carries(f.codec, codec) && packet.Carries(codec, f.codec) &&
		packet.SendsStereo(f.codec) == packet.SendsStereo(codec)
}

// Bind implements [webrtc.TrackLocal].
func (f *forward) Bind(to webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	offered := to.CodecParameters()
	i := slices.IndexFunc(offered, func(c webrtc.RTPCodecParameters) bool { return packet.Carries(c.RTPCodecCapability, f.codec) })
	if i < 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	tap := f.from.Tap()
	f.mu.Lock()
	f.taps[to.ID()] = tap
	f.mu.Unlock()
	go f.copyPackets(tap, to.WriteStream(), to.SSRC(), offered[i].PayloadType)
	if f.Kind() == webrtc.RTPCodecTypeVideo {
		go f.passRequests(to.RTCPReader())
	}
	return offered[i], nil
}

// Unbind implements [webrtc.TrackLocal].
func (f *forward) Unbind(from webrtc.TrackLocalContext) error {
	f.mu.Lock()
	tap := f.taps[from.ID()]
	delete(f.taps, from.ID())
	f.mu.Unlock()
	if tap == nil {
		return nil
	}
	return tap.Close()
}

// copyPackets sends what comes from now on in the codec of f, until the tap is closed or the source is gone. What has
// waited for another reader would only come late.
func (f *forward) copyPackets(tap PacketReader, stream webrtc.TrackLocalWriter, ssrc webrtc.SSRC, payloadType webrtc.PayloadType) {
	began, known, sends := time.Now(), -1, false
	arrival, knows := tap.(interface{ Arrived() time.Time })
	header := new(rtp.Header)
	for {
		p, err := tap.ReadRTP()
		if err != nil {
			return
		}
		if knows && arrival.Arrived().Before(began) {
			continue
		}
		if int(p.PayloadType) != known {
			codec := f.from.Codec()
			if uint8(codec.PayloadType) != p.PayloadType {
				continue // older than a change of codec
			}
			known, sends = int(p.PayloadType), f.carries(codec.RTPCodecCapability)
		}
		if sends {
			*header = p.Header // others read the packet too
			header.SSRC, header.PayloadType = uint32(ssrc), uint8(payloadType)
			_, _ = stream.WriteRTP(header, p.Payload) // Unbind follows if there is nobody left
		}
	}
}

// passRequests asks the source for the key frames that are asked of this binding (PLI, RFC 4585 section 6.3.1; FIR, RFC
// 5104 section 4.3.1), until that ends.
func (f *forward) passRequests(reader interceptor.RTCPReader) {
	b := make([]byte, packet.ReceiveMTU)
	for {
		n, _, err := reader.Read(b, interceptor.Attributes{})
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(b[:n])
		if err != nil {
			continue // the network may bring anything
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				_ = f.from.RequestKeyframe() // it is asked for again while it does not come
			}
		}
	}
}
