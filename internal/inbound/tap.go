package inbound

import (
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
)

// A packetRing keeps the latest packets for a reader. Its track's mutex guards it. It has room for what has waited and not
// for what may: nearly always the reader is there before the next packet.
type packetRing struct {
	arrived *sync.Cond // a packet, or the end; on the track's mutex
	waiting []arrival  // a ring; grows
	head    int        // index of the oldest packet
	count   int
	closed  bool
}

// arrival is a packet, and when it arrived, since the track began.
type arrival struct {
	packet *rtp.Packet
	came   time.Duration
}

// put adds a packet, in place of the oldest if there is no room.
func (r *packetRing) put(packet *rtp.Packet, came time.Duration) {
	switch {
	case r.count == trackRing:
		r.head = (r.head + 1) % trackRing
		r.count--
	case r.count == len(r.waiting):
		r.grow()
	}
	r.waiting[(r.head+r.count)%len(r.waiting)] = arrival{packet, came}
	r.count++
	r.arrived.Signal()
}

// grow doubles the room of a ring that is full.
func (r *packetRing) grow() {
	longer := make([]arrival, max(2*len(r.waiting), leastRing))
	n := copy(longer, r.waiting[r.head:])
	copy(longer[n:], r.waiting[:r.head])
	r.waiting, r.head = longer, 0
}

// take waits for a packet and returns it, with the time when it arrived.
func (r *packetRing) take() (*rtp.Packet, time.Duration, error) {
	for r.count == 0 {
		if r.closed {
			return nil, 0, io.EOF
		}
		r.arrived.Wait()
	}
	oldest := r.waiting[r.head]
	r.waiting[r.head] = arrival{}
	r.head = (r.head + 1) % len(r.waiting)
	r.count--
	return oldest.packet, oldest.came, nil
}

// end closes the ring: readers get what is left, then io.EOF.
func (r *packetRing) end() {
	r.closed = true
	r.arrived.Broadcast()
}

// PacketReader is an alias with the methods of noom.PacketReader, so that a Track is a noom.RemoteTrack.
type PacketReader = interface {
	ReadRTP() (*rtp.Packet, error)
	Close() error
}

// A tap is a further reader of a track.
type tap struct {
	track *Track
	ring  packetRing
	came  time.Duration // of the packet that was read last
}

// Tap returns a reader that works alongside ReadRTP and other taps. It begins with the
// packets that wait for ReadRTP.
func (t *Track) Tap() PacketReader {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &tap{track: t, ring: t.ring}
	p.ring.waiting = slices.Clone(t.ring.waiting) // with the packets that wait
	p.ring.arrived = sync.NewCond(&t.mu)
	if !t.ring.closed {
		t.taps = append(t.taps, p)
	}
	return p
}

func (p *tap) ReadRTP() (*rtp.Packet, error) {
	p.track.mu.Lock()
	defer p.track.mu.Unlock()
	packet, came, err := p.ring.take()
	if err == nil {
		p.came = came
	}
	return packet, err
}

// Arrived returns when the packet that was read last arrived, however long it has
// waited here. Package media needs it: a recording or a recogniser that falls behind
// still gets its times right.
func (p *tap) Arrived() time.Time {
	p.track.mu.Lock()
	defer p.track.mu.Unlock()
	return p.track.began.Add(p.came)
}

func (p *tap) Close() error {
	p.track.mu.Lock()
	defer p.track.mu.Unlock()
	p.ring.count = 0
	p.ring.waiting, p.ring.head = nil, 0
	p.ring.end()
	p.track.taps = slices.DeleteFunc(p.track.taps, func(other *tap) bool { return other == p })
	return nil
}
