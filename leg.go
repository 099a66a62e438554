package noom

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// leg is our end of one sendonly transceiver: the webrtc.TrackLocal given to
// pion once, by AddTransceiverFromTrack, and never replaced there. Senders of
// its codec come and go; what arrives is one continuous RTP stream.
//
//	newLeg(codec webrtc.RTPCodecCapability, streamID string) *leg
//	fits(s *sender) bool             may s take over this leg?
//	attach(s *sender)                from now on s flows through it, video from a key frame on
//	detach()                         silence
//	connected()                      media can flow, for the first time or again: asks for a key frame
//	opened() bool                    connected was called after Bind
//	refused() bool                   after Bind: the peer does not know the codec
//	readRTCP(rs *webrtc.RTPSender)   blocks until rs is stopped; run it in a goroutine
type leg struct {
	// Immutable once it has a sender.
	codec        webrtc.RTPCodecCapability
	id, streamID string
	video        bool
	budget       *keyframeBudget // the peer's; nil: no bound

	// No call leaves the leg while mu is held.
	mu          sync.Mutex
	bound       string        // the id of the binding that counts
	queue       chan outgoing // what its pump writes; nil: not bound, or refused
	ssrc        uint32
	payloadType uint8
	levelID     uint8 // of the audio level's header extension; 0: not negotiated
	refusal     bool

	open    bool        // bound, and the connection has been up
	sender  *sender     // nil: idle
	run     *run        // what flows; nil: waits for a key frame
	pending bool        // the sender was asked for a key frame, and none has begun since
	late    *time.Timer // asks for one when the budget allows it; nil: none is wanted
	stitch  stitch

	count  packet.Tally // of the pump
	behind atomic.Bool  // packets were left out because the queue was full
}

func newLeg(codec webrtc.RTPCodecCapability, streamID string) *leg {
	l := &leg{codec: codec, id: randomID(), streamID: streamID, stitch: stitch{clockRate: codec.ClockRate}}
	l.video = l.Kind() == webrtc.RTPCodecTypeVideo
	return l
}

// fits reports whether s, too, can be sent over this leg.
func (l *leg) fits(s *sender) bool {
	return packet.Carries(l.codec, s.codec.RTPCodecCapability) && packet.Carries(s.codec.RTPCodecCapability, l.codec)
}

// attach makes s flow through the leg from its next key frame on. It asks for
// that one, unless nothing can flow yet: the request would only delay the one
// that counts. The peer's budget is not asked, because it is not the peer who attaches.
func (l *leg) attach(s *sender) {
	l.detach()
	l.mu.Lock()
	l.sender, l.pending = s, l.open
	open := l.open
	l.mu.Unlock()
	s.addLeg(l)
	if open {
		s.requestKeyframe()
	}
}

// detach makes the leg silent.
func (l *leg) detach() {
	l.mu.Lock()
	s := l.sender
	l.idle()
	l.mu.Unlock()
	if s != nil {
		s.removeLeg(l)
	}
}

// release is detach, asked for by a sender that ends.
func (l *leg) release(s *sender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender == s {
		l.idle()
	}
}

// idle leaves the leg without a sender. It needs l.mu.
func (l *leg) idle() {
	l.sender, l.run = nil, nil
	l.served()
}

// connected asks for a key frame: media can flow, for the first time or again. It
// must not come before DTLS is up, until when pion drops without a word what is
// written: the next request would have to wait. Before Bind it does nothing, for the
// same reason.
func (l *leg) connected() {
	l.mu.Lock()
	l.open = l.queue != nil
	l.mu.Unlock()
	l.requestKeyframe()
}

// opened reports whether connected has been called since Bind.
func (l *leg) opened() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// refused reports whether the peer's answer had no place for the codec.
func (l *leg) refused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal
}

