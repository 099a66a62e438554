package noom

import (
	"noom/internal/recovery"
	"noom/signal"
)

// This file is the part of a link that takes fresh ICE servers: the newest whenever it
// gathers candidates. A TURN server may refuse to go on with a relay whose credentials have
// expired, so a connection over a relay moves to a new one before that.

// serversTold tells that there are new ones.
func (l *link) serversTold() {
	l.mail.Post(func() {
		l.on((*recovery.Machine).ServersTold)
		l.planRelay()
	})
}

func (l *link) askServers() {
	l.trace("asking for ICE servers")
	l.room.send(signal.Message{Type: signal.TypeServers})
}

// planRelay says when the relay's credentials are about to expire.
func (l *link) planRelay() {
	if l.conn != nil && l.conn.Servers.Lifetime > 0 {
		l.on(func(m *recovery.Machine) []recovery.Action { return m.CredentialsLast(max(l.conn.Servers.Due(), 0)) })
	}
}

// checkRelay says that the path's relay is about to end, if it is one and there
// are new credentials.
func (l *link) checkRelay() {
	if l.room.servers().Due() > 0 && l.conn.ByOwnRelay() {
		l.trace("restart, for the relay's credentials are about to expire")
		l.on((*recovery.Machine).RelayEnds)
	}
}
