package connection

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/diagnose"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/mailbox"
	"noom/internal/negotiate"
	"noom/internal/recovery"
	"noom/signal"
)

// This file is about a connection whose first offer is made before there is a peer: it travels as a card. It has three
// stages: Card makes the offer, Adopt gathers candidates for a peer that may answer, and Claim is called when it has.

// card is the offer of a connection that waits for its peer.
type card struct {
	offer webrtc.SessionDescription // as pion has made it
	sent  description               // as it is sent
}

// Card makes the first offer, without candidates, and returns its body. The connection has no peer until Adopt, and its
// owner is only asked for the version of the table.
func (c *Conn) Card() (body []byte, err error) {
	defer recoverPanic(&err, c.log)
	if actions := c.turn.Need(); len(actions) != 1 || actions[0].Kind != negotiate.Offer {
		return nil, errors.New("it is not our turn to offer")
	}
	offer, err := c.createOffer(nil)
	if err != nil {
		return nil, err
	}
	text, sent, err := c.prepare(offer.SDP)
	if err != nil {
		return nil, err
	}
	if body, err = signal.EncodeBody(&signal.Description{ID: 1, SDP: text, Table: c.nextTable()}); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	c.card = &card{offer, sent}
	return body, nil
}

// Adoption is what a connection with a card gets of the link that it is for.
type Adoption struct {
	Owner   Owner
	Mail    *mailbox.Mailbox
	Log     *slog.Logger
	Shares  map[*fanout.Sender]Share
	Servers *iceservers.Set
	Sent    time.Time // when the card was
}

// Adopt makes the connection part of a link, which owns it from now on, and begins to gather candidates. They wait until
// Claim.
func (c *Conn) Adopt(a Adoption) (err error) {
	defer recoverPanic(&err, c.log)
	c.owner, c.mail, c.log, c.shares = a.Owner, a.Mail, a.Log, a.Shares
	c.useServers(a.Servers)
	c.own.Loopback = c.own.Loopback || a.Servers.OnLoopback()
	c.reach(&c.steps.Offer, a.Sent)
	if err := c.PC.SetLocalDescription(c.card.offer); err != nil {
		return fmt.Errorf("set local description: %w", err)
	}
	return nil
}

// Claim is called once the peer is known, which has the offer already, as the first message of the exchange.
func (c *Conn) Claim(n recovery.Number) {
	now := time.Now()
	c.Number, c.Since, c.pathSince = n, now, now
	c.local = c.card.sent
	for _, known := range c.pending {
		if known.Candidate != "" {
			c.local.candidates[diagnose.TypeOf(known.Candidate)] = true
		}
	}
	c.card = nil
	c.owner.Trace("the card is answered")
	c.tableSent(1)
	c.sendCandidates()
}
