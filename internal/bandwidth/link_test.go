package bandwidth

import (
	"math/rand/v2"
	"time"
)

const ms = time.Millisecond

// link is one direction of a path: loss, perhaps a policer, a drop-tail queue
// that drains at rate, then delay and jitter. It moves in steps of 1 ms.
type link struct {
	rate    float64       // bits per second
	delay   time.Duration // one way
	queue   time.Duration // the longest wait
	jitter  time.Duration // 0 to jitter more
	reorder bool          // jitter may change the order
	loss    float64
	burst   float64 // mean length of a burst of losses, packets; 0: single losses
	police  float64 // bits per second above which packets are dropped without a queue; 0: none
	bucket  float64 // bits that the policer lets through at once

	rng     *rand.Rand
	bad     bool // within a burst
	tokens  float64
	backlog float64 // bits
	fifo    []*parcel
	left    float64 // bits of fifo[0] that are not sent yet
	flying  []*parcel
	lastDue time.Duration
}

type parcel struct {
	flow   int // 0: ours
	number int64
	size   int // bytes
	sent   time.Duration
	due    time.Duration // at the other end
	wait   time.Duration // in the queue
}

// pass takes a packet in, or drops it.
func (l *link) pass(p *parcel) bool {
	if l.lost() {
		return false
	}
	bits := float64(p.size * 8)
	if l.police > 0 {
		if l.tokens < bits {
			return false
		}
		l.tokens -= bits
	}
	wait := time.Duration(l.backlog / l.rate * 1e9)
	if wait > l.queue {
		return false
	}
	p.wait = wait
	l.backlog += bits
	if l.fifo = append(l.fifo, p); len(l.fifo) == 1 {
		l.left = bits
	}
	return true
}

func (l *link) lost() bool {
	if l.burst <= 1 {
		return l.loss > 0 && l.rng.Float64() < l.loss
	}
	if l.bad {
		l.bad = l.rng.Float64() >= 1/l.burst
	} else if l.loss > 0 {
		l.bad = l.rng.Float64() < l.loss/(1-l.loss)/l.burst
	}
	return l.bad
}

// step moves the link by 1 ms up to now and returns what arrives.
func (l *link) step(now time.Duration) (arrived []*parcel) {
	l.tokens = min(l.tokens+l.police/1000, max(l.bucket, 2*8*1500))
	room := l.rate / 1000
	for len(l.fifo) > 0 && room > 0 {
		took := min(l.left, room)
		room, l.left, l.backlog = room-took, l.left-took, l.backlog-took
		if l.left > 0 {
			break
		}
		p := l.fifo[0]
		l.fifo = l.fifo[1:]
		if len(l.fifo) > 0 {
			l.left = float64(l.fifo[0].size * 8)
		}
		p.due = now - time.Duration(room/l.rate*1e9) + l.delay
		if l.jitter > 0 {
			p.due += time.Duration(l.rng.Int64N(int64(l.jitter)))
		}
		if !l.reorder {
			p.due = max(p.due, l.lastDue)
			l.lastDue = p.due
		}
		l.flying = append(l.flying, p)
		for i := len(l.flying) - 1; i > 0 && l.flying[i].due < l.flying[i-1].due; i-- {
			l.flying[i], l.flying[i-1] = l.flying[i-1], l.flying[i]
		}
	}
	n := 0
	for n < len(l.flying) && l.flying[n].due <= now {
		n++
	}
	arrived, l.flying = l.flying[:n:n], l.flying[n:]
	return arrived
}