// write queues one packet of s, of run r, unless it may not flow: the leg has
// another sender, is not bound, or still waits for a key frame. before, if not nil, goes
// in front of it. It never waits. If the queue is full the packet and all up to a key
// frame are left out.
func (l *leg) write(s *sender, r *run, keyframe bool, header *rtp.Header, before, p *parcel, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender != s || l.queue == nil {
		return
	}
	if keyframe {
		l.served()
	}
	if len(l.queue) == cap(l.queue) || before != nil && len(l.queue)+1 == cap(l.queue) {
		l.run = nil
		l.behind.Store(true)
		return
	}
	if !l.follow(r, keyframe, header, now) {
		return
	}
	if before != nil {
		if seq, timestamp, ok := l.stitch.insert(header.SequenceNumber, header.Timestamp); ok {
			before.hold()
			l.queue <- outgoing{headerFor(&rtp.Header{}, l.payloadType, l.ssrc, seq, timestamp), before, r}
		}
	}
	seq, timestamp, ok := l.stitch.next(header.SequenceNumber, header.Timestamp, now)
	if !ok {
		return
	}
	p.hold()
	out := outgoing{headerFor(header, l.payloadType, l.ssrc, seq, timestamp), p, r}
	if l.levelID != 0 && p.level != nil {
		_ = out.header.SetExtension(l.levelID, p.level) // fails on none that a header has already, and it has none
	}
	l.queue <- out // there is room, for only write sends here
}

// follow makes r the run that flows and reports whether the packet may pass.
// It needs l.mu.
func (l *leg) follow(r *run, keyframe bool, header *rtp.Header, now time.Time) bool {
	switch {
	case l.run == r:
	case l.run == nil && !keyframe:
		return false
	case l.run == nil:
		l.stitch.begin(header.SequenceNumber, header.Timestamp, now)
	case r.number < l.run.number: // overtaken on its way here
		return false
	default:
		l.stitch.begin(r.seq, r.timestamp, now)
	}
	l.run = r
	return true
}

// readRTCP turns the peer's PLI and FIR into key-frame requests until rs stops.
func (l *leg) readRTCP(rs *webrtc.RTPSender) {
	buf := make([]byte, packet.ReceiveMTU)
	for {
		n, _, err := rs.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue // from the network: it may be anything
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				l.requestKeyframe()
			}
		}
	}
}

// requestKeyframe asks the sender for a key frame on behalf of the peer, whose
// budget it goes by: beyond that the request has to wait. What is asked while a key frame
// is on its way costs nothing.
func (l *leg) requestKeyframe() {
	l.mu.Lock()
	s := l.sender
	if s == nil || !l.open || !l.video {
		l.mu.Unlock()
		return
	}
	if !l.pending {
		if wait := l.budget.take(s.name, time.Now()); wait > 0 {
			if l.late == nil {
				l.late = time.AfterFunc(wait, l.requestLate)
			}
			l.mu.Unlock()
			return
		}
		l.pending = true
	}
	l.mu.Unlock()
	s.requestKeyframe()
}

// requestLate makes the request that had to wait, unless a key frame was faster.
func (l *leg) requestLate() {
	l.mu.Lock()
	wanted := l.late != nil
	l.late = nil
	l.mu.Unlock()
	if wanted {
		l.requestKeyframe()
	}
}

// served notes that a key frame has begun: nothing more is wanted. It needs l.mu.
func (l *leg) served() {
	l.pending = false
	if l.late != nil {
		l.late.Stop()
		l.late = nil
	}
}

// waitsFor reports whether the leg has asked for a key frame of s and sends nothing
// without it; silent: s itself sends nothing without it.
func (l *leg) waitsFor(s *sender, silent bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sender == s && l.open && (silent || l.pending && l.run == nil)
}

// Bind implements webrtc.TrackLocal. It never fails, for pion would then fail
// in the middle of applying an answer; a leg whose codec the peer does not know
// stays silent and says so by refused. The codecs in ctx are all that was
// negotiated now, and one alone once Bind has returned.
func (l *leg) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
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
		l.queue = make(chan outgoing, size)
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

// formatAmong returns the negotiated format to send in: rather the same
// profile than a higher one that includes it.
func (l *leg) formatAmong(negotiated []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
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
func (l *leg) Unbind(ctx webrtc.TrackLocalContext) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bound == ctx.ID() {
		l.closeQueue()
	}
	return nil
}

// closeQueue ends the pump. It needs l.mu.
func (l *leg) closeQueue() {
	if l.queue != nil {
		close(l.queue)
	}
	l.queue, l.run, l.open = nil, nil, false
}

// ID implements webrtc.TrackLocal: the track's part of a=msid.
func (l *leg) ID() string { return l.id }

// StreamID implements webrtc.TrackLocal: the stream's part of a=msid.
func (l *leg) StreamID() string { return l.streamID }

// RID implements webrtc.TrackLocal: no simulcast.
func (l *leg) RID() string { return "" }

// Kind implements webrtc.TrackLocal.
func (l *leg) Kind() webrtc.RTPCodecType {
	kind, _, _ := strings.Cut(l.codec.MimeType, "/")
	return webrtc.NewRTPCodecType(kind)
}
