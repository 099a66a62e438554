package hub

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"noom/signal"
)

// ErrNoRoom is inside errors about a room without members.
var ErrNoRoom = errors.New("hub: there is no such room")

// This file is what the program around a hub may do to its rooms.

// MemberInfo is what only the hub's owner learns about a member.
type MemberInfo struct {
	signal.Member

	Identity string     // as the authorisation knows it; see [Grant]
	Address  netip.Addr // where it connects from; invalid if the transport does not know
	Since    time.Time  // when it entered
}

// An arrival is where a connection comes from, and when its member entered.
type arrival struct {
	address netip.Addr // invalid if the transport does not know
	since   time.Time
}

// info is what the hub's owner learns of a member.
func (s *seat[C]) info() MemberInfo {
	return MemberInfo{Member: s.member, Identity: s.identity, Address: s.arrival.address, Since: s.arrival.since}
}

func (r *room[C]) infos() []MemberInfo {
	list := make([]MemberInfo, len(r.seats))
	for i := range r.seats {
		list[i] = r.seats[i].info()
	}
	return list
}

// Members returns the members of a room, in the order in which they have entered, last those that have come back; nil if
// there is no such room.
func (h *Hub) Members(room string) []MemberInfo {
	if h.fleet != nil {
		return h.fleet.members(room)
	}
	if p := h.place(room); p != nil {
		return p.members()
	}
	return nil
}

// Kick removes a member from a room and keeps it out for as long as the room is open, with its id
// and with its identity, if the authorisation knows one ([Grant]). It also reaches a member that
// has lost its connection to the hub but not to the other members, and one that has just left.
// Whether a member may come back with a new key is for [Config.Authorize] to decide. An error,
// always a [*signal.Error] with code no_such_member, says that there was no such member.
func (h *Hub) Kick(room, id string) error {
	done, err := h.changeRoom(question{Do: askKick, Room: room, Member: id}, func(p place) bool { return p.kick(id) })
	if err != nil {
		return err
	}
	if !done {
		return signal.Errorf(signal.CodeNoSuchMember, "", "no member of room %q is %q", room, id)
	}
	return nil
}

// Lock keeps everyone out of a room but those who are in it, or were when it was locked and lost
// their connection since. It ends with [Hub.Unlock], when the room's last member has gone, and with
// the hub. Its members learn of it. An error, always [ErrNoRoom], says that the room is empty.
func (h *Hub) Lock(room string) error { return h.setLock(room, true) }

// Unlock ends a [Hub.Lock], or one by a member with that right.
func (h *Hub) Unlock(room string) error { return h.setLock(room, false) }

func (h *Hub) setLock(room string, locked bool) error {
	do := askUnlock
	if locked {
		do = askLock
	}
	done, err := h.changeRoom(question{Do: do, Room: room}, func(p place) bool { p.lock(locked); return true })
	if err != nil {
		return err
	}
	if !done {
		return fmt.Errorf("%w: %q", ErrNoRoom, room)
	}
	return nil
}

// changeRoom does something to a room, here or at the hub that has it. It reports whether there was something to do.
func (h *Hub) changeRoom(q question, here func(place) bool) (done bool, _ error) {
	if h.fleet == nil {
		p := h.place(q.Room)
		return p != nil && here(p), nil
	}
	a, err := h.fleet.ask(q)
	return err == nil && a.Done, err
}

// CloseRoom says bye to everyone in a room, for good, and ends their connections. The next join
// opens it again. A room that does not exist is closed already.
func (h *Hub) CloseRoom(room string) {
	_, err := h.changeRoom(question{Do: askClose, Room: room}, func(p place) bool { p.closeRoom(); return true })
	if err != nil {
		h.logbook.write("owner", slog.LevelWarn, "a room cannot be closed", slog.Any("err", err))
	}
}
