package connection

import (
	"fmt"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/exchange"
	"noom/internal/fault"
	"noom/internal/negotiate"
	"noom/signal"
)

// This file is the part of a connection that speaks JSEP (RFC 9429). It carries out what the turn machine decides; no
// other file sets a description.

// maxInbox bounds the messages that wait behind a description, which itself waits for ICE.
const maxInbox = 4 * exchange.Window

// errDescriptions fails the connection of a peer that makes us work without end.
var errDescriptions = fmt.Errorf("%w: a flood of descriptions", fault.Rules)

// incomingDescription is a description of the peer.
type incomingDescription struct {
	signal.Description
	session *sdp.SessionDescription // SDP, parsed
	parsed  description
}

// table returns a copy of the table, which is kept for longer than the description.
func (in *incomingDescription) table() *signal.Table {
	t := in.Table
	return &t
}

// Deliver takes messages from the exchange, in order. The connection fails if too many wait.
func (c *Conn) Deliver(messages []exchange.Message) {
	if c.stage != stageNegotiating {
		return
	}
	c.inbox = append(c.inbox, messages...)
	if c.work(); len(c.inbox) > maxInbox {
		c.owner.Failed(fmt.Errorf("%w: too many messages behind a description that waits", fault.Rules))
	}
}

// work acts on what the exchange delivered, in order.
func (c *Conn) work() {
	for len(c.inbox) > 0 && c.stage == stageNegotiating && !c.mustWait(c.inbox[0]) {
		m := c.inbox[0]
		c.inbox = c.inbox[1:]
		c.try(c.handle(m))
	}
}

// try fails the connection if there is an error.
func (c *Conn) try(err error) {
	if err != nil {
		c.owner.Failed(err)
	}
}

// mustWait holds a description back until ICE has started on the one before, because pion would take it for an ICE
// restart and open new sockets.
func (c *Conn) mustWait(m exchange.Message) bool {
	description := m.Type == string(signal.TypeOffer) || m.Type == string(signal.TypeAnswer)
	return description && c.remote.ufrag != "" && c.PC.ICEConnectionState() == webrtc.ICEConnectionStateNew
}

func (c *Conn) handle(m exchange.Message) (err error) {
	defer recoverPanic(&err, c.log)
	switch signal.Type(m.Type) {
	case signal.TypeOffer, signal.TypeAnswer:
		return c.described(m)
	case signal.TypeAsk:
		return c.act(c.turn.Asked())
	case signal.TypeGrant:
		return c.act(c.turn.Granted())
	case signal.TypeCandidates:
		return c.addCandidates(m.Body)
	case signal.TypeTable:
		var b signal.TableBody
		if err := signal.DecodeBody(m.Body, &b); err != nil {
			return fmt.Errorf("%w: %w", fault.Rules, err)
		}
		c.owner.Table(&b.Table)
	case signal.TypeWants:
		var w signal.WantsBody
		if err := signal.DecodeBody(m.Body, &w); err != nil {
			return fmt.Errorf("%w: %w", fault.Rules, err)
		}
		c.owner.Wants(&w)
	case signal.TypeLeft:
		c.owner.Left()
	default: // of a later version
	}
	return nil
}

// described takes an offer or an answer.
func (c *Conn) described(m exchange.Message) error {
	in := &incomingDescription{}
	if err := signal.DecodeBody(m.Body, &in.Description); err != nil {
		return fmt.Errorf("%w: %w", fault.Rules, err)
	}
	s, err := parseDescription(in.SDP)
	if err != nil {
		return err
	}
	if addMids(s, c.local.sections) {
		if in.SDP, err = marshalDescription(s); err != nil {
			return err
		}
	}
	if in.parsed, err = inspectDescription(s, len(in.SDP)); err != nil {
		return err
	}
	restarts := c.restartedBy(in)
	if !c.owner.Described(restarts) {
		return errDescriptions
	}
	c.incoming, in.session = in, s
	var actions []negotiate.Action
	if m.Type == string(signal.TypeOffer) {
		actions = c.turn.Offered(in.ID, restarts)
	} else {
		actions = c.turn.Answered(in.ID)
	}
	err = c.act(actions)
	c.incoming = nil // parsed, it is the largest of what a connection would keep
	if err != nil || len(c.waiting) == 0 {
		return err
	}
	return c.act(c.turn.Need())
}

// restartedBy reports whether a description has ICE credentials other than those of the last one.
func (c *Conn) restartedBy(in *incomingDescription) bool {
	return c.remote.ufrag != "" && c.remote.ufrag != in.parsed.ufrag
}

// Need makes an offer as soon as it is our turn.
func (c *Conn) Need() { c.try(c.act(c.turn.Need())) }

// Restart restarts ICE as soon as it is our turn.
func (c *Conn) Restart() error {
	err := c.act(c.turn.Restart())
	c.try(err)
	return err
}

