package connection

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/data"
	"noom/internal/exchange"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/inbound"
	"noom/internal/mailbox"
	"noom/internal/negotiate"
	"noom/internal/payloads"
	"noom/internal/recovery"
	"noom/internal/repair"
	"noom/internal/traffic"
	"noom/signal"
)

const (
	maxInBand      = 256       // frames of one connection that wait for the loop; more are dropped and sent again
	maxControlRoom = 256 << 10 // bytes waiting in the control channel; above, frames go through the hub
)

// BeforeClose is called before Discard closes a PeerConnection, in the goroutine that closes it. Tests in virtual time set
// it before any connection is made: if the peer's ABORT arrives at that very instant, pion's SCTPTransport.Stop holds a
// mutex while it waits for a timer, and a goroutine that waits for a mutex stops virtual time for good. In virtual time
// coincidences are the rule; a random pause here makes them rare.
var BeforeClose = func() {}

// Conn is the connection of one epoch. The owner's loop owns it; pion's callbacks only post to that loop.
type Conn struct {
	Number   recovery.Number             // names it for package recovery
	PC       *webrtc.PeerConnection      // for what has no method here; only the connection negotiates
	Traffic  *traffic.Control            // what PC sends; it guards itself
	Lane     *data.Lane                  // this connection's part of the data exchanged with the peer
	Since    time.Time                   // when it was made
	Servers  *iceservers.Set             // with which it last gathered
	Inbounds map[string]*inbound.Inbound // by mid: what we receive

	// Outside this package, only tests use these, through link.Inspect.
	Control *webrtc.DataChannel // pair frames, in-band
	Data    *webrtc.DataChannel // the stream of Peer.Send

	owner  Owner
	mail   *mailbox.Mailbox // the owner's
	log    *slog.Logger
	self   string                 // our id
	budget *fanout.KeyframeBudget // the peer's

	stage stage

	// Negotiation.
	turn       negotiate.Machine
	inbox      []exchange.Message   // delivered, not yet acted on
	incoming   *incomingDescription // the description being acted on
	local      description          // the latest ones in force
	remote     description
	pending    []signal.Candidate // for the next candidates frame
	batch      mailbox.Timer      // until they are sent
	generation int                // trickled remote candidates since the ufrag changed
	candidates conduct.Candidates
	numbers    *payloads.Numbers
	packets    *payloads.Packets
	repair     *repair.Asker
	answers    *repair.Answerer
	reports    *Reports
	codecs     []webrtc.RTPCodecParameters // that PC has in addition to noom's
	preferred  []string                    // MIME types that we would like to receive
	own        conduct.Networks            // for judging them

	// The path.
	pathSince time.Time
	secured   bool // DTLS has been up

	// Media.
	sections   []*section                   // what we send, in the order added
	kinds      map[webrtc.RTPCodecType]bool // of which a section has been made, or offered by the peer
	offered    bool                         // we have made an offer
	expects    []string                     // what the peer is about to send, as MIME types, for our first offer
	waiting    []*fanout.Sender             // senders without a section yet
	card       *card                        // nil: there is a peer
	lacking    []lack                       // that the peer does not get
	tableDirty bool                         // our table has changed since it was sent
	shares     map[*fanout.Sender]Share     // the owner's, which changes it: what the peer gets
	measuring  measuring
	receivers  map[string]receiver // by mid, those of Inbounds

	mu      sync.Mutex // a leaf lock: nothing outside is called while it is held
	streams []stream   // for readers; appended to, never changed in place
	steps   Steps      // for readers; the owner's loop alone writes
}

// stage says what use a connection is to its link.
type stage uint8

const (
	stageNegotiating stage = iota // it is that of the current epoch
	stageGivenUp                  // it is too, but the next epoch is due
	stageSetAside                 // it serves until the next connection is up
	stageDiscarded                // it is being closed
)

// current reports whether the connection is that of the current epoch.
func (c *Conn) current() bool { return c.stage <= stageGivenUp }

