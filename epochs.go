package noom

import (
	"fmt"
	"slices"
	"time"

	"noom/internal/fanout"
	"noom/internal/negotiate"
)

// This file is the part of a link that begins epochs and gives them up.

// begin starts the next epoch as ours.
func (l *link) begin() {
	if l.over || l.asleep || l.awaitServers(l.begin) || l.mustQueue(l.begin) {
		return
	}
	if !l.hubReaches() && l.conn.up() {
		l.setAside() // the next epoch has no other way
	}
	if !l.ex.Begin() {
		l.setState(PeerFailed, fmt.Errorf("%w: epochs used up", errRules))
		return
	}
	l.trace("epoch begun", "number", l.ex.Epoch().Number)
	l.turn = negotiate.Begin()
	if l.rebuild() {
		l.try(l.act(l.turn.Need()))
	}
}

// rebuild puts a fresh connection in the place of the one there was.
func (l *link) rebuild() bool {
	l.dropConn()
	if l.linger != nil { // the old ones stay until this one is up
		l.linger.Stop()
		l.linger = nil
	}
	l.inbox, l.incoming, l.pending = nil, nil, nil
	l.broken, l.failedBy, l.wasUp, l.restarts, l.pathAsked = false, nil, false, 0, false
	switch {
	case l.serving():
		l.setState(PeerConnected, nil)
	case l.State() == PeerConnected: // the peer began this epoch
		l.setState(PeerInterrupted, nil)
	}
	c, err := l.open()
	if err != nil {
		l.fail(err)
		return false
	}
	l.conn = c
	l.planRelay()
	l.room.mail.Post(l.room.watchNetwork)
	l.waiting = append([]*fanout.Sender(nil), l.senders...)
	l.takenDue = l.in.received > 0
	l.mu.Lock()
	l.pc, l.streams = c.pc, nil
	l.mu.Unlock()
	l.later(&l.patience, l.room.cfg.ConnectTimeout, func() { l.fail(errTimeout) })
	return true
}

// closedByPeer is told when a channel closes that we did not close: most
// likely the other end has begun the next epoch, and says so in a moment.
func (l *link) closedByPeer() {
	l.partAll() // or it has heard a goodbye
	if l.left {
		return // the data channel may have more; see dataEnded
	}
	l.failAfter(closedGrace, errConnection)
}

// fail gives this epoch up: the next begins after a pause that grows.
func (l *link) fail(err error) { l.failAfter(0, err) }

func (l *link) failAfter(pause time.Duration, err error) {
	if l.left {
		l.over = true
	}
	if l.broken || l.over || l.asleep {
		return
	}
	l.broken, l.failedBy, l.inbox = true, err, nil
	if !l.everUp {
		l.admissionOver()
	}
	l.trace("epoch given up", "number", l.ex.Epoch().Number, "error", err)
	serving := l.serving()
	if l.lost && !serving {
		l.room.drop(l)
		return
	}
	if l.wasUp && time.Since(l.upSince) > calmAfter {
		l.failures, l.patienceFor = 0, firstRestarts
	}
	if l.failures > 0 {
		pause = min(time.Second<<min(l.failures-1, 10), maxBackOff)
	}
	l.failures++
	if !serving {
		l.note(err)
		l.setState(PeerFailed, err)
	}
	l.later(&l.patience, pause, l.begin)
}

// flooded gives the epoch up because the peer floods us, and the connection
// with it at once. The next is made after a pause that another session does not shorten.
func (l *link) flooded(c *conn, err error) {
	if l.over || l.conn != c && !slices.Contains(l.old, c) {
		return
	}
	l.log.Warn("the peer floods us; its connection is ended", "error", err)
	l.conduct.fault(time.Now())
	if l.conn != c {
		l.oldLost(c)
		return
	}
	l.fail(err)
	l.dropConn()
}

func (l *link) setState(s PeerState, err error) {
	l.mu.Lock()
	changed := l.state != s
	l.state = s
	l.mu.Unlock()
	if changed {
		l.log.Info("peer", "state", s.String())
		l.room.traceState(l.Member(), s, err)
		l.tell(PeerStateChanged{Peer: l, State: s, Err: err})
	}
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
