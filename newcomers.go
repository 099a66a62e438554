package noom

import (
	"noom/internal/recovery"
	"noom/signal"
)

// This file is the part of a link that lets the first
// connections to newcomers be built a few at a time.

// heldFrame is a frame that would have us build a connection before its turn.
type heldFrame struct {
	m   signal.Message
	via *conn
}

// queueUp asks for the link's turn.
func (l *link) queueUp() { l.room.queueUp(l) }

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
	l.room.yield(l)
}
