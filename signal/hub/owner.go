package hub

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"noom/signal"
)

// ErrNoRoom is inside errors about a room that nobody is in.
var ErrNoRoom = errors.New("hub: there is no such room")

// This file is what the program around a hub may do to its rooms.

// MemberInfo tells of a member what only the hub's owner gets to know.
type MemberInfo struct {
	signal.Member

	Identity string     // who the authorisation says it is; see [Grant]
	Address  netip.Addr // where it connects from; invalid if the transport does not tell
	Since    time.Time  // when it entered
}

// Members returns who is in a room, in join order; nil if there is no such room.
func (h *Hub) Members(room string) []MemberInfo {
	if place := h.home(room); place != nil {
		return place.members()
	}
	return nil
}

// Kick removes a member from a room and keeps it out for as long as the room
// is open, with its id and with its identity, if the authorisation knows one
// ([Grant]). It reaches who has lost its connection to the hub but not to the other members, too,
// and who has just left. Who may draw a new key and come back as somebody else is for
// [Config.Authorize] to say. An error, always a [*signal.Error] with code
// no_such_member, says that there was nobody to remove.
func (h *Hub) Kick(room, id string) error {
	place := h.home(room)
	if place == nil || !place.kick(id) {
		return signal.Errorf(signal.CodeNoSuchMember, "", "nobody in room %q is %q", room, id)
	}
	return nil
}

// Lock keeps everyone out of a room but those who are in it, or were when it
// was locked and lost their connection since. It ends with [Hub.Unlock], when the
// room's last member has gone, and with the hub. Its members are told. An error, always
// [ErrNoRoom], says that nobody is there.
func (h *Hub) Lock(room string) error { return h.setLock(room, true) }

// Unlock ends a [Hub.Lock], or one by a member who may.
func (h *Hub) Unlock(room string) error { return h.setLock(room, false) }

func (h *Hub) setLock(room string, locked bool) error {
	place := h.home(room)
	if place == nil {
		return fmt.Errorf("%w: %q", ErrNoRoom, room)
	}
	place.lock(locked)
	return nil
}

// CloseRoom tells everyone in a room bye, for good, and ends their connections.
// The next to join opens it anew. A room that does not exist is closed already.
func (h *Hub) CloseRoom(room string) {
	if place := h.home(room); place != nil {
		place.close(signal.ReasonClosed, 0)
	}
}
