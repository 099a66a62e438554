package link

import (
	"log/slog"
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/connection"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/mailbox"
	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// cardTable is the version of the table in a card.
const cardTable = 1

// Card is a connection with a first offer that is made before anybody is there to get it. It is the room's until a link
// gets it, by Config, and then that link's.
type Card struct {
	Offer []byte // the body of the offer

	conn    *connection.Conn
	link    *Link // whose it is
	spawn   func(func())
	senders []*fanout.Sender // that are in the offer

	outdated bool // a row of the table in the offer has changed
}

// CardConfig is what a card needs of the room.
type CardConfig struct {
	Self          string // our id
	NewAPI        func(Hooks) (*webrtc.API, error)
	SharesReports bool
	Spawn         func(func())
	Note          func(msg string, args ...any)
	Log           *slog.Logger
	Networks      conduct.Networks
	Codecs        []webrtc.RTPCodecParameters
	Prefer        []string
	Senders       []*fanout.Sender
}

// NewCard makes a connection and its first offer. The offer reserves as many sections as it fills, because most calls have
// the same at both ends. What a member may make us do is bounded by its conduct; whoever answers a card has bounds of its
// own in that connection, because we make one card in a session.
func NewCard(cfg CardConfig) (*Card, error) {
	k := &Card{spawn: cfg.Spawn, senders: cfg.Senders}
	hooks := newHooks(conduct.NewLonePacer(conduct.Everybody), cfg.SharesReports,
		func(err error) { k.link.mail.Post(func() { k.link.flooded(k.conn, err) }) },
		func(at time.Time) { k.link.mail.Post(func() { k.conn.Checked(at) }) })
	api, err := cfg.NewAPI(hooks.Hooks)
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{}) // without a pool, it gathers nothing before it has its servers
	if err != nil {
		return nil, err
	}
	var expects []string
	for _, s := range cfg.Senders {
		expects = append(expects, s.Codec().MimeType)
	}
	if k.conn, err = connection.New(connection.Config{
		PC: pc, Owner: cardOwner{cfg: cfg}, Mail: mailbox.New(nil), Log: cfg.Log, Self: cfg.Self, Turn: negotiate.Begin(),
		Senders: cfg.Senders, Expects: expects, Servers: new(iceservers.Set), Networks: cfg.Networks,
		Budget: new(fanout.KeyframeBudget), Packets: hooks.Packets, Repair: hooks.Repair, Answers: hooks.Answers,
		Reports: hooks.reports, Traffic: hooks.Traffic, Codecs: cfg.Codecs,
		Prefer: cfg.Prefer,
	}); err != nil {
		return nil, err
	}
	if k.Offer, err = k.conn.Card(); err != nil {
		k.Discard()
		return nil, err
	}
	return k, nil
}

// Discard ends a card that nobody has answered.
func (k *Card) Discard() { k.conn.Discard() }

// cardOwner owns the connection of a card as long as no link does.
type cardOwner struct {
	connection.Owner // nil: nothing else is asked before there is a link

	cfg CardConfig
}

func (o cardOwner) Spawn(f func())                { o.cfg.Spawn(f) }
func (o cardOwner) Trace(msg string, args ...any) { o.cfg.Note(msg, args...) }
func (o cardOwner) NextTable() int64              { return cardTable }

// adopt takes the card that the link was given.
func (l *Link) adopt(sent time.Time) {
	k := l.card
	k.link = l
	err := k.conn.Adopt(connection.Adoption{
		Owner: connHost{l}, Mail: l.mail, Log: l.log, Shares: l.shares, Servers: l.host.Servers(), Sent: sent,
	})
	if err != nil {
		l.trace("card discarded", "error", err)
		l.discardCard()
	}
}

// discardCard ends the card, if there still is one.
func (l *Link) discardCard() {
	if k := l.card; k != nil {
		l.card = nil
		k.Discard()
	}
}

// giveCardUp ends the card, if there still is one, and its epoch, in which the peer may be with it. There has been no other.
func (l *Link) giveCardUp() {
	if l.card != nil {
		l.discardCard()
		l.frames.PassCard()
	}
}

// claim makes the card's connection that of the epoch which has just begun.
func (l *Link) claim(n recovery.Number) *connection.Conn {
	k := l.card
	l.card = nil
	l.tableVersion = max(l.tableVersion, cardTable)
	c := k.conn
	c.Claim(n)
	for _, s := range k.senders {
		if !slices.Contains(l.senders, s) {
			c.Unpublish(s)
		}
	}
	for _, s := range l.senders {
		if !slices.Contains(k.senders, s) {
			c.Publish(s)
		}
		c.Share(s)
	}
	if k.outdated {
		c.Retable()
	}
	return c
}
