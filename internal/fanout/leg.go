package fanout

import (
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// Leg is our end of one sendonly transceiver: the webrtc.TrackLocal that pion gets once,
// by AddTransceiverFromTrack, and keeps. Senders of its codec come and go, and the peer
// gets one continuous RTP stream. Its methods may be called from anywhere.
type Leg struct {
	// Immutable.
	codec        webrtc.RTPCodecCapability
	id, streamID string
	video        bool
	budget       *KeyframeBudget // the peer's; nil: no bound

	// No call leaves the leg while mu is held.
	mu          sync.Mutex
	bound       string              // the id of the current binding
	queue       chan outgoingPacket // what its pump writes; nil: not bound, or refused
	ssrc        uint32
	payloadType uint8
	levelID     uint8 // of the audio level's header extension; 0: not negotiated
	refusal     bool

	open    bool        // bound, and the connection has been up
	sender  *Sender     // nil: idle
	run     *packetRun  // what is being sent; nil: waits for a key frame
	pending bool        // the sender was asked for a key frame, and none has begun since
	late    *time.Timer // asks for one when the budget allows it; nil: none is wanted
	stitch  stitch

	count  packet.Tally // of the pump
	behind atomic.Bool  // packets were left out because the queue was full
}

// NewLeg returns a leg for senders of codec. It has no sender yet. streamID is the id of
// our stream at the peer. The peer's key-frame requests are charged to budget; nil: they
// are not bounded.
func NewLeg(codec webrtc.RTPCodecCapability, streamID string, budget *KeyframeBudget) *Leg {
	l := &Leg{codec: codec, id: rand.Text(), streamID: streamID, budget: budget, stitch: stitch{clockRate: codec.ClockRate}}
	l.video = l.Kind() == webrtc.RTPCodecTypeVideo
	return l
}

// Codec returns what the leg can carry.
func (l *Leg) Codec() webrtc.RTPCodecCapability { return l.codec }

// Fits reports whether s can be sent over this leg.
func (l *Leg) Fits(s *Sender) bool {
	return packet.Carries(l.codec, s.codec.RTPCodecCapability) && packet.Carries(s.codec.RTPCodecCapability, l.codec)
}

// Attach sends s over the leg from its next key frame on. It asks for that key frame,
// unless the leg is not open yet: the request would only delay the one that Connected
// makes. It does not charge the peer's budget, because the peer did not ask.
func (l *Leg) Attach(s *Sender) {
	l.Detach()
	l.mu.Lock()
	l.sender, l.pending = s, l.open
	open := l.open
	l.mu.Unlock()
	s.addLeg(l)
	if open {
		s.requestKeyframe()
	}
}

// Detach makes the leg silent.
func (l *Leg) Detach() {
	l.mu.Lock()
	s := l.sender
	l.idle()
	l.mu.Unlock()
	if s != nil {
		s.removeLeg(l)
	}
}

// release is like Detach. A sender that ends calls it.
func (l *Leg) release(s *Sender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender == s {
		l.idle()
	}
}

// idle leaves the leg without a sender. It needs l.mu.
func (l *Leg) idle() {
	l.sender, l.run = nil, nil
	l.served()
}

// Connected asks for a key frame because media can flow, for the first time or again. It
// must not be called before DTLS is up: until then pion silently drops what is written, and
// the next request would have to wait. Because of the same delay it does nothing before Bind.
func (l *Leg) Connected() {
	l.mu.Lock()
	l.open = l.queue != nil
	l.mu.Unlock()
	l.requestKeyframe()
}

// Opened reports whether Connected has been called since Bind.
func (l *Leg) Opened() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Refused reports, after Bind, whether the peer's answer had no place for the codec.
func (l *Leg) Refused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal
}

// Stats returns what was sent, as an entry of a StatsReport for the section with that mid.
func (l *Leg) Stats(now webrtc.StatsTimestamp, mid string) (id string, entry webrtc.Stats) {
	id = "outbound-rtp-" + mid
	l.mu.Lock()
	ssrc := l.ssrc
	l.mu.Unlock()
	return id, webrtc.OutboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeOutboundRTP, ID: id, Mid: mid,
		SSRC: webrtc.SSRC(ssrc), Kind: l.Kind().String(),
		PacketsSent: uint32(l.count.Packets()), BytesSent: l.count.Bytes(),
	}
}

// write queues one packet of s, of run r. It drops it if the leg has another sender, is not
// bound, or still waits for a key frame. before, if not nil, is queued in front of it. It
// never waits: if the queue is full, the packet is dropped, and so are all up to the next
// key frame.
func (l *Leg) write(s *Sender, r *packetRun, keyframe bool, header *rtp.Header, before, p *parcel, now time.Time) {
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
			l.queue <- outgoingPacket{headerFor(&rtp.Header{}, l.payloadType, l.ssrc, seq, timestamp), before, r}
		}
	}
	seq, timestamp, ok := l.stitch.next(header.SequenceNumber, header.Timestamp, now)
	if !ok {
		return
	}
	p.hold()
	out := outgoingPacket{headerFor(header, l.payloadType, l.ssrc, seq, timestamp), p, r}
	if l.levelID != 0 && p.level != nil {
		_ = out.header.SetExtension(l.levelID, p.level) // cannot fail, because the header has no extensions yet
	}
	l.queue <- out // never blocks, because only write sends on queue
}

// follow makes r the run that is being sent, and reports whether the packet may be sent.
// It needs l.mu.
func (l *Leg) follow(r *packetRun, keyframe bool, header *rtp.Header, now time.Time) bool {
	switch {
	case l.run == r:
	case l.run == nil && !keyframe:
		return false
	case l.run == nil:
		l.stitch.begin(header.SequenceNumber, header.Timestamp, now)
	case r.number < l.run.number: // a newer run has overtaken it on the way here
		return false
	default:
		l.stitch.begin(r.seq, r.timestamp, now)
	}
	l.run = r
	return true
}

// ID implements webrtc.TrackLocal: the track's part of a=msid.
func (l *Leg) ID() string { return l.id }

// StreamID implements webrtc.TrackLocal: the stream's part of a=msid.
func (l *Leg) StreamID() string { return l.streamID }

// RID implements webrtc.TrackLocal: no simulcast.
func (l *Leg) RID() string { return "" }

// Kind implements webrtc.TrackLocal.
func (l *Leg) Kind() webrtc.RTPCodecType {
	kind, _, _ := strings.Cut(l.codec.MimeType, "/")
	return webrtc.NewRTPCodecType(kind)
}
