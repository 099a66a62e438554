package noom

import (
	"time"

	"noom/internal/connection"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/data"
	"noom/internal/fanout"
	"noom/internal/frames"
	"noom/internal/iceservers"
	"noom/internal/inbound"
	"noom/internal/recovery"
	"noom/signal"
)

// connHost is what a link is to its connections.
type connHost struct{ *link }

func (h connHost) Post(f func()) bool           { return h.mail.Post(f) }
func (h connHost) Spawn(f func())               { h.room.background(f) }
func (h connHost) Kick()                        { h.kick() }
func (h connHost) Loud()                        { h.room.speechHeard() }
func (h connHost) InBand() conduct.FrameVerdict { return h.conduct.Frame(time.Now()) }

// Send gives a message to the exchange.
func (h connHost) Send(t signal.Type, body []byte, hubOnly bool) int64 {
	return h.frames.Send(t, body, hubOnly)
}

func (h connHost) Window() bool { return h.frames.Window() }

func (h connHost) NextTable() int64 {
	h.tableVersion++
	return h.tableVersion
}

func (h connHost) Described(restarts bool) bool { return h.conduct.Described(time.Now(), restarts) }
func (h connHost) Lookup() bool                 { return h.conduct.Lookups.AllowN(time.Now(), 1) }
func (h connHost) Servers() *iceservers.Set     { return h.room.servers() }
func (h connHost) MayRestart() bool             { return h.recovery.MayRestart() }

func (h connHost) Restarting() {
	h.recovery.Restarted()
	h.planRelay()
}

func (h connHost) Trace(msg string, args ...any) { h.trace(msg, args...) }

func (h connHost) PathChanged(c *connection.Conn, s webrtc.ICEConnectionState) {
	relayed := s == webrtc.ICEConnectionStateDisconnected && c.ByOwnRelay()
	h.on(func(m *recovery.Machine) []recovery.Action { return m.PathChanged(c.Number, machinePath(s), relayed) })
}

func (h connHost) ControlOpened(c *connection.Conn) {
	h.on(func(m *recovery.Machine) []recovery.Action { return m.ControlOpened(c.Number) })
}

func (h connHost) DataOpened(c *connection.Conn) {
	h.stream.Open(c.Lane)
	h.on(func(m *recovery.Machine) []recovery.Action { return m.DataOpened(c.Number) })
}

// ChannelClosed: with the current connection our goodbye has nowhere to go.
func (h connHost) ChannelClosed(c *connection.Conn, data bool) {
	if c == h.conn {
		h.partAll()
	}
	h.on(func(m *recovery.Machine) []recovery.Action { return m.ChannelClosed(c.Number, data) })
}

func (h connHost) Failed(err error)                      { h.fail(err) }
func (h connHost) Flooded(c *connection.Conn, err error) { h.flooded(c, err) }
func (h connHost) Frame(c *connection.Conn, m signal.Message) {
	h.frames.Receive(m, frames.Via(c.Number))
}
func (h connHost) Data(c *connection.Conn, m webrtc.DataChannelMessage) { h.dataFrame(c, m) }
func (h connHost) Channel(c *connection.Conn, ch *data.Channel)         { h.channelOpened(c, ch) }
func (h connHost) Table(t *signal.Table)                                { h.applyTable(t) }
func (h connHost) Left()                                                { h.leftByPeer() }
func (h connHost) Receiving(mid string, in *inbound.Inbound)            { h.tracks.Feed(mid, in) }

func (h connHost) Refused(s *fanout.Sender, err error) {
	h.tell(TrackRefused{Peer: h.link, Sender: s, Codec: s.Codec().MimeType, Err: err})
}

// Stats is Peer.Stats.
func (l *link) Stats() webrtc.StatsReport {
	l.mu.Lock()
	c := l.shown
	l.mu.Unlock()
	if c == nil {
		return webrtc.StatsReport{}
	}
	return c.Stats()
}
