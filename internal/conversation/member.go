package conversation

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"noom/signal"
)

// member is the other member's identity.
type member struct {
	id      string
	key     ed25519.PrivateKey
	session string
}

func newMember() *member {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return &member{id: signal.MemberID(signal.PublicKey(public)), key: private, session: signal.NewSession()}
}

func (m *member) keyText() string {
	return base64.RawURLEncoding.EncodeToString(m.key.Public().(ed25519.PublicKey))
}

// link is the other member's side of one epoch: both streams, and the connection.
type link struct {
	epoch    signal.Epoch
	known    map[int64]string          // what the client sent, by seq
	ahead    map[int64]arrival         // frames that have overtaken one with a lower seq
	early    map[int64]*signal.Message // frames after one that was lost
	received int64                     // everything up to here was received
	given    map[int64]bool            // what we sent, by seq
	acked    int64                     // by the client
	version  int64                     // of the client's table
	peer     *peer
}

// sent returns the number up to which everything was sent.
func (l *link) sent() (n int64) {
	for l.given[n+1] {
		n++
	}
	return n
}

// newer checks that a table's version is higher than the last, and keeps it.
func (l *link) newer(body map[string]any) error {
	table, _ := body["table"].(map[string]any)
	version, _ := table["version"].(float64)
	if int64(version) <= l.version {
		return fmt.Errorf("the table's version is %v, want more than %d", table["version"], l.version)
	}
	l.version = int64(version)
	return nil
}

func (l *link) close() { l.peer.close() }

// renew begins an epoch. Connections of earlier epochs stay until the end.
func (p *Player) renew(e signal.Epoch) error {
	peer, err := newPeer(p)
	if err != nil {
		return err
	}
	next := &link{
		epoch: e, peer: peer, known: make(map[int64]string), ahead: make(map[int64]arrival),
		early: make(map[int64]*signal.Message), given: make(map[int64]bool),
	}
	if p.link != nil {
		next.version = p.link.version
	}
	p.link = next
	p.links = append(p.links, next)
	return nil
}

// checkPair checks a pair frame by the rules of PROTOCOL.md section 4. done means that
// there is nothing else to do with it.
func (p *Player) checkPair(ctx context.Context, a *arrival, next *Step) (done bool, err error) {
	m := &a.message
	switch {
	case m.To != p.self.id:
		return false, fmt.Errorf("the client sent %s to %q, who is not there", m.Type, m.To)
	case !ed25519.Verify(ed25519.PublicKey(p.bob.PublicKey), signal.PairText(m, p.room, p.bob.ID), m.Signature):
		return false, fmt.Errorf("the client did not sign its %s", m.Type)
	case m.Type == signal.TypeStale:
		return false, nil
	case m.Sessions[0] == p.bob.Session && slices.Contains(p.past, m.Sessions[1]):
		return true, nil // sent before our session changed
	case m.Sessions != [2]string{p.bob.Session, p.self.session}:
		return false, fmt.Errorf("the client sent %s with sessions %v", m.Type, m.Sessions)
	}
	if p.link == nil || epochLess(p.link.epoch, m.Epoch) {
		if m.Epoch.By != p.bob.ID {
			return false, fmt.Errorf("the client sent %s of epoch %v, which nobody began", m.Type, m.Epoch)
		}
		if err := p.renew(m.Epoch); err != nil {
			return false, err
		}
	}
	l := p.link
	if epochLess(m.Epoch, l.epoch) {
		return true, nil // sent before the next epoch began
	}
	if m.Ack > l.sent() {
		return false, fmt.Errorf("the client acknowledges %d and was sent %d", m.Ack, l.sent())
	}
	l.acked = max(l.acked, m.Ack)
	p.answers++
	if m.Seq == 0 {
		return true, nil
	}
	said := string(m.Type) + " " + string(m.Body)
	if before, again := l.known[m.Seq]; again {
		if before != said {
			return false, fmt.Errorf("the client repeated %d with another body", m.Seq)
		}
		if m.Seq > l.received && l.early[m.Seq] == nil && next != nil && next.Again {
			return false, p.got(ctx, a)
		}
		return true, nil
	}
	if ahead := m.Seq - int64(len(l.known)) - 1; ahead >= 32 {
		return false, fmt.Errorf("the client sent number %d after %d", m.Seq, len(l.known))
	} else if ahead > 0 { // it has overtaken another on the other path
		l.ahead[m.Seq] = *a
		return true, nil
	}
	l.known[m.Seq] = said
	if next != nil && next.Lost && m.Type != signal.TypeCandidates {
		return false, nil
	}
	return m.Type == signal.TypeCandidates || m.Type == signal.TypeLeft, p.got(ctx, a)
}

func epochLess(a, b signal.Epoch) bool {
	return a.Number < b.Number || a.Number == b.Number && a.By < b.By
}

// got takes a frame of the stream, acts on it, and acknowledges it.
func (p *Player) got(ctx context.Context, a *arrival) error {
	l := p.link
	l.early[a.message.Seq] = &a.message
	for l.early[l.received+1] != nil {
		l.received++
		m := l.early[l.received]
		delete(l.early, l.received)
		if err := l.peer.take(m); err != nil {
			return fmt.Errorf("the client's %s: %w", m.Type, err)
		}
	}
	return p.send(ctx, signal.Message{Type: signal.TypeAck}, a.line == nil)
}

