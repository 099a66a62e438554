package link

import (
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/connection"
	"noom/internal/data"
	"noom/internal/fanout"
	"noom/internal/fault"
	"noom/internal/frames"
	"noom/internal/iceservers"
	"noom/internal/inbound"
	"noom/internal/recovery"
	"noom/signal"
)

var (
	errChannels = fmt.Errorf("%w: it opens more channels than are refused", fault.Rules)
	errData     = fmt.Errorf("%w: a flood of data that says nothing new", fault.Rules)
	errTables   = fmt.Errorf("%w: a flood of tables", fault.Rules)
	errWants    = fmt.Errorf("%w: a flood of wants", fault.Rules)
)

// connHost is the link as its connections see it.
type connHost struct{ *Link }

func (h connHost) Post(f func()) bool           { return h.mail.Post(f) }
func (h connHost) Spawn(f func())               { h.host.Spawn(f) }
func (h connHost) Loud()                        { h.host.Loud() }
func (h connHost) InBand() conduct.FrameVerdict { return h.cfg.Conduct.Frame(time.Now()) }

func (h connHost) Send(t signal.Type, body []byte, hubOnly bool) int64 {
	return h.frames.Send(t, body, hubOnly)
}

func (h connHost) Window() bool { return h.frames.Window() }

func (h connHost) NextTable() int64 {
	h.tableVersion++
	return h.tableVersion
}

func (h connHost) Described(restarts bool) bool {
	return h.cfg.Conduct.Described(time.Now(), restarts)
}

func (h connHost) Lookup() bool             { return h.cfg.Conduct.Lookups.AllowN(time.Now(), 1) }
func (h connHost) Servers() *iceservers.Set { return h.host.Servers() }
func (h connHost) MayRestart() bool         { return h.recovery.MayRestart() }

func (h connHost) Restarting() {
	h.on((*recovery.Machine).Restarted)
	h.planRelay()
}

func (h connHost) Trace(msg string, args ...any) { h.trace(msg, args...) }

func (h connHost) PathChanged(c *connection.Conn, s webrtc.ICEConnectionState) {
	relayed := s == webrtc.ICEConnectionStateDisconnected && c.ByOwnRelay()
	h.on(func(m *recovery.Machine) []recovery.Action { return m.PathChanged(c.Number, pathOf(s), relayed) })
}

func (h connHost) ControlOpened(c *connection.Conn) {
	h.on(func(m *recovery.Machine) []recovery.Action { return m.ControlOpened(c.Number) })
}

func (h connHost) DataOpened(c *connection.Conn) {
	h.Stream.Open(c.Lane)
	h.report.AsideOpened()
	h.on(func(m *recovery.Machine) []recovery.Action { return m.DataOpened(c.Number) })
}

// ChannelClosed ends our goodbyes if it is the current connection, because they have nowhere to go.
func (h connHost) ChannelClosed(c *connection.Conn, data bool) {
	if c == h.conns.current {
		h.goodbyes.end()
	}
	h.on(func(m *recovery.Machine) []recovery.Action { return m.ChannelClosed(c.Number, data) })
}

func (h connHost) Failed(err error)                          { h.fail(err) }
func (h connHost) Flooded(c *connection.Conn, err error)     { h.flooded(c, err) }
func (h connHost) Left()                                     { h.on((*recovery.Machine).Goodbye) }
func (h connHost) Receiving(mid string, in *inbound.Inbound) { h.Tracks.Feed(mid, in) }
func (h connHost) Frame(c *connection.Conn, m signal.Message) {
	h.frames.Receive(m, frames.Via(c.Number))
}

func (h connHost) Refused(s *fanout.Sender, err error) {
	h.withReport(func(r Report) { r.SenderRefused(s, err) })
}

// Data takes a frame from the data channel.
func (h connHost) Data(c *connection.Conn, m webrtc.DataChannelMessage) {
	message, news, err := h.Stream.Take(c.Lane, m)
	switch {
	case err != nil:
		h.fail(err)
	case !news && !h.cfg.Conduct.Repeats.AllowN(time.Now(), 1):
		h.flooded(h.conns.current, errData)
	case message.Aside != nil:
		h.report.AsideReceived(message.AsideKind, message.Aside)
	case message.Payload != nil: // also if the peer is gone, because it was sent before
		h.report.DataReceived(message.Topic, message.Payload, func() {
			if h.Stream.Taken(message) {
				h.Kick()
			}
		})
	}
}

// Channel takes a channel that the peer has opened.
func (h connHost) Channel(c *connection.Conn, ch *data.Channel) {
	switch h.Stream.Opened(c.Lane, ch) {
	case data.Taken:
		h.withReport(func(r Report) { r.ChannelOpened(ch, func() { h.mail.Post(h.Stream.Seen) }) })
	case data.Floods:
		h.trace("channel refused", "label", ch.Label())
		h.flooded(c, errChannels)
	default:
		h.trace("channel refused", "label", ch.Label())
		h.host.Spawn(func() { _ = ch.Close() }) // it may be closed already
	}
}

// Table changes the peer's tracks to what its table says.
func (h connHost) Table(t *signal.Table) {
	added, changed := h.Tracks.News(t)
	if !h.cfg.Conduct.Work.AllowN(time.Now(), added*conduct.TrackCost+changed) {
		h.fail(errTables)
		return
	}
	h.reportTracks(h.Tracks.Take(t, h.may(signal.RightPublish), h.conns.current.Inbounds))
}
