package noom

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/data"
	"noom/internal/exchange"
	"noom/internal/fanout"
	"noom/internal/fault"
	"noom/internal/iceservers"
	"noom/internal/inbound"
	"noom/internal/mailbox"
	"noom/internal/negotiate"
	"noom/internal/packet"
	"noom/internal/recovery"
	"noom/signal"
)

// maxDiscardPause bounds the random pause before a connection is closed. If the
// other end's ABORT arrives at the very instant, pion's SCTPTransport.Stop holds
// a mutex over a timer, which nobody notices but testing/synctest: a goroutine that
// waits for a mutex stops its time for good. In virtual time coincidences
// are the rule; this makes them rare.
const maxDiscardPause = time.Millisecond

// connOwner is the link of a connection, as far as the connection needs it. The link's
// loop owns the connection, and calls it; of the methods here Post, Spawn, Kick, Loud
// and InBand are called from anywhere, the others in that loop.
type connOwner interface {
	// Post has the link's loop run f.
	Post(f func()) bool
	// Spawn runs f in a goroutine that the room waits for.
	Spawn(f func())
	// Kick makes the loop look for something to send.
	Kick()
	// Loud is called for each packet that may be speech.
	Loud()
	// InBand counts a frame that came in-band, before it is looked at.
	InBand() conduct.FrameVerdict

	// Send gives a message to the exchange and returns how many it was given so far.
	Send(t signal.Type, body []byte, hubOnly bool) (queued int64)
	// Window reports whether the exchange has room for one more message.
	Window() bool
	// NextTable returns the version of the next table.
	NextTable() int64
	// Described counts a description of the peer's, Lookup a candidate whose name has to be
	// asked for: each reports whether that is within bounds.
	Described(restarts bool) bool
	Lookup() bool
	// Servers returns the ICE servers to use now.
	Servers() *iceservers.Set
	// MayRestart reports whether ICE is to restart in the offer that is being made.
	MayRestart() bool
	// Restarting is called right before ICE restarts, at either end.
	Restarting()
	// Trace notes what happens, for those who look closely.
	Trace(msg string, args ...any)

	// PathChanged reports another state of ICE.
	PathChanged(c *conn, s webrtc.ICEConnectionState)
	// ControlOpened reports that the control channel has opened, DataOpened that both have.
	ControlOpened(c *conn)
	DataOpened(c *conn)
	// ChannelClosed reports that one of the two has ended that we did not close; data: that
	// of data, by which nothing more can come.
	ChannelClosed(c *conn, data bool)
	// Failed reports that the connection cannot go on, Flooded that the peer floods us.
	Failed(err error)
	Flooded(c *conn, err error)

	// Frame takes a pair frame, Data a frame of the data stream, Channel a channel that the
	// peer has opened, Table its table, Left its goodbye, Receiving a section of it.
	Frame(c *conn, m webrtc.DataChannelMessage)
	Data(c *conn, m webrtc.DataChannelMessage)
	Channel(c *conn, ch *data.Channel)
	Table(t *signal.Table)
	Left()
	Receiving(mid string, in *inbound.Inbound)
	// Refused reports a sender that the peer does not get.
	Refused(s *fanout.Sender, err error)
}

