package noom

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/exchange"
	"noom/internal/recovery"
	"noom/signal"
)

// This file is the part of a link that takes pair frames from both paths and
// sends them: what PROTOCOL.md sections 4, 4.1 and 4.2 ask for.

// postFrame posts f unless too many wait; the exchange brings back what is
// dropped here.
func (l *link) postFrame(f func()) {
	if l.frames.Add(1) > maxFrames {
		l.frames.Add(-1)
		return
	}
	l.mail.Post(func() { l.frames.Add(-1); f() })
}

// hubFrame takes a pair frame that came by hub. m must be the link's own.
func (l *link) hubFrame(m signal.Message) {
	if !l.conduct.byHub.AllowN(time.Now(), 1) {
		return
	}
	l.postFrame(func() { l.byHub = true; l.receive(m, nil) })
}

func (l *link) inBand(c *conn, dm webrtc.DataChannelMessage) {
	m, err := decodeInBand(dm.Data)
	if !dm.IsString || err != nil || !m.Type.Pair() {
		l.trace("in-band frame dropped", "error", err)
		return
	}
	l.receive(m, c)
}

func decodeInBand(data []byte) (m signal.Message, err error) {
	defer recovered(&err)
	return signal.Decode(data)
}

func (l *link) trace(msg string, args ...any) {
	l.log.Debug(msg, args...)
	l.room.trace.note(l.member, msg, args...)
}

// receive takes a frame that came by a connection, or by hub if via is nil.
func (l *link) receive(m signal.Message, via *conn) {
	self := l.room.self
	if m.To != self.ID || !ed25519.Verify(ed25519.PublicKey(l.member.PublicKey), signal.PairText(&m, l.room.name, l.member.ID), m.Signature) {
		l.forged(m.Type)
		return
	}
	l.room.trace.frame(TraceReceived, l.member, via != nil, m)
	l.accept(m, via)
}

// accept takes a frame that the peer has signed.
func (l *link) accept(m signal.Message, via *conn) {
	self := l.room.self
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
	case m.Sessions[0] != l.member.Session, l.recovery.Asleep():
		l.trace("frame dropped: other session", "type", m.Type)
		return
	}
	epoch := exchange.Epoch{Number: m.Epoch.Number, By: m.Epoch.By}
	switch ahead := l.ex.Ahead(epoch); {
	case epoch.By != self.ID && epoch.By != l.member.ID:
		l.trace("frame dropped: epoch", "number", epoch.Number)
		return
	case ahead && l.recovery.MustWait():
		l.on((*recovery.Machine).PeerBegins)
		l.hold(m, via)
		return
	case ahead && l.conduct.build(time.Now()) > 0:
		l.trace("frame dropped: too many epochs", "number", epoch.Number)
		return
	}
	f := exchange.Frame{Epoch: epoch, Seq: m.Seq, Ack: m.Ack}
	f.Type, f.Body = string(m.Type), m.Body
	messages, renewed, ok := l.ex.Receive(f)
	if !ok {
		l.trace("frame dropped: not of this epoch", "type", m.Type, "seq", m.Seq)
	}
	if renewed {
		l.trace("epoch begun by the peer", "number", epoch.Number)
		var number recovery.Number
		if via != nil && via == l.conn {
			number = via.number
		}
		l.on(func(m *recovery.Machine) []recovery.Action { return m.Renewed(number) })
	}
	if !l.recovery.Alive() {
		return
	}
	l.conn.deliver(messages)
}

// forged tells of a frame that the peer did not sign: aloud once, for whoever
// makes one up can make many.
func (l *link) forged(t signal.Type) {
	const what = "frame dropped: not signed by the peer; the hub may be lying"
	if !l.warned {
		l.warned = true
		l.log.Warn(what, "type", t)
	}
	l.trace(what, "type", t)
}

// answerStale tells the peer our session, at most once a second.
func (l *link) answerStale(theirs string) {
	if now := time.Now(); now.Sub(l.staleSent) >= time.Second {
		l.staleSent = now
		m := signal.Message{Type: signal.TypeStale, Sessions: [2]string{l.room.self.Session, theirs}}
		l.seal(&m)
		l.room.sendTo(l.member, m)
	}
}

// seal addresses and signs m.
func (l *link) seal(m *signal.Message) {
	m.To = l.member.ID
	m.Signature = l.room.cfg.Identity.sign(signal.PairText(m, l.room.name, l.room.self.ID))
}

// flush sends what has come to be due, at the end of each round of the loop.
func (l *link) flush() {
	l.delivered()
	if l.conn == nil {
		return
	}
	if !l.recovery.Broken() { // else the next epoch makes all of it pointless
		l.conn.sendTable()
		for _, f := range l.ex.Flush() {
			l.send(f)
		}
	}
	l.byHub = false
	l.part(l.ex.Acked())
	l.conn.startFlowing(l.ex.Acked())
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
	inBand := !f.HubOnly && l.sendInBand(m, f.Again)
	if !inBand || f.Again || l.byHub {
		l.room.sendTo(l.member, m)
	}
}

// sendInBand sends a frame over the newest connection that works; over every
// one, if again.
func (l *link) sendInBand(m signal.Message, again bool) (sent bool) {
	for _, c := range slices.Backward(append(slices.Clip(l.old), l.conn)) {
		if !l.up(c) || c.control.BufferedAmount() >= maxControlRoom {
			continue
		}
		text, err := m.Encode()
		if err != nil || c.control.SendText(string(text)) != nil {
			continue
		}
		sent = true
		l.room.trace.frame(TraceSent, l.member, true, m)
		if !again {
			break
		}
	}
	return sent
}

// queue gives a message to the exchange.
func (l *link) queue(t signal.Type, body []byte, hubOnly bool) {
	l.ex.Send(exchange.Message{Type: string(t), Body: body, HubOnly: hubOnly})
	if l.ex.Queued()-l.ex.Acked() > maxQueued {
		l.fail(fmt.Errorf("%w: it acknowledges nothing", errRules))
	}
}
