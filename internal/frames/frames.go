// Package frames carries messages between two members. Package exchange is the machine; this
// package drives it: it signs what goes out, checks what comes in, and sends again what is not
// acknowledged (PROTOCOL.md sections 4, 4.1 and 4.2). Its owner has the ways between the
// two ends: the hub and connections.
package frames

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"noom/internal/exchange"
	"noom/internal/fault"
	"noom/internal/mailbox"
	"noom/signal"
)

const (
	tickTime = 500 * time.Millisecond // of the exchange, which repeats a message after 1 s, 2, 4, 8 s
	ackTime  = 50 * time.Millisecond  // that an acknowledgement waits for a frame on which to travel
	maxHeld  = exchange.Window        // frames of a newcomer whose connection may not be built yet
)

// MaxQueued is how many messages may wait for a peer that acknowledges none.
const MaxQueued = 256

// Via is the way by which a frame came: the hub, or a connection, by the owner's number for it.
type Via int

// ByHub is the way by hub.
const ByHub Via = 0

// Verdict is what becomes of a frame that begins an epoch.
type Verdict uint8

// The verdicts.
const (
	Take Verdict = iota
	Hold         // until Release, because it is not our turn to build a connection
	Drop         // the peer's exchange sends it again
)

// Owner is the link. It calls Frames from its loop, and Frames calls it there.
type Owner interface {
	// Asleep reports that the peer is dropped: its frames are ignored.
	Asleep() bool
	// Ahead judges a frame of an epoch that is ahead of ours.
	Ahead() Verdict
	// Renewed reports that the peer has begun an epoch.
	Renewed(via Via)
	// Answered reports that the peer is in the epoch of our card, which has not begun here. The owner begins it, or reports
	// that it cannot, because the peer has a card that was not for it.
	Answered() (begun bool)
	// Delivered takes messages, in order.
	Delivered(messages []exchange.Message)
	// Reborn reports that the peer now has another session.
	Reborn(session string)
	// LeftAtOnce reports that the peer has left, and waits for no acknowledgement.
	LeftAtOnce()
	// Overfull reports that the peer acknowledges nothing.
	Overfull(err error)

	// SendHub sends a frame by hub.
	SendHub(m signal.Message)
	// SendInBand sends a frame over the newest connection that works or, if it was sent
	// before, over all that work. It reports whether there was one.
	SendInBand(m signal.Message, again bool) (sent bool)

	// Received notes a frame with a valid signature.
	Received(m signal.Message, via Via)
	// Trace notes what else happens.
	Trace(msg string, args ...any)
	// Warn logs what an operator has to know.
	Warn(msg string, args ...any)
}

// Config names the two members between which the frames go.
type Config struct {
	Room  string
	Self  signal.Member // ID, Session
	Peer  signal.Member // ID, PublicKey, Session
	Sign  func(text []byte) signal.Bytes
	Mail  *mailbox.Mailbox // the owner's
	Owner Owner
}

// Frames are the frames to and from one peer.
type Frames struct {
	cfg Config
	ex  *exchange.Exchange

	ticker    mailbox.Timer
	ackTimer  mailbox.Timer // runs while an acknowledgement is owed
	byHub     bool          // a frame came by hub since the last Flush, or while one is owed
	held      []heldFrame   // came before it was our turn to build
	staleSent time.Time
	warned    bool // of a forged frame
}

type heldFrame struct {
	message signal.Message
	via     Via
}

// New returns the Frames of a new link.
func New(cfg Config) *Frames { return &Frames{cfg: cfg, ex: exchange.New(cfg.Self.ID)} }

// Receive takes a frame.
func (f *Frames) Receive(m signal.Message, via Via) {
	if via == ByHub {
		f.byHub = true
	}
	peer := f.cfg.Peer
	text := signal.PairText(&m, f.cfg.Room, peer.ID)
	if m.To != f.cfg.Self.ID || !ed25519.Verify(ed25519.PublicKey(peer.PublicKey), text, m.Signature) {
		f.forged(m.Type)
		return
	}
	f.cfg.Owner.Received(m, via)
	f.accept(m, via)
}

