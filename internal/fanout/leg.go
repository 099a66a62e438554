package fanout

import (
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
	"noom/internal/repair"
)

// Leg is our end of one sendonly transceiver: the webrtc.TrackLocal that pion gets once,
// by AddTransceiverFromTrack, and keeps. Senders of its codec come and go, and the peer
// gets one continuous RTP stream. Its methods may be called from anywhere.
type Leg struct {
	// Immutable.
	codec        webrtc.RTPCodecCapability
	id, streamID string
	video        bool
	budget       *KeyframeBudget  // the peer's; nil: no bound
	answers      *repair.Answerer // of the connection; nil: it keeps copies of its own

	// No call leaves the leg while mu is held.
	mu      sync.Mutex
	bound   string       // the id of the current binding
	queue   *packetQueue // of it, what its pump writes; nil: not bound, or refused
	outlet  *outlet      // of it
	ssrc    uint32
	refusal bool

	open    bool        // bound, and the connection has been up
	sender  *Sender     // nil: idle
	line    *line       // of sender: the one that fits; nil: none does
	lineAt  uint64      // the sender's turns at which that was so
	flows   func()      // called when run begins; nil: nobody waits for it
	want    int         // the encoding that is chosen, or Paused
	pauses  int         // how often it was paused
	run     *packetRun  // what is being sent; nil: waits for a key frame
	pending bool        // the sender was asked for a key frame, and none has begun since
	late    *time.Timer // asks for one when the budget allows it; nil: none is wanted
	turning bool        // what was chosen needs a key frame
	above   bool        // it sends more than its share
	missed  bool        // a key frame was wanted while it did
	passage *passage    // of run; nil: nothing was sent since the leg was silent
	turns   uint64      // how many key frames were queued

	lender  repair.Lender   // of what the pump is writing
	gate    gate            // of the pump
	frames  frameNumbers    // of the pump
	emptied <-chan struct{} // of the queue of the latest binding, whose pump ends before that of another begins; nil: there was none

	limit  atomic.Int32 // the highest temporal layer to send
	count  packet.Tally // of the pump
	behind atomic.Bool  // packets were left out because they had to wait too long

	reported atomic.Pointer[Reported] // by the peer, of ReadRTCP; nil: nothing yet
}

// NewLeg returns a leg for senders of codec. It has no sender yet. streamID is the id of
// our stream at the peer. The peer's key-frame requests are charged to budget; nil: they
// are not bounded.
func NewLeg(codec webrtc.RTPCodecCapability, streamID string, budget *KeyframeBudget) *Leg {
	l := &Leg{codec: codec, id: rand.Text(), streamID: streamID, budget: budget}
	l.video = l.Kind() == webrtc.RTPCodecTypeVideo
	l.gate = gate{video: l.video, stitch: stitch{clockRate: codec.ClockRate}}
	l.limit.Store(AllLayers)
	return l
}

// LendTo lets what can be sent again hold the payloads that all legs share. It is called before the leg is given to the
// connection of a.
func (l *Leg) LendTo(a *repair.Answerer) { l.answers = a }

// Codec returns what the leg can carry.
func (l *Leg) Codec() webrtc.RTPCodecCapability { return l.codec }

// Fits reports whether what s sends now can be sent over this leg.
func (l *Leg) Fits(s *Sender) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fits(l.codec)
}

// Attach sends s over the leg from its next key frame on. It asks for that key frame,
// unless the leg is not open yet: the request would only delay the one that Connected
// makes. It does not charge the peer's budget, because the peer did not ask. A leg that s no
// longer fits is sent what s had of its codec, while that goes on; when s fits again, so is
// the leg.
func (l *Leg) Attach(s *Sender) {
	l.Detach()
	best := s.bestOpen()
	l.mu.Lock()
	l.sender, l.want, l.pending = s, best, l.open
	l.limit.Store(AllLayers)
	open := l.open
	l.mu.Unlock()
	s.addLeg(l)
	l.adopt(s)
	l.mu.Lock()
	lost, from := l.sender != s, l.line
	l.mu.Unlock()
	if lost { // another goroutine was faster
		s.removeLeg(l)
		return
	}
	if open {
		s.requestKeyframe(from, best)
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
	l.halt()
	l.sender, l.want, l.above, l.line, l.lineAt, l.flows = nil, 0, false, nil, 0, nil
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

// carries reports whether the leg is sent s and the peer can get it.
func (l *Leg) carries(s *Sender) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sender == s && l.line != nil && l.open && l.want != Paused
}

// Refused reports, after Bind, whether the peer's answer had no place for the codec.
func (l *Leg) Refused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal
}

// Stats returns what was sent, as an entry of a StatsReport for the section with that mid.
func (l *Leg) Stats(now webrtc.StatsTimestamp, mid string) (id string, entry webrtc.Stats) {
	id, remote := statsIDs(mid)
	l.mu.Lock()
	ssrc := l.ssrc
	l.mu.Unlock()
	return id, webrtc.OutboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeOutboundRTP, ID: id, Mid: mid, RemoteID: remote,
		SSRC: webrtc.SSRC(ssrc), Kind: l.Kind().String(),
		PacketsSent: uint32(l.count.Packets()), BytesSent: l.count.Bytes(),
	}
}

// write queues a packet of s. It drops it if the leg has another sender, is not bound, sends
// another encoding, or still waits for a key frame. It never waits: if the queue is full, the
// packet is dropped, and so are all up to the next key frame.
func (l *Leg) write(s *Sender, d *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender != s || l.queue == nil {
		return
	}
	// A paused leg has no run, and Paused is no encoding's number.
	chosen := d.run.feed.line == l.line && d.run.feed.index == min(l.want, d.last)
	if !chosen && (l.run == nil || l.run.feed != d.run.feed) {
		return
	}
	if d.keyframe && chosen {
		l.served()
	}
	if l.queue.full() {
		l.run = nil
		l.behind.Store(true)
		return
	}
	if !l.follow(d) {
		return
	}
	if d.keyframe {
		l.turns++
		l.behind.Store(false)
	}
	d.parcel.Hold()
	if d.before != nil {
		d.before.Hold()
	}
	if l.queue.put(outgoingPacket{
		header: headerFor(d.header), parcel: d.parcel, before: d.before, passage: l.passage,
		keyframe: d.keyframe, layered: d.layered, layer: d.layer, turn: l.turns, at: d.at,
	}) {
		go l.pump(l.outlet)
	}
}

// follow makes the packet's run the one that is being sent, and reports whether the packet may
// be sent. It needs l.mu.
func (l *Leg) follow(d *delivery) bool {
	r := d.run
	seq, timestamp := d.header.SequenceNumber, d.header.Timestamp
	switch {
	case l.run == r:
		return true
	case (l.run == nil || l.run.feed != r.feed) && !d.keyframe:
		return false
	case l.run == nil || l.run.feed != r.feed:
	case r.number < l.run.number: // a newer run has overtaken it on the way here
		return false
	default:
		seq, timestamp = r.seq, r.timestamp
	}
	l.run, l.passage = r, &passage{seq: seq, timestamp: timestamp}
	if l.flows != nil {
		go l.flows()
		l.flows = nil
	}
	return true
}

// halt ends what is being sent, and what of it is queued. It needs l.mu.
func (l *Leg) halt() {
	if l.passage != nil {
		l.passage.over.Store(true)
	}
	l.run, l.passage = nil, nil
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
