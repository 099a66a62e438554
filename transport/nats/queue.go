package nats

import (
	"sync"
	"time"
)

// parcelOverhead is what a parcel takes beside its data, about.
const parcelOverhead = 128

// A parcel is a message that waits.
type parcel struct {
	data    []byte
	to      *subscription // if it has come
	subject string        // if it goes out
	since   time.Time     // if it goes out
	reached chan struct{} // there is no message: closed in its turn
}

func (p *parcel) size() int { return len(p.data) + len(p.subject) + parcelOverhead }

// A queue has messages in order. It is bounded, and there is always room for one.
type queue struct {
	limit int
	some  chan struct{} // has an element if there may be parcels
	over  chan struct{}

	mu      sync.Mutex
	parcels []parcel
	bytes   int
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, some: make(chan struct{}, 1), over: make(chan struct{})}
}

// push reports whether there was room.
func (q *queue) push(p parcel) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > 0 && q.bytes+p.size() > q.limit {
		return false
	}
	q.parcels = append(q.parcels, p)
	q.bytes += p.size()
	select {
	case q.some <- struct{}{}:
	default:
	}
	return true
}

// pop waits for a parcel. It reports false when the queue is over. Only one goroutine pops.
func (q *queue) pop() (parcel, bool) {
	for {
		select {
		case <-q.over:
			return parcel{}, false
		default:
		}
		if p, ok := q.first(); ok {
			return p, true
		}
		select {
		case <-q.some:
		case <-q.over:
		}
	}
}

func (q *queue) first() (parcel, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.parcels) == 0 {
		return parcel{}, false
	}
	p := q.parcels[0]
	q.parcels[0] = parcel{}
	q.parcels = q.parcels[1:]
	q.bytes -= p.size()
	return p, true
}
