package link

import (
	"time"

	"noom/internal/connection"
	"noom/internal/mailbox"
	"noom/internal/quality"
	"noom/internal/recovery"
)

// watch measures the connection while the peer is connected, once a second, and has package quality judge it.
type watch struct {
	machine quality.Machine
	timer   mailbox.Timer
	conn    *connection.Conn // what was measured last
}

// watchState is called when the peer is in another state.
func (l *Link) watchState(s recovery.Peer) {
	switch s {
	case recovery.Connected:
		l.look()
	case recovery.Interrupted, recovery.Failed:
		l.unwatch()
		if l.watch.machine.Interrupt() {
			l.reportQuality()
		}
	case recovery.Connecting, recovery.Closed:
		l.unwatch()
	}
}

// look measures the connection, and looks again a second later. The first look at a connection only begins to count.
func (l *Link) look() {
	l.watch.timer.Set(l.mail, quality.Period, l.look)
	c := l.live()
	if c == nil {
		return
	}
	m := c.Measure(time.Now())
	if l.watch.conn != c {
		l.watch.conn = c
		return
	}
	l.setMeasured(m)
	if l.watch.machine.Step(m.Sample) {
		l.reportQuality()
	}
}

// unwatch ends measuring. What an outage has cost does not count once it is over.
func (l *Link) unwatch() {
	l.watch.timer.Stop()
	l.watch.conn = nil
	l.setMeasured(connection.Measured{})
}

// reportQuality reports a new quality to the application.
func (l *Link) reportQuality() {
	q := l.watch.machine.Quality()
	l.setQuality(q)
	l.trace("quality", "now", q.String())
	l.withReport(func(r Report) { r.QualityChanged(q) })
}
