package fanout

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	leastQueue = 8   // packets that a queue first has room for
	keptQueue  = 256 // for which it keeps room at most: a key frame

	// A pump ends when nothing was put into the queue for so long, or up to twice as long. Each packet waking up a pump that
	// waits costs less than a new one for each.
	pumpRests = 200 * time.Millisecond
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
	pumped  bool          // there is a pump
	resting bool          // it is to end if nothing waits
	puts    int           // packets that were put since the watch looked
	watch   *time.Timer   // has the pump rest; nil: there was none
	closed  bool          // nothing is put into the queue any longer
	emptied chan struct{} // closed when that is so, and all has been written
}

func newPacketQueue(most int) *packetQueue {
	q := &packetQueue{most: most, emptied: make(chan struct{})}
	q.news = sync.NewCond(&q.mu)
	return q
}

// full reports whether there is no room. Only the one who puts may rely on it.
func (q *packetQueue) full() bool { return q.length() >= q.most }

// length returns how many packets are not written yet.
func (q *packetQueue) length() int { return int(q.left.Load()) }

// put adds a packet to a queue that is neither full nor closed. It reports whether a pump has to begin.
func (q *packetQueue) put(out outgoingPacket) (begins bool) {
	q.left.Add(1)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == nil {
		q.waiting = make([]outgoingPacket, 0, leastQueue)
	}
	q.puts++
	if q.waiting = append(q.waiting, out); len(q.waiting) == 1 && q.pumped {
		q.news.Signal()
	}
	if begins = !q.pumped; begins {
		q.pumped = true
		q.watchPump()
	}
	return begins
}

// watchPump has look called after a moment. It needs q.mu.
func (q *packetQueue) watchPump() {
	if q.watch == nil {
		q.watch = time.AfterFunc(pumpRests, q.look)
	} else {
		q.watch.Reset(pumpRests)
	}
}

// look has the pump rest if there was nothing to do for a while.
func (q *packetQueue) look() {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed || !q.pumped:
	case q.puts > 0 || q.length() > 0:
		q.puts = 0
		q.watchPump()
	default:
		q.resting = true
		q.news.Signal()
	}
}

// take waits for packets and returns all there are, which the pump reports as written one by one. If it returns none, the
// pump has to end. before is what it returned last, whose memory it uses again.
func (q *packetQueue) take(before []outgoingPacket) []outgoingPacket {
	clear(before) // holds nothing any longer
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed && !q.resting {
		q.news.Wait()
	}
	if len(q.waiting) == 0 {
		q.waiting, q.pumped, q.resting = nil, false, false
		if q.closed {
			close(q.emptied)
		}
		return nil
	}
	all := q.waiting
	if q.waiting = before[:0]; cap(before) > keptQueue {
		q.waiting = nil
	}
	return all
}

// written reports that the pump has written a packet, or left it out.
func (q *packetQueue) written() { q.left.Add(-1) }

// close ends the queue. A pump writes what is left.
func (q *packetQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.watch != nil {
		q.watch.Stop()
	}
	if !q.pumped {
		close(q.emptied)
	}
	q.news.Signal()
}
