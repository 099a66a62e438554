package noom

import (
	"slices"
	"time"

	"noom/internal/exchange"
	"noom/internal/frames"
	"noom/internal/recovery"
	"noom/signal"
)

// This file is the part of a link between its frames and the ways they go.

// hubFrame takes a pair frame that came by hub. m must be the link's own.
func (l *link) hubFrame(m signal.Message) {
	if !l.conduct.ByHub.AllowN(time.Now(), 1) {
		return
	}
	if l.byHub.Add(1) > maxFrames { // the exchange brings back what is dropped here
		l.byHub.Add(-1)
		return
	}
	l.mail.Post(func() {
		l.byHub.Add(-1)
		l.frames.Receive(m, frames.ByHub)
	})
}

func (l *link) trace(msg string, args ...any) {
	l.log.Debug(msg, args...)
	l.room.trace.note(l.member, msg, args...)
}

// flush sends what has come to be due, at the end of each round of the loop.
func (l *link) flush() {
	l.stream.Delivered()
	if l.conn == nil {
		return
	}
	if !l.recovery.Broken() { // else the next epoch makes all of it pointless
		l.conn.SendTable()
		l.frames.Flush()
	}
	l.part(l.frames.Acked())
	l.conn.StartFlowing(l.frames.Acked())
	l.stream.Write(l.live().Lane)
}

// frameHost is what a link is to its frames.
type frameHost struct{ *link }

func (h frameHost) Asleep() bool { return h.recovery.Asleep() }

// Ahead judges a frame with which the peer begins an epoch.
func (h frameHost) Ahead() frames.Verdict {
	switch {
	case h.recovery.MustWait():
		h.on((*recovery.Machine).PeerBegins)
		return frames.Hold
	case h.conduct.Build(time.Now()) > 0:
		return frames.Drop
	}
	return frames.Take
}

// Renewed passes on which connection the peer has set aside, as we are to do.
func (h frameHost) Renewed(via frames.Via) {
	if h.conn == nil || recovery.Number(via) != h.conn.Number {
		via = frames.ByHub
	}
	h.on(func(m *recovery.Machine) []recovery.Action { return m.Renewed(recovery.Number(via)) })
}

func (h frameHost) Delivered(messages []exchange.Message) {
	if h.recovery.Alive() {
		h.conn.Deliver(messages)
	}
}

func (h frameHost) Reborn(session string)      { h.room.reborn(h.link, session) }
func (h frameHost) Overfull(err error)         { h.fail(err) }
func (h frameHost) SendHub(m signal.Message)   { h.room.sendTo(h.member, m) }
func (h frameHost) Trace(msg string, a ...any) { h.trace(msg, a...) }
func (h frameHost) Warn(msg string, a ...any)  { h.log.Warn(msg, a...) }

func (h frameHost) Received(m signal.Message, via frames.Via) {
	h.room.trace.frame(TraceReceived, h.member, via != frames.ByHub, m)
}

// SendInBand sends a frame over the newest connection that works; over every
// one, if again.
func (h frameHost) SendInBand(m signal.Message, again bool) (sent bool) {
	for _, c := range slices.Backward(append(slices.Clip(h.old), h.conn)) {
		if !h.up(c) || !c.SendFrame(m) {
			continue
		}
		sent = true
		h.room.trace.frame(TraceSent, h.member, true, m)
		if !again {
			break
		}
	}
	return sent
}
