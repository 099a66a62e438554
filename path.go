package noom

import (
	"time"

	"github.com/pion/webrtc/v4"
)

// This file is the part of a link that keeps its connection on a living path:
// it derives the Peer's state, restarts ICE, and gives up when that is no help.
//
//	connected -- nothing arrives for 4 s --> interrupted -- 2 s --> restart
//	restart -- answered --> connected
//	restart -- no pair for 12 s --> failed, restart; after a few of them, rebuild
//
// Restarts cost a frame or two, a new connection costs one of the few hundred a
// browser tab may ever make. So between two rebuilds there are more and more
// restarts, and at no time is nothing being tried while the hub can be reached.

const (
	restartAfter  = 2 * time.Second // of a path being interrupted
	relayPatience = 2 * time.Second // for a relay to be gathered, where the path went by one
	firstRestarts = 2               // before the first rebuild
	maxRestarts   = 64
)

func (l *link) pathChanged(s webrtc.ICEConnectionState) {
	l.conn.path, l.conn.pathSince = s, time.Now()
	l.trace("path", "state", s.String())
	l.work() // a description may have waited for ICE to start
	switch {
	case l.broken || l.left || l.conn == nil:
	case s == webrtc.ICEConnectionStateFailed:
		l.pathFailed()
	case s == webrtc.ICEConnectionStateDisconnected && l.State() == PeerConnected:
		l.setState(PeerInterrupted, nil)
		l.relayed = l.byOwnRelay()
		l.room.askHub() // which has to carry the restart, and may have gone the same way
		l.later(&l.patience, restartAfter, l.restart)
	default:
		l.channelsChanged()
	}
}

// channelsChanged makes the Peer connected once everything is.
func (l *link) channelsChanged() {
	if l.broken || l.left || !l.conn.up() || !l.conn.dataOpen || l.wasUp && l.State() == PeerConnected {
		return
	}
	if len(l.old) > 0 {
		l.later(&l.linger, l.lingering(), l.dropOld)
	}
	l.wasUp, l.upSince, l.restarts = true, time.Now(), 0
	l.everUp = true
	l.admissionOver()
	l.failure = nil
	if l.patience != nil {
		l.patience.Stop()
		l.patience = nil
	}
	l.setState(PeerConnected, nil)
	l.ex.Resend() // what hangs at a dead hub can go in-band now
}

// dataCanFlow is told when the data channel is open, and when something has come
// by a channel, which shows the same: pion calls OnOpen in a goroutine of its own,
// and what the peer sends at once may overtake that. The application hears of
// PeerConnected first. The control channel was made before, and opens no later.
func (l *link) dataCanFlow() {
	if c := l.conn; !c.dataOpen {
		c.controlOpen, c.dataOpen, c.written = true, true, l.out.start()
		l.channelsChanged()
	}
}

// secured is called when DTLS is up, at first and again after a restart.
func (l *link) secured() {
	l.conn.secured = true
	for _, sec := range l.conn.sections {
		sec.leg.Connected()
	}
}

// mediaCanFlow opens the sections that the peer has just answered, if DTLS is up already:
// pion drops what is sent earlier.
func (l *link) mediaCanFlow() {
	if !l.conn.secured {
		return
	}
	for _, sec := range l.conn.sections {
		if !sec.leg.Opened() {
			sec.leg.Connected()
		}
	}
}

// pathFailed is told when ICE has given up. That is no reason to give up the
// connection: a restart may find a path.
func (l *link) pathFailed() {
	if l.lost || len(l.old) > 0 {
		l.fail(errConnection) // which drops the peer, or moves again
		return
	}
	l.note(errConnection)
	l.setState(PeerFailed, errConnection)
	l.retry()
}

// retry restarts again or, when that has not helped so often, rebuilds.
func (l *link) retry() {
	if l.restarts++; l.restarts > l.patienceFor {
		l.patienceFor = min(2*l.patienceFor, maxRestarts)
		l.fail(errConnection)
		return
	}
	l.restart()
}

// restart looks for a new path, which only the hub may carry: a restart takes
// the path away that it would travel on (RFC 8445 section 9). Without a hub
// nothing is done; its return calls here again.
func (l *link) restart() {
	if l.conn == nil || l.broken || l.conn.up() || !l.room.online() {
		return
	}
	if l.awaitServers(l.restart) {
		return
	}
	l.lookForPath(l.room.cfg.ConnectTimeout)
	l.try(l.act(l.turn.Restart()))
}

// lookForPath waits for the path that a restart is to find. If the last went
// by a relay of ours it restarts again while there is no new one: the
// pauses between requests to a TURN server double (RFC 8489 section 6.2.1), and once the
// server can be reached again, the next request may be seconds away.
func (l *link) lookForPath(patience time.Duration) {
	if !l.relayed || patience <= relayPatience {
		l.later(&l.patience, patience, l.retry)
		return
	}
	l.later(&l.patience, relayPatience, func() {
		if l.conn == nil || l.broken || l.conn.up() || !l.room.online() {
			return
		}
		l.lookForPath(patience - relayPatience)
		if !l.conn.local.candidates.Relayed() {
			l.try(l.act(l.turn.Restart()))
		}
	})
}

// hubBack is told when the hub can be reached again, or has met the peer
// again. After a path has failed, a new connection is the faster way: over the
// old one SCTP would wait for its timer, up to two seconds.
func (l *link) hubBack() {
	l.ex.Resend()
	switch {
	case !l.wasUp || l.conn.up():
	case l.State() == PeerFailed:
		l.failures = 0
		l.begin()
	default:
		l.restart()
	}
}
