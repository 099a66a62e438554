package hub

import (
	"container/list"
	"slices"
	"strings"
	"sync"

	"noom/signal"
)

const (
	maxHistory        = 1000      // messages of a room
	maxHistoryOfRoom  = 256 << 10 // bytes of frames
	maxHistoryOfRooms = 16 << 20  // bytes of frames of all rooms
)

// histories are what was said last in each room, for those who enter one in which nobody else is to tell them. They guard
// themselves.
type histories struct {
	keep int // messages of each room

	mu     sync.Mutex
	rooms  map[string]*list.Element // of a *history
	recent list.List                // those in which something was said last come first
	bytes  int
}

type history struct {
	room  string
	said  []*signal.Message // encoded, oldest first
	bytes int
}

// add keeps a message that a member has said, if it is signed: a client takes no other.
func (h *histories) add(room string, by *signal.Member, m *signal.Message) {
	if h.keep <= 0 || m.Signed == nil {
		return
	}
	said := &signal.Message{Type: signal.TypeSaid, From: by.ID, Key: by.PublicKey, Session: by.Session, Text: strings.Clone(m.Text), Signed: m.Signed}
	if _, err := said.Encode(); err != nil {
		return // it fits in every frame of a chat, but not with what is added here
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.rooms[room]
	if at == nil {
		at = h.recent.PushFront(&history{room: room})
		h.rooms[room] = at
	}
	h.recent.MoveToFront(at)
	of := at.Value.(*history)
	of.said = append(of.said, said)
	h.resize(of, said.Size())
	for len(of.said) > h.keep || of.bytes > maxHistoryOfRoom {
		h.resize(of, -of.said[0].Size())
		of.said = of.said[1:]
	}
	for h.bytes > maxHistoryOfRooms {
		h.remove(h.recent.Back())
	}
}

func (h *histories) resize(of *history, by int) {
	of.bytes += by
	h.bytes += by
}

func (h *histories) remove(at *list.Element) {
	of := at.Value.(*history)
	h.bytes -= of.bytes
	h.recent.Remove(at)
	delete(h.rooms, of.room)
}

// of returns what was said in a room, oldest first.
func (h *histories) of(room string) []*signal.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at := h.rooms[room]; at != nil {
		return slices.Clone(at.Value.(*history).said)
	}
	return nil
}

// forget forgets a room that has been closed for good.
func (h *histories) forget(room string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at := h.rooms[room]; at != nil {
		h.remove(at)
	}
}
