package connection

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/data"
	"noom/internal/fault"
	"noom/signal"
)

var errFrames = fmt.Errorf("%w: a flood of frames", fault.Rules)

// post makes the link's loop run f, unless the connection is closed by then.
func (c *Conn) post(f func()) {
	c.owner.Post(func() {
		if c.stage != stageDiscarded {
			f()
		}
	})
}

// postCurrent is post for what does not matter to a connection that only serves.
func (c *Conn) postCurrent(f func()) {
	c.post(func() {
		if c.current() {
			f()
		}
	})
}

// listen posts what pion reports about transports and tracks.
func (c *Conn) listen() {
	c.PC.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		c.postCurrent(func() { c.gathered(candidate) })
	})
	c.PC.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) {
		now := time.Now()
		c.post(func() {
			if s == webrtc.ICEConnectionStateConnected {
				c.reach(&c.steps.ICE, now)
			}
			c.pathSince = now
			c.owner.Trace("path", "state", s.String())
			c.work() // a description may have waited for ICE to start
			c.owner.PathChanged(c, s)
		})
	})
	c.PC.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			now := time.Now()
			c.postCurrent(func() {
				c.reach(&c.steps.DTLS, now)
				c.secure()
			})
		case webrtc.PeerConnectionStateFailed:
			c.postCurrent(func() {
				if c.PC.SCTP().Transport().State() == webrtc.DTLSTransportStateFailed {
					c.owner.Failed(fault.DTLS)
				}
			})
		default:
		}
	})
	c.PC.OnTrack(func(tr *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		of := receiver.RTPTransceiver()
		if of == nil {
			return // it has been stopped meanwhile, and later on each could be
		}
		mid := of.Mid()
		c.post(func() { c.receive(tr, receiver, mid) })
	})
	c.PC.OnDataChannel(func(d *webrtc.DataChannel) {
		ch := c.Lane.NewChannel(d)
		c.post(func() {
			c.flows()
			c.owner.Channel(c, ch)
		})
	})
}

// listenToChannels posts what pion reports about the two channels.
func (c *Conn) listenToChannels() {
	var flooded sync.Once
	flood := func(err error) { flooded.Do(func() { c.post(func() { c.owner.Flooded(c, err) }) }) }
	c.Control.OnOpen(func() { c.post(func() { c.owner.ControlOpened(c) }) })
	var frames atomic.Int32 // posted and not yet taken
	c.Control.OnMessage(func(m webrtc.DataChannelMessage) {
		switch c.owner.InBand() {
		case conduct.FrameTaken:
			if frames.Add(1) > maxInBand { // the exchange sends again what is dropped here
				frames.Add(-1)
				return
			}
			c.owner.Post(func() {
				frames.Add(-1)
				if c.stage != stageDiscarded {
					c.inBand(m)
				}
			})
		case conduct.FrameDropped:
		case conduct.FrameFloods:
			flood(errFrames)
		}
	})
	c.Data.OnOpen(func() { c.postCurrent(c.flows) })
	c.Data.OnMessage(func(m webrtc.DataChannelMessage) {
		if !c.Lane.Came() {
			flood(data.ErrCredit)
			return
		}
		c.owner.Post(func() {
			if c.stage != stageDiscarded {
				c.flows()
				c.owner.Data(c, m)
			}
		})
	})
	c.Data.OnBufferedAmountLow(c.owner.Kick)
	c.Control.OnClose(func() { c.post(func() { c.owner.ChannelClosed(c, false) }) })
	c.Data.OnClose(func() { c.post(func() { c.owner.ChannelClosed(c, true) }) })
}

// inBand takes a pair frame from the control channel.
func (c *Conn) inBand(dm webrtc.DataChannelMessage) {
	m, err := decodeInBand(dm.Data, c.log)
	if !dm.IsString || err != nil || !m.Pair() {
		c.owner.Trace("in-band frame dropped", "error", err)
		return
	}
	c.owner.Frame(c, m)
}

func decodeInBand(data []byte, log *slog.Logger) (m signal.Message, err error) {
	defer recoverPanic(&err, log)
	return signal.Decode(data)
}

// flows is called when the data channel is open, and when something has arrived over a channel, which shows the same:
// pion calls OnOpen in a goroutine of its own, which what the peer sends at once may overtake. The application sees
// PeerConnected before the data. The control channel was made earlier, and opens no later.
func (c *Conn) flows() {
	if c.current() && !c.Lane.IsOpen() {
		c.owner.DataOpened(c)
	}
}
