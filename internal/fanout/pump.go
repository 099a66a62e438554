package fanout

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// How many packets may wait in a leg's queue. How long they wait there is bounded by
// maxWait. Only a relay over TCP ever makes packets wait.
const (
	videoQueue = 512
	audioQueue = 64
)

// parcel is a copy of a payload on its way to several legs, and in what each of them can send again. The source may reuse
// its own memory as soon as the parcel is made.
type parcel struct {
	holders    atomic.Int32
	payload    []byte
	level      []byte // its audio level, as in the header extension; nil: unknown
	descriptor []byte // its dependency descriptor, the same way; empty: it has none
}

var parcels = sync.Pool{New: func() any { return new(parcel) }}

// newParcel copies payload, with first as its first byte, into a parcel with one holder. It
// keeps level.
func newParcel(first byte, payload, level []byte) *parcel {
	p := parcels.Get().(*parcel)
	p.holders.Store(1)
	p.payload, p.level, p.descriptor = append(p.payload[:0], payload...), level, p.descriptor[:0]
	if len(payload) > 0 {
		p.payload[0] = first
	}
	return p
}

// Bytes, Hold and Release implement repair.Payload.

func (p *parcel) Bytes() []byte { return p.payload }
func (p *parcel) Hold()         { p.holders.Add(1) }

func (p *parcel) Release() {
	if p.holders.Add(-1) == 0 {
		parcels.Put(p)
	}
}

// delivery is a packet of a source on its way to the legs.
type delivery struct {
	run      *packetRun
	last     int // the last encoding that there is
	header   *rtp.Header
	parcel   *parcel
	before   *parcel // goes in front of it; nil: nothing
	keyframe bool    // it starts one
	layered  bool    // its layer is known
	layer    packet.Layer
	at       time.Time
}

// outgoingPacket is a packet in the queue of a leg.
type outgoingPacket struct {
	header   rtp.Header // with the source's sequence number and timestamp
	parcel   *parcel
	before   *parcel
	passage  *passage
	keyframe bool
	layered  bool
	layer    packet.Layer
	turn     uint64 // how many key frames the leg had queued before it, itself included
	at       time.Time
}

func (o *outgoingPacket) release() {
	o.parcel.Release()
	if o.before != nil {
		o.before.Release()
	}
}

// headerFor returns what a leg sends of a source's header. It leaves out the source's
// extensions, because they mean nothing there; the dependency descriptor is in the parcel.
func headerFor(source *rtp.Header) rtp.Header {
	header := rtp.Header{
		Version:        2,
		Marker:         source.Marker,
		SequenceNumber: source.SequenceNumber,
		Timestamp:      source.Timestamp,
		CSRC:           slices.Clone(source.CSRC),
	}
	// The two only make sense together, and pion mishandles one alone.
	if source.Padding && source.PaddingSize > 0 {
		header.Padding, header.PaddingSize = true, source.PaddingSize
	}
	return header
}

// outlet is where the packets of one binding go.
type outlet struct {
	// Immutable.
	stream       webrtc.TrackLocalWriter
	ssrc         uint32
	payloadType  uint8
	levelID      uint8 // of the audio level's header extension; 0: not negotiated
	dependencyID uint8 // of the dependency descriptor's; 0: not negotiated
	queue        *packetQueue
	before       <-chan struct{} // closed when the queue of the binding before is empty for good; nil: there was none

	header roomyHeader // of the pump: one for all packets, because pion takes a pointer and copies what it keeps
}

// roomyHeader has room for the extensions that a leg sets.
type roomyHeader struct {
	rtp.Header
	room [2]rtp.Extension
}

// pump writes queued packets to one binding's stream, until the queue is closed, or none
// have come for a while. If the connection is slow, only pump waits. It begins when that of
// the binding before has ended.
func (l *Leg) pump(o *outlet) {
	if o.before != nil {
		<-o.before
	}
	queue := o.queue
	for all := queue.take(nil); len(all) > 0; all = queue.take(all) {
		for i := range all {
			l.forward(o, &all[i])
			all[i].release()
			queue.written()
			if queue.length() == 0 && l.behind.CompareAndSwap(true, false) {
				l.requestKeyframe()
			}
		}
	}
}

// forward writes a packet, and what goes in front of it, unless it is left out.
func (l *Leg) forward(o *outlet, out *outgoingPacket) {
	header := &o.header
	if out.passage.over.Load() {
		return
	}
	var age time.Duration
	if l.gate.starts(out) {
		age = time.Since(out.at)
	}
	leaves, lost := l.gate.admit(out, age, uint8(l.limit.Load()))
	var seq, extraSeq uint16
	var timestamp uint32
	extra, newest := false, false
	if leaves {
		if out.before != nil {
			extraSeq, _, extra = l.gate.stitch.insert(out.header.SequenceNumber, out.header.Timestamp)
		}
		before := l.gate.stitch.seq
		seq, timestamp, leaves = l.gate.stitch.next(out.header.SequenceNumber, out.header.Timestamp, out.at)
		newest = l.gate.stitch.seq != before
	}
	if lost {
		l.behind.Store(true)
		l.starve(out.turn)
	}
	if extra {
		header.Header = rtp.Header{
			Version: 2, PayloadType: o.payloadType, SSRC: o.ssrc, SequenceNumber: extraSeq, Timestamp: timestamp,
		}
		l.give(o, &header.Header, out, out.before)
	}
	if !leaves {
		return
	}
	header.Header = out.header
	header.Extensions = header.room[:0]
	header.PayloadType, header.SSRC, header.SequenceNumber, header.Timestamp = o.payloadType, o.ssrc, seq, timestamp
	if level := out.parcel.level; o.levelID != 0 && level != nil {
		_ = packet.SetExtension(&header.Header, o.levelID, level) // cannot fail, because the header has no extensions yet
	}
	if o.dependencyID != 0 {
		// Cannot fail either. A copy, because the parcel is on its way to other legs too.
		if d := l.frames.renumber(slices.Clone(out.parcel.descriptor), out.keyframe && newest); len(d) > 0 {
			_ = packet.SetExtension(&header.Header, o.dependencyID, d)
		}
	}
	l.give(o, &header.Header, out, out.parcel)
}

// give gives a packet to pion.
func (l *Leg) give(o *outlet, header *rtp.Header, out *outgoingPacket, p *parcel) {
	l.lender.Lend(p)
	n, err := o.stream.WriteRTP(header, p.payload)
	l.lender.Lend(nil)
	if err == nil && n > 0 {
		l.count.Add(len(p.payload))
	}
	// An error means that this connection is closed. Others deal with that. Without one, pion
	// has dropped the packet, because the connection was not up. The first that gets through
	// must begin a key frame.
	if n != 0 || err != nil {
		return
	}
	if l.gate.lose(out.passage) && l.starve(out.turn) {
		l.requestKeyframe()
	}
}

// starve makes the leg wait for a key frame, unless one has been queued after turn. It
// reports whether it does.
func (l *Leg) starve(turn uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run == nil || l.turns != turn {
		return false
	}
	l.run = nil
	return true
}
