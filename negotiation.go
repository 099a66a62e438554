package noom

import (
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/diagnose"
	"noom/internal/exchange"
	"noom/internal/negotiate"
	"noom/signal"
)

// This file is the part of a link that speaks JSEP (RFC 9429): what the turn
// machine decides is carried out here, and nowhere else is a description set.

// work acts on what the exchange delivered, in order.
func (l *link) work() {
	for len(l.inbox) > 0 && !l.broken && !l.mustWait(l.inbox[0]) {
		m := l.inbox[0]
		l.inbox = l.inbox[1:]
		if err := l.handle(m); err != nil {
			l.fail(err)
		}
	}
}

// mustWait holds a description back until ICE has started on the one before:
// pion would take it for an ICE restart and open new sockets.
func (l *link) mustWait(m exchange.Message) bool {
	description := m.Type == string(signal.TypeOffer) || m.Type == string(signal.TypeAnswer)
	return description && l.conn.remote.ufrag != "" && l.conn.pc.ICEConnectionState() == webrtc.ICEConnectionStateNew
}

func (l *link) handle(m exchange.Message) (err error) {
	defer recovered(&err)
	switch signal.Type(m.Type) {
	case signal.TypeOffer, signal.TypeAnswer:
		return l.described(m)
	case signal.TypeAsk:
		return l.act(l.turn.Asked())
	case signal.TypeGrant:
		return l.act(l.turn.Granted())
	case signal.TypeCandidates:
		return l.addCandidates(m.Body)
	case signal.TypeTable:
		var b signal.TableBody
		if err := signal.DecodeBody(m.Body, &b); err != nil {
			return fmt.Errorf("%w: %w", errRules, err)
		}
		l.applyTable(&b.Table)
	case signal.TypeLeft:
		l.leftByPeer()
	default: // the exchange carries nothing else that is known today
	}
	return nil
}

// described takes an offer or an answer.
func (l *link) described(m exchange.Message) error {
	in := &incoming{}
	if err := signal.DecodeBody(m.Body, &in.Description); err != nil {
		return fmt.Errorf("%w: %w", errRules, err)
	}
	var err error
	if in.SDP, err = withMids(in.SDP, l.conn.local.sections); err != nil {
		return err
	}
	if in.parsed, err = inspect(in.SDP); err != nil {
		return err
	}
	known := l.conn.remote.ufrag
	restarts := known != "" && known != in.parsed.ufrag
	if !l.conduct.described(time.Now(), restarts) {
		return errWork
	}
	l.incoming = in
	var actions []negotiate.Action
	if m.Type == string(signal.TypeOffer) {
		actions = l.turn.Offered(in.ID, restarts)
	} else {
		actions = l.turn.Answered(in.ID)
	}
	if err := l.act(actions); err != nil || len(l.waiting) == 0 {
		return err
	}
	return l.act(l.turn.Need())
}

// act carries out what the turn machine decided. Until it has done so the
// machine must be told nothing new: its messages would overtake these.
func (l *link) act(actions []negotiate.Action) (err error) {
	defer recovered(&err)
	for _, a := range actions {
		switch a.Kind {
		case negotiate.Offer:
			err = l.offer(a.ID, a.Restart)
		case negotiate.Answer:
			err = l.answer()
		case negotiate.Apply:
			err = l.apply()
		case negotiate.Ask:
			l.queue(signal.TypeAsk, nil, false)
		case negotiate.Grant:
			l.queue(signal.TypeGrant, nil, false)
		case negotiate.Rebuild:
			err = fmt.Errorf("%w: an offer out of turn", errRules)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// offer makes an offer with a section for every sender that has none, as far
// as they fit.
func (l *link) offer(id int64, restart bool) error {
	c := l.conn
	// Transceivers are added here and not earlier, so that none is there for
	// a remote offer to take over.
	for _, s := range l.waiting {
		if !c.fits(s) {
			l.tell(TrackRefused{Peer: l, Sender: s, Codec: s.Codec().MimeType, Err: ErrTooMany})
			continue
		}
		if err := l.addSection(s); err != nil {
			return err
		}
	}
	l.waiting = nil
	if restart && l.conn.up() && !l.pathAsked {
		restart = false // the path came back while the turn was on its way
	}
	if restart {
		l.pathAsked = false
		l.pending = nil // they belong to the generation that ends
		l.regather()
	}
	offer, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return fmt.Errorf("create offer: %w", err)
	}
	return l.describe(signal.TypeOffer, id, offer, restart)
}

// answer applies the incoming offer and answers it.
func (l *link) answer() error {
	in := l.incoming
	if known := l.conn.remote.ufrag; known != "" && known != in.parsed.ufrag {
		l.pending, l.pathAsked = nil, false // the peer restarts ICE, and our generation ends with its
		l.regather()
	}
	if err := l.setRemote(webrtc.SDPTypeOffer, in); err != nil {
		return err
	}
	answer, err := l.conn.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("create answer: %w", err)
	}
	if err := l.describe(signal.TypeAnswer, in.ID, answer, false); err != nil {
		return err
	}
	l.applyTable(&in.Table)
	return nil
}

// apply applies the incoming answer.
func (l *link) apply() error {
	in := l.incoming
	if err := l.setRemote(webrtc.SDPTypeAnswer, in); err != nil {
		return err
	}
	for _, s := range l.conn.sections {
		if s.refused = in.parsed.rejected[s.mid()] || s.leg.Refused(); s.refused {
			l.refuse(s)
		}
	}
	l.mediaCanFlow()
	l.applyTable(&in.Table)
	return nil
}

func (l *link) setRemote(t webrtc.SDPType, in *incoming) error {
	c := l.conn
	if in.parsed.ufrag != c.remote.ufrag {
		c.generation, c.candidates = 0, remoteCandidates{}
	}
	var err error
	if in.SDP, err = l.takeCandidates(in.SDP); err != nil {
		return err
	}
	c.remote = in.parsed
	l.trace("remote description", "type", t.String(), "id", in.ID, "sdp", in.SDP)
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: t, SDP: in.SDP}); err != nil {
		return fmt.Errorf("%w: %w", ErrDescription, err)
	}
	return nil
}

