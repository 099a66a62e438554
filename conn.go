package noom

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"

	"noom/internal/engine"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/packet"
	"noom/signal"
)

// maxDiscardPause bounds the random pause before a connection is closed. If the
// other end's ABORT arrives at the very instant, pion's SCTPTransport.Stop holds
// a mutex over a timer, which nobody notices but testing/synctest: a goroutine that
// waits for a mutex stops its time for good. In virtual time coincidences
// are the rule; this makes them rare.
const maxDiscardPause = time.Millisecond

// conn is the connection of one epoch. The link's loop owns it; pion's
// callbacks post to that loop and do nothing else.
type conn struct {
	pc      *webrtc.PeerConnection
	control *webrtc.DataChannel // pair frames, in-band
	data    *webrtc.DataChannel

	local       description // the last ones in force
	remote      description
	since       time.Time
	servers     *iceservers.Set // of the latest gathering
	generation  int             // remote candidates since the last ufrag, trickled
	candidates  remoteCandidates
	own         remoteNet // for their judgement
	path        webrtc.ICEConnectionState
	pathSince   time.Time
	secured     bool // DTLS has been up
	controlOpen bool
	dataOpen    bool
	written     uint32 // number of the last data message written
	given       int64  // bytes, to the data channel
	answers     pace   // acknowledgements, of both kinds
	asked       bool   // whether all that was sent has arrived

	channels []*channel          // the application's own
	refused  int                 // of those that the peer opened
	sections []*section          // what we send, in the order added
	inbounds map[string]*inbound // by mid: what we receive
}

// section is one of our media sections: a sendonly transceiver for good, and
// the senders that use it one after the other.
type section struct {
	leg         *fanout.Leg
	transceiver *webrtc.RTPTransceiver
	sender      *fanout.Sender // nil: idle
	flowing     bool           // sender is attached
	announced   int64          // the exchange must have acknowledged so many before media flows
	refused     bool           // the peer does not take this codec
}

// mid returns the section's mid, empty before its first offer.
func (s *section) mid() string { return s.transceiver.Mid() }

// up reports whether frames given to the control channel can be hoped to
// arrive. A nil conn is not up.
func (c *conn) up() bool {
	return c != nil && c.controlOpen && (c.path == webrtc.ICEConnectionStateConnected || c.path == webrtc.ICEConnectionStateCompleted)
}

// open makes a connection for the link's current epoch.
func (l *link) open() (*conn, error) {
	servers := l.room.servers()
	c := &conn{servers: servers, own: remoteNetOf(l.room.engine), inbounds: make(map[string]*inbound)}
	c.own.loopback = c.own.loopback || servers.OnLoopback()
	bounds := newGuard(func(err error) { l.mail.Post(func() { l.flooded(c, err) }) })
	pacer := newCheckPacer(l.conduct.checks, everybody)
	api, err := l.room.engine.API(engine.Bounds{
		Interceptor: bounds, Buffer: bounds.buffer,
		Net: func(inner transport.Net) transport.Net { return pacedNet{inner, pacer, bounds} },
	})
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		ICEServers:           servers.List,
		ICECandidatePoolSize: 1, // gathering begins now, not with the description
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	c.pc, c.since, c.path, c.pathSince = pc, now, webrtc.ICEConnectionStateNew, now
	// Both ends make both channels, so that none has to be announced, and
	// before the first description, so that it has a section for them.
	if c.control, err = pc.CreateDataChannel("control", negotiated(0)); err == nil {
		c.data, err = pc.CreateDataChannel("data", negotiated(1))
	}
	if err != nil {
		l.room.background(func() { _ = pc.GracefulClose() })
		return nil, err
	}
	l.listen(c)
	return c, nil
}

func negotiated(id uint16) *webrtc.DataChannelInit {
	yes := true
	return &webrtc.DataChannelInit{Negotiated: &yes, ID: &id, Ordered: &yes}
}

