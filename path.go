package noom

import (
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/recovery"
)

// This file is the part of a link that tells the machine how its connections do.

// pathChanged follows the path of a connection, the current or an old one.
func (l *link) pathChanged(c *conn, s webrtc.ICEConnectionState) {
	if c == l.conn {
		c.pathSince = time.Now()
		l.trace("path", "state", s.String())
		l.work() // a description may have waited for ICE to start
	}
	relayed := s == webrtc.ICEConnectionStateDisconnected && byOwnRelay(c)
	l.on(func(m *recovery.Machine) []recovery.Action {
		return m.PathChanged(c.number, machinePath(s), relayed)
	})
}

func (l *link) controlOpened(c *conn) {
	l.on(func(m *recovery.Machine) []recovery.Action { return m.ControlOpened(c.number) })
}

// dataCanFlow is told when the data channel is open, and when something has come
// by a channel, which shows the same: pion calls OnOpen in a goroutine of its own,
// and what the peer sends at once may overtake that. The application hears of
// PeerConnected first.
func (l *link) dataCanFlow() {
	if c := l.conn; !c.dataOpen {
		c.dataOpen, c.written = true, l.out.start()
		l.on(func(m *recovery.Machine) []recovery.Action { return m.DataOpened(c.number) })
	}
}

// channelClosed is told when the control or the data channel of a connection
// closes. With the current one our goodbye has nowhere to go.
func (l *link) channelClosed(c *conn, data bool) {
	if c == l.conn {
		l.partAll()
	}
	l.on(func(m *recovery.Machine) []recovery.Action { return m.ChannelClosed(c.number, data) })
}

// secured is called when DTLS is up, at first and again after a restart.
func (l *link) secured() {
	l.conn.secured = true
	for _, sec := range l.conn.sections {
		sec.leg.connected()
	}
}

// mediaCanFlow opens the sections that the peer has just answered, if DTLS is up already:
// pion drops what is sent earlier.
func (l *link) mediaCanFlow() {
	if !l.conn.secured {
		return
	}
	for _, sec := range l.conn.sections {
		if !sec.leg.opened() {
			sec.leg.connected()
		}
	}
}

// machinePath returns what pion says of a path in the machine's words. One that is
// closed, by a user with the connection in hand, is followed by its channels.
func machinePath(s webrtc.ICEConnectionState) recovery.Path {
	switch s {
	case webrtc.ICEConnectionStateNew:
		return recovery.Untried
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
		return recovery.Found
	case webrtc.ICEConnectionStateDisconnected:
		return recovery.Disconnected
	case webrtc.ICEConnectionStateFailed:
		return recovery.NoPath
	default:
		return recovery.Checking
	}
}

// pionPath is the way back.
func pionPath(p recovery.Path) webrtc.ICEConnectionState {
	return [...]webrtc.ICEConnectionState{
		recovery.Untried: webrtc.ICEConnectionStateNew, recovery.Checking: webrtc.ICEConnectionStateChecking,
		recovery.Found: webrtc.ICEConnectionStateConnected, recovery.Disconnected: webrtc.ICEConnectionStateDisconnected,
		recovery.NoPath: webrtc.ICEConnectionStateFailed,
	}[p]
}