// conn is the connection of one epoch. The link's loop owns it; pion's
// callbacks post to that loop and do nothing else.
type conn struct {
	number  recovery.Number // by which the link's machine knows it
	pc      *webrtc.PeerConnection
	control *webrtc.DataChannel // pair frames, in-band
	data    *webrtc.DataChannel
	owner   connOwner
	mail    *mailbox.Mailbox // of the owner
	log     *slog.Logger
	self    string                 // our id
	budget  *fanout.KeyframeBudget // the peer's

	stage stage

	// Negotiation.
	turn       negotiate.Machine
	inbox      []exchange.Message // delivered, not yet acted on
	incoming   *incoming          // the description being acted on
	local      description        // the last ones in force
	remote     description
	pending    []signal.Candidate // for the next candidates frame
	batch      mailbox.Timer      // until they go out
	generation int                // remote candidates since the last ufrag, trickled
	candidates conduct.Candidates
	own        conduct.Networks // for their judgement
	servers    *iceservers.Set  // of the latest gathering

	// The path.
	since     time.Time
	pathSince time.Time
	secured   bool // DTLS has been up

	lane *data.Lane // its share of the peer's data

	// Media.
	sections   []*section                  // what we send, in the order added
	waiting    []*fanout.Sender            // those without a section yet
	tableDirty bool                        // our table has changed since it was sent
	inbounds   map[string]*inbound.Inbound // by mid: what we receive

	mu      sync.Mutex // a leaf lock
	streams []stream   // for readers; appended to, never changed in place
}

// stage is what a connection is to its link.
type stage uint8

const (
	negotiating stage = iota // it is that of the epoch there is
	givenUp                  // likewise, and the next epoch is due
	setAside                 // it serves until the next is up
	discarded                // it is being closed
)

// current reports whether the connection is that of the epoch there is.
func (c *conn) current() bool { return c != nil && c.stage <= givenUp }

// connConfig is what a connection is made of.
type connConfig struct {
	number  recovery.Number
	pc      *webrtc.PeerConnection
	owner   connOwner
	mail    *mailbox.Mailbox
	log     *slog.Logger
	self    string
	turn    negotiate.Machine
	senders []*fanout.Sender
	servers *iceservers.Set
	own     conduct.Networks
	budget  *fanout.KeyframeBudget
}

// newConn makes a connection of a fresh PeerConnection.
func newConn(cfg connConfig) (*conn, error) {
	now := time.Now()
	c := &conn{
		number: cfg.number, pc: cfg.pc, owner: cfg.owner, mail: cfg.mail, log: cfg.log, self: cfg.self, budget: cfg.budget,
		turn: cfg.turn, waiting: slices.Clone(cfg.senders), servers: cfg.servers, own: cfg.own,
		since: now, pathSince: now, inbounds: make(map[string]*inbound.Inbound),
	}
	c.own.Loopback = c.own.Loopback || cfg.servers.OnLoopback()
	// Both ends make both channels, so that none has to be announced, and
	// before the first description, so that it has a section for them.
	var err error
	if c.control, err = c.pc.CreateDataChannel("control", negotiated(0)); err == nil {
		c.data, err = c.pc.CreateDataChannel("data", negotiated(1))
	}
	if err != nil {
		c.owner.Spawn(func() { _ = c.pc.GracefulClose() })
		return nil, err
	}
	c.lane = data.NewLane(c.data, c.control)
	c.listen()
	c.listenToChannels()
	return c, nil
}

func negotiated(id uint16) *webrtc.DataChannelInit {
	yes := true
	return &webrtc.DataChannelInit{Negotiated: &yes, ID: &id, Ordered: &yes}
}

// post has the link's loop run f, unless the connection is closed by then.
func (c *conn) post(f func()) {
	c.owner.Post(func() {
		if c.stage != discarded {
			f()
		}
	})
}

// postCurrent is post for what a connection that only serves has no use for.
func (c *conn) postCurrent(f func()) {
	c.post(func() {
		if c.current() {
			f()
		}
	})
}

