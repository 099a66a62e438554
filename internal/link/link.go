package link

import (
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/connection"
	"noom/internal/data"
	"noom/internal/fanout"
	"noom/internal/fault"
	"noom/internal/frames"
	"noom/internal/inbound"
	"noom/internal/mailbox"
	"noom/internal/quality"
	"noom/internal/recovery"
	"noom/signal"
)

const (
	firstRestarts = 2   // of ICE, before the first rebuild
	maxByHub      = 256 // frames waiting for one link; more are dropped and sent again
)

// Config is what a link needs.
type Config struct {
	Host     Host
	Report   Report
	Room     string        // its name
	Self     signal.Member // ID, Session
	Member   signal.Member // the peer
	Sign     func(text []byte) signal.Bytes
	Connect  time.Duration // how long a connection may take to come up
	Log      *slog.Logger
	Budget   *fanout.KeyframeBudget      // the peer's
	Conduct  *conduct.Conduct            // of the member id; it outlives links
	Networks func() conduct.Networks     // for judging candidates; they may change
	Codecs   []webrtc.RTPCodecParameters // that are offered in addition to noom's
	Prefer   []string                    // MIME types that we would like to receive, the best first
	Card     *Card                       // that the peer may answer; nil: there is none
	CardSent time.Time                   // when it was
}

// Link is everything about one other member. Only its loop sets descriptions and closes connections. Its methods may be
// called from anywhere.
type Link struct {
	face // guards itself

	// Stream is the data sent to the peer; Tracks are those that the peer sends. Methods that others than the loop may
	// call guard themselves. Call Kick when Stream has accepted something.
	Stream data.Stream
	Tracks inbound.Tracks

	// Immutable, or guarding itself.
	cfg   Config
	host  Host
	mail  *mailbox.Mailbox
	byHub atomic.Int32 // frames posted and not yet taken

	kicked atomic.Bool // the loop is yet to look
	unkick func()      // takes kicked back, as what is posted for a kick

	// Owned by the loop.
	frames       *frames.Frames
	recovery     recovery.Machine // of the connections, which it knows by number
	timers       [recovery.Timers]mailbox.Timer
	ackPause     mailbox.Timer // of Stream
	conns        connections
	senders      []*fanout.Sender                    // all that the peer is to get
	own          []*fanout.Sender                    // those of them that only this peer gets
	shares       map[*fanout.Sender]connection.Share // what the peer gets of them; all that is not here
	tableVersion int64                               // of our latest table
	sends        []string                            // what the hub says that the peer publishes, as MIME types
	findings     findings
	failure      error  // the error behind the latest Fail, Unbuilt or Spoiled
	doubted      uint64 // how much had arrived over the path when it was doubted
	probed       uint64 // and over a new one, when it was probed
	goodbyes     goodbyes
	wants        wants // of the peer's tracks
	watch        watch
	card         *Card // until it is answered, or there is no use for it
}

// New makes a link. Start begins it.
func New(cfg Config) *Link {
	l := &Link{
		face: face{member: cfg.Member, name: cfg.Member.Name, rights: cfg.Member.Rights, account: cfg.Member.Account, report: cfg.Report, log: cfg.Log},
		cfg:  cfg, host: cfg.Host, mail: mailbox.New(fault.Closed),
		shares:   make(map[*fanout.Sender]connection.Share),
		recovery: recovery.New(recovery.Options{Connect: cfg.Connect, Restarts: firstRestarts}),
	}
	l.unkick = func() { l.kicked.Store(false) }
	if l.card = cfg.Card; l.card != nil {
		l.mail.Post(func() { l.adopt(cfg.CardSent) })
	}
	l.Stream.Questions.OnDue, l.Stream.Questions.OnAsked = l.Kick, cfg.Report.Asked
	l.Tracks.OnWant = func() { l.mail.Post(func() { l.wants.due = true }) }
	l.frames = frames.New(frames.Config{
		Room: cfg.Room, Self: cfg.Self, Peer: cfg.Member, Sign: cfg.Sign, Mail: l.mail, Owner: frameHost{l},
	})
	return l
}

// Start begins the loop. It calls over when the link is over.
func (l *Link) Start(over func()) {
	l.mail.Serve(func(items []func()) { l.turn(items, over) })
}

// turn is a round of the loop.
func (l *Link) turn(items []func(), over func()) {
	for _, f := range items {
		f()
	}
	if !l.recovery.Over() {
		l.flush()
		return
	}
	for _, f := range l.mail.Close() {
		f()
	}
	l.on((*recovery.Machine).Ended)
	if l.recovery.Left() {
		l.host.Left()
	}
	over()
}

