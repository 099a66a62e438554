package hub

import (
	"time"

	"noom/signal"
)

// A place is where a room is, as this hub's connections and its owner see it. Whatever the hub does to a room goes
// through one: here the room is in a [home] of this hub, and nothing else has to know that.
//
// Its methods may be called from anywhere at any time. Those with a conn are called by its reader, expire excepted, and
// may wait: nothing more is read from that member meanwhile. A message is the caller's again afterwards. An error that is
// returned ends c; what else a member is answered goes to its outbox.
type place interface {
	// enter asks for c to be let in. open is false when this place is over: the hub has forgotten it by then, and asks
	// another.
	enter(c *conn, q request) (a answer, open bool)

	// What a member says. A message is passed by value, because one to which an interface points is on the heap.
	relay(c *conn, m signal.Message) *signal.Error
	chat(c *conn, m signal.Message, at int64) *signal.Error
	rename(c *conn, name string) *signal.Error
	moderate(c *conn, m signal.Message) *signal.Error

	// leave removes c, and expire does because its authorisation has ended, if it is still there.
	leave(c *conn, why signal.Reason)
	expire(c *conn)
	// part lets a member leave for which a bye was posted. It reports false if the bye is not signed for that member's
	// connection, or its last.
	part(bye *signal.Message) bool

	// What the hub's owner does. members are in the order in which they have entered.
	members() []MemberInfo
	kick(id string) bool
	lock(locked bool)
	closeRoom()

	// dismiss sends away those who are connected to this hub, which goes down, and says when they may come back.
	dismiss(retry time.Duration)

	// size is how many members this hub's list of rooms says that it has; 0: it is not in the list. Called with the hub's
	// lock held.
	size() int
}

// An answer is what becomes of a connection that asks to be let in.
type answer struct {
	verdict verdict
	refusal *signal.Error
	wait    time.Duration // before it asks again, if it is early
}