// accept takes a frame with a valid signature.
func (f *Frames) accept(m signal.Message, via Via) {
	self, peer, owner := f.cfg.Self, f.cfg.Peer, f.cfg.Owner
	switch {
	case m.Sessions[1] != self.Session:
		if m.Type != signal.TypeStale {
			f.answerStale(m.Sessions[0])
		}
		return
	case m.Type == signal.TypeStale:
		if m.Sessions[0] != peer.Session {
			owner.Reborn(m.Sessions[0])
		}
		return
	case m.Sessions[0] != peer.Session, owner.Asleep():
		owner.Trace("frame dropped: it belongs to another session", "type", m.Type)
		return
	}
	if m.LeftAtOnce() {
		owner.LeftAtOnce()
		return
	}
	epoch := exchange.Epoch{Number: m.Epoch.Number, By: m.Epoch.By}
	if epoch.By != self.ID && epoch.By != peer.ID {
		owner.Trace("frame dropped: a third member began its epoch", "number", epoch.Number)
		return
	}
	if f.ex.Ahead(epoch) {
		switch owner.Ahead() {
		case Hold:
			if len(f.held) < maxHeld {
				f.held = append(f.held, heldFrame{m, via})
			}
			return
		case Drop:
			owner.Trace("frame dropped: its epoch may not begin", "number", epoch.Number)
			return
		case Take:
		}
	}
	if epoch == f.cardEpoch(self.ID) && f.ex.Ahead(epoch) && !owner.Answered() {
		owner.Trace("frame dropped: we have not begun its epoch", "number", epoch.Number)
		return
	}
	frame := exchange.Frame{Epoch: epoch, Seq: m.Seq, Ack: m.Ack}
	frame.Type, frame.Body = string(m.Type), m.Body
	messages, renewed, ok := f.ex.Receive(frame)
	if !ok {
		owner.Trace("frame dropped: it is of a lower epoch, or out of bounds", "type", m.Type, "seq", m.Seq)
	}
	if renewed {
		owner.Trace("epoch begun by the peer", "number", epoch.Number)
		owner.Renewed(via)
	}
	if slices.ContainsFunc(messages, isAwaited) {
		f.ex.Press()
	}
	owner.Delivered(messages)
}

// Card takes the newcomer's first offer, which came with the hub's word of it, for its first frame. It means nothing once
// there has been an epoch, so that it cannot end a connection if the hub repeats it.
func (f *Frames) Card(card *signal.Card) {
	self, peer := f.cfg.Self, f.cfg.Peer
	if f.ex.Epoch().Number > 0 {
		return
	}
	if !card.Verify(peer.PublicKey, f.cfg.Room, peer.Session) {
		f.forged(signal.TypeWelcome)
		return
	}
	body, err := card.Body()
	if err != nil {
		f.cfg.Owner.Trace("card ignored", "error", err)
		return
	}
	m := signal.Message{
		Type: signal.TypeOffer, From: peer.ID, To: self.ID, Sessions: [2]string{peer.Session, self.Session},
		Epoch: signal.Epoch(f.cardEpoch(peer.ID)), Seq: 1, Body: body,
	}
	f.byHub = true
	f.cfg.Owner.Received(m, ByHub)
	f.accept(m, ByHub)
}

// cardEpoch is the epoch of a newcomer's card.
func (f *Frames) cardEpoch(newcomer string) exchange.Epoch {
	return exchange.Epoch{Number: 1, By: newcomer}
}

// BeginCard begins the epoch of our card, whose offer has reached the peer already.
func (f *Frames) BeginCard(offer []byte) {
	f.ex.Begin()
	f.ex.Sent(exchange.Message{Type: string(signal.TypeOffer), Body: offer})
}

// PassCard leaves out the epoch of our card, which the peer may be in with another connection than we could have.
func (f *Frames) PassCard() { f.ex.Pass(f.cardEpoch(f.cfg.Self.ID)) }

// isAwaited reports whether the peer waits until m is acknowledged: with media, or to be gone.
func isAwaited(m exchange.Message) bool {
	return m.Type == string(signal.TypeTable) || m.Type == string(signal.TypeLeft)
}

// forged reports a frame that the peer did not sign. It warns only once, because an attacker
// who forges one frame can forge many.
func (f *Frames) forged(t signal.Type) {
	const what = "frame dropped: not signed by the peer; the hub may be lying"
	if !f.warned {
		f.warned = true
		f.cfg.Owner.Warn(what, "type", t)
	}
	f.cfg.Owner.Trace(what, "type", t)
}

// answerStale sends the peer our session, at most once a second.
func (f *Frames) answerStale(theirs string) {
	if now := time.Now(); now.Sub(f.staleSent) >= time.Second {
		f.staleSent = now
		m := signal.Message{Type: signal.TypeStale, Sessions: [2]string{f.cfg.Self.Session, theirs}}
		f.seal(&m)
		f.cfg.Owner.SendHub(m)
	}
}