// flush sends what is due, at the end of each round of the loop.
func (l *Link) flush() {
	l.Stream.Delivered()
	c := l.conns.current
	if c == nil {
		return
	}
	if !l.recovery.Broken() { // otherwise the next epoch would make it pointless
		c.SendTable()
		l.sendWants()
		l.frames.Flush()
	}
	l.goodbyes.acknowledged(l.frames.Acked())
	c.StartFlowing(l.frames.Acked())
	l.Stream.Write(l.live().Lane)
	if l.Stream.Pausing() && !l.ackPause.Pending() {
		l.ackPause.Set(l.mail, data.AckPause, l.Stream.PauseOver)
	}
}

// end ends everything that the link has: timers, connections, tracks, the stream.
func (l *Link) end() {
	l.giveCardUp()
	l.frames.Stop()
	for t := range l.timers {
		l.timers[t].Stop()
	}
	l.wants.pause.Stop()
	l.ackPause.Stop()
	for _, c := range l.conns.all() {
		l.conns.discard(c)
	}
	l.show(nil)
	if own := l.own; len(own) > 0 {
		l.own = nil
		l.host.Spawn(func() {
			for _, s := range own {
				_ = s.Close() // it may be closed already
			}
		})
	}
	l.unwatch()
	l.watch = watch{} // a peer that comes back begins again
	l.setQuality(quality.Good)
	l.goodbyes.end()
	l.Stream.EndDeliveries()
	l.Stream.Close()
	l.reportTracks(l.Tracks.End())
}

// post reports an event to the machine, in the loop.
func (l *Link) post(event func(*recovery.Machine) []recovery.Action) {
	l.mail.Post(func() { l.on(event) })
}

// The room's loop calls what follows.

// Welcome reports that the member has come, or come back, to the hub while we were there, and what it publishes, as far as is
// known; card, if it is not nil, is its first offer.
func (l *Link) Welcome(sends []string, card *signal.Card) {
	l.mail.Post(func() {
		l.sends = sends
		if card != nil && !l.host.Servers().Expired() { // otherwise we offer, once there are others
			l.frames.Card(card)
		}
		l.on((*recovery.Machine).Welcome)
	})
}

// Expect reports that the member was there first: we are the newcomer.
func (l *Link) Expect() { l.post((*recovery.Machine).Expect) }

// HubLost reports that the hub has lost the member.
func (l *Link) HubLost() { l.post((*recovery.Machine).HubLost) }

// Goodbye reports that the member has left.
func (l *Link) Goodbye() { l.post((*recovery.Machine).Goodbye) }

// Sleep closes the connection and keeps what is needed if the member returns.
func (l *Link) Sleep() { l.post((*recovery.Machine).Sleep) }

// Wake makes a sleeping link a peer again, at the loop's next turn, unless Depart comes first.
func (l *Link) Wake() {
	left := l.timesGone()
	l.mail.Post(func() {
		if l.comeBack(left) {
			l.Tracks.Reopen()
			l.Stream.Reopen()
			l.setWanted(nil)
			l.host.WantsChanged()
		}
		l.on((*recovery.Machine).Wake)
	})
}

// Depart makes the peer look gone at once, without waiting for the loop: its tracks end, its methods fail, and nothing
// more is reported.
func (l *Link) Depart() {
	l.Stream.Close()
	l.reportTracks(l.Tracks.End())
	l.goOut()
}

// Close ends the link for good.
func (l *Link) Close() { l.mail.Post(l.recovery.Close) }

// Admit reports that it is the link's turn to build its first connection.
func (l *Link) Admit() { l.post((*recovery.Machine).Admitted) }

// Doubt restarts ICE if nothing arrives over the path within a moment.
func (l *Link) Doubt() { l.post((*recovery.Machine).Doubted) }

// AddressesAre restarts ICE at once if the address at which the path starts is no longer one of this machine's, or if
// the path was being repaired anyway. nil: the addresses are not known.
func (l *Link) AddressesAre(addresses []netip.Addr) {
	l.mail.Post(func() {
		gone := false
		if c := l.conns.current; c != nil && !l.recovery.Broken() && l.recovery.Up(c.Number) && addresses != nil {
			if gone = !c.StartsAt(addresses); gone {
				l.trace("the path's address is gone")
			}
		}
		l.on(func(m *recovery.Machine) []recovery.Action { return m.NetworkChanged(gone) })
	})
}

// ServersChanged reports that there are new ICE servers. They are used when candidates are next gathered.
func (l *Link) ServersChanged() {
	l.mail.Post(func() {
		l.on((*recovery.Machine).ServersTold)
		l.planRelay()
	})
}

// HubFrame takes a pair frame that came through the hub. The link owns m from now on.
func (l *Link) HubFrame(m signal.Message) {
	if !l.cfg.Conduct.ByHub.AllowN(time.Now(), 1) {
		return
	}
	if l.byHub.Add(1) > maxByHub { // the exchange sends again what is dropped here
		l.byHub.Add(-1)
		return
	}
	l.mail.Post(func() {
		l.byHub.Add(-1)
		l.frames.Receive(m, frames.ByHub)
	})
}
