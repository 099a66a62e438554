package noom

import (
	"noom/internal/fanout"
	"noom/signal"
)

// This file is the room's loop. It takes the hub's frames one by one and passes each to the part of the room that it
// concerns.

// run is the loop.
func (r *room) run() {
	for {
		select {
		case <-r.mail.Ready():
			for _, f := range r.mail.Take() {
				f()
			}
		case m := <-r.hub.Frames():
			r.handle(m)
		case m := <-r.hub.Again():
			r.joinedAgain(m)
		case <-r.ctx.Done():
			for _, f := range r.mail.Close() {
				f()
			}
			r.roster.close()
			return
		}
	}
}

func (r *room) handle(m signal.Message) {
	if m.Pair() {
		if p := r.roster.byID[m.From]; p != nil {
			p.link.HubFrame(m)
		}
		return
	}
	if m.Type != signal.TypeJoined { // the uplink has traced it
		r.trace.frame(TraceReceived, Member{}, false, m)
	}
	switch m.Type {
	case signal.TypeJoined:
		r.joined(m)
	case signal.TypeServers:
		r.ice.Take(&m)
	case signal.TypeWelcome:
		r.roster.welcome(*m.Member, m.Sends, m.Card)
		r.roster.dropGhosts()
	case signal.TypeBye:
		r.bye(m)
	case signal.TypeRenamed:
		r.renamed(m)
	case signal.TypeChat:
		r.chatted(m)
	case signal.TypeSaid:
		r.talk.told(&m)
	case signal.TypeLocked, signal.TypeUnlocked:
		r.standing.lockChanged(m, r.roster.memberOf(m.From))
	case signal.TypeMute:
		r.standing.muteRequested(m, r.roster.memberOf(m.From))
	case signal.TypePing:
		r.send(signal.Message{Type: signal.TypePong})
	case signal.TypePong:
		r.network.hubAnswered()
	case signal.TypeError: // if it is to end the connection, the end follows
		err := m.Err()
		r.log.Debug("hub refused", "about", err.About, "error", err)
		r.requests.settle(err, func(asked *signal.Message) bool { return asked.Type == err.About })
	default: // unknown, or not for us
	}
}

// joined takes the hub's answer to a join, the first one and each one after a loss.
func (r *room) joined(m signal.Message) {
	r.follow(m)
	if r.rejoined {
		r.events.add(SignalingRestored{})
		r.talk.missed()
	}
	r.rejoined = true
	r.requests.askAgain()
	r.network.hubAnswered()
}

// joinedAgain takes what the hub says of a room that may be at another hub now. Nothing was lost that an application
// could see.
func (r *room) joinedAgain(m signal.Message) {
	r.follow(m)
	r.talk.missed()
	r.requests.askAgain()
}

// follow takes the whole truth about ourselves and the room.
func (r *room) follow(m signal.Message) {
	r.standing.rename(m.Self.Name)
	r.ice.Take(&m)
	if before, now := r.standing.grant(m.Self.Rights, m.Self.Account); before != now {
		r.published.allow(now)
	}
	r.standing.setLocked(m.Locked, Member{})
	r.roster.follow(m.Members, m.Before(), m.Limits.Members)
}

func (r *room) bye(m signal.Message) {
	if m.From == r.self.ID {
		r.farewell.dismissed(m.Reason)
		return
	}
	if m.Reason == ReasonKicked {
		r.requests.settle(nil, func(asked *signal.Message) bool { return asked.Type == signal.TypeKick && asked.To == m.From })
	}
	r.roster.bye(m)
}

func (r *room) renamed(m signal.Message) {
	if p := r.roster.byID[m.From]; p != nil {
		r.roster.rename(p, m.Name)
	}
	if m.From == r.self.ID {
		r.standing.rename(m.Name)
		r.requests.settle(nil, func(asked *signal.Message) bool { return asked.Type == signal.TypeRename && asked.Name == m.Name })
	}
}

func (r *room) chatted(m signal.Message) {
	if m.From == r.self.ID {
		r.talk.passed(&m)
		r.requests.settle(nil, func(asked *signal.Message) bool { return asked.ID == m.ID })
		return
	}
	if p := r.roster.byID[m.From]; p != nil {
		r.talk.heard(p, &m)
	}
}

// sourceEnded reports that the track of a sender has ended by itself. Called from anywhere.
func (r *room) sourceEnded(s *fanout.Sender, err error) {
	r.events.add(SourceEnded{Sender: s, Err: err})
}

// background runs f and makes the end of the room wait for it.
func (r *room) background(f func()) { r.tasks.Go(f) }

// online reports whether there is a connection to a hub.
func (r *room) online() bool { return r.hub.Online() }

// send queues m for the hub, if there is a connection to one.
func (r *room) send(m signal.Message) { r.sendTo(Member{}, m) }

// sendTo is send for a frame that the hub relays to peer. It drops a frame that cannot be encoded, because noom gives
// up a Signaler that fails.
func (r *room) sendTo(peer Member, m signal.Message) {
	if _, err := m.Encode(); err != nil {
		r.log.Warn("frame dropped, because it cannot be encoded", "type", m.Type, "error", err)
		return
	}
	if r.online() {
		r.trace.frame(TraceSent, peer, false, m)
		r.hub.Put(m)
	}
}
