package noom

import (
	"time"

	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// This file is the part of a link that begins epochs and gives them up, when
// the machine says so.

// fail gives this epoch up: the next begins after a pause that grows.
func (l *link) fail(err error) {
	l.told = err
	l.on((*recovery.Machine).Fail)
}

func (l *link) beginEpoch() {
	if !l.ex.Begin() {
		l.on((*recovery.Machine).Exhausted)
		return
	}
	l.conduct.build(time.Now()) // which the machine has waited for
	l.trace("epoch begun", "number", l.ex.Epoch().Number)
	l.turn = negotiate.Begin()
	l.on((*recovery.Machine).Begun)
}

// build makes the connection of a new epoch.
func (l *link) build(number recovery.Number, ours bool) {
	l.inbox, l.incoming, l.pending, l.failedBy = nil, nil, nil, nil
	c, err := l.open(number)
	if err != nil {
		l.told = err
		l.on((*recovery.Machine).Unbuilt)
		return
	}
	l.conn = c
	l.planRelay()
	l.room.mail.Post(l.room.watchNetwork)
	l.waiting = append([]*sender(nil), l.senders...)
	l.takenDue = l.in.received > 0
	l.mu.Lock()
	l.pc, l.streams = c.pc, nil
	l.mu.Unlock()
	if ours {
		l.try(l.act(l.turn.Need()))
	}
}

// flooded ends the connection of a peer that floods us. The next is made
// after a pause that another session does not shorten.
func (l *link) flooded(c *conn, err error) {
	if l.recovery.Over() || l.connection(c.number) != c {
		return
	}
	l.log.Warn("the peer floods us; its connection is ended", "error", err)
	l.conduct.fault(time.Now())
	l.told = err
	l.on(func(m *recovery.Machine) []recovery.Action { return m.Flooded(c.number) })
}

func (l *link) setState(s PeerState, err error) {
	l.mu.Lock()
	l.state = s
	l.mu.Unlock()
	l.log.Info("peer", "state", s.String())
	l.room.traceState(l.Member(), s, err)
	l.tell(PeerStateChanged{Peer: l, State: s, Err: err})
}

// tell adds an event about this peer, unless it has left.
func (l *link) tell(e Event) { l.tellTaken(e, nil) }

// tellTaken is tell; taken is called when the event is delivered.
func (l *link) tellTaken(e Event, taken func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gone {
		l.room.events.addTaken(e, taken)
	}
}
