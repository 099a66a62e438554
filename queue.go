package noom

import (
	"context"
	"io"
	"slices"
	"sync"
)

// eventQueue holds events from when they happen until Next takes them. Adding never blocks. Beyond its bound, the queue
// first drops the events that later ones cancel out or replace, and all but the newest requests to mute; then it drops
// the oldest chat. Of changes of the room's state, which says itself what it is, it keeps those of the newest keys. Other
// state is never lost, so the queue's length stays within the bound plus what describes the room as it
// is. Data is bounded by credit (package data).
type eventQueue struct {
	bound int
	ready chan struct{} // holds a token while there may be something to take

	mu        sync.Mutex
	items     []queuedEvent
	compactAt int
	dropped   int  // chat messages and changes of the room's state since the last Lagged
	ended     bool // Closed was added
	drained   bool // Closed was taken
}

// maxMuteRequests is how many requests to mute are kept beyond the bound, each for another track, because the members
// that ask choose the tracks' names. maxEntries is the same for the keys of the room's state.
const (
	maxMuteRequests = 64
	maxEntries      = 4096
)

type queuedEvent struct {
	event Event
	how   queueing
	taken func() // called without a lock when Next takes the event; may be nil
}

func newEventQueue(bound int) *eventQueue {
	return &eventQueue{bound: bound, compactAt: bound, ready: make(chan struct{}, 1)}
}

func (q *eventQueue) add(e Event) { q.addTaken(e, nil) }

func (q *eventQueue) addTaken(e Event, taken func()) {
	how := e.queueing()
	q.mu.Lock()
	if !q.ended {
		q.items = append(q.items, queuedEvent{e, how, taken})
		q.ended = how.kind == eventLast
		if len(q.items) > q.compactAt {
			q.compact()
			// If what is left cannot be merged, do not try again at each event.
			q.compactAt = max(q.bound, 2*len(q.items))
		}
	}
	q.mu.Unlock()
	q.wake()
}

func (q *eventQueue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// compact brings the queue towards its bound. It drops all events about a peer or track that came and went unseen, all
// but the last event of each state, and all but the newest requests to mute. If what is left is still above the bound,
// it drops chat, the oldest first.
func (q *eventQueue) compact() {
	drop := make([]bool, len(q.items))
	born := make(map[any]int) // index of the event by which a peer or track came
	last := make(map[any]int) // index of the last event of its state
	for i, it := range q.items {
		how := it.how
		if how.begins != nil {
			born[how.begins] = i
		}
		if how.ends != nil {
			q.cancel(drop, born, how.ends, i)
		}
		if how.state != nil {
			supersedeState(drop, last, how.state, i)
		}
	}
	asking, entries := 0, 0
	for i, it := range slices.Backward(q.items) {
		switch {
		case drop[i]:
		case it.how.kind == eventAsking:
			asking++
			drop[i] = asking > maxMuteRequests
		case it.how.kind == eventEntry:
			if entries++; entries > maxEntries {
				drop[i] = true
				q.dropped++
			}
		}
	}
	length := 0
	for i := range drop {
		if !drop[i] {
			length++
		}
	}
	kept := q.items[:0]
	for i, it := range q.items {
		switch {
		case drop[i]:
		case length > q.bound && it.how.kind == eventChat:
			q.dropped++
			length--
		default:
			kept = append(kept, it)
		}
	}
	clear(q.items[len(kept):])
	q.items = kept
}

// cancel drops all events about subject, whose end is at index end, if its beginning waits too. It keeps data, which is
// never dropped.
func (q *eventQueue) cancel(drop []bool, born map[any]int, subject any, end int) {
	from, ok := born[subject]
	if !ok {
		return
	}
	delete(born, subject)
	for i := from; i <= end; i++ {
		how := q.items[i].how
		if how.track == subject || how.peer != "" && how.peer == subject {
			drop[i] = true
		}
	}
}

func supersedeState(drop []bool, last map[any]int, subject any, at int) {
	if before, ok := last[subject]; ok {
		drop[before] = true
	}
	last[subject] = at
}

// next is Room.Next.
func (q *eventQueue) next(ctx context.Context) (Event, error) {
	e, taken, err := q.nextHeld(ctx)
	if taken != nil {
		taken()
	}
	return e, err
}

// nextHeld is next for a caller who calls taken, unless that is nil, when the event need no longer hold back its peer.
func (q *eventQueue) nextHeld(ctx context.Context) (e Event, taken func(), err error) {
	for {
		if e, taken, err := q.pop(); e != nil || err != nil {
			return e, taken, err
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

func (q *eventQueue) pop() (Event, func(), error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.drained {
		q.wake() // for other calls that wait
		return nil, nil, io.EOF
	}
	if q.dropped > 0 {
		e := Lagged{q.dropped}
		q.dropped = 0
		return e, nil, nil
	}
	if len(q.items) == 0 {
		return nil, nil, nil
	}
	it := q.items[0]
	q.items[0] = queuedEvent{}
	q.items = q.items[1:]
	q.drained = it.how.kind == eventLast
	if len(q.items) > 0 || q.drained {
		q.wake()
	}
	return it.event, it.taken, nil
}
