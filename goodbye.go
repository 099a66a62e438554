package noom

import (
	"context"
	"math"
	"time"

	"noom/signal"
)

// This file says goodbye: to the hub, which tells everybody, and in-band to
// each peer, whom no hub may reach.

// patienceAtParting bounds how long a goodbye may take.
const patienceAtParting = time.Second

// goodbye returns when the hub has heard it, and the peers that it cannot tell have too.
func (r *room) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patienceAtParting)
	defer cancel()
	online := r.online()
	r.send(signal.Message{Type: signal.TypeBye})
	var untold []<-chan struct{} // done when a peer has heard it whom the hub does not tell
	posted := make(chan struct{})
	if !r.mail.post(func() {
		for _, l := range r.links {
			if done := l.sayGoodbye(); !online || l.missing {
				untold = append(untold, done)
			}
		}
		close(posted)
	}) {
		return
	}
	select {
	case <-posted:
	case <-ctx.Done():
		return
	}
	if online {
		wait(ctx, r.hubGone) // it closes the connection when it has heard it
	}
	wait(ctx, untold...)
}

// wait waits for all of done, until ctx ends.
func wait(ctx context.Context, done ...<-chan struct{}) {
	for _, d := range done {
		select {
		case <-d:
		case <-ctx.Done():
			return
		}
	}
}

// parting is a goodbye on its way: done is closed once the exchange has the
// acknowledgement of so many messages, or the link ends.
type parting struct {
	acked int64
	done  chan struct{}
}

// sayGoodbye tells the peer in-band that we leave for good, if it can be told.
func (l *link) sayGoodbye() <-chan struct{} {
	done := make(chan struct{})
	posted := l.mail.post(func() {
		if l.broken || !l.live().up() {
			close(done)
			return
		}
		l.queue(signal.TypeLeft, nil, false)
		l.partings = append(l.partings, parting{l.ex.Queued(), done})
	})
	if !posted {
		close(done)
	}
	return done
}

// leftByPeer takes the peer's goodbye. The peer closes the connection, as soon
// as it knows that it was heard: were both to do so at once, each would wait for the other.
func (l *link) leftByPeer() {
	l.left = true
	l.room.left(l)
	l.later(&l.patience, closedGrace, func() { l.over = true })
}

// partAll ends all partings: the peer is gone, and hears nothing any more.
func (l *link) partAll() { l.part(math.MaxInt64) }

// part ends the partings that are heard by now.
func (l *link) part(acked int64) {
	for len(l.partings) > 0 && l.partings[0].acked <= acked {
		close(l.partings[0].done)
		l.partings = l.partings[1:]
	}
}