// sayAsMember sends a frame of the other member.
func (p *Player) sayAsMember(ctx context.Context, s *Step, frame, body map[string]any) error {
	if err := p.place(frame); err != nil {
		return err
	}
	if body != nil {
		if err := p.link.peer.describe(frame["type"], body); err != nil {
			return err
		}
	}
	forged := frame["signature"] == "<forged>"
	unsigned := base64.RawURLEncoding.EncodeToString(make([]byte, ed25519.SignatureSize))
	maps.Copy(frame, map[string]any{"to": p.bob.ID, "signature": unsigned})
	m, err := messageOf(frame, body)
	if err != nil {
		return err
	}
	if m.Seq > 0 && m.Epoch == p.link.epoch && m.Sessions == [2]string{p.self.session, p.bob.Session} && !forged {
		p.link.given[m.Seq] = true
	}
	switch {
	case s.Lost:
		return nil
	case s.Card:
		return p.makeCard(m.Body)
	}
	p.answers = 0
	if err := p.post(ctx, m, s.Band, forged); err != nil {
		return err
	}
	if m.Type == signal.TypeStale {
		p.reborn(m.Sessions[0])
	}
	return nil
}

// makeCard makes a card of her offer.
func (p *Player) makeCard(offer []byte) error {
	card, short := signal.NewCard(offer)
	if !short {
		return fmt.Errorf("an offer of %d bytes has no room in a card", len(offer))
	}
	card.Signature = ed25519.Sign(p.self.key, signal.CardText(p.room, p.self.session, card.Offer))
	p.card = card
	return nil
}

// reborn makes that session the other member's. Everything of another session is over.
func (p *Player) reborn(session string) {
	if p.self.session != session {
		p.past = append(p.past, p.self.session)
		p.self.session, p.link = session, nil
	}
}

// place adds a frame's place in the streams, unless that is written.
func (p *Player) place(frame map[string]any) error {
	if e, ok := frame["epoch"].([]any); ok && len(e) == 2 && frame["type"] != string(signal.TypeStale) {
		number, _ := e[0].(float64)
		by, _ := e[1].(string)
		epoch := signal.Epoch{Number: int64(number), By: by}
		if by == p.self.id && (p.link == nil || epochLess(p.link.epoch, epoch)) {
			if err := p.renew(epoch); err != nil {
				return err
			}
		}
	}
	if p.link == nil && frame["type"] != string(signal.TypeStale) {
		return errors.New("no epoch has begun")
	}
	defaults := map[string]any{"sessions": []any{p.self.session, p.bob.Session}}
	if frame["type"] != string(signal.TypeStale) {
		defaults["epoch"] = []any{p.link.epoch.Number, p.link.epoch.By}
		defaults["ack"] = p.link.received
		defaults["seq"] = int64(len(p.link.given)) + 1
	}
	for key, value := range defaults {
		if _, written := frame[key]; !written {
			frame[key] = value
		}
	}
	return nil
}

// send sends a frame without a place of its own in the stream.
func (p *Player) send(ctx context.Context, m signal.Message, band bool) error {
	m.Sessions = [2]string{p.self.session, p.bob.Session}
	m.Epoch, m.Ack, m.To = p.link.epoch, p.link.received, p.bob.ID
	return p.post(ctx, m, band, false)
}

// post signs a frame and puts it on its way.
func (p *Player) post(ctx context.Context, m signal.Message, band, forged bool) error {
	from := p.self.id
	if band {
		from = ""
	}
	m.Stamp(from)
	m.Signature = make([]byte, ed25519.SignatureSize)
	if !forged {
		m.Signature = ed25519.Sign(p.self.key, signal.PairText(&m, p.room, p.self.id))
	}
	if !band {
		if p.line == nil {
			return nil // the client has no connection to the hub
		}
		return p.line.signaler.Send(ctx, m)
	}
	text, err := m.Encode()
	if err != nil {
		return err
	}
	control, err := p.channel(ctx, func(x *peer) *openChannel { return x.control })
	if err != nil {
		return err
	}
	return control.SendText(string(text))
}

// give sends on the data channel: a message, or an acknowledgement.
func (p *Player) give(ctx context.Context, s *Step) error {
	kind, _ := s.Frame["kind"].(float64)
	number, _ := s.Frame["number"].(float64)
	words, _ := s.Frame["text"].(string)
	data, err := p.channel(ctx, func(x *peer) *openChannel { return x.data })
	if err != nil {
		return err
	}
	return data.Send(append(binary.BigEndian.AppendUint32([]byte{byte(kind)}, uint32(number)), words...))
}

// channel returns a channel of the newest connection on which it is open.
func (p *Player) channel(ctx context.Context, of func(*peer) *openChannel) (found *openChannel, err error) {
	err = p.until(ctx, "what opens a channel", func() bool {
		for i := len(p.links) - 1; i >= 0 && found == nil; i-- {
			if c := of(p.links[i].peer); c.ready() {
				found = c
			}
		}
		return found != nil
	})
	return found, err
}
