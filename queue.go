package noom

import (
	"context"
	"io"
	"slices"
	"sync"

	"noom/internal/fifo"
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
	items     fifo.Queue[queuedEvent]
	compactAt int
	dropped   int  // chat messages and changes of the room's state since the last Lagged
	ended     bool // Closed was added, the last event
}

// maxMuteRequests is how many requests to mute are kept beyond the bound, each for another track, because the members
// that ask choose the tracks' names. maxEntries is the same for the keys of the room's state.
const (
	maxMuteRequests = 64
	maxEntries      = 4096
)

type queuedEvent struct {
	event Event
	taken func() // called without a lock when Next takes the event; may be nil
}

func newEventQueue(bound int) *eventQueue {
	return &eventQueue{bound: bound, compactAt: bound, ready: make(chan struct{}, 1)}
}

func (q *eventQueue) add(e Event) { q.addTaken(e, nil) }

func (q *eventQueue) addTaken(e Event, taken func()) {
	q.mu.Lock()
	if !q.ended {
		q.items.Push(queuedEvent{e, taken})
		_, q.ended = e.(Closed)
		if q.items.Len() > q.compactAt {
			q.compact()
			// If what is left cannot be merged, do not try again at each event.
			q.compactAt = max(q.bound, 2*q.items.Len())
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
	hows := make([]queueing, 0, q.items.Len())
	for _, it := range q.items.All() {
		hows = append(hows, it.event.queueing())
	}
	drop := make([]bool, len(hows))
	born := make(map[any]int) // index of the event by which a peer or track came
	last := make(map[any]int) // index of the last event of its state
	for i, how := range hows {
		if how.begins != nil {
			born[how.begins] = i
		}
		if how.ends != nil {
			cancelEvents(hows[:i+1], drop, born, how.ends)
		}
		if how.state != nil {
			supersedeState(drop, last, how.state, i)
		}
	}
	asking, entries := 0, 0
	for i, how := range slices.Backward(hows) {
		switch {
		case drop[i]:
		case how.kind == eventAsking:
			asking++
			drop[i] = asking > maxMuteRequests
		case how.kind == eventEntry:
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
	for i, how := range hows {
		if !drop[i] && length > q.bound && how.kind == eventChat {
			drop[i] = true
			q.dropped++
			length--
		}
	}
	i := -1
	q.items.Filter(func(queuedEvent) bool { i++; return !drop[i] })
}

// cancelEvents drops all events about subject, whose end is the last one, if its beginning waits too. It keeps data,
// which is never dropped.
func cancelEvents(hows []queueing, drop []bool, born map[any]int, subject any) {
	from, ok := born[subject]
	if !ok {
		return
	}
	delete(born, subject)
	for i, how := range hows[from:] {
		if how.track == subject || how.peer != "" && how.peer == subject {
			drop[from+i] = true
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
	if q.ended && q.items.Len() == 0 {
		q.wake() // for other calls that wait
		return nil, nil, io.EOF
	}
	if q.dropped > 0 {
		e := Lagged{q.dropped}
		q.dropped = 0
		return e, nil, nil
	}
	if q.items.Len() == 0 {
		return nil, nil, nil
	}
	it := q.items.Pop()
	if q.items.Len() > 0 || q.ended {
		q.wake()
	}
	return it.event, it.taken, nil
}
