package noom

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
	"golang.org/x/time/rate"

	"noom/internal/exchange"
	"noom/internal/negotiate"
	"noom/signal"
)

const (
	tick           = 500 * time.Millisecond // of the exchange: twice it is 1 s, then 2, 4, 8 s
	batchWait      = 5 * time.Millisecond   // candidates gathered within it share a frame
	restartAfter   = 2 * time.Second        // of a path being interrupted
	maxBackOff     = 30 * time.Second       // between rebuilds
	calmAfter      = 10 * time.Second       // connected so long, a rebuild starts without a pause again
	maxFrames      = 256                    // frames waiting for one link; more are dropped and come again
	maxControlRoom = 256 << 10              // bytes waiting in the control channel; above, frames go by hub
)

var (
	errConnection = errors.New("connection failed")
	errTimeout    = errors.New("connection did not come up in time")
	errRules      = errors.New("peer broke the protocol")
)

// link is the machinery behind a Peer, and the Peer itself: one goroutine
// binds the pure machines to a *webrtc.PeerConnection, which it replaces when
// it must. It alone calls Set*Description and closes connections.
//
// A link lives as long as the other member's session is worth remembering: a
// peer that was lost is put to sleep, and when it comes back with the same
// session, epochs and data go on where they were.
type link struct {
	// Immutable.
	room   *room
	member Member // ID, PublicKey, Session; the name is below
	log    *slog.Logger

	mail   *mailbox
	frames atomic.Int32 // posted and not yet taken
	out    outStream    // guards itself

	// What readers see. The room's loop writes name and gone, the link's the
	// rest; once gone, nothing but data is told of this peer any more.
	mu     sync.Mutex
	name   string
	gone   bool // out of the roster
	state  PeerState
	pc     *webrtc.PeerConnection
	tracks []*remoteTrack

	// Everything following is owned by the loop.
	ex       *exchange.Exchange
	turn     negotiate.Machine
	conn     *conn // nil before the first epoch and while asleep
	in       inStream
	inbox    []exchange.Message // delivered, not yet acted on
	incoming *incoming          // the description being acted on
	senders  []*sender          // all that the peer shall get
	own      []*sender          // those of them that only this peer gets
	waiting  []*sender          // those without a section yet
	pending  []signal.Candidate // for the next candidates frame
	renewals *rate.Limiter

	tableVersion int64 // of our table
	tableDirty   bool
	heardVersion int64             // of the peer's
	rows         map[string]string // mid to track id, as the peer's table says
	takenDue     bool              // the peer is owed an acknowledgement of data
	byHub        bool              // a frame came by hub since the last flush

	over      bool
	asleep    bool
	lost      bool // the hub has lost the member
	broken    bool // this epoch is beyond repair; the next is due
	wasUp     bool // in this epoch
	upSince   time.Time
	failures  int
	ticker    *time.Timer
	batch     *time.Timer
	patience  *time.Timer // connect timeout, restart or the pause before a rebuild
	staleSent time.Time
}

type incoming struct {
	signal.Description
	parsed description
}

func newLink(r *room, m Member) *link {
	l := &link{
		room: r, member: m, name: m.Name,
		log:      r.log.With("peer", m.ID),
		mail:     newMailbox(),
		ex:       exchange.New(r.self.ID),
		renewals: rate.NewLimiter(rate.Every(3*time.Second), 6),
		rows:     make(map[string]string),
	}
	return l
}

func (l *link) run() {
	for range l.mail.ready {
		for _, f := range l.mail.take() {
			f()
		}
		if l.over {
			l.end()
			l.mail.close()
			return
		}
		l.flush()
	}
}

// end stops everything that belongs to a connection.
func (l *link) end() {
	for _, t := range []*time.Timer{l.ticker, l.batch, l.patience} {
		if t != nil {
			t.Stop()
		}
	}
	l.ticker, l.batch, l.patience = nil, nil, nil
	l.dropConn()
	if own := l.own; len(own) > 0 {
		l.own = nil
		l.room.background(func() { closeAll(own) })
	}
	l.out.setClosed(true)
	l.setTracks(nil)
	clear(l.rows)
	l.setState(PeerClosed, nil)
}

