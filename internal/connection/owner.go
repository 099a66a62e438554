package connection

import (
	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/data"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/inbound"
	"noom/signal"
)

// Owner is what a connection needs of its link. The link's loop owns the connection and calls it. The connection calls
// Post, Spawn, Kick, Loud and InBand from anywhere, the other methods in that loop.
type Owner interface {
	// Post makes the link's loop run f.
	Post(f func()) bool
	// Spawn runs f in a goroutine that the room waits for.
	Spawn(f func())
	// Kick makes the loop check whether there is something to send.
	Kick()
	// Loud is called for each packet that may be speech.
	Loud()
	// InBand counts a frame that came in-band, before it is decoded.
	InBand() conduct.FrameVerdict

	// Send gives a message to the exchange and returns how many the exchange has been given so far.
	Send(t signal.Type, body []byte, hubOnly bool) (queued int64)
	// Window reports whether the exchange has room for one more message.
	Window() bool
	// NextTable returns the version of the next table.
	NextTable() int64
	// Described counts a description of the peer, Lookup a candidate whose host name has to be looked up. Each reports
	// whether that is within bounds.
	Described(restarts bool) bool
	Lookup() bool
	// Servers returns the ICE servers to use now.
	Servers() *iceservers.Set
	// MayRestart reports whether the offer that is being made is to restart ICE.
	MayRestart() bool
	// Restarting is called right before ICE restarts, at either end.
	Restarting()
	// Trace logs and traces what happens.
	Trace(msg string, args ...any)

	// PathChanged reports a new state of ICE.
	PathChanged(c *Conn, s webrtc.ICEConnectionState)
	// ControlOpened reports that the control channel has opened, DataOpened that both have.
	ControlOpened(c *Conn)
	DataOpened(c *Conn)
	// ChannelClosed reports that one of the two channels has ended that we did not close. data: it was the data
	// channel, over which nothing more can arrive.
	ChannelClosed(c *Conn, data bool)
	// Failed reports that the connection cannot go on, Flooded that the peer floods us.
	Failed(err error)
	Flooded(c *Conn, err error)

	// Frame takes a pair frame, Data a frame of the data stream, Channel a channel that the peer has opened, Table the
	// peer's table, Wants what it needs of our tracks, Left its goodbye, Receiving one of its sections.
	Frame(c *Conn, m signal.Message)
	Data(c *Conn, m webrtc.DataChannelMessage)
	Channel(c *Conn, ch *data.Channel)
	Table(t *signal.Table)
	Wants(w *signal.WantsBody)
	Left()
	Receiving(mid string, in *inbound.Inbound)
	// Refused reports a sender that the peer does not get.
	Refused(s *fanout.Sender, err error)
}