// describe makes d the local description and sends it with the table.
func (l *link) describe(t signal.Type, id int64, d webrtc.SessionDescription, hubOnly bool) error {
	c := l.conn
	if err := c.pc.SetLocalDescription(d); err != nil {
		return fmt.Errorf("set local description: %w", err)
	}
	text, err := withMids(c.pc.LocalDescription().SDP, c.remote.sections) // with what has been gathered so far
	if err != nil {
		return err
	}
	if text, err = withStereo(text, c.sendsStereo(), c.remote.stereo); err != nil {
		return err
	}
	if c.local, err = inspect(text); err != nil {
		return err
	}
	body, err := signal.EncodeBody(&signal.Description{ID: id, SDP: text, Table: l.table()})
	if err != nil {
		return fmt.Errorf("%s: %w", t, err)
	}
	l.trace("local description", "type", t, "id", id, "sdp", text)
	l.queue(t, body, hubOnly)
	l.announced()
	if len(l.pending) > 0 {
		l.later(&l.batch, batchWait, l.sendCandidates)
	}
	return nil
}

// Candidates (RFC 8838).

// gathered takes a local candidate, nil after the last one.
func (l *link) gathered(candidate *webrtc.ICECandidate) {
	var c signal.Candidate
	if candidate != nil {
		c.Candidate = candidate.ToJSON().Candidate
		if known := l.conn.local.candidates; known != nil { // else describe finds it
			known[candidate.Typ.String()] = true
		}
	}
	c.SDPMid, c.SDPMLineIndex = l.conn.local.first() // all sections are bundled
	l.pending = append(l.pending, c)
	if l.batch == nil {
		l.later(&l.batch, batchWait, l.sendCandidates)
	}
}

func (l *link) sendCandidates() {
	if l.conn == nil || l.broken || l.conn.local.ufrag == "" {
		return // describe sends them, behind the description
	}
	for len(l.pending) > 0 && l.ex.Room() {
		n := min(len(l.pending), signal.MaxCandidates)
		batch := signal.Candidates{Ufrag: l.conn.local.ufrag, Candidates: l.pending[:n]}
		l.pending = l.pending[n:]
		body, err := signal.EncodeBody(&batch)
		if err != nil {
			l.trace("candidates dropped", "error", err)
			continue
		}
		l.queue(signal.TypeCandidates, body, false)
	}
	if len(l.pending) > 0 {
		l.later(&l.batch, tick, l.sendCandidates)
	}
}

func (l *link) addCandidates(body []byte) error {
	var b signal.Candidates
	if err := signal.DecodeBody(body, &b); err != nil {
		return fmt.Errorf("%w: %w", errRules, err)
	}
	c := l.conn
	if b.Ufrag != c.remote.ufrag {
		l.trace("candidates dropped: of another generation")
		return nil
	}
	for _, candidate := range b.Candidates {
		if c.generation++; c.generation > signal.MaxGeneration {
			l.trace("candidates dropped: too many")
			return nil
		}
		if candidate.Candidate == "" {
			continue // pion has no use for the end of candidates
		}
		if err := l.takeCandidate(candidate.Candidate); err != nil {
			l.trace("candidate dropped", "error", err)
			continue
		}
		init := webrtc.ICECandidateInit{
			Candidate: candidate.Candidate, SDPMid: &candidate.SDPMid, SDPMLineIndex: &candidate.SDPMLineIndex,
		}
		if err := c.pc.AddICECandidate(init); err != nil {
			l.trace("candidate dropped", "error", err)
			continue
		}
		c.remote.candidates[diagnose.TypeOf(candidate.Candidate)] = true
	}
	return nil
}

// takeCandidate judges a candidate of the peer's.
func (l *link) takeCandidate(text string) error {
	c := l.conn
	return c.candidates.take(text, c.own, func() bool { return l.conduct.lookups.AllowN(time.Now(), 1) })
}

// takeCandidates returns a description with those candidates alone that are taken.
func (l *link) takeCandidates(text string) (string, error) {
	text, left, err := withoutCandidates(text, l.takeCandidate)
	if left > 0 {
		l.trace("candidates of a description dropped", "count", left)
	}
	return text, err
}
