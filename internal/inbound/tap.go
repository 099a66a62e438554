package inbound

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
)

// A packetRing keeps the latest packets for a reader. It grows to trackRing as they wait, so that a track that is silent,
// or is read in time, costs little. Its track's mutex guards it.
type packetRing struct {
	arrived *sync.Cond // a packet, the end, or that of a reader's context; on the track's mutex
	slots   []ringSlot
	head    int // index of the oldest packet
	count   int
	dropped int // packets that no reader will get
	closed  bool
}

// ringSlot is a packet that waits.
type ringSlot struct {
	packet *rtp.Packet
	came   time.Duration // when it arrived, since the track began
}

// firstRing is how many packets a ring has room for before it grows.
const firstRing = 16

// put adds a packet, in place of the oldest if there is no room.
func (r *packetRing) put(packet *rtp.Packet, came time.Duration) {
	switch {
	case r.count < len(r.slots):
	case r.count < trackRing:
		r.grow()
	default:
		r.head = (r.head + 1) % len(r.slots)
		r.count--
		r.dropped++
	}
	r.slots[(r.head+r.count)%len(r.slots)] = ringSlot{packet, came}
	r.count++
	r.arrived.Signal()
}

// grow makes room for twice as many packets.
func (r *packetRing) grow() {
	slots := make([]ringSlot, min(max(firstRing, 2*len(r.slots)), trackRing))
	n := copy(slots, r.slots[r.head:])
	copy(slots[n:], r.slots[:r.head])
	r.slots, r.head = slots, 0
}

// take waits for a packet and returns it, with the time when it arrived. It returns ctx's error if ctx ends while nothing
// is there, or has ended already: a reader that never catches up learns of it too.
func (r *packetRing) take(ctx context.Context) (*rtp.Packet, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if r.count == 0 && !r.closed && ctx.Done() != nil {
		defer context.AfterFunc(ctx, func() {
			r.arrived.L.Lock()
			defer r.arrived.L.Unlock()
			r.arrived.Broadcast()
		})()
	}
	for r.count == 0 {
		if r.closed {
			return nil, 0, io.EOF
		}
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		r.arrived.Wait()
	}
	slot := r.slots[r.head]
	r.slots[r.head] = ringSlot{}
	r.head = (r.head + 1) % len(r.slots)
	r.count--
	return slot.packet, slot.came, nil
}

// end closes the ring: readers get what is left, then io.EOF.
func (r *packetRing) end() {
	r.closed = true
	r.arrived.Broadcast()
}

// PacketReader is an alias with the methods of noom.PacketReader, so that a Track is a noom.RemoteTrack.
type PacketReader = interface {
	ReadRTP() (*rtp.Packet, error)
	ReadRTPContext(ctx context.Context) (*rtp.Packet, error)
	Dropped() int
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
	p := &tap{track: t, ring: t.ring} // a copy, with the packets that wait
	p.ring.arrived, p.ring.slots, p.ring.dropped = sync.NewCond(&t.mu), slices.Clone(t.ring.slots), 0
	if !t.ring.closed {
		t.taps = append(t.taps, p)
	}
	return p
}

func (p *tap) ReadRTP() (*rtp.Packet, error) { return p.ReadRTPContext(context.Background()) }

func (p *tap) ReadRTPContext(ctx context.Context) (*rtp.Packet, error) {
	p.track.mu.Lock()
	defer p.track.mu.Unlock()
	packet, came, err := p.ring.take(ctx)
	if err == nil {
		p.came = came
	}
	return packet, err
}

func (p *tap) Dropped() int {
	p.track.mu.Lock()
	defer p.track.mu.Unlock()
	return p.ring.dropped
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
	p.ring.count, p.ring.slots = 0, nil
	p.ring.end()
	p.track.taps = slices.DeleteFunc(p.track.taps, func(other *tap) bool { return other == p })
	return nil
}