// Config is what a connection needs.
type Config struct {
	Number   recovery.Number        // names it for package recovery
	PC       *webrtc.PeerConnection // new, and owned by the connection from now on
	Owner    Owner
	Mail     *mailbox.Mailbox // the owner's
	Log      *slog.Logger
	Self     string                      // our member id
	Turn     negotiate.Machine           // whose turn it is to begin with
	Senders  []*fanout.Sender            // published to the peer so far
	Expects  []string                    // what the peer is about to publish, as far as is known: MIME types, or kinds
	Shares   map[*fanout.Sender]Share    // of them; the owner changes it, and calls Share
	Servers  *iceservers.Set             // with which PC was made
	Networks conduct.Networks            // this machine's, for judging the peer's candidates
	Budget   *fanout.KeyframeBudget      // the peer's
	Packets  *payloads.Packets           // what PC was made with, to follow the descriptions
	Codecs   []webrtc.RTPCodecParameters // that PC has in addition to noom's
	Prefer   []string                    // MIME types that we would like to receive, the best first
	Traffic  *traffic.Control            // of PC
	Repair   *repair.Asker               // the same, to learn what was repaired
	Answers  *repair.Answerer            // the same, to share what legs send
	Reports  *Reports                    // of PC, which have Arrived called
}

// New makes a connection with a new PeerConnection.
func New(cfg Config) (*Conn, error) {
	now := time.Now()
	c := &Conn{
		Number: cfg.Number, PC: cfg.PC, Traffic: cfg.Traffic,
		owner: cfg.Owner, mail: cfg.Mail, log: cfg.Log, self: cfg.Self, budget: cfg.Budget, turn: cfg.Turn,
		waiting: slices.Clone(cfg.Senders), shares: cfg.Shares, Servers: cfg.Servers, own: cfg.Networks,
		numbers: payloads.New(cfg.Codecs...), packets: cfg.Packets, codecs: cfg.Codecs, preferred: cfg.Prefer,
		repair: cfg.Repair, answers: cfg.Answers, reports: cfg.Reports,
		Since: now, pathSince: now, Inbounds: make(map[string]*inbound.Inbound),
		receivers: make(map[string]receiver), kinds: make(map[webrtc.RTPCodecType]bool), expects: cfg.Expects,
	}
	c.reports.spawn = c.owner.Spawn
	c.own.Loopback = c.own.Loopback || cfg.Servers.OnLoopback()
	// Both ends make both channels, so that neither needs to be announced, and they do so before the first description,
	// so that it has a section for them.
	var err error
	if c.Control, err = c.PC.CreateDataChannel("control", negotiatedChannel(0)); err == nil {
		c.Data, err = c.PC.CreateDataChannel("data", negotiatedChannel(1))
	}
	if err != nil {
		c.owner.Spawn(func() { _ = c.PC.GracefulClose() })
		return nil, err
	}
	c.Lane = data.NewLane(c.Data, c.Control)
	c.listen()
	c.listenToChannels()
	return c, nil
}

func negotiatedChannel(id uint16) *webrtc.DataChannelInit {
	yes := true
	return &webrtc.DataChannelInit{Negotiated: &yes, ID: &id, Ordered: &yes}
}

// Described reports whether what is sent now would come behind a description of ours, in an epoch that is not given up.
func (c *Conn) Described() bool { return c.stage == stageNegotiating && c.local.ufrag != "" }

// GiveUp ends negotiation: the next epoch is due.
func (c *Conn) GiveUp() {
	if c.stage == stageNegotiating {
		c.stage, c.inbox = stageGivenUp, nil
	}
}

// SetAside makes the connection one that only serves until the next connection is up.
func (c *Conn) SetAside() {
	c.stage = stageSetAside
	c.batch.Stop()
}

// Discard closes the connection without waiting.
func (c *Conn) Discard() {
	c.stage = stageDiscarded
	c.batch.Stop()
	for _, s := range c.sections {
		s.leg.Detach()
	}
	for _, in := range c.Inbounds {
		in.Assign(nil)
	}
	c.Lane.Lose()
	alone := c.card != nil // with no peer whose ABORT could arrive
	c.owner.Spawn(func() {
		if !alone {
			BeforeClose()
		}
		_ = c.PC.GracefulClose()
	})
}

// SendFrame sends a pair frame in-band. It reports false if that is not possible now.
func (c *Conn) SendFrame(m signal.Message) bool {
	if c.Control.BufferedAmount() >= maxControlRoom {
		return false
	}
	text, err := m.Encode()
	return err == nil && c.Control.SendText(string(text)) == nil
}
