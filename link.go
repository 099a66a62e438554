package noom

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/exchange"
	"noom/internal/fanout"
	"noom/internal/mailbox"
	"noom/internal/negotiate"
	"noom/signal"
)

const (
	tick           = 500 * time.Millisecond // of the exchange: twice it is 1 s, then 2, 4, 8 s
	batchWait      = 5 * time.Millisecond   // candidates gathered within it share a frame
	closedGrace    = 500 * time.Millisecond // for a peer that closed the connection to begin the next epoch
	maxBackOff     = 30 * time.Second       // between rebuilds
	calmAfter      = 10 * time.Second       // connected so long, a rebuild starts without a pause again
	maxFrames      = 256                    // frames waiting for one link; more are dropped and come again
	maxQueued      = 256                    // messages waiting for a peer that acknowledges none
	maxInbox       = 4 * exchange.Window    // messages behind a description that waits for ICE
	maxControlRoom = 256 << 10              // bytes waiting in the control channel; above, frames go by hub
	maxHeld        = exchange.Window        // frames of a newcomer whose connection may not be built yet
	maxUntaken     = 2 * maxUnackedMessages // frames of a data channel that wait for the loop
)

var (
	errConnection = errors.New("connection failed")
	errDTLS       = errors.New("DTLS failed")
	errTimeout    = errors.New("connection did not come up in time")
	errRules      = errors.New("peer broke the protocol")
	errFrames     = fmt.Errorf("%w: a flood of frames", errRules)
	errChannels   = fmt.Errorf("%w: it opens more channels than are refused", errRules)
	errData       = fmt.Errorf("%w: a flood of data that says nothing new", errRules)
	errWork       = fmt.Errorf("%w: a flood of descriptions", errRules)
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

	conduct *conduct // of the member id; guards itself

	mail   *mailbox.Mailbox
	ended  chan struct{} // closed with the loop
	frames atomic.Int32  // posted and not yet taken
	out    outStream     // guards itself
	budget *fanout.KeyframeBudget

	// Owned by the room's loop.
	missing bool // the hub has lost the member
	loss    int  // the how manieth it was that the hub lost, if missing
	parted  bool // the hub has passed on its goodbye; the link takes it

	// What readers see. The room's loop writes name, rights and gone, the link's the
	// rest; once gone, nothing but data is told of this peer any more.
	mu      sync.Mutex
	name    string
	rights  signal.Rights
	gone    bool // out of the roster
	state   PeerState
	pc      *webrtc.PeerConnection
	streams []stream // of pc; appended to, never changed in place
	tracks  []*remoteTrack

	// Everything following is owned by the loop.
	ex       *exchange.Exchange
	turn     negotiate.Machine
	conn     *conn   // nil before the first epoch and while asleep
	old      []*conn // of epochs before: they serve until conn is up; see handover.go
	in       inStream
	inbox    []exchange.Message // delivered, not yet acted on
	incoming *incoming          // the description being acted on
	senders  []*fanout.Sender   // all that the peer shall get
	own      []*fanout.Sender   // those of them that only this peer gets
	waiting  []*fanout.Sender   // those without a section yet
	pending  []signal.Candidate // for the next candidates frame

	everUp     bool // a connection of this session was up
	admitted   bool // else newcomers wait for their turn
	onAdmitted func()
	held       []heldFrame // came meanwhile

	tableVersion int64 // of our table
	tableDirty   bool
	heardVersion int64             // of the peer's
	heard        *signal.Table     // the peer's, of that version
	rows         map[string]string // mid to track id, as the peer's table says
	unseen       int               // channels that the peer opened and Next has not delivered
	takenDue     bool              // the peer is owed an acknowledgement of data
	arrivedDue   bool              // the peer has asked whether its data has arrived, and it has
	byHub        bool              // a frame came by hub since the last flush

	failure      *Diagnosis // why it is not connected, nil while it is or was not yet to be
	failedBy     error      // why this epoch was given up, nil if it was not
	over         bool
	left         bool // the peer has said goodbye
	asleep       bool
	lost         bool // as missing, when the loop was told last
	broken       bool // this epoch is beyond repair; the next is due
	wasUp        bool // in this epoch
	upSince      time.Time
	failures     int  // epochs given up in a row
	restarts     int  // in a row
	relayed      bool // the path that was interrupted went by a relay of ours
	patienceFor  int  // so many restarts, before a rebuild
	warned       bool // of a forged frame
	pathAsked    bool // for a restart, by the user
	ticker       *time.Timer
	batch        *time.Timer
	patience     *time.Timer // connect timeout, restart or the pause before a rebuild
	serversTimer *time.Timer // patience, while it is that of awaitServers
	serversNext  func()
	doubtful     *time.Timer // until the path has to have shown life
	relay        *time.Timer // until the relay's credentials are about to expire
	linger       *time.Timer // for old, once conn is up
	staleSent    time.Time
	partings     []parting
	deliveries   []chan struct{} // each closed when all data has arrived
}