// listen posts what pion says of the transports and the tracks.
func (c *conn) listen() {
	c.pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		c.postCurrent(func() { c.gathered(candidate) })
	})
	c.pc.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) {
		c.post(func() {
			c.pathSince = time.Now()
			c.owner.Trace("path", "state", s.String())
			c.work() // a description may have waited for ICE to start
			c.owner.PathChanged(c, s)
		})
	})
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			c.postCurrent(c.secure)
		case webrtc.PeerConnectionStateFailed:
			c.postCurrent(func() {
				if c.pc.SCTP().Transport().State() == webrtc.DTLSTransportStateFailed {
					c.owner.Failed(fault.DTLS)
				}
			})
		default:
		}
	})
	c.pc.OnTrack(func(tr *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		in := inbound.New(tr, c.pc.WriteRTCP)
		in.Levels(packet.LevelID(receiver.GetParameters().HeaderExtensions), c.owner.Loud)
		c.owner.Spawn(func() { _ = in.Run() })
		c.owner.Spawn(func() { in.DrainRTCP(receiver) })
		mid := receiver.RTPTransceiver().Mid()
		c.postCurrent(func() { c.receiving(mid, in) })
	})
	c.pc.OnDataChannel(func(d *webrtc.DataChannel) {
		ch := c.lane.NewChannel(d)
		c.post(func() {
			c.flows()
			c.owner.Channel(c, ch)
		})
	})
}

// listenToChannels posts what pion says of the two channels.
func (c *conn) listenToChannels() {
	var flooded sync.Once
	flood := func(err error) { flooded.Do(func() { c.post(func() { c.owner.Flooded(c, err) }) }) }
	c.control.OnOpen(func() { c.post(func() { c.owner.ControlOpened(c) }) })
	var frames atomic.Int32 // posted and not yet taken
	c.control.OnMessage(func(m webrtc.DataChannelMessage) {
		switch c.owner.InBand() {
		case conduct.FrameTaken:
			if frames.Add(1) > maxFrames { // the exchange brings back what is dropped here
				frames.Add(-1)
				return
			}
			c.owner.Post(func() {
				frames.Add(-1)
				if c.stage != discarded {
					c.owner.Frame(c, m)
				}
			})
		case conduct.FrameDropped:
		case conduct.FrameFloods:
			flood(errFrames)
		}
	})
	c.data.OnOpen(func() { c.postCurrent(c.flows) })
	c.data.OnMessage(func(m webrtc.DataChannelMessage) {
		if !c.lane.Came() {
			flood(data.ErrCredit)
			return
		}
		c.post(func() {
			c.flows()
			c.owner.Data(c, m)
		})
	})
	c.data.OnBufferedAmountLow(c.owner.Kick)
	c.control.OnClose(func() { c.post(func() { c.owner.ChannelClosed(c, false) }) })
	c.data.OnClose(func() { c.post(func() { c.owner.ChannelClosed(c, true) }) })
}

// flows is called when the data channel is open, and when something has come
// by a channel, which shows the same: pion calls OnOpen in a goroutine of its own,
// and what the peer sends at once may overtake that. The application learns of
// PeerConnected first. The control channel was made before, and opens no later.
func (c *conn) flows() {
	if c.current() && !c.lane.IsOpen() {
		c.owner.DataOpened(c)
	}
}

// giveUp ends all negotiation: the next epoch is due.
func (c *conn) giveUp() {
	if c.stage == negotiating {
		c.stage, c.inbox = givenUp, nil
	}
}

// setAside makes the connection one that only serves until the next is up.
func (c *conn) setAside() {
	c.stage = setAside
	c.batch.Stop()
}

// discard ends the connection without waiting for it.
func (c *conn) discard() {
	c.stage = discarded
	c.batch.Stop()
	for _, s := range c.sections {
		s.leg.Detach()
	}
	for _, in := range c.inbounds {
		in.Assign(nil)
	}
	c.lane.Lose()
	c.owner.Spawn(func() {
		time.Sleep(rand.N(maxDiscardPause))
		_ = c.pc.GracefulClose()
	})
}

// sendFrame sends a pair frame in-band; false if that is not possible now.
func (c *conn) sendFrame(m signal.Message) bool {
	if c.control.BufferedAmount() >= maxControlRoom {
		return false
	}
	text, err := m.Encode()
	return err == nil && c.control.SendText(string(text)) == nil
}
