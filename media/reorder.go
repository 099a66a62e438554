package media

import (
	"slices"
	"time"

	"github.com/pion/rtp"
)

// queue holds frames in the order of their times.
type queue struct {
	frames []picture
	newest time.Duration
	bytes  int
}

func (q *queue) insert(p picture) {
	q.newest = max(q.newest, p.at)
	q.bytes += len(p.data)
	i := len(q.frames)
	for i > 0 && q.frames[i-1].at > p.at {
		i--
	}
	q.frames = slices.Insert(q.frames, i, p)
}

func (q *queue) settled() bool { return len(q.frames) > 0 && q.frames[0].at <= q.newest-settle }

func (q *queue) take() picture {
	p := q.frames[0]
	q.frames[0] = picture{}
	q.frames = q.frames[1:]
	q.bytes -= len(p.data)
	return p
}

const (
	// patience is how long a missing packet is waited for: two round trips of
	// a retransmission between continents.
	patience = 400 * time.Millisecond
	// maxReorder bounds how many packets wait for it.
	maxReorder = 512
)

// reorder puts packets of one SSRC in the order of their sequence numbers.
type reorder struct {
	next    uint16
	started bool
	held    map[uint16]heldPacket
}

type heldPacket struct {
	*rtp.Packet
	came time.Duration
}

// push takes a packet and returns those whose turn it is, with nil in place of
// each gap that will not be filled any more.
func (r *reorder) push(p *rtp.Packet, now time.Duration) (ready []*rtp.Packet) {
	if !r.started {
		r.started, r.next, r.held = true, p.SequenceNumber, make(map[uint16]heldPacket)
	}
	switch ahead := int16(p.SequenceNumber - r.next); {
	case ahead > 2*maxReorder || ahead < -2*maxReorder: // a stream that begins anew
		ready = append(r.flush(), nil)
		r.next = p.SequenceNumber
	case ahead < 0:
		return nil // twice, or given up already
	}
	r.held[p.SequenceNumber] = heldPacket{p, now}
	for len(r.held) > 0 {
		if first, ok := r.held[r.next]; ok {
			delete(r.held, r.next)
			r.next++
			ready = append(ready, first.Packet)
			continue
		}
		if len(r.held) < maxReorder && now-r.oldest() < patience {
			break
		}
		r.next = r.first()
		ready = append(ready, nil)
	}
	return ready
}

// flush returns all that is held.
func (r *reorder) flush() (ready []*rtp.Packet) {
	for len(r.held) > 0 {
		first := r.first()
		if first != r.next {
			ready = append(ready, nil)
		}
		ready = append(ready, r.held[first].Packet)
		delete(r.held, first)
		r.next = first + 1
	}
	return ready
}

// first returns the lowest sequence number held.
func (r *reorder) first() uint16 {
	least := uint16(1<<16 - 1)
	for number := range r.held {
		least = min(least, number-r.next)
	}
	return r.next + least
}

// oldest returns when the packet came that has waited longest.
func (r *reorder) oldest() time.Duration {
	oldest := time.Duration(1<<63 - 1)
	for _, p := range r.held {
		oldest = min(oldest, p.came)
	}
	return oldest
}
