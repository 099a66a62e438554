package link

import (
	"slices"
	"time"

	"noom/internal/exchange"
	"noom/internal/frames"
	"noom/internal/recovery"
	"noom/signal"
)

// frameHost is the link as its frames see it.
type frameHost struct{ *Link }

func (h frameHost) Asleep() bool { return h.recovery.Asleep() }

// Ahead decides on a frame with which the peer begins an epoch.
func (h frameHost) Ahead() frames.Verdict {
	switch {
	case h.recovery.MustWait():
		h.on((*recovery.Machine).PeerBegins)
		return frames.Hold
	case h.cfg.Conduct.Build(time.Now()) > 0:
		return frames.Drop
	}
	return frames.Take
}

// Answered begins the epoch of our card, if the peer can have it. One that has the card although it was another's gets the
// next epoch.
func (h frameHost) Answered() (begun bool) {
	if h.card != nil {
		h.trace("epoch begun by our card")
		h.frames.BeginCard(h.card.Offer)
		h.on((*recovery.Machine).Begun)
		return true
	}
	if !h.recovery.Alive() {
		h.tableVersion = max(h.tableVersion, cardTable)
		h.frames.PassCard()
		h.on((*recovery.Machine).Welcome)
	}
	return false
}

// Renewed reports to the machine which connection the peer has set aside, so that we do the same.
func (h frameHost) Renewed(via frames.Via) {
	if c := h.conns.current; c == nil || recovery.Number(via) != c.Number {
		via = frames.ByHub
	}
	h.on(func(m *recovery.Machine) []recovery.Action { return m.Renewed(recovery.Number(via)) })
}

func (h frameHost) Delivered(messages []exchange.Message) {
	if h.recovery.Alive() {
		h.conns.current.Deliver(messages)
	}
}

func (h frameHost) Reborn(session string)      { h.host.Reborn(session) }
func (h frameHost) LeftAtOnce()                { h.on((*recovery.Machine).Goodbye) }
func (h frameHost) Overfull(err error)         { h.fail(err) }
func (h frameHost) SendHub(m signal.Message)   { h.host.SendHub(m) }
func (h frameHost) Trace(msg string, a ...any) { h.trace(msg, a...) }
func (h frameHost) Warn(msg string, a ...any)  { h.log.Warn(msg, a...) }

func (h frameHost) Received(m signal.Message, via frames.Via) {
	h.host.Frame(false, via != frames.ByHub, m)
}

// SendInBand sends a frame over the newest connection that works, or over every one that works if again.
func (h frameHost) SendInBand(m signal.Message, again bool) (sent bool) {
	for _, c := range slices.Backward(h.conns.all()) {
		if !h.recovery.Up(c.Number) || !c.SendFrame(m) {
			continue
		}
		sent = true
		h.host.Frame(true, true, m)
		if !again {
			break
		}
	}
	return sent
}
