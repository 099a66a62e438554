package media

import (
	"slices"
	"time"

	"github.com/pion/rtp"
)

// queue holds frames in the order of their times.
type queue struct {
	frames []picture
	bytes  int // with the extra cost of each frame
}

// frameCost is what a frame in a queue counts in addition to its bytes: many frames of one byte
// shall neither fill the memory nor make each insertion slow.
const frameCost = 1 << 10

func (q *queue) insert(p picture) {
	q.bytes += len(p.data) + frameCost
	i := len(q.frames)
	for i > 0 && q.frames[i-1].at > p.at {
		i--
	}
	q.frames = slices.Insert(q.frames, i, p)
}

func (q *queue) take() picture {
	p := q.frames[0]
	q.frames[0] = picture{}
	q.frames = q.frames[1:]
	q.bytes -= len(p.data) + frameCost
	return p
}

const (
	// patience is how long a missing packet is waited for: two round trips of
	// a retransmission between continents.
	patience = 400 * time.Millisecond
	// maxReorder bounds how many packets wait for it.
	maxReorder = 512
	// maxJump is how far a sequence number may be from the newest and still mean disorder or loss;
	// beyond it the stream begins again.
	maxJump = 2 * maxReorder
	// maxAge is how far back a late packet's timestamp lies at most: half a minute of video. A late
	// number with another one is not a late packet but a stream that begins again on numbers just
	// behind.
	maxAge = 30 * 90000
)

// reorder puts packets of one SSRC in the order of their sequence numbers.
type reorder struct {
	started bool
	next    uint16 // the number that is due
	newest  rtp.Header
	held    map[uint16]heldPacket
}

// heldPacket is a packet and when it came; a nil Packet stands for a gap.
type heldPacket struct {
	*rtp.Packet
	came time.Duration
}

// push takes a packet that comes now and returns those that are due, with a gap in place of each
// that will no longer come.
func (r *reorder) push(p *rtp.Packet, now time.Duration) (ready []heldPacket) {
	if !r.started {
		r.started, r.next, r.newest, r.held = true, p.SequenceNumber, p.Header, make(map[uint16]heldPacket)
	}
	jump := int16(p.SequenceNumber - r.newest.SequenceNumber)
	late := int16(p.SequenceNumber-r.next) < 0
	old := r.newest.Timestamp-p.Timestamp < maxAge
	switch {
	case late && old && jump >= -maxJump:
		return nil // twice, or given up already
	case late, jump > maxJump, jump < -maxJump:
		ready = append(r.flush(), heldPacket{})
		r.next, r.newest = p.SequenceNumber, p.Header
	case jump > 0:
		r.newest = p.Header
	}
	r.held[p.SequenceNumber] = heldPacket{p, now}
	return r.take(ready, now)
}

// take appends the packets that are due.
func (r *reorder) take(ready []heldPacket, now time.Duration) []heldPacket {
	for len(r.held) > 0 {
		if first, ok := r.held[r.next]; ok {
			delete(r.held, r.next)
			r.next++
			ready = append(ready, first)
			continue
		}
		if len(r.held) < maxReorder && now-r.oldest() < patience {
			break
		}
		r.next = r.first()
		ready = append(ready, heldPacket{})
	}
	return ready
}

// flush returns all that is held.
func (r *reorder) flush() (ready []heldPacket) {
	for len(r.held) > 0 {
		first := r.first()
		if first != r.next {
			ready = append(ready, heldPacket{})
		}
		ready = append(ready, r.held[first])
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
