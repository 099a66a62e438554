package noom

import (
	"time"

	"noom/signal"
)

// This file is the part of a link that lets the first
// connections to newcomers be built a few at a time.

// heldFrame is a frame that would have us build a connection before its turn.
type heldFrame struct {
	m   signal.Message
	via *conn
}

// mustWaitForTurn reports whether the link's next connection is a newcomer's
// whose turn has not come, and sees to it that it does.
func (l *link) mustWaitForTurn() bool {
	if l.everUp || l.admitted {
		return false
	}
	l.room.queueUp(l)
	return true
}

// mustQueue reports whether the next connection may not be built yet; then is
// called when it may.
func (l *link) mustQueue(then func()) bool {
	if l.mustWaitForTurn() {
		l.onAdmitted = then
		return true
	}
	if wait := l.conduct.build(time.Now()); wait > 0 {
		l.later(&l.patience, wait, then)
		return true
	}
	return false
}

// hold keeps a frame until it is the link's turn.
func (l *link) hold(m signal.Message, via *conn) {
	if len(l.held) < maxHeld {
		l.held = append(l.held, heldFrame{m, via})
	}
}

// admit is told when it is the link's turn.
func (l *link) admit() {
	if l.over || l.asleep {
		l.admissionOver()
		return
	}
	l.admitted = true
	begin, held := l.onAdmitted, l.held
	l.onAdmitted, l.held = nil, nil
	if len(held) > 0 { // the peer has begun, which is as good
		for _, f := range held {
			l.accept(f.m, f.via)
		}
		if l.conn != nil && !l.broken {
			return
		}
	}
	if begin != nil {
		begin()
	}
}

// admissionOver gives the place back: the connection is up, has failed, or is not
// wanted any longer.
func (l *link) admissionOver() {
	l.admitted, l.onAdmitted, l.held = false, nil, nil
	l.room.yield(l)
}
