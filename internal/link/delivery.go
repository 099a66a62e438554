package link

import (
	"context"
	"math"

	"noom/internal/data"
	"noom/internal/mailbox"
	"noom/signal"
)

// This file completes what was sent before we leave, and says goodbye in-band.

// Delivery is what the peer has not received yet when we leave.
type Delivery struct {
	Arrived  <-chan struct{} // closed when everything given to the stream has arrived, or the link ends
	Channels []*data.Channel // that are being closed after what was sent in them
}

// Deliver asks the peer to confirm everything that was sent to it, and closes the channels
// of the connection. Closing loses nothing, because the end of a channel travels after what
// was sent in it.
func (l *Link) Deliver(ctx context.Context) (Delivery, error) {
	return mailbox.Ask(ctx, l.mail, func() Delivery {
		d := Delivery{Arrived: l.Stream.Deliver()}
		for _, c := range l.conns.all() {
			for _, ch := range c.Lane.Channels() {
				if ch.Waiting() > 0 { // if not, the peer has everything
					d.Channels = append(d.Channels, ch)
				}
				l.host.Spawn(func() { _ = ch.Close() }) // it may be closed already
			}
		}
		return d
	})
}

// Part says goodbye to the peer in-band, if it can be reached. done is closed once the peer
// has acknowledged it, or no longer can.
func (l *Link) Part() (done <-chan struct{}) {
	parted := make(chan struct{})
	posted := l.mail.Post(func() {
		if l.recovery.Broken() || !l.recovery.Reachable() {
			close(parted)
			return
		}
		l.partings = append(l.partings, parting{l.frames.Send(signal.TypeLeft, nil, false), parted})
	})
	if !posted {
		close(parted)
	}
	return parted
}

// partings are goodbyes on their way, the oldest first.
type partings []parting

// parting is done once the peer has acknowledged that many messages, or the link ends.
type parting struct {
	acked int64
	done  chan struct{}
}

// acknowledged ends the goodbyes that the peer has acknowledged.
func (p *partings) acknowledged(acked int64) {
	for len(*p) > 0 && (*p)[0].acked <= acked {
		close((*p)[0].done)
		*p = (*p)[1:]
	}
}

// end ends all goodbyes, because they can no longer reach the peer.
func (p *partings) end() { p.acknowledged(math.MaxInt64) }
