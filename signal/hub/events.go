package hub

import (
	"context"
	"iter"
	"slices"

	"noom/signal"
)

// Event is something that happened in a hub's rooms: [RoomOpened], [MemberJoined], [MemberLeft], [RoomClosed] or [Lagged].
type Event interface{ event() }

type (
	// RoomOpened says that a room has its first member, By, of whom a MemberJoined follows.
	RoomOpened struct {
		Room string
		By   MemberInfo
	}
	// MemberJoined says that a member is in a room.
	MemberJoined struct {
		Room   string
		Member MemberInfo
	}
	// MemberLeft says that a member no longer is, and why: left, lost, kicked, expired, closed or restart. One that was
	// replaced by a connection with the same id, its own as a rule, is followed by the MemberJoined of that. A member that
	// is lost may come back, and may be kicked while it is away, of which there is no further event.
	MemberLeft struct {
		Room   string
		Member MemberInfo
		Reason signal.Reason
	}
	// RoomClosed says that the last member has gone. The next join opens the room again.
	RoomClosed struct{ Room string }
	// Lagged says how many events were dropped here because the loop over them was too slow. Those that follow are
	// complete again; [Hub.Rooms] and [Hub.Members] say what is so now.
	Lagged struct{ Dropped int }
)

func (RoomOpened) event()   {}
func (MemberJoined) event() {}
func (MemberLeft) event()   {}
func (RoomClosed) event()   {}
func (Lagged) event()       {}

// mostEvents is how many events wait for one loop over them; then the oldest is dropped.
const mostEvents = 1024

// Events yields what happens in the hub's rooms from this call on, in order for each room, for the program around the
// hub: whatever it does in the loop, members do not wait for it. What is so already, Rooms and Members say. Up to 1024
// events wait; then the oldest is dropped, and [Lagged] counts it. It ends with ctx, and when [Hub.Shutdown] is done. The
// sequence is for one loop.
func (h *Hub) Events(ctx context.Context) iter.Seq[Event] {
	l := &listener{ready: make(chan struct{}, 1)}
	h.mu.Lock()
	h.listeners = append(h.listeners, l)
	h.mu.Unlock()
	forget := context.AfterFunc(ctx, func() { h.unlisten(l) })
	return func(yield func(Event) bool) {
		defer h.unlisten(l)
		defer forget()
		for over := false; ctx.Err() == nil; {
			if e := h.nextEvent(l); e != nil {
				if !yield(e) {
					return
				}
				continue
			}
			if over {
				return
			}
			select {
			case <-l.ready:
			case <-h.idle:
				over = true // what was told before still waits
			case <-ctx.Done():
			}
		}
	}
}

// A listener is a loop over events. The hub owns it, behind its lock.
type listener struct {
	waiting []Event
	dropped int           // since the last Lagged
	ready   chan struct{} // holds a token while something waits
}

func (l *listener) add(e Event) {
	if len(l.waiting) == mostEvents {
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		l.dropped++
	}
	l.waiting = append(l.waiting, e)
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// nextEvent returns what waits, nil if nothing does.
func (h *Hub) nextEvent(l *listener) Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case l.dropped > 0:
		e := Lagged{l.dropped}
		l.dropped = 0
		return e
	case len(l.waiting) == 0:
		return nil
	}
	e := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	return e
}

func (h *Hub) unlisten(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = slices.DeleteFunc(h.listeners, func(o *listener) bool { return o == l })
}

// announce tells listeners what has changed in a room that had so many members before. The caller holds the lock of the
// room's place and h.mu.
func announce[C comparable](h *Hub, r *room[C], before int) {
	news := r.takeNews()
	defer clear(news) // so that no connection is kept
	if len(h.listeners) == 0 {
		return
	}
	room := r.name
	var events []Event
	for i := range news {
		member := news[i].seat.info()
		switch why := news[i].why; {
		case why != "":
			events = append(events, MemberLeft{room, member, why})
		case before == 0 && i == 0:
			events = append(events, RoomOpened{room, member}, MemberJoined{room, member})
		default:
			events = append(events, MemberJoined{room, member})
		}
	}
	if before > 0 && len(r.seats) == 0 {
		events = append(events, RoomClosed{room})
	}
	for _, l := range h.listeners {
		for _, e := range events {
			l.add(e)
		}
	}
}