// act carries out what the turn machine decided. Until that is done, the machine must get no new event, because its
// messages would overtake these.
func (c *Conn) act(actions []negotiate.Action) (err error) {
	defer recoverPanic(&err, c.log)
	for _, a := range actions {
		switch a.Kind {
		case negotiate.Offer:
			err = c.offer(a.ID, a.Restart)
		case negotiate.Answer:
			err = c.answer()
		case negotiate.Apply:
			err = c.apply()
		case negotiate.Ask:
			c.owner.Send(signal.TypeAsk, nil, false)
		case negotiate.Grant:
			c.owner.Send(signal.TypeGrant, nil, false)
		case negotiate.Rebuild:
			err = fmt.Errorf("%w: an offer out of turn", fault.Rules)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// offer makes an offer and sends it.
func (c *Conn) offer(id int64, restart bool) error {
	if restart = restart && c.owner.MayRestart(); restart {
		c.regather()
	}
	offer, err := c.createOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return err
	}
	return c.describe(signal.TypeOffer, id, offer, restart)
}

// createOffer makes an offer, with a section for every sender that has none yet and fits in.
func (c *Conn) createOffer(options *webrtc.OfferOptions) (offer webrtc.SessionDescription, err error) {
	if err = c.addSections(); err != nil {
		return offer, err
	}
	if err = c.reserve(); err != nil {
		return offer, err
	}
	c.offered = true
	if offer, err = c.PC.CreateOffer(options); err != nil {
		return offer, fmt.Errorf("create offer: %w", err)
	}
	return offer, nil
}

// answer applies the incoming offer and answers it.
func (c *Conn) answer() error {
	in := c.incoming
	if c.restartedBy(in) {
		c.regather() // our generation ends with the peer's
	}
	filled, err := c.fill(in.session)
	if err != nil {
		return err
	}
	if err = c.setRemote(webrtc.SDPTypeOffer, in); err != nil {
		return err
	}
	if err = c.narrowFilled(filled); err != nil {
		return err
	}
	answer, err := c.PC.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("create answer: %w", err)
	}
	if err := c.describe(signal.TypeAnswer, in.ID, answer, false); err != nil {
		return err
	}
	for _, f := range filled {
		c.judge(f.section, false)
	}
	c.mediaCanFlow()
	c.owner.Table(in.table())
	return nil
}

// apply applies the incoming answer.
func (c *Conn) apply() error {
	in := c.incoming
	if err := c.setRemote(webrtc.SDPTypeAnswer, in); err != nil {
		return err
	}
	for _, sec := range c.sections {
		c.judge(sec, in.parsed.rejected[sec.mid()])
	}
	c.mediaCanFlow()
	c.owner.Table(in.table())
	return nil
}

// judge is called for a section that was negotiated just now, and perhaps rejected.
func (c *Conn) judge(sec *section, rejected bool) {
	if sec.refused = rejected || sec.leg.Refused(); sec.refused {
		c.refuse(sec)
	}
}

func (c *Conn) setRemote(t webrtc.SDPType, in *incomingDescription) error {
	if in.parsed.ufrag != c.remote.ufrag {
		c.generation, c.candidates = 0, conduct.Candidates{}
	}
	translated, err := c.numbers.Remote(in.session)
	if err != nil {
		return err
	}
	if c.packets.Follow(c.numbers); translated {
		if in.SDP, err = marshalDescription(in.session); err != nil {
			return err
		}
	}
	if in.SDP, err = c.takeCandidates(in.SDP); err != nil {
		return err
	}
	c.remote = in.parsed
	for _, m := range in.session.MediaDescriptions {
		c.kinds[webrtc.NewRTPCodecType(m.MediaName.Media)] = true
	}
	c.owner.Trace("remote description", "type", t.String(), "id", in.ID, "sdp", in.SDP)
	if err := c.PC.SetRemoteDescription(webrtc.SessionDescription{Type: t, SDP: in.SDP}); err != nil {
		return fmt.Errorf("%w: %w", fault.Description, err)
	}
	c.reachDescription(signal.Type(t.String()))
	return nil
}

// describe makes d the local description and sends it with the table.
func (c *Conn) describe(t signal.Type, id int64, d webrtc.SessionDescription, hubOnly bool) error {
	if err := c.PC.SetLocalDescription(d); err != nil {
		return fmt.Errorf("set local description: %w", err)
	}
	text, local, err := c.prepare(c.PC.LocalDescription().SDP) // with what has been gathered so far
	if err != nil {
		return err
	}
	c.local = local
	body, err := signal.EncodeBody(&signal.Description{ID: id, SDP: text, Table: c.nextTable()})
	if err != nil {
		return fmt.Errorf("%s: %w", t, err)
	}
	c.owner.Trace("local description", "type", t, "id", id, "sdp", text)
	c.tableSent(c.owner.Send(t, body, hubOnly))
	c.reachDescription(t)
	if len(c.pending) > 0 {
		c.batch.Set(c.mail, batchWait, c.sendCandidates)
	}
	return nil
}

// prepare makes of a description of ours, as pion has it, what the peer gets.
func (c *Conn) prepare(pions string) (text string, local description, err error) {
	s, err := parseDescription(pions)
	if err != nil {
		return "", local, err
	}
	text = pions
	withMids, withStereo := addMids(s, c.remote.sections), setStereo(s, c.sendsStereo(), c.remote.stereo)
	fewer, sorted, translated := takeEncodings(s), prefer(s, c.preferred), c.numbers.Local(s)
	c.packets.Follow(c.numbers)
	if withMids || withStereo || fewer || sorted || translated {
		if text, err = marshalDescription(s); err != nil {
			return "", local, err
		}
	}
	local, err = inspectDescription(s, len(text))
	return text, local, err
}
