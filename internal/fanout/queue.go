package fanout

import (
	"sync"
	"sync/atomic"
)

const (
	leastQueue = 8   // packets that a queue first has room for
	keptQueue  = 256 // for which it keeps room at most: a key frame
)

// packetQueue holds the packets of one binding until its pump has written them, oldest first. It has room for what waits
// and not for what may: nearly always that is less than a picture, and a full queue is 60 KB. The pump takes all that
// waits at a time, because a lock for each packet costs more than all else here.
type packetQueue struct {
	most int          // Immutable. How many packets may wait.
	left atomic.Int32 // packets that the pump has not written yet, of those it has taken too

	mu      sync.Mutex // a leaf lock: nothing outside is called while it is held
	news    *sync.Cond
	waiting []outgoingPacket
	closed  bool
}

func newPacketQueue(most int) *packetQueue {
	q := &packetQueue{most: most}
	q.news = sync.NewCond(&q.mu)
	return q
}

// full reports whether there is no room. Only the one who puts may rely on it.
func (q *packetQueue) full() bool { return q.length() >= q.most }

// length returns how many packets are not written yet.
func (q *packetQueue) length() int { return int(q.left.Load()) }

// put adds a packet to a queue that is neither full nor closed.
func (q *packetQueue) put(out outgoingPacket) {
	q.left.Add(1)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == nil {
		q.waiting = make([]outgoingPacket, 0, leastQueue)
	}
	if q.waiting = append(q.waiting, out); len(q.waiting) == 1 {
		q.news.Signal()
	}
}

// take waits for packets and returns all there are, which the pump reports as written one by one. It returns none once the
// queue is closed and nothing is left. before is what it returned last, whose memory it uses again.
func (q *packetQueue) take(before []outgoingPacket) []outgoingPacket {
	clear(before) // holds nothing any longer
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.news.Wait()
	}
	all := q.waiting
	if q.waiting = before[:0]; cap(before) > keptQueue {
		q.waiting = nil
	}
	return all
}

// written reports that the pump has written a packet, or left it out.
func (q *packetQueue) written() { q.left.Add(-1) }

// close lets the pump end when it has written what is left.
func (q *packetQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.news.Signal()
}
