package noom

import (
	"time"

	"noom/signal"
)

// This file is the part of a room, and of a link, that lets the first
// connections to newcomers be built a few at a time.

// heldFrame is a frame that would have us build a connection before its turn.
type heldFrame struct {
	m   signal.Message
	via *conn
}

// present reports whether a member is in the room, or asleep.
func (r *room) present(id string) bool { return r.links[id] != nil || r.asleep[id] != nil }

// admitted changes who waits, and lets those build whose turn has come. The room's loop calls it.
func (r *room) admitted(change func()) {
	change()
	turn, again := r.admission.next(time.Now())
	for _, l := range turn {
		l.mail.Post(l.admit)
	}
	if r.admitTimer != nil {
		r.admitTimer.Stop()
		r.admitTimer = nil
	}
	if again > 0 {
		r.admitTimer = time.AfterFunc(again, func() {
			r.mail.Post(func() { r.admitted(func() {}) })
		})
	}
}

// mustWaitForTurn reports whether the link's next connection is a newcomer's
// whose turn has not come, and sees to it that it does.
func (l *link) mustWaitForTurn() bool {
	if l.everUp || l.admitted {
		return false
	}
	l.room.mail.Post(func() {
		if l.room.links[l.member.ID] == l {
			l.room.admitted(func() { l.room.admission.ask(l) })
		}
	})
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
	l.room.mail.Post(func() { l.room.admitted(func() { l.room.admission.done(l) }) })
}
