package link

import (
	"context"
	"math"

	"noom/internal/data"
	"noom/internal/mailbox"
	"noom/signal"
)

// This file delivers what was sent before the link ends, and says goodbye in-band.

// Delivery is what the peer has not got yet when we leave.
type Delivery struct {
	Arrived  <-chan struct{} // closed when all that was given to the stream has arrived, or the link ends
	Channels []*data.Channel // that are being closed after what was sent in them
}

// Deliver asks the peer to confirm when it has everything that was sent to it, and closes the channels of the
// connections. A channel that is closed still delivers everything, because its end travels after what was sent in it.
func (l *Link) Deliver(ctx context.Context) (Delivery, error) {
	return mailbox.Ask(ctx, l.mail, func() Delivery {
		d := Delivery{Arrived: l.Stream.Deliver()}
		for _, c := range l.conns.all() {
			for _, ch := range c.Lane.Channels() {
				if ch.Waiting() > 0 { // else the peer has everything
					d.Channels = append(d.Channels, ch)
				}
				l.host.Spawn(func() { _ = ch.Close() }) // it may be closed already
			}
		}
		return d
	})
}

// SayGoodbye informs the peer in-band that we leave for good, if a connection reaches it. done is closed
// once the peer has acknowledged that, or cannot.
func (l *Link) SayGoodbye() (done <-chan struct{}) {
	acked := make(chan struct{})
	posted := l.mail.Post(func() {
		if l.recovery.Broken() || !l.recovery.Reachable() {
			close(acked)
			return
		}
		l.goodbyes = append(l.goodbyes, goodbye{l.frames.Send(signal.TypeLeft, nil, false), acked})
	})
	if !posted {
		close(acked)
	}
	return acked
}

// goodbyes are those on their way, the earliest first.
type goodbyes []goodbye

// goodbye is done once the peer has acknowledged acked messages, or the link ends.
type goodbye struct {
	acked int64
	done  chan struct{}
}

// acknowledged ends those that the peer has got.
func (p *goodbyes) acknowledged(acked int64) {
	for len(*p) > 0 && (*p)[0].acked <= acked {
		close((*p)[0].done)
		*p = (*p)[1:]
	}
}

// end ends all of them, because they have nowhere to go.
func (p *goodbyes) end() { p.acknowledged(math.MaxInt64) }
