package noom

import (
	"slices"
	"time"

	"github.com/pion/webrtc/v4"
)

// This file is the part of a link that moves to a new connection while the old
// one still works: make before break.
//
// A restart of ICE takes the path away that it would travel on (RFC 8445
// section 9), so without a hub it is no way to a new path. The next epoch is: its
// frames go over the control channel of the connection that is there, and so do data
// and media, until the new connection is up.
//
//	conn up, no hub -- begin, or the peer's frame of a higher epoch, in-band --> old serves, conn comes up
//	old serves      -- conn is up -----------------------------------------> both, for a second
//	old serves      -- conn fails -----------------------------------------> old serves, next epoch after a pause
//	old serves      -- old fails ------------------------------------------> as without old: the hub is waited for
//
// There may be two old ones: whoever moves again before the other end is up too cannot know
// which of its connections the other still has.

const maxOld = 2

// lingering is how long the old connections stay once the new one is up: in
// the new one video begins with a key frame, which takes a moment. Who began the epoch
// ends them, and the other end sees them end.
func (l *link) lingering() time.Duration {
	if l.ex.Epoch().By == l.room.self.ID {
		return time.Second
	}
	return 2 * time.Second
}

// hubReaches reports whether frames can be hoped to reach the peer by hub.
func (l *link) hubReaches() bool { return l.room.online() && !l.lost }

// serving reports whether an old connection works.
func (l *link) serving() bool { return slices.ContainsFunc(l.old, (*conn).up) }

// live returns the connection that data goes by.
func (l *link) live() *conn {
	if !l.conn.up() {
		for _, c := range slices.Backward(l.old) {
			if c.up() {
				return c
			}
		}
	}
	return l.conn
}

// setAside keeps the connection to serve, whenever it works, until the next is up.
func (l *link) setAside() {
	if len(l.old) == maxOld {
		l.discard(l.old[0])
		l.old = l.old[1:]
	}
	l.old, l.conn = append(slices.Clip(l.old), l.conn), nil
	l.trace("connection kept until the next is up")
}

// move looks for a new path without a hub.
func (l *link) move() error {
	switch {
	case l.conn.up():
		l.begin()
	case l.serving(): // it is being looked for
	default:
		return ErrNoHub
	}
	return nil
}

func (l *link) dropOld() {
	if l.linger != nil {
		l.linger.Stop()
		l.linger = nil
	}
	old := l.old
	l.old = nil
	for _, c := range old {
		l.discard(c)
	}
}

// oldPathChanged follows the path of an old connection: with it goes the
// peer's state for as long as the new one is not up.
func (l *link) oldPathChanged(c *conn, s webrtc.ICEConnectionState) {
	c.path = s
	switch {
	case s == webrtc.ICEConnectionStateFailed:
		l.oldLost(c)
	case l.conn.up():
	case l.serving():
		l.setState(PeerConnected, nil)
	default:
		l.setState(PeerInterrupted, nil)
	}
}

// oldLost gives an old connection up.
func (l *link) oldLost(c *conn) {
	l.old = slices.DeleteFunc(slices.Clone(l.old), func(o *conn) bool { return o == c })
	l.discard(c)
	if !l.live().up() {
		l.partAll()
	}
	switch {
	case l.conn.up() || l.serving():
	case !l.broken:
		l.setState(PeerInterrupted, nil)
	case l.lost:
		l.room.drop(l)
	default:
		l.setState(PeerFailed, errConnection)
	}
}
