package noom

import (
	"context"
	"io"
	"slices"
	"sync"
)

// eventQueue holds events from when they happen until Next takes them. Adding
// never blocks. Beyond its bound, what cancels out is merged and the oldest chat goes;
// state is never lost, so its length stays within the bound plus what there
// is to say of the room as it is. Data is bounded by credit (stream.go).
type eventQueue struct {
	bound int
	ready chan struct{} // holds a token while there may be something to take

	mu        sync.Mutex
	items     []queued
	compactAt int
	dropped   int  // chat messages since the last Lagged
	ended     bool // Closed was added
	drained   bool // Closed was delivered
}

// maxMutes is how many requests to mute are kept beyond the bound, each for another
// track: whoever may ask chooses their names.
const maxMutes = 64

type queued struct {
	event Event
	taken func() // called, holding nothing, when Next delivers the event; may be nil
}

func newEventQueue(bound int) *eventQueue {
	return &eventQueue{bound: bound, compactAt: bound, ready: make(chan struct{}, 1)}
}

func (q *eventQueue) add(e Event) { q.addTaken(e, nil) }

func (q *eventQueue) addTaken(e Event, taken func()) {
	q.mu.Lock()
	if !q.ended {
		q.items = append(q.items, queued{e, taken})
		_, q.ended = e.(Closed)
		if len(q.items) > q.compactAt {
			q.compact()
			// Not at each event again if what is left cannot be merged.
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

// compact brings the queue towards its bound. A peer or track that came and
// went unseen is not told of, of states only the last one is, and chat goes
// oldest first.
func (q *eventQueue) compact() {
	drop := make([]bool, len(q.items))
	born := make(map[any]int) // index of the event by which a peer or track came
	last := make(map[any]int) // index of the last event of its state
	for i, it := range q.items {
		switch e := it.event.(type) {
		case PeerJoined:
			born[e.Peer.ID()] = i
		case PeerLeft:
			q.cancel(drop, born, e.Member.ID, i)
		case TrackAdded:
			born[e.Track] = i
		case TrackRemoved:
			q.cancel(drop, born, e.Track, i)
		case PeerStateChanged:
			supersede(drop, last, e.Peer, i)
		case TrackMuted:
			supersede(drop, last, e.Track, i)
		case PeerRenamed:
			supersede(drop, last, "name of "+e.Peer.ID(), i)
		case SignalingLost, SignalingRestored:
			supersede(drop, last, "signaling", i)
		case RoomLocked:
			supersede(drop, last, "lock", i)
		case MuteRequested:
			supersede(drop, last, "mute of "+e.Track+" by "+e.By.ID, i)
		case ActiveSpeaker:
			supersede(drop, last, "speaker", i)
		case SourceEnded:
			supersede(drop, last, e.Sender, i)
		case TrackRefused:
			supersede(drop, last, [2]any{e.Peer, e.Sender}, i)
		}
	}
	mutes := 0
	for i, it := range slices.Backward(q.items) {
		if _, mute := it.event.(MuteRequested); mute && !drop[i] {
			mutes++
			drop[i] = mutes > maxMutes
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
		_, chat := it.event.(ChatReceived)
		switch {
		case drop[i]:
		case chat && length > q.bound:
			q.dropped++
			length--
		default:
			kept = append(kept, it)
		}
	}
	clear(q.items[len(kept):])
	q.items = kept
}

// cancel drops everything about subject, whose end is at index end, if its
// beginning still waits too. Data stays: it is never dropped.
func (q *eventQueue) cancel(drop []bool, born map[any]int, subject any, end int) {
	from, ok := born[subject]
	if !ok {
		return
	}
	delete(born, subject)
	for i := from; i <= end; i++ {
		if peer, track := about(q.items[i].event); peer == subject || track == subject {
			drop[i] = true
		}
	}
}

// about returns the id of the peer and the track that a state event is about.
func about(e Event) (peer, track any) {
	switch e := e.(type) {
	case PeerJoined:
		return e.Peer.ID(), nil
	case PeerLeft:
		return e.Member.ID, nil
	case PeerRenamed:
		return e.Peer.ID(), nil
	case PeerStateChanged:
		return e.Peer.ID(), nil
	case TrackAdded:
		return e.Peer.ID(), e.Track
	case TrackRemoved:
		return e.Peer.ID(), e.Track
	case TrackMuted:
		return e.Peer.ID(), e.Track
	case TrackRefused:
		return e.Peer.ID(), nil
	case ChannelOpened:
		return e.Peer.ID(), nil
	case ActiveSpeaker:
		if e.Peer != nil {
			return e.Peer.ID(), nil
		}
	}
	return nil, nil
}

func supersede(drop []bool, last map[any]int, subject any, at int) {
	if before, ok := last[subject]; ok {
		drop[before] = true
	}
	last[subject] = at
}

// next is Room.Next.
func (q *eventQueue) next(ctx context.Context) (Event, error) {
	for {
		if e, taken, err := q.pop(); e != nil || err != nil {
			if taken != nil {
				taken()
			}
			return e, err
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *eventQueue) pop() (Event, func(), error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.drained {
		q.wake() // for whoever else waits
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
	q.items[0] = queued{}
	q.items = q.items[1:]
	_, q.drained = it.event.(Closed)
	if len(q.items) > 0 || q.drained {
		q.wake()
	}
	return it.event, it.taken, nil
}
