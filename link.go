package noom

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"noom/internal/connection"

	"noom/internal/conduct"
	"noom/internal/data"
	"noom/internal/fanout"
	"noom/internal/fault"
	"noom/internal/frames"
	"noom/internal/inbound"
	"noom/internal/mailbox"
	"noom/internal/recovery"
	"noom/signal"
)

const (
	maxFrames     = 256 // frames waiting for one link; more are dropped and come again
	firstRestarts = 2   // of ICE, before the first rebuild
)

var (
	errConnection = errors.New("connection failed")
	errTimeout    = errors.New("connection did not come up in time")
	errChannels   = fmt.Errorf("%w: it opens more channels than are refused", fault.Rules)
	errTables     = fmt.Errorf("%w: a flood of tables", fault.Rules)
	errData       = fmt.Errorf("%w: a flood of data that says nothing new", fault.Rules)
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

	conduct *conduct.Conduct // of the member id; guards itself

	mail   *mailbox.Mailbox
	ended  chan struct{}  // closed with the loop
	byHub  atomic.Int32   // frames posted and not yet taken
	stream data.Stream    // owned by the loop; guards what senders use itself
	tracks inbound.Tracks // owned by the loop; guards what readers see itself
	budget *fanout.KeyframeBudget

	// What readers see. The room's loop writes name, rights and gone, the link's the
	// rest; once gone, nothing but data is told of this peer any more.
	mu     sync.Mutex
	name   string
	rights signal.Rights
	gone   bool // out of the roster
	state  PeerState
	shown  *connection.Conn // nil if there is none

	// Everything following is owned by the loop.
	frames   *frames.Frames
	recovery recovery.Machine   // of the link's connections, which are named by number
	conn     *connection.Conn   // nil before the first epoch and while asleep
	old      []*connection.Conn // of epochs before: they serve until conn is up; see handover.go
	senders  []*fanout.Sender   // all that the peer shall get
	own      []*fanout.Sender   // those of them that only this peer gets

	tableVersion int64 // of our table

	failure  *Diagnosis                     // why it is not connected, nil while it is or was not yet to be
	failedBy error                          // why this epoch was given up, nil if it was not
	told     error                          // why the machine was told that something failed
	sample   uint64                         // how much had come by the path when it was doubted
	timers   [recovery.Timers]mailbox.Timer // the machine's
	partings []parting
}

func newLink(r *room, m Member) *link {
	l := &link{
		room: r, member: m, name: m.Name, rights: m.Rights,
		log:      r.log.With("peer", m.ID),
		mail:     mailbox.New(ErrClosed),
		ended:    make(chan struct{}),
		budget:   r.budgets.Of(m.ID, time.Now()),
		recovery: recovery.New(recovery.Options{Connect: r.cfg.ConnectTimeout, Restarts: firstRestarts}),
		conduct:  r.conducts.Of(m.ID, r.roster.present, time.Now()),
	}
	l.frames = frames.New(frames.Config{
		Room: r.name, Self: r.self, Peer: m, Sign: r.cfg.Identity.sign, Mail: l.mail, Owner: frameHost{l},
	})
	return l
}

func (l *link) run() {
	for range l.mail.Ready() {
		for _, f := range l.mail.Take() {
			f()
		}
		if l.recovery.Over() {
			for _, f := range l.mail.Close() {
				f()
			}
			l.on((*recovery.Machine).Ended)
			if l.recovery.Left() {
				l.room.left(l)
			}
			close(l.ended)
			return
		}
		l.flush()
	}
}

// end stops everything that belongs to a connection.
func (l *link) end() {
	l.frames.Stop()
	for t := range l.timers {
		l.timers[t].Stop()
	}
	l.dropConn()
	for _, c := range l.old {
		c.Discard()
	}
	l.old = nil
	if own := l.own; len(own) > 0 {
		l.own = nil
		l.room.background(func() { closeAll(own) })
	}
	l.partAll()
	l.stream.EndDeliveries()
	l.stream.Close()
	l.tracksChanged(l.tracks.End())
}

func (l *link) dropConn() {
	if c := l.conn; c != nil {
		l.conn = nil
		c.Discard()
		l.show(nil)
	}
}

// show makes readers see c.
func (l *link) show(c *connection.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = c
}

// Membership, told by the room's loop.

// depart makes the peer look gone at once, whatever its loop is at: its
// tracks end, its methods fail.
func (l *link) depart() {
	l.stream.Close()
	l.tracksChanged(l.tracks.End())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
}

// close ends the link for good.
func (l *link) close() { l.mail.Post(l.recovery.Close) }

// leftByPeer passes the peer's goodbye on.
func (l *link) leftByPeer() { l.on((*recovery.Machine).Goodbye) }

// sleep ends the connection and keeps what a return needs.
func (l *link) sleep() { l.postEvent((*recovery.Machine).Sleep) }

// wake makes a sleeping link a peer again.
func (l *link) wake() {
	l.mail.Post(func() {
		l.mu.Lock()
		l.gone = false
		l.mu.Unlock()
		l.tracks.Reopen()
		l.stream.Reopen()
		l.on((*recovery.Machine).Wake)
	})
}

// welcome tells that the member has entered, or come back to, the hub while we were
// there.
func (l *link) welcome() { l.postEvent((*recovery.Machine).Welcome) }

// expect tells that the member is there and that we are the newcomer.
func (l *link) expect() { l.postEvent((*recovery.Machine).Expect) }

// hubLost tells that the hub has lost the member.
func (l *link) hubLost() { l.postEvent((*recovery.Machine).HubLost) }
