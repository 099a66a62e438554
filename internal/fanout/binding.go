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
	if ok && l.answers != nil {
		l.answers.Borrow(uint32(ctx.SSRC()), &l.lender)
	}
	l.mu.Lock()
	l.refusal = !ok
	l.bound = ctx.ID()
	l.closeQueue()
	if ok {
		size := videoQueue
		if !l.video {
			size = audioQueue
		}
		l.queue = newPacketQueue(size)
		l.ssrc = uint32(ctx.SSRC())
		l.outlet = &outlet{
			stream: ctx.WriteStream(), ssrc: l.ssrc, payloadType: uint8(format.PayloadType),
			levelID:      packet.LevelID(ctx.HeaderExtensions()),
			dependencyID: l.dependencyID(ctx.HeaderExtensions()),
			queue:        l.queue, before: l.emptied,
		}
		l.emptied = l.queue.emptied
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

// dependencyID returns the id of the dependency descriptor among the extensions negotiated, or 0. Only AV1 has need of it:
// other codecs say what depends on what in their payloads.
func (l *Leg) dependencyID(negotiated []webrtc.RTPHeaderExtensionParameter) uint8 {
	if !strings.EqualFold(l.codec.MimeType, webrtc.MimeTypeAV1) {
		return 0
	}
	return packet.ExtensionID(negotiated, packet.DependencyURI)
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

// closeQueue ends the binding's queue. It needs l.mu.
func (l *Leg) closeQueue() {
	if l.queue != nil {
		l.queue.close()
	}
	l.queue, l.open = nil, false
	l.halt()
}
