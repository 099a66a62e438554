package link

import (
	"context"
	"math"

	"noom/internal/data"
	"noom/internal/mailbox"
	"noom/signal"
)

// This file brings what was sent to its end, and says goodbye in-band.

// Delivery is what the peer has yet to get when we leave.
type Delivery struct {
	Arrived  <-chan struct{} // closed when all that was given to the stream has arrived, or the link ends
	Channels []*data.Channel // that are being closed behind what was sent in them
}

// Deliver asks the peer to say when it has all that was sent to it, and
// closes the channels of the connection. What is closed arrives whole: a
// channel's end travels behind what was sent in it.
func (l *Link) Deliver(ctx context.Context) (Delivery, error) {
	return mailbox.Ask(ctx, l.mail, func() Delivery {
		d := Delivery{Arrived: l.Stream.Deliver()}
		for _, c := range l.conns.all() {
			for _, ch := range c.Lane.Channels() {
				if ch.Waiting() > 0 { // else the peer has it all
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

// goodbyes are goodbyes on their way, the first one first.
type goodbyes []goodbye

// goodbye is done once the peer has acknowledged so many messages, or the link ends.
type goodbye struct {
	acked int64
	done  chan struct{}
}

// acknowledged ends those that the peer has by now.
func (p *goodbyes) acknowledged(acked int64) {
	for len(*p) > 0 && (*p)[0].acked <= acked {
		close((*p)[0].done)
		*p = (*p)[1:]
	}
}

// end ends all of them, because they have nowhere to go.
func (p *goodbyes) end() { p.acknowledged(math.MaxInt64) }