func (l *link) dropConn() {
	if c := l.conn; c != nil {
		l.conn = nil
		l.discard(c)
		l.mu.Lock()
		l.pc = nil
		l.mu.Unlock()
	}
}

// later posts f after d, in place of what was to come by that timer.
func (l *link) later(t **time.Timer, d time.Duration, f func()) {
	if *t != nil {
		(*t).Stop()
	}
	var own *time.Timer
	own = time.AfterFunc(d, func() {
		l.mail.post(func() {
			if *t == own {
				*t = nil
				f()
			}
		})
	})
	*t = own
}

// Membership, told by the room's loop.

// depart makes the peer look gone at once, whatever its loop is at: its
// tracks end, its methods fail.
func (l *link) depart() {
	l.out.setClosed(true)
	l.setTracks(nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
}

// close ends the link for good.
func (l *link) close() { l.mail.post(func() { l.over = true }) }

// sleep ends the connection and keeps what a return needs.
func (l *link) sleep() {
	l.mail.post(func() {
		l.asleep, l.wasUp = true, false
		l.end()
	})
}

// wake makes a sleeping link a peer again.
func (l *link) wake() {
	l.mail.post(func() {
		l.mu.Lock()
		l.gone = false
		l.mu.Unlock()
		l.asleep, l.lost, l.failures = false, false, 0
		l.heardVersion = 0
		l.out.setClosed(false)
		l.setState(PeerConnecting, nil)
	})
}

// welcome tells that the member has entered, or come back to, the hub while we were
// there: without a living connection, we begin.
func (l *link) welcome() {
	l.mail.post(func() {
		l.lost = false
		if l.conn != nil && !l.broken {
			l.ex.Resend()
			return
		}
		l.begin()
	})
}

// expect tells that the member is there and that we are the newcomer: it begins.
func (l *link) expect() {
	l.mail.post(func() {
		l.lost = false
		switch {
		case l.conn == nil:
			l.later(&l.patience, l.room.cfg.ConnectTimeout, func() { l.fail(errTimeout) })
		case l.broken: // a pause was running while no hub could have helped
			l.failures = 0
			l.begin()
		default:
			l.ex.Resend()
		}
	})
}

// hubLost tells that the hub has lost the member. Its connection may live, or
// come to life yet; if it does neither, fail drops the peer.
func (l *link) hubLost() {
	l.mail.post(func() {
		l.lost = true
		if l.conn == nil || l.broken {
			l.room.drop(l)
		}
	})
}

// Frames.

// postFrame posts f unless too many wait; the exchange brings back what is
// dropped here.
func (l *link) postFrame(f func()) {
	if l.frames.Add(1) > maxFrames {
		l.frames.Add(-1)
		return
	}
	l.mail.post(func() { l.frames.Add(-1); f() })
}

// hubFrame takes a pair frame that came by hub. m must be the link's own.
func (l *link) hubFrame(m signal.Message) {
	l.postFrame(func() { l.byHub = true; l.receive(m) })
}

func (l *link) inBand(c *conn, dm webrtc.DataChannelMessage) {
	m, err := signal.Decode(dm.Data)
	if l.conn != c || !dm.IsString || err != nil || !m.Type.Pair() {
		l.trace("in-band frame dropped", "error", err)
		return
	}
	l.receive(m)
}

func (l *link) trace(msg string, args ...any) { l.log.Debug(msg, args...) }

func (l *link) receive(m signal.Message) {
	self := l.room.self
	if m.To != self.ID || !ed25519.Verify(ed25519.PublicKey(l.member.PublicKey), signal.PairText(&m, l.room.name, l.member.ID), m.Signature) {
		l.trace("frame dropped: bad signature", "type", m.Type)
		return
	}
	switch {
	case m.Sessions[1] != self.Session:
		if m.Type != signal.TypeStale {
			l.answerStale(m.Sessions[0])
		}
		return
	case m.Type == signal.TypeStale:
		if m.Sessions[0] != l.member.Session {
			l.room.reborn(l, m.Sessions[0])
		}
		return
	case m.Sessions[0] != l.member.Session, l.asleep:
		l.trace("frame dropped: other session", "type", m.Type)
		return
	}
	epoch := exchange.Epoch{Number: m.Epoch.Number, By: m.Epoch.By}
	if epoch.By != self.ID && epoch.By != l.member.ID || l.ex.Ahead(epoch) && !l.renewals.Allow() {
		l.trace("frame dropped: epoch", "number", epoch.Number)
		return
	}
	f := exchange.Frame{Epoch: epoch, Seq: m.Seq, Ack: m.Ack}
	f.Type, f.Body = string(m.Type), m.Body
	messages, renewed, ok := l.ex.Receive(f)
	if !ok {
		l.trace("frame dropped: not of this epoch", "type", m.Type, "seq", m.Seq)
	}
	if renewed {
		l.turn = negotiate.Machine{}
		l.rebuild()
	}
	if l.broken || l.conn == nil {
		return
	}
	l.inbox = append(l.inbox, messages...)
	l.work()
}

// answerStale tells the peer our session, at most once a second.
func (l *link) answerStale(theirs string) {
	if now := time.Now(); now.Sub(l.staleSent) >= time.Second {
		l.staleSent = now
		m := signal.Message{Type: signal.TypeStale, Sessions: [2]string{l.room.self.Session, theirs}}
		l.seal(&m)
		l.room.send(m)
	}
}

// seal addresses and signs m.
func (l *link) seal(m *signal.Message) {
	m.To = l.member.ID
	m.Signature = l.room.cfg.Identity.sign(signal.PairText(m, l.room.name, l.room.self.ID))
}

// flush sends what has come to be due, at the end of each round of the loop.
func (l *link) flush() {
	if l.conn == nil {
		return
	}
	l.sendTable()
	for _, f := range l.ex.Flush() {
		l.send(f)
	}
	l.byHub = false
	l.startFlowing()
	l.sendData()
	if l.ex.Pending() && l.ticker == nil {
		l.later(&l.ticker, tick, func() { l.ex.Tick() })
	}
}

// send puts a frame on its way: over the connection once that is up, over the
// hub until then, over both when it is not the first time.
func (l *link) send(f exchange.Frame) {
	m := signal.Message{
		Type: signal.Type(f.Type), Sessions: [2]string{l.room.self.Session, l.member.Session},
		Epoch: signal.Epoch{Number: f.Epoch.Number, By: f.Epoch.By}, Seq: f.Seq, Ack: f.Ack, Body: f.Body,
	}
	if f.Seq == 0 {
		m.Type = signal.TypeAck
	}
	l.seal(&m)
	c := l.conn
	inBand := !f.HubOnly && c.up() && c.control.BufferedAmount() < maxControlRoom
	if inBand {
		text, err := m.Encode()
		inBand = err == nil && c.control.SendText(string(text)) == nil
	}
	if !inBand || f.Again || f.Seq == 0 && l.byHub {
		l.room.send(m)
	}
}

// queue gives a message to the exchange.
func (l *link) queue(t signal.Type, body []byte, hubOnly bool) {
	l.ex.Send(exchange.Message{Type: string(t), Body: body, HubOnly: hubOnly})
}

// Epochs.

// begin starts the next epoch as ours.
func (l *link) begin() {
	if l.over || l.asleep {
		return
	}
	if !l.ex.Begin() {
		l.setState(PeerFailed, fmt.Errorf("%w: epochs used up", errRules))
		return
	}
	l.turn = negotiate.Begin()
	if l.rebuild() {
		l.try(l.act(l.turn.Need()))
	}
}

// rebuild puts a fresh connection in the place of the old one.
func (l *link) rebuild() bool {
	l.dropConn()
	l.inbox, l.incoming, l.pending = nil, nil, nil
	l.broken, l.wasUp = false, false
	c, err := l.open()
	if err != nil {
		l.fail(err)
		return false
	}
	l.conn = c
	l.waiting = append([]*sender(nil), l.senders...)
	c.written = l.out.start()
	l.takenDue = l.in.received > 0
	l.mu.Lock()
	l.pc = c.pc
	l.mu.Unlock()
	l.later(&l.patience, l.room.cfg.ConnectTimeout, func() { l.fail(errTimeout) })
	return true
}

// fail gives this epoch up: the next begins after a pause that grows.
func (l *link) fail(err error) {
	if l.broken || l.over || l.asleep {
		return
	}
	l.broken, l.inbox = true, nil
	l.trace("epoch given up", "number", l.ex.Epoch().Number, "error", err)
	if l.lost {
		l.room.drop(l)
		return
	}
	if l.wasUp && time.Since(l.upSince) > calmAfter {
		l.failures = 0
	}
	pause := time.Duration(0)
	if l.failures > 0 {
		pause = min(time.Second<<min(l.failures-1, 10), maxBackOff)
	}
	l.failures++
	l.setState(PeerFailed, err)
	l.later(&l.patience, pause, l.begin)
}

// The connection's state.

func (l *link) pathChanged(s webrtc.ICEConnectionState) {
	l.conn.path = s
	l.trace("path", "state", s.String())
	if s == webrtc.ICEConnectionStateFailed {
		l.fail(errConnection)
		return
	}
	l.work() // a description may have waited for ICE to start
	l.channelsChanged()
}

// mediaCanFlow is told when DTLS is up, at first and again after a restart:
// pion drops what is sent earlier.
func (l *link) mediaCanFlow() {
	for _, sec := range l.conn.sections {
		sec.leg.connected()
	}
}

// channelsChanged derives the Peer's state.
func (l *link) channelsChanged() {
	c := l.conn
	if l.broken {
		return
	}
	up := c.up() && c.dataOpen
	switch {
	case up && l.State() != PeerConnected:
		l.wasUp, l.upSince = true, time.Now()
		if l.patience != nil {
			l.patience.Stop()
			l.patience = nil
		}
		l.setState(PeerConnected, nil)
		l.ex.Resend() // what hangs at a dead hub can go in-band now
	case !up && l.wasUp && c.path == webrtc.ICEConnectionStateDisconnected && l.State() == PeerConnected:
		l.setState(PeerInterrupted, nil)
		l.later(&l.patience, restartAfter, l.restart)
	}
}

// restart looks for a new path, which only the hub may carry: a restart takes the
// path away that it would travel on (RFC 8445 section 9).
func (l *link) restart() {
	if l.conn != nil && !l.broken && l.room.online() {
		l.try(l.act(l.turn.Restart()))
	}
}

func (l *link) setState(s PeerState, err error) {
	l.mu.Lock()
	changed := l.state != s
	l.state = s
	l.mu.Unlock()
	if changed {
		l.log.Info("peer", "state", s.String())
		l.tell(PeerStateChanged{Peer: l, State: s, Err: err})
	}
}

// tell adds an event about this peer, unless it has left.
func (l *link) tell(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gone {
		l.room.events.add(e)
	}
}

// Data.

func (l *link) dataFrame(m webrtc.DataChannelMessage) {
	kind, n, payload, ok := parseData(m)
	switch {
	case !ok:
		l.fail(errRules)
	case kind == dataTaken:
		if !l.out.taken(n) {
			l.fail(errCredit)
		}
	case kind == dataMessage:
		fresh, err := l.in.receive(n, len(payload))
		if err != nil {
			l.fail(err)
			return
		}
		if !fresh {
			l.takenDue = true
			return
		}
		l.room.events.addTaken(DataReceived{Peer: l, Data: payload}, func() {
			l.mail.post(func() { l.in.take(n, len(payload)); l.takenDue = true })
		})
	}
}

func (l *link) sendData() {
	c := l.conn
	if !c.dataOpen {
		return
	}
	if l.takenDue {
		l.takenDue = false
		_ = c.data.Send(takenFrame(l.in.taken)) // a failure shows as OnClose
	}
	for _, frame := range l.out.after(c.written) {
		if c.data.Send(frame) != nil {
			return
		}
		c.written++
	}
}
