package signal

import (
	"fmt"
	"slices"
)

// Right names something that a member may do in a room. What a hub does not
// know of is ignored.
type Right string

// The rights of PROTOCOL.md section 2.
const (
	RightPublish Right = "publish" // sends media; the receivers enforce it, because the hub sees no media
	RightChat    Right = "chat"    // says something to the room
	RightKick    Right = "kick"    // removes others
	RightLock    Right = "lock"    // locks the room and unlocks it
	RightMute    Right = "mute"    // asks others to mute
	RightClose   Right = "close"   // ends the room for everyone
	RightList    Right = "list"    // sees which rooms are open; hubs do not show it to the others
)

// Rights are what a member may do. Nil is what a member may where nothing else
// is said: publish and chat. Empty but not nil is nothing: watching alone.
type Rights []Right

// AllRights is everything one can do in a room.
func AllRights() Rights {
	return Rights{RightPublish, RightChat, RightKick, RightLock, RightMute, RightClose}
}

// Has reports whether r is among them.
func (rights Rights) Has(r Right) bool {
	if rights == nil {
		return r == RightPublish || r == RightChat
	}
	return slices.Contains(rights, r)
}

// maxRights bounds the rights of a Member: all there are, and some that a later
// version may add.
const maxRights = 16

func (rights Rights) check() error {
	if len(rights) > maxRights {
		return fmt.Errorf("%d rights, at most %d", len(rights), maxRights)
	}
	return nil
}

// May reports whether m has that right.
func (m Member) May(r Right) bool { return m.Rights.Has(r) }

// String is the name and the beginning of the id, for logs.
func (m Member) String() string {
	if m.ID == "" {
		return "nobody"
	}
	return Printable(m.Name) + " (" + m.ID[:min(6, len(m.ID))] + ")"
}
