package noom

import (
	"time"

	"noom/internal/recovery"
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

// queueUp asks for the link's turn.
func (l *link) queueUp() {
	l.room.mail.Post(func() {
		if l.room.links[l.member.ID] == l {
			l.room.admitted(func() { l.room.admission.ask(l) })
		}
	})
}

// hold keeps a frame until it is the link's turn.
func (l *link) hold(m signal.Message, via *conn) {
	if len(l.held) < maxHeld {
		l.held = append(l.held, heldFrame{m, via})
	}
}

// admit is told when it is the link's turn.
func (l *link) admit() { l.on((*recovery.Machine).Admitted) }

// release takes the frames that were held back.
func (l *link) release() {
	held := l.held
	l.held = nil
	for _, f := range held {
		l.accept(f.m, f.via)
	}
	l.on((*recovery.Machine).Released)
}

// yield gives the link's place back.
func (l *link) yield() {
	l.held = nil
	l.room.mail.Post(func() { l.room.admitted(func() { l.room.admission.done(l) }) })
}