type incoming struct {
	signal.Description
	parsed description
}

func newLink(r *room, m Member) *link {
	l := &link{
		room: r, member: m, name: m.Name, rights: m.Rights,
		log:         r.log.With("peer", m.ID),
		mail:        mailbox.New(ErrClosed),
		ended:       make(chan struct{}),
		ex:          exchange.New(r.self.ID),
		budget:      r.budgets.Of(m.ID, time.Now()),
		patienceFor: firstRestarts,
		conduct:     r.conducts.of(m.ID, r.present, time.Now()),
		rows:        make(map[string]string),
	}
	return l
}

func (l *link) run() {
	for range l.mail.Ready() {
		for _, f := range l.mail.Take() {
			f()
		}
		if l.over {
			for _, f := range l.mail.Close() {
				f()
			}
			l.end()
			if l.left {
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
	for _, t := range []**time.Timer{&l.ticker, &l.batch, &l.patience, &l.linger, &l.relay, &l.doubtful} {
		if *t != nil {
			(*t).Stop()
			*t = nil
		}
	}
	l.dropConn()
	l.dropOld()
	l.admissionOver()
	if own := l.own; len(own) > 0 {
		l.own = nil
		l.room.background(func() { closeAll(own) })
	}
	l.partAll()
	l.endDeliveries()
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
		l.pc, l.streams = nil, nil
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
		l.mail.Post(func() {
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
func (l *link) close() { l.mail.Post(func() { l.over = true }) }

// sleep ends the connection and keeps what a return needs.
func (l *link) sleep() {
	l.mail.Post(func() {
		l.asleep, l.wasUp = true, false
		l.end()
	})
}

// wake makes a sleeping link a peer again.
func (l *link) wake() {
	l.mail.Post(func() {
		l.mu.Lock()
		l.gone = false
		l.mu.Unlock()
		l.asleep, l.lost, l.broken, l.failures = false, false, false, 0
		l.heardVersion, l.unseen = 0, 0
		l.out.setClosed(false)
		l.setState(PeerConnecting, nil)
	})
}

// welcome tells that the member has entered, or come back to, the hub while we were
// there: without a living connection, we begin.
func (l *link) welcome() {
	l.mail.Post(func() {
		l.lost = false
		if l.conn != nil && !l.broken {
			l.hubBack()
			return
		}
		l.begin()
	})
}

// expect tells that the member is there and that we are the newcomer: it begins.
func (l *link) expect() {
	l.mail.Post(func() {
		l.lost = false
		switch {
		case l.conn == nil:
			l.later(&l.patience, l.room.cfg.ConnectTimeout, func() { l.fail(errTimeout) })
		case l.broken: // a pause was running while no hub could have helped
			l.failures = 0
			l.begin()
		default:
			l.hubBack()
		}
	})
}

// hubLost tells that the hub has lost the member. Its connection may live, or
// come to life yet; if it does neither, fail drops the peer.
func (l *link) hubLost() {
	l.mail.Post(func() {
		l.lost = true
		if (l.conn == nil || l.broken) && !l.serving() {
			l.room.drop(l)
		}
	})
}
