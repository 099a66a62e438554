package noom

import (
	"noom/internal/recovery"
)

// This file is the part of a link that lets the first
// connections to newcomers be built a few at a time.

// queueUp asks for the link's turn.
func (l *link) queueUp() { l.room.queueUp(l) }

// admit is told when it is the link's turn.
func (l *link) admit() { l.on((*recovery.Machine).Admitted) }

// release takes the frames that were held back.
func (l *link) release() {
	l.frames.Release()
	l.on((*recovery.Machine).Released)
}

// yield gives the link's place back.
func (l *link) yield() {
	l.frames.Forget()
	l.room.yield(l)
}
