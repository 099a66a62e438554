package noom

import (
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

// lingering is how long the old connection stays once the new one is up: in
// the new one video begins with a key frame, which takes a moment. Who began the epoch
// ends it, and the other end sees it end.
func (l *link) lingering() time.Duration {
	if l.ex.Epoch().By == l.room.self.ID {
		return time.Second
	}
	return 2 * time.Second
}

// hubReaches reports whether frames can be hoped to reach the peer by hub.
func (l *link) hubReaches() bool { return l.room.online() && !l.lost }

// live returns the connection that frames in-band and data go by.
func (l *link) live() *conn {
	if !l.conn.up() && l.old.up() {
		return l.old
	}
	return l.conn
}

// keep sets the connection aside, if it works, to serve until the next is up.
func (l *link) keep() {
	if l.conn.up() {
		l.dropOld()
		l.old, l.conn = l.conn, nil
		l.trace("connection kept until the next is up")
	}
}

// move looks for a new path without a hub.
func (l *link) move() error {
	switch {
	case l.conn.up():
		l.begin()
	case l.old.up(): // it is being looked for
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
	if c := l.old; c != nil {
		l.old = nil
		l.discard(c)
	}
}

// oldPathChanged follows the path of the old connection, which is the peer's
// state for as long as the new one is not up.
func (l *link) oldPathChanged(s webrtc.ICEConnectionState) {
	l.old.path = s
	switch {
	case s == webrtc.ICEConnectionStateFailed:
		l.oldLost()
	case l.conn.up():
	case l.old.up():
		l.setState(PeerConnected, nil)
	default:
		l.setState(PeerInterrupted, nil)
	}
}

// oldLost gives the old connection up.
func (l *link) oldLost() {
	l.partAll()
	l.dropOld()
	switch {
	case l.conn.up():
	case !l.broken:
		l.setState(PeerInterrupted, nil)
	case l.lost:
		l.room.drop(l)
	default:
		l.setState(PeerFailed, errConnection)
	}
}
