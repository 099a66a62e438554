package noom

import (
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/signal"
)

// This file is what a link may ask of its room, from any goroutine. The room's
// loop decides what has to do with who is there.

// drop is asked for when the hub has lost the member and its connection is dead.
func (r *room) drop(l *link) { r.mail.Post(func() { r.roster.drop(l) }) }

// left says that the link has ended by itself because the member has said goodbye.
func (r *room) left(l *link) { r.mail.Post(func() { r.roster.left(l) }) }

// reborn says that the member itself says that it runs a new session.
func (r *room) reborn(l *link, session string) {
	r.mail.Post(func() { r.roster.reborn(l, session) })
}

// queueUp asks for the link's turn to build its first connection.
func (r *room) queueUp(l *link) {
	r.mail.Post(func() {
		if r.roster.has(l) {
			r.newcomers.queue(l)
		}
	})
}

// yield gives the link's turn to another.
func (r *room) yield(l *link) { r.mail.Post(func() { r.newcomers.done(l) }) }

// watchNetwork says that there is a connection for which the network is to be watched.
func (r *room) watchNetwork() { r.network.watchAddresses() }

// speechHeard says that something loud enough to be speech has come.
func (r *room) speechHeard() { r.speech.heard() }

// sourceEnded says that the track of a sender has ended by itself.
func (r *room) sourceEnded(s *fanout.Sender, err error) {
	r.events.add(SourceEnded{Sender: s, Err: err})
}

// servers returns the ICE servers to use now; not to be changed.
func (r *room) servers() *iceservers.Set { return r.ice.current() }

// background runs f and makes the end of the room wait for it.
func (r *room) background(f func()) { r.tasks.Go(f) }

// online reports whether there is a hub.
func (r *room) online() bool { return r.hub.Online() }

// askHub asks the hub for a sign of life, without which its connection is
// given up; a pause before a redial is cut short.
func (r *room) askHub() { r.hub.Nudge() }

// send puts m on its way to the hub, if there is one.
func (r *room) send(m signal.Message) { r.sendTo(Member{}, m) }

// sendTo is send for a frame that the hub relays to peer. One that cannot be
// encoded is left out, because a Signaler that fails is given up.
func (r *room) sendTo(peer Member, m signal.Message) {
	if _, err := m.Encode(); err != nil {
		r.log.Warn("frame left out", "type", m.Type, "error", err)
		return
	}
	if r.online() {
		r.trace.frame(TraceSent, peer, false, m)
		r.hub.Put(m)
	}
}
