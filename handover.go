package noom

import (
	"slices"

	"noom/internal/connection"

	"noom/internal/recovery"
)

// This file is the part of a link that keeps connections of epochs before, when the
// machine says so: they serve until the current one is up.

// connection returns one of the link's connections, nil if it is not there any more.
func (l *link) connection(n recovery.Number) *connection.Conn {
	if l.conn != nil && l.conn.Number == n {
		return l.conn
	}
	if i := slices.IndexFunc(l.old, func(c *connection.Conn) bool { return c.Number == n }); i >= 0 {
		return l.old[i]
	}
	return nil
}

// up reports whether frames given to the control channel of c can be hoped to
// arrive. A nil conn is not up.
func (l *link) up(c *connection.Conn) bool { return c != nil && l.recovery.Up(c.Number) }

// live returns the connection that data goes by, nil if there is none at all.
func (l *link) live() *connection.Conn { return l.connection(l.recovery.Live()) }

func (l *link) setAside() {
	l.conn.SetAside()
	l.old, l.conn = append(slices.Clip(l.old), l.conn), nil
	l.trace("connection kept until the next is up")
}

func (l *link) closeConn(n recovery.Number) {
	c := l.connection(n)
	switch c {
	case nil: // it could not be made
	case l.conn:
		l.dropConn()
	default:
		l.old = slices.DeleteFunc(slices.Clone(l.old), func(o *connection.Conn) bool { return o == c })
		c.Discard()
		if !l.recovery.Reachable() {
			l.partAll()
		}
	}
}
