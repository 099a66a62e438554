package repair

import (
	"time"

	"github.com/pion/rtp"
)

// What is kept of one stream of one connection, at most. A receiver that has waited for longer asks for a key frame.
const (
	mostSent      = 512     // packets: about a second of a 4 Mbit/s picture. A power of two
	mostSentBytes = 1 << 20 // of payloads
	mostSentAge   = 3 * time.Second

	leastSent = 32 // packets that there is room for at first. A power of two
)

// sentPacket is a packet that was sent: its payload, and what its header has beside the numbers of the stream.
type sentPacket struct {
	payload   Payload // nil: the packet is not there
	timestamp uint32
	seq       uint16
	format    uint8 // its payload type
	padding   uint8
	marker    bool
	at        time.Duration // on the clock of the Answerer
	repeated  time.Duration // when it was last sent again; 0: it was not
	more      *rtp.Header   // a copy, if it has contributors or extensions; nil: it has not
}

// history is what can be sent again of one stream: the latest packets, in a row. It holds their payloads. The zero
// history is empty.
type history struct {
	ring    []sentPacket // by sequence number; grows
	any     bool
	first   uint16 // the oldest that may be there
	highest uint16 // the newest
	bytes   int
}

// add takes a packet, and lets go of what is too old or too much for it. It reports false for one that is too late
// itself.
func (h *history) add(p sentPacket) bool {
	ahead := int(int16(p.seq - h.highest))
	switch {
	case !h.any, ahead >= mostSent, ahead <= -mostSent: // the stream goes on elsewhere
		h.clear()
		h.any, h.first, h.highest = true, p.seq, p.seq
	case ahead > 0:
		h.highest = p.seq
		for h.highest-h.first >= mostSent {
			h.forget()
		}
	case int16(p.seq-h.first) < 0:
		return false
	}
	for int(h.highest-h.first) >= len(h.ring) {
		h.grow()
	}
	at := h.slot(p.seq)
	h.drop(at)
	*at = p
	h.bytes += len(p.payload.Bytes())
	for h.first != h.highest && (h.bytes > mostSentBytes || h.stale(p.at)) {
		h.forget()
	}
	return true
}

// stale reports whether the oldest packet is too old, or not there.
func (h *history) stale(now time.Duration) bool {
	p := h.slot(h.first)
	return p.payload == nil || now-p.at > mostSentAge
}

// get returns the packet with a number; nil: it is not there.
func (h *history) get(seq uint16) *sentPacket {
	if !h.any || seq-h.first > h.highest-h.first {
		return nil
	}
	if p := h.slot(seq); p.payload != nil {
		return p
	}
	return nil
}

func (h *history) slot(seq uint16) *sentPacket { return &h.ring[int(seq)&(len(h.ring)-1)] }

// forget lets go of the oldest packet.
func (h *history) forget() {
	h.drop(h.slot(h.first))
	h.first++
}

func (h *history) drop(p *sentPacket) {
	if p.payload != nil {
		h.bytes -= len(p.payload.Bytes())
		p.payload.Release()
	}
	*p = sentPacket{}
}

func (h *history) grow() {
	before := h.ring
	h.ring = make([]sentPacket, max(2*len(before), leastSent))
	for i := range before {
		if before[i].payload != nil {
			*h.slot(before[i].seq) = before[i]
		}
	}
}

// clear lets go of all packets.
func (h *history) clear() {
	for i := range h.ring {
		h.drop(&h.ring[i])
	}
	h.any = false
}