// seal adds the address and the signature to m.
func (f *Frames) seal(m *signal.Message) {
	m.To = f.cfg.Peer.ID
	m.Signature = f.cfg.Sign(signal.PairText(m, f.cfg.Room, f.cfg.Self.ID))
}

// Release takes the frames that were held back.
func (f *Frames) Release() {
	held := f.held
	f.held = nil
	for _, h := range held {
		f.accept(h.message, h.via)
	}
}

// Forget drops the frames that were held back.
func (f *Frames) Forget() { f.held = nil }

// Begin begins the next epoch. It reports false if there is none left.
func (f *Frames) Begin() bool { return f.ex.Begin() }

// Send gives a message to the exchange and returns how many it has been given in this epoch.
func (f *Frames) Send(t signal.Type, body []byte, hubOnly bool) (queued int64) {
	f.ex.Send(exchange.Message{Type: string(t), Body: body, HubOnly: hubOnly})
	if f.ex.Queued()-f.ex.Acked() > MaxQueued {
		f.cfg.Owner.Overfull(fmt.Errorf("%w: it acknowledges nothing", fault.Rules))
	}
	return f.ex.Queued()
}

// Flush sends what is due. An acknowledgement that would go alone is held for ackTime.
func (f *Frames) Flush() {
	for _, frame := range f.ex.Flush() {
		f.send(frame)
	}
	switch {
	case !f.ex.Owes():
		f.byHub = false
		f.ackTimer.Stop()
	case !f.ackTimer.Pending():
		f.ackTimer.Set(f.cfg.Mail, ackTime, f.ex.Press)
	}
	if f.ex.Pending() && !f.ticker.Pending() {
		f.ticker.Set(f.cfg.Mail, tickTime, func() { f.ex.Tick() })
	}
}

// send sends a frame: in-band if a connection works, by hub if not, and both ways if it
// was sent before.
func (f *Frames) send(frame exchange.Frame) {
	m := signal.Message{
		Type: signal.Type(frame.Type), Sessions: [2]string{f.cfg.Self.Session, f.cfg.Peer.Session},
		Epoch: signal.Epoch{Number: frame.Epoch.Number, By: frame.Epoch.By}, Seq: frame.Seq, Ack: frame.Ack, Body: frame.Body,
	}
	if frame.Seq == 0 {
		m.Type = signal.TypeAck
	}
	f.seal(&m)
	inBand := !frame.HubOnly && f.cfg.Owner.SendInBand(m, frame.Again)
	if !inBand || frame.Again || f.byHub {
		f.cfg.Owner.SendHub(m)
	}
}

// Probe sends an acknowledgement that was not asked for over the newest connection that works, and by no other way. It
// means nothing to the peer, whose SCTP acknowledges it, so that something arrives if the path works. What is owed
// stays owed, because the path may carry nothing.
func (f *Frames) Probe() {
	e := f.ex.Epoch()
	m := signal.Message{
		Type: signal.TypeAck, Sessions: [2]string{f.cfg.Self.Session, f.cfg.Peer.Session},
		Epoch: signal.Epoch{Number: e.Number, By: e.By}, Ack: f.ex.Got(),
	}
	f.seal(&m)
	f.cfg.Owner.SendInBand(m, false)
}

// Resend makes everything unacknowledged due.
func (f *Frames) Resend() { f.ex.Resend() }

// Connected makes due what should have been acknowledged by now, because a connection is up. What is owed by hub needs
// the hub no longer: the peer sent that before it could use the connection.
func (f *Frames) Connected() {
	f.byHub = false
	f.ex.ResendLate()
}

// Stop stops all timers until the next Flush.
func (f *Frames) Stop() {
	f.ticker.Stop()
	f.ackTimer.Stop()
}

// Window reports whether the exchange has room for one more message.
func (f *Frames) Window() bool { return f.ex.Room() }

// Queued returns how many messages were given to Send in this epoch.
func (f *Frames) Queued() int64 { return f.ex.Queued() }

// Acked returns how many of them the peer has acknowledged.
func (f *Frames) Acked() int64 { return f.ex.Acked() }

// Pending reports whether any is unacknowledged.
func (f *Frames) Pending() bool { return f.ex.Pending() }

// Epoch returns the number of the current epoch.
func (f *Frames) Epoch() int64 { return f.ex.Epoch().Number }
