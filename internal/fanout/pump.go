package fanout

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// How many packets may wait for a leg's connection, which only those of a
// relay over TCP ever do: a large key frame, or a second of sound.
const (
	videoQueue = 512
	audioQueue = 64
)

// parcel is a payload on its way to several legs. The source has its own
// memory back as soon as the parcel is made.
type parcel struct {
	holders atomic.Int32
	payload []byte
	level   []byte // its audio level, as in the header extension; nil: not known
}

var parcels = sync.Pool{New: func() any { return new(parcel) }}

// wrap copies payload, with another first byte, into a parcel with one holder, and
// keeps level.
func wrap(first byte, payload, level []byte) *parcel {
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

// outgoing is a packet as a leg sends it.
type outgoing struct {
	header rtp.Header
	parcel *parcel
	run    *run
}

// headerFor returns the header that a source's packet gets on a leg. The
// source's extensions mean nothing there.
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
	// Only both together mean something; pion trips over one alone.
	if source.Padding && source.PaddingSize > 0 {
		header.Padding, header.PaddingSize = true, source.PaddingSize
	}
	return header
}

// pump writes what is queued to one binding's stream, until the queue is
// closed. Only it waits if the connection is slow.
func (l *Leg) pump(stream webrtc.TrackLocalWriter, queue <-chan outgoing) {
	var header rtp.Header // pion takes a pointer to it, and copies what it keeps
	for out := range queue {
		header = out.header
		n, err := stream.WriteRTP(&header, out.parcel.payload)
		if err == nil && n > 0 {
			l.count.Add(len(out.parcel.payload))
		}
		out.parcel.release()
		// An error says that this connection is closed, which others look after.
		if n == 0 && err == nil {
			l.stall(out.run)
		}
		if len(queue) == 0 && l.behind.CompareAndSwap(true, false) {
			l.requestKeyframe()
		}
	}
}

// stall notes that pion took a packet of r and threw it away: the connection is
// not up yet, or was not at the last instant, and what gets through first must be a key
// frame again.
func (l *Leg) stall(r *run) {
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
