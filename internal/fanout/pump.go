package fanout

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// How many packets may wait for a leg's connection: a large key frame, or a second of
// sound. Only a relay over TCP ever makes packets wait.
const (
	videoQueue = 512
	audioQueue = 64
)

// parcel is a copy of a payload on its way to several legs. The source may reuse its own
// memory as soon as the parcel is made.
type parcel struct {
	holders atomic.Int32
	payload []byte
	level   []byte // its audio level, as in the header extension; nil: unknown
}

var parcels = sync.Pool{New: func() any { return new(parcel) }}

// newParcel copies payload, with first as its first byte, into a parcel with one holder. It
// keeps level.
func newParcel(first byte, payload, level []byte) *parcel {
	p := parcels.Get().(*parcel)
	p.holders.Store(1)
	p.payload, p.level = append(p.payload[:0], payload...), level
	if len(payload) > 0 {
		p.payload[0] = first
	}
	return p
}

func (p *parcel) hold() { p.holders.Add(1) }

func (p *parcel) release() {
	if p.holders.Add(-1) == 0 {
		parcels.Put(p)
	}
}

// outgoingPacket is a packet as a leg sends it.
type outgoingPacket struct {
	header rtp.Header
	parcel *parcel
	run    *packetRun
}

// headerFor returns the header that a source's packet gets on a leg. It leaves out the
// source's extensions, because they mean nothing there.
func headerFor(source *rtp.Header, payloadType uint8, ssrc uint32, seq uint16, timestamp uint32) rtp.Header {
	header := rtp.Header{
		Version:        2,
		Marker:         source.Marker,
		PayloadType:    payloadType,
		SequenceNumber: seq,
		Timestamp:      timestamp,
		SSRC:           ssrc,
		CSRC:           slices.Clone(source.CSRC),
	}
	// The two only make sense together, and pion mishandles one alone.
	if source.Padding && source.PaddingSize > 0 {
		header.Padding, header.PaddingSize = true, source.PaddingSize
	}
	return header
}

// pump writes queued packets to one binding's stream until the queue is closed. If the
// connection is slow, only pump waits.
func (l *Leg) pump(stream webrtc.TrackLocalWriter, queue <-chan outgoingPacket) {
	var header rtp.Header // one for all packets, because pion takes a pointer and copies what it keeps
	for out := range queue {
		header = out.header
		n, err := stream.WriteRTP(&header, out.parcel.payload)
		if err == nil && n > 0 {
			l.count.Add(len(out.parcel.payload))
		}
		out.parcel.release()
		// An error means that this connection is closed. Others deal with that.
		if n == 0 && err == nil {
			l.stall(out.run)
		}
		if len(queue) == 0 && l.behind.CompareAndSwap(true, false) {
			l.requestKeyframe()
		}
	}
}

// stall notes that pion has dropped a packet of r, because the connection was not up.
// The first packet that gets through must begin a key frame.
func (l *Leg) stall(r *packetRun) {
	l.mu.Lock()
	stalled := l.run == r
	if stalled {
		l.run = nil
	}
	l.mu.Unlock()
	if stalled {
		l.requestKeyframe()
	}
}
