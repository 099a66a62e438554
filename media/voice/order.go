package voice

import (
	"time"

	"github.com/pion/rtp"
)

const (
	// patience is how long a packet is waited for that others have overtaken. Sound is not asked for again, so it only
	// has to cover disorder.
	patience = 60 * time.Millisecond
	// mostHeld bounds the packets that wait behind a missing one.
	mostHeld = 64
	// widestGap is how many numbers a stream may leave out or go back and still be the same one.
	widestGap = 512
)

// heldPacket is a packet, when it came, and how loud its sender says it is.
type heldPacket struct {
	*rtp.Packet
	came  time.Time
	level int // dBov; 1: not known
}

// order puts the packets of one stream in the order of their numbers, and gives up those that do not come. It is pure.
type order struct {
	began bool
	next  uint16 // the number that is due
	held  map[uint16]heldPacket
}

// push takes a packet. One that comes twice, or that was given up, is dropped.
func (o *order) push(p heldPacket) {
	ahead := int(int16(p.SequenceNumber - o.next))
	switch {
	case !o.began || ahead > widestGap || ahead < -widestGap:
		o.began, o.next, o.held = true, p.SequenceNumber, make(map[uint16]heldPacket)
	case ahead < 0:
		return
	}
	if _, twice := o.held[p.SequenceNumber]; !twice {
		o.held[p.SequenceNumber] = p
	}
}

// take returns the packet that is due now, and how many before it were given up.
func (o *order) take(now time.Time) (p heldPacket, missing int, ok bool) {
	if len(o.held) == 0 {
		return p, 0, false
	}
	first := o.first()
	if first != o.next && len(o.held) <= mostHeld && now.Sub(o.oldest()) < patience {
		return p, 0, false
	}
	p, missing = o.held[first], int(first-o.next)
	delete(o.held, first)
	o.next = first + 1
	return p, missing, true
}

// due returns when take has something, if no packet comes before; false: never.
func (o *order) due() (time.Time, bool) {
	if len(o.held) == 0 {
		return time.Time{}, false
	}
	return o.oldest().Add(patience), true
}

// first returns the lowest number that is held.
func (o *order) first() uint16 {
	least := uint16(1<<16 - 1)
	for number := range o.held {
		least = min(least, number-o.next)
	}
	return o.next + least
}

// oldest returns when the packet came that has waited longest.
func (o *order) oldest() (at time.Time) {
	for _, p := range o.held {
		if at.IsZero() || p.came.Before(at) {
			at = p.came
		}
	}
	return at
}
