package link

import (
	"slices"

	"noom/internal/connection"
	"noom/internal/recovery"
)

// connections are those of a link: that of the current epoch, and those of earlier epochs, which serve until it is up.
// The machine of package recovery decides which they are.
type connections struct {
	current *connection.Conn   // nil before the first epoch and while asleep
	old     []*connection.Conn // oldest first
}

// numbered returns the connection with that number, or nil if it is no longer there.
func (cs *connections) numbered(n recovery.Number) *connection.Conn {
	for _, c := range cs.all() {
		if c.Number == n {
			return c
		}
	}
	return nil
}

// all returns all connections, oldest first.
func (cs *connections) all() []*connection.Conn {
	if cs.current == nil {
		return cs.old
	}
	return append(slices.Clip(cs.old), cs.current)
}

// setAside keeps the current connection until the next one is up.
func (cs *connections) setAside() {
	cs.current.SetAside()
	cs.old, cs.current = append(slices.Clip(cs.old), cs.current), nil
}

// discard closes a connection, and reports whether it was the current one.
func (cs *connections) discard(c *connection.Conn) (current bool) {
	if current = c == cs.current; current {
		cs.current = nil
	} else {
		cs.old = slices.DeleteFunc(slices.Clone(cs.old), func(o *connection.Conn) bool { return o == c })
	}
	c.Discard()
	return current
}