// listen posts what pion says of c to the link's loop, which drops it if c is
// no longer the link's connection by then; old is what remains to be said of one that
// only serves until the next is up.
func (l *link) listen(c *conn) {
	postEither := func(current, old func()) {
		l.mail.Post(func() {
			switch {
			case l.conn == c:
				current()
			case slices.Contains(l.old, c):
				old()
			}
		})
	}
	post := func(f func()) { postEither(f, func() {}) }
	var flooded sync.Once
	flood := func(err error) { flooded.Do(func() { l.mail.Post(func() { l.flooded(c, err) }) }) }
	c.pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		post(func() { l.gathered(candidate) })
	})
	c.pc.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) {
		postEither(func() { l.pathChanged(s) }, func() { l.oldPathChanged(c, s) })
	})
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			post(l.secured)
		case webrtc.PeerConnectionStateFailed:
			post(func() {
				if c.pc.SCTP().Transport().State() == webrtc.DTLSTransportStateFailed {
					l.fail(errDTLS)
				}
			})
		default:
		}
	})
	c.pc.OnTrack(func(tr *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		in := newInbound(tr, c.pc.WriteRTCP)
		in.hear(packet.LevelID(receiver.GetParameters().HeaderExtensions), l.room.speechHeard)
		l.room.background(func() { _ = in.run() })
		l.room.background(func() { in.drainRTCP(receiver) })
		mid := receiver.RTPTransceiver().Mid()
		post(func() { l.receiving(mid, in) })
	})
	c.pc.OnDataChannel(func(d *webrtc.DataChannel) {
		ch := newChannel(d, c.control)
		opened := func() { l.channelOpened(c, ch) }
		postEither(func() { l.dataCanFlow(); opened() }, opened)
	})
	c.control.OnOpen(func() { post(func() { c.controlOpen = true; l.channelsChanged() }) })
	c.control.OnMessage(func(m webrtc.DataChannelMessage) {
		switch l.conduct.frame(time.Now()) {
		case frameTaken:
			l.postFrame(func() { l.inBand(c, m) })
		case frameDropped:
		case frameFloods:
			flood(errFrames)
		}
	})
	c.data.OnOpen(func() { post(l.dataCanFlow) })
	var untaken atomic.Int32
	c.data.OnMessage(func(m webrtc.DataChannelMessage) {
		if untaken.Add(1) > maxUntaken {
			flood(errCredit)
			return
		}
		frame := func() { untaken.Add(-1); l.dataFrame(m) }
		postEither(func() { l.dataCanFlow(); frame() }, frame)
	})
	c.data.OnBufferedAmountLow(l.kick)
	closed := func() { postEither(l.closedByPeer, func() { l.oldLost(c) }) }
	c.control.OnClose(closed)
	c.data.OnClose(func() { closed(); postEither(l.dataEnded, func() {}) })
}

// table is what c's sections say to the peer.
func (c *conn) table(version int64) signal.Table {
	t := signal.Table{Version: version, Tracks: make(map[string]signal.TrackRow)}
	for _, s := range c.sections {
		if mid := s.mid(); mid != "" && s.sender != nil && !s.refused {
			t.Tracks[mid] = signal.TrackRow{
				ID: s.sender.ID(), Name: s.sender.Name(), Kind: s.sender.Kind().String(), Muted: s.sender.Silent(),
			}
		}
	}
	return t
}

// sendsStereo returns the sections in which we may send two channels, by mid.
func (c *conn) sendsStereo() map[string]bool {
	stereo := make(map[string]bool)
	for _, s := range c.sections {
		if s.sender != nil && s.sender.SendsStereo() {
			stereo[s.mid()] = true
		}
	}
	return stereo
}

// dropEnded forgets channels of which nothing is under way any more.
func (c *conn) dropEnded() {
	c.channels = slices.DeleteFunc(c.channels, (*channel).isShut)
}

// opened counts the channels that the peer has opened.
func (c *conn) opened() (n int) {
	for _, ch := range c.channels {
		if ch.theirs {
			n++
		}
	}
	return n
}

// discard ends a connection without waiting for it.
func (l *link) discard(c *conn) {
	for _, s := range c.sections {
		s.leg.Detach()
	}
	for _, in := range c.inbounds {
		in.assign(nil)
	}
	for _, ch := range c.channels {
		ch.lose()
	}
	l.room.background(func() {
		time.Sleep(rand.N(maxDiscardPause))
		_ = c.pc.GracefulClose()
	})
}
