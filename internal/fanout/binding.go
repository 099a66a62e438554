package fanout

import (
	"strings"

	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// Bind implements webrtc.TrackLocal. It never fails, because pion would then fail
// halfway through applying an answer. A leg whose codec the peer does not know stays
// silent, and Refused reports it. ctx has all negotiated codecs now, and only the
// chosen one once Bind has returned.
func (l *Leg) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	negotiated := ctx.CodecParameters()
	format, ok := l.formatAmong(negotiated)
	l.mu.Lock()
	l.refusal = !ok
	l.bound = ctx.ID()
	l.closeQueue()
	if ok {
		size := videoQueue
		if !l.video {
			size = audioQueue
		}
		l.queue = make(chan outgoingPacket, size)
		go l.pump(ctx.WriteStream(), l.queue)
		l.ssrc = uint32(ctx.SSRC())
		l.payloadType = uint8(format.PayloadType)
		l.levelID = packet.LevelID(ctx.HeaderExtensions())
	}
	l.mu.Unlock()
	if ok {
		return format, nil
	}
	for _, other := range negotiated {
		if !strings.EqualFold(other.MimeType, webrtc.MimeTypeRTX) {
			return other, nil
		}
	}
	return webrtc.RTPCodecParameters{}, nil
}

// formatAmong returns the negotiated format to send in. It prefers the same profile to
// a higher one that includes it.
func (l *Leg) formatAmong(negotiated []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
	for _, format := range negotiated {
		if packet.Carries(format.RTPCodecCapability, l.codec) && packet.Carries(l.codec, format.RTPCodecCapability) {
			return format, true
		}
	}
	for _, format := range negotiated {
		if packet.Carries(format.RTPCodecCapability, l.codec) {
			return format, true
		}
	}
	return webrtc.RTPCodecParameters{}, false
}

// Unbind implements webrtc.TrackLocal.
func (l *Leg) Unbind(ctx webrtc.TrackLocalContext) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bound == ctx.ID() {
		l.closeQueue()
	}
	return nil
}

// closeQueue ends the pump. It needs l.mu.
func (l *Leg) closeQueue() {
	if l.queue != nil {
		close(l.queue)
	}
	l.queue, l.run, l.open = nil, nil, false
}
